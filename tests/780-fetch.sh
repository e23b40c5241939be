#!/bin/sh
# Goal: The receiver may be the side that calls: `offer` sends to whoever fetches. The
# bytes, the statuses, the reasons and the preference of paths are the same as the
# other way round, in whatever order the two are started.
# promise: EXIT STATUS 0, EXIT STATUS 1, EXIT STATUS 3, EXIT STATUS 6, OPTIONS fetch,
#          OPTIONS offer
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=20000000
data $size >"$T/in"

for words in '' checksum; do
	# shellcheck disable=SC2086
	offer o $words <"$T/in"
	fetch f o verbose 3 >"$T/out"
	ended f 0
	ended o 0
	same "$T/in" "$T/out"
	told f 'the sender at .* has the stream'
done
offer o </dev/null
fetch f o >"$T/out"
ended f 0
ended o 0
[ ! -s "$T/out" ] || fail "something out of nothing"

# Who fetches may be first.
free=$("$PY" -IS -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start f "$V" fetch 127.0.0.1 "$free" wait 20 >"$T/out"
told f 'cannot connect'
start o "$V" offer "$free" <"$T/in"
ended f 0
ended o 0
same "$T/in" "$T/out"

# Two that send, or two that receive, are no pair.
offer o <"$T/in"
echo x | start t "$V" tx 127.0.0.1 "$(port o)"
ended t 3
told t 'the roles of the two ends do not fit'
stop o
rx r >"$T/out"
fetch f r >"$T/out2"
ended f 3
told f 'the roles of the two ends do not fit'
stop r

# One at a time; but one that had got nothing yet makes room when it has been gone for 5 s.
source_of $size hold="0:$T/go" | offer o
fetch gone o verbose 4 >"$T/gone"
told gone 'leg 0 up'
fetch second o >"$T/second"
ended second 3
told second 'busy'
stop gone
told o 'no leg is up'
fetch second o >"$T/second"
ended second 3
told second 'busy.*no leg'
let_pass 5.1
fetch f o >"$T/out"
told o 'a session that brought nothing makes room for another'
: >"$T/go"
ended f 0
ended o 0
same "$T/in" "$T/out"

# Failure crosses the wire in both directions.
offer o <"$T/in"
fetch f o window 1M | start sink head -c 1000 >"$T/out"
ended f 1
ended o 1
told o 'the receiver reports: the reader of standard output has closed it'
source_of $size hold="5000000:$T/never" | offer o
fetch f o >"$T/out"
arrived "$T/out" 5000000
signal o TERM
ended o signal:15
ended f 1
told f 'the sender reports: ended by SIGTERM'

# With commands at both ends, each counts on both sides.
offer o source "cat $T/in; echo sent >&2" </dev/null
fetch f o exec "cat >$T/out; echo done" >"$T/said"
ended f 0
ended o 0
same "$T/in" "$T/out"
[ "$(cat "$T/said")" = "done" ] || fail "the consumer did not say what it says"
told o sent
offer o source "head -c 1000 $T/in; exit 3" </dev/null
fetch f o exec "cat >$T/out"
ended f 6
ended o 6
told f "the sender's command exited 3"
offer o source "cat $T/in" </dev/null
fetch f o exec "head -c 1000 >$T/out; echo full >&2; exit 4"
ended f 6
ended o 6
told o "the receiver's command exited 4"
told o "the receiver's command: full"
