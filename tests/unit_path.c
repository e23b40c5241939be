/*
 * Which leg dials which path when: the rules of path.h one by one, and then
 * the pace of dialling over many minutes without any leg, by a clock that is
 * only counted.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../path.h"
#include "check.h"

#define MS	UINT64_C(1000000)
#define SECOND	UINT64_C(1000000000)
#define LEGS	32

/* The longest time without a dial while no leg is up, milliseconds. */
#define FIRST_MS	1000	/* for the first minutes, when dials fail at once */
#define LATER_MS	4000
#define HANG_FIRST_MS	1010	/* when nothing answers and dials hang */
#define HANG_LATER_MS	4010

static struct paths p;
static uint64_t random_state, again;
static unsigned at;

static bool
chooses(unsigned leg, unsigned home, uint64_t now)
{
	return paths_choose(&p, leg, home, now, &at, &again);
}

static void
left(unsigned path, bool useful, uint64_t now)
{
	paths_left(&p, path, useful, check_random(&random_state), now);
}

static void
fails(unsigned path, bool slow, uint64_t now)
{
	paths_failed(&p, path, slow, check_random(&random_state), now);
}

static void
refused(unsigned path, unsigned address, unsigned addresses, uint64_t now)
{
	paths_refused(&p, path, 1u << address, addresses, check_random(&random_state), now);
}

/* Legs are dealt over the paths in turn. */
static void
test_home(void)
{
	unsigned leg;

	paths_init(&p, 3, false, 8, SECOND);
	for (leg = 0; leg < 8; leg++) {
		CHECK(paths_home(&p, leg) == leg % 3);
		CHECK(paths_rotate(&p, leg, leg % 3) == leg % 3);
	}
	/* More paths than legs: each leg goes round its own. */
	paths_init(&p, 7, false, 3, SECOND);
	CHECK(paths_rotate(&p, 0, 0) == 3 && paths_rotate(&p, 0, 3) == 6);
	CHECK(paths_rotate(&p, 0, 6) == 0);
	CHECK(paths_rotate(&p, 1, 1) == 4 && paths_rotate(&p, 1, 4) == 1);
	CHECK(paths_rotate(&p, 2, 2) == 5 && paths_rotate(&p, 2, 5) == 2);
	paths_init(&p, 2, false, 1, SECOND);
	CHECK(paths_rotate(&p, 0, 0) == 1 && paths_rotate(&p, 0, 1) == 0);
}

/* A path's first leg joins alone; others follow when more are wanted. */
static void
test_scout(void)
{
	paths_init(&p, 2, false, 6, SECOND);
	CHECK(chooses(0, 0, SECOND) && at == 0);
	CHECK(chooses(1, 1, SECOND) && at == 1);
	paths_joined(&p, 0, MS, 0);
	CHECK(p.up == 1 && p.path[0].up == 1 && p.none_ns == 0);
	CHECK(!chooses(4, 0, SECOND) && again == UINT64_MAX);
	p.path[0].wanted = 3;
	CHECK(chooses(2, 0, SECOND) && at == 0);
	CHECK(chooses(4, 0, SECOND) && at == 0);
	p.path[0].wanted = 2;
	CHECK(chooses(2, 0, SECOND) && !chooses(4, 0, SECOND));
	/* At least two legs where one path is all there is, so that the loss of one is no outage. */
	p.path[0].wanted = 1;
	CHECK(chooses(2, 0, SECOND) && !chooses(4, 0, SECOND));
	p.path[0].wanted = 2;
	/* The other path is dead: its legs work on the best that is open. */
	CHECK(chooses(3, 1, SECOND) && at == 0);
	CHECK(!chooses(5, 1, SECOND));
	paths_joined(&p, 1, MS, 0);
	CHECK(!chooses(3, 1, SECOND));
	p.path[1].wanted = 2;
	CHECK(chooses(3, 1, SECOND) && at == 1);
	/* But the scout stays at home. */
	left(1, true, SECOND);
	CHECK(chooses(1, 1, SECOND) && at == 1);
	/* One path has two legs, so that the loss of one is no outage. */
	paths_init(&p, 1, false, 4, SECOND);
	paths_joined(&p, 0, MS, 0);
	CHECK(chooses(1, 0, SECOND) && !chooses(2, 0, SECOND));
	paths_init(&p, 1, false, 1, SECOND);
	CHECK(p.path[0].wanted == 1);
}

