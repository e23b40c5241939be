#!/bin/sh
# Goal: Frames arrive twice: a path stalls with frames in flight, they are sent again
# on the other one, and then the first recovers and brings them, too. (Doubled packets
# never reach the program, because TCP drops them.)
# promise: DESCRIPTION
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 20M/20ms,20M/20ms/queue=1M

size=24000000
data $size >"$T/in"
lab_rx r >"$T/out"
lab_tx t r '0 1' legs 4 window 4M report "$T/report" <"$T/in"
for mark in 1 2 3 4; do
	arrived "$T/out" $((mark * 4000000))
	# What is queued there waits for a while; nothing is lost.
	wan path 1 ab rate 40k
	before=$(size_of "$T/out")
	arrived "$T/out" $((before + 1500000)) 5
	wan path 1 ab rate 20M
done
exact 20
# No leg was lost: what was sent again was sent beside the first copy.
never_said t 'lost\|silent'
again=$(reported "$T/report" resent_bytes)
echo "$again bytes were sent twice"
[ "$again" -gt 0 ] || fail "nothing was doubled"
