#!/bin/sh
# Goal: The summary is printed at the end from verbose 2 up: the same bytes and, with
# checksum, the same digest on both sides; what was survived; the bottleneck; also
# after a failure.
# promise: OPTIONS checksum, OPTIONS verbose
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=16000000
data $size >"$T/in"
digest()
{
	sed -n 's/.* bytes (.*; digest \([0-9a-f]\{16\}\); waited for .*/\1/p' "$T/$1.err"
}

rx r verbose 2 heartbeat 3 >"$T/out"
proxy p r
source_of $size rate=$((4000000 / SLOW / SLOW)) | tx t p checksum verbose 2 legs 3 heartbeat 3
arrived "$T/out" 4000000
ask p accept refuse
ask p reset both all
let_pass 0.3
ask p accept normal
ended t 0
ended r 0
same "$T/in" "$T/out"
told t "sent $size bytes (15.3 MiB) in [0-9.]* s, .*/s; [1-3] legs*, [1-9] loss"
told r "received $size bytes (15.3 MiB) in [0-9.]* s, .*/s; [1-3] legs*, [1-9] loss"
for side in t r; do
	told $side 'longest outage [0-9.]* s'
	told $side 'the source was the bottleneck$'
done
[ -n "$(digest t)" ] || fail 'no digest'
[ "$(digest t)" = "$(digest r)" ] || fail "$(digest t) is not $(digest r)"
signal p TERM

# Without checksum there is none, and at verbose 1 nothing is said.
rx r verbose 2 >"$T/out"
tx t r <"$T/in"
ended t 0
ended r 0
told r "received $size bytes"
never_said r digest
never_said t ' bytes '

# A failure: how far it came.
rx r verbose 2 >"$T/out"
source_of $size hold="4000000:$T/never" | tx t r verbose 2
arrived "$T/out" 4000000
let_pass 0.2
signal t TERM
ended t signal:15 3
ended r 1 3
told t 'sent 4000000 bytes (3.81 MiB) before it failed'
told r 'received 4000000 bytes (3.81 MiB) before it failed'
signal src KILL
ended src any
