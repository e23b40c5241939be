#!/bin/sh
# What the word `ssh` costs and gives, with a real sshd, side by side with ssh
# alone and with tx and rx: the time from Enter to the first byte and, through
# ssh only, the speed, both over an emulated path; and the speed of a push over
# loopback. Prints a table in Markdown; progress goes to standard error. Figures
# are medians of interleaved rounds.
#
# usage: make bench-ssh, or tests/bench_ssh.sh from where the program was built.
# It needs root for the emulated path.
# Environment: ROUNDS (5), SECONDS_EACH (20), MIB (1000), and those of lib.sh.
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
need_root "makes an emulated path"
PATH_IS='200M/80ms/0.1%'
lab $PATH_IS
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"
ROUNDS=${ROUNDS:-5}
SECONDS_EACH=${SECONDS_EACH:-20}
MIB=${MIB:-1000}
BUILD=${BUILD:-${TESTS%/*}/build}
case $BUILD in
/*)	;;
*)	BUILD=$PWD/$BUILD ;;
esac
RTT_MS=80
# One that takes a loss for a jam (as CUBIC, which at this rate and loss is no faster;
# but reno may be set in every namespace), and one that does not.
CONGESTIONS=${CONGESTIONS:-reno bbr}

say()
{
	echo "bench: $*" >&2
}

# `note NAME NUMBER`: one of the figures of which the median counts.
note()
{
	say "$1: $2"
	echo "$2" >>"$T/figure.$1"
}

# `quotient NAME NAME`, `difference NAME NAME`, `median NAME`.
figure()
{
	"$PY" -IS -c 'import statistics, sys
a, *b = (statistics.median(map(float, open(f))) for f in sys.argv[2:])
print("%.2f" % {"median": lambda: a, "quotient": lambda: a / b[0],
                "difference": lambda: a - b[0]}[sys.argv[1]]())' "$@"
}
median()
{
	figure median "$T/figure.$1"
}
quotient()
{
	figure quotient "$T/figure.$1" "$T/figure.$2"
}
difference()
{
	figure difference "$T/figure.$1" "$T/figure.$2"
}

now_ms()
{
	"$PY" -IS -c 'import time; print(time.monotonic_ns() // 1000000)'
}

# `rate FILE`: MiB/s of what the sink says in it.
rate()
{
	sed -n 's/.*sink bytes=\([0-9]*\) first_ns=\([0-9]*\) end_ns=\([0-9]*\) wrong=none.*/\1 \2 \3/p' \
	    "$1" | awk '{ printf "%.1f\n", $1 / 1048576 / (($3 - $2) / 1e9) }' | grep . ||
	    fail "no sink has ended well: $(cat "$1")"
}

ours()
{
	"$V" ssh there "$@" ssh-command "$SSH" remote-program "$T/far"
}

# --- over the emulated path ---------------------------------------------------

SERVE_IN="ip netns exec $NS_B"
sshd_begin 10.77.0.2
# How long a process of ours takes until there is an byte, or it has ended.
cat >"$T/first.py" <<'END'
import subprocess, sys, time
began = time.monotonic()
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
p.stdout.read(1)
print("%.0f" % ((time.monotonic() - began) * 1000))
p.stdout.read()
sys.exit(p.wait())
END
first()
{
	ip netns exec "$NS_A" "$PY" -IS "$T/first.py" "$@"
}

for _ in $(seq "$ROUNDS"); do
	# shellcheck disable=SC2086
	note ssh_true_ms "$(first $SSH there true)"
	note pull_ms "$(first "$V" ssh there source 'echo x; cat' ssh-command "$SSH" \
	    remote-program "$T/far")"
done

# `over_path CONGESTION`: ssh alone, and this through ssh only.
over_path()
{
	for _ns in "$NS_A" "$NS_B"; do
		ip netns exec "$_ns" sysctl -q -w "net.ipv4.tcp_congestion_control=$1"
	done
	# shellcheck disable=SC2086
	"$BUILD/bench_source" -t $((SECONDS_EACH * 1000)) 2>"$T/source" |
	    ip netns exec "$NS_A" $SSH there "$BUILD/bench_sink" 2>"$T/sink"
	note "ssh_$1" "$(rate "$T/sink")"
	"$BUILD/bench_source" -t $((SECONDS_EACH * 1000)) 2>"$T/source" |
	    ip netns exec "$NS_A" "$V" ssh there exec "$BUILD/bench_sink" ssh-command "$SSH" \
	    remote-program "$T/far" tunnel 2>"$T/sink"
	note "tunnel_$1" "$(rate "$T/sink")"
}
for _ in $(seq "$ROUNDS"); do
	for congestion in $CONGESTIONS; do
		over_path "$congestion"
	done
done
stop sshd

# --- over loopback ------------------------------------------------------------

SERVE_IN=
rm -f "$T/host_key"* "$T/user_key"* "$T/far"
sshd_begin 127.0.0.1
(umask 077; data 32 9 >"$T/key")
bytes=$((MIB * 1048576))
for _ in $(seq "$ROUNDS"); do
	"$BUILD/bench_source" $bytes 2>"$T/source" | ours exec "$BUILD/bench_sink" 2>"$T/sink"
	note push "$(rate "$T/sink")"
	# shellcheck disable=SC2086
	"$BUILD/bench_source" $bytes 2>"$T/source" | $SSH there "$BUILD/bench_sink" 2>"$T/sink"
	note ssh "$(rate "$T/sink")"
	# shellcheck disable=SC2086
	"$BUILD/bench_source" $bytes 2>"$T/source" |
	    $SSH -c aes128-gcm@openssh.com there "$BUILD/bench_sink" 2>"$T/sink"
	note ssh_gcm "$(rate "$T/sink")"
	: >"$T/r.err"
	"$V" rx 0 key "$T/key" 2>"$T/r.err" | "$BUILD/bench_sink" 2>"$T/sink" &
	receiver=$!
	within 5 grep -q 'listening on' "$T/r.err" || fail "rx does not listen"
	"$BUILD/bench_source" $bytes 2>"$T/source" |
	    "$V" tx 127.0.0.1 "$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$T/r.err")" \
	    key "$T/key"
	wait $receiver
	note plain "$(rate "$T/sink")"
