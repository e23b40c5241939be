#!/bin/sh
# Goal: Thirty-two legs dial a listener that has a backlog of one and accepts nothing
# for a while: they come up later, and nothing is lost.
# promise: EXIT STATUS 0
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

# In a network of its own, where the limit can be set.
if [ "${INSIDE:-}" != yes ]; then
	need unshare
	need ip
	unshare -rn true 2>/dev/null || skip "needs a network namespace"
	status=0
	INSIDE=yes unshare -rn sh "$0" || status=$?
	exit $status
fi
ip link set lo up
echo 1 >/proc/sys/net/core/somaxconn || skip "needs net.core.somaxconn"

size=40000000
data $size >"$T/in"
rx r >"$T/out"
source_of $size rate=10000000 | tx t r legs 32
arrived "$T/out" 1
signal r STOP
let_pass 2
signal r CONT
ended t 0 20
ended r 0
same "$T/in" "$T/out"

# Not accepting from the very first call on.
rx r >"$T/out"
signal r STOP
tx t r legs 32 <"$T/in"
let_pass 2
signal r CONT
ended t 0 20
ended r 0
same "$T/in" "$T/out"
