#!/bin/sh
# Goal: fault 5 with real packets. Two paths are silent for 12 s; when they
# return, data flows within 2 s, and one line tells of the beginning of the
# outage, one of its end.
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 40M/30ms,20M/60ms

size=40000000
data $size >"$T/in"
lab_rx r heartbeat 3 >"$T/out"
lab_tx t r '0 1' heartbeat 3 <"$T/in"
arrived "$T/out" 4000000
wan path all both cut
let_pass 12
must_run t
must_run r
for path in 0 1; do
	fired $path ab drop_cut
done
before=$(size_of "$T/out")
[ "$before" -lt $size ] || fail "nothing was silent"
wan path all both heal
arrived "$T/out" $((before + 500000)) 3
exact 20
for side in t r; do
	for line in 'no leg is up' 'going on after'; do
		[ "$(grep -c -e "$line" "$T/$side.err")" = 1 ] ||
		    fail "$side: not one line for one outage: $line"
	done
	[ "$(wc -l <"$T/$side.err")" -le 40 ] || fail "$side floods the log"
done
