#!/bin/sh
# Goal: A way that greets and carries nothing, because large packets vanish on it, is
# not used for long: the stream goes by the next address of the name, or with smaller
# packets where there is no other, whichever side calls; and with `ssh` through the
# tunnel.
# promise: DESCRIPTION, OPTIONS ssh
# waits
# limit: 150
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
need nft
need unshare
need_root "makes an emulated path"
lab 20M/20ms,20M/20ms --sysctl net.ipv4.tcp_mtu_probing=0
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

# `swallow NAMESPACE BYTES [MATCH ...]`: larger packets that match vanish on their way in.
swallow()
{
	_ns=$1
	_bytes=$2
	shift 2
	ip netns exec "$_ns" nft -f - <<-RULES || skip "needs nftables in a namespace"
		table ip hole {
			chain in {
				type filter hook prerouting priority 0;
				$* meta length > $_bytes counter drop
			}
		}
	RULES
}

# `heal NAMESPACE`: not any more; some did.
heal()
{
	_lost=$(ip netns exec "$1" nft list chain ip hole in |
	    sed -n 's/.*packets \([0-9]*\).*/\1/p')
	[ "$_lost" -ge 3 ] || fail "no packet was swallowed"
	ip netns exec "$1" nft delete table ip hole
}

size=4000000
data $size >"$T/in"

# The name has two addresses; the first has the hole, and no small packet helps.
printf '10.77.0.2 receiver.test\n10.77.1.2 receiver.test\n' >"$T/hosts"
# shellcheck disable=SC2016
with_hosts='mount --bind "$T/hosts" /etc/hosts && exec "$@"'
unshare -m sh -c "$with_hosts" sh getent ahosts receiver.test >"$T/seen" ||
    skip "needs mount namespaces and /etc/hosts"
first=$(sed -n '1s/ .*//p' "$T/seen")
case $first in
10.77.[01].2)	;;
*)	skip "names do not come from /etc/hosts" ;;
esac
swallow "$NS_B" 300 ip daddr "$first"
lab_rx r heartbeat 3 >"$T/out"
start t ip netns exec "$NS_A" unshare -m sh -c "$with_hosts" sh \
    "$V" tx receiver.test "$(port r)" heartbeat 3 <"$T/in"
exact 20
heal "$NS_B"

# One address. The sender calls, then the receiver.
swallow "$NS_B" 1300
lab_rx r heartbeat 3 >"$T/out"
lab_tx t r 0 heartbeat 3 <"$T/in"
exact 20
heal "$NS_B"
swallow "$NS_A" 1300
start t ip netns exec "$NS_B" "$V" offer 0 heartbeat 3 <"$T/in"
told t "listening on .*:[0-9][0-9]*$" 20
start r ip netns exec "$NS_A" "$V" fetch 10.77.0.2 "$(port t)" heartbeat 3 >"$T/out"
exact 30
heal "$NS_A"

# Only ssh itself gets through.
# shellcheck disable=SC2034
SERVE_IN="ip netns exec $NS_B"
sshd_begin 10.77.0.2
swallow "$NS_B" 300 iif != lo tcp dport != "$SSH_PORT"
source_of $size hold="$((size - 1)):$T/go" | start p ip netns exec "$NS_A" "$V" ssh there \
    exec "cat >$T/out" heartbeat 3 ssh-command "$SSH" remote-program "$T/far"
arrived "$T/out" $((size - 100000))
told p 'the legs go through ssh' 30
: >"$T/go"
ended p 0 30
same "$T/in" "$T/out"
heal "$NS_B"
nothing_left 10
