#!/bin/sh
# Goal: Strangers (garbage, a web browser, silence, a byte at a time, half a HELLO, an
# old HELLO, two hundred at once) disturb nothing, before the session or in it, and
# are logged.
# promise: SECURITY CONSIDERATIONS
# waits
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_stranger.sh
. "$TESTS/n_stranger.sh"

size=30000000
data $size >"$T/in"

# What a sender says first, to have a whole HELLO and half of one.
capture_hello wait 3

strangers=0
stranger()
{
	strangers=$((strangers + 1))
	start s$strangers "$PY" -IS "$TESTS/t_stranger.py" "$(port r)" "$@"
	told s$strangers '^connected'
}

rx r >"$T/out"
# Before the session.
stranger garbage
stranger http
stranger silence
stranger half "$T/hello"
told r '127.0.0.1.*[0-9]'
must_run r

source_of $size rate=6000000 hold="$size:$T/go" | tx t r legs 4
arrived "$T/out" 1
# In the session.
stranger garbage
stranger http
stranger slow "$T/hello"
stranger silence
stranger whole "$T/hello"
stranger half "$T/hello"
stranger reset
stranger flood 200
must_run t
# A leg gets in while the room is full of silent strangers.
if [ "$(id -u)" = 0 ] && "$PY" -IS "$TESTS/t_reset.py"; then
	before=$(legs t)
	for leg in $before; do
		reset_leg t r "$leg" || fail "leg $leg cannot be reset"
	done
	came_back()
	{
		after=$(legs t)
		[ -n "$after" ] && [ "$after" != "$before" ]
	}
	within 3 came_back || fail "no leg has come back"
fi
# Whoever has not said HELLO within 5 s was shown the door, however busy he was:
# all but the flood, which comes again.
for n in 1 2 3 4 5 6 7 8 9 10 11; do
	ended s$n any 10
done
must_run t
: >"$T/go"
ended t 0 30
ended r 0
same "$T/in" "$T/out"
[ "$(grep -c . "$T/r.err")" -ge 3 ] || fail "strangers are not logged"
[ "$(grep -c . "$T/r.err")" -le 120 ] || fail "the log is flooded"

# Room for a tx after two hundred silent ones.
head -c 100000 "$T/in" >"$T/small"
rx r >"$T/out"
stranger flood 200
tx t r legs 16 <"$T/small"
ended t 0 5
ended r 0
same "$T/small" "$T/out"
