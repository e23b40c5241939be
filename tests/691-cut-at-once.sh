#!/bin/sh
# Goal: Connections that are cut before the receiver has said anything on them still
# carry the stream: the next greeting tells what came, nothing is sent again and
# again, and a leg that brought something is dialled at once.
# promise: DESCRIPTION
# limit: 240
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=12000000
data $size >"$T/in"
(umask 077 && data 32 9 >"$T/key")

# `faults NAME KIND`: as many as it says that there were.
faults()
{
	sed -n "s/^viamillipede: chaos: \(.* in all, seed .*\)/ \1/p" "$T/$1.err" |
	    sed "s/.* \([0-9]*\) $2,.*/\1/"
}

# `judged NAME KIND BYTES`: it ended well, and each fault cost less than the
# time and the bytes that BYTES for each of them leave.
judged()
{
	ended t 0 40
	ended r 0 50
	same "$T/in" "$T/out"
	count=$(faults "$1" "$2")
	echo "$1: ${count:-no} $2"
	[ "${count:-0}" -gt 10 ] || fail "no faults"
	[ "$count" -le $((size / $3)) ] || fail "$count faults for $size bytes"
	rm -f "$T/out"
}

rx r >"$T/out"
tx t r legs 2 frame 4k chaos 12:close:7 <"$T/in"
judged t close 4096

rx r >"$T/out"
tx t r legs 2 frame 64k chaos 2:reset:7 <"$T/in"
judged t reset 4096

rx r >"$T/out"
tx t r legs 1 frame 4k chaos 37:close:7 <"$T/in"
judged t close 16384

rx r key "$T/key" >"$T/out"
tx t r key "$T/key" legs 2 frame 4k chaos 12:close:7 <"$T/in"
judged t close 4096

# The sender listens, so it is the caller's greeting that tells.
offer t frame 4k chaos 12:close:7 <"$T/in"
fetch r t legs 2 >"$T/out"
judged t close 4096
