#!/bin/sh
# Goal: `ssh HOST run COMMAND` is as ssh HOST COMMAND: input, output and error, each apart
# and complete, the command's exit status, and 255 with a line where there is none. What
# the command leaves unread, or that we still could say something, holds up nothing. A
# signal, or a reader that goes while there is more, ends it there, first by SIGHUP.
# promise: OPTIONS run, EXIT STATUS 255, EXIT STATUS 2
# waits
# takes: 35
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
sshd_begin 127.0.0.1
data 20000000 >"$T/in"
data 3000000 1 >"$T/errors"

# `says_only NAME FILE`: nothing but that is on its standard error.
says_only()
{
	cmp "$T/$1.err" "$2" || fail "$1 says something else: $(head -c 300 "$T/$1.err")"
}

# --- as ssh does ----------------------------------------------------------------

echo err >"$T/err"
for status in 0 3 77 255; do
	go c "echo out; echo err >&2; exit $status" </dev/null >"$T/out"
	ended c $status
	[ "$(cat "$T/out")" = out ] || fail "another output"
	says_only c "$T/err"
done
# Whichever end is done first.
for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
	go c 'cat >/dev/null; exit 9' </dev/null >"$T/out"
	ended c 9
done
for words in '' checksum tunnel 'window 1M legs 3'; do
	# shellcheck disable=SC2086
	go c cat $words <"$T/in" >"$T/out"
	ended c 0
	same "$T/in" "$T/out"
	says_only c /dev/null
done
go c 'tee /dev/stderr | sha1sum' <"$T/errors" >"$T/out"
ended c 0
sha1sum <"$T/errors" | cmp - "$T/out" || fail "another sum"
says_only c "$T/errors"
: >"$T/nothing"
go c cat <"$T/nothing" >"$T/out"
ended c 0
go c "kill -KILL \$\$" </dev/null >"$T/out"
ended c 255
go c 'exec no/such' </dev/null >"$T/out"
ended c 127
told c 'no/such'
{
	printf '%s' "printf %s '"
	# shellcheck disable=SC2016
	"$PY" -IS -c 'print("\"\\$x;&|\n\t*?" * 8000, end="")'
	printf "'"
} >"$T/command"
go c "$(cat "$T/command")" </dev/null >"$T/out"
ended c 0
sh "$T/command" | cmp - "$T/out" || fail "the command was changed on its way"

# --- who ends first -------------------------------------------------------------

# We could say something for ever.
mkfifo "$T/open"
exec 9<>"$T/open"
go c 'echo done; exit 5' <"$T/open" >"$T/out" 9>&-
ended c 5 10
exec 9>&-
# It does not read.
go c 'head -c 5; exec <&-; sleep 1; echo more' <"$T/in" >"$T/out"
ended c 0
[ "$(wc -c <"$T/out")" = 10 ] || fail "what came after it had closed its input is lost"
go c 'exit 9' <"$T/in" >"$T/out"
ended c 9
# It reads to the end before it says anything.
go c 'wc -c' <"$T/in" >"$T/out"
ended c 0
[ "$(tr -d ' ' <"$T/out")" = 20000000 ] || fail "the half-closed way back"
# It answers each line.
start c "$PY" -IS -c 'import subprocess, sys
c = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
for i in range(200):
    c.stdin.write(b"%d\n" % i); c.stdin.flush()
    assert c.stdout.readline() == b"<%d>\n" % i
c.stdin.close()
sys.exit(c.wait())' "$V" ssh there run "while read x; do echo \"<\$x>\"; done; exit 6" \
    ssh-command "$SSH" remote-program "$T/far"
ended c 6

# --- ends ------------------------------------------------------------------------

within 10 far_is_gone || fail "left: $(far LIST)"
trap='trap "echo hup >'$T'/hup; exit" HUP; echo ready; while :; do sleep 0.1; done'
go c "$trap" </dev/null >"$T/out"
arrived "$T/out" 1
signal c TERM
ended c signal:15
within 10 test -s "$T/hup" || fail "no SIGHUP there"
within 10 far_is_gone || fail "left: $(far LIST)"
go c 'cat /dev/zero' </dev/null | start sink head -c 1000 >"$T/out"
ended c 255
told c 'the reader of standard output has closed it'
within 10 far_is_gone || fail "left: $(far LIST)"
# One that goes with what it wanted: the status is still the command's.
go c "echo one; until [ -e $T/read ]; do sleep 0.1; done; sleep 2; exit 5" </dev/null |
    start sink head -n 1 >"$T/out"
ended sink 0
: >"$T/read"
ended c 5
[ "$(cat "$T/out")" = one ] || fail "a reader that goes got $(cat "$T/out")"
within 10 far_is_gone || fail "left: $(far LIST)"
go c 'echo ready; sleep 60' linger 1 </dev/null >"$T/out"
arrived "$T/out" 1
kill -KILL "$(far SERVE | awk 'NR == 1 { print $1 }')"
ended c 255 20
told c 'no path leads\|did not come back'

# --- failures of our own -----------------------------------------------------------

go c 'echo x' remote-program "$T/no/program" </dev/null >"$T/out"
ended c 2
start c "$V" ssh there run 'echo x' ssh-command "$SSH" remote-program "$T/no/program" </dev/null
ended c 255
told c 'no/program'
start c "$V" duplex 0 run 'echo x' </dev/null
ended c 2
told c 'run is of no use without ssh'
start c "$V" ssh there run a exec b </dev/null
ended c 2
told c 'excludes'
