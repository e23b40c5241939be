/*
 * Faults on purpose: what the option's text means and what it must not be,
 * that a seed repeats itself, that every kind happens and at its time, and
 * that without chaos nothing does.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../chaos.h"
#include "../sys/log.h"
#include "check.h"

#define ALL	(CHAOS_CLOSE | CHAOS_RESET | CHAOS_STALL | CHAOS_CORRUPT | CHAOS_SHORT | \
		    CHAOS_DELAY)

/* One more frame: the kind that must happen then, or 0. */
static unsigned
frame(struct chaos_leg *c)
{
	c->pending = 0;
	chaos_passed(c);
	return c->pending;
}

static bool
parses(const char *text, uint64_t every, unsigned kinds, uint64_t seed)
{
	struct chaos_spec spec;
	char why[200] = "";

	return chaos_parse(text, &spec, why, sizeof(why)) == 0 && why[0] == '\0' &&
	    spec.every == every && spec.kinds == kinds && spec.seed == seed;
}

/* Refused, and the reason names what was given. */
static bool
refused(const char *text)
{
	struct chaos_spec spec;
	char why[200] = "", tiny[8] = "";

	return chaos_parse(text, &spec, why, sizeof(why)) == -1 && strstr(why, text) != NULL &&
	    chaos_parse(text, &spec, tiny, sizeof(tiny)) == -1 && strlen(tiny) == 7;
}

static void
test_parse(void)
{
	struct chaos_spec spec, other;
	char why[200];

	CHECK(parses("1:close:7", 1, CHAOS_CLOSE, 7));
	CHECK(parses("1000000000:reset:0", 1000000000, CHAOS_RESET, 0));
	CHECK(parses("12:stall:1", 12, CHAOS_STALL, 1));
	CHECK(parses("12:corrupt:1", 12, CHAOS_CORRUPT, 1));
	CHECK(parses("12:short:1", 12, CHAOS_SHORT, 1));
	CHECK(parses("12:delay:1", 12, CHAOS_DELAY, 1));
	CHECK(parses("5:delay,close,delay:123456789012345678", 5, CHAOS_DELAY | CHAOS_CLOSE,
	    UINT64_C(123456789012345678)));
	CHECK(parses("5:close,reset,stall,corrupt,short,delay:3", 5, ALL, 3));
	/* Without a seed it has one of its own. */
	CHECK(chaos_parse("5", &spec, why, sizeof(why)) == 0);
	CHECK(spec.every == 5 && spec.kinds == CHAOS_CLOSE && spec.seed < 1000000000);
	CHECK(chaos_parse("5:stall,short", &spec, why, sizeof(why)) == 0);
	CHECK(spec.kinds == (CHAOS_STALL | CHAOS_SHORT));
	CHECK(chaos_parse("5", &other, why, sizeof(why)) == 0);
	CHECK(chaos_parse("5", &spec, why, sizeof(why)) == 0 && spec.seed != other.seed);
}

