#!/bin/sh
# Goal: rx is killed while data flows, while the source is idle, and after all was
# delivered but before the end. tx never takes that for success, the consumer gets its
# end of file, and what it has is the exact beginning of the stream.
# promise: EXIT STATUS 4, CAVEATS
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=10000000
data $size >"$T/in"
for how in flowing idle delivered; do
	case $how in
	flowing)	words="rate=4000000" enough=4000000 ;;
	idle)		words="hold=5000000:$T/never" enough=5000000 ;;
	delivered)	words="hold=$size:$T/go" enough=$size ;;
	esac
	rm -f "$T/out"
	rx r | start sink cat >"$T/out"
	source_of $size "$words" | tx t r timeout 3 legs 3
	arrived "$T/out" "$enough"
	# Until that is acknowledged, on whatever leg.
	[ $how != delivered ] || let_pass 2
	signal r KILL
	ended sink 0 3
	begins "$T/out" "$T/in"
	: >"$T/go"
	# Delivered it was, but nobody can confirm it any more.
	if [ $how = delivered ]; then ended t 5 12; else ended t 4 12; fi
	stop src
	rm "$T/go"
done
