/*
 * liveness: whether a leg is alive.
 *
 * Plain state with functions over it: no clock, no descriptors, no lock.  It
 * belongs to the leg's thread.  Times are nanoseconds of one monotonic clock.
 *
 * A peer must send (some byte about once a second) and answer (echo every
 * heartbeat, see the bytes that were sent).  A leg is dead when either has not
 * happened for liveness_timeout; so the end that still receives finds out that
 * the other direction fails.  Any byte received shows life; any byte that the peer
 * has newly seen is an answer.  An idle source or a blocked consumer stops
 * neither, so it never kills a leg.
 */
#ifndef LIVENESS_H
#define LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/time.h"
#include "frame.h"

#define LIVENESS_PERIOD_NS	SECOND	/* one heartbeat a second */
#define LIVENESS_TRIPS		8	/* or one in so many round trips */
#define LIVENESS_FLOOD		200	/* heartbeats allowed from a peer in a second */

struct liveness {
	uint64_t heartbeat_ns;	/* the option: the least timeout */
	uint64_t rtt_ns;	/* smoothed round trip to the peer's program */
	uint64_t sample_ns;	/* round trip that the last heartbeat showed; 0 = none */
	uint64_t sample_asked_ns;	/* when the heartbeat it answers was sent */
	uint64_t heard_ns;	/* when the last byte came in */
	uint64_t answered_ns;	/* last echo or newly seen byte, or when none was due */
	uint64_t beat_ns;	/* when our last heartbeat was sent */
	uint64_t look_ns;	/* when liveness_judge must be called again */
	uint32_t counter;	/* of our last heartbeat */
	uint32_t echoed;	/* the highest of ours that came back */
	uint32_t heard;		/* the highest of the peer's */
	uint64_t seen;		/* bytes that the peer has seen */
	uint64_t flood_ns;	/* when the second that is counted began */
	unsigned flood;		/* heartbeats received in it */
	uint64_t asked_ns[8];	/* when our last eight heartbeats were sent */
};

enum liveness_state { LIVENESS_ALIVE, LIVENESS_SILENT, LIVENESS_UNANSWERED };

void liveness_init(struct liveness *p, uint64_t heartbeat_ns, uint64_t rtt_ns, uint64_t now_ns);

/* Bytes came in. */
void liveness_heard(struct liveness *p, uint64_t now_ns);

/* Stream bytes came in.  They count as an answer: echoes may wait behind them. */
void liveness_moved(struct liveness *p, uint64_t now_ns);

/*
 * When the next heartbeat is due, if the leg moves `rate' bytes a second (0 = unknown).
 * seldom: no round trips are wanted of it, so those of a long one are further apart.
 */
uint64_t liveness_due(const struct liveness *p, uint64_t rate, bool seldom);
/* Fills in counter and echo of a heartbeat that is sent now; a reply is not counted. */
void liveness_beat(struct liveness *p, struct heartbeat *h, bool reply, uint64_t now_ns);
/* A heartbeat came in, after `sent' bytes were sent.  NULL, or what the peer did wrong. */
const char *liveness_take(struct liveness *p, const struct heartbeat *h, bool reply,
    uint64_t sent, uint64_t now_ns);

/*
 * How long this leg may be silent or unanswered: the longest of the heartbeat
 * option, four round trips and the time for `queued' bytes at `rate'.
 */
uint64_t liveness_timeout(const struct liveness *p, uint64_t queued, uint64_t rate);

/*
 * Judges now, and sets *again_ns to when the caller must call again, at most
 * LIVENESS_PERIOD_NS from now.  If the call comes late, this end was suspended or
 * had no processor: that time is not held against the peer, and after more than a
 * second both waits begin anew.
 */
enum liveness_state liveness_judge(struct liveness *p, uint64_t timeout_ns, uint64_t now_ns,
    uint64_t *again_ns);

#endif
