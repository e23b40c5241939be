#!/bin/sh
# Goal: Two sides with different names of the transfer, or a name on one side only, do
# not come together, with a key and without: the caller ends with 3 and is told why, and
# the listener keeps waiting. With the same name all is as without; commands find it, also
# on the other side of ssh, and find none where there is none.
# promise: EXIT STATUS 3, OPTIONS name, ENVIRONMENT
# limit: 60
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

(umask 077 && data 32 9 >"$T/key")
size=3000000
data $size >"$T/in"
long=$(head -c 255 /dev/zero | tr '\0' n)

# `apart REASON`: with the words that follow, the first for the listener.
apart()
{
	reason=$1
	mine=$2
	shift 2
	# shellcheck disable=SC2086
	start r "$V" rx 0 $key name "$mine" >"$T/out"
	told r 'listening on .*:[0-9][0-9]*$' 20
	# shellcheck disable=SC2086
	tx t r $key "$@" <"$T/in"
	ended t 3
	told t "refused by 127.0.0.1:[0-9]*: $reason\$"
	told r "refused 127.0.0.1:[0-9]*: $reason\$"
	must_run r
	[ ! -s "$T/out" ] || fail "something was written"
	# shellcheck disable=SC2086
	tx t r $key name "$mine" <"$T/in"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
}

for key in '' "key $T/key"; do
	reason='the name of the transfer differs'
	[ -z "$key" ] || reason='the key differs; checkphrase and name are part of it'
	apart "$reason" 'of two words' name 'of two  words'
	apart "$reason" 'of two words'
	apart "$reason" "$long" name "${long%n}"
	# shellcheck disable=SC2086
	offer o $key <"$T/in"
	# shellcheck disable=SC2086
	fetch f o $key name other >"$T/out"
	ended f 3
	told f "$reason"
	stop o
done
start r "$V" rx 0 name "n$long" >"$T/out"
ended r 2
told r 'name .* a line of 1 to 255 characters'

# shellcheck disable=SC2016
{
	VIAMILLIPEDE_NAME=inherited rx r name 'a b' exec sh -c \
	    'echo "<$VIAMILLIPEDE_NAME>" >"$T/named"; cat >"$T/out"'
	tx t r name 'a b' <"$T/in"
	ended t 0
	ended r 0
	[ "$(cat "$T/named")" = '<a b>' ] || fail "the command found $(cat "$T/named")"
	VIAMILLIPEDE_NAME=inherited rx r exec sh -c \
	    'echo "<${VIAMILLIPEDE_NAME-none}>" >"$T/named"; cat >"$T/out"'
	tx t r <"$T/in"
	ended t 0
	ended r 0
	[ "$(cat "$T/named")" = '<none>' ] || fail "the command found $(cat "$T/named")"
	sshd_begin 127.0.0.1
	push p 'echo "<$VIAMILLIPEDE_NAME>"; cat >'"$T/out" name 'over there' <"$T/in" >"$T/named"
	ended p 0
	same "$T/in" "$T/out"
	[ "$(cat "$T/named")" = '<over there>' ] || fail "the command found $(cat "$T/named")"
}
