#!/bin/sh
# Goal: All legs and all new connections are silent for 12 s (ten minutes in
# tests/long). When the network returns, data flows within 2 s, and the log has one
# line for the beginning of the outage and one for its end.
# promise: DESCRIPTION
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=40000000
data $size >"$T/in"
rx r heartbeat 3 >"$T/out"
proxy p r
source_of $size rate=4000000 | tx t p legs 4 heartbeat 3
arrived "$T/out" 4000000
ask p accept silence
ask p blackhole both all
let_pass 12
must_run t
must_run r
before=$(size_of "$T/out")
[ "$before" -lt $size ] || fail "nothing was silent"
ask p accept normal
arrived "$T/out" $((before + 1000000)) 3
ended t 0 20
ended r 0
same "$T/in" "$T/out"
for side in t r; do
	[ "$(wc -l <"$T/$side.err")" -le 40 ] || fail "$side floods the log"
done
