#!/bin/sh
# Goal: A report that cannot be opened is an error before anything is sent or listened
# on. One that cannot be written later does not affect the transfer. A report is never
# mixed into the stream or written over the source.
# promise: OPTIONS report
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"
mkfifo "$T/fifo"

# Not opened: nobody is called, and rx does not listen.
rx r >"$T/out"
for file in "$T" "$T/no/such" "$T/fifo" ""; do
	status=1
	[ -n "$file" ] || status=2
	start t "$V" tx 127.0.0.1 "$(port r)" report "$file" <"$T/in"
	ended t $status 3
	told t 'report'
	start x "$V" rx 0 report "$file" </dev/null >"$T/other"
	ended x $status 3
	never_said x listening
done
must_run r
start t "$V" tx 127.0.0.1 "$(port r)" interval 3 <"$T/in"
ended t 2 3
told t 'report FILE'

# The stream itself.
cp "$T/in" "$T/source"
# shellcheck disable=SC2094
# shellcheck disable=SC2094
start t "$V" tx 127.0.0.1 "$(port r)" report "$T/source" <"$T/source"
ended t 1 3
told t 'carries the stream'
same "$T/in" "$T/source"
echo before >"$T/both"
# shellcheck disable=SC2094
# shellcheck disable=SC2094
start x "$V" rx 0 report "$T/both" </dev/null >>"$T/both"
ended x 1 3
[ "$(cat "$T/both")" = before ] || fail 'the consumer file was changed'
start x "$V" rx 0 report /dev/stdout </dev/null | cat >"$T/piped"
ended x 1 3
[ ! -s "$T/piped" ] || fail 'the report is in the stream'

# Nobody of all these has come to the receiver.
tx t r <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"

# A full disk, all of the time.
rx r report /dev/full >"$T/out"
source_of $size rate=3000000 | tx t r report /dev/full
ended t 0
ended r 0
same "$T/in" "$T/out"
for side in t r; do
	told $side 'cannot write a line of the report: .*space'
	[ "$(grep -c 'a line of the report' "$T/$side.err")" -le 3 ] || fail 'too many messages'
done

# A limit to the size of files, in the midst of a line: what is there is JSON.
rx r >"$T/out"
(
	ulimit -f 1
	exec 2>/dev/null
	source_of $size rate=1500000 | tx t r report "$T/limited.json"
)
ended t 0
ended r 0
same "$T/in" "$T/out"
[ "$(size_of "$T/limited.json")" -gt 100 ] || fail 'nothing was written'
[ "$(size_of "$T/limited.json")" -le 1024 ] || fail 'there was no limit'
"$PY" -IS "$TESTS/t_report.py" "$T/limited.json" || fail 'half a line is there'

# A FIFO whose reader takes nothing, and then goes away.
# shellcheck disable=SC2217
sleep 60 <>"$T/fifo" &
reader=$!
rx r >"$T/out"
source_of 60000000 rate=20000000 | tx t r report "$T/fifo"
arrived "$T/out" 100000
kill "$reader"
ended t 0
ended r 0
has_bytes "$T/out" 60000000 || fail 'bytes are missing'

# On standard error, among messages.
rx r >"$T/out"
source_of $size rate=3000000 | tx t r report - verbose 5 checksum
ended t 0
ended r 0
grep '^{' "$T/t.err" >"$T/said.json"
"$PY" -IS "$TESTS/t_report.py" "$T/said.json" "end['event'] == 'end'" ||
    fail 'the report on standard error'
[ "$(grep -c -v -e '^{' -e '^viamillipede: ' "$T/t.err")" = 0 ] || fail 'lines are mixed'
never_said r '{'
