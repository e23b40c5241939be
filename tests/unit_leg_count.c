/*
 * How many legs a path is given, on paths whose rate, queue and loss are functions
 * of that number and of chance, by a clock that is only counted.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "check.h"
#include "../core/leg_count.h"
#include "core/time.h"

#define STEP	(100 * MS)
#define SEEDS	40u

/* A path as its legs find it; bytes a second. */
struct world {
	uint64_t whole;		/* it carries no more */
	uint64_t each;		/* nor does a leg; 0 = no bound */
	bool loss;		/* packets are lost whatever is sent */
	bool queue;		/* what is too much makes a queue; otherwise it is lost */
	bool shaped;		/* each connection has a queue of its own */
	bool told;		/* the system tells */
	bool limited;		/* by the network */
	unsigned noise;		/* the whole changes by chance up to so many percent */
	unsigned wrong;		/* so many percent of the limits are named wrongly */
};

/* One sender on it. */
struct sender {
	struct leg_count t;
	uint64_t bytes;
	unsigned changes;
	unsigned calm;		/* periods without a queue, as limit.c counts them */
};

static struct sender one;
static uint64_t now, random_state;
static int walk;		/* percent by which the rate is higher now */

/* A random walk between the bounds. */
static void
stroll(const struct world *w)
{
	int bound = (int)w->noise;

	if (bound == 0) {
		walk = 0;
		return;
	}
	walk += (int)check_below(&random_state, 21) - 10;
	walk = walk > bound ? 2 * bound - walk : walk < -bound ? -2 * bound - walk : walk;
}

/* `others': legs of other senders that share the path. */
static uint64_t
rate_of(const struct world *w, unsigned legs, unsigned others)
{
	uint64_t whole = w->whole / 100 * (uint64_t)(100 + walk);
	uint64_t share = whole / (legs + others) * legs;
	uint64_t rate = w->each == 0 ? share : w->each * legs;

	return rate < share ? rate : share;
}

static enum limit_kind
limit_of(const struct world *w, unsigned legs)
{
	static const enum limit_kind any[] = { LIMIT_NONE, LIMIT_PATH };
	bool full = w->shaped || w->each == 0 || w->each * legs >= w->whole;

	if (!w->limited)
		return LIMIT_APPLICATION;
	if (!w->told)
		return LIMIT_NONE;
	if (check_below(&random_state, 100) < w->wrong)
		return any[check_below(&random_state, 2)];
	if (full && w->queue)
		return LIMIT_PATH;
	return w->loss || full ? LIMIT_LOSS : LIMIT_NONE;
}

/* Where too much makes no queue that is seen, more legs lose more. */
static double
loss_of(const struct world *w, unsigned legs)
{
	bool full = w->each == 0 || w->each * legs >= w->whole;

	return (w->loss ? 0.001 : 0) + (full ? 0.001 * legs : 0);
}

static void
steps(struct sender *s, uint64_t rtt_ns, const struct world *w, unsigned others)
{
	struct leg_count_seen seen = { .limit = LIMIT_NONE };
	unsigned before = s->t.legs;

	s->bytes += rate_of(w, s->t.legs, others) / 1000 * (970 + check_below(&random_state, 61)) /
	    10;
	if (leg_count_over(&s->t, rtt_ns, now)) {
		seen.limit = limit_of(w, s->t.legs);
		s->calm = seen.limit == LIMIT_PATH ? 0 : s->calm + 1;
		if (seen.limit == LIMIT_LOSS && s->calm <= LIMIT_CALM)
			seen.limit = LIMIT_NONE;
		seen.bytes = s->bytes;
		seen.loss = loss_of(w, s->t.legs + others);
		seen.up = s->t.legs;
		leg_count_step(&s->t, &seen, now);
	}
	s->changes += s->t.legs != before;
	CHECK(s->t.legs >= 1 && s->t.legs <= s->t.most);
}

/* So long on this path. */
static void
runs(uint64_t ms, uint64_t rtt_ns, const struct world *w)
{
	for (; ms >= 100; ms -= 100) {
		now += STEP;
		stroll(w);
		steps(&one, rtt_ns, w, 0);
	}
}

static void
begins(struct sender *s, unsigned most, uint64_t rtt_ns)
{
	memset(s, 0, sizeof(*s));
	s->calm = LIMIT_CALM;
	leg_count_init(&s->t, 1, most);
	leg_count_begin(&s->t, 0, rtt_ns, now);
}

static void
starts(unsigned most, uint64_t rtt_ns)
{
	now = 1000 * MS;
	walk = 0;
	begins(&one, most, rtt_ns);
}

