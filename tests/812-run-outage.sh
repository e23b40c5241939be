#!/bin/sh
# Goal: A command that run started notices nothing of a network that is gone for a while,
# with ssh's own connection or without it: both ways, and its exit status, are right.
# promise: OPTIONS run
# waits
# takes: 30
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
need_root "makes an emulated path"
lab 50M/20ms
# shellcheck source=tests/n_ssh.sh
. "$TESTS/n_ssh.sh"

# shellcheck disable=SC2034
SERVE_IN="ip netns exec $NS_B"
sshd_begin 10.77.0.2
size=6000000
data $size >"$T/in"
for ssh_dies in no yes; do
	rm -f "$T/go"
	source_of $size hold="$((size / 2)):$T/go" | start c ip netns exec "$NS_A" "$V" ssh there \
	    run 'cat; exit 4' ssh-command "$SSH" remote-program "$T/far" heartbeat 3 >"$T/out"
	arrived "$T/out" $((size / 2))
	if [ $ssh_dies = yes ]; then
		for process in $(far SSH | awk '{ print $1 }'); do
			kill -KILL "$process"
		done
	fi
	wan path 0 both cut
	: >"$T/go"
	told c 'no leg is up' 30
	let_pass 3
	must_run c
	wan path 0 both heal
	ended c 4 60
	same "$T/in" "$T/out"
	within 20 far_is_gone || fail "left: $(far LIST)"
done
