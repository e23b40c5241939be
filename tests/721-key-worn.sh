#!/bin/sh
# Goal: Both sides replace the keys of frames at the same frame, and a side that does not
# is taken for a forger. A connection whose frames have used up their numbers ends, the
# next one goes on, and no number is used twice. Shown with programs in which both
# happens early.
# promise: SECURITY CONSIDERATIONS
# limit: 60
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

(umask 077 && data 32 9 >"$T/key")
size=20000000
data $size >"$T/in"
rekeys=$(dirname "$TESTS")/build/viamillipede-rekeys
worn=$(dirname "$TESTS")/build/viamillipede-worn

# `carry TX RX`: from the one program to the other.
carry()
{
	start r "$2" rx 0 key "$T/key" verbose 4 >"$T/out"
	told r 'listening on .*:[0-9][0-9]*$' 20
	start t "$1" tx 127.0.0.1 "$(port r)" key "$T/key" legs 2 frame 64k verbose 4 <"$T/in"
}

carry "$rekeys" "$rekeys"
ended t 0
ended r 0
same "$T/in" "$T/out"
never_said t 'lost'
never_said r 'lost'

carry "$V" "$rekeys"
told r "down: a frame's tag is wrong"
stop t
stop r
ended t any
ended r any
written=$(size_of "$T/out")
head -c "$written" "$T/in" | cmp - "$T/out" || fail "other bytes were written"

carry "$worn" "$worn"
ended t 0 40
ended r 0
same "$T/in" "$T/out"
told t 'down: '
never_said r "tag is wrong"
[ "$(grep -c 'leg [0-9]* up' "$T/t.err")" -ge 3 ] || fail "no connection was worn out"
