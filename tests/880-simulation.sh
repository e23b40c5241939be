#!/bin/sh
# Goal: Five thousand seeded schedules of both ends' state, without a network, lose,
# repeat and reorder nothing, and all end (a hundred thousand in `make test-long`). A
# failing one prints its seed.
# promise: none
# limit: 120
exec "${BUILD:-build}/simulation" 1 5000
