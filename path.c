/*
 * path: which leg dials which path when.  See path.h; runs under the session's
 * lock.
 */
#include "path.h"

#include <string.h>

#define SECOND		1000000000ULL
#define EAGER_NS	(300 * SECOND)	/* dial every second for so long */
#define PATIENCE_FIRST	5000		/* milliseconds; doubles up to the last */
#define PATIENCE_LAST	40000
#define PATIENCE_BRIEF	2000
#define STAYS_NS	(2 * SECOND)	/* a path that is up so long is back */

void
paths_init(struct paths *p, unsigned count, bool reserve, unsigned legs, uint64_t now_ns)
{
	unsigned i;

	memset(p, 0, sizeof(*p));
	p->count = count;
	p->legs = legs;
	p->reserve = reserve;
	p->none_ns = p->bare_ns = now_ns;
	for (i = 0; i < paths_total(p); i++) {
		p->path[i].wanted = 1;
		p->path[i].patience_ms = PATIENCE_FIRST;
	}
	/* At least two legs in all, so that the loss of one is no outage. */
	if (count == 1 && legs > 1)
		p->path[0].wanted = 2;
}

unsigned
paths_home(const struct paths *p, unsigned leg)
{
	return leg % p->count;
}

unsigned
paths_rotate(const struct paths *p, unsigned leg, unsigned path)
{
	unsigned next = path + p->legs;

	return p->legs >= p->count ? path : next < p->count ? next : leg;
}

static unsigned
open_paths(const struct paths *p)
{
	unsigned i, n = 0;

	for (i = 0; i < paths_total(p); i++)
		n += p->path[i].up > 0;
	return n;
}

static bool
all_refused(const struct paths *p, unsigned n)
{
	unsigned i;

	for (i = 0; i < n; i++)
		if (p->path[i].outcome != PATH_REFUSED && p->path[i].outcome != PATH_DENIED)
			return false;
	return true;
}

/* It is time for the reserve, and this leg is one that may use it. */
static bool
uses_reserve(const struct paths *p, unsigned leg, unsigned home, uint64_t now_ns)
{
	if (!p->reserve || p->bare_ns == 0)
		return false;
	if (now_ns - p->bare_ns < PATHS_RESERVE_NS && !all_refused(p, p->count))
		return false;
	if (p->legs > p->count)
		return leg >= p->count;
	return (p->path[home].failures + p->path[p->count].failures) % 2 == 1;
}

bool
paths_choose(const struct paths *p, unsigned leg, unsigned home, uint64_t now_ns, unsigned *path,
    uint64_t *again_ns)
{
	unsigned rank = leg / p->count, i;
	const struct path *h = &p->path[home];
	unsigned wanted;

	*again_ns = UINT64_MAX;
	*path = home;
	if (uses_reserve(p, leg, home, now_ns)) {
		*path = p->count;
		h = &p->path[p->count];
		rank -= rank > 0;
	} else if (rank > 0 && h->up == 0 && p->up > 0) {
		/* Its own path is dead: it works on the best that is open. */
		for (i = 0; p->path[i].up == 0; i++)
			;
		*path = i;
		h = &p->path[i];
	}
	wanted = h->wanted < 2 && open_paths(p) == 1 ? 2 : h->wanted;
	if (rank > 0 && rank >= wanted && p->up > 0)
		return false;
	if (now_ns < h->next_ns) {
		*again_ns = h->next_ns;
		return false;
	}
	return true;
}

static bool
eager(const struct paths *p, uint64_t now_ns)
{
	return p->urgent || (p->none_ns != 0 && now_ns - p->none_ns < EAGER_NS);
}

unsigned
paths_patience_ms(const struct paths *p, unsigned leg, unsigned path)
{
	const struct path *h = &p->path[path];
	uint64_t brief = 4 * h->rtt_ns / 1000000;

	if (brief < PATIENCE_BRIEF)
		brief = PATIENCE_BRIEF;
	if (h->rtt_ns == 0 || brief > h->patience_ms ||
	    (leg < p->count && h->failures % 2 == 0))
		return h->patience_ms;
	return (unsigned)brief;
}

/* A scout keeps the pace; what the others repeat would only add to it. */
unsigned
paths_again_ms(const struct paths *p, unsigned leg, uint64_t now_ns)
{
	return (eager(p, now_ns) ? 1000u : 4000u) * (leg < p->count ? 1u : 40u);
}

