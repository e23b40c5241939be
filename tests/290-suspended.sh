#!/bin/sh
# Goal: tx, rx, or both are stopped for longer than the heartbeat, as when a machine
# is suspended, and then carry on exactly. If it is both, no leg is lost, even if it
# was hardly longer.
# promise: SIGNALS, OPTIONS heartbeat
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=20000000
data $size >"$T/in"
for who in t r both briefly; do
	rx r heartbeat 3 verbose 4 >"$T/out"
	source_of $size rate=20000000 hold="10000000:$T/go.$who" hold="19999999:$T/end.$who" |
	    tx t r heartbeat 3 legs 4 verbose 4
	arrived "$T/out" 5000000
	: >"$T/go.$who"
	for side in t r; do
		case $who in t | r) [ $who = $side ] || continue ;; esac
		signal $side STOP
	done
	case $who in briefly) let_pass 3.3 ;; *) let_pass 5 ;; esac
	for side in t r; do
		case $who in t | r) [ $who = $side ] || continue ;; esac
		signal $side CONT
	done
	arrived "$T/out" 19999999 10
	: >"$T/end.$who"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
	case $who in both | briefly)
		never_said t ' lost: '
		never_said r ' lost: ' ;;
	esac
	rm -f "$T/out"
done
