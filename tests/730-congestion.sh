#!/bin/sh
# Goal: `congestion NAME` is what all the sender's connections use, also those that
# are dialled again. A name that the system does not know is refused, and those that
# it knows are listed.
# promise: OPTIONS congestion
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need ss
list=/proc/sys/net/ipv4/tcp_available_congestion_control
[ -r $list ] || skip "needs a system that lists its congestion controls"

_status=0
"$V" tx 127.0.0.1 9 congestion frobnicate </dev/null >"$T/nothing" 2>"$T/usage.err" || _status=$?
[ $_status -eq 2 ] || fail "an unknown name: status $_status"
# shellcheck disable=SC2013
for name in $(cat $list) frobnicate; do
	grep -q "'frobnicate'.*[ :]$name\|$name' is not known" "$T/usage.err" ||
	    fail "$name is not told: $(cat "$T/usage.err")"
done

# `all_use NAME`: of the connections to the receiver, sender's side.
all_use()
{
	ss -H -t -n -i state established "dport = :$(port p)" >"$T/ss"
	n=$(grep -c "^[^ 	].*:$(port p)" "$T/ss" || :)
	[ "$n" -ge 2 ] && [ "$n" -eq "$(grep -c "^[ 	].* $1 \|^[ 	]*$1 " "$T/ss" || :)" ]
}

size=3000000
data $size >"$T/in"
tried=0
# shellcheck disable=SC2013
for name in $(cat $list); do
	rx r >"$T/out"
	proxy p r
	rm -f "$T/go"
	source_of $size hold="2000000:$T/go" | tx t p congestion "$name" legs 4
	arrived "$T/out" 1900000
	within 10 all_use "$name" || fail "$name is not used: $(cat "$T/ss")"
	ask p accept refuse
	ask p reset both all
	told t 'no leg is up'
	ask p accept normal
	told t 'going on after'
	within 10 all_use "$name" || fail "$name is not used anew: $(cat "$T/ss")"
	: >"$T/go"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
	signal p TERM
	ended p any
	tried=$((tried + 1))
done
# One of them must be another than the system's own, or this proves nothing.
[ $tried -ge 2 ] || skip "this system has one congestion control only"
