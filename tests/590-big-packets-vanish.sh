#!/bin/sh
# Goal: A path passes small packets and swallows large ones, as behind a broken
# tunnel: legs come up, greet and carry nothing. That is no progress, so `timeout`
# ends both sides with 4; if the path heals before, nothing was lost.
# promise: EXIT STATUS 4, OPTIONS timeout
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
need nft
lab 20M/20ms --sysctl net.ipv4.tcp_mtu_probing=0

# Packets of more than 600 bytes are dropped on their way in.
swallow()
{
	in_b nft -f - <<-'RULES' || skip "needs nftables in a namespace"
		table ip hole {
			chain in {
				type filter hook prerouting priority 0;
				meta length > 600 counter drop
			}
		}
	RULES
}

# How many were.
swallowed()
{
	in_b nft list chain ip hole in | sed -n 's/.*packets \([0-9]*\).*/\1/p'
}

size=14000000
data $size >"$T/in"
lab_rx r heartbeat 3 >"$T/out"
lab_tx t r 0 heartbeat 3 <"$T/in"
arrived "$T/out" 3000000
swallow
told t 'silent\|lost' 10
[ "$(swallowed)" -ge 3 ] || fail "no packet was swallowed"
in_b nft delete table ip hole
exact 20

lab_rx r heartbeat 3 | start sink cat >"$T/out"
lab_tx t r 0 heartbeat 3 timeout 5 <"$T/in"
arrived "$T/out" 3000000
swallow
ended t 4 15
told t 'progress'
ended r 4 12
told r 'progress'
ended sink 0
begins "$T/out" "$T/in"
[ "$(swallowed)" -ge 3 ] || fail "no packet was swallowed"
