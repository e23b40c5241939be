/*
 * How many legs a path is given, on paths whose rate is a function of that
 * number, by a clock that is only counted.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../tune.h"
#include "check.h"

#define MS	UINT64_C(1000000)
#define STEP	(100 * MS)

static struct tune t;
static uint64_t now, octets, random_state;
static unsigned changes;

/* So long at this rate. */
static void
runs(uint64_t ms, bool limited, uint64_t rtt_ns, uint64_t (*rate)(unsigned legs))
{
	unsigned before;

	for (; ms >= 100; ms -= 100) {
		now += STEP;
		octets += rate(t.legs) / 10;
		before = t.legs;
		if (tune_step(&t, octets, limited, rtt_ns, now) == NULL)
			CHECK(t.legs == before || !limited || t.since_ns == now);
		changes += t.legs != before;
		CHECK(t.legs >= 1 && t.legs <= t.most);
	}
}

static void
starts(unsigned most)
{
	tune_init(&t, 1, most);
	now = 1000 * MS;
	octets = 0;
	changes = 0;
}

/* How much of a long time was spent with so many legs, percent. */
static unsigned
share(unsigned legs, uint64_t rtt_ns, uint64_t (*rate)(unsigned legs))
{
	unsigned i, n = 0;

	for (i = 0; i < 3000; i++) {
		runs(100, true, rtt_ns, rate);
		n += t.legs == legs;
	}
	return n / 30;
}

static uint64_t
flat(unsigned legs)
{
	(void)legs;
	return 12000000;
}

/* Each connection is held to so much. */
static uint64_t
throttled(unsigned legs)
{
	return 1000000 * (uint64_t)legs;
}

/* Up to eight. */
static uint64_t
eight(unsigned legs)
{
	return 1000000 * (uint64_t)(legs < 8 ? legs : 8);
}

/* A rate that wavers by three percent. */
static uint64_t
wavers(unsigned legs)
{
	(void)legs;
	return 11640000 + check_below(&random_state, 720000);
}

static uint64_t
fat(unsigned legs)
{
	(void)legs;
	return 60000000;
}

static uint64_t
trickle(unsigned legs)
{
	return 1000 * (uint64_t)legs;
}

/* More than one only where that is faster, and not forever otherwise. */
static void
test_more(void)
{
	starts(16);
	CHECK(share(1, MS, flat) >= 95);
	starts(16);
	CHECK(share(1, MS, wavers) >= 90);
	starts(16);
	CHECK(share(16, MS, throttled) >= 90);
	starts(16);
	CHECK(share(8, MS, eight) >= 90);
	starts(1);
	CHECK(share(1, MS, throttled) == 100 && changes == 0);
}

/* Trials become rare. */
static void
test_rests(void)
{
	starts(16);
	share(1, MS, flat);
	CHECK(changes >= 8 && changes < 24);
}

/* What was once of use and is no longer is given up. */
static void
test_fewer(void)
{
	starts(16);
	runs(60000, true, MS, throttled);
	CHECK(t.legs == 16);
	runs(900000, true, MS, flat);
	CHECK(t.legs <= 2);
	runs(900000, true, MS, throttled);
	CHECK(t.legs == 16);
}

/* A connection that gets up to speed is no proof for the number of them. */
static void
test_grows(void)
{
	unsigned i;

	starts(16);
	runs(100, true, MS, flat);
	for (i = 0; i < 10; i++) {
		now += 300 * MS;
		octets += 1000000 + i * 200000;
		tune_step(&t, octets, true, MS, now);
	}
	CHECK(t.legs == 1);
}

/* Where the network is not what limits nothing is tried, and a trial is undone. */
static void
test_limited(void)
{
	starts(16);
	runs(60000, false, MS, throttled);
	CHECK(t.legs == 1 && changes == 0);
	while (t.legs == 1)
		runs(100, true, MS, throttled);
	CHECK(t.legs == 2);
	runs(100, false, MS, throttled);
	CHECK(t.legs == 1);
	runs(100000, true, MS, flat);
	t.fewer = true;
	t.legs = 8;
	t.state = TUNE_MEASURE;
	while (t.legs == 8)
		runs(100, true, MS, flat);
	CHECK(t.legs == 4 && t.state == TUNE_SETTLE);
	runs(100, false, MS, flat);
	CHECK(t.legs == 8);
}

/* Far away: four from the start, more at once where much is under way. */
static void
test_far(void)
{
	starts(16);
	CHECK(share(4, 40 * MS, flat) >= 90);
	starts(16);
	CHECK(share(8, 80 * MS, fat) >= 90);
	starts(2);
	CHECK(share(2, 80 * MS, fat) == 100);
	/* How far away it is turns out later. */
	starts(16);
	runs(1000, true, 0, flat);
	CHECK(t.legs == 1);
	runs(100, true, 40 * MS, flat);
	CHECK(t.legs == 4);
	/* What one connection carries anywhere is left to one. */
	starts(16);
	CHECK(share(1, 9 * MS, trickle) == 100);
	starts(16);
	runs(100, true, 900 * MS, trickle);
	CHECK(share(4, 900 * MS, trickle) == 100);
}

int
main(int argc, char **argv)
{
	random_state = check_seed(argc, argv, 31);
	test_more();
	test_rests();
	test_fewer();
	test_grows();
	test_limited();
	test_far();
	return check_done();
}
