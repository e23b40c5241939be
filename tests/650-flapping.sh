#!/bin/sh
# Goal: Legs that come and go a hundred times are reported in a bounded number of
# lines on both sides, with the rest summed up, and the counters are right.
# promise: DIAGNOSTICS
# waits
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=60000000
data $size >"$T/in"
rx r verbose 2 heartbeat 3 report "$T/r.json" >"$T/out"
proxy p r
source_of $size rate=6000000 hold="$((size - 1)):$T/go" |
    tx t p legs 4 verbose 2 heartbeat 3 report "$T/t.json"
arrived "$T/out" 100000
n=0
while is_running t && [ $n -lt 120 ]; do
	ask_if p reset both all || :
	n=$((n + 1))
	sleep 0.06
done
# So that the last loss is long before the end, when all legs go down, and are not lost.
within 20 has_legs t 4 || fail "not all legs are up again"
let_pass 2
: >"$T/go"
ended t 0 60
ended r 0
same "$T/in" "$T/out"
for side in t r; do
	lines=$(wc -l <"$T/$side.err")
	# Per kind of event three lines in ten seconds, a sum, and the end.
	read -r _ _ _ took <"$T/$side.end"
	most=$((20 + (${took%.*} / 10 + 1) * 25))
	[ "$lines" -le $most ] || fail "$side: $lines lines, more than $most"
	told $side 'legs lost: and [0-9]* more like it in [0-9]* s'
	losses=$(sed -n 's/.*"event":"end".*"losses":\([0-9]*\).*/\1/p' "$T/$side.json")
	[ "$losses" -ge 20 ] || fail "$side: only $losses losses were counted"
	told $side " $losses losses survived"
	"$PY" -IS "$TESTS/t_report.py" "$T/$side.json" \
	    "end['losses'] == sum(e['state'] == 'down' for e in of('leg')
	        if e['elapsed'] < end['elapsed'] - 1) or end['left_out'] > 0" \
	    "end['outages'] == len(of('outage'))" ||
	    fail "the report of $side"
done
"$PY" -IS "$TESTS/t_report.py" "$T/t.json" "end['resent'] >= 1" || fail 'nothing was resent'
