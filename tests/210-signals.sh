#!/bin/sh
# Goal: A SIGINT, SIGTERM, SIGHUP or SIGQUIT on either side, while data flows and
# while none does, ends that process by the signal itself within seconds, and the
# other side with status 1, naming the signal.
# promise: EXIT STATUS 1, SIGNALS
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

# Numbers are those of every system: HUP 1, INT 2, QUIT 3, TERM 15. QUIT dumps no core.
# shellcheck disable=SC3045
ulimit -c 0
for which in HUP:1 INT:2 QUIT:3 TERM:15; do
	name=${which%:*}
	number=${which#*:}
	for side in t r; do
		other=r
		[ $side = t ] || other=t
		for how in idle flowing; do
			rm -f "$T/out"
			rx r >"$T/out"
			if [ $how = idle ]; then
				source_of 100000 hold="60000:$T/never" | tx t r
				arrived "$T/out" 60000
			else
				source_of 900000000 rate=40000000 | tx t r
				arrived "$T/out" 1000000
			fi
			signal $side "$name"
			ended $side "signal:$number" 3
			ended $other 1 3
			told $other "SIG$name"
			stop src
		done
	done
done

# Before first contact there is nobody to tell.
rx r >"$T/out"
signal r TERM
ended r signal:15 2
data 10 | start t "$V" tx 127.0.0.1 "$(port r)"
told t 'refused'
signal t INT
ended t signal:2 2

# While everything is blocked: no consumer takes, no source gives.
rx r window 1M | start sink sleep 60
source_of 50000000 | tx t r
let_pass 0.5
signal t TERM
ended t signal:15 3
ended r 1 3
told r SIGTERM
