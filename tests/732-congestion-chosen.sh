#!/bin/sh
# Goal: Where loss slows a path down, its legs try bbr, and use it if that carries
# more. Where the system lists bbr but refuses it, at once or only to the connections,
# more legs are used instead; so they are where it tells less of a connection.
# promise: OPTIONS congestion, OPTIONS legs
# waits
# takes: 35
# limit: 180
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
grep -q bbr /proc/sys/net/ipv4/tcp_available_congestion_control 2>/dev/null ||
    skip "needs a system that lists bbr"
lab 40M/60ms/1% --congestion cubic

# `sends LEGS [NAME=VALUE ...]`: an endless stream from a sender with this environment.
sends()
{
	_legs=$1
	shift
	lab_rx r >/dev/null
	start t ip netns exec "$NS_A" env "$@" "$V" tx 10.77.0.2 "$(port r)" \
	    legs "$_legs" verbose 5 report "$T/report" </dev/zero
}
stop_all()
{
	signal t TERM
	ended t signal:15 20
	ended r 1 20
	rm -f "$T/report" "$T/note"
}
reports()
{
	"$PY" -IS "$TESTS/t_report.py" "$T/report" "$1" 2>"$T/reports.err"
}

# So few that they cannot fill it with the system's own.
sends 4
if [ "$SLOW" -gt 1 ]; then
	# What a machine that is kept busy adds to round trips looks like a queue.
	let_pass 5
else
	told t 'loss limits its legs: trying bbr' 20
	told t 'it carries more with bbr: keeping that' 60
	within 10 reports 'of("interval")[-1]["paths"][0]["congestion"] == "bbr"' ||
	    fail "$(cat "$T/reports.err")"
fi
stop_all

build_failing

# `refused AT`: which calls, see failing.c.
refused()
{
	sends 64 LD_PRELOAD="$T/failing.so" FAILING_CALL='setsockopt TCP_CONGESTION' \
	    FAILING_AT="$1" FAILING_WITH=2 FAILING_NOTE="$T/note"
	told t 'loss limits its legs: using more' 20
	[ -e "$T/note" ] || fail "nothing was refused"
	[ "$1" = 0 ] || told t 'trying bbr' 1
	[ "$1" != 0 ] || never_said t 'bbr'
	within 10 reports 'of("interval")[-1]["legs_up"] > 8' || fail "$(cat "$T/reports.err")"
	reports 'all(p["congestion"] == "system" for i in of("interval")[3:] for p in i["paths"])' ||
	    fail "$(cat "$T/reports.err")"
	stop_all
}
refused 0
refused 2+

# Neither the least round trip nor what was sent is told: the number is found by trial.
sends 64 LD_PRELOAD="$T/failing.so" FAILING_CALL='getsockopt TCP_INFO' FAILING_AT=0 \
    FAILING_WITH=short FAILING_NOTE="$T/note"
told t 'trying bbr\|trying twice as many legs\|using more of them' 30
[ -e "$T/note" ] || fail "all was told"
stop_all
