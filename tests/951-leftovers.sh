#!/bin/sh
# Goal: What a command leaves behind does not concern the program: its orphans are
# reaped, not kept as zombies; a signal after the success harms neither them nor the
# status; a source whose output somebody holds open is waited for, and a message says
# so. The command's signals are as the manual says.
# promise: DESCRIPTION, OPTIONS source
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=1000000
data $size >"$T/in"

# --- orphans --------------------------------------------------------------------

rx r exec "i=0; while [ \$i -lt 300 ]; do (: &); i=\$((i + 1)); done; touch '$T/made'
    cat >'$T/out'"
source_of $size hold="$size:$T/go" | tx t r
within 20 test -e "$T/made" || fail "the command does not come so far"
let_pass 0.5
zombies=$(cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/.*) Z \([0-9]*\) .*/\1/p' |
    grep -c -x "$(pid r)") || :
[ "$zombies" -le 1 ] || fail "$zombies zombies"
: >"$T/go"
ended t 0
ended r 0

# --- a signal after the success ---------------------------------------------------

rm "$T/go"
rx r linger 30 heartbeat 20 exec "cat >'$T/out'; sleep 60 & echo \$! >'$T/daemon'"
proxy p r
source_of $size hold="$size:$T/go" | tx t p legs 3 heartbeat 20
arrived "$T/out" $size
let_pass 2			# until that was acknowledged, on whatever leg
ask p accept silence		# whoever comes later would hear all and answer
ask p stall down all
: >"$T/go"
within 10 test -s "$T/daemon" || fail "the command does not end"
let_pass 1
ask p blackhole up all
ask p resume down all
ended t 0 8
must_run r
signal r TERM
ended r 0 5
kill "$(cat "$T/daemon")" || fail "what a successful command left was killed"
stop p

# --- signals ----------------------------------------------------------------------

start r sh -c "trap '' HUP USR1 PIPE TERM CHLD
    exec '$V' rx 0 exec 'grep -E \"^Sig(Blk|Ign)\" /proc/self/status >\"$T/signals\"; cat'" \
    >"$T/out"
told r "listening on .*:[0-9][0-9]*$" 20
tx t r <"$T/in"
ended t 0
ended r 0
blocked=$(sed -n 's/^SigBlk:[^0-9a-f]*//p' "$T/signals")
ignored=$(sed -n 's/^SigIgn:[^0-9a-f]*//p' "$T/signals")
# From 32 on they are the C library's own.
[ $((0x$blocked)) -eq 0 ] || fail "signals: $(cat "$T/signals")"
[ $((0x$ignored & 0x7fffffff)) -eq 1 ] || fail "signals: $(cat "$T/signals")"

# --- a source that is held --------------------------------------------------------

rx r >"$T/out"
start t "$V" tx 127.0.0.1 "$(port r)" verbose 2 source "echo x; sleep 8 &"
told t 'the command runs as process [1-9]'
told t 'a process that it started holds its output open' 8
must_run t
ended t 0 6
ended r 0
