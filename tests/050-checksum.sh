#!/bin/sh
# Goal: 100 MB of random bytes arrive with the same SHA-256, with checksum and
# without, in a pipe and in a file.
# promise: EXIT STATUS 0, OPTIONS checksum
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

data 100000000 >"$T/in"
want=$(sum_of "$T/in")

for words in '' checksum checksums; do
	rx r | start sink openssl dgst -sha256 -r >"$T/sum"
	# shellcheck disable=SC2086
	tx t r $words <"$T/in"
	ended t 0
	ended r 0
	ended sink 0
	[ "$(cut -d' ' -f1 "$T/sum")" = "$want" ] ||
	    fail "into a pipe, '$words': not the same"
done
for words in '' checksum; do
	rx r >"$T/out"
	# shellcheck disable=SC2086
	tx t r $words <"$T/in"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
done
