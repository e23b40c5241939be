#!/bin/sh
# Goal: A command may work for as long as it likes: waiting for it is not an outage,
# whatever the timeout, and one that knows the end of the stream from the stream
# itself may exit before the end of file.
# promise: DESCRIPTION, EXIT STATUS 0, EXIT STATUS 6
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"

# Four at once, each with a timeout that is shorter than its command.
words='timeout 3 heartbeat 3'
# shellcheck disable=SC2086
{
	# After the end of its input.
	rx r.work $words exec "cat >'$T/out.work'; sleep 8; echo worked >&2"
	tx t.work r.work $words report "$T/report" <"$T/in"
	# It takes all, closes its input and goes on.
	rx r.close $words exec "head -c $size >'$T/out.close'; exec <&-; sleep 8"
	tx t.close r.close $words <"$T/in"
	# It takes nothing for a while, and then all.
	rx r.late $words exec "sleep 8; cat >'$T/out.late'"
	tx t.late r.late $words <"$T/in"
	# The source closes its output and goes on.
	rx r.source $words >"$T/out.source"
	start t.source "$V" tx 127.0.0.1 "$(port r.source)" $words \
	    source "cat '$T/in'; exec >&-; sleep 8"
	# It works, and fails in the end.
	rx r.fail $words exec "cat >'$T/out.fail'; sleep 8; exit 9"
	tx t.fail r.fail $words <"$T/in"
}
for which in work close late source; do
	ended t.$which 0
	[ "${_took%.*}" -ge 7 ] || fail "t.$which took $_took s only"
	ended r.$which 0
	same "$T/in" "$T/out.$which"
	never_said t.$which 'no leg is up'
done
told r.work '^worked$'
# The sender knew whom it waited for.
grep -q -e '"bottleneck": *"consumer"' "$T/report" ||
    fail "the sender does not know: $(tail -n 1 "$T/report")"
ended t.fail 6
ended r.fail 6
same "$T/in" "$T/out.fail"
told t.fail "the receiver's command exited 9"

# It knew the end, and end of file comes two seconds later: that is in time; or
# never: then it left too early.
rx r exec "head -c $size >'$T/out.r'"
source_of $size hold="$size:$T/go" | tx t r
rx r.early exec "head -c $size >'$T/out.early'"
start src.early "$SOURCE" $size "$SEED" hold="$size:$T/never" |
    tx t.early r.early
arrived "$T/out.r" $size
let_pass 2
must_run t
must_run r
: >"$T/go"
ended t 0
ended r 0
same "$T/in" "$T/out.r"
ended t.early 6 10
ended r.early 6 10
told t.early "the receiver's command exited 0 before the end of the stream"
stop src.early
