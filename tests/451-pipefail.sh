#!/bin/sh
# Goal: What the README tells writers of scripts: a failed stream also ends in an end
# of file for the consumer, and the status of the pipeline, with pipefail, tells the
# difference.
# promise: DESCRIPTION, EXAMPLES
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need bash

data 5000000 >"$T/in"

# All is well.
cat >"$T/receive" <<'END'
set -o pipefail
"$V" rx 0 2>"$T/r.err" | cat >"$T/out"
END
cat >"$T/send" <<'END'
set -o pipefail
cat "$T/in" | "$V" tx 127.0.0.1 "$1"
END
export V
start receive bash "$T/receive"
told r 'listening on'
start send bash "$T/send" "$(port r)"
ended send 0
ended receive 0
same "$T/in" "$T/out"

# tx dies; the consumer gets its end of file, and the pipeline fails.
rm -f "$T/out" "$T/r.err"
start receive bash "$T/receive"
told r 'listening on'
source_of 5000000 hold="3000000:$T/never" | tx t r
arrived "$T/out" 3000000
signal t TERM
ended t signal:15 3
ended receive 1 5
begins "$T/out" "$T/in"

# The producer fails: that is no matter of ours, the stream was whole, and
# pipefail tells.
rm -f "$T/out" "$T/r.err"
start receive bash "$T/receive"
told r 'listening on'
cat >"$T/send" <<'END'
set -o pipefail
{ cat "$T/in"; exit 7; } | "$V" tx 127.0.0.1 "$1"
END
start send bash "$T/send" "$(port r)"
ended send 7
ended receive 0
same "$T/in" "$T/out"

# The consumer fails after it has taken everything: rx cannot know, pipefail
# does.
rm -f "$T/out" "$T/r.err"
cat >"$T/receive" <<'END'
set -o pipefail
"$V" rx 0 2>"$T/r.err" | { cat >"$T/out"; exit 9; }
END
start receive bash "$T/receive"
told r 'listening on'
tx t r <"$T/in"
ended t 0
ended receive 9
