#!/bin/sh
# Goal: An outcome is kept until the other side knows it. The network fails while the
# command works after the last byte, and comes back: 0 at both ends. The source fails
# during an outage: the receiver hears of it. The network fails while the end of the
# stream stands in the pipe of a stalled consumer: that is waited for, however long. A
# receiver that ends meanwhile with nobody to tell leaves the sender with 4.
# promise: EXIT STATUS 0, EXIT STATUS 4, EXIT STATUS 6, OPTIONS linger
# waits
# limit: 100
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"
cut_off()
{
	ask "p.$1" accept silence
	ask "p.$1" blackhole both all
}

# A command that works; and one that works longer than anybody keeps its outcome.
for kind in works late; do
	rx r.$kind heartbeat 3 linger 4 exec "cat >$T/out.$kind; touch $T/eof.$kind
	    until [ -e $T/go.$kind ]; do sleep 0.05; done"
	proxy p.$kind r.$kind
	tx t.$kind p.$kind legs 3 heartbeat 3 <"$T/in"
done
# A consumer that has yet to take the last 60 000 bytes.
rx r.stalled heartbeat 3 linger 3 | start sink.stalled sh -c "head -c $((size - 60000))
    until [ -e $T/go.stalled ]; do sleep 0.05; done; cat" >"$T/out.stalled"
proxy p.stalled r.stalled
tx t.stalled p.stalled legs 3 heartbeat 3 timeout 60 <"$T/in"
# A source that fails.
rx r.fails heartbeat 3 linger 30 exec "cat >$T/out.fails; touch $T/eof.fails"
proxy p.fails r.fails
start t.fails "$V" tx 127.0.0.1 "$(port p.fails)" legs 3 heartbeat 3 linger 30 \
    source "head -c 1000000 $T/in; until [ -e $T/go.fails ]; do sleep 0.05; done; exit 3"

for kind in works late; do
	within 10 test -e "$T/eof.$kind" || fail "no end of input: $kind"
done
arrived "$T/out.fails" 1000000
within 10 has_bytes "$T/out.stalled" $((size - 60000)) || fail "not so much arrives"
let_pass 3		# until the sender knows that the consumer is waited for
for kind in works late stalled fails; do
	cut_off $kind
done
let_pass 1
: >"$T/go.late"
told t.fails 'no leg is up; waiting for the network'
: >"$T/go.fails"
told t.fails 'no leg is up; waiting up to [0-9]* s for the peer, to tell it the outcome'
let_pass 5
for kind in works late stalled fails; do
	must_run t.$kind
done
must_run r.works
must_run r.fails
# One outcome is as old as it may get.
ended r.late 0 5
ask p.late accept hangup
: >"$T/go.works"
let_pass 1
must_run r.works
ask p.works accept normal
ask p.fails accept normal
ended t.works 0 6
ended r.works 0
same "$T/in" "$T/out.works"
ended t.fails 6 6
ended r.fails 6 6
told r.fails "the sender's command exited 3"
[ ! -e "$T/eof.fails" ] || fail "the command took half a stream for a whole one"
# It said that its consumer was at work, so nobody knows how that ended.
ended t.late 4 10
told t.late 'the consumer had not taken all'
must_run t.stalled
must_run r.stalled
: >"$T/go.stalled"
let_pass 0.5
ask p.stalled accept normal
ended t.stalled 0 8
ended r.stalled 0
same "$T/in" "$T/out.stalled"
