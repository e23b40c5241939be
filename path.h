/*
 * path: the ways to the receiver, in order of preference, and which leg dials
 * which of them when.
 *
 * Plain state with functions over it: no sockets, no clock, no lock; session.c
 * keeps it under its own.  Times are nanoseconds of one monotonic clock.
 *
 * Legs are dealt over the paths in turn.  The first leg of a path is its
 * scout: it joins alone, it goes on dialling while the path is dead, and the
 * others follow only when the path is open and more legs are wanted.  While no
 * leg is up at all, every leg may dial, one after the other, so that a dial that
 * hangs holds up nothing.  The other legs of a dead path work on the best one
 * that is open, and go home when their own is back.  With more paths than legs a
 * scout has several paths and goes from one to the next with each failure.
 *
 * A reserve is a way that is worse than all others and works where they do not
 * (a tunnel).  It is dialled when no other path has had a leg for
 * PATHS_RESERVE_NS, or all of them refused or denied, by legs that are not scouts, or by
 * scouts in turn with their own path where there are no others.
 */
#ifndef PATH_H
#define PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

#define PATHS_RESERVE_NS	3000000000ULL

/* How the last dial of a path ended. */
enum path_outcome {
	PATH_UNTRIED,
	PATH_UP,		/* a leg joined */
	PATH_DEAD,		/* nobody answered, or hung up */
	PATH_DENIED,		/* nobody listens there */
	PATH_REFUSED		/* the answer was a refusal */
};

struct path {
	enum path_outcome outcome;
	unsigned up;		/* legs on it */
	unsigned dialling;	/* legs that are about to be */
	unsigned wanted;	/* legs that should be */
	unsigned failures;	/* in a row */
	unsigned patience_ms;	/* of the next connect and greeting, while all is unknown */
	uint64_t since_ns;	/* that one is up */
	uint64_t rtt_ns;	/* of the last greeting that was answered; 0 = none was */
	uint64_t next_ns;	/* no dial before */
	uint32_t refused;	/* addresses of the name that refused, one bit each */
};

struct paths {
	unsigned count;
	bool reserve;		/* there is one more, for when all of these are dead */
	unsigned legs;		/* most at once */
	unsigned up;		/* legs on all of them */
	bool urgent;		/* only the verdict is missing: dial every second */
	uint64_t none_ns;	/* since when no leg is up; 0 = one is */
	uint64_t bare_ns;	/* since when none is on a path that is not the reserve; 0 = one is */
	struct path path[OPTIONS_PATHS_MAX];
};

/* With a reserve, path number `count' is it, and no leg's home. */
void paths_init(struct paths *p, unsigned count, bool reserve, unsigned legs, uint64_t now_ns);

static inline unsigned
paths_total(const struct paths *p)
{
	return p->count + p->reserve;
}

/* The path that a leg belongs to at first. */
unsigned paths_home(const struct paths *p, unsigned leg);

/*
 * May this leg dial now?  true: *path is where.  false: not before *again_ns
 * (UINT64_MAX: not until something changes).
 */
bool paths_choose(const struct paths *p, unsigned leg, unsigned home, uint64_t now_ns,
    unsigned *path, uint64_t *again_ns);

/* A leg begins to dial where paths_choose said; ends it, one way or the other. */
void paths_began(struct paths *p, unsigned path, uint64_t random, uint64_t now_ns);
void paths_ended(struct paths *p, unsigned path);

/*
 * How long a connect and a greeting of this leg may take, milliseconds: what a
 * path needs is not known before it answered, so patience doubles with each
 * dial that hangs; once it is known, most dials are brief, so that one that
 * hangs does not outlast an outage.
 */
unsigned paths_patience_ms(const struct paths *p, unsigned leg, unsigned path);

/* How often a dial of this leg that is under way should try again meanwhile, milliseconds. */
unsigned paths_again_ms(const struct paths *p, unsigned leg, uint64_t now_ns);

/*
 * A leg joined; was lost again, after it had been of use (it carried some of
 * the stream, or was up for a second) or not; or did not get that far.
 */
void paths_joined(struct paths *p, unsigned path, uint64_t rtt_ns, uint64_t now_ns);
void paths_left(struct paths *p, unsigned path, bool useful, uint64_t random, uint64_t now_ns);
void paths_failed(struct paths *p, unsigned path, bool slow, uint64_t random, uint64_t now_ns);
/*
 * Some of the name's addresses (one bit each) refused, or nobody listens there;
 * only when that is so of all of them, the path counts as refused; or as denied,
 * where that nobody listens is a last word, too.
 */
void paths_refused(struct paths *p, unsigned path, uint32_t refused, unsigned addresses,
    uint64_t random, uint64_t now_ns);
void paths_denied(struct paths *p, unsigned path, uint32_t denied, unsigned addresses,
    uint64_t random, uint64_t now_ns);

/* Where a scout with several paths goes after a failure. */
unsigned paths_rotate(const struct paths *p, unsigned leg, unsigned path);

/*
 * A leg that is up on `path' should leave it for its own, which answers again
 * and has shown for a while that it stays.
 */
bool paths_call_home(const struct paths *p, unsigned home, unsigned path, uint64_t now_ns);

/* Every path was tried, and the last word of each was a refusal, or that nobody listens. */
bool paths_all_refused(const struct paths *p);
bool paths_any_refused(const struct paths *p);

#endif
