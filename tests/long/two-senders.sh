#!/bin/sh
# Goal: Two senders share one link and tune their numbers of legs against each other:
# neither has less than a quarter of its fair share, and neither uses many legs. The
# same where the link loses packets by chance, and where the way back is thin.
# promise: OPTIONS legs
# limit: 240
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 40M/40ms --congestion cubic

# `sender N`
sender()
{
	start "r$1" ip netns exec "$NS_B" "$V" rx 0 >/dev/null
	told "r$1" "listening on .*:[0-9][0-9]*$" 20
	start "t$1" ip netns exec "$NS_A" "$V" tx 10.77.0.2 "$(port "r$1")" \
	    congestion system report "$T/report$1" </dev/zero
}
stop_sender()
{
	signal "t$1" TERM
	ended "t$1" signal:15 20
	ended "r$1" 1 20
}

# `judge N`: what it had of the last twenty seconds, bytes a second, and its legs.
judge()
{
	"$PY" -IS -c 'import json, sys
lines = [json.loads(l) for l in open(sys.argv[1])]
last = [l for l in lines if l["event"] == "interval"][-20:]
a, b = last[0], last[-1]
print(int((b["bytes"] - a["bytes"]) / (b["elapsed"] - a["elapsed"])),
      max(l["paths"][0]["wanted"] for l in last))' "$T/report$1"
}

for world in 'ab loss 0' 'ab loss 0.1%' 'ba rate 512k'; do
	# shellcheck disable=SC2086
	wan path 0 $world
	sender 1
	let_pass 8
	sender 2
	let_pass 45
	for n in 1 2; do
		# shellcheck disable=SC2046
		set -- $(judge $n)
		echo "$world: sender $n has $1 bytes a second with $2 legs"
		[ "${TEST_SLOW:-1}" -gt 1 ] || case $world in
		*loss*)	[ "$1" -ge 600000 ] || fail "sender $n starves" ;;
		esac
		[ "$2" -le 32 ] || fail "sender $n has $2 legs"
	done
	stop_sender 1
	stop_sender 2
	wan path 0 both loss 0
	wan path 0 both rate 40M
done
