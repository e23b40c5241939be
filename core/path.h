/*
 * path: the paths to the peer that listens, in order of preference, and which
 * leg dials which of them when.
 *
 * Plain state with functions over it: no sockets, no clock, no lock; session.c
 * keeps it under its own.  Times are nanoseconds of one monotonic clock.
 *
 * The first legs are dealt over the paths, one each: leg N is the probe of path
 * N, dials it first and alone, and keeps dialling while the path is dead.  The
 * other legs dial paths that are open and should have more legs, in order of
 * preference.  While no leg is up at all, every leg may dial, one after the
 * other, so that a dial that hangs delays nothing.  When a path has had more legs
 * than it should for a while, one of them at a time leaves it and is free for another.
 * With more paths than legs each probe has several paths and changes to the next
 * after a failure.
 *
 * The reserve is a path that is worse than all others and works where they do not
 * (a tunnel).  It is dialled when no other path has had a leg for reserve_ns, or
 * when all of them refused or denied: by the legs that are not probes, or, if all
 * are, by probes that alternate between it and their own path.
 *
 * A path that answers a greeting and carries nothing, as behind a filter that drops large
 * packets, does not count as one that works.  The next dial begins with another address
 * of its name; when all were found so, with smaller segments.
 *
 * Where a dial is a login, failures are costly: servers count failed logins and
 * lock the caller out.  Until such a path has answered once, at most two dials are
 * under way, and after a refused login the next one comes minutes later.
 */
#ifndef PATH_H
#define PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

#define PATHS_SPARE_NS		3000000000ULL
#define PATHS_RESERVE_NS	3000000000ULL	/* reserve_ns, except at the start */

/* How the last dial of a path ended. */
enum path_outcome {
	PATH_UNTRIED,
	PATH_UP,		/* a leg joined */
	PATH_DEAD,		/* no answer, or the connection broke */
	PATH_DENIED,		/* nothing listens there */
	PATH_REFUSED,		/* the answer was REFUSE */
	PATH_BARRED		/* the login was refused */
};

struct path {
	enum path_outcome outcome;
	unsigned up;		/* legs on it */
	unsigned dialling;	/* legs that dial it now */
	unsigned wanted;	/* legs that it should have */
	unsigned asked;		/* legs that the peer wants on it, where both ends send */
	unsigned failures;	/* dials that failed in a row */
	unsigned barred;	/* logins that were refused in a row */
	bool login;		/* a dial is a login */
	unsigned first_ms;	/* the first timeout of a dial */
	unsigned timeout_ms;	/* of the next dial, connect and greeting */
	uint64_t since_ns;	/* since when a leg is up */
	uint64_t rtt_ns;	/* of the last answered greeting; 0 = none was */
	uint64_t next_ns;	/* no dial before this */
	uint64_t spare_ns;	/* since when more legs are up than wanted; 0 = they are not */
	bool barren;		/* its last leg carried nothing of what was due */
	unsigned proven;	/* legs that are up and have carried something */
	uint64_t proven_ns;	/* when the last of these went down; 0 = none did */
	uint32_t holes;		/* addresses where that was so with this segment, one bit each */
	unsigned addresses;	/* how many there are, when one has such a bit */
	unsigned segment;	/* largest TCP segment of the next dial; 0 = the system's choice */
	bool thin;		/* a second leg would only cost */
	uint32_t refused;	/* addresses of the name that refused, one bit each */
};

struct paths {
	unsigned count;
	bool reserve;		/* there is one more, number `count', the reserve */
	unsigned legs;		/* most at once */
	unsigned up;		/* legs on all of them */
	bool urgent;		/* set by the caller: dial at least every second */
	uint64_t none_ns;	/* since when no leg is up; 0 = one is */
	/* since when no path but the reserve has a leg; 0 = one has */
	uint64_t bare_ns;
	uint64_t reserve_ns;	/* how long after bare_ns the reserve is dialled */
	struct path path[FRAME_PATHS];
};

/* The reserve is in addition to `count', and no leg's preferred path. */
void paths_init(struct paths *p, unsigned count, bool reserve, unsigned legs, uint64_t now_ns);

/*
 * After paths_init: each dial of this path is a login, and one took login_ns at the
 * start.  If it is the reserve, at first it is dialled soon after the others.
 */
void paths_login(struct paths *p, unsigned path, uint64_t login_ns);

