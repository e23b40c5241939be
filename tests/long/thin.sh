#!/bin/sh
# Goal: Thin links, in both directions or in one, carry the stream nearly as fast as
# one plain connection does, and no leg is taken for dead there.
# limit: 900
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 9600/200ms,33600/200ms,20M/60ms/ba.rate=64k,20M/60ms/ba.rate=128k,20M/60ms/ba.rate=256k

# `carry PATH SIZE SECONDS`: what a plain connection needs, without a lost packet, is
# two thirds of that.
carry()
{
	data "$2" >"$T/in"
	for _word in '' checksum; do
		lab_rx r >"$T/out"
		read_clock
		_began=$NOW
		# shellcheck disable=SC2086
		lab_tx t r "$1" $_word <"$T/in"
		exact "$3"
		read_clock
		echo "path $1 $_word: $((NOW - _began)) hundredths of a second"
		never_said t 'lost\|silent'
		never_said r 'lost\|silent'
	done
}
carry 0 20000 28
carry 1 200000 78
carry 2 10000000 38
carry 3 10000000 20
carry 4 10000000 10
