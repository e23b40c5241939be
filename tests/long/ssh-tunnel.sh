#!/bin/sh
# Goal: If the port of the remote side is filtered, by silence or by refusal, the legs
# go through ssh within seconds, with a line that says so, and go back to the direct
# path when the filter is gone. With `tunnel` nothing but ssh's own port carries data.
# If ssh forwards nothing, a message says so, and the stream goes over ssh's own pipe.
# waits
# limit: 150
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"
need_root "filters packets"
need unshare
need ip
PATH=$PATH:/usr/sbin
need nft
# All of it is in a namespace of its own: ssh and the legs go to $FAR, tunnels to
# the loopback's usual address, as on two machines.
FAR=10.78.0.1
if [ "${INSIDE:-}" != yes ]; then
	unshare -n true 2>"$T/unshare" || skip "needs network namespaces: $(cat "$T/unshare")"
	_status=0
	INSIDE=yes unshare -n sh "$0" || _status=$?
	exit $_status
fi
ip link set lo up
ip address add $FAR/32 dev lo
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
nft add table ip t 2>"$T/nft" || skip "needs nftables: $(cat "$T/nft")"
nft add chain ip t in '{ type filter hook input priority 0; }'
sshd_begin $FAR

# What crosses the network, and what of it is not ssh's.
nft add counter ip t other
nft add counter ip t ssh
counted()
{
	nft list counter ip t "$1" | sed -n 's/.*bytes \([0-9]*\).*/\1/p'
}

# `filter OUTCOME`: nothing but ssh gets through to $FAR; `filter` lets all in.
filter()
{
	nft flush chain ip t in
	nft add rule ip t in ip daddr $FAR tcp dport "$SSH_PORT" counter name ssh accept
	nft add rule ip t in ip daddr $FAR tcp sport "$SSH_PORT" accept
	# shellcheck disable=SC2086
	[ -z "$1" ] || nft add rule ip t in ip daddr $FAR tcp dport 1-65535 counter name other $1
}

# Seconds since the local side was started, in hundredths.
began()
{
	read_clock
	BEGAN=$NOW
}

took()
{
	read_clock
	echo "took $((NOW - BEGAN)) hundredths of a second"
	[ $((NOW - BEGAN)) -le $(($1 * 100 * SLOW)) ] || fail "it took too long"
}

through_ssh()
{
	far SSH | grep -q -e ' -W '
}

not_through_ssh()
{
	! through_ssh
}

size=20000000
data $size >"$T/in"

# --- filtered from the start --------------------------------------------------

for verdict in drop 'reject with tcp reset' reject; do
	filter "$verdict"
	rm -f "$T/out"
	began
	push p "cat >$T/out" <"$T/in"
	ended p 0
	took 10
	same "$T/in" "$T/out"
	nothing_left 5
	# So long that other legs are dialled.
	source_of $size hold="5000000:$T/go" | push p "cat >$T/out"
	told p 'port [0-9]* of there cannot be reached; the legs go through ssh'
	within 10 through_ssh || fail "not through ssh"
	: >"$T/go"
	ended p 0
	same "$T/in" "$T/out"
	nothing_left 5
	rm "$T/go"
	pull p "until [ -e $T/go ]; do sleep 0.1; done; cat $T/in" >"$T/out"
	told p 'port [0-9]* of there cannot be reached; the legs go through ssh'
	within 10 through_ssh || fail "not through ssh"
	: >"$T/go"
	ended p 0
	same "$T/in" "$T/out"
	nothing_left 5
	rm "$T/go"
done
# Who is refused need not wait.
began
push p "cat >$T/out" wait 10 <"$T/in"
ended p 0
took 9
rm "$T/out"

# --- the filter comes and goes ------------------------------------------------

