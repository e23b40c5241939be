#!/bin/sh
# Goal: Bytes that the consumer has left unread in its pipe or socket do not count as
# delivered. rx confirms nothing before the last of them is read; if the consumer goes
# away instead, both sides fail.
# promise: EXIT STATUS 0, EXIT STATUS 1
# waits
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

# A socket loses what it holds when its reader goes, and then holds nothing.
for leaves in 20000 1 0; do
	rm -f "$T/read" "$T/place" "$T/go"
	start sink "$PY" -IS "$TESTS/t_sink.py" $((30000 - leaves)) "$T/read" \
	    "$T/go" "$T/out" "$T/place" </dev/null
	within 5 test -e "$T/place" || fail "the sink does not listen"
	start r out="unix:$T/place" "$V" rx 0
	told r 'listening on .*:[0-9][0-9]*$'
	tx t r <"$T/in"
	within 5 test -e "$T/read" || fail "the sink has read nothing"
	if [ $leaves -gt 0 ]; then
		let_pass 0.2
		must_run t
		must_run r
		signal sink KILL
		ended r 1 2
		ended t 1 4
		told r 'standard output'
		told t 'standard output'
		ended sink signal:9
	else
		: >"$T/go"
		ended t 0
		ended r 0
		ended sink 0
		same "$T/in" "$T/out"
	fi
done
