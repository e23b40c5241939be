#!/bin/sh
# Goal: Offsets beyond 32 bits: more than 4 GiB arrive with the same SHA-256, with
# checksum and without.
# limit: 600
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"
need openssl

size=$((4294967296 + 12345677))
want=$(data $size | openssl dgst -sha256 -r)

for words in '' checksum; do
	rx r | start sink openssl dgst -sha256 -r >"$T/sum"
	# shellcheck disable=SC2086
	data $size | tx t r $words
	ended t 0 300
	ended r 0
	ended sink 0
	[ "$(cat "$T/sum")" = "$want" ] || fail "'$words': not the same"
done
