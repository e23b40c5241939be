#!/bin/sh
# Goal: With the same key on both sides the stream is as without one. With another
# key, or a key on one side only, the caller ends with 3 and is told why, and the
# listener keeps waiting. A file that cannot be a key is an error that says which,
# before anything is opened.
# promise: EXIT STATUS 2, EXIT STATUS 3, OPTIONS key
# limit: 60
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

umask 077
data 32 9 >"$T/key"
data 5000 10 >"$T/other"
umask 022
size=20000000
data $size >"$T/in"
printf x >"$T/one"
: >"$T/empty"

for words in '' 'checksum' 'legs 1 frame 4K' 'legs 16 window 1M'; do
	# shellcheck disable=SC2086
	rx r key "$T/key" >"$T/out"
	# shellcheck disable=SC2086
	tx t r key "$T/key" $words <"$T/in"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
	# shellcheck disable=SC2086
	offer o key "$T/key" ${words#legs * } <"$T/in"
	fetch f o key "$T/key" >"$T/out"
	ended f 0
	ended o 0
	same "$T/in" "$T/out"
done
for what in one empty; do
	rx r key "$T/key" | start sink cat >"$T/out"
	tx t r key "$T/key" <"$T/$what"
	ended t 0
	ended r 0
	ended sink 0
	same "$T/$what" "$T/out"
done

# `no REASON LISTENER'S_WORDS CALLER'S_WORDS`, whoever of them sends; then one
# with the right words is served.
no()
{
	# shellcheck disable=SC2086
	rx r $2 >"$T/out"
	# shellcheck disable=SC2086
	tx t r $3 <"$T/in"
	ended t 3
	told t "refused by 127.0.0.1:[0-9]*: $1\$"
	told r "refused 127.0.0.1:[0-9]*: $1\$"
	must_run r
	[ ! -s "$T/out" ] || fail "something was written"
	# shellcheck disable=SC2086
	tx t r $2 <"$T/in"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"

	# shellcheck disable=SC2086
	offer o $2 <"$T/in"
	# shellcheck disable=SC2086
	fetch f o $3 >"$T/out"
	ended f 3
	told f "refused by 127.0.0.1:[0-9]*: $1\$"
	[ ! -s "$T/out" ] || fail "something was fetched"
	# shellcheck disable=SC2086
	fetch f o $2 >"$T/out"
	ended f 0
	ended o 0
	same "$T/in" "$T/out"
}

no 'the key differs; checkphrase and name are part of it' "key $T/key" "key $T/other"
no 'the key differs; the listener has one, the caller has none' "key $T/key" ''
no 'the key differs; the caller has one, the listener has none' '' "key $T/key"
no 'the key differs; checkphrase and name are part of it' "key $T/key checkphrase abcd" "key $T/key"

# Of two receivers the one with the key.
rx wrong key "$T/other" >"$T/out2"
rx r key "$T/key" >"$T/out"
start t "$V" tx 127.0.0.1 "$(port wrong)" tx 127.0.0.1 "$(port r)" key "$T/key" <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"
[ ! -s "$T/out2" ] || fail "the other one has got something"
stop wrong

# Out of a pipe, whoever may read that; and a signal ends the wait for one.
mkfifo "$T/fifo"
rx r key "$T/key" >"$T/out"
tx t r key "$T/fifo" <"$T/in"
cat "$T/key" >"$T/fifo"
ended t 0
ended r 0
same "$T/in" "$T/out"
start t "$V" tx 127.0.0.1 1 key "$T/fifo" <"$T/in"
let_pass 0.3
signal t TERM
ended t signal:15 3

# One that the program made, as text; each time another; or bytes.
(umask 077 && "$V" key >"$T/fresh" && "$V" key >"$T/fresher")
[ "$(size_of "$T/fresh")" = 65 ] || fail "a key of $(size_of "$T/fresh") bytes"
grep -q -x '[0-9a-f]\{64\}' "$T/fresh" || fail "not 32 bytes as text"
! cmp -s "$T/fresh" "$T/fresher" || fail "the same key twice"
rx r key "$T/fresh" >"$T/out"
tx t r key "$T/fresher" <"$T/in"
ended t 3
tx t r key "$T/fresh" <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"
start b "$V" key >/dev/full
ended b 1
told b 'cannot print a key: No space left'

# Files that are no key.
bad()
{
	for side in "tx 127.0.0.1 1" "rx 0"; do
		# shellcheck disable=SC2086
		start b "$V" $side key "$1" </dev/null
		ended b 2 5
		told b "key '$1' .*$2"
		never_said b 'listening'
	done
}

bad "$T/none" 'No such file'
bad "$T" 'is a directory'
bad /dev/null 'is a device'
head -c 31 "$T/key" >"$T/short"
chmod 600 "$T/short"
bad "$T/short" 'has 31 bytes, which is too short; legal: 32 or more'
data 1048577 >"$T/long"
chmod 600 "$T/long"
bad "$T/long" 'too long'
for mode in 640 620 604 602; do
	cp "$T/key" "$T/open"
	chmod $mode "$T/open"
	bad "$T/open" "open to its group or to others (mode 0$mode)"
done
head -c 32 /dev/zero >"$T/zeros"
head -c 5000 /dev/zero | tr '\0' k >"$T/same"
chmod 600 "$T/zeros" "$T/same"
bad "$T/zeros" 'is one byte again and again'
bad "$T/same" 'is one byte again and again'
for mode in 622 620 602; do
	chmod $mode "$T/fifo"
	bad "$T/fifo" "may be written by its group or by others (mode 0$mode)"
done
if [ "$(id -u)" = 0 ]; then
	cp "$T/key" "$T/theirs"
	chmod 600 "$T/theirs"
	chown 54321 "$T/theirs"
	bad "$T/theirs" 'belongs to another user (number 54321)'
	chmod 600 "$T/fifo"
	chown 54321 "$T/fifo"
	bad "$T/fifo" 'belongs to another user (number 54321)'
else
	chmod 200 "$T/open"
	bad "$T/open" 'Permission denied'
fi
