#!/bin/sh
# Goal: The consumer stalls for longer than two heartbeats. That stalls the source and
# nothing else: no leg dies, neither side uses more memory than the window and 16 MiB,
# and then the stream goes on and ends exactly.
# promise: DESCRIPTION, OPTIONS window
# waits
# takes: 35
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=100000000
data $size >"$T/in"
window_kib=$((8 * 1024))

small()
{
	for side in t r; do
		kib=$(peak_kib $side)
		echo "$side $1: $kib KiB at most"
		memory_is_honest || continue
		# The program itself, with its ciphers, is one of these.
		[ "$kib" -le $((window_kib + 17 * 1024)) ] ||
		    fail "$side had $kib KiB, the window is $window_kib KiB"
	done
}

for words in '' checksum; do
	rx r window 8M heartbeat 3 verbose 4 |
	    start sink cat >"$T/out"
	arrived "$T/out" 0
	# shellcheck disable=SC2086
	source_of $size rate=50000000 | tx t r window 8M heartbeat 3 legs 4 verbose 4 $words
	arrived "$T/out" 20000000
	signal sink STOP
	let_pass 8
	# One too many from the start may be closed, as it is not needed.
	never_said t 'leg .* lost: '
	never_said r 'leg .* lost: '
	must_run t
	must_run r
	[ "$(size_of "$T/out")" -lt $size ] || fail "nothing was stalled"
	signal sink CONT
	ended t 0
	ended r 0
	ended sink 0
	same "$T/in" "$T/out"
	small "$words"
	rm -f "$T/out"
done

# What takes most: many legs, large frames, legs that are lost in the middle of
# frames and come again, and a consumer that stops again and again.
(umask 077 && head -c 32 /dev/urandom >"$T/key")
stops='import os, time
n = 0
while True:
    some = os.read(0, 65536)
    if not some: break
    os.write(1, some)
    if (n + len(some)) // 16000000 > n // 16000000: time.sleep(0.5)
    n += len(some)'
for words in 'checksum legs 64 chaos 20:close' "legs 16 key $T/key"; do
	key=
	case $words in
	*key*)	key="key $T/key" ;;
	esac
	# shellcheck disable=SC2086
	rx r window 8M heartbeat 3 $key | start sink "$PY" -IS -c "$stops" >"$T/out"
	# shellcheck disable=SC2086
	tx t r window 8M heartbeat 3 $words <"$T/in"
	ended t 0 40
	ended r 0
	ended sink 0
	same "$T/in" "$T/out"
	small "$words"
done
