#!/bin/sh
# Goal: A path that is dead from the start (refused, silent, accepting and then
# hanging up, a name that does not exist) never holds up the others, wherever it
# stands. A path that dies later is left, and its legs go back when it is back.
# promise: DESCRIPTION
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=8000000
data $size >"$T/in"
for kind in refuse silence hangup reset; do
	for order in first last; do
		rx r >"$T/out"
		proxy p r
		ask p accept $kind
		if [ $order = first ]; then
			start t "$V" tx 127.0.0.1 "$(port p)" \
			    tx 127.0.0.1 "$(port r)" legs 4 <"$T/in"
		else
			start t "$V" tx 127.0.0.1 "$(port r)" \
			    tx 127.0.0.1 "$(port p)" legs 4 <"$T/in"
		fi
		ended t 0 6
		ended r 0
		same "$T/in" "$T/out"
		signal p TERM
	done
done
rx r >"$T/out"
start t "$V" tx nowhere.invalid "$(port r)" tx 127.0.0.1 "$(port r)" <"$T/in"
ended t 0 6
ended r 0
same "$T/in" "$T/out"

# It dies in mid-session, and comes back. Its second leg works elsewhere
# meanwhile, and going home is no loss to anybody.
size=60000000
data $size >"$T/in"
rx r verbose 4 >"$T/out"
proxy p r
source_of $size rate=6000000 hold="50000000:$T/go" | start t "$V" tx 127.0.0.1 "$(port p)" \
    tx 127.0.0.1 "$(port r)" legs 3 verbose 4
arrived "$T/out" 3000000
ask p accept refuse
ask p reset both all
accepted=$(proxy_count p accepted)
before=$(size_of "$T/out")
arrived "$T/out" $((before + 6000000)) 4
told t 'leg [23] up: .*:'"$(port r) "
ask p accept normal
ask p wait accepted $((accepted + 1))
told t 'leg [23] down: it is not needed there any more' 20
told r 'leg [23] down: it is not needed there any more'
: >"$T/go"
ended t 0 20
ended r 0
same "$T/in" "$T/out"
for side in t r; do
	! sed '1,/leg [23] down: it is not needed there any more/d' "$T/$side.err" |
	    grep -q 'leg [23] .*lost' || fail "$side took going home for a loss"
done
