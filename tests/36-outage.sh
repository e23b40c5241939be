#!/bin/sh
# Goal: fault 7. An outage that is longer than `timeout` ends both sides with
# status 4 and a reason, also when connections can still be made and greeted
# but carry nothing.
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=20000000
data $size >"$T/in"
for kind in silence refuse hangup greeted; do
	rx r heartbeat 3 | start sink cat >"$T/out"
	proxy p r
	source_of $size rate=20000000 hold="10000000:$T/go" |
	    tx t p threads 3 heartbeat 3 timeout 6
	arrived "$T/out" 6000000
	if [ $kind = greeted ]; then
		# HELLO and WELCOME pass, and not an octet more.
		ask p at up new 128 blackhole
		ask p at down new 128 blackhole
	else
		ask p accept $kind
	fi
	ask p blackhole both all
	: >"$T/go"
	let_pass 4
	must_run t
	must_run r
	ended t 4 10
	ended r 4 10
	ended sink 0
	told t '.'
	told r '.'
	begins "$T/out" "$T/in"
	signal p TERM
	rm "$T/go"
done
