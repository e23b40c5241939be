#!/bin/sh
# Goal: fault 4 with real packets. One of two paths swallows everything: its legs
# are dead after `heartbeat`, the stream goes on over the other, and the path is
# used again when it answers.
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 20M/20ms,20M/20ms

size=30000000
data $size >"$T/in"
for which in 0 1; do
	lab_rx r heartbeat 3 >"$T/out"
	source_of $size hold="$size:$T/go.$which" |
	    lab_tx t r '0 1' heartbeat 3 window 4M
	used=$(wan_count $which ab out_bytes)
	within 10 carried $which ab $((used + 2000000)) || fail "path $which is idle"
	wan "path $which both cut"
	told t 'silent' 8
	told r 'silent' 8
	before=$(size_of "$T/out")
	arrived "$T/out" $((before + 4000000)) 5
	fired $which ab drop_cut
	used=$(wan_count $which ab out_bytes)
	wan "path $which both heal"
	within 15 carried $which ab $((used + 2000000)) ||
	    fail "path $which is not used again"
	: >"$T/go.$which"
	exact 20
done
