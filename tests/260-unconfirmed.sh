#!/bin/sh
# Goal: Everything was acknowledged as delivered, but the outcome is lost and the
# receiver is killed. That is neither a success nor a failure: tx waits for the
# confirmation (until nobody has listened there for `linger`, see tests/long, or for
# `timeout`), then ends with status 5.
# promise: EXIT STATUS 5, OPTIONS timeout
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"
rx r | start sink cat >"$T/out"
proxy p r
source_of $size hold="$size:$T/go" | tx t p legs 3 timeout 5
arrived "$T/out" $size
let_pass 2			# until that was acknowledged, on whatever leg
ask p blackhole down all
: >"$T/go"
ended sink 0 5			# DONE is on its way, into nothing
ask p accept refuse
signal r KILL
same "$T/in" "$T/out"
let_pass 3
must_run t
ended t 5 10
told t 'all was delivered, but no confirmation came for'
