/*
 * path: which leg dials which path when.  See path.h; runs under the session's
 * lock.
 */
#include "core/path.h"

#include <string.h>

#include "core/leg_count.h"
#include "core/time.h"

#define EAGER_NS	(300 * SECOND)	/* how long an outage is dialled every second */
#define DIAL_TIMEOUT_FIRST	5000	/* milliseconds; doubles up to the last */
#define DIAL_TIMEOUT_LAST	40000
#define DIAL_TIMEOUT_BRIEF	2000
#define LOGIN_NS	(SECOND / 4)	/* RFC 8305, section 5 */
#define LOGINS		2		/* at once, until one succeeded */
#define BARRED_NS	(60 * SECOND)	/* rest after a refused login; doubles */
#define BARRED_MAX	4		/* this many times */
#define STAYS_NS	(2 * SECOND)	/* a path that was up this long is back */

void
paths_init(struct paths *p, unsigned count, bool reserve, unsigned legs, uint64_t now_ns)
{
	unsigned i;

	memset(p, 0, sizeof(*p));
	p->count = count;
	p->legs = legs;
	p->reserve = reserve;
	p->none_ns = p->bare_ns = now_ns;
	p->reserve_ns = PATHS_RESERVE_NS;
	for (i = 0; i < paths_total(p); i++) {
		p->path[i].wanted = 1;
		p->path[i].first_ms = p->path[i].timeout_ms = DIAL_TIMEOUT_FIRST;
	}
	/* At least two legs, so that the loss of one is no outage. */
	if (count == 1 && legs > 1)
		p->path[0].wanted = 2;
}

/* A direct path answers within a quarter of a login's time, unless a packet is lost. */
void
paths_login(struct paths *p, unsigned path, uint64_t login_ns)
{
	struct path *h = &p->path[path];
	uint64_t first_ms = DIAL_TIMEOUT_FIRST + 2 * login_ns / MS;

	h->login = true;
	h->first_ms = h->timeout_ms = first_ms < DIAL_TIMEOUT_LAST ? (unsigned)first_ms :
	    DIAL_TIMEOUT_LAST;
	if (!p->reserve || path != p->count)
		return;
	p->reserve_ns = login_ns / 4 < LOGIN_NS ? LOGIN_NS :
	    login_ns / 4 < PATHS_RESERVE_NS ? login_ns / 4 : PATHS_RESERVE_NS;
}

unsigned
paths_preferred(const struct paths *p, unsigned leg)
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
refused(const struct path *h)
{
	return h->outcome == PATH_REFUSED || h->outcome == PATH_DENIED;
}

/* No path but the reserve can be hoped for now. */
static bool
hopeless(const struct paths *p)
{
	unsigned i;

	for (i = 0; i < p->count; i++)
		if (!p->path[i].barren && !refused(&p->path[i]))
			return false;
	return true;
}

/* A path that is not the reserve has a leg, and is not known to carry nothing. */
static bool
covered(const struct paths *p)
{
	unsigned i;

	for (i = 0; i < p->count; i++)
		if (p->path[i].up > 0 && !p->path[i].barren)
			return true;
	return false;
}

/* It is time for the reserve, and this leg may use it. */
static bool
uses_reserve(const struct paths *p, unsigned leg, unsigned preferred, uint64_t now_ns)
{
	if (!p->reserve || p->bare_ns == 0)
		return false;
	if (now_ns - p->bare_ns < p->reserve_ns && !hopeless(p))
		return false;
	if (p->legs > p->count)
		return leg >= p->count;
	return (p->path[preferred].failures + p->path[p->count].failures) % 2 == 1;
}

/* As many legs as may log in at once are logging in. */
static bool
logs_in(const struct path *h)
{
	return h->login && h->rtt_ns == 0 && h->dialling >= LOGINS;
}

/*
 * Legs that a path should have: two where it is the only one that is open; one where it
 * is thin, if no more than the usual are wanted.
 */
static unsigned
wanted(const struct paths *p, unsigned path)
{
	unsigned n = p->path[path].wanted;

	if (n < p->path[path].asked)
		n = p->path[path].asked;
	if (p->path[path].thin && n <= LEG_COUNT_FAR_LEGS)
		return 1;
	return n < 2 && open_paths(p) == 1 ? 2 : n;
}

static bool
needs(const struct paths *p, unsigned path)
{
	const struct path *h = &p->path[path];

	return h->up > 0 && h->up + h->dialling < wanted(p, path) && !logs_in(h);
}

