#!/bin/sh
# Goal: When the consumer goes away, while data flows or while none does, rx notices
# within 2 s, and both sides end with status 1 and say why.
# promise: EXIT STATUS 1
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

for kind in pipe socket; do
	out=
	[ $kind = pipe ] || out=out=socket

	# While data flows.
	# shellcheck disable=SC2086
	start r $out "$V" rx 0 | start sink sh -c 'head -c 100000 >/dev/null'
	told r 'listening on'
	source_of 50000000 rate=20000000 | tx t r
	ended r 1 4
	ended t 1 4
	told r 'standard output'
	told t 'standard output'
	ended src any 5

	# While none does: something was delivered, and the source is silent.
	# shellcheck disable=SC2086
	start r $out "$V" rx 0 |
	    start sink "$PY" -IS "$TESTS/t_echo.py" sink "$T/seen.$kind"
	told r 'listening on'
	source_of 50000 hold="20000:$T/never" | tx t r
	arrived "$T/seen.$kind" 20000
	signal sink KILL
	ended r 1 2
	ended t 1 4
	told r 'standard output'
	told t 'standard output'
	stop src

	# Before anything was ever sent.
	# shellcheck disable=SC2086
	start r $out "$V" rx 0 | start sink sleep 60
	told r 'listening on'
	source_of 50000 hold="0:$T/never" | tx t r
	within 5 has_legs t 1 || fail "no leg is up"
	signal sink KILL
	ended r 1 2
	ended t 1 4
	told t 'standard output'
	stop src
done
