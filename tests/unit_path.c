/*
 * Which leg dials which path when: the rules of path.h one by one, and then
 * the pace of dialling over many minutes without any leg, by a clock that is
 * only counted.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "check.h"
#include "../core/leg_count.h"
#include "../core/path.h"
#include "core/time.h"

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
chooses(unsigned leg, unsigned preferred, uint64_t now)
{
	struct path_choice c;
	bool chosen = paths_choose(&p, leg, preferred, now, &c);

	at = c.path;
	again = c.again_ns;
	return chosen;
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
	struct path_refusal r = { PATH_REFUSED, 1u << address, addresses };

	paths_refused(&p, path, &r, check_random(&random_state), now);
}

static void
denied(unsigned path, unsigned address, unsigned addresses, uint64_t now)
{
	struct path_refusal r = { PATH_DENIED, 1u << address, addresses };

	paths_refused(&p, path, &r, 0, now);
}

/* Legs are dealt over the paths in turn. */
static void
test_preferred(void)
{
	unsigned leg;

	paths_init(&p, 3, false, 8, SECOND);
	for (leg = 0; leg < 8; leg++) {
		CHECK(paths_preferred(&p, leg) == leg % 3);
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

static void
began(unsigned path)
{
	paths_began(&p, path, check_random(&random_state), 0);
}

/* A path's first leg joins alone; others follow when more are wanted, wherever that is. */
static void
test_probe(void)
{
	paths_init(&p, 2, false, 6, SECOND);
	CHECK(chooses(0, 0, SECOND) && at == 0);
	CHECK(chooses(1, 1, SECOND) && at == 1);
	paths_joined(&p, 0, MS, 0);
	CHECK(p.up == 1 && p.path[0].up == 1 && p.none_ns == 0);
	/* Two legs where one path is all there is, so that the loss of one is no outage. */
	CHECK(chooses(4, 0, SECOND) && at == 0);
	began(0);
	CHECK(!chooses(2, 0, SECOND) && !chooses(3, 1, SECOND) && again == UINT64_MAX);
	p.path[0].wanted = 3;
	CHECK(chooses(2, 0, SECOND) && at == 0);
	CHECK(chooses(5, 1, SECOND) && at == 0);
	began(0);
	CHECK(!chooses(5, 1, SECOND));
	paths_ended(&p, 0);
	CHECK(chooses(5, 1, SECOND));
	paths_ended(&p, 0);
	p.path[0].wanted = 1;
	/* Both are open: the other's probe is up, and what each wants it gets. */
	paths_joined(&p, 1, MS, 0);
	CHECK(!chooses(2, 0, SECOND) && !chooses(3, 1, SECOND));
	p.path[1].wanted = 2;
	CHECK(chooses(2, 0, SECOND) && at == 1);
	CHECK(chooses(3, 1, SECOND) && at == 1);
	p.path[0].wanted = 2;
	CHECK(chooses(3, 1, SECOND) && at == 0);
	/* Not while that one has to wait, but the other need not. */
	fails(0, false, SECOND);
	CHECK(chooses(3, 1, SECOND) && at == 1);
	began(1);
	CHECK(!chooses(3, 1, SECOND) && again > SECOND && again < 6 * SECOND);
	/* The probe stays on its preferred path. */
	left(1, true, SECOND);
	CHECK(chooses(1, 1, SECOND) && at == 1);
	/* And no other goes to a dead path. */
	p.path[0].wanted = 1;
	CHECK(!chooses(3, 1, SECOND) || at == 0);
	paths_init(&p, 1, false, 1, SECOND);
	CHECK(p.path[0].wanted == 1);
}

/* A leg came up at this address, and died with nothing carried. */
static void
hole(unsigned address, unsigned addresses, unsigned segment, uint64_t now)
{
	const struct path_hole h = { address, addresses, segment, now };

	paths_joined(&p, 0, MS, now);
	CHECK(paths_barren(&p, 0, &h));
	left(0, false, now + 5 * SECOND);
}

/* What greets and carries nothing: the next address, then smaller segments. */
static void
test_barren(void)
{
	paths_init(&p, 1, false, 64, SECOND);
	CHECK(paths_address(&p, 0, 0) == 0 && p.path[0].segment == 0);
	hole(0, 2, 0, SECOND);
	CHECK(paths_address(&p, 0, 0) == 1 && paths_address(&p, 0, 1) == 1);
	CHECK(p.path[0].segment == 0);
	/* A failure, although it was up for long. */
	CHECK(p.path[0].failures == 1);
	hole(1, 2, 0, 10 * SECOND);
	CHECK(p.path[0].segment == 1200 && paths_address(&p, 0, 0) == 0);
	/* Another leg that was up then says the same. */
	hole(0, 2, 0, 10 * SECOND);
	CHECK(p.path[0].segment == 1200 && paths_address(&p, 0, 0) == 0);
	hole(0, 1, 1200, 20 * SECOND);
	CHECK(p.path[0].segment == 500);
	/* It was none, perhaps. */
	hole(0, 1, 500, 30 * SECOND);
	CHECK(p.path[0].segment == 0);
	hole(0, 1, 0, 40 * SECOND);
	paths_joined(&p, 0, MS, 50 * SECOND);
	paths_carried(&p, 0);
	CHECK(p.path[0].segment == 1200 && p.bare_ns == 0);
}

/* A path that carries nothing counts as none for the reserve, at once, until it carries. */
static void
test_barren_reserve(void)
{
	paths_init(&p, 1, true, 64, SECOND);
	hole(0, 1, 0, SECOND);
	CHECK(chooses(5, 0, 6 * SECOND) && at == 1);
	/* Also while it greets again. */
	paths_joined(&p, 0, MS, 7 * SECOND);
	CHECK(chooses(5, 0, 7 * SECOND) && at == 1);
	paths_joined(&p, 1, MS, 8 * SECOND);
	CHECK(!paths_failback(&p, 0, 1, 60 * SECOND));
	paths_carried(&p, 0);
	CHECK(!chooses(5, 0, 9 * SECOND) || at == 0);
	CHECK(paths_failback(&p, 0, 1, 60 * SECOND));
	/* Beside one that has carried, or that went down after it came up, it is an outage. */
	paths_init(&p, 1, true, 64, SECOND);
	paths_joined(&p, 0, MS, SECOND);
	paths_carried(&p, 0);
	paths_joined(&p, 0, MS, 2 * SECOND);
	CHECK(!paths_barren(&p, 0, &(struct path_hole){ 0, 1, 0, 2 * SECOND }));
	paths_ceased(&p, 0, 3 * SECOND);
	left(0, true, 3 * SECOND);
	CHECK(!paths_barren(&p, 0, &(struct path_hole){ 0, 1, 0, 2 * SECOND }));
	left(0, true, 3 * SECOND);
	CHECK(!p.path[0].barren);
	hole(0, 1, 0, 4 * SECOND);
	CHECK(p.path[0].barren);
	/* A healthy leg that is lost is no such thing. */
	paths_init(&p, 1, true, 64, SECOND);
	paths_joined(&p, 0, MS, SECOND);
	left(0, true, 2 * SECOND);
	CHECK(!chooses(5, 0, 2 * SECOND) || at == 0);
}

/* A thin path has one leg, however long its round trip, unless many are wanted. */
static void
test_thin(void)
{
	paths_init(&p, 1, false, 64, SECOND);
	paths_thin(&p, 0, true);
	CHECK(!paths_enough(&p, 0));
	paths_joined(&p, 0, 400 * MS, SECOND);
	CHECK(paths_enough(&p, 0) && !chooses(1, 0, SECOND));
	/* What a later leg finds is a queue. */
	paths_thin(&p, 0, false);
	CHECK(paths_enough(&p, 0));
	p.path[0].wanted = 8;
	CHECK(!paths_enough(&p, 0) && chooses(1, 0, SECOND));
	left(0, true, SECOND);
	paths_thin(&p, 0, false);
	paths_joined(&p, 0, 400 * MS, SECOND);
	CHECK(!paths_enough(&p, 0) && chooses(1, 0, SECOND));
}

/* A path with a long round trip gets several at once, each its share at most. */
static void
test_remote(void)
{
	unsigned i;

	paths_init(&p, 2, false, 64, SECOND);
	paths_joined(&p, 1, 80 * MS, 0);
	CHECK(p.path[1].wanted == LEG_COUNT_FAR_LEGS && p.path[0].wanted == 1);
	for (i = 1; i < LEG_COUNT_FAR_LEGS; i++) {
		CHECK(chooses(2 * i, 0, SECOND) && at == 1);
		began(1);
	}
	CHECK(!chooses(2 * i, 0, SECOND));
	paths_init(&p, 2, false, 6, SECOND);
	paths_joined(&p, 0, 80 * MS, 0);
	CHECK(p.path[0].wanted == 3);
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

/* What a path needs is not known at first: the timeout doubles up to 40 s. */
static void
test_timeout(void)
{
	unsigned ms, want = 5000, i;

	paths_init(&p, 1, false, 2, SECOND);
	for (i = 0; i < 8; i++) {
		ms = paths_timeout_ms(&p, 0, 0);
		CHECK(ms == want);
		fails(0, false, SECOND);
		CHECK(paths_timeout_ms(&p, 0, 0) == want);
		fails(0, true, SECOND);
		want = want < 40000 ? 2 * want : want;
	}
	CHECK(want == 40000);
	paths_joined(&p, 0, 100 * MS, 0);
	left(0, true, SECOND);
	CHECK(p.path[0].timeout_ms == 5000);
	/* Once it is known most dials are brief, but for every other of the probe. */
	CHECK(paths_timeout_ms(&p, 1, 0) < 5000);
	CHECK(paths_timeout_ms(&p, 0, 0) == 5000);
	fails(0, false, SECOND);
	CHECK(paths_timeout_ms(&p, 0, 0) < 5000);
	/* Not too brief for a slow one. */
	paths_joined(&p, 0, 800 * MS, 0);
	CHECK(paths_timeout_ms(&p, 1, 0) == 3200);
	paths_joined(&p, 0, 60 * SECOND, 0);
	CHECK(paths_timeout_ms(&p, 1, 0) == p.path[0].timeout_ms);
}

static void
test_refused(void)
{
	paths_init(&p, 2, false, 4, SECOND);
	CHECK(!paths_all_refused(&p, false) && !paths_any_refused(&p));
	refused(0, 0, 1, SECOND);
	CHECK(!paths_all_refused(&p, false) && paths_any_refused(&p));
	fails(1, false, SECOND);
	CHECK(!paths_all_refused(&p, false));
	refused(1, 0, 1, SECOND);
	CHECK(paths_all_refused(&p, false));
	/* The last word of a path counts. */
	fails(0, false, SECOND);
	CHECK(!paths_all_refused(&p, false) && paths_any_refused(&p));
	refused(0, 0, 1, SECOND);
	CHECK(paths_all_refused(&p, false));
	paths_joined(&p, 0, MS, 0);
	CHECK(!paths_all_refused(&p, false));
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
	unsigned i, there;

	/* Two ordinary paths; 6 legs, two of them probes. */
	paths_init(&p, 2, true, 6, SECOND);
	CHECK(paths_total(&p) == 3 && paths_preferred(&p, 2) == 0 && paths_preferred(&p, 5) == 1);
	for (i = 0; i < 6; i++)
		CHECK(!chooses(i, i % 2, SECOND) || at == i % 2);
	for (i = 0; i < 6; i++)
		CHECK(chooses(i, i % 2, later) && at == (i < 2 ? i : 2));
	/* All refused: at once. */
	refused(0, 0, 1, SECOND);
	CHECK(chooses(3, 1, SECOND) && at == 1);
	refused(1, 0, 1, SECOND);
	CHECK(!paths_all_refused(&p, false));
	CHECK(chooses(3, 1, SECOND) && at == 2);
	/*
	 * Legs on it leave probes to look for the others, and are sent back to
	 * their preferred path.
	 */
	paths_joined(&p, 2, MS, later);
	CHECK(p.bare_ns != 0 && p.none_ns == 0);
	CHECK(chooses(0, 0, later) && at == 0);
	paths_joined(&p, 0, MS, later);
	CHECK(p.bare_ns == 0);
	CHECK(paths_failback(&p, 0, 2, later + 2 * SECOND));
	CHECK(!chooses(4, 0, later + PATHS_RESERVE_NS) || at == 0);
	/* When the last ordinary leg goes, the time begins anew, with legs there or without. */
	left(0, true, later + SECOND);
	CHECK(p.bare_ns == later + SECOND);
	left(2, true, later + 2 * SECOND);
	CHECK(p.bare_ns == later + SECOND && p.none_ns == later + 2 * SECOND);
	refused(2, 0, 1, later);
	CHECK(!paths_all_refused(&p, false));
	/* One leg alone tries both in turn. */
	paths_init(&p, 1, true, 1, SECOND);
	for (i = there = 0; i < 10; i++) {
		CHECK(chooses(0, 0, later + i * 10 * SECOND));
		CHECK(at == i % 2);
		there += at;
		fails(at, false, later + i * 10 * SECOND);
	}
	CHECK(there == 5);
	/* Without a reserve nothing of this is so. */
	paths_init(&p, 1, false, 4, SECOND);
	CHECK(chooses(3, 0, 100 * SECOND) && at == 0);
}

/* Who works elsewhere goes to its preferred path when that path has been back for a while. */
/* What a path has too much for a while is named, path by path. */
static void
test_spare(void)
{
	paths_init(&p, 2, false, 8, SECOND);
	paths_joined(&p, 0, MS, 0);
	paths_joined(&p, 0, MS, 0);
	CHECK(paths_spare(&p, SECOND) == 2);
	CHECK(paths_spare(&p, 100 * SECOND) == 2);
	/* Two are enough, and not too many, while the other path is dead. */
	paths_joined(&p, 1, MS, 0);
	CHECK(paths_spare(&p, 101 * SECOND) == 2);
	CHECK(paths_spare(&p, 101 * SECOND + PATHS_SPARE_NS - 1) == 2);
	CHECK(paths_spare(&p, 101 * SECOND + PATHS_SPARE_NS) == 0);
	left(0, true, 101 * SECOND);
	CHECK(paths_spare(&p, 200 * SECOND) == 2);
	paths_joined(&p, 0, MS, 0);
	p.path[0].wanted = 2;
	CHECK(paths_spare(&p, 300 * SECOND) == 2 && paths_spare(&p, 400 * SECOND) == 2);
}

static void
test_failback(void)
{
	paths_init(&p, 2, false, 4, SECOND);
	paths_joined(&p, 1, MS, SECOND);
	CHECK(!paths_failback(&p, 0, 1, 100 * SECOND));
	paths_joined(&p, 0, MS, 100 * SECOND);
	CHECK(!paths_failback(&p, 0, 1, 101 * SECOND));
	CHECK(paths_failback(&p, 0, 1, 102 * SECOND));
	CHECK(!paths_failback(&p, 0, 0, 102 * SECOND));
	/* Another leg of it does not make it younger; its loss and return do. */
	paths_joined(&p, 0, MS, 102 * SECOND);
	CHECK(paths_failback(&p, 0, 1, 102 * SECOND));
	left(0, true, 103 * SECOND);
	CHECK(paths_failback(&p, 0, 1, 103 * SECOND));
	left(0, true, 103 * SECOND);
	CHECK(!paths_failback(&p, 0, 1, 106 * SECOND));
	paths_joined(&p, 0, MS, 106 * SECOND);
	CHECK(!paths_failback(&p, 0, 1, 107 * SECOND));
}

/* A name with several addresses has refused when each of them did. */
static void
test_addresses(void)
{
	unsigned n, i;

	for (n = 1; n <= 32; n++) {
		paths_init(&p, 1, false, 1, SECOND);
		for (i = n; i-- > 0;) {
			CHECK(!paths_all_refused(&p, false));
			refused(0, i, n, SECOND);
			refused(0, i, n, SECOND);
		}
		CHECK(paths_all_refused(&p, false));
		/* Silence of one, or a leg, and the count begins anew. */
		fails(0, false, SECOND);
		refused(0, 0, n, SECOND);
		CHECK(paths_all_refused(&p, false) == (n == 1));
		paths_joined(&p, 0, MS, 0);
		left(0, true, SECOND);
		for (i = 1; i < n; i++)
			refused(0, i, n, SECOND);
		CHECK(!paths_all_refused(&p, false));
		refused(0, 0, n, SECOND);
		CHECK(paths_all_refused(&p, false));
	}
}

/* That nobody listens is a last word where it is said to be, and no refusal. */
static void
test_denied(void)
{
	paths_init(&p, 2, true, 4, SECOND);
	denied(0, 0, 1, SECOND);
	CHECK(!chooses(2, 0, SECOND) || at != 2);
	denied(1, 0, 2, SECOND);
	CHECK(p.path[1].outcome == PATH_DEAD);
	denied(1, 1, 2, SECOND);
	CHECK(p.path[1].outcome == PATH_DENIED);
	/* The reserve need not wait. */
	CHECK(chooses(2, 0, SECOND) && at == 2);
	CHECK(!paths_all_refused(&p, false) && !paths_any_refused(&p));
	denied(2, 0, 1, SECOND);
	CHECK(paths_all_refused(&p, false) && !paths_any_refused(&p));
	refused(1, 0, 1, SECOND);
	CHECK(paths_all_refused(&p, false) && paths_any_refused(&p));
	paths_joined(&p, 0, MS, SECOND);
	CHECK(!paths_all_refused(&p, false));
}

/* Logins: few at once until one was good, and few after one was refused. */
static void
test_login(void)
{
	const uint64_t minute = 60 * SECOND;
	uint64_t now = SECOND, next;
	unsigned i;

	/* The reserve begins a little after a direct dial; later only after a while. */
	paths_init(&p, 1, true, 4, SECOND);
	paths_login(&p, 1, 1200 * MS);
	CHECK(p.reserve_ns == 300 * MS && p.path[1].timeout_ms == 7400);
	paths_began(&p, 0, 0, SECOND);
	CHECK(!chooses(1, 0, SECOND + 299 * MS) && again == SECOND + 300 * MS);
	CHECK(chooses(1, 0, SECOND + 300 * MS) && at == 1);
	paths_joined(&p, 0, MS, 2 * SECOND);
	left(0, true, 4 * SECOND);
	CHECK(!chooses(1, 0, 4 * SECOND + 400 * MS) || at == 0);
	CHECK(chooses(1, 0, 4 * SECOND + PATHS_RESERVE_NS) && at == 1);
	paths_login(&p, 1, 0);
	CHECK(p.reserve_ns == 250 * MS);
	paths_login(&p, 1, 100 * SECOND);
	CHECK(p.reserve_ns == PATHS_RESERVE_NS && p.path[1].timeout_ms == 40000);

	/* Two at once, for however long, until one was good. */
	paths_init(&p, 1, false, 8, SECOND);
	paths_login(&p, 0, SECOND);
	for (i = 0; i < 2; i++, now += SECOND) {
		CHECK(chooses(i, 0, now));
		paths_began(&p, 0, 0, now);
	}
	CHECK(!chooses(2, 0, now + minute) && again == UINT64_MAX);
	paths_ended(&p, 0);
	CHECK(chooses(2, 0, now + minute));
	paths_joined(&p, 0, MS, now + minute);
	CHECK(paths_timeout_ms(&p, 5, 0) == 7000);
	left(0, true, now + minute);
	paths_began(&p, 0, 0, now + minute);
	CHECK(chooses(3, 0, now + minute + SECOND));

	/* One that was refused: minutes, more each time, until one is good. */
	paths_init(&p, 1, false, 8, SECOND);
	paths_login(&p, 0, SECOND);
	for (i = 0, now = SECOND; i < 8; i++, now = next) {
		CHECK(chooses(i, 0, now));
		paths_began(&p, 0, 0, now);
		paths_ended(&p, 0);
		paths_barred(&p, 0, now);
		CHECK(paths_all_refused(&p, true) && !paths_all_refused(&p, false));
		CHECK(!chooses(7 - i, 0, now + minute - 1));
		next = again;
		CHECK(next == now + (minute << (i < 4 ? i : 4)));
	}
	paths_joined(&p, 0, MS, now);
	left(0, true, now);
	CHECK(chooses(0, 0, now));
	paths_barred(&p, 0, now);
	CHECK(!chooses(0, 0, now + minute - 1) && again == now + minute);
}

/* The pace of dialling */

struct dialler {
	bool dials;
	unsigned preferred, path;
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
		d->preferred = paths_rotate(&p, leg, d->preferred);
	} else if (d->dials && now >= d->next_ns) {
		d->next_ns = now + d->again_ns;
		return true;
	}
	if (!d->dials && chooses(leg, d->preferred, now)) {
		d->path = at;
		paths_began(&p, at, check_random(&random_state), now);
		d->dials = tried = true;
		d->end_ns = now + (hang ? paths_timeout_ms(&p, leg, at) * MS : MS);
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
		d[i].preferred = paths_preferred(&p, i);
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
test_delivery_rate(void)
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
	test_preferred();
	test_probe();
	test_barren();
	test_barren_reserve();
	test_thin();
	test_remote();
	test_rest();
	test_timeout();
	test_refused();
	test_spare();
	test_failback();
	test_reserve();
	test_addresses();
	test_denied();
	test_login();
	test_delivery_rate();
	return check_done();
}