/* At once after the first loss, if the leg was of use; then with rests. */
static void
test_rest(void)
{
	const uint64_t now = 100 * SECOND;
	unsigned i;

	for (i = 0; i < 300; i++) {
		paths_init(&p, 1, false, 2, now);
		paths_joined(&p, 0, MS, 0);
		paths_joined(&p, 0, MS, 0);
		left(0, true, now);
		CHECK(chooses(0, 0, now));
		left(0, false, now);
		CHECK(!chooses(0, 0, now) && again > now && again <= now + SECOND / 5);
		CHECK(chooses(0, 0, again));
		fails(0, false, now);
		CHECK(!chooses(0, 0, now) && again >= now + SECOND / 2 && again < now + SECOND);
		/* While others work it has more time, and is still spread. */
		paths_joined(&p, 0, MS, 0);
		fails(0, false, now);
		CHECK(!chooses(0, 0, now) && again > now + 2 * SECOND && again <= now + 4 * SECOND);
		p.urgent = true;
		fails(0, false, now);
		CHECK(!chooses(0, 0, now) && again < now + SECOND);
	}
}

/* What a path needs is not known at first: patience doubles up to 40 s. */
static void
test_patience(void)
{
	unsigned ms, want = 5000, i;

	paths_init(&p, 1, false, 2, SECOND);
	for (i = 0; i < 8; i++) {
		ms = paths_patience_ms(&p, 0, 0);
		CHECK(ms == want);
		fails(0, false, SECOND);
		CHECK(paths_patience_ms(&p, 0, 0) == want);
		fails(0, true, SECOND);
		want = want < 40000 ? 2 * want : want;
	}
	CHECK(want == 40000);
	paths_joined(&p, 0, 100 * MS, 0);
	left(0, true, SECOND);
	CHECK(p.path[0].patience_ms == 5000);
	/* Once it is known most dials are brief, but for every other of the scout. */
	CHECK(paths_patience_ms(&p, 1, 0) < 5000);
	CHECK(paths_patience_ms(&p, 0, 0) == 5000);
	fails(0, false, SECOND);
	CHECK(paths_patience_ms(&p, 0, 0) < 5000);
	/* Not too brief for a slow one. */
	paths_joined(&p, 0, 800 * MS, 0);
	CHECK(paths_patience_ms(&p, 1, 0) == 3200);
	paths_joined(&p, 0, 60 * SECOND, 0);
	CHECK(paths_patience_ms(&p, 1, 0) == p.path[0].patience_ms);
}

static void
test_refused(void)
{
	paths_init(&p, 2, false, 4, SECOND);
	CHECK(!paths_all_refused(&p) && !paths_any_refused(&p));
	refused(0, 0, 1, SECOND);
	CHECK(!paths_all_refused(&p) && paths_any_refused(&p));
	fails(1, false, SECOND);
	CHECK(!paths_all_refused(&p));
	refused(1, 0, 1, SECOND);
	CHECK(paths_all_refused(&p));
	/* The last word of a path counts. */
	fails(0, false, SECOND);
	CHECK(!paths_all_refused(&p) && paths_any_refused(&p));
	refused(0, 0, 1, SECOND);
	CHECK(paths_all_refused(&p));
	paths_joined(&p, 0, MS, 0);
	CHECK(!paths_all_refused(&p));
	/* While a leg is up on it, a refusal of another is not its last word. */
	refused(0, 0, 1, SECOND);
	CHECK(p.path[0].outcome == PATH_UP);
	left(0, true, SECOND);
	CHECK(p.path[0].outcome == PATH_DEAD);
	CHECK(p.none_ns == SECOND && p.up == 0);
	/* A refusal rests as any other failure does. */
	paths_init(&p, 1, false, 1, SECOND);
	refused(0, 0, 1, SECOND);
	CHECK(!chooses(0, 0, SECOND) && again <= SECOND + SECOND / 5);
}

