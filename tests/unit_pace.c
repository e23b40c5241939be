/*
 * How fast a leg is taken to be, and what it may have in flight for that, with
 * legs of a known rate and round trip by a clock that is only counted.
 */
#include <stdbool.h>
#include <stdint.h>

#include "../pace.h"
#include "check.h"

#define MS	UINT64_C(1000000)
#define SECOND	UINT64_C(1000000000)

static struct pace p;

static bool
near(uint64_t a, uint64_t b, uint64_t percent)
{
	return a <= b + b * percent / 100 && a >= b - b * percent / 100;
}

static void
check_limits(void)
{
	uint32_t n = p.frame;

	CHECK(n >= PACE_FRAME_LEAST && n <= 1 << 20 && (n & (n - 1)) == 0);
	CHECK(p.limit >= n);
	if (p.rate == 0)
		return;
	/* 20 to 50 ms of the rate, where that is a legal frame. */
	CHECK(n == PACE_FRAME_LEAST || n <= p.rate / 20);
	CHECK(n == 1 << 20 || 2 * (uint64_t)n > p.rate / 31);
	CHECK(p.limit >= 4 * (uint64_t)n);
}

/* Before anything is measured it may begin, and not flood. */
static void
test_begin(void)
{
	pace_init(&p);
	CHECK(p.rate == 0 && p.limit == 64 << 10 && p.frame == 16 << 10);
	pace_restart(&p, 20 * MS, SECOND);
	CHECK(p.rate == 0 && p.limit == 64 << 10 && p.rtt_ns == 20 * MS);
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

	pace_restart(&p, rtt_ns, now);
	sent = p.limit;
	pace_begin(&p, 0, now);
	for (i = 0; i < ticks; i++, now += MS) {
		sent_at[i % 1024] = sent;
		arrived = i < rtt ? 0 : sent_at[(i - rtt) % 1024];
		if (arrived > received + rate / 1000)
			arrived = received + rate / 1000;
		if (arrived > received)
			pace_received(&p, arrived, sent - arrived, now);
		received = arrived;
		if (sent == received)
			pace_begin(&p, received, now);
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
			pace_init(&p);
			carry(rate[i], rtt[k], SECOND, 20 * SECOND);
			CHECK(near(p.rate, rate[i], 25));
			CHECK(near(pace_mean(&p), rate[i], 25) && pace_mean(&p) <= p.rate);
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

	pace_init(&p);
	CHECK(pace_mean(&p) == 0);
	now = carry(10000000, 20 * MS, SECOND, 5 * SECOND);
	rate = p.rate;
	pace_restart(&p, 20 * MS, now);
	CHECK(p.rate == rate && p.limit > 64 << 10);
	/* An old count cannot be one of this connection. */
	pace_begin(&p, 5000, now);
	pace_received(&p, 4000, 0, now + SECOND);
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

	pace_init(&p);
	now = carry(10000000, 20 * MS, SECOND, 5 * SECOND);
	rate = p.rate;
	pace_restart(&p, 20 * MS, now);
	for (i = received = 0; i < 100; i++) {
		received += 1000;
		pace_received(&p, received, 0, now + MS);
		now += SECOND;
		CHECK(p.rate == rate);
	}
	for (i = 0; i < PACE_SAMPLES; i++) {
		received += 50000000;
		pace_received(&p, received, 0, now += SECOND);
	}
	CHECK(near(p.rate, 50000000, 1));
	check_limits();
}

static void
test_rtt(void)
{
	pace_init(&p);
	pace_restart(&p, 50 * MS, SECOND);
	pace_rtt(&p, 60 * MS);
	CHECK(p.rtt_ns == 50 * MS);
	pace_rtt(&p, 40 * MS);
	CHECK(p.rtt_ns == 40 * MS);
	pace_init(&p);
	pace_rtt(&p, 60 * MS);
	CHECK(p.rtt_ns == 60 * MS);
}

/* A first guess, where nothing was measured: half of what a neighbour has. */
static void
test_guess(void)
{
	pace_init(&p);
	pace_restart(&p, 50 * MS, SECOND);
	pace_guess(&p, 0);
	CHECK(p.rate == 0);
	pace_guess(&p, 20000000);
	CHECK(p.rate == 10000000);
	check_limits();
	pace_guess(&p, 90000000);
	CHECK(p.rate == 10000000);
}

/* A leg that dies before it was measured leaves what can be known. */
static void
test_end(void)
{
	pace_init(&p);
	pace_restart(&p, 50 * MS, SECOND);
	pace_begin(&p, 0, SECOND);
	pace_end(&p, 0, SECOND + MS);
	CHECK(p.rate == 0);
	pace_end(&p, 5000, SECOND);
	CHECK(p.rate == 0);
	pace_end(&p, 5000, SECOND + MS);
	CHECK(near(p.rate, 5000000, 1));
	pace_end(&p, 500000, SECOND + 2 * MS);
	CHECK(near(p.rate, 5000000, 1));
	check_limits();
}

/* Counts that repeat, samples that are too short, clocks that stand. */
static void
test_odd(uint64_t *random)
{
	uint64_t now = SECOND, received = 0;
	unsigned i;

	pace_init(&p);
	pace_restart(&p, 0, now);
	pace_received(&p, 0, 0, now);
	pace_received(&p, 100000, 0, now);
	pace_received(&p, 100000, 0, now + MS);
	CHECK(p.rate == 0);
	for (i = 0; i < 100000; i++) {
		switch (check_random(random) % 6) {
		case 0:
			pace_begin(&p, received, now);
			break;
		case 1:
			pace_restart(&p, check_random(random) % (3 * SECOND), now);
			received = 0;
			break;
		case 2:
			pace_rtt(&p, check_random(random) % (3 * SECOND));
			break;
		default:
			received += check_random(random) >> (24 + check_random(random) % 40);
			pace_received(&p, received, check_random(random) % 3, now);
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
	test_guess();
	test_end();
	test_odd(&random);
	return check_done();
}
