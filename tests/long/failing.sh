#!/bin/sh
# Goal: All of what tests/850-failing-calls.sh selects from: each call fails once,
# with each of its errors.
# limit: 1800
set -eu
export TEST_ALL=1
exec sh "${0%/*}/../850-failing-calls.sh"
