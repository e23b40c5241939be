#!/bin/sh
# Goal: Standard input and output may each be a file, a pipe, a socket, a terminal or
# /dev/null, and the bytes are the same.
# promise: DESCRIPTION, EXIT STATUS 0
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

# A terminal cannot carry any byte, so this is text: some 4 MB.
data 3000000 | openssl base64 >"$T/in"

# `came KIND`: both ends are content and the bytes have come.
came()
{
	ended t 0
	ended r 0
	within 10 cmp -s "$T/in" "$T/out" || same "$T/in" "$T/out"
	rm -f "$T/out"
}

for kind in pipe socket terminal; do
	case $kind in
	pipe)
		rx r | start sink cat >"$T/out"
		# shellcheck disable=SC2002
		cat "$T/in" | tx t r ;;
	socket)
		start r out=socket "$V" rx 0 >"$T/out"
		told r 'listening on'
		start t in=socket "$V" tx 127.0.0.1 "$(port r)" <"$T/in" ;;
	terminal)
		start r out=pty "$V" rx 0 >"$T/out"
		told r 'listening on'
		start t in=pty "$V" tx 127.0.0.1 "$(port r)" <"$T/in" ;;
	esac
	came
done

# From and to a file; into a file that is appended to, and behind an offset.
rx r >"$T/out"
tx t r <"$T/in"
came
echo head >"$T/log"
rx r >>"$T/log"
tx t r <"$T/in"
ended t 0
ended r 0
(echo head; cat "$T/in") | cmp - "$T/log" || fail "appended: not the same"

# The input's offset counts, too: a header was read by someone before.
rx r >"$T/out"
{
	read -r line
	tx t r
} <"$T/log"
[ "$line" = head ]
ended t 0
ended r 0
# (read may take a block at once from a file, but gives the rest back)
same "$T/in" "$T/out"

# Nothing in, and nothing kept.
rx r >"$T/empty"
tx t r </dev/null
ended t 0
ended r 0
[ ! -s "$T/empty" ] || fail "/dev/null brought bytes"
rx r >/dev/null
tx t r <"$T/in"
ended t 0
ended r 0

# An empty file, and a file in which nothing is left.
rx r >"$T/empty2"
: >"$T/none"
tx t r <"$T/none"
ended t 0
ended r 0
[ ! -s "$T/empty2" ] || fail "an empty file brought bytes"
