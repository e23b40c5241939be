#!/bin/sh
# Goal: If the program is started with some of descriptors 0 to 2 closed, it never
# uses a connection as standard input, output or error. Descriptors that are not
# needed may be closed; a stream without a source or a destination fails.
# promise: EXIT STATUS 0, EXIT STATUS 1
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
[ -r /proc/net/tcp ] || skip "needs /proc"

data 3000000 >"$T/in"

# What is not needed is closed.
start r close=0,2 "$V" rx 0 >"$T/out"
within 10 listens r || fail "rx without standard error does not listen"
start t close=1,2 "$V" tx 127.0.0.1 "$PORT" <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"

start r close=0 "$V" rx 0 verbose 5 >"$T/out"
told r 'listening on'
start t close=1 "$V" tx 127.0.0.1 "$(port r)" verbose 5 <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"

# Nowhere to write: both fail, and say so.
start r close=1 "$V" rx 0 timeout 3 wait 10
listens_or_gone()
{
	listens r || ! is_running r
}
within 10 listens_or_gone || fail "rx hangs"
if is_running r; then
	start t "$V" tx 127.0.0.1 "$PORT" timeout 3 <"$T/in"
	ended t 1
	ended r 1
	told t '.'
else
	ended r nonzero
fi
told r '.'
start r close=0,1,2 "$V" rx 0 timeout 3 wait 10
within 10 listens_or_gone || fail "rx hangs"
if is_running r; then
	start t "$V" tx 127.0.0.1 "$PORT" timeout 3 <"$T/in"
	ended t 1
	ended r 1
else
	ended r nonzero
fi

# Nowhere to read from: an error, not an empty stream, on both sides.
rx r timeout 3 wait 10 >"$T/out"
start t close=0 "$V" tx 127.0.0.1 "$(port r)" timeout 3
ended t nonzero
told t 'standard input\|stdin'
[ ! -s "$T/out" ] || fail "bytes came from nowhere"