/*
 * The time to the next dial: at once after the first loss; then, while no leg
 * is up, within a second at first and a few seconds later; every few seconds
 * while others do the work.  Spread over its last third.
 */
static uint64_t
rest(const struct paths *p, unsigned failures, uint64_t random, uint64_t now_ns)
{
	uint64_t most = eager(p, now_ns) ? SECOND - SECOND / 10 : 4 * SECOND;

	if (failures == 0)
		return 0;
	if (failures == 1 && most > SECOND / 5)
		most = SECOND / 5;
	return most - random % (most / 3);
}

void
paths_began(struct paths *p, unsigned path, uint64_t random, uint64_t now_ns)
{
	p->path[path].dialling++;
	/* The next one follows as if this one had failed already. */
	if (p->up == 0)
		p->path[path].next_ns = now_ns + rest(p, 2, random, now_ns);
}

void
paths_ended(struct paths *p, unsigned path)
{
	p->path[path].dialling--;
}

void
paths_joined(struct paths *p, unsigned path, uint64_t rtt_ns, uint64_t now_ns)
{
	if (p->path[path].up == 0)
		p->path[path].since_ns = now_ns;
	p->path[path].rtt_ns = rtt_ns;
	/* The others need not wait for their turn any more. */
	p->path[path].next_ns = 0;
	p->path[path].refused = 0;
	p->path[path].outcome = PATH_UP;
	p->path[path].up++;
	p->up++;
	p->none_ns = 0;
	if (path < p->count)
		p->bare_ns = 0;
}

void
paths_left(struct paths *p, unsigned path, bool useful, uint64_t random, uint64_t now_ns)
{
	struct path *h = &p->path[path];

	h->up--;
	p->up--;
	if (p->up == 0)
		p->none_ns = now_ns;
	if (p->bare_ns == 0 && p->up == (p->reserve ? p->path[p->count].up : 0))
		p->bare_ns = now_ns;
	if (useful) {
		h->failures = 0;
		h->patience_ms = PATIENCE_FIRST;
	} else
		h->failures++;
	if (h->up == 0)
		h->outcome = PATH_DEAD;
	h->next_ns = now_ns + rest(p, h->failures, random, now_ns);
}

static void
failed(struct paths *p, unsigned path, enum path_outcome outcome, bool slow, uint64_t random,
    uint64_t now_ns)
{
	struct path *h = &p->path[path];

	if (h->up == 0)
		h->outcome = outcome;
	h->failures++;
	/* One that hung has had its rest. */
	if (!slow)
		h->next_ns = now_ns + rest(p, h->failures, random, now_ns);
}

void
paths_failed(struct paths *p, unsigned path, bool slow, uint64_t random, uint64_t now_ns)
{
	struct path *h = &p->path[path];

	if (slow && h->patience_ms < PATIENCE_LAST)
		h->patience_ms *= 2;
	/* Who did not answer may be the receiver, and the network away. */
	h->refused = 0;
	failed(p, path, PATH_DEAD, slow, random, now_ns);
}

static void
refused_as(struct paths *p, unsigned path, enum path_outcome outcome, uint32_t refused,
    unsigned addresses, uint64_t random, uint64_t now_ns)
{
	struct path *h = &p->path[path];
	unsigned i, all = 0;

	h->refused |= refused;
	for (i = 0; i < addresses; i++)
		all |= 1u << i % 32;
	failed(p, path, (h->refused & all) == all ? outcome : PATH_DEAD, false, random, now_ns);
}

void
paths_refused(struct paths *p, unsigned path, uint32_t refused, unsigned addresses,
    uint64_t random, uint64_t now_ns)
{
	refused_as(p, path, PATH_REFUSED, refused, addresses, random, now_ns);
}

void
paths_denied(struct paths *p, unsigned path, uint32_t denied, unsigned addresses,
    uint64_t random, uint64_t now_ns)
{
	refused_as(p, path, PATH_DENIED, denied, addresses, random, now_ns);
}

bool
paths_call_home(const struct paths *p, unsigned home, unsigned path, uint64_t now_ns)
{
	const struct path *h = &p->path[home];

	return path != home && h->up > 0 && now_ns - h->since_ns >= STAYS_NS;
}

bool
paths_all_refused(const struct paths *p)
{
	return all_refused(p, paths_total(p));
}

bool
paths_any_refused(const struct paths *p)
{
	unsigned i;

	for (i = 0; i < paths_total(p); i++)
		if (p->path[i].outcome == PATH_REFUSED)
			return true;
	return false;
}
