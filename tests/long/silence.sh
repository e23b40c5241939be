#!/bin/sh
# Goal: Ten minutes of silence on every leg and on new connections; then data flows
# within 10 s. A suspended session uses no measurable CPU.
# limit: 800
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

size=40000000
data $size >"$T/in"
rx r >"$T/out"
proxy p r
source_of $size rate=4000000 | tx t p legs 16
arrived "$T/out" 4000000
ask p accept silence
ask p blackhole both all

# User and system time of a process, in hundredths of a second.
cpu()
{
	awk '{ print $14 + $15 }' "/proc/$(pid "$1")/stat"
}
let_pass 30
cpu_t=$(cpu t)
cpu_r=$(cpu r)
let_pass 570
must_run t
must_run r
cpu_t=$(($(cpu t) - cpu_t))
cpu_r=$(($(cpu r) - cpu_r))
echo "in 570 s: tx $cpu_t, rx $cpu_r hundredths of a second of CPU"
if [ "$cpu_t" -gt 300 ] || [ "$cpu_r" -gt 300 ]; then
	fail "a suspended session computes"
fi
before=$(size_of "$T/out")
ask p accept normal
arrived "$T/out" $((before + 1000000)) 10
ended t 0 60
ended r 0
same "$T/in" "$T/out"
