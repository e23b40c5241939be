#!/bin/sh
# Goal: a thousand empty transfers from a command to a command, and no process
# and no file is left.
# limit: 300
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

"$PY" -IS "$TESTS/t_many.py" "$V" 1000 "$T/scratch"
