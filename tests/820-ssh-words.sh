#!/bin/sh
# Goal: With `ssh`, what was written arrives in /bin/sh on the other side and no other
# shell sees it. A word that is not a host is refused before anything runs; noise
# before the answer is skipped, an answer that makes no sense is refused, and nobody
# is waited for longer than `wait`. Each error names the cause and the cure.
# promise: EXIT STATUS 7, OPTIONS serve, OPTIONS ssh, OPTIONS wait
# waits
# takes: 50
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

# --- what runs instead of ssh -------------------------------------------------

# `fake NAME`: a program that is called as ssh is; its text is standard input.
# $1 is -T, $2 the host and $3 what is to be run there.
fake()
{
	{
		echo '#!/bin/sh'
		echo "[ \"\$1\" != -G ] || exec cat $T/config"
		echo "exec 7>>$T/ran; echo \"\$*\" >&7; exec 7>&-"
		cat
	} >"$T/$1"
	chmod +x "$T/$1"
}

# `through FAKE NAME COMMAND [WORD ...]`
through()
{
	_fake=$1
	_name=$2
	_command=$3
	shift 3
	: >"$T/ran"
	start "$_name" "$V" ssh 127.0.0.1 exec "$_command" ssh-command "$T/$_fake" remote-program "$V" "$@"
} 3<&0

# `refuses STATUS REGEXP [SECONDS]`: q ends so and says so, once.
refuses()
{
	ended q "$1" "${3:-10}"
	once q "$2"
}

echo x >"$T/in"
: >"$T/config"

# --- words --------------------------------------------------------------------

sshd_begin 127.0.0.1
"$PY" -IS "$TESTS/t_words.py" COMMANDS "$V" "$T" "$SSH" || fail "commands"
nothing_left 5
"$PY" -IS "$TESTS/t_words.py" SERVE "$V" || fail "serve"

# Of what the user wrote, ssh's own arguments have the host and the place of the
# program and nothing else; so it does not matter what shell reads them.
fake local <<'EOF2'
exec sh -c "$3"
EOF2
through local q "cat >$T/out; : secret words" <"$T/in"
ended q 0
same "$T/in" "$T/out"
[ "$(cat "$T/ran")" = "-T 127.0.0.1 $V serve" ] || fail "ssh was told: $(cat "$T/ran")"

mkdir "$T/it's a \"\$(place)"
ln -s "$V" "$T/it's a \"\$(place)/far"
start q "$V" ssh there exec "cat >$T/out2" ssh-command "$SSH" \
    remote-program "$T/it's a \"\$(place)/far" <"$T/in"
ended q 0
same "$T/in" "$T/out2"

: >"$T/ran"
for host in '' -oProxyCommand=x -x user@ user@-x @x 'a b' "a
b" ' ' 'x@y@' 'x@y@-z'; do
	start q "$V" ssh "$host" exec 'cat' ssh-command "$T/local" <"$T/in"
	refuses 2 'ssh'
done
for command in '' ' ' '
	'; do
	start q "$V" ssh there exec "$command" ssh-command "$T/local" <"$T/in"
	refuses 2 'exec ".*" is empty'
done
start q "$V" ssh there ssh-command "$T/local" <"$T/in"
refuses 2 'ssh needs to know what to do there'
start q "$V" ssh there exec cat tunnel path 127.0.0.1 ssh-command "$T/local" <"$T/in"
refuses 2 'exclude each other'
[ ! -s "$T/ran" ] || fail "something ran: $(cat "$T/ran")"

# --- noise --------------------------------------------------------------------

fake banner <<'EOF2'
printf 'Welcome!\r\n\nviamillipede answer 2 ff 1 -\nlast login: \033[31mnever\n'
exec sh -c "$3"
EOF2
through banner q "cat >$T/out" verbose 2 <"$T/in"
ended q 0
same "$T/in" "$T/out"
once q 'the remote side wrote before its answer: Welcome!$'
once q 'the remote side wrote before its answer: last login: \\x1b'
fake prompt <<'EOF2'
printf 'no newline at the end $ '
exec sh -c "$3"
EOF2
through prompt q "cat >$T/out" <"$T/in"
ended q 0
same "$T/in" "$T/out"
# Wherever in its line the answer comes.
for n in 900 960 1000 1010 1020 1021 1022 1023 1024 1030 102400; do
	fake much <<EOF2
head -c $n /dev/zero | tr '\\0' x
exec sh -c "\$3"
EOF2
	through much q "cat >$T/out" <"$T/in"
	ended q 0
	same "$T/in" "$T/out"
done
fake binary <<'EOF2'
head -c 100000 /dev/urandom
exec sh -c "$3"
EOF2
through binary q "cat >$T/out" <"$T/in"
ended q 0
same "$T/in" "$T/out"
fake endless <<'EOF2'
exec yes
EOF2
through endless q 'cat' <"$T/in"
refuses 7 'writes much output, but no answer'
fake early <<'EOF2'
head -c 100 >/dev/null
exec <&-
sleep 1
exec echo done
EOF2
through early q 'cat' <"$T/in"
refuses 7 'gave no answer and ended with status 0'

# --- answers ------------------------------------------------------------------

