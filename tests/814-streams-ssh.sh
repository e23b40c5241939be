#!/bin/sh
# Goal: `ssh HOST initiate PORT terminate HOST PORT' carries connections from here to there
# over legs of their own, as ssh -L does over its one connection, and the other way round
# as ssh -R does; it survives ssh itself. A forced command's filter allows neither.
# promise: OPTIONS ssh, OPTIONS initiate, OPTIONS terminate, OPTIONS allow
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
# shellcheck source=tests/n_streams.sh
. "$TESTS/n_streams.sh"

sshd_begin 127.0.0.1
server_of_streams s

# `go_streams WORD ...`
go_streams()
{
	start c "$V" ssh there ssh-command "$SSH" remote-program "$T/far" "$@"
}

go_streams initiate 0 terminate 127.0.0.1 "$SERVED" legs 4
accepts c
connections "$ACCEPTED" down=20 up=20 echo=20 short=50 reset=5
# ssh goes, the connections stay.
background_began=no
start b "$PY" -B "$TESTS/t_streams.py" call rest=5 down=20 size=1000000 pause=2 "$ACCEPTED" \
    >"$T/b.out"
let_pass 0.5
for p in $(pgrep -P "$(pid c)" ssh); do
	kill "$p"
	background_began=yes
done
[ $background_began = yes ] || fail "there is no ssh"
ended b 0 60
connections "$ACCEPTED" down=5 short=20
signal c INT
ended c signal:2

go_streams tunnel initiate "$T/socket" terminate localhost "$SERVED"
within 10 test -S "$T/socket" || fail "no socket"
connections "$T/socket" down=10 up=10 echo=10 short=50
signal c TERM
ended c signal:15
[ ! -e "$T/socket" ] || fail "the socket was left behind"

# The first of the two is for here: now connections come from there.
go_streams terminate 127.0.0.1 "$SERVED" initiate 0
accepts c
connections "$ACCEPTED" down=10 up=10 echo=10 short=50
signal c TERM
ended c signal:15

# What the target refuses is said here, with the host that says it.
go_streams initiate 0 terminate "$T/nothing"
accepts c
start b "$PY" -B "$TESTS/t_streams.py" call short=1 "$ACCEPTED" >"$T/b.out"
ended b 1
grep -q 'ConnectionResetError' "$T/b.out" || fail "it was not reset: $(cat "$T/b.out")"
told c 'terminate: cannot connect to'
told c 'initiate: stream 1: nothing listens there'
signal c TERM
ended c signal:15

# --- what a forced command allows ---------------------------------------------------

printf 'command="%s serve allow exit 0" %s\n' "$T/far" "$(cat "$T/user_key.pub")" \
    >"$T/authorized_keys"
go_streams initiate 0 terminate 127.0.0.1 "$SERVED"
ended c 7
told c 'the filter allows commands only, no initiate or terminate'
