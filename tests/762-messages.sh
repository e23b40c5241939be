#!/bin/sh
# Goal: If standard error is the stream itself (one socket for descriptors 0, 1 and 2,
# as inetd and systemd make it, or 2>&1 before a pipe), no message gets into it, not
# even one of a command; otherwise messages appear as always.
# promise: DIAGNOSTICS
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

data 2000000 >"$T/in"

# Legs are lost, which both ends would tell, and rx would tell more.
loud="verbose 3"
lossy="checksum frame 16k chaos 20:reset"

# `2>&1 |`: with a pipe, and with a file.
mkfifo "$T/pipe"
cat <"$T/pipe" >"$T/out" &
# shellcheck disable=SC2086
# shellcheck disable=SC2016
start r sh -c 'exec "$0" rx 0 "$@" 2>&1' "$V" $loud >"$T/pipe"
within 10 listens r || fail "rx does not listen"
# shellcheck disable=SC2086
start t "$V" tx 127.0.0.1 "$PORT" $lossy <"$T/in"
ended t 0
ended r 0
wait
same "$T/in" "$T/out"
says t "lost" || fail "no leg was lost"
rm "$T/out"

# shellcheck disable=SC2086
# shellcheck disable=SC2016
start r sh -c 'exec "$0" rx 0 "$@" 2>&1' "$V" $loud >"$T/out"
within 10 listens r || fail "rx does not listen"
# shellcheck disable=SC2086
start t "$V" tx 127.0.0.1 "$PORT" $lossy <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"

# What is not the stream is heard: a sender's output, a receiver's with a command.
# shellcheck disable=SC2016
start r sh -c 'exec "$0" rx 0 exec "$1" 2>&1' "$V" "cat >$T/taken; echo done >&2" >"$T/log"
within 10 listens r || fail "rx does not listen"
# shellcheck disable=SC2086
# shellcheck disable=SC2016
start t sh -c 'exec "$0" tx 127.0.0.1 "$@" 2>&1' "$V" "$PORT" $lossy <"$T/in" >"$T/txlog"
ended t 0
ended r 0
same "$T/in" "$T/taken"
grep -q 'listening on' "$T/log" || fail "a receiver with a command was not heard"
grep -q '^done$' "$T/log" || fail "the command was not heard"
grep -q 'lost' "$T/txlog" || fail "a sender was not heard"

# One socket for all three.
"$PY" -IS - "$V" "$T" "$TESTS" "$lossy" <<'EOF' || fail "see above"
import socket, subprocess, sys, threading, time

program, scratch, tests, lossy = sys.argv[1:]
with open(scratch + "/in", "rb") as f:
    data = f.read()


def begin(*words):
    ours, theirs = socket.socketpair()
    p = subprocess.Popen([program, *words], stdin=theirs, stdout=theirs, stderr=theirs)
    theirs.close()
    return p, ours


def port(p):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        said = subprocess.run([tests + "/../build/t_sockets", "listening", str(p.pid)],
                              capture_output=True, text=True).stdout.split()
        if said:
            return said[0]
        time.sleep(0.05)
    sys.exit("rx does not listen")


def hear(ours, into):
    while part := ours.recv(65536):
        into.append(part)


def go(name, heard_by_rx, *words):
    rx, rx_ours = begin("rx", "0", "verbose", "3", *words)
    tx, tx_ours = begin("tx", "127.0.0.1", port(rx), *lossy.split())
    from_rx, from_tx = [], []
    threads = [threading.Thread(target=hear, args=pair, daemon=True)
               for pair in ((rx_ours, from_rx), (tx_ours, from_tx))]
    for thread in threads:
        thread.start()
    tx_ours.sendall(data)
    tx_ours.shutdown(socket.SHUT_WR)
    status = tx.wait(), rx.wait()
    for thread in threads:
        thread.join()
    if status != (0, 0):
        sys.exit("%s: tx ended with %d, rx with %d" % (name, *status))
    if from_tx:
        sys.exit("%s: tx said %r" % (name, b"".join(from_tx)[:200]))
    if b"".join(from_rx) != heard_by_rx:
        sys.exit("%s: %d bytes of %d came out" % (
            name, sum(map(len, from_rx)), len(heard_by_rx)))


go("a socket", data)
go("a command", b"answer\n", "exec", "cat >%s/got; echo loud >&2; echo answer" % scratch)
with open(scratch + "/got", "rb") as f:
    if f.read() != data:
        sys.exit("a command: not the bytes")
EOF
