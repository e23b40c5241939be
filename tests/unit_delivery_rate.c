/*
 * How fast a leg is taken to be, and what it may have in flight for that, with
 * legs of a known rate and round trip by a clock that is only counted.
 */
#include <stdbool.h>
#include <stdint.h>

#include "check.h"
#include "../core/delivery_rate.h"
#include "core/time.h"

static struct delivery_rate p;

static bool
near(uint64_t a, uint64_t b, uint64_t percent)
{
	return a <= b + b * percent / 100 && a >= b - b * percent / 100;
}

static void
check_limits(void)
{
	uint32_t n = p.frame;

	CHECK(n >= DELIVERY_RATE_FRAME_MIN && n <= 1 << 20 && (n & (n - 1)) == 0);
	CHECK(p.limit >= n);
	if (p.rate == 0)
		return;
	/* 20 to 50 ms of the rate, at least 4 KiB; where that is long, a quarter of a second. */
	CHECK(n == DELIVERY_RATE_FRAME_MIN || n <= p.rate / (n <= 4096 ? 4 : 20));
	CHECK(n == 1 << 20 || 2 * (uint64_t)n > p.rate / 31);
	CHECK(p.limit >= 4 * (uint64_t)n);
}

/* Before anything is measured it may begin, and not flood. */
static void
test_begin(void)
{
	delivery_rate_init(&p);
	CHECK(p.rate == 0 && p.limit == 32 << 10 && p.frame == 8 << 10);
	delivery_rate_restart(&p, 20 * MS, SECOND);
	CHECK(p.rate == 0 && p.limit == 32 << 10 && p.rtt_ns == 20 * MS);
	check_limits();
}

/*
 * A leg that always has as much in flight as it may, in milliseconds: what was
 * sent a round trip ago arrives, at no more than the leg's rate, and the
 * receiver says so.
 */
static uint64_t
carry(uint64_t rate, uint64_t rtt_ns, uint64_t now, uint64_t lasts_ns)
{
	static uint64_t sent_at[1024];
	const uint64_t ticks = lasts_ns / MS, rtt = rtt_ns / MS;
	uint64_t received = 0, sent, arrived, i;

	delivery_rate_restart(&p, rtt_ns, now);
	sent = p.limit;
	delivery_rate_begin(&p, 0, now);
	for (i = 0; i < ticks; i++, now += MS) {
		sent_at[i % 1024] = sent;
		arrived = i < rtt ? 0 : sent_at[(i - rtt) % 1024];
		if (arrived > received + rate / 1000)
			arrived = received + rate / 1000;
		if (arrived > received)
			delivery_rate_received(&p, arrived, sent - arrived, now);
		received = arrived;
		if (sent == received)
			delivery_rate_begin(&p, received, now);
		if (sent < received + p.limit)
			sent = received + p.limit;
		check_limits();
	}
	return now;
}

static void
test_rates(void)
{
	static const uint64_t rate[] = {
		1000, 10000, 100000, 1000000, 12500000, 125000000, 1250000000
	};
	static const uint64_t rtt[] = { 2 * MS, 5 * MS, 80 * MS, 600 * MS };
	size_t i, k;

	for (i = 0; i < sizeof(rate) / sizeof(rate[0]); i++) {
		for (k = 0; k < sizeof(rtt) / sizeof(rtt[0]); k++) {
			delivery_rate_init(&p);
			carry(rate[i], rtt[k], SECOND, 20 * SECOND);
			CHECK(near(p.rate, rate[i], 25));
			CHECK(near(delivery_rate_mean(&p), rate[i], 25) &&
			    delivery_rate_mean(&p) <= p.rate);
			/* Enough to fill the way there and back, and not much more. */
			CHECK(p.limit >= rate[i] / 1000 * (rtt[k] / MS));
			CHECK(p.limit <= 4 * (rate[i] / 1000 * (rtt[k] / MS)) +
			    4 * (uint64_t)p.frame + (64 << 10));
		}
	}
}

/* What was measured survives a reconnection; the count begins anew. */
static void
test_restart(void)
{
	uint64_t now, rate;

	delivery_rate_init(&p);
	CHECK(delivery_rate_mean(&p) == 0);
	now = carry(10000000, 20 * MS, SECOND, 5 * SECOND);
	rate = p.rate;
	delivery_rate_restart(&p, 20 * MS, now);
	CHECK(p.rate == rate && p.limit > 64 << 10);
	/* An old count cannot be one of this connection. */
	delivery_rate_begin(&p, 5000, now);
	delivery_rate_received(&p, 4000, 0, now + SECOND);
	CHECK(p.rate == rate);
	/* It is slower now: that is found out. */
	now = carry(1000000, 20 * MS, now, 5 * SECOND);
	CHECK(near(p.rate, 1000000, 25));
	carry(50000000, 20 * MS, now, 5 * SECOND);
	CHECK(near(p.rate, 50000000, 25));
}

/* While nothing was in flight no time counts, unless it was fast all the same. */
static void
test_dry(void)
{
	uint64_t now, rate, received, i;

	delivery_rate_init(&p);
	now = carry(10000000, 20 * MS, SECOND, 5 * SECOND);
	rate = p.rate;
	delivery_rate_restart(&p, 20 * MS, now);
	for (i = received = 0; i < 100; i++) {
		received += 1000;
		delivery_rate_received(&p, received, 0, now + MS);
		now += SECOND;
		CHECK(p.rate == rate);
	}
	for (i = 0; i < DELIVERY_RATE_SAMPLES; i++) {
		received += 50000000;
		delivery_rate_received(&p, received, 0, now += SECOND);
	}
	CHECK(near(p.rate, 50000000, 1));
	check_limits();
}

