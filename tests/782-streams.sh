#!/bin/sh
# Goal: Connections to initiate are opened where terminate says: any number at once, each
# with all its bytes, its half-close and its reset, whoever is slow or never reads; from
# either end, over TCP and UNIX sockets. What cannot be opened is closed, and said; a
# port that is taken and an end that does not fit are errors.
# promise: OPTIONS initiate, OPTIONS terminate, EXIT STATUS 1, EXIT STATUS 3
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_streams.sh
. "$TESTS/n_streams.sh"

# --- bytes, ends and resets -------------------------------------------------------

server_of_streams s
joined
connections "$ACCEPTED" down=20 up=20 echo=20 short=100 rest=10 reset=10 leave=10 stuck=5 \
    pause=0.2
connections "$ACCEPTED" want=10 left=1
connections "$ACCEPTED" size=5000000 down=2 up=2 echo=2 short=5
connections "$ACCEPTED" size=0 down=3 up=3 echo=3 short=3
# Through the address that is asked for: this machine, by both families if it has both.
"$PY" -IS -c 'import socket, sys
s = socket.create_connection(("localhost", int(sys.argv[1])))
s.sendall(b"short 10 1\n")
assert len(s.makefile("rb").read()) == 11' "$ACCEPTED"
signal c USR1
told c 'streams: 0 open, [0-9]* opened, 20 failed'
parted

# With a key and checks; with many legs and small frames.
(umask 077 && head -c 32 /dev/urandom >"$T/key")
TERMINATE="terminate 127.0.0.1 $SERVED key $T/key window 4M"
joined key "$T/key" checksum legs 4 frame 4K
connections "$ACCEPTED" at_once=20 down=20 up=20 echo=20 short=100 reset=5 stuck=5
parted
TERMINATE=

# --- more than there may be at once ------------------------------------------------

# A window of 1M makes 16 streams: the others wait in the system's queue.
TERMINATE="terminate 127.0.0.1 $SERVED window 1M"
joined
connections "$ACCEPTED" at_once=80 down=80 short=80
parted
TERMINATE=

# --- the other way round, both ways, names and UNIX sockets --------------------------

server_of_streams u "$T/socket"
listen l "initiate $T/accept terminate localhost $(cat "$T/s.port")"
call c l "terminate $T/socket initiate 127.0.0.1:0"
accepts c
# (A UNIX socket knows no reset.)
connections "$T/accept" down=10 up=10 echo=10 short=10 stuck=3
connections "$ACCEPTED" down=10 up=10 echo=10 short=10
case $(ls -l "$T/accept") in
srw-------*)	;;
*)		fail "others may use the socket" ;;
esac
parted
[ ! -e "$T/accept" ] || fail "the socket was left behind"
stop u

# A socket that a killed process left is replaced, a file is not.
start l "$V" duplex 0 initiate "$T/accept"
told l 'listening on'
signal l KILL
ended l signal:9
[ -e "$T/accept" ] || fail "no socket was left"
start l "$V" duplex 0 initiate "$T/accept"
told l 'listening on'
signal l TERM
ended l signal:15
: >"$T/accept"
start l "$V" duplex 0 initiate "$T/accept"
ended l 1
told l "initiate: cannot listen on $T/accept: Address already in use"

# --- what cannot be opened ----------------------------------------------------------

gone=$("$PY" -IS -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
for target in "127.0.0.1 $gone/Connection refused/nothing listens there" \
    "does-not-exist.invalid 80/./it does not answer" \
    "$T/no-such-socket/No such file or directory/nothing listens there"; do
	case $target in
	/*)	there=$T/no-such-socket ;;
	*)	there=${target%%/*} ;;
	esac
	rest=${target#"$there"/}
	TERMINATE="terminate $there"
	joined
	"$PY" -IS -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.settimeout(20)
try:
    s.sendall(b"hello")
    assert s.recv(1) != b"", "an end"
    sys.exit("it answers")
except ConnectionResetError:
    pass' "$ACCEPTED" || fail "$there: the connection was not reset"
	told l "terminate: cannot connect to .*: ${rest%%/*}"
	told c "initiate: stream 1: ${rest#*/}"
	parted
done
TERMINATE=

# An end that has nowhere to connect to.
listen l 'initiate 0'
call c l 'initiate 0'
accepts c
"$PY" -IS -c 'import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
try:
    sys.exit(s.recv(1).decode())
except ConnectionResetError:
    pass' "$ACCEPTED" || fail "the connection was not reset"
told c 'the other side has no terminate'
parted

# --- what does not fit ----------------------------------------------------------------

start c "$V" duplex 127.0.0.1 1 initiate "$(cat "$T/s.port")"
ended c 1
told c "initiate: cannot listen on .*: Address already in use"
listen l 'terminate 127.0.0.1 1'
call c l '' </dev/null
ended c 3
told c 'the roles of the two ends do not fit'
stop l
