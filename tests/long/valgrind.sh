#!/bin/sh
# Goal: memcheck finds nothing on either side of a transfer with checks whose legs are
# reset by both sides: no wrong access, no jump that depends on an unset value, no
# memory or descriptor lost. The output is a pipe, and a file.
# limit: 600
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"
need valgrind
memory_is_honest || skip "a sanitizer's build cannot run in valgrind"

# `watched NAME WORD ...`: the program in valgrind, which ends with 86 then.
watched()
{
	_watched=$1
	shift
	start "$_watched" valgrind --error-exitcode=86 --exit-on-first-error=no \
	    --leak-check=full --errors-for-leak-kinds=definite --track-fds=yes \
	    --log-file="$T/$_watched.found" "$V" "$@"
}

# `clean NAME`: its report is there, whole, and has no error, and no connections
# but those that the legs had in the end: a program ends in the midst of its
# threads. Each reset that lost a descriptor would be one more.
clean()
{
	grep -q 'ERROR SUMMARY: 0 errors' "$T/$1.found" || {
		cat "$T/$1.found"
		fail "valgrind found something in $1"
	}
	open=$(grep -c -e 'Open AF_INET.*<-> [^u]' "$T/$1.found" || :)
	[ "$open" -le $LEGS ] || fail "$1 had $open connections open at its end"
}

LEGS=3
size=30000000
data $size >"$T/in"
for how in pipe file; do
	for words in '' checksum; do
		case $how in
		pipe)	watched r rx 0 chaos "40:reset:$SEED" timeout 60 | start sink cat >"$T/out" ;;
		file)	watched r rx 0 chaos "40:reset:$SEED" timeout 60 >"$T/out" ;;
		esac
		told r 'listening on .*:[0-9][0-9]*$' 60
		# shellcheck disable=SC2086
		watched t tx 127.0.0.1 "$(port r)" legs $LEGS frame 128k \
		    chaos "30:reset,short:$SEED" timeout 60 $words <"$T/in"
		ended t 0 120
		ended r 0 60
		[ $how = file ] || ended sink 0
		same "$T/in" "$T/out"
		for side in t r; do
			resets=$(grep -c -e 'chaos: reset after' "$T/$side.err" || :)
			[ "$resets" -gt $LEGS ] || fail "$side made $resets resets"
			clean $side
		done
	done
done
