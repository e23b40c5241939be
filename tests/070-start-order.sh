#!/bin/sh
# Goal: Either side may start first. A tx without a receiver says so, keeps trying,
# and begins within 3 s of the receiver's start.
# promise: DESCRIPTION, EXIT STATUS 0, EXIT STATUS 4
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

data 3000000 >"$T/in"

# A port that is free, and that nobody else will be given: one that was just
# listened on by a receiver of ours.
rx first wait 1 >/dev/null
free=$(port first)
ended first 4

start t "$V" tx 127.0.0.1 "$free" wait 30 <"$T/in"
told t "127.0.0.1.*$free.*refused\|refused" 5
must_run t
start r "$V" rx "$free" >"$T/out"
ended t 0 4
ended r 0
same "$T/in" "$T/out"

rx r >"$T/out"
let_pass 1
tx t r <"$T/in"
ended t 0
ended r 0
same "$T/in" "$T/out"
