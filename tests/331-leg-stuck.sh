#!/bin/sh
# Goal: A leg that is given up is reset: bytes that are unsent on it would hide its
# end from a peer that reads nothing, and other legs send them again.
# promise: DESCRIPTION
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

start peer "$PY" -IS "$TESTS/t_peer.py" receiver stuck
told peer 'listening on'
data 3000000 | start t "$V" tx 127.0.0.1 "$(port peer)" legs 1 heartbeat 3 wait 5 \
    verbose 4
ended peer 0 20
ended t 1 10
told t 'leg 0 down: .*\(arrives\|silent\)'
told t 'the test is over'
