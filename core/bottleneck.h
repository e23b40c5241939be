/*
 * bottleneck: wait accounting.  What the transfer waits for, the source, the
 * network or the consumer, and for how long in total.
 *
 * Plain state with functions over it: no clock and no lock of its own.  tx.c
 * and rx.c keep one each under their own lock and report each change.  Times are
 * nanoseconds of one monotonic clock.
 *
 * Only the sender sees how long it waits for its source, and only the receiver how
 * long it waits for its consumer.  Each measures that one and tells it to the other
 * (see frame.h); what is left of the time is the network's.  So both report the same
 * shares.  For the time since the peer's last word a guess stands in, for at most
 * BOTTLENECK_GUESS_NS.
 */
#ifndef BOTTLENECK_H
#define BOTTLENECK_H

#include <stdbool.h>
#include <stdint.h>

enum bottleneck_kind { BOTTLENECK_SOURCE, BOTTLENECK_NETWORK, BOTTLENECK_CONSUMER };

#define BOTTLENECK_KINDS	3
#define BOTTLENECK_GUESS_NS	2000000000ULL	/* the peer speaks about once a second */

struct bottleneck {
	enum bottleneck_kind on;	/* now */
	enum bottleneck_kind theirs;	/* the kind that the peer measures */
	uint64_t begin_ns;
	uint64_t since_ns;
	uint64_t sum_ns[BOTTLENECK_KINDS];	/* until since_ns; of `theirs' a guess */
	uint64_t told_ns;		/* what the peer has measured */
	uint64_t guessed_ns;		/* the guess at that moment */
};

/* Starts counting now, with all sums zero; the network is waited for. */
void bottleneck_init(struct bottleneck *b, enum bottleneck_kind theirs, uint64_t now_ns);
void bottleneck_set(struct bottleneck *b, enum bottleneck_kind on, uint64_t now_ns);

/* The peer has measured ms of its kind so far; a smaller value than before is old. */
void bottleneck_told(struct bottleneck *b, uint32_t ms, uint64_t now_ns);
/* What to tell the peer: how long one kind was waited for, as measured here. */
uint32_t bottleneck_ms(const struct bottleneck *b, enum bottleneck_kind kind, uint64_t now_ns);

/*
 * The sums until until_ns, with the wait that still lasts.  Together they are the
 * time since the start.  Where source and consumer were waited for at the same time,
 * the consumer counts, because what the source sends then has to wait for it anyway.
 */
void bottleneck_sums(const struct bottleneck *b, uint64_t until_ns,
    uint64_t sum_ns[BOTTLENECK_KINDS]);

/* The largest of the sums, or of differences of sums; the network when all are equal. */
enum bottleneck_kind bottleneck_largest(const uint64_t sum_ns[BOTTLENECK_KINDS]);
/* Its share, 0 to 1. */
double bottleneck_share(const uint64_t sum_ns[BOTTLENECK_KINDS], enum bottleneck_kind on);

const char *bottleneck_name(enum bottleneck_kind on);

#endif
