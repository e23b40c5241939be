#!/bin/sh
# Goal: Whatever fails, the command gets SIGTERM before its input ends, so that it
# cannot take a cut stream for a complete one, and nothing of it is left.
# promise: DESCRIPTION, SIGNALS
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"

# Says what it met first, and who it is; the reader is a child in its group.
cat >"$T/consumer" <<'END'
trap 'echo told >&2; exit 9' TERM
exec 3<&0
cat <&3 >"$1" &
echo "pids $$ $!" >&2
wait $! && echo 'end of file' >&2
END
# The same, and it does not let itself be told.
cat >"$T/stubborn" <<'END'
trap '' TERM
echo "pids $$ $$" >&2
cat >"$1"
echo 'end of file' >&2
END

# `begun NAME`: it has half of the stream.
begun()
{
	rm -f "$T/out"
	rx r timeout 3 heartbeat 3 exec sh "$T/$1" "$T/out"
	source_of $size hold="1000000:$T/never" | tx t r timeout 3 heartbeat 3
	arrived "$T/out" 900000
	told r '^pids'
	pids=$(sed -n 's/^pids //p' "$T/r.err")
}

gone()
{
	for pid in $pids; do
		! kill -0 "$pid" 2>/dev/null || fail "$pid is left"
	done
	begins "$T/out" "$T/in"
	stop src
}

# It hears of it before anything else.
heard()
{
	told r '^told$'
	never_said r 'end of file'
	gone
}

for signal in INT TERM HUP; do
	begun consumer
	signal t $signal
	ended t any 5
	ended r 1 5
	heard
	begun consumer
	signal r $signal
	ended r any 5
	case $ENDED in signal:*) ;; *) fail "rx ended by $ENDED" ;; esac
	ended t 1 5
	heard
done

# tx is killed.
begun consumer
signal t KILL
ended t signal:9
ended r 4 15
heard

# The receiver's own verdict: the network is gone for longer than the timeout.
rm -f "$T/out"
rx r timeout 3 heartbeat 3 exec sh "$T/consumer" "$T/out"
proxy p r
source_of $size hold="1000000:$T/never" | tx t p timeout 3 heartbeat 3
arrived "$T/out" 900000
told r '^pids'
pids=$(sed -n 's/^pids //p' "$T/r.err")
ask p accept refuse
ask p reset both all
ended r 4 15
ended t 4 15
heard

# One that will not go has five seconds; or a second signal.
begun stubborn
signal r TERM
let_pass 2
must_run r
# shellcheck disable=SC2086
kill -0 $pids || fail 'it had no time'
ended r signal:15 8
never_said r 'end of file'
gone
begun stubborn
signal r TERM
let_pass 0.5
must_run r
signal r TERM
ended r signal:15 2
never_said r 'end of file'
gone

# Not begun, not told.
rx r exec sh "$T/consumer" "$T/none"
signal r INT
ended r signal:2 5
never_said r 'pids'
[ ! -e "$T/none" ] || fail 'it was begun'
