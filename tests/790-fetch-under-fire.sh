#!/bin/sh
# Goal: A receiver that calls survives what a sender that calls does: legs reset, all
# of them, silence, an outage, DONE and BYE lost. A dead path is left, and its legs go
# back later without a loss.
# promise: DESCRIPTION, OPTIONS fetch
# waits
# takes: 45
# limit: 150
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=20000000
data $size >"$T/in"

finish()
{
	ended f 0 30
	ended o 0 30
	same "$T/in" "$T/out"
	signal p TERM
}

for injury in 'reset both 1' 'reset both all' 'cut both all' 'blackhole both all' \
    'blackhole down all' 'blackhole up all'; do
	source_of $size hold="10000000:$T/go" | offer o heartbeat 3
	proxy p o
	fetch f p heartbeat 3 legs 4 >"$T/out"
	arrived "$T/out" 10000000
	ask p "$injury"
	: >"$T/go"
	finish
	rm "$T/go"
done

# An outage.
source_of $size rate=10000000 | offer o
proxy p o
fetch f p legs 4 >"$T/out"
arrived "$T/out" 3000000
ask p accept refuse
ask p reset both all
told f 'no leg is up'
told o 'no leg is up'
let_pass 2
ask p accept normal
told f 'going on after'
finish

# DONE on its way: the receiver says it again on its next connection.
source_of $size hold="$size:$T/go" | offer o heartbeat 3
proxy p o
fetch f p heartbeat 3 legs 3 >"$T/out"
arrived "$T/out" $size
ask p stall up all
: >"$T/go"
let_pass 0.5
must_run o
ask p reset both all
finish
rm "$T/go"

# BYE on its way: nobody is there any more, and all was written.
source_of $size hold="$size:$T/go" | offer o heartbeat 3
proxy p o
fetch f p heartbeat 3 legs 3 timeout 20 >"$T/out"
arrived "$T/out" $size
ask p stall down all
: >"$T/go"
ended o 0 10
ask p reset both all
finish
rm "$T/go"

# Two paths; the preferred one dies and comes back.
source_of 60000000 rate=8000000 hold="50000000:$T/go" | offer o verbose 4
data 60000000 >"$T/in"
proxy p o
start f "$V" fetch 127.0.0.1 "$(port p)" fetch 127.0.0.1 "$(port o)" legs 3 verbose 4 >"$T/out"
arrived "$T/out" 6000000
ask p accept refuse
ask p reset both all
told f 'leg [23] up: .*:'"$(port o) "
ask p accept normal
told f 'leg [23] down: it is not needed there any more' 20
told o 'leg [23] down: it is not needed there any more'
: >"$T/go"
ended f 0 20
ended o 0
same "$T/in" "$T/out"
never_said f 'leg [23] to .*:'"$(port o)"' lost'
