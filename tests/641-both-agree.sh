#!/bin/sh
# Goal: both sides tell the same of one transfer, also of a short one: who was
# waited for and how long, for a slow source, a slow network and a slow consumer;
# and no byte came twice that was not sent again.
# promise: OPTIONS report
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

slow='import os, sys, time
left = int(sys.argv[1])
while True:
    some = os.read(0, 65536)
    if not some: break
    left -= len(some)
    if left > 0: time.sleep(0.01 * int(os.environ.get("TEST_SLOW", 1)))'

# `agree KIND`: of both ends of the reports the shares are the same within 0.15 (a
# loaded machine is slow in between), and that kind is the largest, unless the program is
# made slow by what watches it.
agree()
{
	"$PY" -IS -c '
import json, os, sys
kind, files = sys.argv[1], sys.argv[2:]
ends = [json.loads(open(f).read().splitlines()[-1]) for f in files]
for f, e in zip("tr", ends):
    print(f, e["elapsed"], e["waited"], e["resent_bytes"])
assert all(e["event"] == "end" for e in ends)
slow = int(os.environ.get("TEST_SLOW", 1)) > 1
assert slow or all(e["bottleneck"] == kind for e in ends), kind
assert all(abs(sum(e["waited"].values()) - 1) < 0.01 for e in ends)
for k in ends[0]["waited"]:
    assert abs(ends[0]["waited"][k] - ends[1]["waited"][k]) < 0.15, k
assert ends[1]["resent_bytes"] <= ends[0]["resent_bytes"]
' "$1" "$T/t.json" "$T/r.json" || fail "$1: the two sides differ"
}

for words in '' checksum; do
	rx r report "$T/r.json" >"$T/out"
	# shellcheck disable=SC2086
	source_of 1500000 rate=$((2500000 / SLOW)) | tx t r report "$T/t.json" $words
	ended t 0
	ended r 0
	agree source

	# The consumer is slow with the first half of it.
	data 8000000 >"$T/in"
	rx r report "$T/r.json" | start sink "$PY" -IS -c "$slow" 4000000
	# shellcheck disable=SC2086
	tx t r report "$T/t.json" $words <"$T/in"
	ended t 0
	ended r 0
	agree consumer

	rx r report "$T/r.json" >"$T/out"
	proxy p r
	ask p rate up total $((4000000 / SLOW))
	# shellcheck disable=SC2086
	tx t p report "$T/t.json" $words <"$T/in"
	ended t 0
	ended r 0
	agree network
	signal p TERM
	ended p any
done

# What is lost goes again, and comes twice where it had come.
rx r report "$T/r.json" chaos 5:close heartbeat 3 >"$T/out"
tx t r report "$T/t.json" chaos 7:reset heartbeat 3 frame 16k <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"
"$PY" -IS -c '
import json, sys
t, r = [json.loads(open(f).read().splitlines()[-1]) for f in sys.argv[1:]]
print(t["resent_bytes"], r["resent_bytes"])
assert 0 < t["resent_bytes"] >= r["resent_bytes"]
' "$T/t.json" "$T/r.json" || fail "more came twice than was sent again"
