#!/bin/sh
# Goal: Without first contact within `wait`, each side gives up with status 4 and says
# on what: a dead name, a refusing port and a silent address alike.
# promise: EXIT STATUS 4, OPTIONS wait
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

rx r wait 2 >"$T/out"
closed=$(port r)
data 100000 | start silent "$V" tx 192.0.2.1 "$closed" wait 2
ended r 4 4
told r '2 s\|2 seconds\|wait\|no contact\|nobody'

data 100000 | start t "$V" tx 127.0.0.1 "$closed" wait 2
data 100000 | start t6 "$V" tx ::1 "$closed" wait 2
data 100000 | start name "$V" tx nowhere.invalid "$closed" wait 2
ended t 4 5
[ "${_took%.*}" -ge 1 ] || fail "t took $_took s only"
ended t6 4 3
ended name 4 6
ended silent 4 6
told t "127.0.0.1.*$closed"
told t 'refused'
told name 'nowhere.invalid'
told silent '192.0.2.1'
[ ! -s "$T/out" ]

# A stranger is no contact.
rx r wait 3 >"$T/out"
start stranger "$PY" -IS "$TESTS/t_stranger.py" "$(port r)" silence
ended r 4 5
