#!/bin/sh
# Goal: rx is killed during a session and another rx is started on the same port. It
# takes no byte of that session, tx ends with status 1, and the new receiver serves a
# new sender.
# promise: DESCRIPTION, EXIT STATUS 1
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=20000000
data $size >"$T/in"
rx old >"$T/out.old"
PORT=$(port old)
source_of $size rate=4000000 | tx t old legs 4
arrived "$T/out.old" 3000000
signal old KILL
ended old signal:9
start new "$V" rx "$PORT" >"$T/out.new"
ended t 1 10
told t 'not the receiver'
told new 'not the receiver'
must_run new
[ ! -s "$T/out.new" ] || fail "the new receiver wrote $(size_of "$T/out.new") bytes"
begins "$T/out.old" "$T/in"

head -c 3000000 "$T/in" >"$T/in2"
start t2 "$V" tx 127.0.0.1 "$PORT" <"$T/in2"
ended t2 0
ended new 0
same "$T/in2" "$T/out.new"

# The same when everything was delivered already and only the end is missing:
# 5 when tx knows that, otherwise 1.
rm -f "$T/out.old" "$T/out.new"
rx old >"$T/out.old"
PORT=$(port old)
source_of 3000000 hold="3000000:$T/go" | tx t old legs 4
arrived "$T/out.old" 3000000
signal old KILL
ended old signal:9
start new "$V" rx "$PORT" >"$T/out.new"
: >"$T/go"
ended t nonzero 10
case $ENDED in exit:1|exit:5) ;; *) fail "tx ended by $ENDED" ;; esac
must_run new
[ ! -s "$T/out.new" ] || fail "the new receiver wrote bytes"
