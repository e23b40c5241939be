#!/bin/sh
# Goal: 1, 2, 3, 16 and 64 legs carry the same bytes. Never more legs are up than were
# asked for, and at least two where that is allowed.
# promise: EXIT STATUS 0, OPTIONS legs
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

data 24000000 >"$T/in"

for threads in 1 2 3 16 64; do
	rx r >"$T/out"
	source_of 24000000 hold="20000000:$T/go.$threads" |
	    tx t r legs $threads
	arrived "$T/out" 19000000
	least=2
	[ $threads -gt 1 ] || least=1
	within 10 has_legs t $least || fail "legs $threads: fewer legs are up"
	up=$(legs t | wc -l)
	[ "$up" -le $threads ] || fail "legs $threads: $up legs are up"
	: >"$T/go.$threads"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
done
