#!/bin/sh
# Goal: --help and --version go to standard output, complete and alone, with status 0;
# if they cannot be written, the status says so.
# promise: DESCRIPTION, EXIT STATUS 0, EXIT STATUS 1
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

for word in -h --help; do
	"$V" $word >"$T/help" 2>"$T/help.err" || fail "$word: exit status $?"
	[ ! -s "$T/help.err" ] || fail "$word wrote to standard error"
	for option in tx rx legs checkphrase name checksum window frame bind from \
	    wait timeout heartbeat verbose; do
		grep -q -w -e "$option" "$T/help" ||
		    fail "$word does not tell of $option"
	done
	[ "$(awk '{ if (length($0) > 80) print }' "$T/help")" = "" ] ||
	    fail "$word: lines of more than 80 columns"
done
for word in -V --version; do
	"$V" $word >"$T/version" 2>"$T/version.err" || fail "$word: exit status $?"
	[ ! -s "$T/version.err" ] || fail "$word wrote to standard error"
	[ "$(wc -l <"$T/version")" -eq 1 ] || fail "$word: not one line"
	grep -q -e 'viamillipede.*[0-9]' "$T/version" || fail "$word: no version"
done
"$V" tx h1 5 --help >"$T/late" || fail "--help after other words: exit status $?"
cmp "$T/help" "$T/late" || fail "--help after other words: another text"
if [ -e /dev/full ]; then
	status=0
	"$V" --help >/dev/full 2>/dev/null || status=$?
	[ "$status" -eq 1 ] || fail "--help into a full disk: exit status $status"
fi
