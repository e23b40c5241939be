#!/bin/sh
# Goal: One leg, or every leg, is silent in one direction only. Whichever direction it
# is, both sides find it dead and go on with new legs.
# promise: DESCRIPTION
# waits
# takes: 40
# limit: 150
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=20000000
data $size >"$T/in"
for injury in 'blackhole up 0' 'blackhole down 0' 'blackhole up all' \
    'blackhole down all' 'stall up 1' 'stall down 1' 'stall up all' 'stall down all'; do
	rx r heartbeat 3 >"$T/out"
	proxy p r
	# Two paths with a leg each, and so slow that the first is full and the second has work.
	ask p rate up new 6M
	tx t p tx 127.0.0.1 "$(port p)" legs 2 heartbeat 3 window 8M <"$T/in"
	ask p wait up 1 2000
	arrived "$T/out" 6000000
	ask p "$injury"
	ended t 0 12
	ended r 0 12
	same "$T/in" "$T/out"
	signal p TERM
done
