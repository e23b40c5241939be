#!/bin/sh
# Goal: The session protocol, as tests/model/session.pml has it, loses, repeats and
# reorders nothing, never ends with 0 too early and always ends, whenever and however
# often a leg dies within the bounds; and so does the end of a session in which both
# ends send, tests/model/duplex.pml. An exhaustive search says so itself; the number
# of states is printed. A bug that is seeded in a model is found.
#
# The bounds here are those that `make test` has time for; with TEST_ALL=1, as
# tests/long/model.sh says it, they are the model's own, and each of its bugs is
# seeded.
# promise: none
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need spin
need cc

ALL=${TEST_ALL:-}
MODEL=session
BUGS=7
# Small searches end before an optimiser would.
LEVEL=-O1
[ -z "$ALL" ] || LEVEL=-O2

if ! memory_is_honest; then
	echo "no program is tested here, so it matters not how it was built"
	exit 0
fi

# `search NAME "BOUND ..." "COMPILER'S WORD ..." [WORD ...]`: what the search
# said is in $T/NAME, $ERRORS and $STATES; it has been exhaustive unless there
# were errors.
search()
{
	_name=$1
	_bounds=$2
	_flags=$3
	shift 3
	rm -rf "$T/$_name.d"
	mkdir "$T/$_name.d"
	(
		cd "$T/$_name.d"
		# shellcheck disable=SC2086
		spin -a $_bounds "$TESTS/model/$MODEL.pml" >spin.log &&
		    cc -w $LEVEL -DNOFAIR $_flags -o pan pan.c || {
			cat spin.log
			fail "$_name: the model does not build"
		}
		./pan -m100000 -w22 "$@" >"../$_name" 2>&1
	) || fail "$_name: the search ended with $?: $(tail -n 3 "$T/$_name")"
	ERRORS=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' "$T/$_name")
	STATES=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$T/$_name")
	[ -n "$ERRORS" ] || fail "$_name: the search said nothing: $(tail -n 3 "$T/$_name")"
	if grep -q 'Search not completed\|max search depth\|aborted' "$T/$_name" &&
	    [ "$ERRORS" = 0 ]; then
		fail "$_name: not exhaustive"
	fi
}

# `holds NAME "BOUND ..." "COMPILER'S WORD ..." [WORD ...]`
holds()
{
	search "$@"
	[ "$ERRORS" = 0 ] || fail "$1: $(grep -e '^pan:1:' "$T/$1")"
	echo "$1, ${2:-all bounds}: $STATES states"
}

# `found NUMBER "BOUND ..."`: that bug is.
found()
{
	search "bug-$1" "-DBUG=$1 $2" -DSAFETY
	[ "$ERRORS" != 0 ] || fail "bug $1 was not found"
	echo "bug $1: $(sed -n 's/^pan:1: //p' "$T/bug-$1"), after $STATES states"
}

if [ -n "$ALL" ]; then
	holds protocol '' -DSAFETY
	holds cycles -DCOPIES=0 -DNP -l
	bug=1
	while [ $bug -le $BUGS ]; do
		found $bug ''
		bug=$((bug + 1))
	done
else
	holds protocol '-DCOPIES=0 -DWINDOW=2' -DSAFETY
	holds copies '-DDEATHS=1 -DFRAMES=3 -DWINDOW=2' -DSAFETY
	LEVEL=-O0
	found 2 '-DCOPIES=0 -DWINDOW=2'
fi
MODEL=duplex
holds duplex '' -DSAFETY
holds run -DRUN -DSAFETY
found 2 ''
if [ -n "$ALL" ]; then
	found 1 ''
	found 3 ''
fi
