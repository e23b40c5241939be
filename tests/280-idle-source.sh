#!/bin/sh
# Goal: A source that says nothing for longer than two heartbeats, and than `timeout`,
# is not a dead peer:
# no leg dies, before the first byte, in the middle of the stream or before its end.
# promise: DESCRIPTION, OPTIONS heartbeat
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"
rx r heartbeat 3 timeout 5 verbose 4 >"$T/out"
source_of $size hold="0:$T/go1" hold="1000000:$T/go2" hold="$size:$T/go3" |
    tx t r heartbeat 3 timeout 5 legs 4 verbose 4
for stage in 1 2 3; do
	within 5 has_legs t 2 || fail "fewer than two legs are up"
	let_pass 0.5
	before=$(legs t)
	let_pass 7
	after=$(legs t)
	for leg in $before; do
		echo "$after" | grep -q -x -e "$leg" ||
		    fail "leg from port $leg died of an idle source"
	done
	must_run t
	must_run r
	: >"$T/go$stage"
	[ $stage = 3 ] || arrived "$T/out" $((stage == 1 ? 1000000 : size))
done
ended t 0
ended r 0
same "$T/in" "$T/out"