/* The reserve is for when all else is dead, and home is not there. */
static void
test_reserve(void)
{
	const uint64_t later = SECOND + PATHS_RESERVE_NS;
	unsigned path, i, there;

	/* Two ordinary paths; 6 legs, two of them scouts. */
	paths_init(&p, 2, true, 6, SECOND);
	CHECK(paths_total(&p) == 3 && paths_home(&p, 2) == 0 && paths_home(&p, 5) == 1);
	for (i = 0; i < 6; i++)
		CHECK(!paths_choose(&p, i, i % 2, SECOND, &path, &again) || path == i % 2);
	for (i = 0; i < 6; i++)
		CHECK(paths_choose(&p, i, i % 2, later, &path, &again) &&
		    path == (i < 2 ? i : 2));
	/* All refused: at once. */
	refused(0, 0, 1, SECOND);
	CHECK(paths_choose(&p, 3, 1, SECOND, &path, &again) && path == 1);
	refused(1, 0, 1, SECOND);
	CHECK(!paths_all_refused(&p));
	CHECK(paths_choose(&p, 3, 1, SECOND, &path, &again) && path == 2);
	/* Legs on it leave scouts to look for the others, and are called home. */
	paths_joined(&p, 2, MS, later);
	CHECK(p.bare_ns != 0 && p.none_ns == 0);
	CHECK(paths_choose(&p, 0, 0, later, &path, &again) && path == 0);
	paths_joined(&p, 0, MS, later);
	CHECK(p.bare_ns == 0);
	CHECK(paths_call_home(&p, 0, 2, later + 2 * SECOND));
	CHECK(!paths_choose(&p, 4, 0, later + PATHS_RESERVE_NS, &path, &again) || path == 0);
	/* When the last ordinary leg goes, the time begins anew, with legs there or without. */
	left(0, true, later + SECOND);
	CHECK(p.bare_ns == later + SECOND);
	left(2, true, later + 2 * SECOND);
	CHECK(p.bare_ns == later + SECOND && p.none_ns == later + 2 * SECOND);
	refused(2, 0, 1, later);
	CHECK(!paths_all_refused(&p));
	/* One leg alone tries both in turn. */
	paths_init(&p, 1, true, 1, SECOND);
	for (i = there = 0; i < 10; i++) {
		CHECK(paths_choose(&p, 0, 0, later + i * 10 * SECOND, &path, &again));
		CHECK(path == i % 2);
		there += path;
		fails(path, false, later + i * 10 * SECOND);
	}
	CHECK(there == 5);
	/* Without a reserve nothing of this is so. */
	paths_init(&p, 1, false, 4, SECOND);
	CHECK(paths_choose(&p, 3, 0, 100 * SECOND, &path, &again) && path == 0);
}

/* Who works elsewhere goes home when its own path has been back for a while. */
static void
test_call_home(void)
{
	paths_init(&p, 2, false, 4, SECOND);
	paths_joined(&p, 1, MS, SECOND);
	CHECK(!paths_call_home(&p, 0, 1, 100 * SECOND));
	paths_joined(&p, 0, MS, 100 * SECOND);
	CHECK(!paths_call_home(&p, 0, 1, 101 * SECOND));
	CHECK(paths_call_home(&p, 0, 1, 102 * SECOND));
	CHECK(!paths_call_home(&p, 0, 0, 102 * SECOND));
	/* Another leg of it does not make it younger; its loss and return do. */
	paths_joined(&p, 0, MS, 102 * SECOND);
	CHECK(paths_call_home(&p, 0, 1, 102 * SECOND));
	left(0, true, 103 * SECOND);
	CHECK(paths_call_home(&p, 0, 1, 103 * SECOND));
	left(0, true, 103 * SECOND);
	CHECK(!paths_call_home(&p, 0, 1, 106 * SECOND));
	paths_joined(&p, 0, MS, 106 * SECOND);
	CHECK(!paths_call_home(&p, 0, 1, 107 * SECOND));
}

/* A name with several addresses has refused when each of them did. */
static void
test_addresses(void)
{
	unsigned n, i;

	for (n = 1; n <= 32; n++) {
		paths_init(&p, 1, false, 1, SECOND);
		for (i = n; i-- > 0;) {
			CHECK(!paths_all_refused(&p));
			refused(0, i, n, SECOND);
			refused(0, i, n, SECOND);
		}
		CHECK(paths_all_refused(&p));
		/* Silence of one, or a leg, and the count begins anew. */
		fails(0, false, SECOND);
		refused(0, 0, n, SECOND);
		CHECK(paths_all_refused(&p) == (n == 1));
		paths_joined(&p, 0, MS, 0);
		left(0, true, SECOND);
		for (i = 1; i < n; i++)
			refused(0, i, n, SECOND);
		CHECK(!paths_all_refused(&p));
		refused(0, 0, n, SECOND);
		CHECK(paths_all_refused(&p));
	}
}