static void
test_refused(void)
{
	static const char *const text[] = {
		"0", "x", "-1", "+1", " 1", "1 ", "1.5", "0x10", "1000000001",
		"99999999999999999999", "18446744073709551617", ":", ":close", "0:close",
		"5:", "5:x", "5:Close", "5:clos", "5:closed", "5:close,", "5:,close",
		"5:close,,reset", "5:close;reset", "5::3", "5:close:", "5:close:x",
		"5:close:-1", "5:close:3:", "5:close:3:4", "5:close:3 ", "5:3",
		"5:close:1234567890123456789"
	};
	struct chaos_spec spec;
	char why[200];
	size_t i;

	for (i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		CHECK(refused(text[i]));
	CHECK(chaos_parse("", &spec, why, sizeof(why)) == -1);
}

static void
test_off(void)
{
	struct chaos_leg c;
	size_t bit, i;

	chaos_leg_init(&c, NULL, 3);
	for (i = 0; i < 1000; i++) {
		CHECK(frame(&c) == 0);
		CHECK(!chaos_corrupt(&c, 1000, &bit));
		CHECK(chaos_length(&c, i) == i);
	}
}

/* After every so many frames, and only what is to be done to frames. */
static void
test_frames(void)
{
	const unsigned frames = CHAOS_CLOSE | CHAOS_RESET | CHAOS_STALL | CHAOS_DELAY;
	struct chaos_spec spec = { .every = 7, .kinds = ALL, .seed = 5 };
	unsigned kind, seen = 0, i, k;
	struct chaos_leg c;

	chaos_leg_init(&c, &spec, 0);
	for (i = 1; i <= 7000; i++) {
		kind = frame(&c);
		CHECK((kind != 0) == (i % 7 == 0));
		CHECK((kind & ~frames) == 0 && (kind & (kind - 1)) == 0);
		seen |= kind;
	}
	CHECK(seen == frames);
	for (i = k = 0; i < 6; i++)
		k += c.done[i];
	CHECK(k == 1000);
	for (i = 0; i < 6; i++) {
		spec.kinds = 1u << i;
		chaos_leg_init(&c, &spec, 0);
		for (k = 1; k <= 70; k++)
			CHECK(frame(&c) == (k % 7 == 0 ? spec.kinds & frames : 0));
		CHECK(c.done[i] == ((spec.kinds & frames) != 0 ? 10 : 0));
	}
}

/* The frame that begins before the count is full is spoilt, in one of its bits. */
static void
test_corrupt(void)
{
	struct chaos_spec spec = { .every = 3, .kinds = CHAOS_CORRUPT, .seed = 5 };
	size_t bit = 0, i, bytes;
	struct chaos_leg c;
	bool low = false, high = false;

	chaos_leg_init(&c, &spec, 0);
	for (i = 1; i <= 3000; i++) {
		bytes = i % 50;
		CHECK(chaos_corrupt(&c, bytes, &bit) == (i % 3 == 0 && bytes > 0));
		CHECK(i % 3 != 0 || bytes == 0 || bit < bytes * 8);
		low |= bit == 0;
		high |= bytes > 0 && bit == bytes * 8 - 1;
		CHECK(frame(&c) == 0);
	}
	CHECK(low && high);
	spec.kinds = ALL & ~CHAOS_CORRUPT;
	chaos_leg_init(&c, &spec, 0);
	for (i = 0; i < 10; i++, frame(&c))
		CHECK(!chaos_corrupt(&c, 10, &bit));
}

static void
test_length(void)
{
	struct chaos_spec spec = { .every = 1, .kinds = CHAOS_SHORT, .seed = 5 };
	bool least = false, most = false;
	struct chaos_leg c;
	size_t i, n, got;

	chaos_leg_init(&c, &spec, 0);
	CHECK(chaos_length(&c, 0) == 0 && chaos_length(&c, 1) == 1);
	for (i = 0; i < 20000; i++) {
		n = 2 + i % 20;
		got = chaos_length(&c, n);
		CHECK(got >= 1 && got <= n);
		least |= got == 1;
		most |= got == n;
		got = chaos_length(&c, 1 << 20);
		CHECK(got >= 1 && got <= 8192);
	}
	CHECK(least && most && c.done[4] == 40000);
	spec.kinds = ALL & ~CHAOS_SHORT;
	chaos_leg_init(&c, &spec, 0);
	CHECK(chaos_length(&c, 100) == 100);
	for (i = 0; i < 1000; i++) {
		n = chaos_delay_ms(&c);
		CHECK(n >= 1 && n <= 100);
	}
}

/* The same seed and leg repeat; another seed or leg does not. */
static void
test_seeds(void)
{
	struct chaos_spec spec = { .every = 1, .kinds = ALL, .seed = 5 }, other = spec;
	struct chaos_leg a, b, leg, seed;
	unsigned i, legs = 0, seeds = 0, kind;

	other.seed = 6;
	chaos_leg_init(&a, &spec, 2);
	chaos_leg_init(&b, &spec, 2);
	chaos_leg_init(&leg, &spec, 3);
	chaos_leg_init(&seed, &other, 2);
	for (i = 0; i < 300; i++) {
		kind = frame(&a);
		CHECK(kind == frame(&b));
		legs += kind != frame(&leg);
		seeds += kind != frame(&seed);
		CHECK(chaos_length(&a, 5000) == chaos_length(&b, 5000));
		chaos_length(&leg, 5000);
		chaos_length(&seed, 5000);
	}
	CHECK(legs > 100 && seeds > 100);
}

int
main(void)
{
	log_set(LOG_ERROR);	/* thousands of lines otherwise */
	test_parse();
	test_refused();
	test_off();
	test_frames();
	test_corrupt();
	test_length();
	test_seeds();
	return check_done();
}
