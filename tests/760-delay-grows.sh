#!/bin/sh
# Goal: The round trip of a path becomes thirty times as long during a transfer, as
# when a route changes. The bytes in flight on a leg follow, so that the rate comes
# back, and neither legs nor bytes are lost.
# promise: DESCRIPTION
# waits
# takes: 40
# limit: 150
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 20M/10ms

size=60000000
data $size >"$T/in"
lab_rx r >"$T/out"
lab_tx t r 0 legs 1 <"$T/in"
arrived "$T/out" 10000000
wan path 0 both delay 150ms
before=$(size_of "$T/out")
[ "$before" -lt 20000000 ] || fail "too late"
# As it was the rest would need minutes; at the full rate it is 17 s, and the
# kernel's own congestion control needs 12 s to believe it.
arrived "$T/out" $size 60
exact 20
never_said t ' lost: '
