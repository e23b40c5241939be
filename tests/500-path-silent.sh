#!/bin/sh
# Goal: With real packets, one of two paths swallows everything, or everything in one
# direction. Its legs are dead after `heartbeat`, on both sides, the stream goes on
# over the other path, and the first is used again when it answers. Three sessions at
# once, each over paths of its own.
# promise: OPTIONS heartbeat, OPTIONS tx
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 12M/20ms,12M/20ms,12M/20ms,12M/20ms,12M/20ms,12M/20ms

size=40000000
data $size >"$T/in"
# The direction, the session's paths, the one of them that falls silent.
each()
{
	"$@" both 0 1 0
	"$@" ab 2 3 3
	"$@" ba 4 5 4
}

begin()
{
	lab_rx "r.$1" heartbeat 3 >"$T/out.$1"
	lab_tx "t.$1" "r.$1" "$2 $3" heartbeat 3 window 4M <"$T/in"
}

injure()
{
	within 10 carried "$4" ab 1000000 || fail "path $4 is idle"
	wan "path $4 $1 cut"
	size_of "$T/out.$1" >"$T/before.$1"
}

find()
{
	# Whoever finds it first resets the leg, which the other hears where it can.
	told "t.$1" 'silent\|reset by peer' 8
	told "r.$1" 'silent\|reset by peer' 8
	arrived "$T/out.$1" $(($(cat "$T/before.$1") + 4000000)) 8
	never_said "t.$1" 'no leg is up'
	case $1 in
	ba)	fired "$4" ba drop_cut ;;
	*)	fired "$4" ab drop_cut ;;
	esac
	wan_count "$4" ab out_bytes >"$T/used.$1"
	wan "path $4 both heal"
}

return_to()
{
	within 12 carried "$4" ab $(($(cat "$T/used.$1") + 1000000)) ||
	    fail "path $4 is not used again"
}

end()
{
	exact 30 ".$1"
}

for step in begin injure find return_to end; do
	each $step
done