/*
 * For a leg that is not a probe, while others are up: the first path that is
 * open, has fewer legs than it should and may be dialled now.
 */
static bool
choose_needy(const struct paths *p, uint64_t now_ns, struct path_choice *c)
{
	unsigned i;

	c->again_ns = p->reserve && p->bare_ns != 0 ? p->bare_ns + p->reserve_ns : UINT64_MAX;
	for (i = 0; i < p->count; i++) {
		if (!needs(p, i))
			continue;
		if (now_ns >= p->path[i].next_ns) {
			c->path = i;
			return true;
		}
		if (p->path[i].next_ns < c->again_ns)
			c->again_ns = p->path[i].next_ns;
	}
	return false;
}

bool
paths_choose(const struct paths *p, unsigned leg, unsigned preferred, uint64_t now_ns,
    struct path_choice *c)
{
	c->again_ns = UINT64_MAX;
	c->path = preferred;
	if (uses_reserve(p, leg, preferred, now_ns)) {
		c->path = p->count;
		if (p->up > 0 && p->path[c->path].up > 0 && !needs(p, c->path))
			return false;
	} else if (leg >= p->count && p->up > 0)
		return choose_needy(p, now_ns, c);
	if (logs_in(&p->path[c->path]))
		return false;
	if (now_ns < p->path[c->path].next_ns) {
		c->again_ns = p->path[c->path].next_ns;
		/* By then it may be the reserve's turn. */
		if (p->reserve && p->bare_ns != 0 && now_ns < p->bare_ns + p->reserve_ns &&
		    p->bare_ns + p->reserve_ns < c->again_ns)
			c->again_ns = p->bare_ns + p->reserve_ns;
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
paths_timeout_ms(const struct paths *p, unsigned leg, unsigned path)
{
	const struct path *h = &p->path[path];
	uint64_t brief = 4 * h->rtt_ns / MS;

	if (brief < DIAL_TIMEOUT_BRIEF)
		brief = DIAL_TIMEOUT_BRIEF;
	if (h->login && brief < h->first_ms)
		brief = h->first_ms;
	if (h->rtt_ns == 0 || brief > h->timeout_ms ||
	    (leg < p->count && h->failures % 2 == 0))
		return h->timeout_ms;
	return (unsigned)brief;
}

/* Probes repeat their attempts; the other legs' would only add to them. */
unsigned
paths_again_ms(const struct paths *p, unsigned leg, uint64_t now_ns)
{
	return (eager(p, now_ns) ? 1000u : 4000u) * (leg < p->count ? 1u : 40u);
}

/*
 * The time to the next dial: none after a loss without failures; 200 ms after one
 * failure; then a second, or 4 s when others are up or the outage is long.
 * Random within its last third.
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
	/* In an outage the next dial does not wait for this one to fail. */
	if (p->up == 0)
		p->path[path].next_ns = now_ns + rest(p, 2, random, now_ns);
}

void
paths_ended(struct paths *p, unsigned path)
{
	p->path[path].dialling--;
}

/* The number of legs that a path with a long round trip begins with. */
static unsigned
far_legs(const struct paths *p)
{
	unsigned share = p->legs / p->count;

	return share < LEG_COUNT_FAR_LEGS ? share : LEG_COUNT_FAR_LEGS;
}

/* IPv6 lets packets of 1280 bytes through everywhere, IPv4 those of 576. */
static unsigned
smaller(unsigned segment)
{
	return segment == 0 ? 1200 : segment == 1200 ? 500 : 0;
}

/* A bit for each address of a name, as in holes and refused. */
static uint32_t
address_bits(unsigned addresses)
{
	return addresses < 32 ? (1u << addresses) - 1 : UINT32_MAX;
}

/* Of legs that were up together some carried: then it is an outage, for all of them. */
static bool
outage(const struct path *h, const struct path_hole *hole)
{
	return h->proven > 0 || hole->up_ns <= h->proven_ns;
}

bool
paths_barren(struct paths *p, unsigned path, const struct path_hole *hole)
{
	struct path *h = &p->path[path];
	uint32_t all = address_bits(hole->addresses);

	if (outage(h, hole))
		return false;
	h->barren = true;
	/* Legs that were up together find the same. */
	if (hole->segment != h->segment)
		return true;
	h->addresses = hole->addresses;
	h->holes |= 1u << hole->address % 32;
	if ((h->holes & all) == all) {
		h->holes = 0;
		h->segment = smaller(h->segment);
	}
	return true;
}

void
paths_carried(struct paths *p, unsigned path)
{
	p->path[path].barren = false;
	p->path[path].proven++;
	if (path < p->count && p->path[path].up > 0)
		p->bare_ns = 0;
}

void
paths_ceased(struct paths *p, unsigned path, uint64_t now_ns)
{
	p->path[path].proven--;
	p->path[path].proven_ns = now_ns;
}

unsigned
paths_address(const struct paths *p, unsigned path, unsigned address)
{
	const struct path *h = &p->path[path];
	unsigned i, n;

	for (i = 0; h->holes != 0 && i < h->addresses; i++) {
		n = (address + i) % h->addresses;
		if ((h->holes & 1u << n % 32) == 0)
			return n;
	}
	return address;
}

void
paths_thin(struct paths *p, unsigned path, bool thin)
{
	if (p->path[path].up == 0)
		p->path[path].thin = thin;
}

bool
paths_enough(const struct paths *p, unsigned path)
{
	return p->path[path].thin && p->path[path].up > 0 && p->path[path].up >= wanted(p, path);
}

void
paths_joined(struct paths *p, unsigned path, uint64_t rtt_ns, uint64_t now_ns)
{
	if (p->path[path].up == 0)
		p->path[path].since_ns = now_ns;
	p->path[path].rtt_ns = rtt_ns;
	/* The other legs may dial it at once. */
	p->path[path].next_ns = 0;
	p->path[path].refused = 0;
	p->path[path].barred = 0;
	p->path[path].outcome = PATH_UP;
	if (rtt_ns > LEG_COUNT_FAR_NS && p->path[path].wanted < far_legs(p))
		p->path[path].wanted = far_legs(p);
	p->reserve_ns = PATHS_RESERVE_NS;
	p->path[path].up++;
	p->up++;
	p->none_ns = 0;
	if (covered(p))
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
	if (p->bare_ns == 0 && !covered(p))
		p->bare_ns = now_ns;
	if (useful) {
		h->failures = 0;
		h->timeout_ms = h->first_ms;
	} else
		h->failures++;
	if (h->up == 0)
		h->outcome = PATH_DEAD;
	h->next_ns = now_ns + rest(p, h->failures, random, now_ns);
}

static void
failed(struct path *h, enum path_outcome outcome)
{
	if (h->up == 0)
		h->outcome = outcome;
	h->failures++;
}

void
paths_failed(struct paths *p, unsigned path, bool slow, uint64_t random, uint64_t now_ns)
{
	struct path *h = &p->path[path];

	if (slow && h->timeout_ms < DIAL_TIMEOUT_LAST)
		h->timeout_ms *= 2;
	/* An address that did not answer may be the peer's, with the network down. */
	h->refused = 0;
	failed(h, PATH_DEAD);
	/* A dial that hung was a rest already. */
	if (!slow)
		h->next_ns = now_ns + rest(p, h->failures, random, now_ns);
}

void
paths_refused(struct paths *p, unsigned path, const struct path_refusal *r, uint64_t random,
    uint64_t now_ns)
{
	struct path *h = &p->path[path];
	uint32_t all = address_bits(r->addresses);

	h->refused |= r->by;
	failed(h, (h->refused & all) == all ? r->outcome : PATH_DEAD);
	h->next_ns = now_ns + rest(p, h->failures, random, now_ns);
}

void
paths_barred(struct paths *p, unsigned path, uint64_t now_ns)
{
	struct path *h = &p->path[path];

	failed(h, PATH_BARRED);
	h->next_ns = now_ns + (BARRED_NS << (h->barred < BARRED_MAX ? h->barred : BARRED_MAX));
	h->barred++;
}

bool
paths_failback(const struct paths *p, unsigned preferred, unsigned path, uint64_t now_ns)
{
	const struct path *h = &p->path[preferred];

	return path != preferred && h->up > 0 && !h->barren && now_ns - h->since_ns >= STAYS_NS;
}

unsigned
paths_spare(struct paths *p, uint64_t now_ns)
{
	unsigned i;
	struct path *h;

	for (i = 0; i < paths_total(p); i++) {
		h = &p->path[i];
		if (h->up <= wanted(p, i))
			h->spare_ns = 0;
		else if (h->spare_ns == 0)
			h->spare_ns = now_ns;
		else if (now_ns - h->spare_ns >= PATHS_SPARE_NS)
			break;
	}
	return i;
}

bool
paths_all_refused(const struct paths *p, bool barred)
{
	unsigned i;

	for (i = 0; i < paths_total(p); i++)
		if (!refused(&p->path[i]) && (p->path[i].outcome != PATH_BARRED || !barred))
			return false;
	return true;
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
