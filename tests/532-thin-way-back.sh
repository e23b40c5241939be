#!/bin/sh
# Goal: Where the way back carries little more than the kernel's acknowledgements, ours
# leave them their room: a transfer takes no more than twice as long as one plain
# connection, sends about as much back, and loses no leg.
# promise: DESCRIPTION
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 20M/60ms/ba.rate=64k

size=1500000
data $size >"$T/in"

# `measured COMMAND ...`: sets TOOK, hundredths of a second, and BACK, bytes.
measured()
{
	_back=$(wan_count 0 ba out_bytes)
	read_clock
	_began=$NOW
	"$@"
	read_clock
	TOOK=$((NOW - _began + 1))
	BACK=$(($(wan_count 0 ba out_bytes) - _back))
}

plain()
{
	start sink ip netns exec "$NS_B" "$PY" -IS "$T/plain.py" to >"$T/out"
	told sink 'listening' 10
	start source ip netns exec "$NS_A" "$PY" -IS "$T/plain.py" from <"$T/in"
	ended source 0 30
	ended sink 0
	same "$T/in" "$T/out"
}
cat >"$T/plain.py" <<'END'
import shutil, socket, sys
if sys.argv[1] == "to":
    s = socket.create_server(("10.77.0.2", 5000))
    print("listening", file=sys.stderr, flush=True)
    with s.accept()[0].makefile("rb") as f:
        shutil.copyfileobj(f, sys.stdout.buffer)
else:
    s = socket.create_connection(("10.77.0.2", 5000))
    s.sendall(sys.stdin.buffer.read())
    s.shutdown(socket.SHUT_WR)
    s.recv(1)
END
ours()
{
	lab_rx r >"$T/out"
	lab_tx t r 0 "$@" <"$T/in"
	exact 30
	never_said t 'lost\|silent'
}
measured plain
plain_took=$TOOK plain_back=$BACK
for word in '' checksum; do
	# shellcheck disable=SC2086
	measured ours $word
	echo "$word: $TOOK of $plain_took hundredths of a second, $BACK of $plain_back bytes"
	# A program made slow by what watches it is not judged by its speed.
	if [ "${TEST_SLOW:-1}" -eq 1 ]; then
		[ "$TOOK" -le $((plain_took * 2)) ] || fail "the way back holds it up"
		[ "$BACK" -le $((plain_back * 2)) ] || fail "too much is sent back"
	fi
done
