#!/bin/sh
# Goal: What is lacking is told by name: memory for each thing that is kept, threads,
# pipes and processes. tests/t_failing.py makes one call after the other fail until the
# message comes.
# promise: DIAGNOSTICS
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
build_failing
mkdir "$T/runs"
"$PY" -B "$TESTS/t_failing.py" "$T/failing.so" "$V" "$T/runs" told 4 || fail "see above"
