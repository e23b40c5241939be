#!/bin/sh
# Goal: An input that cannot be read is not an end of file: tx fails with status 1,
# and so does rx, which says why.
# promise: EXIT STATUS 1
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

# A directory as standard input.
rx r >"$T/out"
start t in="$T" "$V" tx 127.0.0.1 "$(port r)"
ended t 1 5
ended r 1 5
told t 'Is a directory'
told r 'Is a directory'
[ ! -s "$T/out" ] || fail "bytes came from a directory"

# A connection that is reset in mid-stream; what came before was sent.
data 3000000 >"$T/in"
rx r >"$T/out"
start t in=reset "$V" tx 127.0.0.1 "$(port r)" <"$T/in"
ended t 1 5
ended r 1 5
told t 'Connection reset'
told r 'Connection reset'
begins "$T/out" "$T/in"
