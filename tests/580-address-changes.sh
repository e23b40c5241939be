#!/bin/sh
# Goal: Either end comes back with another address: the receiver's name is resolved
# again at each dial, and the sender's own address does not matter.
# promise: DESCRIPTION
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 20M/20ms

# /etc/hosts as the sender sees it, and only the sender.
need unshare
echo '10.77.0.2 receiver.test' >"$T/hosts"
# shellcheck disable=SC2016
with_hosts='mount --bind "$T/hosts" /etc/hosts && exec "$@"'
seen=$(unshare -m sh -c "$with_hosts" sh getent hosts receiver.test) ||
    skip "needs mount namespaces and /etc/hosts"
echo "$seen" | grep -q '^10\.77\.0\.2 ' || skip "names do not come from /etc/hosts"

size=20000000
data $size >"$T/in"
lab_rx r heartbeat 3 >"$T/out"
source_of $size hold="$size:$T/go" | start t ip netns exec "$NS_A" \
    unshare -m sh -c "$with_hosts" sh \
    "$V" tx receiver.test "$(port r)" heartbeat 3
arrived "$T/out" 4000000
in_b ip addr add 10.77.0.3/24 dev wan0
in_b ip addr del 10.77.0.2/24 dev wan0
in_b ip addr replace 10.77.0.3/24 dev wan0
echo '10.77.0.3 receiver.test' >"$T/hosts"
told t 'silent\|lost' 10
before=$(size_of "$T/out")
[ "$before" -lt $size ] || fail "too late"
arrived "$T/out" $((before + 2000000)) 10
[ -n "$(in_b ss -H -t -n state established src 10.77.0.3)" ] ||
    fail "not over the new address"

in_a ip addr del 10.77.0.1/24 dev wan0
in_a ip addr add 10.77.0.9/24 dev wan0
before=$(size_of "$T/out")
[ "$before" -lt $size ] || fail "too late"
arrived "$T/out" $((before + 2000000)) 15
[ -n "$(in_b ss -H -t -n state established dst 10.77.0.9)" ] ||
    fail "not from the new address"
: >"$T/go"
exact 20