/* How much of so many seconds was spent with so many legs or more, percent. */
static unsigned
share(unsigned seconds, unsigned legs, uint64_t rtt_ns, const struct world *w)
{
	unsigned i, n = 0;

	for (i = 0; i < 10 * seconds; i++) {
		runs(100, rtt_ns, w);
		n += one.t.legs >= legs;
	}
	return n * 10 / seconds;
}

/* Where nobody tells: more only where that is faster, and trials become rare. */
static void
test_untold(void)
{
	static const struct world flat = { .whole = 12000000, .limited = true };
	static const struct world held = { .whole = 1 << 30, .each = 1000000, .limited = true };
	static const struct world trickle = { .whole = 1 << 30, .each = 1000, .limited = true };

	starts(16, MS);
	CHECK(share(300, 2, MS, &flat) <= 5);
	CHECK(one.changes >= 4 && one.changes < 30);
	starts(16, MS);
	CHECK(share(300, 16, MS, &held) >= 85);
	starts(1, MS);
	CHECK(share(300, 1, MS, &held) == 100 && one.changes == 0);
	/* What one connection carries anywhere is left to one. */
	starts(16, MS);
	CHECK(share(300, 2, MS, &trickle) == 0);
	/* What was of use and is so no longer is given up within seconds. */
	starts(16, MS);
	runs(60000, MS, &held);
	CHECK(one.t.legs == 16);
	runs(300000, MS, &flat);
	CHECK(one.t.legs <= 2);
}

/* Loss that is no congestion: all at once, and they stay. */
static void
test_loss(void)
{
	static const struct world w = {
		.whole = 60000000, .each = 800000, .loss = true, .queue = true, .told = true,
		.limited = true, .noise = 10
	};
	static const struct world worse = {
		.whole = 60000000, .each = 8000000, .loss = true, .queue = true, .told = true,
		.limited = true
	};
	struct world late = worse;

	starts(64, 80 * MS);
	CHECK(one.t.legs == LEG_COUNT_FAR_LEGS);
	runs(1000, 80 * MS, &w);
	CHECK(one.t.legs == 64);
	CHECK(share(300, 64, 80 * MS, &w) >= 99);
	/* Eight are enough to fill this one: it has all of it, and not many more legs. */
	starts(64, 80 * MS);
	runs(60000, 80 * MS, &worse);
	CHECK(one.t.legs >= 8 && one.t.legs <= 16);
	CHECK(share(300, 8, 80 * MS, &worse) >= 95 && one.t.legs <= 16);
	/* Near, where one is begun with. */
	starts(64, MS);
	runs(3000, MS, &w);
	CHECK(one.t.legs == 64);
	/* It comes later, when fewer had been enough. */
	late.each = 30000000;
	starts(64, 80 * MS);
	runs(60000, 80 * MS, &late);
	CHECK(one.t.legs <= 8);
	runs(5000, 80 * MS, &worse);
	CHECK(one.t.legs >= 8);
}

/*
 * A slow start whose rate doubles in each round trip of 80 ms up to `whole' bytes a
 * second; returns the number of legs when it stops, by a queue or as `end' says.
 */
static unsigned
slow_start(uint64_t whole, enum limit_kind end)
{
	struct leg_count_seen seen = {
		.limit = LIMIT_NONE, .slow_start = true, .rtt_ns = 80 * MS, .up = 64
	};
	uint64_t rate = 200000;

	starts(64, 80 * MS);
	CHECK(one.t.state == LEG_COUNT_START);
	for (; one.t.state == LEG_COUNT_START; rate *= 2) {
		now += 80 * MS;
		if (rate >= whole)
			seen.limit = end;
		seen.bytes += (rate < whole ? rate : whole) / 1000 * 80;
		CHECK(leg_count_over(&one.t, 80 * MS, now));
		leg_count_step(&one.t, &seen, now);
		CHECK(rate < 100 * whole);
	}
	return one.t.legs;
}

/* As many legs as the rate has use for, before losses end the slow start. */
static void
test_start(void)
{
	struct leg_count_seen idle = { .limit = LIMIT_APPLICATION, .rtt_ns = 80 * MS };

	CHECK(slow_start(60000000, LIMIT_PATH) == 64);
	CHECK(one.t.state == LEG_COUNT_MEASURE && one.t.least == LEG_COUNT_FAR_LEGS);
	/* A path of 2 Mbit/s never has more than it was begun with, and 16 Mbit/s few. */
	CHECK(slow_start(250000, LIMIT_PATH) == LEG_COUNT_FAR_LEGS);
	CHECK(slow_start(2000000, LIMIT_PATH) <= 16);
	/* It stops without a reason that is told. */
	CHECK(slow_start(2000000, LIMIT_NONE) <= 20);
	/* A loss without a queue: all that there are. */
	CHECK(slow_start(2000000, LIMIT_LOSS) == 64 && one.t.state == LEG_COUNT_SETTLE);
	/* The source begins late. */
	starts(64, 80 * MS);
	now += 80 * MS;
	leg_count_step(&one.t, &idle, now);
	CHECK(one.t.state == LEG_COUNT_START && one.t.legs == LEG_COUNT_FAR_LEGS);
}

