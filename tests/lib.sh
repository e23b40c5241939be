# shellcheck shell=sh
# What the behaviour tests share: processes by name, events to wait for,
# assertions, and a cleanup that ends only what the test itself started.
#
# A test begins with   . "${0%/*}/lib.sh"   and is an sh script with -eu. $T is
# its scratch directory, $V the program. Every process that matters is started
# with `start NAME`, also inside a pipeline, and has that name from then on: its
# standard error is $T/NAME.err, and `ended` waits for it and checks how it ended.
# All times are in seconds, multiplied by TEST_SLOW. They limit the wait for an
# event; only `let_pass` sleeps for all of its time, for tests that are about time.
#
# Environment: VIAMILLIPEDE, TEST_SLOW, TEST_SEED (of the random data and of
# the random choices; printed), TEST_KEEP=1 (keep $T).

set -eu

case $0 in
*/*)	TESTS=${0%/*} ;;
*)	TESTS=. ;;
esac
case $TESTS in
*/long)	TESTS=${TESTS%/long} ;;
esac
TESTS=$(cd "$TESTS" && pwd)
V=${VIAMILLIPEDE:-./viamillipede}
case $V in
/*)	;;
*)	V=$PWD/$V ;;
esac
SLOW=${TEST_SLOW:-1}
SEED=${TEST_SEED:-20240229}
PY=${TEST_PYTHON:-$(python3 -c "import sys; print(sys.executable)")}
T_RUN=$TESTS/../build/t_run
T_WAIT=$TESTS/../build/t_wait
SOURCE=$TESTS/../build/t_source
T=$(mktemp -d "${TMPDIR:-/tmp}/viamillipede.XXXXXX")
export T
echo "seed $SEED"

# --- results -------------------------------------------------------------

# The test stops here; also from within a pipeline or a $(...).
fail()
{
	echo "FAILED: $*" | tee -a "$T/failures" >&2
	exit 1
}

# `skip REASON`: the reason becomes the last line, which the runner repeats.
skip()
{
	echo "$*" >"$T/skipped"
	exit 77
}

need()
{
	command -v "$1" >/dev/null || skip "needs $1"
}

need_root()
{
	[ "$(id -u)" = 0 ] || skip "needs root: $1"
}

# `own_network REASON`: goes on in a network of its own, in which only lo is up.
own_network()
{
	need_root "$1"
	need unshare
	need ip
	if [ "${INSIDE:-}" != yes ]; then
		unshare -n true 2>/dev/null || skip "needs network namespaces"
		INSIDE=yes exec unshare -n sh "$0"
	fi
	ip link set lo up
}

# --- time -----------------------------------------------------------------

# NOW in hundredths of a second, without a fork if the system allows it.
read_clock()
{
	if [ -r /proc/uptime ]; then
		read -r NOW _ </proc/uptime
		NOW=${NOW%.*}${NOW#*.}
	else
		NOW=$(date +%s)00
	fi
}

# `within SECONDS COMMAND ...`: wait until the command succeeds; 1 if it does not.
# It is tried often at first; what takes half a second may end a tenth late, as so many
# tests that try all the time would keep the machine from what they wait for.
within()
{
	read_clock
	_often=$((NOW + 50))
	_until=$((NOW + $1 * 100 * SLOW))
	shift
	until "$@"; do
		read_clock
		[ "$NOW" -lt "$_until" ] || return 1
		if [ "$NOW" -lt $_often ]; then sleep 0.02; else sleep 0.1; fi
	done
}

# `let_pass SECONDS`: for a test that is about time: heartbeats, stalls, deadlines.
let_pass()
{
	sleep "$1"
}

# --- processes ------------------------------------------------------------

# `start NAME [option=value ...] PROGRAM [ARGUMENT ...]`, with this function's
# standard input and output; the options are those of t_run.c. The program runs
# when this returns.
start()
{
	_name=$1
	shift
	_options=
	while :; do
		case $1 in
		in=*|out=*|err=*|nonblock=*|close=*)
			_options="$_options $1"
			shift ;;
		*)	break ;;
		esac
	done
	# A name may be used again when its process has gone.
	[ ! -e "$T/$_name.sup" ] || within 5 test -e "$T/$_name.end" ||
	    fail "$_name is still running"
	rm -f "$T/$_name.pid" "$T/$_name.end" "$T/$_name.err"
	# An asynchronous command has /dev/null for standard input unless told.
	# shellcheck disable=SC2086
	"$T_RUN" "$_name" $_options -- "$@" <&3 3<&- &
	echo $! >"$T/$_name.sup"
	"$T_WAIT" $((20 * SLOW)) exists "$T/$_name.pid" 3<&- || fail "$_name does not start"
} 3<&0

pid()
{
	cat "$T/$1.pid"
}

# `signal NAME SIGNAL`
signal()
{
	kill "-$2" "$(pid "$1")"
}

# `stop NAME`: end it, whatever its state.
stop()
{
	kill -KILL "$(pid "$1")" 2>/dev/null || :
}

is_running()
{
	[ ! -e "$T/$1.end" ]
}

must_run()
{
	is_running "$1" || fail "$1 is not running any more: $(cat "$T/$1.end")"
}

# `ended NAME STATUS [SECONDS]`: it must end within so long (20) with that exit
# status; STATUS may also be `signal:N` (by that signal), `nonzero` (not with
# success) or `any`. $ENDED says how it ended.
ended()
{
	"$T_WAIT" $((${3:-20} * SLOW)) exists "$T/$1.end" ||
	    fail "$1 has not ended within ${3:-20} s"
	read -r _how _code _rss _took <"$T/$1.end"
	ENDED=$_how:$_code
	case $2 in
	any)		;;
	nonzero)	[ "$ENDED" != exit:0 ] || fail "$1 ended with exit 0" ;;
	signal:*)	[ "$ENDED" = "$2" ] || fail "$1 ended by $ENDED, not $2" ;;
	*)		[ "$ENDED" = "exit:$2" ] ||
			    fail "$1 ended with $ENDED, not exit:$2" ;;
	esac
}

# The peak memory of a process in KiB: so far, or in all if it has ended.
peak_kib()
{
	if [ -e "$T/$1.end" ]; then
		read -r _how _code _rss _took <"$T/$1.end"
		echo "$_rss"
	else
		sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(pid "$1")/status"
	fi
}

# Does memory use mean anything in this build (not under a sanitizer)?
memory_is_honest()
{
	! grep -q -e __asan_init -e __tsan_init -e __msan_init "$V"
}

# Makes $T/failing.so, which a program is run with to make its calls fail. Ends the test
# with success where a sanitizer puts itself in the place of the same calls.
build_failing()
{
	need cc
	if ! memory_is_honest; then
		echo "a sanitizer puts itself in the place of the same calls"
		exit 0
	fi
	cc -O2 -shared -fPIC -o "$T/failing.so" "$TESTS/failing.c" -ldl 2>"$T/cc" || {
		cat "$T/cc"
		skip "needs a system whose calls can be replaced as those of glibc"
	}
}

# --- messages --------------------------------------------------------

says()
{
	[ -e "$T/$1.err" ] && grep -q -i -e "$2" "$T/$1.err"
}

says_or_gone()
{
	says "$1" "$2" || ! is_running "$1"
}

# `told NAME REGEXP [SECONDS]`: its standard error has such a line, or will soon.
told()
{
	"$T_WAIT" $((${3:-10} * SLOW)) says "$T/$1.err" "$2" "$T/$1.end" ||
	    fail "$1 did not say: $2"
}

never_said()
{
	! says "$1" "$2" || fail "$1 said: $(grep -i -e "$2" "$T/$1.err" | head -1)"
}

# `port NAME`: the port that a receiver or a proxy has printed.
port()
{
	cat "$T/$1.err" "$T/$1.said" 2>/dev/null |
	    sed -n -e 's/.*listening on .*:\([0-9][0-9]*\)$/\1/p' \
	    -e 's/^listening on \([0-9][0-9]*\)$/\1/p' | head -1
}

# `rx NAME [OPTION ...]`: a receiver on a free port, listening when this
# returns; `port NAME` is its port. Standard output is this function's.
rx()
{
	_rx=$1
	shift
	start "$_rx" "$V" rx 0 "$@"
	told "$_rx" "listening on .*:[0-9][0-9]*$" 20
}

# `tx NAME RX [OPTION ...]`: a sender to that receiver.
tx()
{
	_tx=$1
	_to=$(port "$2")
	shift 2
	start "$_tx" "$V" tx 127.0.0.1 "$_to" "$@"
}

# `offer NAME [OPTION ...]`: a sender that listens, as rx; it sends this
# function's standard input.
offer()
{
	_offer=$1
	shift
	start "$_offer" "$V" offer 0 "$@"
	told "$_offer" "listening on .*:[0-9][0-9]*$" 20
} 3<&0

# `fetch NAME OFFER [OPTION ...]`: a receiver that calls it.
fetch()
{
	_fetch=$1
	_to=$(port "$2")
	shift 2
	start "$_fetch" "$V" fetch 127.0.0.1 "$_to" "$@"
}

# `proxy NAME RX [OPTION ...]`: tests/proxy.py in front of a receiver; tx can
# be given NAME instead of RX, and `ask NAME COMMAND ...` disturbs what passes.
proxy()
{
	_proxy=$1
	_to=$(port "$2")
	shift 2
	rm -f "$T/$_proxy.commands" "$T/$_proxy.answers"
	mkfifo "$T/$_proxy.commands" "$T/$_proxy.answers"
	start "$_proxy" "$PY" -IS -B "$TESTS/proxy.py" --seed "$SEED" \
	    -c "$T/$_proxy.commands" -r "$T/$_proxy.answers" "$@" \
	    127.0.0.1 "$_to" >"$T/$_proxy.said"
	within 10 grep -q -e '^seed' "$T/$_proxy.said" ||
	    fail "$_proxy does not listen"
}

# The proxy's answer, without the "ok", is in $ANSWER; false if it refused.
ask_if()
{
	_proxy=$1
	shift
	must_run "$_proxy"
	echo "$*" >"$T/$_proxy.commands"
	ANSWER=$(timeout $((30 * SLOW)) head -n 1 <"$T/$_proxy.answers") || :
	case $ANSWER in
	ok*)	ANSWER=${ANSWER#ok} ;;
	*)	return 1 ;;
	esac
}

ask()
{
	ask_if "$@" || fail "$*: ${ANSWER:-no answer}"
}

# `proxy_count NAME FIELD`: one number of its statistics, 0 if there is none.
proxy_count()
{
	echo stats >"$T/$1.commands"
	timeout $((30 * SLOW)) head -n 2 <"$T/$1.answers" |
	    awk -v field="$2" '
		$1 == "stats" { for (i = 2; i < NF; i++) if ($i == field) n = $(i + 1) }
		END { print n + 0 }'
}

# `legs NAME`: the local ports of its established connections, one in a line.
legs()
{
	"$TESTS/../build/t_sockets" connected "$(pid "$1")"
}

# `has_legs NAME NUMBER`: at least so many.
has_legs()
{
	[ "$(legs "$1" | wc -l)" -ge "$2" ]
}

# `reset_leg NAME RX LOCAL_PORT`: by the kernel, as a firewall would; false
# where it cannot.
reset_leg()
{
	_reset=$(ss -K -H -t -n state established \
	    "dport = :$(port "$2")" "sport = :$3" 2>/dev/null) || return 1
	[ -n "$_reset" ]
}

need_reset()
{
	need_root "resets connections with ss -K"
	need ss
	"$PY" -IS "$TESTS/t_reset.py" || skip "needs a kernel with ss -K"
}

# `listens NAME`: the port of a process that cannot print it, in $PORT.
listens()
{
	PORT=$("$TESTS/../build/t_sockets" listening "$(pid "$1")" | head -1)
	[ -n "$PORT" ]
}

# --- data -----------------------------------------------------------------

# `data BYTES [NUMBER]`: seeded random bytes on standard output.
data()
{
	"$SOURCE" "$1" "$((SEED + ${2:-0}))"
}

# `source_of BYTES [hold=OFFSET:FILE] [rate=BYTES_PER_SECOND] ...` under the
# name src; the same bytes as `data BYTES`.
source_of()
{
	_bytes=$1
	shift
	start src "$SOURCE" "$_bytes" "$SEED" "$@"
}

size_of()
{
	if [ -e "$1" ]; then echo $(($(wc -c <"$1"))); else echo 0; fi
}

has_bytes()
{
	[ "$(size_of "$1")" -ge "$2" ]
}

# `arrived FILE BYTES [SECONDS]`: the file has at least so many, or will soon.
arrived()
{
	"$T_WAIT" $((${3:-20} * SLOW)) has "$1" "$2" ||
	    fail "$1: $(size_of "$1") bytes, waited for $2"
}

sum_of()
{
	openssl dgst -sha256 -r "$1" | cut -d' ' -f1
}

same()
{
	cmp "$1" "$2" || fail "$2 differs from $1"
}

# `begins FILE WHOLE`: FILE holds the first bytes of WHOLE and nothing else.
begins()
{
	head -c "$(size_of "$1")" "$2" | cmp - "$1" || fail "$1 is not a prefix of $2"
}

# --- the end --------------------------------------------------------------

# An exit status of 1 may be a sanitizer's, and nothing may ever abort.
no_accidents()
{
	for _f in "$T"/*.err; do
		[ -e "$_f" ] || continue
		if grep -q -e 'Sanitizer' -e 'runtime error:' \
		    -e '[Aa]ssertion.*failed' "$_f"; then
			echo "FAILED: accident in ${_f##*/}" | tee -a "$T/failures"
		fi
	done
	for _f in "$T"/*.end; do
		[ -e "$_f" ] || continue
		if grep -q -E '^signal (4|6|7|8|11) |^exit (66|86) ' "$_f"; then
			echo "FAILED: ${_f##*/}: $(cat "$_f")" | tee -a "$T/failures"
		fi
	done
}

end_processes()
{
	for _f in "$T"/*.sup; do
		[ -e "$_f" ] || continue
		[ -e "${_f%.sup}.end" ] || kill -TERM "$(cat "$_f")" 2>/dev/null || :
	done
	for _f in "$T"/*.sup; do
		[ -e "$_f" ] || continue
		within 5 test -e "${_f%.sup}.end" || echo "lost: ${_f##*/}"
	done
}

cleanup()
{
	_status=$?
	trap - EXIT
	set +e
	end_processes
	no_accidents
	[ ! -e "$T/failures" ] || _status=1
	if [ "$_status" -ne 0 ] && [ "$_status" -ne 77 ]; then
		for _f in "$T"/*.end "$T"/*.err; do
			[ -s "$_f" ] && echo "--- ${_f##*/}" && tail -n 120 "$_f"
		done
	fi
	[ ! -e "$T/skipped" ] || cat "$T/skipped"
	[ -n "${TEST_KEEP:-}" ] || rm -rf "$T"
	exit "$_status"
}

trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
