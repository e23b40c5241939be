#!/bin/sh
# Goal: bytes that the consumer has left unread in its pipe are not delivered.
# rx waits for it to take the last of them before anything is confirmed; when
# it goes instead, both sides fail.
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

data 30000 >"$T/in"

# It reads some and stays; all 30000 fit into the pipe.
rx r | start sink "$PY" -IS "$TESTS/t_sink.py" 10000 "$T/read" "$T/go" "$T/out"
tx t r <"$T/in"
within 5 test -e "$T/read" || fail "the sink has read nothing"
let_pass 1
must_run t
must_run r
signal sink KILL
ended r 1 2
ended t 1 4
told r 'standard output'
told t 'standard output'

# It reads on after a while: then, and only then, it is done.
rm -f "$T/read"
rx r | start sink "$PY" -IS "$TESTS/t_sink.py" 10000 "$T/read" "$T/go" "$T/out"
tx t r <"$T/in"
within 5 test -e "$T/read" || fail "the sink has read nothing"
let_pass 1
must_run t
must_run r
: >"$T/go"
ended t 0
ended r 0
ended sink 0
same "$T/in" "$T/out"

# It leaves the last single byte.
rm -f "$T/read"
rx r | start sink "$PY" -IS "$TESTS/t_sink.py" 29999 "$T/read" "$T/never" "$T/out"
tx t r <"$T/in"
within 5 test -e "$T/read" || fail "the sink has read nothing"
let_pass 0.5
must_run t
must_run r
signal sink KILL
ended r 1 2
ended t 1 4
