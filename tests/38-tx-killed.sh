#!/bin/sh
# Goal: fault 18. tx is killed before the end of its input, although all that it
# ever read was delivered: rx must not take that for the end of the stream.
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=5000000
data $size >"$T/in"
for words in '' checksum; do
	rx r timeout 3 | start sink cat >"$T/out"
	# shellcheck disable=SC2086
	source_of $size hold="$size:$T/never" | tx t r threads 3 $words
	arrived "$T/out" $size
	signal t KILL
	let_pass 1
	must_run r
	ended r 4 8
	ended sink 0
	same "$T/in" "$T/out"
	stop src
done
