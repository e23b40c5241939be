#!/bin/sh
# Goal: tests/990-ssh-many.sh with a thousand transfers.
# limit: 3600
TEST_MANY=1000 exec sh "${0%/*}/../990-ssh-many.sh"
