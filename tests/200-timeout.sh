#!/bin/sh
# Goal: When the peer of a session falls silent for ever, the other side keeps trying,
# and after `timeout` gives up with status 4 and a reason. The smaller of both sides'
# values holds.
# promise: EXIT STATUS 4, OPTIONS timeout
# waits
# shellcheck source=tests/lib.sh
. "${0%/*}/lib.sh"

# The receiver dies; tx has the timeout.
rx r >"$T/out1"
source_of 20000000 hold="5000000:$T/never" | tx t r timeout 4
arrived "$T/out1" 4000000
signal r KILL
let_pass 2
must_run t
ended t 4 8
told t 'timeout\|4 s\|gave up\|giving up'
stop src

# The sender dies; rx has learnt the timeout from it.
rx r timeout 3600 >"$T/out2"
source_of 20000000 hold="5000000:$T/never" | tx t r timeout 4
arrived "$T/out2" 4000000
signal t KILL
let_pass 2
must_run r
ended r 4 8
told r 'timeout\|4 s\|gave up\|giving up'
data 20000000 >"$T/in"
begins "$T/out2" "$T/in"
stop src

# The sender dies; rx has its own.
rx r timeout 4 >"$T/out3"
source_of 20000000 hold="5000000:$T/never" | tx t r
arrived "$T/out3" 4000000
signal t KILL
let_pass 2
must_run r
ended r 4 8
stop src
