#!/bin/sh
# Goal: However rx is killed, its command is ended before its input ends, so that it
# never takes a part of the stream for all of it. A command that ignores SIGTERM is
# killed five seconds later, and nothing of a command or its guardian is left. The
# command of a sender that is killed ends, too.
# promise: DESCRIPTION
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

"$PY" -B "$TESTS/t_killed.py" "$V" "$T" "$SEED" 20 || fail "killed"

size=3000000
gone()
{
	! kill -0 "-$(cat "$T/$1")" 2>/dev/null
}

rx stubborn exec "echo \$\$ >'$T/stubborn.group'; trap '' TERM; cat >'$T/out'; touch '$T/eof'"
source_of $size hold="2000000:$T/never" | tx t stubborn linger 1
arrived "$T/out" 2000000
signal stubborn KILL
let_pass 3
! gone stubborn.group || fail "it is gone without a trace"
within 5 gone stubborn.group || fail "it goes on"
[ ! -e "$T/eof" ] || fail "its input ended"
ended t 4
stop src
# Stopped, and in the middle of its pipeline.
rx stopped exec "echo \$\$ >'$T/stopped.group'; cat | cat >'$T/out2'; touch '$T/eof'"
source_of $size hold="2000000:$T/never" | tx t stopped linger 1
arrived "$T/out2" 2000000
kill -STOP "-$(cat "$T/stopped.group")"
signal stopped KILL
within 5 gone stopped.group || fail "what is stopped goes on"
[ ! -e "$T/eof" ] || fail "its input ended"
ended t 4
stop src

rx r linger 1 >"$T/out3"
start t "$V" tx 127.0.0.1 "$(port r)" \
    source "echo \$\$ >'$T/source.group'; while sleep 0.1; do echo x; done"
arrived "$T/out3" 2
signal t KILL
within 5 gone source.group || fail "the source goes on"
ended r 4
