#!/bin/sh
# Goal: A byte is flipped on the network path and the TCP checksum corrected. With
# `checksum` the payload is sent again, reported and counted; a flipped header costs
# its leg with or without it.
# promise: OPTIONS checksum
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 40M/20ms,40M/20ms

size=24000000
data $size >"$T/in"
lab_rx r verbose 4 report "$T/report" >"$T/out"
lab_tx t r '0 1' checksum <"$T/in"
for mark in 1 2 3 4 5; do
	arrived "$T/out" $((mark * 3000000))
	wan path 0 ab corruptnext 1 1400
	wan path 1 ab corruptnext 1 1400
done
exact 30
fired 0 ab corrupted
told r 'check'
seen=$(reported "$T/report" corrupt)
echo "$seen payloads found corrupt"
[ "$seen" -ge 1 ] || fail "corruption is not counted"

# Nothing but headers and control frames goes from b to a.
lab_rx r heartbeat 3 >"$T/out"
lab_tx t r '0 1' heartbeat 3 verbose 4 <"$T/in"
for mark in 1 2 3; do
	arrived "$T/out" $((mark * 4000000))
	wan path all ba corruptnext 1
done
exact 30
fired 0 ba corrupted
told t 'check\|bad\|invalid\|malformed'
