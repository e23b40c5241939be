#!/bin/sh
# Goal: Two thousand strangers a second, who say a valid HELLO but have no key, keep a
# sender out for less than two seconds, and a leg that was lost, too, over a path of
# 100 ms: from another address, from the sender's own, from many, and with the session's
# id. With room for 160 descriptors a session gets its legs among 500 who say nothing.
# promise: SECURITY CONSIDERATIONS
# limit: 300
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=tests/n_stranger.sh
. "$TESTS/n_stranger.sh"

need prlimit
(umask 077 && data 32 9 >"$T/key")
data 4000000 >"$T/in"

capture_hello key "$T/key"
ended early any

# `joins WHAT UPS`: hundredths of a second until there are more legs than that.
joins()
{
	within 20 more_ups "$2" || fail "$1: no leg came"
	read_clock
	echo "$1: $((NOW - began)) hundredths of a second"
	[ "${TEST_SLOW:-1}" -gt 1 ] || [ $((NOW - began)) -lt 200 ] || fail "$1: too late"
}

# `flood ADDRESS HELLO`
flood()
{
	start crowd "$PY" -IS "$TESTS/t_stranger.py" "$(port r)" hellos 2000 "$2" "$1"
	told crowd '^connected' 20
}

begin()
{
	start r prlimit --nofile="$1" "$V" rx 0 key "$T/key" >"$T/out"
	told r 'listening on'
	start path "$PY" -IS "$TESTS/t_delay.py" "$(port r)" 50 "$T/said"
	told path 'listening on'
}

send()
{
	read_clock
	began=$NOW
	source_of 4000000 hold="1000000:$T/more" | tx t path legs 2 verbose 4 \
	    key "$T/key" frame 64k
}

# Legs are cut one after the other, and come back.
cut()
{
	for _ in 1 2 3; do
		before=$(ups)
		leg=$(legs t | head -n 1)
		read_clock
		began=$NOW
		reset_leg t path "$leg" || skip "needs root and a kernel with ss -K"
		joins "$1, a lost leg" "$before"
		let_pass 0.5
	done
}

over()
{
	: >"$T/more"
	ended t 0 30
	ended r 0 10
	same "$T/in" "$T/out"
	tail -n 1 "$T/crowd.err"
	stop crowd
	ended crowd any
	stop path
	ended path any
	rm "$T/more"
}

for address in 127.0.0.2 127.0.0.1 many; do
	begin 1024
	flood $address "$T/hello"
	send
	joins "from $address, the first leg" 0
	cut "from $address"
	over
done

begin 1024
send
joins 'before the flood' 0
arrived "$T/out" 1000000 10
flood 127.0.0.1 "$T/said"
cut 'with the session'
over

begin 160
start crowd "$PY" -IS "$TESTS/t_stranger.py" "$(port r)" flood 500
told crowd '^connected' 60
send
joins 'few descriptors, the first leg' 0
cut 'few descriptors'
over