/* A policer drops what exceeds its rate: no number of legs helps. */
static void
test_policed(void)
{
	static const struct world w = {
		.whole = 12000000, .told = true, .limited = true, .noise = 5
	};

	starts(64, 40 * MS);
	CHECK(share(300, LEG_COUNT_FAR_LEGS + 1, 40 * MS, &w) <= 5);
}

/* A path that is full of its own queue keeps what it was begun with. */
static void
test_full(void)
{
	static const struct world w = {
		.whole = 12000000, .queue = true, .told = true, .limited = true
	};

	starts(64, 40 * MS);
	CHECK(share(300, LEG_COUNT_FAR_LEGS + 1, 40 * MS, &w) <= 5);
	starts(64, MS);
	CHECK(share(300, 2, MS, &w) <= 5);
	CHECK(one.changes >= 2 && one.changes < 24);
	/* And gives back what it had from worse times. */
	one.t.legs = 64;
	runs(60000, MS, &w);
	CHECK(one.t.legs <= 2);
}

/* Each connection is shaped by itself, with a queue of its own. */
static void
test_shaped(void)
{
	static const struct world w = {
		.whole = 1 << 30, .each = 1000000, .queue = true, .shaped = true, .told = true,
		.limited = true
	};

	starts(16, MS);
	CHECK(share(300, 16, MS, &w) >= 85);
	starts(64, 40 * MS);
	CHECK(share(300, 64, 40 * MS, &w) >= 80);
}

/* The rate wanders by a third, and what is told is often wrong: chance adds few legs. */
static void
wanders(bool told, uint64_t rtt_ns)
{
	struct world w = {
		.whole = 2500000, .queue = true, .told = told, .limited = true, .noise = 30,
		.wrong = 30
	};
	unsigned i, k, more, many, most = 0;
	uint64_t sum = 0;

	for (i = 0; i < SEEDS; i++) {
		starts(64, rtt_ns);
		for (more = many = k = 0; k < 10000; k++) {
			runs(100, rtt_ns, &w);
			/* Not the trials, which become rare. */
			more += one.t.state == LEG_COUNT_MEASURE && one.t.legs > one.t.least;
			many += one.t.legs > 8;
		}
		sum += more;
		most = many > most ? many : most;
	}
	printf("%s, %u ms: %.2f %% of the time more legs, more than 8 for %.2f %% at most\n",
	    told ? "told" : "untold", (unsigned)(rtt_ns / MS), (double)sum / SEEDS / 100,
	    most / 100.0);
	/* Half a percent of the time, and one percent. */
	CHECK(sum <= SEEDS * 50 && most <= 100);
}

static void
test_chance(void)
{
	wanders(false, MS);
	wanders(false, 40 * MS);
	wanders(true, MS);
	wanders(true, 40 * MS);
}

/* The path becomes ten times as fast, or slow, and back, at any time of a trial. */
static void
test_tenfold(void)
{
	struct world w = {
		.whole = 2500000, .queue = true, .told = true, .limited = true, .noise = 5
	};
	unsigned i, told, n = 0;

	for (told = 0; told < 2; told++)
		for (i = 0; i < SEEDS * 10; i++) {
			w.told = told != 0;
			w.whole = 2500000;
			starts(64, 40 * MS);
			runs(10000, 40 * MS, &w);
			runs(100 * check_below(&random_state, 100), 40 * MS, &w);
			w.whole = check_below(&random_state, 2) == 0 ? 25000000 : 250000;
			runs(60000, 40 * MS, &w);
			n += one.t.legs > 8;
			w.whole = 2500000;
			runs(60000, 40 * MS, &w);
			n += one.t.legs > 8;
		}
	CHECK(n <= SEEDS / 4);
}

/* Two senders share a link; the second finds the first's queue there when it begins. */
static void
share_link(unsigned first, unsigned second, unsigned wrong, unsigned *starved, unsigned *most)
{
	struct world w[2] = {
		{ .whole = 12500000, .queue = true, .told = true, .limited = true, .noise = 15,
		    .wrong = 10 }
	};
	struct sender s[2];
	unsigned i, k;

	w[1] = w[0];
	w[1].wrong = 0;
	now = 1000 * MS;
	begins(&s[0], 64, 40 * MS);
	begins(&s[1], 64, 40 * MS);
	s[0].t.legs = first;
	s[1].t.legs = second;
	*starved = *most = 0;
	for (i = 0; i < 6000; i++) {
		now += STEP;
		stroll(&w[0]);
		/* It takes the first's queue for the path's length now and then. */
		w[1].queue = check_below(&random_state, 100) >= wrong;
		for (k = 0; k < 2; k++) {
			steps(&s[k], 40 * MS, &w[k], s[1 - k].t.legs);
			*starved += i >= 1200 && 8 * s[k].t.legs < s[0].t.legs + s[1].t.legs;
			*most += i >= 1200 && s[k].t.legs > 32;
		}
	}
}

