#!/bin/sh
# Goal: With a key, a man in the middle who changes, drops, repeats, swaps or forges
# bytes of either direction, or changes a greeting, costs a connection each time and
# nothing else: the bytes and both ends' 0 are right.
# promise: OPTIONS key, SECURITY CONSIDERATIONS
# waits
# takes: 60
# limit: 200
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

(umask 077 && data 32 9 >"$T/key")
size=24000000
data $size >"$T/in"

rx r key "$T/key" heartbeat 3 verbose 4 report "$T/report" >"$T/out"
start m "$PY" -B "$TESTS/t_mitm.py" attack "$(port r)"
told m 'listening on'
source_of $size rate=1500000 hold=$((size - 1)):"$T/go" |
    tx t m key "$T/key" legs 1 heartbeat 3 frame 16k verbose 4
told m 'only the end is left' 100
must_run t
must_run r
: >"$T/go"
ended t 0 60
ended r 0 70
same "$T/in" "$T/out"
told m 'all fired'

at_rx=$(grep -c "down: a frame's tag is wrong" "$T/r.err")
at_tx=$(grep -c "down: a frame's tag is wrong" "$T/t.err")
echo "$(grep -c '^fired' "$T/m.err") attacks; tags that differed: $at_rx at rx, $at_tx at tx"
[ "$at_rx" -ge 18 ] || fail "rx found too few"
[ "$at_tx" -ge 12 ] || fail "tx found too few"
seen=$(tail -n 1 "$T/report" | sed 's/.*"corrupt": *\([0-9]*\).*/\1/')
[ "$seen" = "$at_rx" ] || fail "the report counts $seen"
# Greetings: what anybody can say ends no session, and only the key opens one.
never_said m 'went on'
told t 'refused without a proof\|not a viamillipede that listens'
told t 'it does not prove that it has the key'
told r 'refused\|turned away'
