#!/bin/sh
# Goal: BYE is swallowed. tx has the outcome and ends with status 0; rx keeps the
# outcome for a while (here, `timeout`), then ends with 0 as well.
# promise: EXIT STATUS 0, OPTIONS timeout
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"
rx r timeout 5 | start sink cat >"$T/out"
proxy p r
source_of $size hold="$size:$T/go" | tx t p legs 3
arrived "$T/out" $size
ask p stall down all
: >"$T/go"
ended sink 0 5
ask p blackhole up all
ask p accept silence
ask p resume down all
ended t 0 5
must_run r
ended r 0 15
same "$T/in" "$T/out"
