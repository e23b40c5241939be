/*
 * Who is waited for, and for how long: sums, what is under way, ties, clocks
 * that are read in another order than the lock is taken in.
 */
#include "core/bottleneck.h"

#include <string.h>

#include "check.h"

#define MS	1000000ULL

static void
test_sums(void)
{
	uint64_t sum[BOTTLENECK_KINDS];
	struct bottleneck b;

	bottleneck_init(&b, BOTTLENECK_SOURCE, 1000);
	bottleneck_sums(&b, 1000, sum);
	CHECK(sum[0] == 0 && sum[1] == 0 && sum[2] == 0);
	bottleneck_set(&b, BOTTLENECK_SOURCE, 1100);
	bottleneck_set(&b, BOTTLENECK_SOURCE, 1200);
	bottleneck_set(&b, BOTTLENECK_CONSUMER, 1500);
	bottleneck_sums(&b, 1505, sum);
	CHECK(sum[BOTTLENECK_NETWORK] == 100 && sum[BOTTLENECK_SOURCE] == 400);
	CHECK(sum[BOTTLENECK_CONSUMER] == 5);
	/* Up to a moment that is over: what is under way does not count. */
	bottleneck_sums(&b, 1400, sum);
	CHECK(sum[BOTTLENECK_CONSUMER] == 0 && sum[BOTTLENECK_SOURCE] == 400);
	/* A clock that was read earlier. */
	bottleneck_set(&b, BOTTLENECK_NETWORK, 1490);
	bottleneck_sums(&b, 1510, sum);
	CHECK(sum[BOTTLENECK_CONSUMER] == 0 && sum[BOTTLENECK_NETWORK] == 110);
}

static void
sums_are(const struct bottleneck *b, uint64_t ms, uint64_t source, uint64_t network,
    uint64_t consumer)
{
	uint64_t sum[BOTTLENECK_KINDS];

	bottleneck_sums(b, ms * MS, sum);
	CHECK(sum[BOTTLENECK_SOURCE] == source * MS);
	CHECK(sum[BOTTLENECK_NETWORK] == network * MS);
	CHECK(sum[BOTTLENECK_CONSUMER] == consumer * MS);
}

/* A sender: of the consumer it knows what it was told, and guesses a little since. */
static void
test_told(void)
{
	struct bottleneck b;

	bottleneck_init(&b, BOTTLENECK_CONSUMER, 1000 * MS);
	bottleneck_set(&b, BOTTLENECK_SOURCE, 1100 * MS);
	bottleneck_set(&b, BOTTLENECK_NETWORK, 1300 * MS);
	CHECK(bottleneck_ms(&b, BOTTLENECK_SOURCE, 1500 * MS) == 200);
	sums_are(&b, 1500, 200, 300, 0);
	/* Its word counts, whatever was guessed. */
	bottleneck_told(&b, 250, 1500 * MS);
	sums_are(&b, 1500, 200, 50, 250);
	bottleneck_told(&b, 100, 1500 * MS);
	sums_are(&b, 1500, 200, 50, 250);
	/* Then a guess, which the next word replaces, and which ends. */
	bottleneck_set(&b, BOTTLENECK_CONSUMER, 1500 * MS);
	sums_are(&b, 2000, 200, 50, 750);
	bottleneck_told(&b, 600, 2000 * MS);
	sums_are(&b, 2000, 200, 200, 600);
	sums_are(&b, 3000, 200, 200, 1600);
	sums_are(&b, 9000, 200, 5200, 2600);
}

/* What is said need not be true, and both may be waited for at once. */
static void
test_more_than_there_is(void)
{
	struct bottleneck b;

	bottleneck_init(&b, BOTTLENECK_CONSUMER, 0);
	bottleneck_set(&b, BOTTLENECK_SOURCE, 0);
	bottleneck_told(&b, 400, 1000 * MS);
	sums_are(&b, 1000, 600, 0, 400);
	bottleneck_told(&b, UINT32_MAX, 1000 * MS);
	sums_are(&b, 1000, 0, 0, 1000);
	CHECK(bottleneck_ms(&b, BOTTLENECK_SOURCE, UINT64_MAX) == UINT32_MAX);
}

static void
test_outcome(void)
{
	static const uint64_t none[BOTTLENECK_KINDS], source[BOTTLENECK_KINDS] = { 3, 2, 1 },
	    consumer[BOTTLENECK_KINDS] = { 3, 2, 4 }, tie[BOTTLENECK_KINDS] = { 2, 2, 2 };

	CHECK(bottleneck_largest(none) == BOTTLENECK_NETWORK &&
	    bottleneck_largest(tie) == BOTTLENECK_NETWORK);
	CHECK(bottleneck_largest(source) == BOTTLENECK_SOURCE &&
	    bottleneck_largest(consumer) == BOTTLENECK_CONSUMER);
	CHECK(bottleneck_share(source, BOTTLENECK_SOURCE) > 0.499);
	CHECK(bottleneck_share(source, BOTTLENECK_SOURCE) < 0.501);
	CHECK(bottleneck_share(none, BOTTLENECK_SOURCE) < 1e-9);
	CHECK(strcmp(bottleneck_name(BOTTLENECK_CONSUMER), "consumer") == 0);
}

int
main(void)
{
	test_sums();
	test_told();
	test_more_than_there_is();
	test_outcome();
	return check_done();
}
