#!/bin/sh
# Goal: The kernel resets a leg (`ss -K`) twenty times in one transfer, and nothing is
# lost, repeated or reordered.
# promise: DESCRIPTION, EXIT STATUS 0
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need_root "resets connections with ss -K"
need unshare
need tc

# In a network of its own that is slow, so that every leg has bytes under way
# when it is reset.
if [ "${INSIDE:-}" != yes ]; then
	status=0
	INSIDE=yes unshare -n sh "$0" || status=$?
	exit $status
fi
ip link set lo mtu 1500 up
need_reset
tc qdisc add dev lo root tbf rate 64mbit burst 64k latency 50ms 2>/dev/null ||
    skip "needs tbf (tc), to have bytes under way"

size=40000000
data $size >"$T/in"
rx r >"$T/out"
source_of $size hold="39999999:$T/go" | tx t r legs 8
arrived "$T/out" 1

resets=0
reset_one()
{
	leg=$(legs t | awk -v n=$((resets * 7 + SEED)) \
	    '{ port[NR - 1] = $1 } END { if (NR) print port[n % NR] }')
	[ -n "$leg" ] && reset_leg t r "$leg"
}
while [ $resets -lt 20 ]; do
	within 10 reset_one || fail "no leg is up after $resets resets"
	resets=$((resets + 1))
	let_pass 0.15
done
must_run t
must_run r
: >"$T/go"
ended t 0 30
ended r 0
same "$T/in" "$T/out"
told t 'reset\|abort'
