#!/bin/sh
# Goal: Whichever process of a transfer is killed, at whatever moment, no command
# takes a part of the stream for all of it, no side ends with 0 without the whole
# stream, and soon after `linger` nothing is left.
# limit: 900
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

"$PY" -B "$TESTS/t_killed.py" "$V" "$T" "$SEED" "${TEST_ROUNDS:-300}" \
    rx tx command source near ssh far || fail "killed"
