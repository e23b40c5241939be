#!/bin/sh
# Goal: One leg falls silent with bytes in flight on it. It is dead after `heartbeat`,
# and what was in flight goes on other legs.
# promise: OPTIONS heartbeat
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=30000000
data $size >"$T/in"
for which in 0 1; do
	rx r heartbeat 3 >"$T/out"
	proxy p r
	# Two paths with a leg each, and so slow that the first is full and the second has work.
	ask p rate up new 6M
	source_of $size hold="$size:$T/go" |
	    tx t p tx 127.0.0.1 "$(port p)" legs 2 heartbeat 3 window 8M
	ask p wait up 1 2000
	arrived "$T/out" 8000000
	ask p blackhole both $which
	told t 'silent' 8
	arrived "$T/out" $size 5
	: >"$T/go"
	ended t 0 5
	ended r 0
	same "$T/in" "$T/out"
	signal p TERM
	rm "$T/go"
done
