#!/bin/sh
# Goal: The stream goes through two real ssh -L tunnels. Each ssh in turn is killed
# and started again: every byte arrives, and both ends exit with 0.
# promise: EXAMPLES
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

# How many legs went up through this port.
ups()
{
	grep -c -e "leg [0-9]* up: .*:$1 " "$T/t.err" || :
}

more_ups()
{
	[ "$(ups "$1")" -gt "$2" ]
}

# `fall_and_rise NAME PORT GATE BYTES`: the stream, which is held before so many bytes
# until the file GATE is there, goes on meanwhile and uses it again.
fall_and_rise()
{
	within 10 more_ups "$2" 0 || fail "no leg went through $1"
	signal "$1" KILL
	ended "$1" signal:9
	: >"$3"
	arrived "$T/out" "$4" 10
	# Only now: what it had let through may have been told late.
	_ups=$(ups "$2")
	PORT=$2
	tunnel "$1"
	within 10 more_ups "$2" "$_ups" || fail "no leg goes through $1 again"
}

sshd_begin 127.0.0.1
size=40000000
data $size >"$T/in"
rx r bind 127.0.0.1 heartbeat 3 >"$T/out"
serve one tunnel one
one=$PORT
serve two tunnel two
two=$PORT
source_of $size rate=6000000 hold="10000000:$T/first" hold="25000000:$T/second" \
    hold="$((size - 1)):$T/go" | start t "$V" tx 127.0.0.1 "$one" tx 127.0.0.1 "$two" \
    heartbeat 3 verbose 4
arrived "$T/out" 3000000
fall_and_rise one "$one" "$T/first" 13000000
fall_and_rise two "$two" "$T/second" 28000000
: >"$T/go"
ended t 0 20
ended r 0
same "$T/in" "$T/out"
never_said t 'no leg is up'
