#!/bin/sh
# Goal: the stream goes through two real ssh -L tunnels. One ssh is killed in
# mid-transfer and started again, then the other one: every byte arrives, and both
# ends exit with 0.
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need ssh
need ssh-keygen
PATH=$PATH:/usr/sbin
need sshd
sshd=$(command -v sshd)		# it wants to be called by its whole path
if [ "$(id -u)" = 0 ]; then
	[ -d /run/sshd ] || skip "needs /run/sshd, sshd's place as root"
fi

# A free port, in $PORT. Somebody else may take it first; then it is chosen anew.
free_port()
{
	PORT=$("$PY" -IS -c 'import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])')
}

# `up NAME PORT`: it listens there, or has ended.
up()
{
	! is_running "$1" || [ "$("$PY" -IS "$TESTS/t_sockets.py" listening \
	    "$(pid "$1")")" = "$2" ]
}

# `serve NAME COMMAND ...`: starts NAME on $PORT, chosen anew until it listens.
serve()
{
	_serve=$1
	shift
	for _try in 1 2 3 4 5; do
		free_port
		"$@"
		within 10 up "$_serve" "$PORT" || fail "$_serve does not listen"
		! is_running "$_serve" || return 0
	done
	! says sshd 'not allowed because' || skip "needs an account that sshd lets in"
	fail "$_serve does not start"
}

server()
{
	start sshd "$sshd" -D -e -f "$T/sshd_config" -p "$PORT"
}

# `tunnel NAME`: from $PORT to the receiver.
tunnel()
{
	start "$1" ssh -F "$T/ssh_config" -N -L "127.0.0.1:$PORT:127.0.0.1:$(port r)" there
}

# How many legs went up through this port.
ups()
{
	grep -c -e "leg [0-9]* up: .*:$1 " "$T/t.err" || :
}

more_ups()
{
	[ "$(ups "$1")" -gt "$2" ]
}

# `fall_and_rise NAME PORT`: the stream goes on meanwhile and uses it again.
fall_and_rise()
{
	within 10 more_ups "$2" 0 || fail "no leg went through $1"
	_ups=$(ups "$2")
	signal "$1" KILL
	ended "$1" signal:9
	before=$(size_of "$T/out")
	[ "$before" -lt $size ] || fail "too late"
	arrived "$T/out" $((before + 3000000)) 5
	PORT=$2
	tunnel "$1"
	within 10 more_ups "$2" "$_ups" || fail "no leg goes through $1 again"
}

ssh-keygen -q -t ed25519 -N '' -f "$T/host_key"
ssh-keygen -q -t ed25519 -N '' -f "$T/user_key"
cp "$T/user_key.pub" "$T/authorized_keys"
cat >"$T/sshd_config" <<EOF
ListenAddress 127.0.0.1
HostKey $T/host_key
PidFile none
AuthorizedKeysFile $T/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding local
EOF
serve sshd server
echo "there $(cat "$T/host_key.pub")" >"$T/known_hosts"
cat >"$T/ssh_config" <<EOF
Host there
	HostName 127.0.0.1
	HostKeyAlias there
	Port $PORT
	User $(id -un)
	IdentityFile $T/user_key
	IdentitiesOnly yes
	IdentityAgent none
	UserKnownHostsFile $T/known_hosts
	GlobalKnownHostsFile /dev/null
	StrictHostKeyChecking yes
	ExitOnForwardFailure yes
	BatchMode yes
	ControlPath none
EOF
size=60000000
data $size >"$T/in"
rx r bind 127.0.0.1 heartbeat 3 >"$T/out"
serve one tunnel one
one=$PORT
serve two tunnel two
two=$PORT
source_of $size rate=6000000 | start t "$V" tx 127.0.0.1 "$one" \
    tx 127.0.0.1 "$two" heartbeat 3 verbose 4
arrived "$T/out" 3000000
fall_and_rise one "$one"
fall_and_rise two "$two"
[ "$(size_of "$T/out")" -lt $size ] || fail "too late"
ended t 0 20
ended r 0
same "$T/in" "$T/out"
never_said t 'no leg is up'
