#!/bin/sh
# Goal: Everything was acknowledged as delivered, but the outcome is lost and the
# receiver is killed. That is neither a success nor a failure: after silence tx waits
# until nobody has listened there for `linger`, then ends with status 5.
# waits
# limit: 200
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

size=3000000
data $size >"$T/in"
rx r | start sink cat >"$T/out"
proxy p r
source_of $size hold="$size:$T/go" | tx t p legs 3 linger 90
arrived "$T/out" $size
let_pass 2			# until that was acknowledged, on whatever leg
ask p blackhole down all
: >"$T/go"
ended sink 0 5			# DONE is on its way, into nothing
ask p accept refuse
signal r KILL
same "$T/in" "$T/out"
let_pass 75
must_run t
ended t 5 40
told t 'confirm'
