#!/bin/sh
# Goal: One leg is reset on both sides, on the sender's side only, on the receiver's
# side only, or ends early: the stream is not affected.
# promise: DESCRIPTION
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=12000000
data $size >"$T/in"
for injury in 'reset both' 'reset up' 'reset down' 'cut up' 'cut down' 'cut both'; do
	rx r heartbeat 3 >"$T/out"
	proxy p r
	# So slow that every leg has bytes under way.
	ask p rate up new 4M
	tx t p legs 4 heartbeat 3 <"$T/in"
	arrived "$T/out" 3000000
	ask p "$injury random"
	must_run t
	ended t 0 10
	ended r 0
	same "$T/in" "$T/out"
	signal p TERM
done
