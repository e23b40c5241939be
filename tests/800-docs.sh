#!/bin/sh
# Goal: README.md, viamillipede.1 and --help name the same words with the same
# arguments, ranges and defaults, and the same exit statuses; the manual has every
# message; the tables of bytes in frame.h are what frame.c does; mandoc finds no fault
# in the manual.
# promise: none
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

top=${TESTS%/*}
"$PY" -B "$TESTS/check-docs.py" "$V" "$top" || fail "the documents differ"

need mandoc
# Which other manuals are installed is no matter of ours.
mandoc -Tlint "$top/viamillipede.1" 2>/dev/null |
    grep -v 'referenced manual not found' >"$T/lint" || :
[ ! -s "$T/lint" ] || fail "mandoc: $(cat "$T/lint")"
mandoc -Tascii "$top/viamillipede.1" >"$T/text"
for section in NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' SIGNALS ENVIRONMENT \
    EXAMPLES DIAGNOSTICS 'SECURITY CONSIDERATIONS' STANDARDS HISTORY CAVEATS; do
	grep -q "^.Sh $section\$" "$top/viamillipede.1" ||
	    fail "the manual has no section $section"
done
[ "$(wc -l <"$T/text")" -gt 200 ] || fail "mandoc does not show the manual"
