/*
 * limit: what limits a path's rate.  See limit.h; runs under tx.c's lock.
 */
#include "core/limit.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_MIN_US	3000u	/* a round trip this much above the least may be jitter, */
#define QUEUE_SHARE	8u	/* and so may one that is above it by 1/8 */
#define TUNNEL_MIN_NS	2000000ULL	/* a shorter round trip is scheduling, not distance */

void
limit_init(struct limit *l)
{
	memset(l, 0, sizeof(*l));
	l->calm = LIMIT_CALM;
}

static void
least(struct limit *l, const struct limit_counters *now, uint64_t now_ns)
{
	uint32_t us = now->least_rtt_us != 0 ? now->least_rtt_us : now->rtt_us;

	if (us == 0)
		return;
	if (l->least_us == 0 || us <= l->least_us ||
	    now_ns - l->least_ns > LIMIT_MIN_NS) {
		l->least_us = us;
		l->least_ns = now_ns;
	}
}

void
limit_add(struct limit *l, const struct limit_counters *now,
    const struct limit_counters *before, uint64_t now_ns)
{
	least(l, now, now_ns);
	if (now->sent == before->sent && now->busy_us == before->busy_us)
		return;
	l->sent += now->sent - before->sent;
	l->retransmitted += now->retransmitted - before->retransmitted;
	l->busy_us += now->busy_us - before->busy_us;
	l->receiver_us += now->receiver_us - before->receiver_us;
	l->buffer_us += now->buffer_us - before->buffer_us;
	l->slow += now->slow_start;
	l->rtt_us[l->samples++ % LIMIT_LEGS] = now->rtt_us;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * The round trip that a quarter of the samples are below.  Not the median:
 * connections that sent little show delayed acknowledgements rather than a queue.
 */
static uint32_t
quartile(const struct limit *l)
{
	unsigned n = l->samples < LIMIT_LEGS ? l->samples : LIMIT_LEGS;
	uint32_t sorted[LIMIT_LEGS];

	memcpy(sorted, l->rtt_us, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), compare);
	return n == 0 ? 0 : sorted[n / 4];
}

static bool
queue_stands(const struct limit *l)
{
	uint32_t more = l->least_us / QUEUE_SHARE;

	if (more < QUEUE_MIN_US)
		more = QUEUE_MIN_US;
	return l->least_us != 0 && quartile(l) > l->least_us + more;
}

static bool
tunnelled(const struct limit *l, uint64_t rtt_ns)
{
	return rtt_ns > TUNNEL_MIN_NS && l->least_us * 2000ULL < rtt_ns;
}

static enum limit_kind
judge(const struct limit *l, bool limited, bool heeds, uint64_t rtt_ns)
{
	if (!limited)
		return LIMIT_APPLICATION;
	if (l->samples == 0 || tunnelled(l, rtt_ns))
		return LIMIT_NONE;
	if (l->receiver_us > l->busy_us / 2)
		return LIMIT_RECEIVER;
	if (queue_stands(l))
		return LIMIT_PATH;
	if (l->buffer_us > l->busy_us / 2)
		return LIMIT_BUFFER;
	if (heeds && l->retransmitted > 0 && l->slow <= l->samples / 2 && l->calm >= LIMIT_CALM)
		return LIMIT_LOSS;
	return LIMIT_NONE;
}

enum limit_kind
limit_judge(struct limit *l, bool limited, bool heeds, uint64_t rtt_ns)
{
	if (queue_stands(l))
		l->calm = 0;
	else if (l->calm < LIMIT_CALM)
		l->calm++;
	l->kind = judge(l, limited, heeds, rtt_ns);
	l->periods[l->kind]++;
	l->slow_start = l->slow > l->samples / 2;
	l->loss = l->sent == 0 ? 0 : (double)l->retransmitted / (double)l->sent;
	l->busy_us = l->receiver_us = l->buffer_us = 0;
	l->sent = l->retransmitted = 0;
	l->slow = l->samples = 0;
	return l->kind;
}

enum limit_kind
limit_mostly(const struct limit *l)
{
	enum limit_kind most = LIMIT_NONE, kind;

	for (kind = LIMIT_RECEIVER; kind <= LIMIT_LOSS; kind++)
		if (l->periods[kind] > (most == LIMIT_NONE ? 0 : l->periods[most]))
			most = kind;
	return most;
}

const char *
limit_word(enum limit_kind kind)
{
	static const char *const word[LIMIT_KINDS] = {
		"unknown", "application", "receiver", "buffer", "path", "loss"
	};

	return word[kind];
}

const char *
limit_name(enum limit_kind kind)
{
	switch (kind) {
	case LIMIT_NONE:
		return "nothing known";
	case LIMIT_APPLICATION:
		return "the source or the consumer";
	case LIMIT_RECEIVER:
		return "the receiver's window";
	case LIMIT_BUFFER:
		return "the send buffer";
	case LIMIT_PATH:
		return "the path is full";
	case LIMIT_LOSS:
		return "loss";
	}
	return "";
}
