#!/bin/sh
# Goal: The stream is the output of a command that tx runs, and it is complete only if
# that command says so. One that fails, at whatever point, fails both sides, and the
# receiver's consumer never sees a clean end.
# promise: EXIT STATUS 0, EXIT STATUS 6, OPTIONS source
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=3000000
data $size >"$T/in"

source_tx()
{
	start t "$V" tx 127.0.0.1 "$(port r)" verbose 2 "$@"
}

# It succeeds; its input is tx's.
rx r >"$T/out"
source_tx checksum source 'cat; echo errors >&2' <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"
told t '^errors$'

# Arguments as they were given; nothing; and with a command at the other end.
rx r exec cat >"$T/out"
# shellcheck disable=SC2016
source_tx source printf '<%s>' 'two  blanks' "it's" '$HOME' '' '
' source exec
ended t 0
ended r 0
# shellcheck disable=SC2016
printf '<%s>' 'two  blanks' "it's" '$HOME' '' '
' source exec | cmp - "$T/out" || fail "the arguments: $(cat "$T/out")"
rx r >"$T/out"
source_tx source :
ended t 0
ended r 0
[ ! -s "$T/out" ] || fail 'bytes from nowhere'

# `fails OUTCOME COMMAND ...`
cat >"$T/consumer" <<'END'
trap 'echo told >&2; exit 9' TERM
exec 3<&0
cat <&3 >"$1" &
wait $! && echo 'end of file' >&2
END
fails()
{
	verdict=$1
	shift
	rx r verbose 2 exec sh "$T/consumer" "$T/out"
	source_tx source "$@" <"$T/in"
	ended t 6 5
	# A reader that the consumer began after it was told has its five seconds.
	ended r 6 10
	told t "^viamillipede: the sender's command $verdict$"
	told r "^viamillipede: the sender's command $verdict$"
	never_said r 'end of file'
}

fails 'exited 1' 'exit 1'
fails 'exited 2' 'head -c 1000000; exit 2'
fails 'exited 3' "cat; exec >&-; sleep 0.5; echo why >&2; exit 3"
told r "^viamillipede: the sender's command: why$"
told r '^told$'
fails 'was ended by signal 11 (Segmentation fault)' 'cat; ulimit -c 0; kill -SEGV $$'
fails 'exited 127' no-such-program with arguments
told r "the sender's command: cannot run no-such-program: No such file or directory"

# It fails before there is a receiver: that is told when there is one, or not.
start t "$V" tx 127.0.0.1 1 source false
ended t 6 5
told t "the sender's command exited 1"

# It is ended when the transfer fails, with its group, and before tx.
cat >"$T/producer" <<'END'
trap 'echo told >&2; exit 0' TERM
sleep 60 &
echo "pids $$ $!" >&2
head -c 1000000 /dev/zero
wait
END
for how in 'r TERM' 't INT' 'r KILL'; do
	# shellcheck disable=SC2086
	set -- $how
	rx r timeout 3 heartbeat 3 >"$T/out"
	start t "$V" tx 127.0.0.1 "$(port r)" timeout 3 heartbeat 3 source sh "$T/producer"
	told t '^pids'
	arrived "$T/out" 1000000
	signal "$1" "$2"
	ended t any 15
	[ "$ENDED" != exit:0 ] || fail "$how: tx ended with 0"
	ended r any 15
	[ "$ENDED" != exit:0 ] || fail "$how: rx ended with 0"
	told t '^told$'
	pids=$(sed -n 's/^pids //p' "$T/t.err")
	for pid in $pids; do
		! kill -0 "$pid" 2>/dev/null || fail "$how: $pid is left"
	done
done

# It exits with 0 because it was told to end, which is no end of the stream, even if
# the receiver did not read yet that the transfer has failed.
rx r >"$T/out"
start t "$V" tx 127.0.0.1 "$(port r)" verbose 20 source sh "$T/producer"
told t '^pids'
arrived "$T/out" 1000000
signal r STOP
signal t INT
ended t signal:2
signal r CONT
told t '^told$'
never_said t ' > FIN '
ended r 1
