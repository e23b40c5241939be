#!/bin/sh
# Goal: On a terminal it is said once, at the start, that nothing is encrypted and nobody
# authenticated; not with a key, nor where only loopback addresses are used, nor to a
# file.
# promise: OPTIONS key
# waits
# limit: 60
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
own_network "has a network of its own"
(umask 077 && data 32 9 >"$T/key")

# `on_terminal WORD ...`: what the program says on one, in $T/said; how often the
# message is among it, in $TOLD.
on_terminal()
{
	"$PY" -IS -c 'import pty, sys
pty.spawn(sys.argv[1:])' "$V" "$@" </dev/null >"$T/said" 2>&1
	TOLD=$(grep -c 'not encrypted, not authenticated: see key' "$T/said") || :
}

told_so()
{
	on_terminal "$@"
	[ "$TOLD" = 1 ] || fail "$*: said $TOLD times"
}

not_told()
{
	on_terminal "$@"
	[ "$TOLD" = 0 ] || fail "$*: was said"
	grep -q viamillipede "$T/said" || fail "$*: said nothing at all"
}

told_so tx 192.0.2.1 1 wait 1
told_so tx 127.0.0.1 1 tx 192.0.2.1 1 wait 1
told_so rx 0 wait 1
told_so offer 0 bind 0.0.0.0 wait 1
not_told tx 127.0.0.1 1 wait 1
not_told fetch localhost 1 wait 1
not_told rx 0 bind ::1 wait 1
not_told rx 0 bind 127.0.0.1 wait 1
not_told tx 192.0.2.1 1 wait 1 key "$T/key"
not_told rx 0 wait 1 key "$T/key"
start t "$V" tx 192.0.2.1 1 wait 1 </dev/null
ended t 4
never_said t 'not encrypted'
