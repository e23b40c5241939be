#!/bin/sh
# The main job on this machine, to look at: tar of a real tree through tx and
# rx over loopback with four legs, of which the busiest is reset on the way;
# then the copy is compared with the tree. `make demo` runs it.
#
# Exit status 0 only if both ends succeeded, a leg was lost on the way, and the
# copy is identical. Nothing is left behind. Environment: VIAMILLIPEDE.

set -eu

V=${VIAMILLIPEDE:-./viamillipede}
T=$(mktemp -d "${TMPDIR:-/tmp}/viamillipede-demo.XXXXXX")
PIDS=

cleanup()
{
	_status=$?
	trap - EXIT
	for _pid in $PIDS; do
		kill "$_pid" 2>/dev/null || :
	done
	wait
	rm -rf "$T"
	exit "$_status"
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

fail()
{
	echo "demo: $*" >&2
	for _log in rx tx; do
		[ ! -s "$T/$_log.log" ] || sed "s/^/  $_log | /" "$T/$_log.log" >&2
	done
	exit 1
}

# --- what is carried --------------------------------------------------------

# A tree of 32 to 1000 MiB that everybody can read, or this one many times over.
megabytes()
{
	_kib=$(du -sk "$1" 2>/dev/null | cut -f1)
	echo $((${_kib:-0} / 1024))
}

choose_tree()
{
	for tree in /usr/share/doc /usr/include /usr/share/man /usr/share; do
		[ -d "$tree" ] || continue
		_size=$(megabytes "$tree")
		if [ "$_size" -ge 32 ] && [ "$_size" -le 1000 ]; then
			return
		fi
	done
	tree=$T/tree
	mkdir "$tree"
	_n=0
	while [ "$_n" -lt 500 ] && [ "$(megabytes "$tree")" -lt 64 ]; do
		mkdir "$tree/$_n"
		tests/copy-sources.sh "$tree/$_n"
		cp viamillipede "$tree/$_n"
		_n=$((_n + 1))
	done
}

# --- an injury --------------------------------------------------------------

# `sent_by_legs`: "SENT LOCAL_PORT" of each leg, the busiest first.
sent_by_legs()
{
	ss -H -t -i -n state established "dport = :$port" 2>/dev/null | awk '
		/^[^ \t]/ { n = split($3, part, ":"); local = part[n] }
		/bytes_sent/ {
			sub(/.*bytes_sent:/, "")
			print $1, local
		}' | sort -rn
}

# The kernel can do it, as a firewall would; otherwise the program does.
kernel_resets()
{
	[ "$(id -u)" = 0 ] && command -v ss >/dev/null &&
	    command -v python3 >/dev/null && python3 -IS "${0%/*}/t_reset.py"
}

# Some of the stream must be out, and some must be still to come.
reset_busiest()
{
	_tries=0
	while [ "$_tries" -lt 500 ] && kill -0 "$tx" 2>/dev/null; do
		_leg=$(sent_by_legs | head -n 1)
		if [ "${_leg% *}" -gt 16000000 ] 2>/dev/null; then
			moment=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
			ss -K -H -t -n state established "dport = :$port" \
			    "sport = :${_leg#* }" >/dev/null 2>&1
			echo "demo: $moment the leg from port ${_leg#* } is reset" \
			    "with ss -K after ${_leg% *} bytes" >"$T/demo.log"
			return
		fi
		sleep 0.01
		_tries=$((_tries + 1))
	done
	fail "no leg carried enough to be worth a reset"
}

# --- the job ----------------------------------------------------------------

told_port()
{
	_tries=0
	while [ "$_tries" -lt 500 ]; do
		port=$(sed -n 's/.*listening on .*:\([0-9][0-9]*\)$/\1/p' "$T/rx.log" |
		    head -n 1)
		[ -z "$port" ] || return 0
		kill -0 "$rx" 2>/dev/null || return 1
		sleep 0.02
		_tries=$((_tries + 1))
	done
	return 1
}

# A path of its own for each of the four legs, so that all of them are up.
begin()
{
	mkdir "$T/copy"
	mkfifo "$T/packed" "$T/carried"
	tar -xpf - -C "$T/copy" <"$T/carried" &
	unpack=$!
	PIDS="$PIDS $unpack"
	# shellcheck disable=SC2086
	"$V" rx 0 bind 127.0.0.1 verbose 4 $rx_words >"$T/carried" 2>"$T/rx.log" &
	rx=$!
	PIDS="$PIDS $rx"
	told_port || fail "rx does not listen"
	tar -cf - -C "$tree" . >"$T/packed" &
	pack=$!
	PIDS="$PIDS $pack"
	# shellcheck disable=SC2086
	"$V" tx 127.0.0.1 "$port" tx 127.0.0.1 "$port" tx 127.0.0.1 "$port" \
	    tx 127.0.0.1 "$port" legs 4 checksum verbose 4 $tx_words \
	    <"$T/packed" 2>"$T/tx.log" &
	tx=$!
	PIDS="$PIDS $tx"
}

# `end NAME PID`: waits for it and notes how it ended.
end()
{
	_code=0
	wait "$2" || _code=$?
	ends="$ends$1 $_code, "
	[ "$_code" = 0 ] || bad="$bad $1"
}

show()
{
	sort -s -k 3,3 "$T/tx.log.named" "$T/rx.log.named" "$T/demo.log.named" |
	    sed -e 's/^\([a-z]*\) viamillipede: /\1 /' -e 's/^demo demo: /demo /' \
	    -e 's/ [0-9-]*T\([0-9:.]*\)Z / \1 /' |
	    awk '{ who = $1; at = $2; $1 = $2 = ""
		printf "  %s  %-4s %s\n", at, who, $0 }' | sed 's/  *$//'
}

choose_tree
files=$(($(find "$tree" ! -type d | wc -l)))
echo "tree     $tree: $files files, $(megabytes "$tree") MiB"
rx_words='' tx_words=''
how="ss -K"
if ! kernel_resets; then
	# The busiest leg has at least as many such frames as the tree has MiB.
	tx_words="frame 256K"
	rx_words="chaos $(megabytes "$tree"):reset:1"
	how="$rx_words at rx (ss -K needs root and a kernel that has it)"
fi
echo "sender   tar -cf - -C $tree . | viamillipede tx 127.0.0.1 PORT (4 times)" \
    "legs 4 checksum"
echo "receiver viamillipede rx 0 bind 127.0.0.1 | tar -xpf - -C COPY"
echo "injury   the reset of a leg in mid-transfer, by $how"
: >"$T/demo.log"
began=$(date +%s)
begin
[ -n "$rx_words" ] || reset_busiest
bad='' ends=''
end tar "$pack"
end tx "$tx"
end rx "$rx"
end untar "$unpack"
PIDS=
for log in tx rx demo; do
	sed "s/^/$log /" "$T/$log.log" >"$T/$log.log.named"
done
echo "what happened, as both sides told it (verbose 4, UTC):"
show
echo "ended    ${ends%, } after $(($(date +%s) - began)) s"
[ -z "$bad" ] || fail "failed:$bad"
grep -q 'leg .* lost:' "$T/tx.log" "$T/rx.log" || fail "no leg was lost on the way"

same=yes
diff -r --no-dereference "$tree" "$T/copy" >"$T/diff" 2>&1 || same=no
[ "$(($(find "$T/copy" ! -type d | wc -l)))" = "$files" ] || same=no
[ "$same" = yes ] || fail "the copy differs: $(head -n 5 "$T/diff")"
echo "compared diff -r: $files files, identical"
