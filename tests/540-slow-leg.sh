#!/bin/sh
# Goal: A path of 1 kB/s beside one of 20 Mbit/s, preferred to it or not, costs nearly
# nothing.
# promise: DESCRIPTION
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 20M/20ms,8k/40ms/queue=16k

size=24000000
data $size >"$T/in"
for order in '0 1' '1 0'; do
	lab_rx r >"$T/out"
	lab_tx t r "$order" <"$T/in"
	arrived "$T/out" 200000
	used=$(wan_count 1 ab in_packets)
	read_clock
	began=$NOW
	arrived "$T/out" $size
	read_clock
	# Over the whole of it: the slow leg makes pauses, after which what waited goes at once.
	share=$(((size - 200000) * 8 * 100 / ((NOW - began + 1) * 200000)))
	echo "paths $order: $share % of the good path's rate"
	exact 20
	fired 1 ab in_packets $((used + 3))
	# A program made slow by what watches it is not judged by its speed.
	[ "${TEST_SLOW:-1}" -gt 1 ] || [ $share -ge 80 ] ||
	    fail "the slow leg costs too much: $share %"
done
