#!/bin/sh
# Goal: A thousand random resets, ends of file and half-open legs in one transfer of
# random bytes. The seed is printed; TEST_SEED repeats it.
# limit: 900
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

size=600000000
want=$(data $size | openssl dgst -sha256 -r)
rx r heartbeat 3 | start sink openssl dgst -sha256 -r >"$T/sum"
proxy p r
source_of $size rate=8000000 hold="$((size - 1)):$T/go" |
    tx t p legs 8 heartbeat 3 checksum
told r 'listening'
within 10 has_legs t 2 || fail "no legs are up"
injured=0
while [ $injured -lt 1000 ]; do
	for injury in 'reset both' 'cut both' 'reset up' 'reset down' 'cut up'; do
		within 20 ask_if p "$injury random" || fail "no leg is up after $injured"
		injured=$((injured + 1))
		sleep 0.05
	done
done
must_run t
must_run r
: >"$T/go"
ended t 0 120
ended r 0 20
ended sink 0
[ "$(cat "$T/sum")" = "$want" ] || fail "not the same"
