#!/bin/sh
# Goal: Every thread of either side has a name that begins with viamillipede, for top
# -H; the process keeps its name and its command line.
# promise: none
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

[ -r /proc/self/task/self/comm ] || [ -d /proc/self/task ] || skip 'needs /proc/PID/task'
rx r >"$T/out"
source_of 2000000 hold="1000000:$T/go" | tx t r legs 12
arrived "$T/out" 1000000
names()
{
	cat "/proc/$(pid "$1")/task/"*/comm | sort
}
name=$(basename "$V" | cut -c1-15)
for want in "$name" viamillipede-s viamillipede-m viamillipede-0 viamillipede-11 \
    viamillipede-r; do
	names t | grep -q -x "$want" || fail "tx has no $want: $(names t | tr '\n' ' ')"
done
for want in "$name" viamillipede-s viamillipede-m viamillipede-l viamillipede-0 \
    viamillipede-w; do
	names r | grep -q -x "$want" || fail "rx has no $want: $(names r | tr '\n' ' ')"
done
[ "$(names t | grep -v -x -e "$name" | grep -v -c '^viamillipede-')" = 0 ] || fail 'another name'
: >"$T/go"
ended t 0
ended r 0
