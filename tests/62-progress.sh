#!/bin/sh
# Goal: the progress line: on a terminal, or when it is forced; one line,
# rewritten in place, never wider than the terminal, also after that changes,
# never mixed with messages; colours only where they belong; with `size' a share,
# a bar and the time left; a terminal that goes away costs nothing.
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

run()
{
	T=$T "$PY" -IS "$TESTS/t_terminal.py" "$@" >"$T/said" 2>&1 ||
	    fail "$* $(cat "$T/said")"
}

run "$V" plain
run "$V" size
run "$V" narrow
run "$V" resized
run "$V" nocolor
run "$V" dumb
run "$V" messages
run "$V" quiet
run "$V" silent
run "$V" gone
run "$V" forced
run "$V" background
