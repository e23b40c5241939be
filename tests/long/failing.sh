#!/bin/sh
# Goal: all of what tests/85-failing-calls.sh has a part of: each call fails
# once, with each of its errors.
# limit: 1800
set -eu
export TEST_ALL=1
exec sh "${0%/*}/../85-failing-calls.sh"
