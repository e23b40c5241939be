/*
 * tune: how many legs a path should use.  See tune.h; runs under tx.c's lock.
 */
#include "tune.h"

#include <stddef.h>

#define MS	1000000ULL

void
tune_init(struct tune *t, unsigned legs, unsigned most)
{
	t->state = TUNE_MEASURE;
	t->legs = legs;
	t->most = most < legs ? legs : most;
	t->since_ns = 0;
	t->octets = 0;
	t->rate = 0;
	t->rest_ns = TUNE_REST_NS;
}

static void
enter(struct tune *t, enum tune_state state, uint64_t octets, uint64_t now_ns)
{
	t->state = state;
	t->octets = octets;
	t->since_ns = now_ns;
}

/* Long enough for a connection to find its rate, and for a rate to be seen. */
static uint64_t
period(uint64_t rtt_ns)
{
	uint64_t n = 8 * rtt_ns;

	return n < 300 * MS ? 300 * MS : n > 2000 * MS ? 2000 * MS : n;
}

static uint64_t
rate_since(const struct tune *t, uint64_t octets, uint64_t now_ns)
{
	return (octets - t->octets) * 1000 / ((now_ns - t->since_ns) / MS + 1);
}

const char *
tune_step(struct tune *t, uint64_t octets, bool limited, uint64_t rtt_ns, uint64_t now_ns)
{
	uint64_t rate;

	if (t->since_ns == 0 && rtt_ns > TUNE_FAR_NS)
		t->legs = t->most < TUNE_FAR_LEGS ? t->most : TUNE_FAR_LEGS;
	if (t->since_ns == 0 || (!limited && t->state != TUNE_REST)) {
		/* What is measured must be the network. */
		if (t->state == TUNE_SETTLE || t->state == TUNE_TRY)
			t->legs = t->legs / 2 > 0 ? t->legs / 2 : 1;
		enter(t, TUNE_MEASURE, octets, now_ns);
		return NULL;
	}
	if (now_ns - t->since_ns < (t->state == TUNE_REST ? t->rest_ns : period(rtt_ns)))
		return NULL;
	rate = rate_since(t, octets, now_ns);
	switch (t->state) {
	case TUNE_REST:
		if (t->rest_ns < TUNE_REST_MOST_NS)
			t->rest_ns *= 2;
		enter(t, TUNE_MEASURE, octets, now_ns);
		return NULL;
	case TUNE_MEASURE:
		if (2 * t->legs > t->most) {
			enter(t, TUNE_REST, octets, now_ns);
			return NULL;
		}
		t->rate = rate;
		t->legs *= 2;
		enter(t, TUNE_SETTLE, octets, now_ns);
		return "data waits for the network: using twice as many legs to see";
	case TUNE_SETTLE:
		enter(t, TUNE_TRY, octets, now_ns);
		return NULL;
	case TUNE_TRY:
		if (rate >= t->rate + t->rate * TUNE_GAIN_PERCENT / 100) {
			t->rest_ns = TUNE_REST_NS;
			enter(t, TUNE_MEASURE, octets, now_ns);
			return NULL;
		}
		t->legs /= 2;
		enter(t, TUNE_REST, octets, now_ns);
		return "more legs were not faster: back to half as many";
	}
	return NULL;
}
