#!/bin/sh
# Goal: Loss, reordering and duplicates in both directions change the speed and
# nothing else.
# promise: DESCRIPTION
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 40M/30ms/1%/reorder=0.05/duplicate=0.02,20M/60ms/2%/jitter=5ms

size=12000000
data $size >"$T/in"
lab_rx r >"$T/out"
lab_tx t r '0 1' legs 4 <"$T/in"
exact 40
for way in ab ba; do
	fired 0 $way drop_loss
	fired 0 $way reordered
	fired 0 $way duplicated
	fired 1 $way drop_loss
done
