#!/bin/sh
# Goal: Level by level, verbose prints what the manual says and nothing beyond it;
# times from 3 up; the stream is never touched.
# promise: OPTIONS verbose
# waits
# limit: 120
# takes: 30
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"
lines()
{
	grep -c -E -e "$2" "$T/$1.err" || :
}
# `tells LEVEL FROM SIDE REGEXP`: from that level on, and not below.
tells()
{
	n=$(lines "$3" "$4")
	if [ "$1" -ge "$2" ]; then
		[ "$n" -ge 1 ] || fail "verbose $1: $3 does not tell $4"
	else
		[ "$n" = 0 ] || fail "verbose $1: $3 tells $4"
	fi
}
for level in 0 1 2 3 4 5 6 9 10 20; do
	rx r verbose $level heartbeat 3 >"$T/out"
	proxy p r
	source_of $size rate=3000000 hold="1000000:$T/go" |
	    tx t p verbose $level legs 1 heartbeat 3
	arrived "$T/out" 1000000
	ask p reset both all
	within 10 has_legs t 1 || fail 'no leg'
	: >"$T/go"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
	signal p TERM
	rm "$T/go"
	tells $level 1 t 'leg [0-9]* to .* lost: '
	tells $level 1 r 'leg [0-9]* to .* lost: '
	tells $level 1 t 'no leg is up'
	tells $level 1 t 'going on after'
	tells $level 2 t 'takes the stream'
	tells $level 2 t ": (....-..-..T.*Z )?sent $size bytes"
	tells $level 2 r ": (....-..-..T.*Z )?received $size bytes"
	tells $level 3 t 'session contact -> running'
	tells $level 3 t 'session running -> suspended'
	tells $level 4 t 'leg [0-9]* up: '
	tells $level 4 r 'leg [0-9]* down: '
	tells $level 6 t 'leg [0-9]* dialling -> greeting'
	tells $level 10 t 'leg [0-9]*: > DATA seq [0-9]* length [0-9]*'
	tells $level 10 r 'leg [0-9]*: < DATA seq [0-9]* length [0-9]*'
	tells $level 3 t '^viamillipede: ....-..-..T..:..:..\....Z '
	[ $level -lt 3 ] || [ "$(grep -v -c 'Z ' "$T/t.err")" = 0 ] || fail 'a line without time'
	[ "$(grep -c -v '^viamillipede: ' "$T/t.err")" = 0 ] || fail 'not a message'
	[ $level -gt 0 ] || [ ! -s "$T/t.err" ] || fail 'verbose 0 tells something'
done
