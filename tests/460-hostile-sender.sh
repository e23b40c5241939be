#!/bin/sh
# Goal: Whatever a sender in the session does wrong (lengths, types, offsets, reserved
# bits, checks, credit, floods) costs it that leg, with a logged reason, and never the
# session. What is merely odd (frames twice, overlapping, out of order) is put right.
# promise: SECURITY CONSIDERATIONS
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"

rx r window 1M heartbeat 300 verbose 4 >"$T/out"
start peer "$PY" -IS "$TESTS/t_peer.py" sender "$(port r)" $size "$SEED"
ended peer 0 40
ended r 0
same "$T/in" "$T/out"
told peer 'violations'
for reason in "check" "type" "reserved" "length"; do
	told r "$reason"
done
if memory_is_honest; then
	[ "$(peak_kib r)" -le $((17 * 1024)) ] || fail "rx had $(peak_kib r) KiB"
fi

rx r window 1M heartbeat 300 verbose 4 >"$T/out"
start peer "$PY" -IS "$TESTS/t_peer.py" shuffle "$(port r)" $size "$SEED"
ended peer 0 40
ended r 0
same "$T/in" "$T/out"

# The wrong kinds of end: none of them is success.
for kind in escape bye short digest; do
	rx r window 1M timeout 3 >"$T/out"
	start peer "$PY" -IS "$TESTS/t_peer.py" farewell "$(port r)" $kind
	ended r nonzero
	ended peer any
	[ $kind != digest ] || told r 'digest'
done
rx r window 1M timeout 3 >"$T/out"
start peer "$PY" -IS "$TESTS/t_peer.py" farewell "$(port r)" escape
ended r 1
LC_ALL=C grep -q -e "$(printf '\033')" "$T/r.err" && fail "an escape reached the terminal"
[ "$(LC_ALL=C grep -c '^viamillipede: all is well' "$T/r.err")" -eq 0 ] ||
    fail "a peer wrote a line of its own"
