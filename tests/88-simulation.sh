#!/bin/sh
# Goal: five thousand seeded schedules of both ends' state, without a network,
# lose, repeat and reorder nothing and all come to their end (a hundred
# thousand in `make test-long`). A failing one prints its seed.
# limit: 120
exec "${BUILD:-build}/simulation" 1 5000