static inline unsigned
paths_total(const struct paths *p)
{
	return p->count + p->reserve;
}

/* The path that a leg prefers at first. */
unsigned paths_preferred(const struct paths *p, unsigned leg);

struct path_choice {
	unsigned path;
	uint64_t again_ns;	/* UINT64_MAX: when something changes */
};

/* May this leg dial now?  true: it may dial c->path.  false: ask again at c->again_ns. */
bool paths_choose(const struct paths *p, unsigned leg, unsigned preferred, uint64_t now_ns,
    struct path_choice *c);

/* A leg begins to dial the path that paths_choose gave; the dial ends, however. */
void paths_began(struct paths *p, unsigned path, uint64_t random, uint64_t now_ns);
void paths_ended(struct paths *p, unsigned path);

/*
 * How long a dial of this leg, connect and greeting, may take, in milliseconds.
 * How long a path needs is unknown before its first answer, so the timeout doubles
 * with each dial that hangs.  After that most dials are brief, so that one that
 * hangs does not outlast an outage.
 */
unsigned paths_timeout_ms(const struct paths *p, unsigned leg, unsigned path);

/* How often a dial under way should start one more attempt, in milliseconds. */
unsigned paths_again_ms(const struct paths *p, unsigned leg, uint64_t now_ns);

/*
 * What became of a leg: it joined; it was lost after it joined (`useful': it
 * carried stream bytes, or was up for a second); its dial failed (`slow': by
 * timeout).
 */
void paths_joined(struct paths *p, unsigned path, uint64_t rtt_ns, uint64_t now_ns);
void paths_left(struct paths *p, unsigned path, bool useful, uint64_t random, uint64_t now_ns);
void paths_failed(struct paths *p, unsigned path, bool slow, uint64_t random, uint64_t now_ns);
/*
 * Before paths_left: nothing of what was due was carried on a connection to this address
 * (of how many?) with this largest segment.  false: neither was it on others that carried
 * before, so it is an outage and nothing changes.  And: a leg has carried something.
 */
struct path_hole {
	unsigned address;
	unsigned addresses;
	unsigned segment;
	uint64_t up_ns;		/* since when the leg was up */
};
bool paths_barren(struct paths *p, unsigned path, const struct path_hole *hole);
void paths_carried(struct paths *p, unsigned path);
/* A leg of which paths_carried was told goes down. */
void paths_ceased(struct paths *p, unsigned path, uint64_t now_ns);
/* The address that a dial should begin with: this one, or the next that has no hole. */
unsigned paths_address(const struct paths *p, unsigned path, unsigned address);
/*
 * Before paths_joined: whether the path is so thin that the keep-alive of another leg is
 * a visible share of it.  Counts for the first leg only, as a queue looks the same.
 */
void paths_thin(struct paths *p, unsigned path, bool thin);
/* The path is thin and has its leg: one that is about to greet is not needed. */
bool paths_enough(const struct paths *p, unsigned path);
/*
 * Some of the name's addresses refused, or nothing listens there.  Only when that is
 * so of all addresses does the path count as refused or denied; until then it counts
 * as dead.
 */
struct path_refusal {
	enum path_outcome outcome;	/* PATH_REFUSED or PATH_DENIED */
	uint32_t by;			/* which addresses, one bit each */
	unsigned addresses;		/* how many the name has */
};
void paths_refused(struct paths *p, unsigned path, const struct path_refusal *r,
    uint64_t random, uint64_t now_ns);
/* The login was refused. */
void paths_barred(struct paths *p, unsigned path, uint64_t now_ns);

/* The path to which a probe with several paths changes after a failure. */
unsigned paths_rotate(const struct paths *p, unsigned leg, unsigned path);

/*
 * A leg that is up on `path' should return to its preferred one, which has been up
 * again for a while.
 */
bool paths_failback(const struct paths *p, unsigned preferred, unsigned path, uint64_t now_ns);

/* A path that has had more legs than it should for PATHS_SPARE_NS; paths_total if none has. */
unsigned paths_spare(struct paths *p, uint64_t now_ns);

/*
 * Every path was tried, and its last outcome was REFUSED or DENIED, or, if `barred',
 * BARRED.
 */
bool paths_all_refused(const struct paths *p, bool barred);
bool paths_any_refused(const struct paths *p);

#endif
