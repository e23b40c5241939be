#!/bin/sh
# Goal: Without `window`, more than 64M of it are used when so much is in flight on
# the network, and the log says why; never when a slow consumer is the bottleneck, and
# never beyond a `window` that was given.
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"
# shellcheck source=tests/n_lab.sh
. "$TESTS/n_lab.sh"
lab 300M/800ms --sysctl 'net.ipv4.tcp_wmem=4096 65536 33554432'

more='using \(128\|256\|512\) MiB of the window: the network holds that much'
[ "$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)" -gt 1100000 ] ||
    skip "an eighth of this machine's memory is less than 128 MiB"

stop_all()
{
	signal t TERM
	ended t signal:15 30
	ended r 1 30
}

# What is sent is not what matters here.
lab_rx r >/dev/null
lab_tx t r 0 verbose 5 </dev/zero
told t "$more" 60
stop_all

# As much time, but a consumer that takes 4 MB/s; some of the window is used.
lab_rx r | start sink "$PY" -IS -c 'import os, time
while len(os.read(0, 65536)):
	time.sleep(0.016)'
lab_tx t r 0 verbose 5 </dev/zero
let_pass 12
stop_all
ended sink 0
never_said t "$more"

lab_rx r >/dev/null
lab_tx t r 0 verbose 5 window 32M </dev/zero
let_pass 8
stop_all
never_said t 'of the window'
