#!/bin/sh
# Goal: Both directions survive what one does: legs reset, all of them, silence, an outage,
# while both carry, and when one has ended long ago; DONE and BYE lost. A killed end is
# noticed. A dead path is left, and its legs go back later without a loss.
# promise: DESCRIPTION, OPTIONS duplex, OPTIONS linger
# waits
# takes: 45
# limit: 150
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_duplex.sh
. "$TESTS/n_duplex.sh"

size=12000000
data $size >"$T/a"
cp "$T/a" "$T/b"
data 1000 1 >"$T/few"

# As source_of, under another name.
source_2()
{
	_bytes=$1
	shift
	start src2 "$SOURCE" "$_bytes" "$SEED" "$@"
}

# `begin [WORD ...]`: both sources hold after half.
begin()
{
	rm -f "$T/go"
	source_of $size hold="$((size / 2)):$T/go" | listen l 'heartbeat 3' >"$T/to_l"
	proxy p l
	source_2 $size hold="$((size / 2)):$T/go" |
	    call c p "heartbeat 3 legs 4 $1" >"$T/to_c"
	arrived "$T/to_l" $((size / 2))
	arrived "$T/to_c" $((size / 2))
}

for injury in 'reset both 1' 'reset both all' 'cut both all' 'blackhole both all' \
    'blackhole down all' 'blackhole up all'; do
	begin checksum
	ask p "$injury"
	: >"$T/go"
	both_done
	signal p TERM
done

# An outage in which both have bytes on their way.
begin 'linger 60'
ask p stall both all
: >"$T/go"
let_pass 0.3
ask p accept refuse
ask p reset both all
told c 'no leg is up'
told l 'no leg is up'
let_pass 2
ask p accept normal
told c 'going on after'
both_done
signal p TERM

# One direction is complete and confirmed; legs come and go; the other goes on.
rm -f "$T/go"
listen l 'heartbeat 3' <"$T/few" >"$T/to_l"
proxy p l
source_of $size rate=4000000 | call c p 'heartbeat 3 legs 3' >"$T/to_c"
arrived "$T/to_c" 1000
for _ in 1 2 3; do
	let_pass 0.4
	ask p reset both all
done
both_done a few
signal p TERM

# DONE on its way in both directions: each says it again on its next connection.
rm -f "$T/go"
source_of $size hold="$size:$T/go" | listen l 'heartbeat 3' >"$T/to_l"
proxy p l
source_2 $size hold="$size:$T/go" | call c p 'heartbeat 3 legs 3' >"$T/to_c"
arrived "$T/to_l" $size
arrived "$T/to_c" $size
ask p stall both all
: >"$T/go"
let_pass 0.5
must_run c
must_run l
ask p reset both all
both_done
signal p TERM

# Nothing comes through that way any more when the last words are said: both have all.
for way in up down; do
	rm -f "$T/go"
	source_of $size hold="$size:$T/go" | listen l 'heartbeat 3 linger 2' >"$T/to_l"
	proxy p l
	source_2 $size hold="$size:$T/go" |
	    call c p 'heartbeat 3 legs 3' >"$T/to_c"
	arrived "$T/to_l" $size
	arrived "$T/to_c" $size
	ask p stall $way all
	: >"$T/go"
	let_pass 0.5
	ask p reset both all
	both_done
	signal p TERM
done

# An end that is killed closes its connections and does not come back.
for killed in c l; do
	other=l
	[ $killed = c ] || other=c
	rm -f "$T/go"
	source_of $size hold="1000:$T/go" | listen l 'linger 1' >"$T/to_l"
	call c l '' <"$T/few" >"$T/to_c"
	arrived "$T/to_c" 1000
	arrived "$T/to_l" 1000
	signal $killed KILL
	ended $killed signal:9
	ended $other 4 10
	told $other 'er closed all connections and did not come back'
	stop src
	ended src any
done

# Two paths; the preferred one dies and comes back.
rm -f "$T/go"
data 40000000 >"$T/a"
source_of 40000000 rate=8000000 hold="36000000:$T/go" | listen l 'verbose 4' >"$T/to_l"
proxy p l
source_2 40000000 rate=8000000 hold="36000000:$T/go" |
    start c "$V" duplex 127.0.0.1 "$(port p)" duplex 127.0.0.1 "$(port l)" legs 3 verbose 4 \
    >"$T/to_c"
arrived "$T/to_c" 5000000
ask p accept refuse
ask p reset both all
told c 'leg [23] up: .*:'"$(port l) "
ask p accept normal
told c 'leg [23] down: it is not needed there any more' 20
told l 'leg [23] down: it is not needed there any more'
: >"$T/go"
both_done a a
never_said c 'leg [23] to .*:'"$(port l)"' lost'
never_said l 'leg [23] to .* lost: the peer'
