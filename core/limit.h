/*
 * limit: what limits a path's rate.
 *
 * Plain state with functions over it: no clock, no lock, no I/O; tx.c keeps
 * one for each path under its own lock.  It sums what the kernel counts on the
 * path's connections over a period and names what limited them in it:
 *
 *	LIMIT_APPLICATION	there was not enough to send
 *	LIMIT_RECEIVER		the receiving kernels' windows were full
 *	LIMIT_BUFFER		the send buffers were full: they are smaller than
 *				the bandwidth-delay product
 *	LIMIT_PATH		a queue stands on the path: it is full
 *	LIMIT_LOSS		packets are lost, and no queue stands or stood just
 *				before: congestion control slows the connections
 *				down for a loss that is no congestion
 *	LIMIT_NONE		none of these: they still grow, or the kernel does
 *				not tell
 *
 * A queue shows in the round trip, as in TCP Vegas (Brakmo, O'Malley,
 * Peterson, SIGCOMM 1994): a path whose connections' smoothed round trips are
 * well above the least one is full, whatever is lost on it.  Times are
 * nanoseconds of one monotonic clock; round trips and the kernel's times are
 * microseconds.
 */
#ifndef LIMIT_H
#define LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#define LIMIT_LEGS	64u	/* round trips kept for one period */
#define LIMIT_MIN_NS	10000000000ULL	/* how long a least round trip holds */

enum limit_kind {
	LIMIT_NONE,
	LIMIT_APPLICATION,
	LIMIT_RECEIVER,
	LIMIT_BUFFER,
	LIMIT_PATH,
	LIMIT_LOSS
};

#define LIMIT_KINDS	6
#define LIMIT_CALM	2u	/* a loss in the first periods after a queue is the queue's */

/*
 * What the kernel tells of one connection, counted from its start; what a system
 * does not tell is zero.  Counters may wrap.
 */
struct limit_counters {
	uint32_t rtt_us;		/* smoothed */
	uint32_t least_rtt_us;		/* 0 = not told */
	uint32_t sent;			/* packets with payload, retransmissions too */
	uint32_t retransmitted;		/* the retransmissions among them */
	uint64_t window;		/* congestion window, bytes */
	uint64_t busy_us;		/* time with data in flight */
	uint64_t receiver_us;		/* part of that: the receiver's window was full */
	uint64_t buffer_us;		/* part of that: the send buffer was full */
	bool slow_start;		/* the congestion window still doubles */
};

struct limit {
	uint64_t busy_us;		/* sums over the connections and the period */
	uint64_t receiver_us;
	uint64_t buffer_us;
	uint64_t sent;
	uint64_t retransmitted;
	unsigned slow;			/* samples in slow start */
	unsigned samples;
	unsigned calm;			/* periods in a row without a queue */
	uint32_t rtt_us[LIMIT_LEGS];	/* smoothed round trips of the last samples */
	uint32_t least_us;		/* 0 = none yet */
	uint64_t least_ns;		/* when that was seen */
	double loss;			/* in the last judged period: share of packets */
	bool slow_start;		/* most connections were in slow start then */
	enum limit_kind kind;		/* what limited the path in that period */
	unsigned periods[LIMIT_KINDS];	/* how many periods each kind was found in */
};

void limit_init(struct limit *l);

/*
 * The counters of one of the path's connections are `now'; they were `before' at
 * the last call for it, all zero at its first.  A connection that sent nothing in
 * between does not count.
 */
void limit_add(struct limit *l, const struct limit_counters *now,
    const struct limit_counters *before, uint64_t now_ns);

/*
 * Ends the period, says what limited the path in it and begins the next one.
 * `limited': data waited for the network all the time.  `heeds': the path's
 * congestion control slows down for a loss.  rtt_ns is a round trip to the
 * receiver's program: if the kernel's is much shorter, the connections end in a
 * tunnel, and the kernel's counters do not describe the path.
 */
enum limit_kind limit_judge(struct limit *l, bool limited, bool heeds, uint64_t rtt_ns);

/*
 * What limited the path in most of the periods in which it was the network;
 * LIMIT_NONE if nothing did.
 */
enum limit_kind limit_mostly(const struct limit *l);

/* In words, for a log; and in one word, for a report. */
const char *limit_name(enum limit_kind kind);
const char *limit_word(enum limit_kind kind);

#endif
