#!/bin/sh
# Goal: a machine is suspended: tx, rx, or both are stopped for longer than the
# heartbeat, and then carry on exactly.
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=20000000
data $size >"$T/in"
for who in t r both; do
	rx r heartbeat 3 verbose 4 >"$T/out"
	source_of $size rate=20000000 hold="10000000:$T/go.$who" hold="19999999:$T/end.$who" |
	    tx t r heartbeat 3 threads 4 verbose 4
	arrived "$T/out" 5000000
	: >"$T/go.$who"
	for side in t r; do
		[ $who = both ] || [ $who = $side ] || continue
		signal $side STOP
	done
	let_pass 5
	for side in t r; do
		[ $who = both ] || [ $who = $side ] || continue
		signal $side CONT
	done
	arrived "$T/out" 19999999 10
	: >"$T/end.$who"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
	rm -f "$T/out"
done
