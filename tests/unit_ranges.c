/*
 * The set of ranges against a plain bitmap, through a seeded random walk of
 * every call, with the invariants of ranges.c checked at each step; then the
 * ends of the number line, and what is left when memory runs out.
 */
#include <sys/resource.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../core/ranges.h"
#include "check.h"

#define SPAN	600
#define STEPS	40000

static bool in[SPAN];

static void
check_invariants(const struct ranges *r)
{
	const struct range *v;
	uint64_t total = 0;
	size_t i;

	CHECK(r->head <= r->cap && r->n <= r->cap - r->head);
	CHECK(r->n > 0 || r->head == 0);
	for (i = 0; i < r->n; i++) {
		v = r->v + r->head + i;
		CHECK(v[0].lo < v[0].hi);
		if (i + 1 < r->n)
			CHECK(v[0].hi < v[1].lo);
		total += v[0].hi - v[0].lo;
	}
	CHECK(total == ranges_total(r));
}

/* Sets and bitmap agree in every byte, and so in every range. */
static void
check_same(const struct ranges *r)
{
	uint64_t at, hi, lo;
	size_t count = 0;

	for (at = 0; at < SPAN; at++) {
		CHECK(ranges_covers(r, at, at + 1) == in[at]);
		if (in[at] && (at == 0 || !in[at - 1]))
			count++;
	}
	CHECK(ranges_count(r) == count);
	for (at = 0; at < SPAN && !in[at]; at++)
		;
	CHECK(ranges_first(r, &lo, &hi) == (at < SPAN));
	if (at < SPAN) {
		CHECK(lo == at);
		for (; at < SPAN && in[at]; at++)
			;
		CHECK(hi == at);
	}
}

/* Only this gap may be found, and covers must say the same. */
static void
check_gap(const struct ranges *r, uint64_t lo, uint64_t hi)
{
	uint64_t at, ghi = 1, glo = 2;
	bool found;

	found = ranges_gap(r, lo, hi, &glo, &ghi);
	CHECK(ranges_covers(r, lo, hi) == !found);
	for (at = lo; at < hi && in[at]; at++)
		;
	CHECK(found == (at < hi));
	if (!found) {
		CHECK(glo == 2 && ghi == 1);
		return;
	}
	CHECK(glo == at);
	for (; at < hi && !in[at]; at++)
		;
	CHECK(ghi == at);
}

static void
set(uint64_t lo, uint64_t hi, bool what)
{
	for (; lo < hi; lo++)
		in[lo] = what;
}

static void
step(struct ranges *r, uint64_t *random, unsigned int longest)
{
	uint64_t lo = check_random(random) % SPAN;
	uint64_t hi = lo + check_random(random) % longest;

	if (hi > SPAN)
		hi = SPAN;
	switch (check_random(random) % 16) {
	case 0: case 1: case 2: case 3: case 4: case 5: case 6:
		CHECK(ranges_add(r, lo, hi) == 0);
		set(lo, hi, true);
		break;
	case 7: case 8: case 9: case 10: case 11:
		CHECK(ranges_remove(r, lo, hi) == 0);
		set(lo, hi, false);
		break;
	case 12:			/* a little off the front */
		if (ranges_first(r, &lo, &hi))
			lo += check_random(random) % longest;
		lo = lo < SPAN ? lo : SPAN;
		ranges_trim(r, lo);
		set(0, lo, false);
		break;
	case 13:			/* turned round: nothing happens */
		CHECK(ranges_add(r, hi, lo) == 0);
		CHECK(ranges_remove(r, hi, lo) == 0);
		break;
	default:
		check_gap(r, lo, hi);
		break;
	}
}

static void
test_walk(uint64_t *random)
{
	static const unsigned int longest[] = { 2, 3, 8, 40, 300 };
	struct ranges r;
	size_t i;
	int n;

	for (i = 0; i < sizeof(longest) / sizeof(longest[0]); i++) {
		ranges_init(&r);
		memset(in, 0, sizeof(in));
		for (n = 0; n < STEPS; n++) {
			step(&r, random, longest[i]);
			check_invariants(&r);
			if (n % 50 == 0)
				check_same(&r);
		}
		check_same(&r);
		ranges_free(&r);
		CHECK(ranges_count(&r) == 0 && ranges_total(&r) == 0);
	}
}

