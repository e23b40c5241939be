#!/bin/sh
# Goal: tx is killed before the end of its input, although all that it read was
# delivered: rx does not take that for the end of the stream.
# promise: EXIT STATUS 4, CAVEATS
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=5000000
data $size >"$T/in"
for words in '' checksum; do
	rx r timeout 3 | start sink cat >"$T/out"
	# shellcheck disable=SC2086
	source_of $size hold="$size:$T/never" | tx t r legs 3 $words
	arrived "$T/out" $size
	signal t KILL
	let_pass 1
	must_run r
	ended r 4 8
	ended sink 0
	same "$T/in" "$T/out"
	stop src
done
