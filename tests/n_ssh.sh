# shellcheck shell=sh
# A real sshd for behaviour tests, and what logs in to it: read in after lib.sh. It
# has its own keys, config and port; `there` is the host's name for ssh. `tunnel`
# makes a way with ssh -L to the receiver r through it; `push` and `pull` are the
# program's own word `ssh`. What sshd starts has FAR_OF=$T in its environment, by
# which it is found, and the runner's mark; and no shell of it reads this account's
# own files, which may print something.
# Its algorithms are the cheapest: some hundred logins in a run are most of a test's work.
# SERVE_IN and TUNNEL_IN are what to begin commands with on either side, as
# `ip netns exec NAME`, if that is not here.
SERVE_IN=
TUNNEL_IN=
SSH="ssh -F $T/ssh_config"

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
	! is_running "$1" || [ "$("$TESTS/../build/t_sockets" listening \
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

# `sshd_begin ADDRESS`: listens there, on $SSH_PORT.
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
MaxStartups 100
PrintMotd no
SetEnv FAR_OF=$T HOME=$T VIAMILLIPEDE_TEST=${VIAMILLIPEDE_TEST:-none}
EOF
	serve sshd server
	# shellcheck disable=SC2034
	SSH_PORT=$PORT
	ln -s "$V" "$T/far"
	echo "there $(cat "$T/host_key.pub")" >"$T/known_hosts"
	cat >"$T/ssh_config" <<EOF
Host there
	HostName $1
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
	KexAlgorithms curve25519-sha256
	Ciphers aes128-gcm@openssh.com
EOF
}

# `with_ssh WORD NAME COMMAND [WORD ...]`: the program under test here and, as
# $T/far, there.
with_ssh()
{
	_word=$1
	_name_of=$2
	_command=$3
	shift 3
	start "$_name_of" "$V" ssh there "$_word" "$_command" ssh-command "$SSH" \
	    remote-program "$T/far" "$@"
} 3<&0

# `push NAME COMMAND [WORD ...]`, and pull likewise; `go` is as ssh there COMMAND.
push()
{
	with_ssh exec "$@"
} 3<&0

pull()
{
	with_ssh source "$@"
} 3<&0

go()
{
	with_ssh run "$@"
} 3<&0

# `in_place_of_ssh HOST [WORD ...]`: from now on `ssh` in PATH is the program under test,
# with these words of ours, and the real ssh behind it knows the host by that name alone,
# as from a user's own files.
in_place_of_ssh()
{
	_host=$1
	shift
	sed -i "s/^Host there/Host $_host/" "$T/ssh_config"
	mkdir "$T/bin" "$T/cache"
	cat >"$T/real" <<EOF
#!/bin/sh
exec $(command -v ssh) -F $T/ssh_config "\$@"
EOF
	chmod +x "$T/real"
	ln -s "$V" "$T/bin/ssh"
	export PATH="$T/bin:$PATH" XDG_CACHE_HOME="$T/cache" MILLIPEDESH_SSH="$T/real"
	export MILLIPEDESH_OPTIONS="remote-program $T/far $*"
}

# Nothing was left to the real ssh, which would have been told and kept in mind.
none_left_to_ssh()
{
	[ ! -e "$T/cache/viamillipede" ] || fail "left to ssh alone"
}

# What sshd has started and is still there: `far LIST` is a process and its
# arguments a line, `far SERVE` only the remote sides' processes, `far SSH` what of
# ssh a local side has started.
far()
{
	"$TESTS/../build/t_far" "$T" "$1"
}

far_is_gone()
{
	[ -z "$(far LIST)$(far SSH)" ]
}

# `nothing_left SECONDS`: of the remote side and of ssh, after so long.
nothing_left()
{
	within "$1" far_is_gone || fail "left: $(far LIST) $(far SSH)"
}

# `once NAME REGEXP`: it said so in one line and no more.
once()
{
	_lines=$(grep -c -i -e "$2" "$T/$1.err") || :
	[ "$_lines" = 1 ] || fail "$1 said $_lines times: $2"
}

# `filter OUTCOME`: over an emulated path nothing but ssh gets through to the remote side;
# `filter ''` lets all in.
filter()
{
	ip netns exec "$NS_B" nft -f - <<END
table ip t
delete table ip t
table ip t {
	chain in {
		type filter hook input priority 0;
		tcp dport $SSH_PORT accept
		tcp sport $SSH_PORT accept
		${1:+ip daddr 10.77.0.2 meta l4proto tcp $1}
	}
}
END
}
