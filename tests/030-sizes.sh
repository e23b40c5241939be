#!/bin/sh
# Goal: Streams of no byte, of one byte, and of sizes around every boundary of the
# program (4 KiB, 64 KiB, 1 MiB, frame, quarter of the window, window) arrive exactly,
# with status 0 at both ends.
# promise: EXIT STATUS 0, OPTIONS frame, OPTIONS window
# waits
# limit: 90
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

data 4200000 >"$T/whole"

# `carry BYTES [TX OPTION ...]`
carry()
{
	_size=$1
	shift
	head -c "$_size" "$T/whole" >"$T/in"
	rx r window 1M >"$T/out"
	tx t r "$@" <"$T/in"
	ended t 0
	ended r 0
	cmp "$T/in" "$T/out" || fail "$_size bytes, $*: not the same"
}

for size in 0 1 2 4095 4096 4097 65535 65536 65537 1048575 1048576 1048577; do
	carry $size
done
# A window of 1 MiB: its quarter, itself, and twice it, on both sides.
for size in 262143 262144 262145 1048575 1048576 1048577 2097152 4200000; do
	carry $size window 1M
done
# The smallest frames; and a frame as large as is allowed.
for size in 4095 4096 4097 1048575 1048577; do
	carry $size window 1M frame 4k legs 3
done
carry 1048577 window 1M frame 256k
carry 0 checksum
carry 1 checksum
