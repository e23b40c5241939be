#!/bin/sh
# Goal: With a key, what was recorded of a sender is of no use at another receiver,
# nor at the same one, in whole or cut at any byte; it starts nothing; an impostor gets nothing of the stream; only a proven refusal
# ends a session.
# promise: OPTIONS key, SECURITY CONSIDERATIONS
# waits
# takes: 40
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

umask 077
data 32 9 >"$T/key"
data 32 10 >"$T/other"
umask 022
size=6000000
data $size >"$T/in"

# A whole connection, from HELLO to what was sent last.
rx r key "$T/key" | start sink cat >"$T/out"
start m "$PY" -B "$TESTS/t_mitm.py" record "$(port r)" "$T/said"
told m 'listening on'
source_of $size hold="$size:$T/go" | tx t m key "$T/key" legs 1 heartbeat 300
arrived "$T/out" $size
has_bytes "$T/said" $size || fail "only $(size_of "$T/said") bytes were recorded"

# At the receiver that it was said to, while that session stands.
start again "$PY" -B "$TESTS/t_mitm.py" replay "$(port r)" "$T/said"
ended again 0
told again '^answered: ANSWER$'
told r 'refused .*a newer incarnation of this leg is in place'
must_run t
start cut "$PY" -B "$TESTS/t_mitm.py" cut "$(port r)" "$T/said"
ended cut 0 60
must_run t

: >"$T/go"
ended t 0
ended r 0
ended sink 0
same "$T/in" "$T/out"

# At one that waits for its first sender, who then comes: only that starts anything.
# shellcheck disable=SC2016
rx r key "$T/key" exec sh -c 'echo ran >>"$T/ran"; exec cat >"$T/out2"' >"$T/out"
start again "$PY" -B "$TESTS/t_mitm.py" replay "$(port r)" "$T/said"
ended again 0
told again '^answered: ANSWER$'
told r 'turned away .*its HELLO was an old one'
start cut "$PY" -B "$TESTS/t_mitm.py" cut "$(port r)" "$T/said"
ended cut 0 60
[ ! -e "$T/ran" ] || fail "what was recorded has started the command"
tx t r key "$T/key" <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out2"
[ "$(grep -c . "$T/ran")" = 1 ] || fail "the command was started more than once"

# One who answers without the key, in four ways, one of them with the caller's
# own proof.
start i "$PY" -B "$TESTS/t_mitm.py" impostor
told i 'listening on'
tx t i key "$T/key" wait 12 verbose 4 <"$T/in"
told i 'all fired' 20
told t 'it does not prove that it has the key'
never_said i 'went on'
never_said t 'leg 0 up'
ended t 4 20

# The receiver was started again: with the same key it can say so, and with
# another it is nobody.
for key in key other; do
	rm -f "$T/out"
	rx r key "$T/key" | start sink cat >"$T/out"
	to=$(port r)
	source_of $size hold="5000000:$T/never" |
	    tx t r key "$T/key" timeout 4
	arrived "$T/out" 5000000
	signal r KILL
	ended r any
	start r2 "$V" rx "$to" key "$T/$key" verbose 2 >"$T/out2"
	told r2 'listening on'
	if [ $key = key ]; then
		ended t 1 4
		told t 'no path leads to the receiver of this session any more'
	else
		# What tx says of it may be among what is summed up only.
		told r2 'refused .*the key differs'
		ended t 4 10
	fi
	stop r2
	stop src
done
