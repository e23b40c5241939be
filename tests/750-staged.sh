#!/bin/sh
# Goal: With checks, a payload that goes to a pipe waits in staging pipes for its
# check and is not copied. It is exact while the consumer takes its time, payloads are
# changed on the network path and in rx, and legs are reset in the middle of a frame;
# and if a frame stops in the middle while another leg brings it, or comes in pieces
# so small that the pipes cannot hold it.
# promise: OPTIONS checksum, OPTIONS key
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=30000000
data $size >"$T/in"

# A consumer that pauses, frames that are spoilt, and resets.
rx r chaos 23:corrupt,reset,short:"$SEED" | start sink cat >"$T/out"
proxy p r
source_of $size rate=30000000 | tx t p checksum legs 4 frame 64k chaos 29:corrupt:"$SEED"
for mark in 1 2 3; do
	arrived "$T/out" $((mark * 5000000)) 20
	signal sink STOP
	let_pass 0.3
	signal sink CONT
	ask_if p reset both random || :
done
ended t 0 30
ended r 0
ended sink 0
same "$T/in" "$T/out"
told r 'check is wrong'
signal p TERM

# What no sender of ours does at will.
data 240000 >"$T/in"
rx r heartbeat 300 verbose 4 | start sink cat >"$T/out"
start peer "$PY" -IS "$TESTS/t_peer.py" sluice "$(port r)" "$SEED"
ended peer 0 40
ended r 0
ended sink 0
same "$T/in" "$T/out"
told r 'check is wrong'
