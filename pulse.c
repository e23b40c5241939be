/*
 * pulse: whether a leg is alive.  See pulse.h; runs in the leg's thread.
 */
#include "pulse.h"

#include <string.h>

#define SECOND	1000000000ULL

void
pulse_init(struct pulse *p, uint64_t heartbeat_ns, uint64_t rtt_ns, uint64_t now_ns)
{
	memset(p, 0, sizeof(*p));
	p->heartbeat_ns = heartbeat_ns;
	p->rtt_ns = p->least_rtt_ns = rtt_ns;
	p->heard_ns = p->answered_ns = p->look_ns = now_ns;
	/* The first heartbeat at once: it measures the round trip. */
	p->beat_ns = 0;
}

void
pulse_heard(struct pulse *p, uint64_t now_ns)
{
	p->heard_ns = now_ns;
}

void
pulse_moved(struct pulse *p, uint64_t now_ns)
{
	p->heard_ns = p->answered_ns = now_ns;
}

/* Two heartbeats and two replies with their TCP headers stay below 5 % of the rate. */
uint64_t
pulse_due(const struct pulse *p, uint64_t rate)
{
	uint64_t period = PULSE_PERIOD_NS;
	uint64_t octets = 2 * (FRAME_HEADER + FRAME_HEARTBEAT_SIZE + 52);

	if (rate > 0 && octets * 20 * SECOND / rate > period)
		period = octets * 20 * SECOND / rate;
	if (period > p->heartbeat_ns / 2)
		period = p->heartbeat_ns / 2;
	return p->beat_ns + period;
}

void
pulse_beat(struct pulse *p, struct heartbeat *h, bool reply, uint64_t now_ns)
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

/* RFC 6298's smoothing, with a gain of 1/8. */
static void
rtt_sample(struct pulse *p, uint64_t rtt)
{
	if (p->least_rtt_ns == 0 || rtt < p->least_rtt_ns)
		p->least_rtt_ns = rtt;
	p->rtt_ns = p->rtt_ns == 0 ? rtt : p->rtt_ns - p->rtt_ns / 8 + rtt / 8;
}

const char *
pulse_take(struct pulse *p, const struct heartbeat *h, bool reply, uint64_t sent,
    uint64_t now_ns)
{
	if (now_ns - p->flood_ns >= SECOND) {
		p->flood_ns = now_ns;
		p->flood = 0;
	}
	if (++p->flood > PULSE_FLOOD)
		return "a flood of heartbeats";
	if (h->echo > p->counter)
		return "echoes a heartbeat that was never sent";
	if (h->seen > sent)
		return "has seen octets that were never sent";
	if (h->counter > p->heard)
		p->heard = h->counter;
	if (h->echo > p->echoed) {
		if (reply && p->counter - h->echo < 8)
			rtt_sample(p, now_ns - p->asked_ns[h->echo % 8]);
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
pulse_patience(const struct pulse *p, uint64_t queued, uint64_t rate)
{
	uint64_t patience = p->heartbeat_ns;

	if (4 * p->rtt_ns > patience)
		patience = 4 * p->rtt_ns;
	if (rate > 0 && queued / rate * SECOND > patience)
		patience = queued / rate * SECOND;
	return patience < 300 * SECOND ? patience : 300 * SECOND;
}

enum pulse_verdict
pulse_judge(struct pulse *p, uint64_t patience_ns, uint64_t now_ns, uint64_t *again_ns)
{
	uint64_t owed;

	if (now_ns > p->look_ns + SECOND) {
		p->heard_ns = now_ns;
		p->answered_ns = now_ns;
	}
	/* Nothing is asked that was not answered: the account is even. */
	if (p->echoed == p->counter)
		p->answered_ns = now_ns;
	owed = p->heard_ns < p->answered_ns ? p->heard_ns : p->answered_ns;
	*again_ns = owed + patience_ns;
	p->look_ns = *again_ns;
	if (now_ns < *again_ns)
		return PULSE_ALIVE;
	/* A peer that still speaks was heard within the last period or so. */
	return now_ns - p->heard_ns > PULSE_PERIOD_NS * 3 / 2 ? PULSE_SILENT : PULSE_UNANSWERED;
}
