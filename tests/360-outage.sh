#!/bin/sh
# Goal: An outage longer than `timeout` ends both sides with status 4 and a reason,
# even if connections can still be made and greeted but carry nothing. The consumer
# gets its end of file.
# promise: EXIT STATUS 4, OPTIONS timeout
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=20000000
data $size >"$T/in"
for kind in silence refuse hangup greeted; do
	rx r.$kind heartbeat 3 | start sink.$kind cat >"$T/out.$kind"
	proxy p.$kind r.$kind
	start src.$kind "$SOURCE" $size "$SEED" \
	    rate=20000000 hold="10000000:$T/go" |
	    tx t.$kind p.$kind legs 3 heartbeat 3 timeout 6
done
for kind in silence refuse hangup greeted; do
	arrived "$T/out.$kind" 6000000
	if [ $kind = greeted ]; then
		# HELLO and WELCOME pass, and not an byte more.
		ask p.$kind at up new 128 blackhole
		ask p.$kind at down new 128 blackhole
	else
		ask p.$kind accept $kind
	fi
	ask p.$kind blackhole both all
done
: >"$T/go"
let_pass 2
for kind in silence refuse hangup greeted; do
	must_run t.$kind
	must_run r.$kind
done
for kind in silence refuse hangup greeted; do
	ended t.$kind 4 10
	told t.$kind 'progress'
	# It keeps its verdict for a while, for a tx that might come back.
	ended r.$kind 4 12
	told r.$kind 'progress'
	ended sink.$kind 0
	begins "$T/out.$kind" "$T/in"
done
