#!/bin/sh
# Goal: With `tunnel` each leg has a connection of its own, even where ssh has a
# master. A refused login is not tried again and again: at the start the stream goes
# over the connection of ssh itself, or, if that is gone, the transfer ends with nothing
# begun and nothing read; later it is tried once a minute while the rest goes on.
# promise: EXIT STATUS 7, OPTIONS tunnel
# waits
# takes: 60
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

sshd_begin 127.0.0.1
size=20000000
data $size >"$T/in"

logins()
{
	grep -c -e "$1" "$T/sshd.err" || :
}

more_logins()
{
	[ "$(logins "$1")" -ge "$2" ]
}

tunnels()
{
	far SSH | grep -c -e ' -W ' || :
}

no_tunnel()
{
	[ "$(tunnels)" = 0 ]
}

# --- a master -----------------------------------------------------------------

plain=$SSH
# shellcheck disable=SC2086
$SSH -S "$T/master" -o ControlPersist=60 -fNM there
SSH="$plain -S $T/master"
source_of $size hold="5000000:$T/go" | push p "cat >$T/out" tunnel heartbeat 3 verbose 4
arrived "$T/out" 5000000
within 10 more_logins 'Accepted publickey' 2 || fail "all legs share the master's connection"
two_tunnels()
{
	[ "$(grep -c '^[^(]*leg [0-9]* up: there through ssh (' "$T/p.err")" -ge 2 ]
}
within 10 two_tunnels || fail "no leg has a connection of its own"
# It goes, and with it the leg that it carried; the others go on, and no leg needs it.
# shellcheck disable=SC2086
$SSH -O exit there 2>"$T/exit"
: >"$T/go"
ended p 0
same "$T/in" "$T/out"
never_said p 'no leg is up'
nothing_left 5
# The other ways to ask for one.
for master in "-oControlPath=$T/master -oControlMaster=auto" \
    "-S $T/master -oControlMaster=auto -oControlPersist=5" "-M -S $T/other"; do
	SSH="$plain $master"
	source_of $size hold="5000000:$T/go" | push p "cat >$T/out" tunnel
	ended p 0
	same "$T/in" "$T/out"
	[ ! -s "$T/p.err" ] || fail "something to say about a success"
done
SSH=$plain
nothing_left 15
rm "$T/go" "$T/out"

# --- refused from the start ---------------------------------------------------

# The first login is good, as with a password, and no other.
cat >"$T/once" <<EOF2
#!/bin/sh
case " \$* " in
*' -W '*)	exec $SSH -o PubkeyAuthentication=no "\$@" ;;
esac
exec $SSH "\$@"
EOF2
chmod +x "$T/once"
SSH=$T/once
source_of $size hold="5000000:$T/go" | push p "cat >$T/out" tunnel
told p 'cannot connect to there:.*Permission denied'
: >"$T/go"
ended p 0 10
same "$T/in" "$T/out"
rm "$T/go"
pull p "cat $T/in" tunnel >"$T/out"
ended p 0 10
same "$T/in" "$T/out"
nothing_left 15
rm "$T/out"
# The connection of ssh itself ends after the answer.
cat >"$T/cut" <<EOF2
#!/bin/sh
case " \$* " in
*' -W '*)	exec $SSH "\$@" ;;
esac
exec 3<&0
$plain "\$@" <&3 3<&- | sed -u 2q &
exec >&- 3<&-
wait
EOF2
chmod +x "$T/cut"
SSH=$T/cut
before=$(logins 'Connection closed by authenticating user')
{
	push p "cat >$T/out" tunnel
	ended p 7 10
	cat >"$T/rest"
} <"$T/in"
once p 'no leg can go through ssh: ssh: .*Permission denied'
same "$T/in" "$T/rest"
[ "$(($(logins 'Connection closed by authenticating user') - before))" -le 2 ] ||
    fail "it tried too often"
nothing_left 15
[ ! -e "$T/out" ] || fail "something was begun"
pull p "cat $T/in" tunnel >"$T/out"
ended p 7 10
[ ! -s "$T/out" ] || fail "something came"
nothing_left 15

# --- refused later on ---------------------------------------------------------

SSH=$plain
source_of $size hold="5000000:$T/go" | push p "cat >$T/out" tunnel heartbeat 3
arrived "$T/out" 5000000
mv "$T/authorized_keys" "$T/authorized_keys.not"
before=$(logins 'Connection closed by authenticating user')
far SSH | grep -e ' -W ' | while read -r _pid _; do
	kill -9 "$_pid" || :
done
within 10 more_logins 'Connection closed by authenticating user' $((before + 1)) ||
    fail "no leg is dialled"
let_pass 8
must_run p
# Each of the four legs may have been at it when the first was refused.
[ "$(($(logins 'Connection closed by authenticating user') - before))" -le 4 ] ||
    fail "it tries too often"
within 5 no_tunnel || fail "it goes on trying"
told p 'Permission denied'
signal p TERM
ended p signal:15
# Nothing leads to the remote side any more, which would wait for a way.
far SERVE | while read -r _pid; do
	kill "$_pid"
done
nothing_left 10
