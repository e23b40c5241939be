#!/bin/sh
# Goal: DONE is swallowed, with everything else that rx sends on its legs. tx dials
# again and hears the outcome, and both end with status 0.
# promise: EXIT STATUS 0
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"
for words in '' checksum; do
	rm -f "$T/go" "$T/out"
	rx r heartbeat 3 | start sink cat >"$T/out"
	proxy p r
	# shellcheck disable=SC2086
	source_of $size hold="$size:$T/go" | tx t p legs 3 heartbeat 3 $words
	arrived "$T/out" $size
	ask p blackhole down all
	: >"$T/go"
	ended sink 0 5
	must_run t
	ended t 0 10
	ended r 0 5
	same "$T/in" "$T/out"
	signal p TERM
done
