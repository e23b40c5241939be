#!/bin/sh
# Goal: All of what tests/850-failing-calls.sh and tests/852-failing-streams.sh select from:
# each call fails once, with each of its errors.
# limit: 1800
set -eu
export TEST_ALL=1
sh "${0%/*}/../852-failing-streams.sh"
exec sh "${0%/*}/../850-failing-calls.sh"
