#!/bin/sh
# Goal: Two hundred empty transfers from a command to a command leave no process and
# no file.
# promise: DESCRIPTION
# waits
# takes: 30
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

"$PY" -IS "$TESTS/t_many.py" "$V" $((200 / SLOW)) "$T/scratch"
