#!/bin/sh
# Goal: Another checkphrase is refused. That tx ends with status 3 and says why; rx
# logs it, keeps listening, and serves the right one.
# promise: EXIT STATUS 3, OPTIONS checkphrase
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

data 2000000 >"$T/in"
rx r checkphrase abcd >"$T/out"

tx wrong r checkphrase abce <"$T/in"
ended wrong 3 5
told wrong 'checkphrase'
must_run r
told r 'checkphrase'

tx builtin r <"$T/in"
ended builtin 3 5
must_run r
[ ! -s "$T/out" ] || fail "a stranger's bytes were written"

# The phrase itself is told to nobody.
never_said wrong abcd
never_said builtin abcd

tx t r checkphrase abcd <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"

# Any four bytes, also spaces and beyond ASCII: two letters of two bytes.
rx r checkphrase ' =: ' >"$T/out"
tx t r checkphrase ' =: ' <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"
