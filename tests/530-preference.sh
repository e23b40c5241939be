#!/bin/sh
# Goal: Paths are used in the order given. A source slower than the first path leaves
# the others idle; when the first one clogs, the next takes the work at once, and the
# first takes it back when it is clear.
# promise: DESCRIPTION, OPTIONS tx
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 20M/20ms,20M/10ms,20M/5ms

# `used PATH`: bytes that came out of it since `mark`.
mark()
{
	for path in 0 1 2; do
		wan_count $path ab out_bytes >"$T/mark.$path"
	done
}
used()
{
	echo $(($(wan_count "$1" ab out_bytes) - $(cat "$T/mark.$1")))
}

# 1.2 MB/s where the first path carries 2.5.
size=6000000
data $size >"$T/in"
lab_rx r >"$T/out"
source_of $size rate=1200000 | lab_tx t r '0 1 2' report "$T/report"
exact 20
# A thread that waits for a processor is a path that does not take its work; not at all
# with a program made slow by what watches it.
[ "${TEST_SLOW:-1}" -gt 1 ] ||
    "$PY" -IS "$TESTS/t_report.py" "$T/report" \
    'sum(l["bytes"] for l in of("interval")[-1]["legs"] if l["path"] == 0) >= 0.9 * end["bytes"]' ||
    fail "others than the first path were used"

size=20000000
data $size >"$T/in"
lab_rx r >"$T/out"
source_of $size rate=1200000 | lab_tx t r '0 1 2'
arrived "$T/out" 2500000
wan path 0 ab rate 1M
mark
before=$(size_of "$T/out")
# A tenth of the rate is left there; the stream goes on at its speed.
arrived "$T/out" $((before + 3600000)) 5
spilt=$(used 1)
echo "$spilt bytes over the second path in 3 s"
[ "$spilt" -ge 2400000 ] || fail "the second path took only $spilt"
[ "${TEST_SLOW:-1}" -gt 1 ] || [ "$(used 2)" -le 300000 ] || fail "the third path was used as well: $(used 2)"
wan path 0 ab rate 20M
taken_back()
{
	mark
	let_pass 1
	[ "$(used 0)" -ge 1000000 ] && [ "$(used 1)" -le 120000 ]
}
within 8 taken_back || fail "the first path does not take its work back: $(used 0) $(used 1)"
exact 20
