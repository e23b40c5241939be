#!/bin/sh
# Goal: With few descriptors, threads or little address space both ends go on with the
# legs that they can have, also while strangers take what they get. If that is not
# enough for any leg, the other side is told instead of waiting.
# promise: DIAGNOSTICS, OPTIONS legs
# waits
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
need prlimit

data 4000000 >"$T/in"

# `limited NAME LIMIT COMMAND ...`, as start: `nofile=20', for instance.
limited()
{
	_who=$1
	_limit=--$2
	shift 2
	# shellcheck disable=SC2086
	start "$_who" ${AS:-} prlimit "$_limit" "$@"
}

came()
{
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
}

# `sweep LIMIT ...`: first on the one side, then on the other.
sweep()
{
	for _each in "$@"; do
		limited r "$_each" "$V" rx 0 timeout 20 >"$T/out"
		told r 'listening on'
		# shellcheck disable=SC2086
		tx t r timeout 20 $words <"$T/in"
		came
		rx r timeout 20 >"$T/out"
		# shellcheck disable=SC2086
		limited t "$_each" "$V" tx 127.0.0.1 "$(port r)" timeout 20 $words <"$T/in"
		came
	done
}

words=
sweep nofile=12 nofile=20
words='legs 16'
sweep nofile=64
says t 'legs are possible' && fail "64 descriptors are enough for 16 legs"
if memory_is_honest; then
	sweep as=60000000 as=500000000
	never_said t 'legs are possible'
fi

# The window is an eighth of the memory that there is.
# `window BYTES`: what both ends have agreed on is that.
window()
{
	came
	grep -q "\"window\":$1[,}]" "$T/report" || fail "a window of $1: $(head -n 3 "$T/report")"
}
if memory_is_honest; then
	limited r as=160000000 "$V" rx 0 report "$T/report" timeout 20 >"$T/out"
	told r 'listening on'
	tx t r timeout 20 <"$T/in"
	window 20000000
fi
group=
end_group()
{
	[ -z "$group" ] || within 5 rmdir "$group" 2>/dev/null || :
}
for place in /sys/fs/cgroup/memory /sys/fs/cgroup /sys/fs/cgroup/unified; do
	mkdir "$place/viamillipede.$$" 2>/dev/null || continue
	group=$place/viamillipede.$$
	for file in memory.max memory.limit_in_bytes; do
		[ ! -e "$group/$file" ] || echo 134217728 >"$group/$file" || :
	done
	! grep -q -s -x 134217728 "$group/memory.max" "$group/memory.limit_in_bytes" || break
	rmdir "$group"
	group=
done
if [ -n "$group" ]; then
	# shellcheck disable=SC2016
	start r sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" \
	    "$V" rx 0 report "$T/report" timeout 20 >"$T/out"
	within 10 says_or_gone r 'listening on' || :
	tx t r timeout 20 <"$T/in"
	window 16777216
	end_group
fi

# Strangers leave descriptors to the session.
limited r nofile=64 "$V" rx 0 >"$T/out"
told r 'listening on'
start flood "$PY" -IS "$TESTS/t_stranger.py" "$(port r)" flood 200
told flood '^connected'
source_of 4000000 hold="4000000:$T/go" | tx t r legs 4 verbose 4
arrived "$T/out" 4000000
within 30 says t 'leg [1-9] up' || fail "strangers starve the session"
: >"$T/go"
came
stop flood

# Threads are counted by user.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && memory_is_honest; then
	# Nobody else's threads, and no right but to get at the program and the files.
	AS="setpriv --reuid=$((200000 + $$)) --clear-groups --inh-caps=-all,+dac_override \
	    --ambient-caps=-all,+dac_override --bounding-set=-all,+dac_override"
	for legs in 10 6; do
		rx r timeout 20 >"$T/out"
		limited t nproc="$legs" "$V" tx 127.0.0.1 "$(port r)" timeout 20 <"$T/in"
		came
		told t 'only .* of 64 legs are possible'
	done
	limited r nproc=10 "$V" rx 0 timeout 20 >"$T/out"
	told r 'listening on'
	tx t r timeout 20 <"$T/in"
	came
	# Not even those: the receiver, which waits for contact for ever, hears of it.
	rx r >"$T/out"
	limited t nproc=4 "$V" tx 127.0.0.1 "$(port r)" <"$T/in"
	ended t 1
	told t 'cannot start the'
	ended r 1
	told r 'cannot start the'
fi