for verdict in drop 'reject with tcp reset'; do
	filter ''
	source_of $size hold="5000000:$T/one" hold="10000000:$T/two" hold="15000000:$T/three" |
	    push p "cat >$T/out" heartbeat 3 verbose 4
	arrived "$T/out" 5000000
	! through_ssh || fail "through ssh without a need"
	filter "$verdict"
	: >"$T/one"
	arrived "$T/out" 10000000 25
	within 10 through_ssh || fail "not through ssh"
	told p 'port [0-9]* of there cannot be reached; the legs go through ssh'
	filter ''
	: >"$T/two"
	arrived "$T/out" 15000000
	within 20 not_through_ssh || fail "the legs do not go home"
	told p 'down: it is not needed there any more'
	: >"$T/three"
	ended p 0
	same "$T/in" "$T/out"
	never_said p 'leg [0-9]* to there through ssh lost'
	nothing_left 5
	rm "$T/one" "$T/two" "$T/three" "$T/out"
done

# --- nothing but ssh ----------------------------------------------------------

filter 'reject'
other=$(counted other)
ssh=$(counted ssh)
push p "cat >$T/out" tunnel <"$T/in"
ended p 0
same "$T/in" "$T/out"
[ ! -s "$T/p.err" ] || fail "something to say about a success"
[ "$(counted other)" = "$other" ] || fail "something crossed the network beside ssh"
[ "$(counted ssh)" -ge $((ssh + size)) ] || fail "the data took another way"
rm "$T/out"
source_of $size hold="5000000:$T/go" | push p "cat >$T/out" tunnel
arrived "$T/out" 5000000
listens_on="$("$TESTS/../build/t_sockets" listening "$(far SERVE)")"
ss -H -t -l -n "sport = :$listens_on" | grep -q "127.0.0.1:$listens_on" ||
    fail "it listens for others, too: $(ss -H -t -l -n "sport = :$listens_on")"
: >"$T/go"
ended p 0
same "$T/in" "$T/out"
[ "$(counted other)" = "$other" ] || fail "something crossed the network beside ssh"
nothing_left 5
rm "$T/go"

# Nothing gets through any more, and this side is ended: no ssh waits for the network.
rm "$T/out"
source_of $size hold="5000000:$T/never" | push p "cat >$T/out" tunnel timeout 5
arrived "$T/out" 5000000
nft insert rule ip t in ip daddr $FAR tcp dport "$SSH_PORT" drop
nft insert rule ip t in ip daddr $FAR tcp sport "$SSH_PORT" drop
signal p TERM
ended p signal:15 6
no_ssh()
{
	[ -z "$(far SSH)" ]
}
within 3 no_ssh || fail "left: $(far SSH)"
stop src
filter 'reject'
nothing_left 30

# --- ssh forwards nothing -----------------------------------------------------

signal sshd TERM
ended sshd any
sed -i 's/^AllowTcpForwarding.*/AllowTcpForwarding no/' "$T/sshd_config"
PORT=$SSH_PORT
server
within 10 up sshd "$SSH_PORT" || fail "sshd does not listen"
for way in '' tunnel; do
	# shellcheck disable=SC2086
	source_of $size hold="5000000:$T/go" | push p "cat >$T/out" $way
	told p 'cannot connect to there:[0-9]*: ssh: .*administratively prohibited'
	: >"$T/go"
	ended p 0
	same "$T/in" "$T/out"
	nothing_left 5
	rm "$T/go"
done
# What does not answer at all may still come.
filter drop
source_of $size hold="5000000:$T/go" | push p "cat >$T/out" verbose 4
told p 'cannot connect to there:[0-9]*: ssh: .*administratively prohibited'
filter ''
told p '^[^(]*leg [0-9]* up: 10.78.0.1:' 30
: >"$T/go"
ended p 0
same "$T/in" "$T/out"
nothing_left 5
# Directly it goes all the same.
filter ''
push p "cat >$T/out" <"$T/in"
ended p 0
same "$T/in" "$T/out"
nothing_left 5
