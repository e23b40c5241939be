/*
 * liveness: whether a leg is alive.  See liveness.h; runs in the leg's thread.
 */
#include "core/liveness.h"

#include <string.h>

#include "core/time.h"

void
liveness_init(struct liveness *p, uint64_t heartbeat_ns, uint64_t rtt_ns, uint64_t now_ns)
{
	memset(p, 0, sizeof(*p));
	p->heartbeat_ns = heartbeat_ns;
	p->rtt_ns = rtt_ns;
	p->heard_ns = p->answered_ns = p->look_ns = now_ns;
	/* The first heartbeat is sent at once: it measures the round trip. */
	p->beat_ns = 0;
}

void
liveness_heard(struct liveness *p, uint64_t now_ns)
{
	p->heard_ns = now_ns;
}

void
liveness_moved(struct liveness *p, uint64_t now_ns)
{
	p->heard_ns = p->answered_ns = now_ns;
}

/* Two heartbeats and two replies with their TCP headers stay below 5 % of the rate. */
uint64_t
liveness_due(const struct liveness *p, uint64_t rate, bool seldom)
{
	uint64_t period = LIVENESS_PERIOD_NS;
	uint64_t bytes = 2 * (FRAME_HEADER + FRAME_HEARTBEAT_SIZE + 52);

	if (seldom && LIVENESS_TRIPS * p->rtt_ns > period)
		period = LIVENESS_TRIPS * p->rtt_ns;
	if (rate > 0 && bytes * 20 * SECOND / rate > period)
		period = bytes * 20 * SECOND / rate;
	if (period > p->heartbeat_ns / 2)
		period = p->heartbeat_ns / 2;
	return p->beat_ns + period;
}

void
liveness_beat(struct liveness *p, struct heartbeat *h, bool reply, uint64_t now_ns)
{
	if (!reply) {
		if (p->echoed == p->counter)
			p->answered_ns = now_ns;
		p->counter++;
		p->asked_ns[p->counter % 8] = now_ns;
		p->beat_ns = now_ns;
	}
	h->counter = p->counter;
	h->echo = p->heard;
}

static uint64_t
less(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* RFC 6298's smoothing, with a gain of 1/8. */
static void
smooth(struct liveness *p, uint64_t asked_ns, uint64_t rtt)
{
	p->sample_asked_ns = asked_ns;
	p->sample_ns = rtt;
	p->rtt_ns = p->rtt_ns == 0 ? rtt : p->rtt_ns - p->rtt_ns / 8 + rtt / 8;
}

const char *
liveness_take(struct liveness *p, const struct heartbeat *h, bool reply, uint64_t sent,
    uint64_t now_ns)
{
	if (now_ns - p->flood_ns >= SECOND) {
		p->flood_ns = now_ns;
		p->flood = 0;
	}
	if (++p->flood > LIVENESS_FLOOD)
		return "a flood of heartbeats";
	if (h->echo > p->counter)
		return "echoes a heartbeat that was never sent";
	if (h->seen > sent)
		return "has seen bytes that were never sent";
	p->sample_ns = 0;
	if (h->counter > p->heard)
		p->heard = h->counter;
	if (h->echo > p->echoed) {
		if (reply && p->counter - h->echo < 8)
			smooth(p, p->asked_ns[h->echo % 8],
			    now_ns - p->asked_ns[h->echo % 8]);
		p->echoed = h->echo;
		p->answered_ns = now_ns;
	}
	if (h->seen > p->seen) {
		p->seen = h->seen;
		p->answered_ns = now_ns;
	}
	return NULL;
}

uint64_t
liveness_timeout(const struct liveness *p, uint64_t queued, uint64_t rate)
{
	uint64_t timeout_ns = p->heartbeat_ns;

	if (4 * p->rtt_ns > timeout_ns)
		timeout_ns = 4 * p->rtt_ns;
	if (rate > 0 && queued / rate * SECOND > timeout_ns)
		timeout_ns = queued / rate * SECOND;
	return timeout_ns < 300 * SECOND ? timeout_ns : 300 * SECOND;
}

/*
 * This end was late, so it does not know what the peer did meanwhile: the
 * time does not count, and after a long one both waits begin anew.
 */
static void
excuse(struct liveness *p, uint64_t late_ns, uint64_t now_ns)
{
	if (late_ns > SECOND)
		p->heard_ns = p->answered_ns = now_ns;
	p->heard_ns = less(p->heard_ns + late_ns, now_ns);
	p->answered_ns = less(p->answered_ns + late_ns, now_ns);
}

enum liveness_state
liveness_judge(struct liveness *p, uint64_t timeout_ns, uint64_t now_ns, uint64_t *again_ns)
{
	uint64_t owed;

	if (now_ns > p->look_ns)
		excuse(p, now_ns - p->look_ns, now_ns);
	/* Every heartbeat was answered: no answer is due. */
	if (p->echoed == p->counter)
		p->answered_ns = now_ns;
	owed = p->heard_ns < p->answered_ns ? p->heard_ns : p->answered_ns;
	*again_ns = owed + timeout_ns;
	if (*again_ns > now_ns + LIVENESS_PERIOD_NS)
		*again_ns = now_ns + LIVENESS_PERIOD_NS;
	p->look_ns = *again_ns;
	if (now_ns < owed + timeout_ns)
		return LIVENESS_ALIVE;
	/* A peer that still sends was heard within about the last period, at most half of it. */
	return now_ns - p->heard_ns > timeout_ns / 4 * 3 ? LIVENESS_SILENT : LIVENESS_UNANSWERED;
}