/* Neither has less than a quarter of its fair share, and neither climbs. */
static void
test_two(void)
{
	static const unsigned begin[][2] = { { 4, 4 }, { 4, 1 }, { 1, 16 }, { 64, 4 }, { 64, 64 } };
	unsigned wrong, i, n, starved, most, all_starved, all_most;

	for (wrong = 0; wrong <= 20; wrong += 10)
		for (i = 0; i < sizeof(begin) / sizeof(begin[0]); i++) {
			all_starved = all_most = 0;
			for (n = 0; n < SEEDS / 4; n++) {
				share_link(begin[i][0], begin[i][1], wrong, &starved, &most);
				all_starved += starved;
				all_most += most;
			}
			/* Of 4800 steps each. */
			printf("%u and %u legs, %u %% wrong: starved %.1f %%, many %.1f %%\n",
			    begin[i][0], begin[i][1], wrong, all_starved / 48.0 / (SEEDS / 4),
			    all_most / 48.0 / (SEEDS / 4));
			CHECK(all_starved <= 5 * 48 * (SEEDS / 4));
			CHECK(all_most <= 10 * 48 * (SEEDS / 4));
		}
}

/* Where the network is not what limits nothing is tried, and a trial is undone. */
static void
test_limited(void)
{
	static const struct world held = { .whole = 1 << 30, .each = 1000000, .limited = true };
	static const struct world idle = { .whole = 1 << 30, .each = 1000000 };

	starts(16, MS);
	runs(60000, MS, &idle);
	CHECK(one.t.legs == 1 && one.changes == 0);
	while (one.t.legs == 1)
		runs(100, MS, &held);
	CHECK(one.t.legs == 2 && one.t.state == LEG_COUNT_SETTLE);
	runs(300, MS, &idle);
	CHECK(one.t.legs == 1);
	/* Another trial on the path begins. */
	while (one.t.legs == 1)
		runs(100, MS, &held);
	leg_count_again(&one.t, one.bytes, now);
	CHECK(one.t.legs == 1 && one.t.state == LEG_COUNT_MEASURE);
}

/* The window is full: more legs are no guess, nor is a guess believed then. */
static void
test_window(void)
{
	struct leg_count_seen seen = { .limit = LIMIT_NONE, .window = true, .up = 64 };
	unsigned i;

	starts(64, MS);
	for (i = 0; i < 300; i++) {
		now += STEP;
		seen.bytes += 100000;
		if (leg_count_over(&one.t, MS, now))
			leg_count_step(&one.t, &seen, now);
		CHECK(one.t.legs == 1);
	}
	seen.window = false;
	while (one.t.legs == 1) {
		now += STEP;
		seen.bytes += 100000;
		if (leg_count_over(&one.t, MS, now))
			leg_count_step(&one.t, &seen, now);
	}
	seen.window = true;
	now += SECOND;
	leg_count_step(&one.t, &seen, now);
	CHECK(one.t.legs == 1 && one.t.state == LEG_COUNT_MEASURE);
}

/* Legs that do not come up are waited for, but not for ever. */
static void
test_joins(void)
{
	struct leg_count_seen seen = { .limit = LIMIT_LOSS, .up = 1 };
	unsigned i;

	starts(64, MS);
	for (i = 0; i < LEG_COUNT_LOSSY_PERIODS; i++) {
		now += SECOND;
		leg_count_step(&one.t, &seen, now);
	}
	CHECK(one.t.legs == 64 && one.t.state == LEG_COUNT_SETTLE);
	for (i = 0; one.t.state == LEG_COUNT_SETTLE; i++) {
		now += STEP;
		leg_count_step(&one.t, &seen, now);
		CHECK(i < 40);
	}
	CHECK(i >= 10 && one.t.state == LEG_COUNT_TRY);
}

int
main(int argc, char **argv)
{
	random_state = check_seed(argc, argv, 31);
	test_untold();
	test_loss();
	test_start();
	test_policed();
	test_full();
	test_shaped();
	test_chance();
	test_tenfold();
	test_two();
	test_limited();
	test_window();
	test_joins();
	return check_done();
}
