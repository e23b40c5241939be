#!/bin/sh
# Goal: All legs are cut between FIN and DONE, or between DONE and BYE, by a reset or
# an end of file: the bytes and both statuses are right.
# promise: EXIT STATUS 0
# waits
# takes: 50
# limit: 150
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"

# `begin RX-WORDS`: everything is delivered, the source about to end.
begin()
{
	rm -f "$T/go" "$T/out"
	rx r "$@" | start sink cat >"$T/out"
	proxy p r
	source_of $size hold="$size:$T/go" | tx t p legs 3
	arrived "$T/out" $size
}

finish()
{
	ended t 0 10
	ended r 0 12
	same "$T/in" "$T/out"
	signal p TERM
}

for injury in 'reset both all' 'cut both all' 'reset up all' 'reset down all'; do
	# FIN is on its way.
	begin heartbeat 3
	ask p stall up all
	: >"$T/go"
	let_pass 0.3
	ask p "$injury"
	ask p resume both all
	finish

	# FIN was received, DONE is on its way.
	begin heartbeat 3
	ask p stall down all
	: >"$T/go"
	ended sink 0 5
	ask p "$injury"
	finish

	# DONE was received, BYE is on its way. rx has to do without it.
	begin heartbeat 3 timeout 3
	ask p stall down all
	: >"$T/go"
	ended sink 0 5
	ask p stall up all
	ask p resume down all
	let_pass 0.3
	ask p "$injury"
	finish
done
