/*
 * ranges: a set of stream offsets, kept as sorted half-open ranges [lo, hi) that
 * neither overlap nor touch: what is acknowledged, what is lost.  Offsets are
 * bytes from the start of the stream.
 *
 * A call with lo >= hi names no bytes and changes nothing.  The set owns its
 * memory and has no lock: callers hold theirs.  No call blocks.  Only
 * ranges_add and ranges_remove allocate; they return 0, or -1 with errno ENOMEM
 * and the set as it was.  The rest cannot fail.
 *
 * Removing at the low end and adding at the high end are cheap whatever the
 * size; a change in the middle moves the ranges between it and the nearer end.
 */
#ifndef RANGES_H
#define RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t	lo;
	uint64_t	hi;
};

struct ranges {
	struct range	*v;		/* cap slots, head..head + n in use */
	size_t		 head;
	size_t		 n;
	size_t		 cap;
	uint64_t	 total;		/* bytes in all ranges */
};

/* Empty, with no memory yet; ranges_free returns to this state. */
void		ranges_init(struct ranges *r);
void		ranges_free(struct ranges *r);

int		ranges_add(struct ranges *r, uint64_t lo, uint64_t hi);

/* Allocates only when it splits a range in two. */
int		ranges_remove(struct ranges *r, uint64_t lo, uint64_t hi);

/* Removes every byte below the offset; never allocates. */
void		ranges_trim(struct ranges *r, uint64_t below);

/* The lowest range; false, and lo and hi untouched, when there is none. */
bool		ranges_first(const struct ranges *r, uint64_t *lo,
		    uint64_t *hi);

/* Whether every byte of [lo, hi) is in the set; true of an empty range. */
bool		ranges_covers(const struct ranges *r, uint64_t lo, uint64_t hi);

/*
 * The lowest part [*glo, *ghi) of [lo, hi) that is not in the set, up to the next
 * range or hi; false, and glo and ghi untouched, when all of [lo, hi) is in it.
 */
bool		ranges_gap(const struct ranges *r, uint64_t lo, uint64_t hi,
		    uint64_t *glo, uint64_t *ghi);

size_t		ranges_count(const struct ranges *r);
uint64_t	ranges_total(const struct ranges *r);

#endif
