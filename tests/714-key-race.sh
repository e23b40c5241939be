#!/bin/sh
# Goal: Two senders with the key are both welcome before either has confirmed. The first
# that does has the receiver; the other is told that it is busy, as one that came later.
# promise: EXIT STATUS 3, OPTIONS key
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=5000000
data $size >"$T/in"
(umask 077 && head -c 32 /dev/urandom >"$T/key")
rx r key "$T/key" >"$T/out"
proxy p r
# All of its HELLO passes, and nothing after that.
ask p at up new 172 stall
start loser "$V" tx 127.0.0.1 "$(port p)" key "$T/key" legs 1 verbose 4 <"$T/in"
told loser 'leg 0 up'
source_of $size hold="$((size - 1)):$T/go" | start t "$V" tx 127.0.0.1 "$(port r)" key "$T/key"
arrived "$T/out" $((size - 1))
ask p forget
ask p resume up all
ended loser 3
told loser 'refused by .* busy'
: >"$T/go"
ended t 0
ended r 0
same "$T/in" "$T/out"
