#!/bin/sh
# Goal: whoever of a session is killed at whatever moment, no command makes an image of
# a part of the stream, nobody ends with 0 who should not, and soon nothing is left.
# KILLS_RUNS (100) sessions from seed KILLS_FIRST (1) on, KILLS_AT_ONCE (6) at a time;
# KILLS_SEED is one alone.
# waits
# limit: 3600
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

[ "$(uname)" = Linux ] || skip "needs Linux"
sshd_begin 127.0.0.1
# shellcheck disable=SC2086
"$PY" -B "$TESTS/long/kills.py" "$T" "$V" -n "${KILLS_RUNS:-100}" -f "${KILLS_FIRST:-1}" \
    -j "${KILLS_AT_ONCE:-6}" ${KILLS_SEED:-} 2>&1 || fail "see above; KILLS_SEED=N repeats one"
