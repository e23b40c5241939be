# shellcheck shell=sh
# Real ssh -L tunnels for behaviour tests: read in after lib.sh. One sshd with its
# own keys, config and port; `tunnel` makes a way to the receiver r through it.
# SERVE_IN and TUNNEL_IN are what to begin commands with on either side, as
# `ip netns exec NAME`, if that is not here.
SERVE_IN=
TUNNEL_IN=

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
	# shellcheck disable=SC2086
	start sshd $SERVE_IN "$sshd" -D -e -f "$T/sshd_config" -p "$PORT"
}

# `tunnel NAME [ADDRESS]`: from $PORT to the receiver, by way of that address.
tunnel()
{
	# shellcheck disable=SC2086
	start "$1" $TUNNEL_IN ssh -F "$T/ssh_config" -o "HostName=${2:-127.0.0.1}" -N \
	    -L "127.0.0.1:$PORT:127.0.0.1:$(port r)" there
}

# `sshd_begin ADDRESS`: listens there.
sshd_begin()
{
	ssh-keygen -q -t ed25519 -N '' -f "$T/host_key"
	ssh-keygen -q -t ed25519 -N '' -f "$T/user_key"
	cp "$T/user_key.pub" "$T/authorized_keys"
	cat >"$T/sshd_config" <<EOF
ListenAddress $1
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
}
