#!/bin/sh
# Goal: the part of tests/860-other-compilers.sh that is about other processors: 32
# bits, big-endian, arm64.
# limit: 900
set -eu
export TEST_ALL=machines
exec sh "${0%/*}/../860-other-compilers.sh"
