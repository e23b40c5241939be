#!/bin/sh
# Goal: A command that does not succeed fails the transfer at both ends with status 6,
# whenever and however it ends; tx says how, and prints what the command said last.
# promise: EXIT STATUS 6, OPTIONS exec
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=5000000
data $size >"$T/in"

# `fails OUTCOME COMMAND ...`: at both ends, soon, and with that line.
fails()
{
	verdict=$1
	shift
	rx r exec "$@"
	tx t r <"$T/in"
	ended t 6 5
	ended r 6 5
	told t "^viamillipede: the receiver's command $verdict$"
	told r "^viamillipede: the receiver's command $verdict$"
	never_said t 'reports'
}

fails 'exited 1' 'exit 1'
fails 'exited 1' 'head -c 1000000 >/dev/null; exit 1'
fails 'exited 17' 'cat >/dev/null; exit 17'
fails 'exited 2' 'cat >/dev/null; exec <&-; sleep 1; exit 2'
fails 'was ended by signal 9 (Killed)' 'kill -KILL $$'
fails 'was ended by signal 15 (Terminated)' 'head -c 1000000 >/dev/null; kill -TERM $$'
fails 'was ended by signal 6 (Aborted)' 'cat >/dev/null; ulimit -c 0; kill -ABRT $$'
fails 'exited 127' no-such-program with arguments
told t "the receiver's command: cannot run no-such-program: No such file or directory"
told r 'cannot run no-such-program: No such file or directory'
fails 'exited 127' no-such-program
told t "the receiver's command: .*no-such-program.*not found"
fails 'exited 126' /dev/null x
# The input ends neither for one that leaves, nor for one that stays.
fails 'exited 0 before the end of the stream' 'head -c 1000000 >/dev/null'
fails 'exited 0 before the end of the stream' ':'
fails 'closed its input' 'exec <&-; sleep 20'
fails 'exited 3' 'exec <&-; sleep 0.3; exit 3'

# It fails while nothing flows.
rx r exec 'head -c 1000 >/dev/null; exit 5'
source_of $size hold="1000:$T/never" | tx t r
ended t 6 5
ended r 6 5
told t "the receiver's command exited 5"
stop src

# The last 4 KiB, in whole lines, harmless at tx and untouched at rx.
cat >"$T/chatter" <<'END'
cat >/dev/null
i=0
while [ $i -lt 1000 ]; do
	echo "line $i"
	i=$((i + 1))
done >&2
printf '\033[2J\001 \377\n10%%\r20%%\r30%%\r\nzero \000 byte\nviamillipede: all is well\n\nlast' >&2
exit 7
END
rx r exec sh "$T/chatter"
tx t r <"$T/in"
ended t 6
ended r 6
told t "^viamillipede: the receiver's command exited 7$"
p="viamillipede: the receiver's command: "
grep -q -x -F -e "$p\\x1b[2J\\x01 \\xff" "$T/t.err" || fail 'no harmless escape'
grep -q -x -F -e "${p}30%" "$T/t.err" || fail 'what was written over is told'
grep -q -x -F -e "${p}zero ? byte" "$T/t.err" || fail 'no zero byte'
grep -q -x -F -e "${p}viamillipede: all is well" "$T/t.err" || fail 'no prefix'
[ "$(tail -n 1 "$T/t.err")" = "${p}last" ] || fail 'another last line'
! grep -q -e 'line 99$' "$T/t.err" || fail 'more than 4 KiB'
n=$(grep -c -x -e "${p}line [0-9]*" "$T/t.err")
if [ "$n" -le 380 ] || [ "$n" -ge 480 ]; then
	fail "$n lines"
fi
# Nothing is cut in the middle of a line.
[ "$(grep -c -e "^$p" "$T/t.err")" = $((n + 5)) ] || fail 'half a line'
[ "$(grep -c -x -e 'line [0-9]*' "$T/r.err")" = 1000 ] || fail 'rx lacks lines'
printf '\033[2J\001 \377\n10%%\r20%%\r30%%\r\nzero \000 byte\nviamillipede: all is well\n\nlast\n' >"$T/want"
"$PY" -IS -c 'import sys
sys.exit(open(sys.argv[1], "rb").read() not in open(sys.argv[2], "rb").read())' \
    "$T/want" "$T/r.err" || fail 'rx changed what it said'

# The report has the verdict, in one line, and the status.
rx r report "$T/report" exec 'cat >/dev/null; echo words >&2; exit 7'
tx t r report "$T/report.t" <"$T/in"
ended t 6
ended r 6
for f in report report.t; do
	grep -q -e '"status": *6.*command exited 7"' "$T/$f" || fail "$f: $(tail -n 1 "$T/$f")"
done

# A child in the background that keeps its standard error does not hold us up.
rx r exec 'cat >/dev/null; echo early >&2; sleep 60 & echo $! >&2; exit 4'
tx t r <"$T/in"
ended t 6 5
ended r 6 5
told t "the receiver's command: early"
child=$(grep -x -e '[0-9]*' "$T/r.err")
! kill -0 "$child" 2>/dev/null || fail 'it is left behind'
