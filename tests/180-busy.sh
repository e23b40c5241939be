#!/bin/sh
# Goal: While a session runs, another sender is refused at once with status 3 and told
# why, and the session is not disturbed. If the session has no leg, the other sender
# is told so, and for how long.
# promise: DESCRIPTION, EXIT STATUS 3
# waits
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

# One that waits for its network is told from one that runs.
rx r >"$T/out"
proxy p r
rm "$T/go"
source_of $size hold="9999999:$T/go" | tx t p
arrived "$T/out" 9999999
ask p accept refuse
ask p reset both all
told r 'no leg is up; waiting for the network'
let_pass 1
echo other | tx other r
ended other 3 5
told other 'busy.*it has had no leg for [1-9][0-9]* s'
ask p accept normal
: >"$T/go"
ended t 0
ended r 0
same "$T/in" "$T/out"
