#!/bin/sh
# Goal: A thousand empty transfers from a command to a command leave no process and no
# file.
# limit: 300
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

"$PY" -IS "$TESTS/t_many.py" "$V" 1000 "$T/scratch"
