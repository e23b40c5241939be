#!/bin/sh
# Goal: Three paths of 20, 10 and 3 Mbit/s with 20, 80 and 200 ms carry one stream
# together, exactly, at well over the rate of the best, and hardly a frame is sent
# twice for that.
# promise: DESCRIPTION
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 20M/20ms,10M/80ms,3M/200ms

size=40000000
data $size >"$T/in"
lab_rx r >"$T/out"
lab_tx t r '0 1 2' report "$T/report" <"$T/in"
arrived "$T/out" 8000000
read_clock
began=$NOW
arrived "$T/out" 32000000
read_clock
rate=$((24000000 * 8 / 10 / (NOW - began + 1)))	# kbit/s
echo "$rate of 33000 kbit/s"
exact 20
for path in 0 1 2; do
	fired $path ab out_bytes 1000000
done
never_said t 'lost'
again=$(reported "$T/report" resent_bytes)
echo "$again bytes were sent twice"
[ "${TEST_SLOW:-1}" -gt 1 ] || [ "$again" -le $((size / 10)) ] || fail "too much was sent twice: $again"
# A program made slow by what watches it is not judged by its speed.
[ "${TEST_SLOW:-1}" -gt 1 ] || [ $rate -ge 22000 ] || fail "no faster than one path"
