#!/bin/sh
# Goal: Strangers who say a valid HELLO, more of them in a round trip than there is
# room for, keep out neither a sender that has the key nor a leg that comes back; also
# if they know the session, or come from the sender's own address.
# promise: OPTIONS key, SECURITY CONSIDERATIONS
# waits
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_stranger.sh
. "$TESTS/n_stranger.sh"

(umask 077 && data 32 9 >"$T/key")
data 4000000 >"$T/in"

# `flood NAME RATE ADDRESS HELLO`
flood()
{
	start "$1" "$PY" -IS "$TESTS/t_stranger.py" "$(port r)" hellos "$2" "$4" "$3"
	told "$1" '^connected' 20
}

# A round trip takes 100 ms, and legs are cut and have to come back.
begin()
{
	rx r key "$T/key" >"$T/out"
	start path "$PY" -IS "$TESTS/t_delay.py" "$(port r)" 50 "$T/said"
	told path 'listening on'
}

send()
{
	source_of 4000000 hold="1000000:$T/more" | tx t path legs 2 verbose 4 \
	    key "$T/key" frame 64k chaos 30:close
}

over()
{
	: >"$T/more"
	ended t 0 30
	ended r 0 10
	same "$T/in" "$T/out"
	[ "$(grep -c 'leg [0-9]* up' "$T/t.err")" -ge 3 ] || fail "no leg had to come back"
	stop path
	stop "$1"
	ended path any
	ended "$1" any
	rm "$T/more"
}

capture_hello key "$T/key"
for address in 127.0.0.2 127.0.0.1; do
	begin
	flood crowd 700 $address "$T/hello"
	send
	told t 'leg [0-9]* up' 20
	over crowd
done

# They know the session.
begin
send
told t 'leg [0-9]* up' 10
arrived "$T/out" 1000000 10
flood crowd 700 127.0.0.1 "$T/said"
over crowd
