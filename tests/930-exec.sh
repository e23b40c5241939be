#!/bin/sh
# Goal: The stream is the input of a command that rx runs: exactly the bytes, its
# arguments as they were given, its output and errors where rx has them, nothing of
# rx's open, and 0 at both ends only after it has ended.
# promise: DESCRIPTION, OPTIONS exec
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

size=5000000
data $size >"$T/in"

# Run by the shell; spliced and checked; and it has ended before tx has.
for words in '' checksum; do
	rx r exec "cat >'$T/out'; echo done; sleep 0.5; : >'$T/ended'; echo errors >&2" >"$T/said"
	# shellcheck disable=SC2086
	tx t r $words <"$T/in"
	ended t 0
	[ -e "$T/ended" ] || fail "tx ended before the command"
	ended r 0
	same "$T/in" "$T/out"
	[ "$(cat "$T/said")" = 'done' ] || fail "its output: $(cat "$T/said")"
	told r '^errors$'
	rm "$T/out" "$T/ended"
done

# An empty stream; output that is a pipe.
{ rx r exec 'wc -c; echo more' | start sink cat >"$T/said"; } </dev/null
tx t r </dev/null
ended t 0
ended r 0
ended sink 0
[ "$(tr -d ' \n' <"$T/said")" = 0more ] || fail "its output: $(cat "$T/said")"

# Several arguments are a program and nobody expands them; one has lines.
# shellcheck disable=SC2016
rx r exec sh -c 'cat >"$1"; shift; printf "<%s>" "$@"' 'a name' "$T/o ut" 'two  blanks' \
    "it's" '"q"' '$HOME' '`id`' '*' '' '--help' 'rx' '
' >"$T/said"
tx t r <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/o ut"
# shellcheck disable=SC2016
printf '<%s>' 'two  blanks' "it's" '"q"' '$HOME' '`id`' '*' '' '--help' 'rx' '
' | cmp - "$T/said" || fail "the arguments: $(cat "$T/said")"
rx r exec "# a comment
cat >'$T/out'

echo \"two
lines\"" >"$T/said"
tx t r <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"
printf 'two\nlines\n' | cmp - "$T/said" || fail "a script of lines: $(cat "$T/said")"

# A tree.
mkdir -p "$T/tree/sub dir" "$T/copy"
cp "$T/in" "$T/tree/sub dir/file"
ln -s 'sub dir/file' "$T/tree/link"
: >"$T/tree/empty"
rx r exec tar -xf - -C "$T/copy"
tar -cf - -C "$T/tree" . | tx t r
ended t 0
ended r 0
diff -r "$T/tree" "$T/copy" || fail 'the trees differ'
[ "$(readlink "$T/copy/link")" = 'sub dir/file' ] || fail 'the link differs'

# Nothing is begun before there is a sender: a stranger is none, nor is one
# with another checkphrase.
: >"$T/precious"
echo content >"$T/precious"
rx r exec "cat >'$T/precious'"
"$PY" -IS -c "import socket, sys
socket.create_connection(('127.0.0.1', int(sys.argv[1]))).send(b'hello, is that you?')" "$(port r)"
tx t r checkphrase nono </dev/null
ended t 3
[ "$(cat "$T/precious")" = content ] || fail 'begun without a sender'
signal r TERM
ended r signal:15
[ "$(cat "$T/precious")" = content ] || fail 'begun at the end'

# It gets no descriptor but the three.
if [ -d /proc/self/fd ]; then
	# What it has without us is what our parent left open.
	# shellcheck disable=SC2016
	ls_fds='cat >/dev/null; for f in /proc/$$/fd/*; do readlink "$f" || :; done'
	start base sh -c "$ls_fds" </dev/null >"$T/base"
	ended base 0
	rx r report "$T/report" exec "$ls_fds" >"$T/said"
	tx t r </dev/null
	ended t 0
	ended r 0
	for line in socket: eventfd report; do
		! grep -q -e "$line" "$T/said" || fail "the command has $line: $(cat "$T/said")"
	done
	# Its input and its errors.
	n=$(grep -c -e '^pipe:' "$T/base") || :
	[ "$(grep -c -e '^pipe:' "$T/said")" = $((n + 2)) ] || fail "pipes: $(cat "$T/said")"
fi

# It may ask on the terminal.
timeout $((60 * SLOW)) "$PY" -IS "$TESTS/t_prompt.py" "$V" || fail 'it cannot ask on the terminal'
