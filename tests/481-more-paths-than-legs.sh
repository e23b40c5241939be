#!/bin/sh
# Goal: With more paths than legs, legs go from path to path until one answers,
# whichever it is, and a line says so.
# promise: DESCRIPTION, OPTIONS legs, OPTIONS tx
# waits
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"
for threads in 1 2 3; do
	for good in 1 2 3 4 5; do
		rx r >"$T/out"
		words=
		for path in 1 2 3 4 5; do
			# Nobody listens on the others.
			to=1
			[ $path != $good ] || to=$(port r)
			words="$words tx 127.0.0.$path $to"
		done
		# shellcheck disable=SC2086
		start t "$V" $words legs $threads wait 20 verbose 2 <"$T/in"
		ended t 0 20
		ended r 0
		same "$T/in" "$T/out"
		told t "5 paths for $threads legs\?: "
	done
done
rx r >"$T/out"
start t "$V" tx 127.0.0.1 "$(port r)" tx 127.0.0.2 "$(port r)" legs 2 verbose 20 <"$T/in"
ended t 0
ended r 0
never_said t 'paths for'