/* A longer way is heeded as a shorter one; in doubt there is no queue. */
static void
test_rtt(void)
{
	uint64_t limit;

	delivery_rate_init(&p);
	carry(1000000, 50 * MS, SECOND, 5 * SECOND);
	limit = p.limit;
	delivery_rate_rtt(&p, 300 * MS, false);
	CHECK(p.limit >= limit + 2 * p.rate / 1000 * 249);
	delivery_rate_rtt(&p, 50 * MS, false);
	CHECK(p.limit == limit);
	delivery_rate_rtt(&p, 50 * MS, true);
	CHECK(p.limit <= p.rate / 1000 * 25 + 1 && p.frame <= p.limit);
	delivery_rate_rtt(&p, 0, true);
	CHECK(p.limit == 1 && p.frame == DELIVERY_RATE_FRAME_MIN);
	delivery_rate_rtt(&p, 50 * MS, false);
	CHECK(p.limit == limit);
	check_limits();
}

/* Acknowledgements at long intervals let more be in flight; frequent ones do not. */
static void
test_gap(void)
{
	uint64_t limit, now = SECOND;
	unsigned i;

	delivery_rate_init(&p);
	delivery_rate_restart(&p, 50 * MS, now);
	delivery_rate_begin(&p, 0, now);
	for (i = 1; i <= 100; i++)
		delivery_rate_received(&p, i * 10000, 1 << 20, now += 10 * MS);
	CHECK(near(p.rate, 1000000, 5) && delivery_rate_delay(&p) == 0);
	limit = p.limit;
	for (; i <= 200; i += 30)
		delivery_rate_received(&p, i * 10000, 1 << 20, now += 300 * MS);
	CHECK(near(p.rate, 1000000, 5) && delivery_rate_delay(&p) == 250 * MS);
	CHECK(near(p.limit, limit + 250000, 5));
	/* A pause of the source is none. */
	delivery_rate_begin(&p, i * 10000, now += 10 * SECOND);
	CHECK(delivery_rate_delay(&p) == 250 * MS);
	for (; i <= 400; i++)
		delivery_rate_received(&p, i * 10000, 1 << 20, now += 10 * MS);
	CHECK(delivery_rate_delay(&p) == 0 && near(p.limit, limit, 5));
	delivery_rate_received(&p, i * 10000, 1 << 20, now += 100 * SECOND);
	CHECK(delivery_rate_delay(&p) < 2 * SECOND);
	check_limits();
}

/* A first guess, where nothing was measured: half of what a neighbour has. */
static void
test_guess(void)
{
	delivery_rate_init(&p);
	delivery_rate_restart(&p, 50 * MS, SECOND);
	delivery_rate_guess(&p, 0);
	CHECK(p.rate == 0);
	delivery_rate_guess(&p, 20000000);
	CHECK(p.rate == 10000000);
	check_limits();
	delivery_rate_guess(&p, 90000000);
	CHECK(p.rate == 10000000);
}

/* A leg that dies before it was measured leaves what can be known. */
static void
test_end(void)
{
	delivery_rate_init(&p);
	delivery_rate_restart(&p, 50 * MS, SECOND);
	delivery_rate_begin(&p, 0, SECOND);
	delivery_rate_end(&p, 0, SECOND + MS);
	CHECK(p.rate == 0);
	delivery_rate_end(&p, 5000, SECOND);
	CHECK(p.rate == 0);
	delivery_rate_end(&p, 5000, SECOND + MS);
	CHECK(near(p.rate, 5000000, 1));
	delivery_rate_end(&p, 500000, SECOND + 2 * MS);
	CHECK(near(p.rate, 5000000, 1));
	check_limits();
}

/* Counts that repeat, samples that are too short, clocks that stand. */
static void
test_odd(uint64_t *random)
{
	uint64_t now = SECOND, received = 0;
	unsigned i;

	delivery_rate_init(&p);
	delivery_rate_restart(&p, 0, now);
	delivery_rate_received(&p, 0, 0, now);
	delivery_rate_received(&p, 100000, 0, now);
	delivery_rate_received(&p, 100000, 0, now + MS);
	CHECK(p.rate == 0);
	for (i = 0; i < 100000; i++) {
		switch (check_random(random) % 6) {
		case 0:
			delivery_rate_begin(&p, received, now);
			break;
		case 1:
			delivery_rate_restart(&p, check_random(random) % (3 * SECOND), now);
			received = 0;
			break;
		case 2:
			delivery_rate_rtt(&p, check_random(random) % (3 * SECOND), false);
			break;
		default:
			received += check_random(random) >> (24 + check_random(random) % 40);
			delivery_rate_received(&p, received, check_random(random) % 3, now);
			break;
		}
		now += check_random(random) >> (30 + check_random(random) % 34);
		check_limits();
	}
}

int
main(int argc, char **argv)
{
	uint64_t random = check_seed(argc, argv, 24);

	test_begin();
	test_rates();
	test_restart();
	test_dry();
	test_rtt();
	test_gap();
	test_guess();
	test_end();
	test_odd(&random);
	return check_done();
}
