#!/bin/sh
# Goal: What a peer does wrong in one stream resets that one, and the others go on; what
# leaves no way to know where the next record begins ends the session, with a reason. More
# streams than were agreed on, or none that reads, cost no more memory than the window.
# promise: SECURITY CONSIDERATIONS, OPTIONS terminate
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_streams.sh
. "$TESTS/n_streams.sh"

server_of_streams s

listen l "terminate 127.0.0.1 $SERVED window 1M"
start peer "$PY" -IS "$TESTS/t_peer.py" streams "$(port l)" harm
ended peer 0 40
ended l 1
told l 'the caller reports: the test is over'
if memory_is_honest; then
	[ "$(peak_kib l)" -le $((16 * 1024)) ] || fail "it had $(peak_kib l) KiB"
fi

for kind in type zero stream length nothing credit reserved reason none many; do
	listen l "terminate 127.0.0.1 $SERVED window 1M"
	start peer "$PY" -IS "$TESTS/t_peer.py" streams "$(port l)" $kind
	ended peer 0 40
	ended l 1
	case $kind in
	many)	told l 'the peer opened more than 16 streams' ;;
	*)	told l 'the peer sent .*record' ;;
	esac
done

# --- descriptors run out: those that are open go on, new ones wait or are refused -----

start l sh -c 'ulimit -n 40; exec "$@"' sh "$V" duplex 0 terminate 127.0.0.1 "$SERVED"
told l 'listening on .*:[0-9][0-9]*$' 20
start c sh -c 'ulimit -n 60; exec "$@"' sh "$V" duplex 127.0.0.1 "$(port l)" legs 1 initiate 0
accepts c
"$PY" -B - "$ACCEPTED" <<'END'
import socket, sys, time
port = int(sys.argv[1])

def call():
    s = socket.create_connection(("127.0.0.1", port), 20)
    s.settimeout(20)
    return s

good = [call() for _ in range(5)]
for s in good:
    s.sendall(b"echo 0 1\n")
more = [call() for _ in range(80)]
time.sleep(1)
for s in good:
    s.sendall(b"as before")
    assert s.recv(100) == b"as before"
for s in more:
    s.close()
for s in good:
    s.shutdown(socket.SHUT_WR)
    assert s.recv(1) == b""
# When they are gone, there is room again.
s = call()
until = time.monotonic() + 20
while True:
    try:
        s.sendall(b"short 10 1\n")
        answer = s.makefile("rb").read()
        assert len(answer) == 11
        break
    except OSError:
        assert time.monotonic() < until
        s = call()
END
told c 'initiate: cannot take a connection: Too many open files'
signal c TERM
ended c signal:15
ended l 1
