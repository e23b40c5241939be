#!/bin/sh
# Goal: all of what tests/870-model.sh has a part of: the model's own bounds, and
# each of its bugs. This takes 4 GB of memory.
# limit: 900
set -eu
export TEST_ALL=1
exec sh "${0%/*}/../870-model.sh"
