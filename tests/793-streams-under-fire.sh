#!/bin/sh
# Goal: No connection notices what the legs go through: legs reset, all of them, cut, silent,
# an outage of seconds, while many connections begin, carry and end. One that says nothing
# meanwhile is there afterwards. When one end is killed the connections at the other end are
# reset, never ended as if they were whole.
# promise: DESCRIPTION, OPTIONS initiate, OPTIONS terminate
# waits
# takes: 40
# limit: 180
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_streams.sh
. "$TESTS/n_streams.sh"

server_of_streams s
listen l "terminate 127.0.0.1 $SERVED heartbeat 3"
proxy p l
start c "$V" duplex 127.0.0.1 "$(port p)" initiate 0 heartbeat 3 legs 4
accepts c

# `background [option=value ...] KIND=COUNT ...`: as `connections', as the process b.
background()
{
	start b "$PY" -B "$TESTS/t_streams.py" call seed="$SEED" "$@" "$ACCEPTED" >"$T/b.out"
}
right()
{
	ended b any 60
	cat "$T/b.out"
	[ "$ENDED" = exit:0 ] || fail "connections did not survive"
}

# Legs die all the time, and connections come and go.
background at_once=60 size=300000 down=150 up=150 echo=150 short=300 rest=20 reset=10 leave=10 \
    stuck=5 pause=1
n=0
while is_running b && [ $n -lt 40 ]; do
	n=$((n + 1))
	[ $((n % 4)) = 0 ] || ask_if p reset both random || :
	[ $((n % 4)) != 0 ] || ask_if p reset both all || :
	let_pass 0.1
done
right
[ $n -ge 3 ] || fail "nothing was injured"
echo "$n injuries"

# Silence, a cut, and an outage: nothing is lost, and who rests does not notice.
for injury in 'blackhole both all' 'cut both all' 'stall down all'; do
	background size=2000000 down=5 up=5 echo=5 short=20 rest=5 pause=1
	let_pass 0.2
	ask p "$injury"
	right
done
background size=1000000 down=5 up=5 echo=5 short=20 rest=20 pause=1
let_pass 0.3
ask p accept refuse
ask p reset both all
told c 'no leg is up'
told l 'no leg is up'
let_pass 3
ask p accept normal
right
must_run c
must_run l

# The end is told apart from a failure: a killed end's connections are reset.
"$PY" -IS -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(b"down 100000000 1\n")
assert len(s.recv(1000)) > 0
print("ready", flush=True)
got = b"x"
try:
    sys.stdin.readline()
    while got:
        got = s.recv(1 << 20)
    sys.exit("an end instead of a reset")
except ConnectionResetError:
    pass' "$ACCEPTED" <"$T/b.out" >"$T/ready" 2>"$T/client" &
client=$!
within 20 test -s "$T/ready" || fail "no answer: $(cat "$T/client")"
signal c KILL
ended c signal:9
wait $client || fail "$(cat "$T/client")"
signal l TERM
ended l signal:15
