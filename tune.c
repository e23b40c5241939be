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
	t->legs = t->least = legs;
	t->most = most < legs ? legs : most;
	t->fewer = false;
	t->since_ns = 0;
	t->octets = 0;
	t->rate = 0;
	t->rest_ns = TUNE_REST_NS;
}

static void
enter(struct tune *t, enum tune_state state, uint64_t octets, uint64_t now_ns)
{
	if (state == TUNE_MEASURE && t->state != TUNE_MEASURE)
		t->rate = 0;
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

/* A trial is over and proved nothing, or nothing good. */
static void
undo(struct tune *t)
{
	if (t->fewer)
		t->legs = 2 * t->legs < t->most ? 2 * t->legs : t->most;
	else
		t->legs = t->legs / 2 > 0 ? t->legs / 2 : 1;
}

/* The first call: how to begin with such a round trip. */
static void
begin(struct tune *t, uint64_t octets, uint64_t rtt_ns, uint64_t now_ns)
{
	if (rtt_ns > TUNE_FAR_NS)
		t->legs = t->least = t->most < TUNE_FAR_LEGS ? t->most : TUNE_FAR_LEGS;
	enter(t, TUNE_MEASURE, octets, now_ns);
}

/* Do so many legs hold what the path does? */
static bool
hold(unsigned legs, uint64_t rate, uint64_t rtt_ns)
{
	return rate / 1000 * (rtt_ns / 1000) / 1000 <= (uint64_t)legs * TUNE_HOLDS;
}

/* A period at the present number of legs is over. */
static const char *
measured(struct tune *t, uint64_t rate, uint64_t octets, uint64_t rtt_ns, uint64_t now_ns)
{
	bool grows = rate > t->rate + t->rate * TUNE_GAIN_PERCENT / 100;
	bool more = 2 * t->legs <= t->most && rate >= TUNE_RATE_LEAST;

	if (rate > t->rate)
		t->rate = rate;
	if (more && !hold(t->legs, t->rate, rtt_ns)) {
		t->legs *= 2;
		t->rate = 0;
		enter(t, TUNE_MEASURE, octets, now_ns);
		return "it holds more than its connections can: using twice as many legs";
	}
	if (grows) {
		enter(t, TUNE_MEASURE, octets, now_ns);
		return NULL;
	}
	if (t->fewer && t->legs / 2 >= t->least && hold(t->legs / 2, t->rate, rtt_ns)) {
		t->legs /= 2;
		enter(t, TUNE_SETTLE, octets, now_ns);
		return "fewer legs may do as well: using half as many to see";
	}
	t->fewer = false;
	if (!more) {
		enter(t, TUNE_REST, octets, now_ns);
		return NULL;
	}
	t->legs *= 2;
	enter(t, TUNE_SETTLE, octets, now_ns);
	return "data waits for the network: using twice as many legs to see";
}

/* The period of a trial is over. */
static const char *
tried(struct tune *t, uint64_t rate, uint64_t octets, uint64_t now_ns)
{
	if (t->fewer) {
		if (rate >= t->rate - t->rate * TUNE_LOSS_PERCENT / 100) {
			enter(t, TUNE_REST, octets, now_ns);
			return "fewer legs are as fast: keeping half as many";
		}
		undo(t);
		enter(t, TUNE_REST, octets, now_ns);
		return "fewer legs were slower: back to twice as many";
	}
	if (rate >= t->rate + t->rate * TUNE_GAIN_PERCENT / 100) {
		t->rest_ns = TUNE_REST_NS;
		enter(t, TUNE_MEASURE, octets, now_ns);
		return "more legs are faster: keeping twice as many";
	}
	undo(t);
	enter(t, TUNE_REST, octets, now_ns);
	return "more legs were not faster: back to half as many";
}

const char *
tune_step(struct tune *t, uint64_t octets, bool limited, uint64_t rtt_ns, uint64_t now_ns)
{
	uint64_t rate;

	if (t->since_ns == 0) {
		if (rtt_ns == 0)
			return NULL;
		begin(t, octets, rtt_ns, now_ns);
		return NULL;
	}
	if (!limited && t->state != TUNE_REST) {
		/* What is measured must be the network. */
		if (t->state == TUNE_SETTLE || t->state == TUNE_TRY)
			undo(t);
		t->rate = 0;
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
		t->fewer = !t->fewer;
		enter(t, TUNE_MEASURE, octets, now_ns);
		return NULL;
	case TUNE_MEASURE:
		return measured(t, rate, octets, rtt_ns, now_ns);
	case TUNE_SETTLE:
		enter(t, TUNE_TRY, octets, now_ns);
		return NULL;
	case TUNE_TRY:
		return tried(t, rate, octets, now_ns);
	}
	return NULL;
}
