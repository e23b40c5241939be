#!/bin/sh
# Goal: with a key, what was recorded of a sender is no use at another receiver,
# nor at the same; an impostor gets nothing of the stream; only a refusal that is
# proven ends a session, and a BYE that was changed is none.
# waits
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
source_of $size hold="$size:$T/go" | tx t m key "$T/key" threads 1 heartbeat 300
arrived "$T/out" $size
has_bytes "$T/said" $size || fail "only $(size_of "$T/said") bytes were recorded"

# At the receiver that it was said to, while that session stands.
start again "$PY" -B "$TESTS/t_mitm.py" replay "$(port r)" "$T/said"
ended again 0
told again '^answered: CHALLENGE REFUSE$'
told r 'refused .*the key differs'
must_run t

# Whoever names the session keeps his place for a while, however many others
# knock who name another one.
head -c 128 "$T/said" >"$T/known"
start capture "$PY" -IS "$TESTS/t_stranger.py" 0 capture "$T/unknown"
told capture 'listening on'
echo | start early "$V" tx 127.0.0.1 "$(port capture)" key "$T/key"
within 10 test -s "$T/unknown" || fail "no HELLO came"
signal early KILL
for hello in known unknown; do
	start $hello "$PY" -IS "$TESTS/t_stranger.py" "$(port r)" stay "$T/$hello"
	told $hello '^connected'
done
start crowd "$PY" -IS "$TESTS/t_stranger.py" "$(port r)" crowd 500 "$T/unknown"
told known '^stayed' 10
never_said unknown '^stayed'
stop crowd
must_run t
: >"$T/go"
ended t 0
ended r 0
ended sink 0
same "$T/in" "$T/out"

# At one that waits for its first sender, which then comes.
rx r key "$T/key" >"$T/out"
start again "$PY" -B "$TESTS/t_mitm.py" replay "$(port r)" "$T/said"
ended again 0
told again '^answered: CHALLENGE REFUSE$'
[ ! -s "$T/out" ] || fail "what was recorded was written"
tx t r key "$T/key" <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"

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

# BYE: it has its verdict without.
rx r key "$T/key" timeout 4 >"$T/out"
start m "$PY" -B "$TESTS/t_mitm.py" end "$(port r)"
told m 'listening on'
tx t m key "$T/key" threads 1 verbose 4 <"$T/in"
ended t 0
told m 'all fired'
ended r 0 15
same "$T/in" "$T/out"
stop m