done

row()
{
	echo "| $1 | $(median "$2") | $(median "$3") | $4 | $5 |"
}
trips=$("$PY" -IS -c 'import sys
print("%.1f round trips more" % (float(sys.argv[1]) / float(sys.argv[2])))' \
    "$(difference pull_ms ssh_true_ms)" $RTT_MS)
cat <<END
### Through ssh

Medians of $ROUNDS interleaved rounds. The path is $PATH_IS, emulated; $SECONDS_EACH s each
over it, $MIB MiB over loopback. $(nproc) cores, Linux $(uname -r). First byte: of \`ssh there
source 'echo x'\`, beside the end of \`ssh there true\`.

| figure | this | beside it | | target |
|---|---:|---:|---:|---:|
END
row "first byte of a pull; \`ssh there true\`; ms" pull_ms ssh_true_ms "$trips" '≤ 2'
for congestion in $CONGESTIONS; do
	row "\`tunnel\`; \`\\| ssh\`; MiB/s, $congestion" "tunnel_$congestion" "ssh_$congestion" \
	    "$(quotient "tunnel_$congestion" "ssh_$congestion") ×" '≥ 3'
done
row "push over loopback; a pipe through ssh, its default cipher; MiB/s" push ssh \
    "$(quotient push ssh) ×" '≥ 2'
row "push over loopback; the same, aes128-gcm; MiB/s" push ssh_gcm \
    "$(quotient push ssh_gcm) ×" '≥ 1.4'
row "push over loopback; tx and rx with \`key\`; MiB/s" push plain "$(quotient push plain) ×" '≥ 0.95'