/* That nobody listens is a last word where it is said to be, and no refusal. */
static void
test_denied(void)
{
	paths_init(&p, 2, true, 4, SECOND);
	paths_denied(&p, 0, 1, 1, 0, SECOND);
	CHECK(!chooses(2, 0, SECOND) || at != 2);
	paths_denied(&p, 1, 1, 2, 0, SECOND);
	CHECK(p.path[1].outcome == PATH_DEAD);
	paths_denied(&p, 1, 2, 2, 0, SECOND);
	CHECK(p.path[1].outcome == PATH_DENIED);
	/* The reserve need not wait. */
	CHECK(chooses(2, 0, SECOND) && at == 2);
	CHECK(!paths_all_refused(&p) && !paths_any_refused(&p));
	paths_denied(&p, 2, 1, 1, 0, SECOND);
	CHECK(paths_all_refused(&p) && !paths_any_refused(&p));
	refused(1, 0, 1, SECOND);
	CHECK(paths_all_refused(&p) && paths_any_refused(&p));
	paths_joined(&p, 0, MS, SECOND);
	CHECK(!paths_all_refused(&p));
}

/* The pace of dialling */

struct dialler {
	bool dials;
	unsigned home, path;
	uint64_t end_ns;	/* of the dial */
	uint64_t again_ns;	/* it is repeated so often meanwhile */
	uint64_t next_ns;
};

/* One leg at one moment; true when it dials, or repeats a dial that hangs. */
static bool
dial(struct dialler *d, unsigned leg, bool hang, uint64_t now)
{
	bool tried = false;

	if (d->dials && now >= d->end_ns) {
		fails(d->path, hang, now);
		paths_ended(&p, d->path);
		d->dials = false;
		d->home = paths_rotate(&p, leg, d->home);
	} else if (d->dials && now >= d->next_ns) {
		d->next_ns = now + d->again_ns;
		return true;
	}
	if (!d->dials && chooses(leg, d->home, now)) {
		d->path = at;
		paths_began(&p, at, check_random(&random_state), now);
		d->dials = tried = true;
		d->end_ns = now + (hang ? paths_patience_ms(&p, leg, at) * MS : MS);
		d->again_ns = paths_again_ms(&p, leg, now) * MS;
		d->next_ns = now + d->again_ns;
	}
	return tried;
}

/* Eight minutes without a leg. */
static void
outage(unsigned count, unsigned legs, bool known, bool hang)
{
	static struct dialler d[LEGS];
	const uint64_t begin = SECOND, end = 480 * SECOND;
	uint64_t now, last = begin, gap, first = 0, later = 0, tries = 0;
	unsigned i;

	paths_init(&p, count, false, legs, begin);
	for (i = 0; known && i < count; i++)
		paths_joined(&p, i, 80 * MS, begin);
	for (i = 0; known && i < count; i++)
		left(i, true, begin);
	memset(d, 0, sizeof(d));
	for (i = 0; i < legs; i++)
		d[i].home = paths_home(&p, i);
	for (now = begin; now < end; now += 5 * MS) {
		for (i = 0; i < legs; i++) {
			if (!dial(&d[i], i, hang, now))
				continue;
			gap = now - last;
			if (now < 290 * SECOND)
				first = gap > first ? gap : first;
			else
				later = gap > later ? gap : later;
			last = now;
			tries++;
		}
	}
	CHECK(first <= (hang ? HANG_FIRST_MS : FIRST_MS) * MS);
	CHECK(later <= (hang ? HANG_LATER_MS : LATER_MS) * MS + 10 * MS);
	/* And no storm either. */
	CHECK(tries / 480 <= 2 * count + 2);
}

static void
test_pace(void)
{
	static const unsigned legs[] = { 1, 2, 3, 4, 8, 16, 32 };
	unsigned count, i, k;

	for (count = 1; count <= 5; count++)
		for (i = 0; i < sizeof(legs) / sizeof(legs[0]); i++)
			for (k = 0; k < 4; k++)
				outage(count, legs[i], k % 2 == 1, k / 2 == 1);
}

int
main(int argc, char **argv)
{
	random_state = check_seed(argc, argv, 23);
	test_home();
	test_scout();
	test_rest();
	test_patience();
	test_refused();
	test_call_home();
	test_reserve();
	test_addresses();
	test_denied();
	test_pace();
	return check_done();
}
