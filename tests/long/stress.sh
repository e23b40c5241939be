#!/bin/sh
# Goal: whatever options, faults, sources and consumers are drawn, all is exact at 0,
# fails only as it has to, goes on within three heartbeats, and leaves nothing behind.
# STRESS_RUNS (300) of them from seed STRESS_FIRST (1) on, STRESS_AT_ONCE (4) at a time;
# 10000 take a quarter of an hour. A seed alone: tests/long/stress.py SEED.
# waits
# limit: 3600
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

[ "$(uname)" = Linux ] || skip "needs Linux"
VIAMILLIPEDE=$V "$PY" -B "$TESTS/long/stress.py" -n "${STRESS_RUNS:-300}" \
    -f "${STRESS_FIRST:-1}" -j "${STRESS_AT_ONCE:-4}" 2>&1 ||
    fail "see above; tests/long/stress.py SEED repeats one"
