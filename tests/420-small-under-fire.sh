#!/bin/sh
# Goal: The empty stream and a single byte arrive although the first connection is
# reset in the middle of HELLO, WELCOME, the first frame, FIN or DONE.
# promise: EXIT STATUS 0
# waits
# takes: 55
# limit: 150
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

data 1 >"$T/in1"
: >"$T/in0"
fired=0
for size in 0 1; do
	for way in up down; do
		for offset in 1 127 128 140 152 153 180 200 215; do
			rx r timeout 5 >"$T/out"
			proxy p r
			ask p at $way next $offset reset
			tx t p legs 2 <"$T/in$size"
			ended t 0 10
			ended r 0 10
			cmp "$T/in$size" "$T/out" ||
			    fail "$size bytes, reset at $way $offset: not the same"
			fired=$((fired + $(proxy_count p fired)))
			signal p TERM
		done
	done
done
echo "$fired of 36 resets came before the end"
[ $fired -ge 18 ] || fail "the resets come too late"
