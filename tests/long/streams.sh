#!/bin/sh
# Goal: Many streams at once, as the manual says: 1000 connections that rest cost little
# memory and no processor; 1000 downloads at once and 10 000 short ones are exact while
# legs are reset; iperf3 carries both directions.
# limit: 600
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=tests/n_streams.sh
. "$TESTS/n_streams.sh"
need iperf3
# shellcheck disable=SC3045
[ "$(ulimit -n)" -ge 5000 ] || ulimit -n 5000 2>/dev/null || skip "needs 5000 descriptors"

server_of_streams s
listen l "terminate 127.0.0.1 $SERVED heartbeat 3 window 512M"
proxy p l
start c "$V" duplex 127.0.0.1 "$(port p)" initiate 0 heartbeat 3 legs 8 window 512M
accepts c

# `resident NAME`: KiB in memory now. `computed NAME`: hundredths of a second.
resident()
{
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(pid "$1")/status"
}
computed()
{
	awk '{ print $14 + $15 }' "/proc/$(pid "$1")/stat"
}

connections "$ACCEPTED" short=1
before_l=$(resident l)
before_c=$(resident c)
start b "$PY" -B "$TESTS/t_streams.py" call size=100 at_once=1000 rest=1000 pause=4 \
    "$ACCEPTED" >"$T/b.out"
let_pass 3
used=$(($(computed l) + $(computed c)))
let_pass 1
used=$(($(computed l) + $(computed c) - used))
after_l=$(($(resident l) - before_l))
after_c=$(($(resident c) - before_c))
echo "1000 streams at rest: $after_l and $after_c KiB more, $used hundredths of a second in one"
ended b 0 60
if memory_is_honest; then
	[ "$((after_l > after_c ? after_l : after_c))" -le 16384 ] || fail "1000 streams cost too much"
	[ "$used" -le 5 ] || fail "they compute while they rest"
fi

start b "$PY" -B "$TESTS/t_streams.py" call seed="$SEED" at_once=1000 size=100000 down=1000 \
    "$ACCEPTED" >"$T/b.out"
n=0
while is_running b; do
	n=$((n + 1))
	ask_if p reset both random || :
	let_pass 0.1
done
cat "$T/b.out"
ended b 0
[ $n -ge 3 ] || fail "nothing was injured"
start b "$PY" -B "$TESTS/t_streams.py" call seed="$SEED" at_once=100 size=1000 short=10000 \
    "$ACCEPTED" >"$T/b.out"
while is_running b; do
	ask_if p reset both random || :
	let_pass 0.1
done
cat "$T/b.out"
ended b 0
signal c TERM
ended c signal:15
ended l 1
signal p TERM

# A program that knows nothing of it.
start i iperf3 -s -p "$("$PY" -IS -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')" >"$T/iperf-server"
within 10 listens i || fail "iperf3 does not listen"
TERMINATE="terminate 127.0.0.1 $PORT"
joined legs 4
iperf3 -c 127.0.0.1 -p "$ACCEPTED" --bidir -P 4 -t 3 >"$T/iperf" || fail "$(cat "$T/iperf")"
grep 'SUM.*receiver' "$T/iperf"