# `answers LINE`: after it has the orders; $token is theirs.
answers()
{
	fake answer <<EOF2
read -r _ _ _ token _
echo "$1"
cat >/dev/null
EOF2
	through answer q 'cat' <"$T/in"
}

for line in "\$token 0 127.0.0.1" "\$token 70000 127.0.0.1" "\$token -1 127.0.0.1" \
    "\$token 12323" "\$token" "\$token 12323 " "\$token x -" "\$token 1 -oProxyCommand=x" \
    "\$token 1 a/b" "\$token 1 127.0.0.1 2" "\$token 1 localhost" "\$token 1 db.internal"; do
	answers "viamillipede answer 2 $line"
	refuses 7 'the answer of .* is malformed'
done
answers "viamillipede answer 3 \$token 12323 127.0.0.1"
refuses 7 'viamillipede on .* is another version$'
answers 'viamillipede answer 2 0123456789abcdef0123456789abcdef 12323 127.0.0.1'
let_pass 1
must_run q
signal q TERM
ended q signal:15
# An address that means this machine is believed where ssh went to this machine, and
# otherwise never connected to.
start listener "$PY" -IS -c 'import socket, sys
s = socket.create_server(("", 0))
print("port", s.getsockname()[1], file=sys.stderr, flush=True)
while True:
    s.accept()
    print("somebody came", file=sys.stderr, flush=True)'
told listener 'port [0-9]'
local_port=$(sed -n 's/^port //p' "$T/listener.err")
fake answer <<EOF2
read -r _ _ _ token _
echo "viamillipede answer 2 \$token $local_port \$(cat "$T/address")"
cat >/dev/null
EOF2
# `asks_host HOST ADDRESS CONFIG`
asks_host()
{
	echo "$2" >"$T/address"
	printf '%b' "$3" >"$T/config"
	start q "$V" ssh "$1" exec cat ssh-command "$T/answer" legs 1 wait 1 verbose 2 <"$T/in"
	ended q 7
}
asks_host elsewhere.invalid 127.9.9.9 'hostname elsewhere.invalid\n'
asks_host 192.0.2.1 0.0.0.0 ''
asks_host localhost 127.0.0.1 'hostname localhost\nproxyjump a\n'
asks_host localhost - 'proxycommand nc a 22\nhostname 127.0.0.1\n'
never_said listener 'somebody came'
asks_host there 127.0.0.1 'host there\nhostname 127.0.0.1\n'
told listener 'somebody came'
stop listener
# Who is ended meanwhile takes ssh with it, which may be about to ask something.
fake asks <<'EOF2'
echo $$ >"$T/asker"
echo asking >&2
exec sleep 61
EOF2
for sign in TERM HUP INT; do
	through asks q 'cat' <"$T/in"
	told q asking
	signal q $sign
	ended q any 3
	[ "${ENDED%%:*}" = signal ] || fail "SIG$sign: $ENDED"
	! kill -0 "$(cat "$T/asker")" 2>/dev/null || fail "SIG$sign: ssh is left"
done

# Nobody answers, and stays, whatever it is told.
fake silent <<'EOF2'
trap '' TERM
cat >/dev/null
exec sleep 60
EOF2
through silent q 'cat' wait 2 <"$T/in"
refuses 7 'no answer through ssh from 127.0.0.1 within 2 s'
fake stuck <<'EOF2'
exec sleep 60
EOF2
through stuck q 'cat' wait 2 <"$T/in"
refuses 7 'no answer through ssh from 127.0.0.1 within 2 s'

# --- errors -------------------------------------------------------------------

start q "$V" ssh there exec cat ssh-command "$SSH" remote-program "$T/none" <"$T/in"
refuses 7 "there has no $T/none: install it there, or say where it is with remote-program"
echo y >"$T/text"
start q "$V" ssh there exec cat ssh-command "$SSH" remote-program "$T/text" <"$T/in"
refuses 7 "there cannot run $T/text: say where it is with remote-program"
cat >"$T/old" <<'EOF2'
#!/bin/sh
echo 'viamillipede: "serve" is not a word of the command line' >&2
exit 2
EOF2
chmod +x "$T/old"
start q "$V" ssh there exec cat ssh-command "$SSH" remote-program "$T/old" <"$T/in"
refuses 7 "$T/old on there is another version, or does not know a word that it was given"
start q "$V" ssh there exec cat ssh-command "$SSH -o PubkeyAuthentication=no" <"$T/in"
if (: </dev/tty) 2>/dev/null; then
	refuses 7 'ssh cannot log in to there$'
else
	refuses 7 'to there; without a terminal it cannot ask: use a key or an agent$'
fi
told q 'Permission denied'
start q "$V" ssh nowhere.invalid exec cat ssh-command "$SSH" <"$T/in"
refuses 7 'ssh cannot log in to nowhere.invalid'
start q "$V" ssh there exec cat ssh-command "$T/no-ssh" <"$T/in"
ended q 7
told q 'no-ssh.*not found'
fake killed <<'EOF2'
kill -9 $$
EOF2
through killed q 'cat' <"$T/in"
refuses 7 'ssh to 127.0.0.1 was ended by a signal'
nothing_left 5
