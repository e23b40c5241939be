#!/bin/sh
# Goal: `congestion NAME` is what the sender's legs have, also those that are
# dialled anew; a name that the system does not know is refused before anything
# is opened, with those that it knows.
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need ss

size=8000000
data $size >"$T/in"
rx r >"$T/out"
proxy p r

# One that is not the system's own choice, where there is another.
cd /proc/sys/net/ipv4 2>/dev/null || skip "needs a system that tells which it knows"
read -r chosen <tcp_congestion_control
names=$(cat tcp_available_congestion_control)
cd "$TESTS/.."
for name in $names; do
	[ "$name" = "$chosen" ] || break
done
start t "$V" tx 127.0.0.1 "$(port p)" congestion nosuch <"$T/in"
ended t 2
told t "congestion 'nosuch' is not known here; these are: .*$name"
[ "$(proxy_count p accepted)" -eq 0 ] || fail "something was opened"

# Every leg of the sender, of two at least.
has_name()
{
	ss -t -i -n -H state established "dport = :$(port p)" >"$T/ss"
	all=$(grep -c -e cwnd "$T/ss" || :)
	having=$(grep -c -e "[[:space:]]${name}[[:space:]]" "$T/ss" || :)
	[ "$all" -ge 2 ] && [ "$having" -eq "$all" ]
}
source_of $size hold="$((size / 2)):$T/go" |
    tx t p threads 2 congestion "$name"
arrived "$T/out" $((size / 2))
within 5 has_name || fail "not every leg has $name: $(cat "$T/ss")"
ask p reset both all
told t 'going on after'
within 5 has_name || fail "not every new leg has $name: $(cat "$T/ss")"
: >"$T/go"
ended t 0
ended r 0
same "$T/in" "$T/out"
