#!/bin/sh
# Goal: Standard input that has records (a sequenced-packet socket, a pipe in packet
# mode) loses nothing where the buffer has less room than a record. A record longer
# than any read fails the transfer, and so does a datagram socket.
# promise: DESCRIPTION, EXIT STATUS 0, EXIT STATUS 1
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

"$PY" -IS -c "import os; os.pipe2(os.O_DIRECT)" 2>/dev/null ||
    skip "needs pipes in packet mode"
size=20480000
data $size >"$T/in"

# `records KIND RECORD [WORD ...]`: tx with such a standard input.
records()
{
	_kind=$1 _record=$2
	shift 2
	start t "$PY" -IS "$TESTS/t_records.py" "$_kind" "$T/in" "$_record" \
	    "$V" tx 127.0.0.1 "$(port r)" "$@"
}

for how in 'seqpacket 10240' 'seqpacket 100000' 'packets 3000' 'packets 4096'; do
	for words in '' 'checksum window 1M'; do
		rx r >"$T/out"
		# shellcheck disable=SC2086
		records $how $words
		ended t 0 40
		ended r 0
		same "$T/in" "$T/out"
		rm -f "$T/out"
	done
done

rx r >"$T/out"
records datagram 1000
ended t 1
told t 'cannot read standard input: datagrams have no end'
stop r
