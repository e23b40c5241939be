#!/bin/sh
# Goal: fault 6 with real packets. One direction swallows everything while the
# other works, on one path or on all: both sides find out and go on elsewhere, or
# when it is back.
# waits
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 20M/20ms,20M/20ms

size=14000000
data $size >"$T/in"
for way in ab ba; do
	for which in 0 1 all; do
		echo "path $which $way"
		lab_rx r heartbeat 3 >"$T/out"
		lab_tx t r '0 1' heartbeat 3 window 4M <"$T/in"
		arrived "$T/out" 2500000
		wan path $which $way cut
		if [ $which = all ]; then
			told t 'no leg is up' 12
			before=$(size_of "$T/out")
			[ "$before" -lt $size ] || fail "nothing was silent"
			wan path all both heal
		fi
		exact 20
		if [ $which = all ]; then
			fired 0 $way drop_cut
			fired 1 $way drop_cut
		else
			never_said t 'no leg is up'
			fired $which $way drop_cut
			wan path $which both heal
		fi
	done
done
