#!/bin/sh
# Goal: Over a path of 80 ms a byte comes and goes through `ssh` whichever path is
# open: directly, with `tunnel`, and where a filter drops or refuses everything but
# ssh, as quickly. Neither side prints anything about the paths that were not needed. A
# transfer that lasts says once that its legs go through ssh. The time is printed.
# promise: OPTIONS ssh, OPTIONS tunnel
# waits
# takes: 35
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
need_root "makes an emulated path"
PATH=$PATH:/usr/sbin
need nft
lab 200M/80ms
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

SERVE_IN="ip netns exec $NS_B"
sshd_begin 10.77.0.2
here()
{
	ip netns exec "$NS_A" "$@"
}

filter '' 2>"$T/nft" || skip "needs nftables: $(cat "$T/nft")"

# `first COMMAND ...`: hundredths of a second until the first byte comes back.
cat >"$T/first.py" <<'END'
import subprocess, sys, time
began = time.monotonic()
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
p.stdin.write(b"x")
p.stdin.close()
assert p.stdout.read(1) == b"x"
print("%.0f" % ((time.monotonic() - began) * 100))
assert p.stdout.read() == b"" and p.wait() == 0
END
first()
{
	here "$PY" -IS "$T/first.py" "$@" 2>"$T/p.err" || fail "the command failed"
}

# `one [WORD ...]`
one()
{
	_took=$(first "$V" ssh there exec cat ssh-command "$SSH" remote-program "$T/far" "$@")
	echo "$_took hundredths of a second"
}

# shellcheck disable=SC2086
echo "ssh alone: $(first $SSH there cat) hundredths of a second"
one
[ ! -s "$T/p.err" ] || fail "something to say about a success"
one tunnel
[ ! -s "$T/p.err" ] || fail "something to say about a success"
for verdict in drop 'reject with tcp reset' reject 'reject with icmp admin-prohibited'; do
	filter "$verdict"
	one
	[ ! -s "$T/p.err" ] || fail "something to say about a success"
	# For as long as a login takes, and more.
	data 3000000 >"$T/in"
	source_of 3000000 hold="1000000:$T/go" | start p ip netns exec "$NS_A" "$V" ssh there \
	    exec "cat >$T/out" ssh-command "$SSH" remote-program "$T/far"
	told p 'port [0-9]* of there cannot be reached; the legs go through ssh' 20
	: >"$T/go"
	ended p 0
	same "$T/in" "$T/out"
	once p 'cannot be reached; the legs go through ssh'
	[ "$(wc -l <"$T/p.err")" = 1 ] || fail "more to say about a success"
	rm "$T/go"
done

# A master that stands carries the first leg, which needs no login then.
filter ''
# shellcheck disable=SC2086
here $SSH -S "$T/master" -o ControlPersist=60 -fNM there
SSH="$SSH -S $T/master"
one tunnel
[ ! -s "$T/p.err" ] || fail "something to say about a success"
# The last words may still be on their way through it.
served()
{
	[ -z "$(far SERVE)" ]
}
within 10 served || fail "left: $(far SERVE)"
# shellcheck disable=SC2086
here $SSH -O exit there 2>"$T/exit"
nothing_left 5
