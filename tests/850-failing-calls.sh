#!/bin/sh
# Goal: Whatever single call of either side fails or goes short, a transfer ends in
# time with the exact bytes and 0, or with another status and a message. An error that
# concerns one leg, or asks to try again, is survived. tests/t_failing.py says which
# calls and errors. This is a selection of them; with TEST_ALL=1, set by
# tests/long/failing.sh, each call of each kind fails, from the first to the last,
# with each of its errors.
# promise: EXIT STATUS 0, EXIT STATUS 1
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
build_failing
mkdir "$T/runs"
# So many at once: most of them wait for something.
how='quick 10'
[ -z "${TEST_ALL:-}" ] || how='all 6'
# shellcheck disable=SC2086
"$PY" -B "$TESTS/t_failing.py" "$T/failing.so" "$V" "$T/runs" $how ||
    fail "see above"
