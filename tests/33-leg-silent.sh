#!/bin/sh
# Goal: fault 4. One leg falls silent without a word, with bytes on it: it is
# dead after `heartbeat`, and what it held goes on other legs.
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=30000000
data $size >"$T/in"
for which in 0 1; do
	rx r heartbeat 3 >"$T/out"
	proxy p r
	source_of $size rate=30000000 hold="15000000:$T/go" |
	    tx t p threads 3 heartbeat 3 window 8M
	arrived "$T/out" 8000000
	ask p blackhole both $which
	: >"$T/go"
	ended t 0 12
	ended r 0
	same "$T/in" "$T/out"
	signal p TERM
	rm "$T/go"
done
