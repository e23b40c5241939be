/*
 * blame: who is waited for, the source, the network or the consumer, and for
 * how long in all.
 *
 * Plain state with functions over it: no clock and no lock of its own.  tx.c
 * and rx.c keep one each under their own lock and say with each change who it
 * is from now on.  Times are nanoseconds of one monotonic clock.
 */
#ifndef BLAME_H
#define BLAME_H

#include <stdbool.h>
#include <stdint.h>

enum blame_on { BLAME_SOURCE, BLAME_NETWORK, BLAME_CONSUMER };

#define BLAME_KINDS	3

struct blame {
	enum blame_on on;		/* now */
	uint64_t since_ns;
	uint64_t sum_ns[BLAME_KINDS];	/* until since_ns */
};

/* Nothing was waited for until now. */
void blame_init(struct blame *b, enum blame_on on, uint64_t now_ns);
void blame_set(struct blame *b, enum blame_on on, uint64_t now_ns);

/* Sums with what is under way, up to that moment at the most. */
void blame_sums(const struct blame *b, uint64_t until_ns, uint64_t sum_ns[BLAME_KINDS]);

/* The verdict on sums, or on differences of them; the network when there are none. */
enum blame_on blame_most(const uint64_t sum_ns[BLAME_KINDS]);
/* Its share, 0 to 1. */
double blame_share(const uint64_t sum_ns[BLAME_KINDS], enum blame_on on);

const char *blame_name(enum blame_on on);

#endif
