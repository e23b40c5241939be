/*
 * rtt: the least recent round trip of a path.  See rtt.h; runs under tx.c's
 * lock.
 */
#include "core/rtt.h"

#include "core/time.h"

#define NEAR_NS		2000000ULL	/* what the scheduler may add */
#define SPARE_NS	SECOND

void
rtt_begin(struct rtt *r, uint64_t sample_ns, uint64_t now_ns)
{
	r->least_ns = sample_ns;
	r->seen_ns = r->likely_ns = now_ns;
	r->probe_ns = r->drained_ns = 0;
}

/* No sample came near the least, or none was likely, for too long. */
static bool
stale(const struct rtt *r, uint64_t now_ns)
{
	uint64_t window = RTT_WINDOW_TIMES * r->least_ns;

	return now_ns - r->seen_ns >= (window < RTT_WINDOW_NS ? RTT_WINDOW_NS : window) ||
	    now_ns - r->likely_ns >= RTT_LIKELY_NS;
}

bool
rtt_sample(struct rtt *r, uint64_t sample_ns, uint64_t asked_ns, uint64_t now_ns)
{
	bool probing = rtt_probing(r);
	uint64_t least = r->least_ns;

	if (least == 0 || sample_ns < least ||
	    (r->drained_ns != 0 && asked_ns >= r->drained_ns)) {
		rtt_begin(r, sample_ns, now_ns);
		return probing || sample_ns != least;
	}
	if (asked_ns == 0)
		return false;
	if (sample_ns <= least + least / 8 + NEAR_NS ||
	    (probing && now_ns >= r->probe_ns)) {
		rtt_begin(r, least, now_ns);
		return probing;
	}
	if (sample_ns <= 2 * least + RTT_QUEUE_NS)
		r->likely_ns = now_ns;
	if (probing || !stale(r, now_ns))
		return false;
	/* The queue is gone after one round trip, the answer arrives after another. */
	r->probe_ns = now_ns + 2 * sample_ns + SPARE_NS;
	return true;
}

bool
rtt_drained(struct rtt *r, uint64_t now_ns)
{
	if (r->drained_ns != 0)
		return false;
	r->drained_ns = now_ns;
	return true;
}
