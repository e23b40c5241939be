#!/bin/sh
# Goal: All legs are reset at the same moment, five times. The session is suspended,
# comes back within 2 s each time, and logs each outage once.
# promise: DESCRIPTION
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=30000000
data $size >"$T/in"
rx r >"$T/out"
proxy p r
# So slow that every leg has bytes under way.
ask p rate up new 3M
source_of $size hold="29999999:$T/go" | tx t p legs 4
for step in 1 2 3 4 5; do
	arrived "$T/out" $((step * 2000000))
	ask p reset both all
	before=$(size_of "$T/out")
	# More than what was under way: it flows again.
	arrived "$T/out" $((before + 1500000)) 3
done
: >"$T/go"
ended t 0 10
ended r 0
same "$T/in" "$T/out"
