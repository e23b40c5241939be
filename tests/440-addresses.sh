#!/bin/sh
# Goal: `bind` and `from` do what they say, for IPv4 and IPv6, with brackets and
# without. rx without `bind` takes both; of several paths each has its own `from`.
# promise: OPTIONS bind, OPTIONS from
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

data 1000000 >"$T/in"

# `carried TX-WORDS ...`: to r, exactly.
carried()
{
	start t "$V" "$@" <"$T/in"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
	rm -f "$T/out"
}

has_ipv6=no
[ ! -e /proc/net/if_inet6 ] || ! grep -q -e ' lo$' /proc/net/if_inet6 || has_ipv6=yes

rx r >"$T/out"
carried tx 127.0.0.1 "$(port r)"
rx r >"$T/out"
carried tx localhost "$(port r)"
rx r bind 127.0.0.2 >"$T/out"
told r 'listening on 127.0.0.2:'
start no "$V" tx 127.0.0.1 "$(port r)" wait 1 </dev/null
ended no 4 5
carried tx 127.0.0.2 "$(port r)"

if [ $has_ipv6 = yes ]; then
	rx r >"$T/out"
	carried tx ::1 "$(port r)"
	rx r >"$T/out"
	carried tx '[::1]' "$(port r)"
	rx r bind ::1 >"$T/out"
	told r 'listening on \[::1\]:'
	carried tx ::1 "$(port r)"
	rx r bind '[::1]' >"$T/out"
	carried tx ::1 "$(port r)" from ::1
	rx r >"$T/out"
	carried tx ::1 "$(port r)" tx 127.0.0.1 "$(port r)" legs 4
fi

# The source address of each path, as the receiver's side of it shows.
rx r >"$T/out"
source_of 1000000 hold="900000:$T/go" |
    start t "$V" tx 127.0.0.1 "$(port r)" from 127.0.0.7 \
    tx 127.0.0.1 "$(port r)" from 127.0.0.8 legs 4
peers_seen()
{
	"$TESTS/../build/t_sockets" addresses "$(pid t)" >"$T/addresses"
	grep -q -x -e 127.0.0.7 "$T/addresses" &&
	    grep -q -x -e 127.0.0.8 "$T/addresses"
}
within 10 peers_seen || fail "source addresses: $(cat "$T/addresses")"
! grep -v -x -e 127.0.0.7 -e 127.0.0.8 "$T/addresses" ||
    fail "other source addresses"
: >"$T/go"
ended t 0
ended r 0
same "$T/in" "$T/out"

# An interface by its name.
rx r >"$T/out"
carried tx 127.0.0.1 "$(port r)" from lo

# What cannot be had is said, at once or after `wait`, and is no crash.
start bad "$V" rx 0 bind 192.0.2.77
ended bad nonzero 5
told bad '192.0.2.77'
rx r >"$T/out"
start bad "$V" tx 127.0.0.1 "$(port r)" from 192.0.2.77 wait 2 </dev/null
ended bad nonzero 8
told bad '192.0.2.77'
start bad "$V" tx 127.0.0.1 "$(port r)" from nosuchif0 wait 2 </dev/null
ended bad nonzero 8
told bad 'nosuchif0'
must_run r

# A port that is taken.
start bad "$V" rx "$(port r)"
ended bad 1 5
told bad "$(port r).*in use\|in use"
