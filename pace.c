/*
 * pace: how fast a leg is.  See pace.h; runs under tx.c's lock.
 */
#include "pace.h"

#include <string.h>

#define SECOND		1000000000ULL
#define FRAME_NS	(SECOND / 30)	/* a frame is so much of the leg's rate */
#define FRAME_MOST	(1u << 20)
#define LIMIT_FIRST	(64u << 10)	/* four times TCP's initial window (RFC 6928) */
#define SAMPLE_BRIEF	(100 * 1000ULL)	/* good enough when there is no other */
#define SAMPLE_LEAST	(2 * 1000000ULL)	/* nanoseconds that a sample takes */

static void
limits(struct pace *p)
{
	uint64_t rate = p->rate, n;

	/* A power of two, so that frames fill the kept chunks evenly. */
	for (p->frame = PACE_FRAME_LEAST; p->frame < FRAME_MOST; p->frame *= 2)
		if ((uint64_t)p->frame * 2 > rate / (SECOND / FRAME_NS))
			break;
	/*
	 * Twice what the round trip holds, so that the connection can find out
	 * that there is more; and four frames, which covers the time that the
	 * receiver may take to say what it has.
	 */
	n = rate / 1000 * (p->rtt_ns / 1000) / 1000 * 2 + 4 * (uint64_t)p->frame;
	if (p->rate == 0)
		n = LIMIT_FIRST;
	p->limit = n < LIMIT_FIRST && rate > LIMIT_FIRST ? LIMIT_FIRST : n;
	if (p->rate == 0)
		p->frame = LIMIT_FIRST / 4;
}

void
pace_init(struct pace *p)
{
	memset(p, 0, sizeof(*p));
	limits(p);
}

void
pace_restart(struct pace *p, uint64_t rtt_ns, uint64_t now_ns)
{
	p->mark = 0;
	p->mark_ns = now_ns;
	p->dry = true;
	p->rtt_ns = rtt_ns;
	limits(p);
}

void
pace_rtt(struct pace *p, uint64_t rtt_ns)
{
	if (p->rtt_ns == 0 || rtt_ns < p->rtt_ns)
		p->rtt_ns = rtt_ns;
	limits(p);
}

void
pace_begin(struct pace *p, uint64_t received, uint64_t now_ns)
{
	p->mark = received;
	p->mark_ns = now_ns;
	p->dry = false;
}

static void
sample(struct pace *p, uint64_t rate)
{
	unsigned i;

	p->sample[p->at++ % PACE_SAMPLES] = rate;
	p->rate = 0;
	for (i = 0; i < PACE_SAMPLES; i++)
		if (p->sample[i] > p->rate)
			p->rate = p->sample[i];
	limits(p);
}

void
pace_end(struct pace *p, uint64_t received, uint64_t now_ns)
{
	uint64_t took = now_ns - p->mark_ns;

	if (p->rate == 0 && took >= SAMPLE_BRIEF && received > p->mark)
		sample(p, (received - p->mark) * 1000000 / (took / 1000));
}

/* It may share that rate with the other, so half of it. */
void
pace_guess(struct pace *p, uint64_t rate)
{
	if (p->rate == 0 && rate > 1)
		sample(p, rate / 2);
}

uint64_t
pace_mean(const struct pace *p)
{
	unsigned n = p->at < PACE_SAMPLES ? p->at : PACE_SAMPLES, i;
	uint64_t sum = 0;

	for (i = 0; i < n; i++)
		sum += p->sample[i];
	return n == 0 ? 0 : sum / n;
}

void
pace_received(struct pace *p, uint64_t received, uint64_t in_flight, uint64_t now_ns)
{
	uint64_t took = now_ns - p->mark_ns, rate;

	if (received < p->mark)
		return;
	/* With so little on its way it is not the leg that sets the pace. */
	if (in_flight < p->limit / 8)
		p->dry = true;
	if (took >= SAMPLE_LEAST && took >= p->rtt_ns && received > p->mark) {
		rate = (received - p->mark) * 1000000 / (took / 1000);
		/* A leg that ran dry shows how fast it is at least. */
		if (!p->dry || rate > p->rate)
			sample(p, rate);
		p->mark = received;
		p->mark_ns = now_ns;
		p->dry = in_flight == 0;
	}
}
