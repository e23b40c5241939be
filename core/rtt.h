/*
 * rtt: the least recent round trip of a path.
 *
 * Plain state with functions over it: no clock, no lock; tx.c keeps one for
 * each path under its own.  Times are nanoseconds of one monotonic clock.
 *
 * Like BBR's min_rtt (Cardwell et al., "BBR: Congestion-Based Congestion
 * Control", ACM Queue 14/5, 2016): the least sample holds until no sample has come
 * near it for RTT_WINDOW_NS.  A heartbeat on a busy leg also measures the queue
 * that the legs make themselves, and a limit that follows such a sample makes the
 * queue longer.  So the path is then probed, as in BBR's ProbeRTT: its legs get
 * little to send until their own queue is gone (rtt_drained), and the round trip
 * of a heartbeat sent after that is the new least.  If all samples were longer
 * than the legs' own queue can explain, the path is probed after RTT_LIKELY_NS.
 */
#ifndef RTT_H
#define RTT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/time.h"

#define RTT_WINDOW_NS	10000000000ULL
#define RTT_WINDOW_TIMES	50	/* or this many round trips, if that is longer */
#define RTT_LIKELY_NS	SECOND
#define RTT_QUEUE_NS	150000000ULL	/* four frames, beyond a round trip: see delivery_rate.c */

struct rtt {
	uint64_t least_ns;	/* 0 = not measured yet */
	uint64_t seen_ns;	/* when a sample was last near it */
	uint64_t likely_ns;	/* when our queue could last explain a sample */
	uint64_t probe_ns;	/* the path is probed until then at most; 0 = not probed */
	uint64_t drained_ns;	/* since when our queue is gone; 0 = not yet */
};

/* A path's first connection: forgets everything but this sample. */
void rtt_begin(struct rtt *r, uint64_t sample_ns, uint64_t now_ns);

/*
 * The sample of a heartbeat that was sent at asked_ns (0: of a greeting, which
 * begins no probe).  true: what the legs may have in flight changes,
 * because the least did, or because a probe begins or ends.
 */
bool rtt_sample(struct rtt *r, uint64_t sample_ns, uint64_t asked_ns, uint64_t now_ns);

static inline bool
rtt_probing(const struct rtt *r)
{
	return r->probe_ns != 0;
}

/*
 * The legs of a probed path have no more in flight than they may have.  true: this
 * is the first time, so a heartbeat should be sent now.
 */
bool rtt_drained(struct rtt *r, uint64_t now_ns);

#endif
