#!/bin/sh
# Goal: Who listens in on the network finds nothing of a stream that has a key, whoever
# calls, nor of what `ssh` carries over legs of its own; of a stream without a key he
# finds it.
# promise: OPTIONS key, OPTIONS ssh, SECURITY CONSIDERATIONS
# waits
# limit: 60
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
own_network "captures packets"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

(umask 077 && data 32 9 >"$T/key")
marker=nobody-may-read-this-of-the-stream
size=4000000
yes $marker | tr -d '\n' | head -c $size >"$T/in"

# `capture`, and then `captured LEAST`: so many bytes crossed; $FOUND packets
# hold the marker.
capture()
{
	start tap "$PY" -IS "$TESTS/t_capture.py" lo $marker
	told tap '^capturing'
}

captured()
{
	signal tap TERM
	ended tap 0
	# shellcheck disable=SC2046
	set -- "$1" $(tail -n 1 "$T/tap.err" | tr -d ,)
	echo "$2 packets of $5 bytes, $7 with the marker, ${11} dropped"
	[ "$5" -ge "$1" ] || fail "only $5 bytes were captured"
	[ "${11}" = 0 ] || fail "the system dropped ${11} packets"
	FOUND=$7
}

# `carry WORDS SENDER'S_WORDS`: pushed and fetched.
# shellcheck disable=SC2086
carry()
{
	rx r $1 >"$T/out"
	tx t r $1 $2 <"$T/in"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
	offer o $1 $2 <"$T/in"
	fetch f o $1 >"$T/out"
	ended f 0
	ended o 0
	same "$T/in" "$T/out"
}

capture
carry '' ''
captured $((2 * size))
[ "$FOUND" -ge 10 ] || fail "the marker was not found where there is no key"

for words in '' checksum 'frame 4K'; do
	capture
	carry "key $T/key" "$words"
	captured $((2 * size))
	[ "$FOUND" = 0 ] || fail "the stream was read"
done

sshd_begin 127.0.0.1
capture
push p "cat >$T/out" verbose 4 <"$T/in"
ended p 0
same "$T/in" "$T/out"
never_said p 'legs go through ssh'
pull p "cat $T/in" verbose 4 >"$T/out" </dev/null
ended p 0
same "$T/in" "$T/out"
never_said p 'legs go through ssh'
captured $((2 * size))
[ "$FOUND" = 0 ] || fail "the stream was read"
nothing_left 5
