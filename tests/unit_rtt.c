/*
 * The least round trip of a path: what a sample changes, when it is probed, and
 * how that ends, by a clock that is only counted.
 */
#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "../core/rtt.h"
#include "core/time.h"

static struct rtt r;

/* Samples as heartbeats bring them; true: one of them changed something. */
static bool
samples(uint64_t *now, uint64_t lasts_ns, uint64_t sample_ns)
{
	uint64_t until = *now + lasts_ns;

	for (; *now < until; *now += SECOND / 4)
		if (rtt_sample(&r, sample_ns, *now - sample_ns, *now))
			return true;
	return false;
}

static void
test_least(void)
{
	rtt_begin(&r, 50 * MS, SECOND);
	CHECK(r.least_ns == 50 * MS && !rtt_probing(&r));
	CHECK(!rtt_sample(&r, 60 * MS, SECOND, SECOND));
	CHECK(rtt_sample(&r, 40 * MS, SECOND, SECOND) && r.least_ns == 40 * MS);
	/* A greeting counts if it is less. */
	CHECK(!rtt_sample(&r, 90 * MS, 0, 99 * SECOND) && r.least_ns == 40 * MS);
	CHECK(rtt_sample(&r, 30 * MS, 0, SECOND) && r.least_ns == 30 * MS);
	/* Nothing is known where nobody can tell. */
	rtt_begin(&r, 0, SECOND);
	CHECK(rtt_sample(&r, 70 * MS, SECOND, SECOND) && r.least_ns == 70 * MS);
}

/* As long as some are near the least it is believed; then it is probed. */
static void
test_window(void)
{
	uint64_t now = SECOND;
	unsigned i;

	rtt_begin(&r, 50 * MS, now);
	for (i = 0; i < 20; i++) {
		CHECK(!samples(&now, RTT_WINDOW_NS - SECOND, 200 * MS));
		CHECK(!rtt_sample(&r, 51 * MS, now, now));
	}
	CHECK(samples(&now, RTT_WINDOW_NS + SECOND, 200 * MS));
	CHECK(rtt_probing(&r) && r.least_ns == 50 * MS);
	/* A long way is probed less often. */
	rtt_begin(&r, SECOND, now);
	CHECK(!samples(&now, (RTT_WINDOW_TIMES - 1) * SECOND, 2 * SECOND));
	CHECK(samples(&now, 2 * SECOND, 2 * SECOND));
}

/* What no queue of ours explains is doubted sooner. */
static void
test_likely(void)
{
	uint64_t now = SECOND;

	rtt_begin(&r, 10 * MS, now);
	CHECK(samples(&now, RTT_LIKELY_NS + SECOND, 300 * MS));
	CHECK(rtt_probing(&r) && now <= SECOND + RTT_LIKELY_NS + SECOND / 4);
	/* One that was held up is none. */
	now = SECOND;
	rtt_begin(&r, 10 * MS, now);
	for (; now < 9 * SECOND; now += SECOND - MS) {
		CHECK(!rtt_sample(&r, 400 * MS, now, now + SECOND / 2));
		CHECK(!rtt_sample(&r, 100 * MS, now, now + SECOND / 2));
	}
}

static void
test_probe(void)
{
	uint64_t now = SECOND;

	/* It counts what was asked when the queue was gone. */
	rtt_begin(&r, 10 * MS, now);
	CHECK(samples(&now, 3 * SECOND, 300 * MS));
	CHECK(!rtt_sample(&r, 300 * MS, now, now + 300 * MS));
	CHECK(rtt_drained(&r, now + 310 * MS) && !rtt_drained(&r, now + 320 * MS));
	CHECK(!rtt_sample(&r, 305 * MS, now + 300 * MS, now + 605 * MS));
	CHECK(rtt_sample(&r, 302 * MS, now + 310 * MS, now + 612 * MS));
	CHECK(r.least_ns == 302 * MS && !rtt_probing(&r));
	/* It is over when the least is seen again, */
	rtt_begin(&r, 10 * MS, now);
	CHECK(samples(&now, 3 * SECOND, 300 * MS));
	CHECK(rtt_sample(&r, 11 * MS, now, now + 11 * MS));
	CHECK(r.least_ns == 10 * MS && !rtt_probing(&r));
	/* and when it takes too long: then the least stays. */
	rtt_begin(&r, 10 * MS, now);
	CHECK(samples(&now, 3 * SECOND, 300 * MS));
	CHECK(samples(&now, 3 * SECOND, 300 * MS));
	CHECK(r.least_ns == 10 * MS && !rtt_probing(&r));
}

int
main(void)
{
	test_least();
	test_window();
	test_likely();
	test_probe();
	return check_done();
}
