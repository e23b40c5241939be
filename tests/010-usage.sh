#!/bin/sh
# Goal: A wrong command line ends with status 2 before anything is opened. The line on
# standard error quotes what is wrong and, where there is a range, the range.
# promise: EXIT STATUS 2, OPTIONS bind, OPTIONS chaos, OPTIONS checkphrase, OPTIONS checksum,
#          OPTIONS frame, OPTIONS from, OPTIONS heartbeat, OPTIONS legs, OPTIONS rx, OPTIONS size,
#          OPTIONS timeout, OPTIONS tx, OPTIONS verbose, OPTIONS wait, OPTIONS window
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

# `wrong REGEXP [ARGUMENT ...]`
wrong()
{
	_regexp=$1
	shift
	_status=0
	"$V" "$@" >"$T/out" 2>"$T/usage.err" </dev/null || _status=$?
	[ "$_status" -eq 2 ] || fail "$*: exit status $_status"
	[ ! -s "$T/out" ] || fail "$*: wrote to standard output"
	grep -q -i -e "$_regexp" "$T/usage.err" ||
	    fail "$*: said \"$(head -1 "$T/usage.err")\", not $_regexp"
}

wrong 'usage\|tx\|rx'
wrong 'frobnicate' frobnicate
wrong 'tx' tx
wrong 'h1' tx h1
wrong 'h1.*frob\|frob' tx h1 5 frob
wrong '"0".*65535\|0.*65535' tx h1 0
wrong '65536.*65535' tx h1 65536
wrong '5x.*65535' tx h1 5x
wrong '65535' tx h1 ''
wrong 'tx' tx '' 5
wrong 'rx' rx
wrong '65536.*65535' rx 65536
wrong '\-1.*65535' rx -1
wrong '65535' rx ''

wrong 'legs.*64' tx h1 5 legs
for n in 0 65 -1 1x '' 0x10 1.5 99999999999999999999 ' 4'; do
	wrong "legs.*$n.*1.*64" tx h1 5 legs "$n"
done
for phrase in abc abcde ''; do
	wrong "checkphrase.*$phrase.*\(4\|four\)" tx h1 5 checkphrase "$phrase"
	wrong "checkphrase.*$phrase.*\(4\|four\)" rx 5 checkphrase "$phrase"
done
for size in 1023k 1048575 0 65G 65537M 1T 18446744073709551616 1e7 M 1MM -1M; do
	wrong "window.*$size.*1M.*64G" tx h1 5 window "$size"
	wrong "window.*$size.*1M.*64G" rx 5 window "$size"
done
for size in 4095 3k 2M 1048577; do
	wrong "frame.*$size.*4K.*1M" tx h1 5 frame "$size"
done
wrong 'frame.*257k\|frame.*quarter' tx h1 5 window 1M frame 257k
wrong 'frame.*257k\|frame.*quarter' tx h1 5 frame 257k window 1M
for seconds in -1 x '' 1e3; do
	wrong "wait.*$seconds" tx h1 5 wait "$seconds"
	wrong "timeout.*$seconds" rx 5 timeout "$seconds"
done
for seconds in 2 301 0 -3 five; do
	wrong "heartbeat.*$seconds.*3.*300" tx h1 5 heartbeat "$seconds"
done
for level in 21 -1 loud; do
	wrong "verbose.*$level.*0.*20" rx 5 verbose "$level"
done

wrong 'corrupts, which needs checksum or key' tx h1 5 chaos 9:corrupt
wrong 'legs' tx h1 5 legs 2 legs 2
wrong 'checksum' tx h1 5 checksum checksum
wrong 'checksum' tx h1 5 checksum checksums
wrong 'window' rx 5 window 1M window 2M
wrong 'wait' rx 5 wait 1 wait 1
wrong 'verbose' tx h1 5 verbose 1 tx h2 5 verbose 1
wrong 'from' tx h1 5 from 127.0.0.1 from 127.0.0.1
wrong 'from' from 127.0.0.1 tx h1 5
wrong 'from' tx h1 5 from
wrong 'rx' rx 5 rx 6
wrong 'rx' tx h1 5 rx 6
wrong 'tx' rx 6 tx h1 5

# Words of the other side.
wrong 'checksum' rx 5 checksum
wrong 'legs' rx 5 legs 4
wrong 'frame' rx 5 frame 64k
wrong 'from' rx 5 from 127.0.0.1
wrong 'bind' tx h1 5 bind 127.0.0.1

# Nothing is opened: the port is taken, and nobody notices.
rx taken wait 60 >/dev/null
wrong 'window' rx "$(port taken)" window 1
