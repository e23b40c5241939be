#!/bin/sh
# Goal: Whatever standard output is (a pipe, a file, a socket, a terminal, /dev/null),
# with checks, a key or neither, the same faults cost no byte: legs reset and closed
# at both ends in the middle of a frame, short reads and writes, delays, all legs
# silent or reset together.
# waits
# limit: 150
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"

# A terminal cannot carry any byte, so this is text: some 4 MB.
data 3000000 | openssl base64 >"$T/in"
size=$(size_of "$T/in")
(umask 077; data 32 9 >"$T/key")

# `receive KIND [OPTION ...]`
receive()
{
	_kind=$1
	shift
	case $_kind in
	pipe)		rx r "$@" | start sink cat >"$T/out" ;;
	file)		rx r "$@" >"$T/out" ;;
	null)		rx r "$@" >/dev/null ;;
	socket)		start r out=socket "$V" rx 0 "$@" >"$T/out" ;;
	terminal)	start r out=pty "$V" rx 0 "$@" >"$T/out" ;;
	esac
	told r 'listening on'
}

for kind in pipe file null socket terminal; do
	for check in '' checksum "key $T/key"; do
		on_rx="heartbeat 3 chaos 23:short,delay,reset,close:$SEED"
		[ "${check%% *}" != key ] || on_rx="$on_rx $check"
		# shellcheck disable=SC2086
		receive $kind $on_rx
		proxy p r
		# shellcheck disable=SC2016,SC2086
		start src sh -c 'head -c "$2" "$1"
		    until [ -e "$3" ]; do sleep 0.02; done
		    tail -c +$(($2 + 1)) "$1"' sh "$T/in" $((size / 2)) "$T/go" |
		    tx t p heartbeat 3 legs 4 frame 8k $check \
		    chaos 31:reset,short,delay,close:$SEED
		told t 'lost' 20
		[ $kind = null ] || arrived "$T/out" $((size / 4)) 20
		if [ -n "$check" ]; then
			ask p reset both all
		else
			ask p blackhole both all
		fi
		: >"$T/go"
		ended t 0 40
		ended r 0 40
		[ $kind != pipe ] || ended sink 0
		[ $kind = null ] || within 10 cmp -s "$T/in" "$T/out" || same "$T/in" "$T/out"
		told r '[1-9][0-9]* reset'
		signal p TERM
		rm -f "$T/out" "$T/go"
	done
done
