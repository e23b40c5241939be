/*
 * pace: how fast a leg is, and from that how much it may be given.
 *
 * Plain state with functions over it: no clock, no descriptors, no lock.  tx.c
 * keeps one for each leg under its own lock; it survives a reconnection, so
 * that a leg which comes back is used at its speed at once.  Rates are octets
 * a second, times nanoseconds of one monotonic clock.
 *
 * The rate is the largest of the last delivery rate samples, as in BBR
 * (Cardwell et al., "BBR: Congestion-Based Congestion Control", ACM Queue 14/5,
 * 2016): octets that the receiver says it has, over the time that it took
 * while the leg never ran dry.  It is the receiver's program that says so, so
 * what waits in a tunnel's buffers on the way does not count.
 */
#ifndef PACE_H
#define PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_FRAME_LEAST	4096u
#define PACE_SAMPLES		8

struct pace {
	uint64_t rate;		/* 0 = not measured yet */
	uint64_t rtt_ns;	/* least round trip to the receiver's program */
	uint64_t mark_ns;	/* begin of the sample that is being taken */
	uint64_t mark;		/* received octets at that moment */
	bool dry;		/* the leg had nothing in flight meanwhile */
	uint64_t sample[PACE_SAMPLES];
	unsigned at;
	uint64_t limit;		/* octets that may be in flight */
	uint32_t frame;		/* octets of a frame */
};

void pace_init(struct pace *p);
/* A new connection: what was measured stays, the sample begins anew. */
void pace_restart(struct pace *p, uint64_t rtt_ns, uint64_t now_ns);
/* The receiver's count on this leg is now `received'; `in_flight' remains. */
void pace_received(struct pace *p, uint64_t received, uint64_t in_flight, uint64_t now_ns);
/* The leg begins to send after it had nothing in flight. */
void pace_begin(struct pace *p, uint64_t received, uint64_t now_ns);
void pace_rtt(struct pace *p, uint64_t rtt_ns);
/* The connection is gone: what can be learned of its last moments is. */
void pace_end(struct pace *p, uint64_t received, uint64_t now_ns);
/* The mean of the last samples, octets a second; 0 = none yet. */
uint64_t pace_mean(const struct pace *p);
/* Nothing is known of this leg: another of its path goes at `rate'. */
void pace_guess(struct pace *p, uint64_t rate);

#endif
