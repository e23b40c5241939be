/*
 * delivery_rate: how fast a leg is.  See delivery_rate.h; runs under tx.c's lock.
 */
#include "core/delivery_rate.h"

#include <string.h>

#include "core/rate.h"

#define FRAME_NS	(SECOND / 30)	/* what a leg sends in this time fills a frame */
#define FRAME_MAX	(1u << 20)
#define FRAME_USUAL	4096u		/* smaller ones only where this one takes */
#define FRAME_LONG_NS	(SECOND / 4)	/* so long */
#define GAP_USUAL_NS	(SECOND / 20)	/* between two acknowledgements; four frames cover it */
#define GAP_MAX_NS	(2 * SECOND)
#define LIMIT_FIRST	(32u << 10)	/* twice TCP's initial window (RFC 6928) */
#define SAMPLE_BRIEF	(100 * 1000ULL)	/* long enough for a leg's only sample */
#define SAMPLE_MIN	(2 * MS)	/* nanoseconds that a sample lasts at least */

/*
 * While the round trip is probed: half of the bandwidth-delay product makes no
 * queue, even if the path has become slower.
 */
static void
shorten(struct delivery_rate *p)
{
	p->limit = p->rate / 1000 * (p->rtt_ns / 1000) / 1000 / 2 + 1;
	while (p->frame > p->limit && p->frame > DELIVERY_RATE_FRAME_MIN)
		p->frame /= 2;
}

/* A power of two, so that frames fill the kept chunks evenly. */
static uint32_t
frame_for(uint64_t rate)
{
	uint32_t n = FRAME_USUAL;

	while (n < FRAME_MAX && (uint64_t)n * 2 <= rate / (SECOND / FRAME_NS))
		n *= 2;
	/* What a thin path transfers for long, arrives and is acknowledged in pieces. */
	while (n > DELIVERY_RATE_FRAME_MIN && n > rate / (SECOND / FRAME_LONG_NS))
		n /= 2;
	return n;
}

uint64_t
delivery_rate_delay(const struct delivery_rate *p)
{
	return p->gap_ns > GAP_USUAL_NS ? p->gap_ns - GAP_USUAL_NS : 0;
}

static void
limits(struct delivery_rate *p)
{
	uint64_t rate = p->rate, n;

	p->frame = frame_for(rate);
	/*
	 * Twice the bandwidth-delay product, so that the connection can find a higher
	 * rate, and four frames, which cover the time that the receiver takes to
	 * acknowledge; or more, where that is seldom because the way back is narrow.
	 */
	n = rate / 1000 * ((2 * p->rtt_ns + delivery_rate_delay(p)) / 1000) / 1000 +
	    4 * (uint64_t)p->frame;
	if (p->rate == 0)
		n = LIMIT_FIRST;
	p->limit = n < LIMIT_FIRST && rate > LIMIT_FIRST ? LIMIT_FIRST : n;
	if (p->rate == 0)
		p->frame = LIMIT_FIRST / 4;
	if (p->probing)
		shorten(p);
}

void
delivery_rate_init(struct delivery_rate *p)
{
	memset(p, 0, sizeof(*p));
	limits(p);
}

void
delivery_rate_restart(struct delivery_rate *p, uint64_t rtt_ns, uint64_t now_ns)
{
	p->mark = p->heard = 0;
	p->mark_ns = p->heard_ns = now_ns;
	p->app_limited = true;
	delivery_rate_rtt(p, rtt_ns, false);
}

void
delivery_rate_rtt(struct delivery_rate *p, uint64_t rtt_ns, bool probing)
{
	p->rtt_ns = rtt_ns;
	p->probing = probing;
	limits(p);
}

void
delivery_rate_begin(struct delivery_rate *p, uint64_t received, uint64_t now_ns)
{
	p->mark = received;
	p->mark_ns = p->heard_ns = now_ns;
	p->app_limited = false;
}

static void
heard(struct delivery_rate *p, uint64_t received, uint64_t now_ns)
{
	uint64_t gap = now_ns - p->heard_ns, faded = p->gap_ns - p->gap_ns / 8;

	if (received <= p->heard)
		return;
	p->heard = received;
	p->heard_ns = now_ns;
	p->gap_ns = gap < faded ? faded : gap < GAP_MAX_NS ? gap : GAP_MAX_NS;
}

static void
sample(struct delivery_rate *p, uint64_t rate)
{
	unsigned i;

	p->sample[p->at++ % DELIVERY_RATE_SAMPLES] = rate;
	p->rate = 0;
	for (i = 0; i < DELIVERY_RATE_SAMPLES; i++)
		if (p->sample[i] > p->rate)
			p->rate = p->sample[i];
	limits(p);
}

void
delivery_rate_end(struct delivery_rate *p, uint64_t received, uint64_t now_ns)
{
	uint64_t took = now_ns - p->mark_ns;

	if (p->rate == 0 && took >= SAMPLE_BRIEF && received > p->mark)
		sample(p, rate_of(received - p->mark, took));
}

/* The legs may share the path's capacity, so the guess is half of the rate. */
void
delivery_rate_guess(struct delivery_rate *p, uint64_t rate)
{
	if (p->rate == 0 && rate > 1)
		sample(p, rate / 2);
}

uint64_t
delivery_rate_mean(const struct delivery_rate *p)
{
	unsigned n = p->at < DELIVERY_RATE_SAMPLES ? p->at : DELIVERY_RATE_SAMPLES, i;
	uint64_t sum = 0;

	for (i = 0; i < n; i++)
		sum += p->sample[i];
	return n == 0 ? 0 : sum / n;
}

void
delivery_rate_received(struct delivery_rate *p, uint64_t received, uint64_t in_flight,
    uint64_t now_ns)
{
	uint64_t took = now_ns - p->mark_ns, rate;

	if (received < p->mark)
		return;
	heard(p, received, now_ns);
	/* With so little in flight the leg does not limit the rate. */
	if (in_flight < p->limit / 8 || p->probing)
		p->app_limited = true;
	if (took >= SAMPLE_MIN && took >= p->rtt_ns && received > p->mark) {
		rate = rate_of(received - p->mark, took);
		/* The sample of an app-limited leg is a lower bound. */
		if (!p->app_limited || rate > p->rate)
			sample(p, rate);
		p->mark = received;
		p->mark_ns = now_ns;
		p->app_limited = in_flight == 0;
	}
}
