#!/bin/sh
# Goal: while a session runs, another sender is refused at once with status 3,
# and is told why; the session is not disturbed.
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=20000000
data $size >"$T/in"
rx r >"$T/out"
source_of $size hold="9999999:$T/go" | tx t r
arrived "$T/out" 9999999
for _ in 1 2 3; do
	echo other | tx other r
	ended other 3 5
	told other 'busy'
done
must_run t
must_run r
: >"$T/go"
ended t 0
ended r 0
same "$T/in" "$T/out"
told r 'busy\|another session\|refused'
