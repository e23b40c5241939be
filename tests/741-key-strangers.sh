#!/bin/sh
# Goal: A thousand strangers knock without end, silent, a byte a second, or with a
# HELLO that they cannot prove, from the address that the legs come from. Legs join
# within a second, before and during a session, the memory of rx does not grow, and
# nothing of theirs is written. With a key and without.
# promise: SECURITY CONSIDERATIONS
# waits
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_stranger.sh
. "$TESTS/n_stranger.sh"

(umask 077 && data 32 9 >"$T/key")
size=4000000
data $size >"$T/in"

rss()
{
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(pid r)/status"
}

for words in "key $T/key" ''; do
	# shellcheck disable=SC2086
	capture_hello $words

	# shellcheck disable=SC2086
	rx r $words | start sink cat >"$T/out"
	if [ -n "$words" ]; then
		start crowd "$PY" -IS "$TESTS/t_stranger.py" "$(port r)" crowd 1000 "$T/hello"
		told crowd '^connected' 20
	fi
	# shellcheck disable=SC2086
	source_of $size hold="1000000:$T/more" hold="$size:$T/go" |
	    tx t r legs 2 verbose 4 $words
	told t 'leg 0 up' 1
	arrived "$T/out" 1000000 2
	if [ -z "$words" ]; then
		# His HELLO would have begun a session of its own.
		start crowd "$PY" -IS "$TESTS/t_stranger.py" "$(port r)" crowd 1000 "$T/hello"
		told crowd '^connected' 20
	fi
	within 5 more_ups 1 || fail "no second leg"
	let_pass 2
	before=$(rss)
	for _ in 1 2 3; do
		ups=$(ups)
		leg=$(legs t | head -n 1)
		reset_leg t r "$leg" || skip "needs root and a kernel with ss -K"
		within 5 more_ups "$ups" || fail "no leg came back within five seconds"
		let_pass 1
	done
	must_run crowd
	after=$(rss)
	echo "rx had $before KiB, then $after KiB; $(tail -n 1 "$T/crowd.err")"
	! memory_is_honest || [ $((after - before)) -le 300 ] || fail "rx grows"
	: >"$T/more"
	: >"$T/go"
	ended t 0 5
	ended r 0 5
	ended sink 0
	same "$T/in" "$T/out"
	told r 'turned away 127.0.0.1\|refused 127.0.0.1'
	[ "$(grep -c . "$T/r.err")" -le 120 ] || fail "the log is flooded"
	stop crowd
	rm "$T/more" "$T/go"
done
