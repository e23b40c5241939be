#!/bin/sh
# Goal: whatever single call of either side fails or goes short, a transfer ends
# with the exact bytes and 0, or with another status and a message, in time, and
# an error that concerns one leg or asks to try again is survived.
# tests/t_failing.py tells which calls and errors. This is a selection of them;
# with TEST_ALL=1, as tests/long/failing.sh says it, it is each call of each
# kind, from the first to the last, with each of its errors.
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need cc

if ! memory_is_honest; then
	echo "a sanitizer puts itself in the place of the same calls"
	exit 0
fi
cc -O2 -shared -fPIC -o "$T/failing.so" "$TESTS/failing.c" -ldl 2>"$T/cc" || {
	cat "$T/cc"
	skip "needs a system whose calls can be replaced as those of glibc"
}
mkdir "$T/runs"
# So many at once: most of them wait for something.
how='quick 10'
[ -z "${TEST_ALL:-}" ] || how='all 6'
# shellcheck disable=SC2086
"$PY" -B "$TESTS/t_failing.py" "$T/failing.so" "$V" "$T/runs" $how ||
    fail "see above"
