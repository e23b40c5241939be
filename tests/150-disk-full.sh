#!/bin/sh
# Goal: A full disk behind rx fails both sides with status 1, and both say so.
# promise: EXIT STATUS 1
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
[ -e /dev/full ] || skip "needs /dev/full"

for words in '' checksum; do
	rx r >/dev/full
	# shellcheck disable=SC2086
	data 5000000 | tx t r $words
	ended r 1 5
	ended t 1 5
	told r 'cannot write standard output: No space left on device'
	told t 'cannot write standard output: No space left on device'
done
# One byte is enough.
rx r >/dev/full
data 1 | tx t r
ended r 1 5
ended t 1 5
told t 'No space left on device'

# A real file system that fills up in mid-transfer.
if [ "$(id -u)" = 0 ] && mkdir "$T/small" &&
    mount -t tmpfs -o size=4m none "$T/small" 2>/dev/null; then
	rx r >"$T/small/out"
	data 20000000 | tx t r
	ended r 1 5
	ended t 1 5
	_size=$(size_of "$T/small/out")
	umount "$T/small"
	told r 'No space left on device'
	told t 'No space left on device'
	[ "$_size" -gt 1000000 ] || fail "only $_size bytes were written"
fi
# A limit on the size of a file: SIGXFSZ does not kill either.
(
	ulimit -f 2000 2>/dev/null || exit 0
	rx r >"$T/limited"
)
data 20000000 | tx t r
ended r 1 5
ended t 1 5
told t 'File too large'
