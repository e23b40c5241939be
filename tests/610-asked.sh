#!/bin/sh
# Goal: SIGUSR1 prints the table on either side, at once, in every state. A thousand
# signals a second change nothing about a transfer, and do not delay SIGTERM. SIGUSR2
# raises verbose, and after 20 it is 0.
# promise: SIGNALS
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

tables()
{
	grep -c '^viamillipede [tr]x: ' "$T/$1.err" || :
}

# Before first contact, at once after the start, too.
rx r >"$T/out"
signal r USR1
told r 'viamillipede rx: no contact yet'
# A signal that was there before the program was: its parent had blocked it.
early='import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
os.kill(os.getpid(), signal.SIGUSR1)
os.execv(sys.argv[1], sys.argv[1:])'
source_of 2000000 hold="1000000:$T/go" |
    start t "$PY" -IS -c "$early" "$V" tx 127.0.0.1 "$(port r)" size 4M
told t 'viamillipede tx: '
arrived "$T/out" 1000000
let_pass 2.2
signal t USR1
signal r USR1
told t 'viamillipede tx: waiting for source; .* of 4.00 MiB'
told r 'viamillipede rx: waiting for source; '
for side in t r; do
	told $side '^  window .* in use; [1-9] legs* up, 0 lost'
	told $side '^  waited for source .*; bottleneck: '
	told $side '^ *[0-9]* 127.0.0.1:[0-9]* *up  '
done
# The table is on standard error alone.
: >"$T/go"
ended t 0
ended r 0
data 2000000 >"$T/in"
same "$T/in" "$T/out"

# SIGUSR2: 1 .. 20, 0, 1.
rx r >"$T/out"
for level in 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 0 1; do
	signal r USR2
	told r "verbose $level\$"
done
signal r TERM
ended r signal:15 2

# A thousand a second, of both kinds.
size=60000000
data $size >"$T/in"
for kinds in USR1 USR2,USR1; do
	rx r >"$T/out"
	source_of $size rate=20000000 hold="$((size - 1)):$T/over" | tx t r
	arrived "$T/out" 100000
	"$PY" -IS "$TESTS/t_signals.py" 2000 $kinds "$(pid t)" "$(pid r)" >"$T/count"
	read -r sent seconds <"$T/count"
	[ "$sent" = 2000 ] || fail "only $sent signals were sent"
	: >"$T/over"
	ended t 0 40
	ended r 0
	same "$T/in" "$T/out"
	rm "$T/over"
	# Summed up: what takes two seconds is not a thousand tables.
	for side in t r; do
		n=$(tables $side)
		[ "$n" -ge 2 ] || fail "$side printed $n tables"
		[ "$n" -le $((10 + 7 * seconds)) ] || fail "$side printed $n tables"
	done
done

# SIGTERM among them, and standard error takes nothing.
rx r >"$T/out"
source_of 400000000 rate=20000000 |
    start t err=clogged "$V" tx 127.0.0.1 "$(port r)"
arrived "$T/out" 100000
"$PY" -IS "$TESTS/t_signals.py" 20000 USR1,USR2 "$(pid t)" >"$T/count" 2>"$T/hundred" &
within 10 test -s "$T/hundred" || fail 'signals were late'
signal t TERM
ended t signal:15 2
ended r 1 3
wait $!
read -r sent _ <"$T/count"
[ "$sent" -ge 100 ] || fail 'signals were late'
ended src any
