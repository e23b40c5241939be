#!/bin/sh
# Goal: Two receivers behind one name, or on two paths, never share a stream: one gets
# all of it, the other nothing, and that one can still be used.
# promise: DESCRIPTION, EXIT STATUS 0
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=20000000
data $size >"$T/in"

# `only_one`: exactly one of a and b has the stream; sets $other.
one_ended()
{
	! is_running a || ! is_running b
}

only_one()
{
	within 10 one_ended || fail "both still run"
	if is_running a; then other=a one=b; else other=b one=a; fi
	ended $one 0
	must_run $other
	same "$T/in" "$T/out.$one"
	[ ! -s "$T/out.$other" ] || fail "$other wrote bytes as well"
}

# Two paths.
rx a >"$T/out.a"
rx b >"$T/out.b"
source_of $size rate=20000000 |
    start t "$V" tx 127.0.0.1 "$(port a)" tx 127.0.0.1 "$(port b)" legs 8
ended t 0
only_one
told t 'not the receiver'
told $other 'not the receiver'
head -c 1000000 "$T/in" >"$T/in2"
tx t2 $other <"$T/in2"
ended t2 0
ended $other 0
same "$T/in2" "$T/out.$other"

# One name with two addresses, the same port on each.
cat >"$T/hosts" <<END
127.0.0.1 localhost
127.0.0.2 two.receivers
127.0.0.3 two.receivers
END
unshare=unshare
[ "$(id -u)" = 0 ] || unshare='unshare -r'
# shellcheck disable=SC2016
inside='mount --bind "$1" /etc/hosts && shift && exec "$@"'
if ! $unshare -m sh -c "$inside" sh "$T/hosts" \
    getent ahosts two.receivers >"$T/addresses" 2>&1; then
	skip "two paths passed; two addresses need a mount namespace"
fi
[ "$(grep -c STREAM "$T/addresses")" -eq 2 ] ||
    skip "two paths passed; the system gives one address of two"
for turn in 1 2; do
	rm -f "$T/out.a" "$T/out.b"
	rx a bind 127.0.0.2 >"$T/out.a"
	start b "$V" rx "$(port a)" bind 127.0.0.3 verbose 2 >"$T/out.b"
	told b 'listening on'
	# shellcheck disable=SC2086
	source_of $size rate=20000000 |
	    start t $unshare -m sh -c "$inside" sh "$T/hosts" \
	    "$V" tx two.receivers "$(port a)" legs 8 timeout 4
	if [ $turn = 2 ]; then
		arrived "$T/out.a" 100000
		# Its own receiver dies; the other address has another one.
		# At the first address it might come back, so tx may also
		# wait for that.
		signal a KILL
		ended a signal:9
		ended t nonzero 12
		case $ENDED in exit:1|exit:4) ;; *) fail "t: $ENDED" ;; esac
		must_run b
		[ ! -s "$T/out.b" ] || fail "b wrote bytes"
		break
	fi
	ended t 0
	only_one
	signal $other TERM
	ended $other signal:15
done
