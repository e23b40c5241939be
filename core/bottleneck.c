/*
 * bottleneck: wait accounting.  See bottleneck.h; runs under the caller's lock.
 */
#include "core/bottleneck.h"

#include "core/time.h"

void
bottleneck_init(struct bottleneck *b, enum bottleneck_kind theirs, uint64_t now_ns)
{
	unsigned i;

	b->on = BOTTLENECK_NETWORK;
	b->theirs = theirs;
	b->begin_ns = b->since_ns = now_ns;
	b->told_ns = b->guessed_ns = 0;
	for (i = 0; i < BOTTLENECK_KINDS; i++)
		b->sum_ns[i] = 0;
}

/* Callers read the clock before they take the lock, so now_ns may be a little old. */
static uint64_t
lasted(const struct bottleneck *b, uint64_t now_ns)
{
	return now_ns > b->since_ns ? now_ns - b->since_ns : 0;
}

void
bottleneck_set(struct bottleneck *b, enum bottleneck_kind on, uint64_t now_ns)
{
	if (on == b->on)
		return;
	b->sum_ns[b->on] += lasted(b, now_ns);
	if (now_ns > b->since_ns)
		b->since_ns = now_ns;
	b->on = on;
}

/* As measured or guessed here. */
static uint64_t
sum(const struct bottleneck *b, enum bottleneck_kind kind, uint64_t until_ns)
{
	return b->sum_ns[kind] + (b->on == kind ? lasted(b, until_ns) : 0);
}

void
bottleneck_told(struct bottleneck *b, uint32_t ms, uint64_t now_ns)
{
	uint64_t ns = ms * MS;

	if (ns < b->told_ns)
		return;
	b->told_ns = ns;
	b->guessed_ns = sum(b, b->theirs, now_ns);
}

uint32_t
bottleneck_ms(const struct bottleneck *b, enum bottleneck_kind kind, uint64_t now_ns)
{
	uint64_t ms = sum(b, kind, now_ns) / MS;

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static uint64_t
less(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void
bottleneck_sums(const struct bottleneck *b, uint64_t until_ns, uint64_t sum_ns[BOTTLENECK_KINDS])
{
	uint64_t left = until_ns > b->begin_ns ? until_ns - b->begin_ns : 0, guess;
	unsigned i;

	for (i = 0; i < BOTTLENECK_KINDS; i++)
		sum_ns[i] = sum(b, (enum bottleneck_kind)i, until_ns);
	guess = sum_ns[b->theirs] > b->guessed_ns ? sum_ns[b->theirs] - b->guessed_ns : 0;
	sum_ns[b->theirs] = b->told_ns + less(guess, BOTTLENECK_GUESS_NS);
	sum_ns[BOTTLENECK_CONSUMER] = less(sum_ns[BOTTLENECK_CONSUMER], left);
	left -= sum_ns[BOTTLENECK_CONSUMER];
	sum_ns[BOTTLENECK_SOURCE] = less(sum_ns[BOTTLENECK_SOURCE], left);
	sum_ns[BOTTLENECK_NETWORK] = left - sum_ns[BOTTLENECK_SOURCE];
}

enum bottleneck_kind
bottleneck_largest(const uint64_t sum_ns[BOTTLENECK_KINDS])
{
	enum bottleneck_kind most = BOTTLENECK_NETWORK;

	if (sum_ns[BOTTLENECK_SOURCE] > sum_ns[most])
		most = BOTTLENECK_SOURCE;
	if (sum_ns[BOTTLENECK_CONSUMER] > sum_ns[most])
		most = BOTTLENECK_CONSUMER;
	return most;
}

double
bottleneck_share(const uint64_t sum_ns[BOTTLENECK_KINDS], enum bottleneck_kind on)
{
	double all = 0;
	unsigned i;

	for (i = 0; i < BOTTLENECK_KINDS; i++)
		all += (double)sum_ns[i];
	return all > 0 ? (double)sum_ns[on] / all : 0;
}

const char *
bottleneck_name(enum bottleneck_kind on)
{
	static const char *const name[BOTTLENECK_KINDS] = { "source", "network", "consumer" };

	return name[on];
}
