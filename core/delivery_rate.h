/*
 * delivery_rate: how fast a leg is, and from that how much it may have in flight.
 *
 * Plain state with functions over it: no clock, no descriptors, no lock.  tx.c
 * keeps one for each leg under its own lock.  It survives a reconnection, so
 * that a leg that reconnects is used at its rate at once.  Rates are bytes
 * a second, times are nanoseconds of one monotonic clock.
 *
 * The rate is the largest of the last delivery rate samples, as in BBR
 * (Cardwell et al., "BBR: Congestion-Based Congestion Control", ACM Queue 14/5,
 * 2016): the bytes that the receiver acknowledged, over the time that this took,
 * where the leg was not app-limited meanwhile.  The receiver's program
 * acknowledges, not its kernel, so what waits in a tunnel's buffers does not count.
 */
#ifndef DELIVERY_RATE_H
#define DELIVERY_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define DELIVERY_RATE_FRAME_MIN	1024u
#define DELIVERY_RATE_SAMPLES	8

struct delivery_rate {
	uint64_t rate;		/* 0 = not measured yet */
	uint64_t rtt_ns;	/* least round trip to the receiver's program, see rtt.h */
	bool probing;		/* rtt.h measures that: little may be in flight */
	uint64_t mark_ns;	/* when the current sample began */
	uint64_t mark;		/* received bytes at that moment */
	uint64_t heard;		/* received bytes in the last acknowledgement */
	uint64_t heard_ns;	/* when that came, or the leg began to send */
	uint64_t gap_ns;	/* the longest recent time between two; fades */
	bool app_limited;	/* the leg had too little in flight during the sample */
	uint64_t sample[DELIVERY_RATE_SAMPLES];
	unsigned at;
	uint64_t limit;		/* bytes that may be in flight */
	uint32_t frame;		/* bytes that a frame should have */
};

void delivery_rate_init(struct delivery_rate *p);
/* A new connection: earlier samples are kept, a new one begins. */
void delivery_rate_restart(struct delivery_rate *p, uint64_t rtt_ns, uint64_t now_ns);
/* The receiver's count on this leg is now `received'; `in_flight' bytes remain. */
void delivery_rate_received(struct delivery_rate *p, uint64_t received, uint64_t in_flight,
    uint64_t now_ns);
/* The leg begins to send after it had nothing in flight. */
void delivery_rate_begin(struct delivery_rate *p, uint64_t received, uint64_t now_ns);
/* The least round trip of the leg's path, and whether rtt.h probes it now. */
void delivery_rate_rtt(struct delivery_rate *p, uint64_t rtt_ns, bool probing);
/* The connection is gone: takes a last sample if there is no other. */
void delivery_rate_end(struct delivery_rate *p, uint64_t received, uint64_t now_ns);
/* How much later the receiver's acknowledgements come than limits take for granted. */
uint64_t delivery_rate_delay(const struct delivery_rate *p);
/* The mean of the last samples, bytes a second; 0 = none yet. */
uint64_t delivery_rate_mean(const struct delivery_rate *p);
/* `rate' is another leg's on the same path: the first guess for an unmeasured leg. */
void delivery_rate_guess(struct delivery_rate *p, uint64_t rate);

#endif
