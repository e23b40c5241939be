#!/bin/sh
# Goal: `bind ::` and `bind ::ffff:ADDRESS` hear IPv4; `from` an interface that does
# not exist waits for no resolver; and legs with a source address do not need a local
# port each.
# promise: OPTIONS bind, OPTIONS from
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

data 100000 >"$T/in"

# `reaches BIND HOST`
reaches()
{
	rx r bind "$1" timeout 10 >"$T/out"
	start t "$V" tx "$2" "$(port r)" wait 5 <"$T/in"
	ended t 0
	ended r 0
	same "$T/in" "$T/out"
}

if grep -q . /proc/net/if_inet6 2>/dev/null; then
	reaches :: 127.0.0.1
	reaches :: ::1
	reaches ::ffff:127.0.0.1 127.0.0.1
fi
reaches 0.0.0.0 127.0.0.1

# From here on in a network of our own: a resolver that never answers, twelve ports.
need_root "makes networks"
need unshare
echo 'nameserver 127.0.0.1' >"$T/resolv.conf"
cat >"$T/inside" <<'EOF'
set -eu
mount --bind "$T/resolv.conf" /etc/resolv.conf
ip link set lo up
echo 40000 40011 >/proc/sys/net/ipv4/ip_local_port_range
exec "$@"
EOF
unshare -mn true 2>/dev/null || skip "cannot make networks"
# `inside NAME COMMAND ...`: the first makes the network, others enter it.
start net unshare -mn sh "$T/inside" "$PY" -IS -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
print("deaf", file=sys.stderr, flush=True)
time.sleep(600)'
told net '^deaf'
enter="nsenter -m -n -t $(pid net)"

# shellcheck disable=SC2086
start t $enter "$V" tx 127.0.0.1 1 from wwan0 wait 4 <"$T/in"
told t 'from wwan0: No such device' 2
ended t 4 8

eight=
for n in 1 2; do
	# shellcheck disable=SC2086
	start r$n $enter "$V" rx $((30000 + n)) >"$T/out$n"
done
for n in 1 2; do
	eight=
	for _ in 1 2 3 4 5 6 7 8; do
		eight="$eight tx 127.0.0.1 $((30000 + n)) from 127.0.0.1"
	done
	source_of 100000 hold="100000:$T/go" | {
		# shellcheck disable=SC2086
		start t$n $enter "$V" $eight legs 8 verbose 4
	}
	mv "$T/src.pid" "$T/src$n.pid"
	mv "$T/src.sup" "$T/src$n.sup"
done
ups()
{
	[ "$(grep -c 'leg [0-7] up' "$T/t1.err")" -ge 8 ] &&
	    [ "$(grep -c 'leg [0-7] up' "$T/t2.err")" -ge 8 ]
}
within 10 ups || fail "legs lack local ports: $(grep -h 'cannot connect' "$T/t1.err" "$T/t2.err" | head -3)"
: >"$T/go"
ended t1 0
ended t2 0
ended r1 0
ended r2 0
stop net
ended net any
