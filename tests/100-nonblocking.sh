#!/bin/sh
# Goal: O_NONBLOCK on standard input, output and error, set by another process that
# shares the terminal or pipe, loses nothing: an input without data yet is not an end
# of file, and a full output is not an error.
# promise: EXIT STATUS 0
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

data 30000000 >"$T/in"

# A source that pauses, a sink that is stopped until the pipe is full.
start r nonblock=0,1,2 "$V" rx 0 verbose 2 | start sink cat >"$T/out"
told r 'listening on'
signal sink STOP
source_of 30000000 hold="0:$T/go1" hold="1000:$T/go2" hold="200000:$T/go3" |
    start t nonblock=0,1,2 "$V" tx 127.0.0.1 "$(port r)" verbose 2
let_pass 0.5
: >"$T/go1"
let_pass 0.3
: >"$T/go2"
let_pass 0.3
must_run t
must_run r
: >"$T/go3"
let_pass 1
must_run t
must_run r
signal sink CONT
ended t 0
ended r 0
ended sink 0
same "$T/in" "$T/out"

# The same with sockets.
start r out=socket nonblock=1 "$V" rx 0 >"$T/out2"
told r 'listening on'
start t in=socket nonblock=0 "$V" tx 127.0.0.1 "$(port r)" <"$T/in"
ended t 0
ended r 0
within 5 cmp -s "$T/in" "$T/out2" || same "$T/in" "$T/out2"
