#!/bin/sh
# Goal: all of what tests/860-other-compilers.sh has a part of: gcc and clang
# with each level of optimisation, musl, 32 bits, big-endian, and a build
# without each macro that is asked for with #ifdef.
# limit: 3600
set -eu
export TEST_ALL=1
exec sh "${0%/*}/../860-other-compilers.sh"
