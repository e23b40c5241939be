#!/bin/sh
# Goal: With a key, resets, random kills, silence, unequal paths and flipped bytes are
# survived as without one, with and without `checksum`, in both directions; and so is
# every kind of chaos, with corruption, which needs no checksum then.
# promise: OPTIONS chaos, OPTIONS key
# waits
# takes: 45
# limit: 150
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

(umask 077 && data 32 9 >"$T/key")
size=20000000
data $size >"$T/in"

for injury in 'reset both 0' 'cut up 0' 'reset both all' 'cut down all' \
    'blackhole both all' 'blackhole down all'; do
	rx r heartbeat 3 key "$T/key" >"$T/out"
	proxy p r
	ask p rate up new 10M
	source_of $size hold="$size:$T/go" |
	    tx t p heartbeat 3 legs 3 key "$T/key"
	arrived "$T/out" 5000000
	ask p "$injury"
	arrived "$T/out" $size
	: >"$T/go"
	ended t 0 10
	ended r 0
	same "$T/in" "$T/out"
	signal p TERM
	rm "$T/go"
done

# A random leg is killed, again and again; its speed is its own.
offer o heartbeat 3 checksum key "$T/key" <"$T/in"
proxy p o
ask p rate down 0 500k
ask p rate down new 2M
fetch f p legs 5 heartbeat 3 key "$T/key" >"$T/out"
arrived "$T/out" 1
for injury in 'reset both' 'reset up' 'cut both' 'reset down' 'cut up' 'reset both'; do
	let_pass 0.25
	within 10 ask_if p "$injury random" || fail "no leg is there"
done
ended f 0 40
ended o 0
same "$T/in" "$T/out"
signal p TERM

for side in tx rx; do
	for words in 'chaos 40:close,reset,short,delay,corrupt:7' \
	    'checksum chaos 50:corrupt,short:8'; do
		on_rx='' on_tx=$words
		if [ $side = rx ]; then
			on_rx=${words#checksum }
			on_tx=${words%%chaos*}
		fi
		# shellcheck disable=SC2086
		rx r heartbeat 3 key "$T/key" verbose 4 $on_rx >"$T/out"
		# shellcheck disable=SC2086
		tx t r heartbeat 3 key "$T/key" legs 4 frame 16k $on_tx <"$T/in"
		ended t 0 60
		ended r 0 70
		same "$T/in" "$T/out"
		who=t
		[ $side = tx ] || who=r
		told $who "[1-9][0-9]* corrupt"
		told r "down: a frame's tag is wrong"
	done
done
