#!/bin/sh
# Goal: Every 250 ms a random leg is reset, closed, or left half open, and the stream
# is exact.
# promise: DESCRIPTION
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=40000000
data $size >"$T/in"
rx r heartbeat 3 >"$T/out"
proxy p r
ask p rate up new 4M
source_of $size hold="39999999:$T/go" |
    tx t p legs 6 heartbeat 3 checksum
arrived "$T/out" 1
kills=0
for _ in 1 2 3 4; do
	for injury in 'reset both' 'reset up' 'cut both' 'reset down' 'cut up'; do
		let_pass 0.25
		within 10 ask_if p "$injury random" || fail "no leg after $kills"
		kills=$((kills + 1))
	done
done
: >"$T/go"
ended t 0 20
ended r 0
same "$T/in" "$T/out"
