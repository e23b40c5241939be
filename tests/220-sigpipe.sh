#!/bin/sh
# Goal: SIGPIPE never kills the program: not if it is sent by kill, not by a standard
# error that nobody reads, not by a consumer that has gone.
# promise: SIGNALS
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=20000000
data $size >"$T/in"
rx r verbose 20 >"$T/out"
source_of $size hold="9999999:$T/go" | tx t r
arrived "$T/out" 9999999
for _ in 1 2 3; do
	signal t PIPE
	signal r PIPE
done
: >"$T/go"
ended t 0
ended r 0
same "$T/in" "$T/out"

# Nobody reads what they say.
start r err=broken "$V" rx 0 verbose 20 >"$T/out"
within 10 listens r || fail "rx does not listen"
start t err=broken "$V" tx 127.0.0.1 "$PORT" verbose 20 <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"

# Nobody reads what they say, and it is blocked, not broken: the stream goes on.
start r err=clogged "$V" rx 0 verbose 20 >"$T/out"
within 10 listens r || fail "rx does not listen"
start t err=clogged "$V" tx 127.0.0.1 "$PORT" verbose 20 <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"
