#!/bin/sh
# Goal: share/report-svg draws a real report with an outage and a lost path: XML, all
# paths, and what happened marked. Cut and mixed reports are drawn as far as they go,
# others refused.
# promise: REPORT FILES
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

draw=$TESTS/../share/report-svg
size=24000000
rx r heartbeat 3 report "$T/r.json" >"$T/out"
proxy p r
proxy q r
source_of $size rate=6000000 | start t "$V" tx 127.0.0.1 "$(port p)" tx localhost "$(port q)" \
    legs 4 heartbeat 3 report "$T/t.json"
ask p rate up total 4000000
arrived "$T/out" 9000000
ask p accept hangup
ask p reset both all
arrived "$T/out" 15000000
# So that something is on its way, which has to be sent again.
ask q stall up all
let_pass 0.3
ask q accept hangup
ask q reset both all
told t 'no leg is up'
let_pass 1
ask q accept normal
ended t 0 30
ended r 0

# `svg FILE EXPRESSION ...`: over text (a list of all texts) and count(TAG).
svg()
{
	"$PY" -IS -c '
import sys, xml.etree.ElementTree as E
root = E.parse(sys.argv[1]).getroot()
text = ["".join(t.itertext()) for t in root.iter() if t.tag.endswith("}text")]
titles = [t.text for t in root.iter() if t.tag.endswith("}title")]
def count(tag): return sum(e.tag.endswith("}" + tag) for e in root.iter())
for e in sys.argv[2:]:
    if not eval(e): sys.exit("not true: %s; %s; %s" % (e, text, titles))
' "$@" || fail "the picture $1"
}
"$PY" -IS "$draw" "$T/t.json" "$T/t.svg"
svg "$T/t.svg" "root.tag.endswith('}svg')" \
    "'127.0.0.1:$(port p)' in text and 'localhost:$(port q)' in text" \
    "'no leg up' in text and 'leg lost' in text and 'sent again' in text" \
    "any(t.startswith('no leg for ') for t in titles)" \
    "any('done; ' in t for t in text)"
"$PY" -IS "$draw" <"$T/r.json" >"$T/r.svg"
svg "$T/r.svg" "'127.0.0.1' in text" "'viamillipede rx' in text"

# Cut in mid-line, and among other messages; names that XML must not see.
{
	echo 'viamillipede: <a message> & more'
	head -c 3000 "$T/t.json" | sed 's/localhost/<\&\\u0001\\ud800>/'
} >"$T/cut.json"
"$PY" -IS "$draw" "$T/cut.json" "$T/cut.svg"
svg "$T/cut.svg" "count('svg') == 0 or True" "'viamillipede tx' in text"
head -n 1 "$T/t.json" >"$T/first.json"
"$PY" -IS "$draw" "$T/first.json" "$T/first.svg"
svg "$T/first.svg" "'viamillipede tx' in text"
for file in /dev/null "$T/out" "$T/no/such"; do
	if "$PY" -IS "$draw" "$file" "$T/none.svg" 2>"$T/why"; then
		fail "$file was drawn"
	fi
	grep -q '^report-svg: ' "$T/why" || fail "$(cat "$T/why")"
done

# What is no report ends it with an error, and soon; on what line is said.
# `broken LINE SED ...`: that line of a report, changed.
broken()
{
	_line=$1
	shift
	sed -e "$_line$1" "$T/t.json" >"$T/broken.json"
	! cmp -s "$T/t.json" "$T/broken.json" || fail "nothing changed by $1"
	status=0
	timeout $((10 * SLOW)) "$PY" -IS "$draw" "$T/broken.json" "$T/none.svg" 2>"$T/why" ||
	    status=$?
	[ $status = 1 ] || fail "after $1: exit status $status: $(cat "$T/why")"
	grep -q "^report-svg: .*broken.json: line $_line: " "$T/why" ||
	    fail "after $1: $(cat "$T/why")"
}
at=$(grep -n '"event":"interval"' "$T/t.json" | head -n 1 | cut -d: -f1)
for member in elapsed seconds resent; do
	for value in Infinity NaN 1e999 -1 '"x"' null '[]'; do
		broken "$at" "s/\"$member\":[^,}]*/\"$member\":$value/"
	done
	broken "$at" "s/\"$member\":/\"other\":/"
done
broken "$at" 's/"bytes":[^,}]*/"bytes":NaN/g'
broken "$at" 's/"legs":/"eggs":/'
broken 1 's/"interval":[^,}]*/"interval":Infinity/'
broken 1 's/"role":/"rule":/'
broken "$(grep -n '"event":"end"' "$T/t.json" | cut -d: -f1)" 's/"mean":[^,}]*/"mean":Infinity/'
# A week of it, in each part of which something went again and a leg was lost.
"$PY" -IS - "$T/t.json" "$at" >"$T/week.json" <<'E2'
import json, sys
with open(sys.argv[1]) as f:
    lines = f.readlines()
print(lines[0].strip())
e = json.loads(lines[int(sys.argv[2]) - 1])
e["legs"] = e["legs"][:1]
loss = {"event": "leg", "state": "down"}
for n in range(1, 604801, 40):
    e["elapsed"], e["seconds"], e["resent"], e["legs"][0]["bytes"] = n, 40, n, n * 1000
    print(json.dumps(e))
    loss["elapsed"] = n
    print(json.dumps(loss))
E2
"$PY" -IS "$draw" "$T/week.json" "$T/week.svg"
svg "$T/week.svg" "count('path') < 3000" "'leg lost' in text"
has_bytes "$T/week.svg" 20000 || fail "a week is next to nothing"
! has_bytes "$T/week.svg" 1000000 || fail "a week is too much for a picture"
