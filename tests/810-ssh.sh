#!/bin/sh
# Goal: One command starts the other side through a real ssh. Trees arrive complete,
# pushed and pulled; the statuses of both sides and of the command are right and each
# reason is printed once; what the command prints comes back; words, ports and paths
# reach the side that they are for.
# promise: EXIT STATUS 0, EXIT STATUS 1, EXIT STATUS 6, EXIT STATUS 7, OPTIONS congestion,
#          OPTIONS path, OPTIONS ports, OPTIONS remote-program, OPTIONS ssh, OPTIONS ssh-command
# waits
# takes: 60
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
need tar

sshd_begin 127.0.0.1

# --- trees --------------------------------------------------------------------

mkdir -p "$T/tree/a b/c" "$T/to" "$T/back"
data 3000000 >"$T/tree/a b/c/big"
: >"$T/tree/empty"
ln "$T/tree/empty" "$T/tree/a b/linked"
ln -s nowhere "$T/tree/dangling"
chmod 751 "$T/tree/a b"
printf 'x\n' >"$T/tree/sp ace '\"\$q"
tree_of()
{
	(cd "$1" && find . -printf '%p %y %m %s %n %l\n' | sort && find . -type f -exec cksum {} + |
	    sort)
}
tree_of "$T/tree" >"$T/tree.is"
tar -C "$T/tree" -cf - . | push p "tar -C $T/to -xpf - && echo Succeeded" >"$T/said"
ended p 0
[ "$(cat "$T/said")" = Succeeded ] || fail "it did not say what it says: $(cat "$T/said")"
tree_of "$T/to" >"$T/to.is"
diff "$T/tree.is" "$T/to.is" || fail "another tree"
[ ! -s "$T/p.err" ] || fail "something to say about a success"
pull p "tar -C $T/to -cf - ." </dev/null | start untar tar -C "$T/back" -xpf -
ended p 0
ended untar 0
tree_of "$T/back" >"$T/back.is"
diff "$T/tree.is" "$T/back.is" || fail "another tree comes back"
[ ! -s "$T/p.err" ] || fail "something to say about a success"
nothing_left 5

# --- statuses and reasons -----------------------------------------------------

size=20000000
data $size >"$T/in"

# The command fails at the start, in the middle and after the end.
push p "echo no space >&2; exit 7" <"$T/in"
ended p 6
once p "the receiver's command exited 7"
once p 'no space'
push p "head -c 5000000 >$T/out; echo half >&2; exit 1" <"$T/in"
ended p 6
once p "the receiver's command exited 1"
once p 'half'
begins "$T/out" "$T/in"
push p "cat >$T/out; echo late >&2; exit 3" <"$T/in"
ended p 6
once p "the receiver's command exited 3"
once p 'late'
same "$T/in" "$T/out"
push p "exec head -c 1000" <"$T/in" >"$T/said"
ended p 6
once p "the receiver's command exited 0 before the end"
push p 'kill -9 $$' <"$T/in"
ended p 6
once p "the receiver's command was ended by signal 9"
push p "no-such-command-$$ -x" <"$T/in"
ended p 6
once p "the receiver's command exited 127"
once p "no-such-command-$$.*not found"

# The source fails likewise.
pull p "exit 9" >"$T/out"
ended p 6
once p "the sender's command exited 9"
[ ! -s "$T/out" ] || fail "something out of nothing"
pull p "head -c 5000000 $T/in; echo broken >&2; exit 2" >"$T/out"
ended p 6
once p "the sender's command exited 2"
once p 'broken'
begins "$T/out" "$T/in"
pull p "cat $T/in; kill -TERM \$\$" >"$T/out"
ended p 6
once p "the sender's command was ended by signal 15"

# This side's own input and output.
start p in="$T" "$V" ssh there exec "cat >$T/out" ssh-command "$SSH" remote-program "$T/far"
ended p 1
once p 'cannot read standard input'
pull p "cat $T/in" | start sink head -c 100000 >"$T/out"
ended p 1
once p 'the reader of standard output has closed it'
nothing_left 8

