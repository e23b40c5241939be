#!/bin/sh
# Goal: Whatever single call fails at either end of a session with many streams, no
# connection gets other bytes or a false end; what cannot go on ends with a status and a
# message. tests/t_failing_streams.py says which calls and errors.
# promise: DIAGNOSTICS, EXIT STATUS 1
# waits
# takes: 40
# limit: 240
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
build_failing
mkdir "$T/runs"
# shellcheck disable=SC2086
"$PY" -B "$TESTS/t_failing_streams.py" "$T/failing.so" "$V" "$T/runs" ${TEST_ALL:+1 2 3 4 5 6 7 8 9 10 12 15 20 30} ||
    fail "see above"
