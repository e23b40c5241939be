#!/bin/sh
# Goal: The progress line appears on a terminal, or where it is forced. It is one
# line, rewritten in place, never wider than the terminal, also after that changes,
# and never mixed with messages; colours only where they belong; with `size` a share,
# a bar and the time left. A terminal that goes away costs nothing.
# promise: ENVIRONMENT, OPTIONS progress, OPTIONS quiet, OPTIONS size
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

for case in plain size narrow resized nocolor dumb messages quiet silent gone \
    forced background; do
	"$PY" -IS "$TESTS/t_terminal.py" "$V" $case >"$T/said.$case" 2>&1 &
	echo $! >"$T/case.$case"
done
for case in "$T"/case.*; do
	wait "$(cat "$case")" || fail "$(cat "$T/said.${case##*.}")"
done
