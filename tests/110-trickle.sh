#!/bin/sh
# Goal: What the source writes is delivered at once. A line that comes alone is
# delivered before the next one is written, however many legs there are.
# promise: DESCRIPTION
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

for words in 'legs 1' 'legs 16' 'legs 3 checksum'; do
	# shellcheck disable=SC2086
	rx r | start sink "$PY" -IS "$TESTS/t_echo.py" sink "$T/seen"
	# The next line is written only when the one before has been seen.
	# shellcheck disable=SC2086
	start src "$PY" -IS "$TESTS/t_echo.py" source "$T/seen" 30 |
	    tx t r $words
	ended src 0 30
	ended t 0
	ended r 0
	ended sink 0
	[ "$(wc -l <"$T/seen")" -eq 30 ] || fail "$words: not 30 lines"
	# The source prints how long each line took; no line may take 300 ms.
	grep -e '^slowest' "$T/src.err"
	slowest=$(sed -n 's/^slowest \([0-9]*\) ms/\1/p' "$T/src.err")
	[ "$slowest" -lt $((300 * SLOW)) ] || fail "$words: a line took $slowest ms"
	rm -f "$T/seen"
done
