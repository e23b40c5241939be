#!/bin/sh
# Goal: With real packets, all paths are silent for 12 s, or all of one direction is.
# When they return, data flows within 2 s; one line reports the beginning of the
# outage and one its end. Three sessions at once.
# promise: DESCRIPTION
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 16M/30ms,8M/60ms,16M/30ms,8M/60ms,16M/30ms,8M/60ms

size=20000000
data $size >"$T/in"
# The direction and the session's paths.
each()
{
	"$@" both 0 1
	"$@" ab 2 3
	"$@" ba 4 5
}

begin()
{
	lab_rx "r.$1" heartbeat 3 >"$T/out.$1"
	lab_tx "t.$1" "r.$1" "$2 $3" heartbeat 3 <"$T/in"
}

injure()
{
	arrived "$T/out.$1" 2000000
	wan "path $2 $1 cut"
	wan "path $3 $1 cut"
}

heal()
{
	must_run "t.$1"
	must_run "r.$1"
	case $1 in
	ba)	fired "$2" ba drop_cut
		fired "$3" ba drop_cut ;;
	*)	fired "$2" ab drop_cut
		fired "$3" ab drop_cut ;;
	esac
	before=$(size_of "$T/out.$1")
	[ "$before" -lt $size ] || fail "nothing was silent"
	wan "path $2 $1 heal"
	wan "path $3 $1 heal"
	arrived "$T/out.$1" $((before + 200000)) 3
}

end()
{
	exact 20 ".$1"
	for side in "t.$1" "r.$1"; do
		for line in 'no leg is up' 'going on after'; do
			[ "$(grep -c -e "$line" "$T/$side.err")" = 1 ] ||
			    fail "$side: not one line for one outage: $line"
		done
		[ "$(wc -l <"$T/$side.err")" -le 40 ] || fail "$side floods the log"
	done
}

# Each is silenced before the next begins, so that none has ended by then.
begin_silenced()
{
	begin "$@"
	injure "$@"
}

each begin_silenced
let_pass 12
each heal
each end
