#!/bin/sh
# Goal: fault 4. One leg falls silent without a word, with bytes on it: it is
# dead after `heartbeat`, and what it held goes on other legs.
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=30000000
data $size >"$T/in"
for which in 0 1; do
	rx r heartbeat 3 >"$T/out"
	proxy p r
	# So slow that every leg has bytes under way.
	ask p rate up new 6M
	source_of $size hold="$size:$T/go" |
	    tx t p threads 3 heartbeat 3 window 8M
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
