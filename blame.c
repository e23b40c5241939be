/*
 * blame: who is waited for.  See blame.h; runs in whichever thread calls it.
 */
#include "blame.h"

void
blame_init(struct blame *b, enum blame_on on, uint64_t now_ns)
{
	unsigned i;

	b->on = on;
	b->since_ns = now_ns;
	for (i = 0; i < BLAME_KINDS; i++)
		b->sum_ns[i] = 0;
}

/* Callers read the clock before they had the lock: it may be a little behind. */
static uint64_t
lasted(const struct blame *b, uint64_t now_ns)
{
	return now_ns > b->since_ns ? now_ns - b->since_ns : 0;
}

void
blame_set(struct blame *b, enum blame_on on, uint64_t now_ns)
{
	if (on == b->on)
		return;
	b->sum_ns[b->on] += lasted(b, now_ns);
	if (now_ns > b->since_ns)
		b->since_ns = now_ns;
	b->on = on;
}

void
blame_sums(const struct blame *b, uint64_t until_ns, uint64_t sum_ns[BLAME_KINDS])
{
	unsigned i;

	for (i = 0; i < BLAME_KINDS; i++)
		sum_ns[i] = b->sum_ns[i];
	sum_ns[b->on] += lasted(b, until_ns);
}

enum blame_on
blame_most(const uint64_t sum_ns[BLAME_KINDS])
{
	enum blame_on most = BLAME_NETWORK;

	if (sum_ns[BLAME_SOURCE] > sum_ns[most])
		most = BLAME_SOURCE;
	if (sum_ns[BLAME_CONSUMER] > sum_ns[most])
		most = BLAME_CONSUMER;
	return most;
}

double
blame_share(const uint64_t sum_ns[BLAME_KINDS], enum blame_on on)
{
	double all = 0;
	unsigned i;

	for (i = 0; i < BLAME_KINDS; i++)
		all += (double)sum_ns[i];
	return all > 0 ? (double)sum_ns[on] / all : 0;
}

const char *
blame_name(enum blame_on on)
{
	static const char *const name[BLAME_KINDS] = { "source", "network", "consumer" };

	return name[on];
}
