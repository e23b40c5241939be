/*
 * chaos: faults injected on purpose.  See chaos.h; runs in the legs' threads, each
 * with a state of its own.
 */
#include "chaos.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/entropy.h"
#include "sys/log.h"

static const struct {
	const char *name;
	unsigned kind;
} kinds[CHAOS_KINDS] = {
	{ "close", CHAOS_CLOSE },
	{ "reset", CHAOS_RESET },
	{ "stall", CHAOS_STALL },
	{ "corrupt", CHAOS_CORRUPT },
	{ "short", CHAOS_SHORT },
	{ "delay", CHAOS_DELAY },
};

#define KINDS	CHAOS_KINDS

/* A decimal number of bytes [text, end); 0 is not one of the legal values. */
static int
number(const char *text, size_t n, uint64_t *out)
{
	uint64_t v = 0;
	size_t i;

	if (n == 0 || n > 18)
		return -1;
	for (i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	*out = v;
	return 0;
}

static int
kind_list(const char *text, size_t n, unsigned *out)
{
	size_t i, len;

	*out = 0;
	while (n > 0) {
		len = strcspn(text, ",:");
		for (i = 0; i < KINDS; i++)
			if (strlen(kinds[i].name) == len && memcmp(kinds[i].name, text, len) == 0)
				break;
		if (i == KINDS)
			return -1;
		*out |= kinds[i].kind;
		text += len;
		n -= len;
		if (n == 0)
			return 0;
		text++;
		n--;
	}
	return -1;
}

int
chaos_parse(const char *text, struct chaos_spec *spec, char *why, size_t n)
{
	size_t first = strcspn(text, ":"), second;
	const char *rest;

	memset(spec, 0, sizeof(*spec));
	spec->kinds = CHAOS_CLOSE;
	if (number(text, first, &spec->every) == -1 || spec->every == 0 ||
	    spec->every > 1000000000)
		goto err0;
	if (text[first] == ':') {
		rest = text + first + 1;
		second = strcspn(rest, ":");
		if (kind_list(rest, second, &spec->kinds) == -1)
			goto err0;
		if (rest[second] == ':') {
			rest += second + 1;
			if (number(rest, strlen(rest), &spec->seed) == -1)
				goto err0;
			return 0;
		}
	}
	/* Without a seed each run gets a random one, which is printed. */
	if (entropy_fill(&spec->seed, sizeof(spec->seed)) == -1)
		spec->seed = 1;
	spec->seed %= 1000000000;
	return 0;
err0:
	snprintf(why, n, "chaos '%s' is not N[:KIND[,KIND...][:SEED]] with N from 1 to 1000000000 "
	    "and KIND of close, reset, stall, corrupt, short, delay", text);
	return -1;
}

static uint64_t
roll(struct chaos_leg *c)
{
	/* Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014. */
	uint64_t z = (c->random += 0x9e3779b97f4a7c15ULL);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

void
chaos_leg_init(struct chaos_leg *c, const struct chaos_spec *spec, unsigned leg)
{
	memset(c, 0, sizeof(*c));
	c->spec = spec;
	if (spec != NULL)
		c->random = spec->seed * 1000003 + leg;
}

static void
happened(struct chaos_leg *c, unsigned kind)
{
	unsigned i;

	for (i = 0; i < KINDS; i++)
		if (kinds[i].kind == kind)
			atomic_fetch_add_explicit(&c->done[i], 1, memory_order_relaxed);
}

/* One more frame: 0, or the kind that must happen now (one bit). */
static unsigned
next_fault(struct chaos_leg *c)
{
	unsigned frames = CHAOS_CLOSE | CHAOS_RESET | CHAOS_STALL | CHAOS_DELAY;
	size_t i;

	if (c->spec == NULL || ++c->frames % c->spec->every != 0)
		return 0;
	frames &= c->spec->kinds;
	if (frames == 0)
		return 0;
	do
		i = (size_t)(roll(c) % KINDS);
	while ((kinds[i].kind & frames) == 0);
	happened(c, kinds[i].kind);
	log_line(LOG_LOSS, "chaos: %s after %llu frames", kinds[i].name,
	    (unsigned long long)c->frames);
	return kinds[i].kind;
}

void
chaos_passed(struct chaos_leg *c)
{
	if (c->spec != NULL && c->pending == 0)
		c->pending = next_fault(c);
}

bool
chaos_corrupt(struct chaos_leg *c, size_t bytes, size_t *bit)
{
	if (c->spec == NULL || (c->spec->kinds & CHAOS_CORRUPT) == 0 || bytes == 0 ||
	    (c->frames + 1) % c->spec->every != 0 || c->spoilt == c->frames + 1)
		return false;
	/* Only once: the receiver does not count a corrupted frame, so its number comes again. */
	c->spoilt = c->frames + 1;
	*bit = (size_t)(roll(c) % (bytes * 8));
	happened(c, CHAOS_CORRUPT);
	log_line(LOG_LOSS, "chaos: corrupt bit %zu of a payload", *bit);
	return true;
}

size_t
chaos_length(struct chaos_leg *c, size_t n)
{
	if (c->spec == NULL || (c->spec->kinds & CHAOS_SHORT) == 0 || n < 2)
		return n;
	happened(c, CHAOS_SHORT);
	return 1 + (size_t)(roll(c) % (n < 8192 ? n : 8192));
}

unsigned
chaos_delay_ms(struct chaos_leg *c)
{
	return 1 + (unsigned)(roll(c) % 100);
}

void
chaos_summary(const struct chaos_leg *const legs[], unsigned n, char *text, size_t size)
{
	size_t used = 0;
	unsigned i, k, sum;
	int put;

	text[0] = '\0';
	for (k = 0; k < KINDS; k++) {
		for (sum = 0, i = 0; i < n; i++)
			sum += atomic_load_explicit(&legs[i]->done[k], memory_order_relaxed);
		put = snprintf(text + used, size - used, "%s%u %s", k > 0 ? ", " : "", sum,
		    kinds[k].name);
		if (put < 0 || (size_t)put >= size - used)
			return;
		used += (size_t)put;
	}
}
