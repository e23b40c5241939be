#!/bin/sh
# Goal: Bytes are changed on the network path, with the TCP checksum corrected. With
# `checksum` the payload is sent again; a changed header costs the leg in any case.
# What is written is exact.
# promise: OPTIONS checksum
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=30000000
data $size >"$T/in"
rx r heartbeat 3 verbose 4 >"$T/out"
proxy p r
# So slow that each leg has to carry some of it.
ask p rate up total 12M
for where in '0 100k' '1 300k' '0 1M' '2 2M' '3 100k'; do
	# shellcheck disable=SC2086
	ask p corrupt up $where 1
done
tx t p checksum legs 4 heartbeat 3 <"$T/in"
ended t 0 30
ended r 0
same "$T/in" "$T/out"
corrupted=$(proxy_count p corrupted)
echo "$corrupted bytes corrupted"
[ "$corrupted" -ge 2 ] || fail "nothing was corrupted"
told r 'check'
signal p TERM

# Bytes 128 to 151 are the first header, in both directions; 0 to 127 the
# greeting.
for way in up down; do
	for offset in 5 60 126 128 140 150; do
		rx r heartbeat 3 >"$T/out"
		proxy p r
		ask p corrupt $way 0 $offset 4
		head -c 100000 "$T/in" >"$T/small"
		tx t p legs 2 heartbeat 3 <"$T/small"
		ended t 0 12
		ended r 0 12
		same "$T/small" "$T/out"
		signal p TERM
	done
done