/* As a window uses it: in at the high end, out at the low end, for ever. */
static void
test_window(void)
{
	struct ranges r;
	uint64_t at, hi, lo;

	ranges_init(&r);
	for (at = 0; at < 1000000; at++) {
		CHECK(ranges_add(&r, at * 10, at * 10 + 5) == 0);
		if (at < 100)
			continue;
		CHECK(ranges_first(&r, &lo, &hi));
		CHECK(lo == (at - 100) * 10 && hi == lo + 5);
		ranges_trim(&r, hi);
	}
	CHECK(ranges_count(&r) == 100);
	CHECK(r.cap <= 256);
	check_invariants(&r);
	ranges_free(&r);
}

static void
test_ends(void)
{
	const uint64_t top = UINT64_MAX;
	struct ranges r;
	uint64_t hi, lo;

	ranges_init(&r);
	ranges_trim(&r, 5);
	CHECK(ranges_remove(&r, 0, top) == 0);
	CHECK(!ranges_first(&r, &lo, &hi));
	CHECK(ranges_covers(&r, 7, 7) && !ranges_covers(&r, 7, 8));
	CHECK(ranges_gap(&r, 0, top, &lo, &hi) && lo == 0 && hi == top);
	CHECK(ranges_add(&r, 0, top) == 0);
	CHECK(ranges_total(&r) == top);
	CHECK(ranges_covers(&r, 0, top) && ranges_covers(&r, top, top));
	CHECK(ranges_add(&r, top - 1, top) == 0 && ranges_count(&r) == 1);
	CHECK(ranges_remove(&r, top - 1, top) == 0);
	CHECK(ranges_gap(&r, 5, top, &lo, &hi) && lo == top - 1 && hi == top);
	CHECK(ranges_remove(&r, 0, 1) == 0 && ranges_total(&r) == top - 2);
	CHECK(ranges_add(&r, 0, 1) == 0 && ranges_count(&r) == 1);
	CHECK(ranges_remove(&r, 20, top) == 0);
	CHECK(!ranges_gap(&r, top, 30, &lo, &hi));
	CHECK(ranges_covers(&r, top, 30) && ranges_covers(&r, 40, 30));
	ranges_trim(&r, top);
	CHECK(ranges_count(&r) == 0 && ranges_total(&r) == 0);
	ranges_free(&r);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_ALLOCATOR	1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR	1
#endif

#if defined(RLIMIT_AS) && !defined(OWN_ALLOCATOR)
static void *volatile big;	/* so that no compiler leaves malloc out */

/*
 * With no more memory to be had, add and remove fail at some point, and leave
 * the set as it was.  Last in the program: the limit stays.
 */
static void
test_no_memory(void)
{
	struct rlimit limit = { 0, 0 };
	struct ranges r;
	uint64_t n;

	CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = 0;
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	big = malloc(64 << 20);
	if (big != NULL) {
		free(big);
		printf("memory limits do not hold here: part skipped\n");
		return;
	}
	ranges_init(&r);
	errno = 0;
	for (n = 0; ranges_add(&r, n * 10, n * 10 + 5) == 0; n++)
		CHECK(n < 1 << 22);
	CHECK(errno == ENOMEM);
	CHECK(ranges_count(&r) == n && ranges_total(&r) == n * 5);
	errno = 0;
	if (n > 0) {
		CHECK(ranges_remove(&r, 2, 3) == -1 && errno == ENOMEM);
		CHECK(ranges_covers(&r, 0, 5));
		CHECK(ranges_remove(&r, 0, 2) == 0);
		CHECK(ranges_add(&r, 0, 2) == 0);
	}
	check_invariants(&r);
	CHECK(ranges_count(&r) == n && ranges_total(&r) == n * 5);
	ranges_free(&r);
}
#else
static void
test_no_memory(void)
{
	printf("memory limits not usable in this build: part skipped\n");
}
#endif

int
main(int argc, char **argv)
{
	uint64_t random = check_seed(argc, argv, 4711);

	test_walk(&random);
	test_window();
	test_ends();
	test_no_memory();
	return check_done();
}