# What the command prints comes back whole, also when its reader is slow to begin:
# so much that the command has to wait, and so little that it has long ended.
mkfifo "$T/slow"
for part in $size 500000; do
	head -c "$part" "$T/in" >"$T/part"
	exec 5<>"$T/slow"
	push p "cat >/dev/null; cat $T/part" </dev/null >"$T/slow"
	exec 6<"$T/slow" 5>&-
	let_pass 13
	must_run p
	cat <&6 >"$T/said"
	exec 6<&-
	ended p 0
	same "$T/part" "$T/said"
	never_said p 'may be missing'
done

# What it leaves behind holds up nobody.
echo x | push p "cat; sleep 60 & echo \$! >$T/daemon" >"$T/said"
ended p 0 10
[ "$(cat "$T/said")" = x ] || fail "it did not say what it says"
kill "$(cat "$T/daemon")"
nothing_left 5

# --- words --------------------------------------------------------------------

# The first of the ports are taken.
free_port
first=$PORT
start taken "$PY" -IS -c 'import socket, sys, time
s = socket.create_server(("", int(sys.argv[1])))
t = socket.create_server(("", int(sys.argv[1]) + 1))
print("there", file=sys.stderr, flush=True)
time.sleep(60)' "$first"
within 10 says_or_gone taken there || fail "no port is taken"
if is_running taken; then
	push p "cat >$T/out" ports "$first-$((first + 20))" verbose 4 <"$T/in"
	ended p 0
	same "$T/in" "$T/out"
	_port=$(sed -n 's/^[^(]*leg 0 up: .*:\([0-9]*\) .*/\1/p' "$T/p.err" | head -n 1)
	if [ "$_port" -lt $((first + 2)) ] || [ "$_port" -gt $((first + 20)) ]; then
		fail "port $_port of $first-$((first + 20))"
	fi
	push p "cat >$T/out" ports "$first" <"$T/in"
	ended p 7
	once p "(.*): cannot listen on any address port $first"
	once p 'gave no answer and ended with status 1'
fi
stop taken

# Addresses in order of preference, before the host's own.
push p "cat >$T/out" path 127.0.0.2 from 127.0.0.3 path 127.0.0.4 legs 6 verbose 4 <"$T/in"
ended p 0
same "$T/in" "$T/out"
told p '^[^(]*leg 0 up: 127.0.0.2:'
told p '(.*leg 0 up: 127.0.0.3:'
pull p "cat $T/in" path 127.0.0.2 legs 6 verbose 4 >"$T/out"
ended p 0
same "$T/in" "$T/out"
told p '^[^(]*leg 0 up: 127.0.0.2:'
told p '^[^(]*leg 1 up: 127.0.0.1:'

# The remote side is the one that they are for.
pull p "cat $T/in" checksum window 2M frame 64k verbose 2 >"$T/out"
ended p 0
same "$T/in" "$T/out"
[ "$(grep -c "digest [0-9a-f]" "$T/p.err")" = 2 ] || fail "no digest on both sides"
pull p "cat $T/in" congestion no-such-one >"$T/out"
ended p 7
once p "(.*): congestion 'no-such-one' is not known here"
push p "cat >$T/out" checkphrase abcd timeout 100 heartbeat 7 checksum <"$T/in"
ended p 0
same "$T/in" "$T/out"
push p "cat >$T/out" bind 127.0.0.9 verbose 4 <"$T/in"
ended p 0
told p 'leg 0 up: 127.0.0.9:'
same "$T/in" "$T/out"
push p "cat >$T/out" bind 127.0.0.9 tunnel verbose 4 <"$T/in"
ended p 0
told p 'leg [0-9]* up: there through ssh'
same "$T/in" "$T/out"
nothing_left 5
