#!/bin/sh
# Goal: A peer whose process is gone does not count as an outage. If the other end
# closed all connections and nobody calls, or every call is refused or hung up on, the
# session and its command fail after `linger`, and so does a side that was started
# through ssh, when ssh ends before anybody called. Silence longer than `linger` is
# survived, and so are resets and refusals that end in time.
# promise: EXIT STATUS 4, OPTIONS linger, OPTIONS offer, OPTIONS fetch
# waits
# limit: 100
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=6000000
data $size >"$T/in"

# A source that stops half way, until the file is there.
half()
{
	_half=$1
	start "src.$_half" "$SOURCE" $size "$SEED" \
	    hold="$((size / 2)):$T/go.$_half"
}

# The side that gave the orders is gone when they were read.
printf 'viamillipede orders 2 %032d %064d 6\n' 0 0 >"$T/orders"
for word in rx 0 linger 1 exec cat; do
	printf '%s\n%s\n' ${#word} "$word" >>"$T/orders"
done
start served "$V" serve <"$T/orders" >"$T/answer"

# The sender is killed: the receiver's command goes with it.
words="linger 2 heartbeat 3"
# shellcheck disable=SC2086
{
	rx r.sender $words exec "echo \$\$ >$T/command; cat >$T/out.sender; touch $T/eof"
	half sender | tx t.sender r.sender legs 3
	# The receiver is killed: nobody listens any more.
	rx r.receiver | start sink.receiver cat >"$T/out.receiver"
	half receiver | tx t.receiver r.receiver legs 3 $words
	# The same behind a tunnel, which accepts and hangs up.
	rx r.tunnel | start sink.tunnel cat >"$T/out.tunnel"
	proxy p.tunnel r.tunnel
	half tunnel | tx t.tunnel p.tunnel legs 3 $words
	# Who calls is the receiver.
	half offer | offer o.offer $words
	fetch f.offer o.offer legs 3 | start sink.offer cat >"$T/out.offer"
	half fetch | offer o.fetch $words
	fetch f.fetch o.fetch legs 3 exec "cat >$T/out.fetch; touch $T/eof"
	# Silence; resets, refusals.
	for kind in silence resets; do
		rx r.$kind heartbeat 3 linger 3 | start sink.$kind cat >"$T/out.$kind"
		proxy p.$kind r.$kind
		half $kind | tx t.$kind p.$kind legs 3 heartbeat 3
	done
}
ended served 4 5
told served 'is gone and has not called'
for kind in sender receiver tunnel offer fetch silence resets; do
	arrived "$T/out.$kind" $((size / 2))
done
ask p.silence accept silence
ask p.silence blackhole both all
signal t.sender KILL
signal r.receiver KILL
ask p.tunnel accept hangup
ask p.tunnel reset both all
signal f.offer KILL
signal o.fetch KILL
ask p.resets accept refuse
ask p.resets reset both all
let_pass 1
must_run r.sender
must_run t.receiver
must_run t.tunnel
ask p.resets accept normal
for kind in r.sender o.offer; do
	ended $kind 4 6
	told $kind 'closed all connections and did not come back for [23] s'
done
for kind in t.receiver t.tunnel f.fetch; do
	ended $kind 4 6
	told $kind 'closed all connections and did not come back for [23] s'
done
! kill -0 "$(cat "$T/command")" 2>/dev/null || fail "the command lives on"
[ ! -e "$T/eof" ] || fail "a command saw an end of the stream"
let_pass 5
ask p.resets accept refuse
ask p.resets reset both all
let_pass 1
ask p.resets accept reset
let_pass 0.5
ask p.resets accept normal
must_run r.silence
must_run t.silence
ask p.silence accept normal
for kind in silence resets; do
	: >"$T/go.$kind"
	ended t.$kind 0 15
	ended r.$kind 0
	same "$T/in" "$T/out.$kind"
done
for kind in sender receiver tunnel offer fetch; do
	: >"$T/go.$kind"
	stop src.$kind
done
stop r.tunnel
