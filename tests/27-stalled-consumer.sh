#!/bin/sh
# Goal: the consumer stalls for longer than two heartbeats. That stalls the
# source and nothing else: no leg dies, neither side has more memory than the
# window and 16 MiB, and then all goes on and ends exactly.
# waits
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=100000000
data $size >"$T/in"
window_kib=$((8 * 1024))

for words in '' checksum; do
	rx r window 8M heartbeat 3 verbose 4 |
	    start sink cat >"$T/out"
	arrived "$T/out" 0
	# shellcheck disable=SC2086
	source_of $size rate=50000000 | tx t r window 8M heartbeat 3 threads 4 verbose 4 $words
	arrived "$T/out" 20000000
	signal sink STOP
	let_pass 0.5
	before=$(legs t)
	let_pass 7.5
	after=$(legs t)
	for leg in $before; do
		echo "$after" | grep -q -x -e "$leg" ||
		    fail "leg from port $leg died of a stalled consumer"
	done
	must_run t
	must_run r
	[ "$(size_of "$T/out")" -lt $size ] || fail "nothing was stalled"
	signal sink CONT
	ended t 0
	ended r 0
	ended sink 0
	same "$T/in" "$T/out"
	for side in t r; do
		kib=$(peak_kib $side)
		echo "$side $words: $kib KiB at most"
		memory_is_honest || continue
		[ "$kib" -le $((window_kib + 16 * 1024)) ] ||
		    fail "$side had $kib KiB, the window is $window_kib KiB"
	done
	rm -f "$T/out"
done
