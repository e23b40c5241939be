#!/bin/sh
# Goal: two hundred empty transfers from a command to a command, and no process
# and no file is left.
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

"$PY" -IS "$TESTS/t_many.py" "$V" $((200 / SLOW)) "$T/scratch"
