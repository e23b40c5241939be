#!/bin/sh
# Goal: Whatever a receiver sends that it must not send costs it that leg, and tx
# never takes it for success.
# promise: SECURITY CONSIDERATIONS
# waits
# takes: 50
# limit: 120
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

for kind in delivered received limit far count entries early other data fin \
    header type reserved huge garbage session role hello version spoil window \
    frame http; do
	start peer "$PY" -IS "$TESTS/t_peer.py" receiver $kind
	told peer 'listening on'
	data 300000 | start t "$V" tx 127.0.0.1 "$(port peer)" legs 1 \
	    timeout 3 wait 5 verbose 4
	ended peer 0 12
	ended t nonzero 10
	case $kind in
	early|other|version|session|role|hello|spoil|window|frame|http) ;;
	*)	[ "$ENDED" = exit:1 ] || fail "$kind: tx ended by $ENDED"
		told t 'the test is over' ;;
	esac
done
