#!/bin/sh
# Goal: Every kind of chaos, at the sender and at the receiver, happens as often as
# its count says (and not never), prints its seed, and costs no byte. A seed makes the
# same faults again.
# promise: OPTIONS chaos
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

data 20000000 >"$T/in"
data 400000 >"$T/few"

for side in tx rx; do
	for kind in close reset short delay corrupt stall; do
		every=50 file=in sum=checksum legs=4
		# Some 50 frames: of two legs, one gets 20.
		[ $kind != stall ] || every=20 file=few legs=2
		on_rx='' on_tx=''
		[ $side = rx ] && on_rx="chaos $every:$kind:7"
		[ $side = tx ] && on_tx="chaos $every:$kind:7"
		# shellcheck disable=SC2086
		rx r heartbeat 3 $on_rx >"$T/out"
		# shellcheck disable=SC2086
		tx t r heartbeat 3 $sum legs $legs frame 8k $on_tx <"$T/$file"
		ended t 0 60
		ended r 0 70
		same "$T/$file" "$T/out"
		who=t
		[ $side = tx ] || who=r
		told $who 'seed 7'
		told $who "[1-9][0-9]* $kind"
		[ $kind != corrupt ] || told r 'check is wrong'
	done
done

# N alone closes; and without a seed each run tells the one that it has.
rx r >"$T/out"
tx t r frame 16k chaos 50 <"$T/in"
ended t 0 60
ended r 0 70
same "$T/in" "$T/out"
told t 'chaos: every 50 frames, seed [0-9]'
told t '[1-9][0-9]* close'

# What cannot be is an error of usage.
for bad in 0 x 5:nothing 5:close:x 5: :close '5:close,'; do
	start t "$V" tx 127.0.0.1 1 chaos "$bad" </dev/null
	ended t 2 5
	told t 'chaos'
done
start t "$V" tx 127.0.0.1 1 chaos 5:corrupt </dev/null
ended t 2 5
told t 'needs checksum'
