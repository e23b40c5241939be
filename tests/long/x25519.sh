#!/bin/sh
# Goal: the million iterations of RFC 7748, 5.2.
# limit: 600
# shellcheck source=tests/lib.sh
. "${0%/*}/../lib.sh"
"${BUILD:-${TESTS%/*}/build}/unit_x25519" million
