#!/bin/sh
# Goal: The report of either side is JSON, line by line, whatever the names of hosts
# contain, and says what happened: the start, legs, a lost leg, an outage, an interval
# each second, the end with the same bytes and digest on both sides.
# promise: REPORT FILES, OPTIONS interval, OPTIONS report
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=12000000
data $size >"$T/in"
# A quote, a backslash, a letter in UTF-8, what is not UTF-8, and beyond 16 bits.
nasty=$(printf 'a"b\\c\303\251\377\355\240\200\360\237\220\233')
rx r heartbeat 3 report "$T/r.json" >"$T/out"
proxy p r
source_of $size rate=4000000 hold="6000000:$T/go" |
    tx t p checksum legs 3 heartbeat 3 report "$T/t.json" tx "$nasty" 9
arrived "$T/out" 5000000
ask p accept hangup
ask p reset both all
told t 'no leg is up'
let_pass 1.2
ask p accept normal
told t 'going on after'
: >"$T/go"
ended t 0
ended r 0
same "$T/in" "$T/out"

check()
{
	"$PY" -IS "$TESTS/t_report.py" "$@" || fail "the report of $1"
}
for side in t r; do
	check "$T/$side.json" "end['event'] == 'end' and end['verdict'] == 'done'" \
	    "end['status'] == 0 and end['bytes'] == $size and end['left_out'] == 0" \
	    "end['losses'] >= 1 and end['outages'] >= 1" \
	    "end['longest_outage'] > 1.0 and len(end['digest']) == 16" \
	    "len(of('interval')) >= 3" \
	    "all(0.5 < e['seconds'] < 2.5 for e in of('interval')[:-1])" \
	    "of('interval')[-1]['bytes'] == $size" \
	    "max(o['seconds'] for o in of('outage')) == end['longest_outage']" \
	    "all(o['over'] for o in of('outage'))" \
	    "{e['state'] for e in of('leg')} == {'up', 'down'}" \
	    "all(e['reason'] for e in of('leg') if e['state'] == 'down')" \
	    "any(e['state'] == 'suspended' for e in of('interval'))" \
	    "sum(l['bytes'] for l in of('interval')[-1]['legs']) >= $size"
done
check "$T/t.json" "start['role'] == 'tx' and start['checksum'] is True" \
    "start['paths'][0]['port'] == '$(port p)'" \
    "start['paths'][1]['host'] == 'a\"b\\\\c\u00e9\ufffd\ufffd\ufffd\ufffd\U0001f41b'"
check "$T/r.json" "start['role'] == 'rx'"
digest()
{
	sed -n 's/.*"event":"end".*"digest":"\([0-9a-f]*\)".*/\1/p' "$1"
}
[ "$(digest "$T/t.json")" = "$(digest "$T/r.json")" ] || fail "two digests"
signal p TERM

# Another interval; the shares of the time tell who was waited for.
rx r report "$T/r.json" interval 2 >"$T/out"
source_of 3000000 rate=600000 | tx t r report "$T/t.json" interval 2
ended t 0
ended r 0
for side in t r; do
	check "$T/$side.json" "start['interval'] == 2" \
	    "2 <= len(of('interval')) <= 4" \
	    "1.5 < of('interval')[0]['seconds'] < 3.1" \
	    "end['bottleneck'] == 'source' and end['waited']['source'] > 0.6"
done
# A program made slow by what watches it is its own bottleneck.
if [ "${TEST_SLOW:-1}" -le 1 ]; then
slow='import os, time
while os.read(0, 65536): time.sleep(0.016)'
data 16000000 >"$T/in"
rx r report "$T/r.json" | start sink "$PY" -IS -c "$slow"
tx t r window 1M report "$T/t.json" <"$T/in"
ended t 0
ended r 0
# rx sees its consumer; tx hears of him, some time later.
for side in 't 0.4' 'r 0.6'; do
	check "$T/${side% *}.json" \
	    "end['bottleneck'] == 'consumer' and end['waited']['consumer'] > ${side#* }"
done
fi
