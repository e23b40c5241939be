/*
 * Who is waited for, and for how long: sums, what is under way, ties, clocks
 * that are read in another order than the lock is taken in.
 */
#include "blame.h"

#include <string.h>

#include "check.h"

static void
test_sums(void)
{
	uint64_t sum[BLAME_KINDS];
	struct blame b;

	blame_init(&b, BLAME_NETWORK, 1000);
	blame_sums(&b, 1000, sum);
	CHECK(sum[0] == 0 && sum[1] == 0 && sum[2] == 0);
	blame_set(&b, BLAME_SOURCE, 1100);
	blame_set(&b, BLAME_SOURCE, 1200);
	blame_set(&b, BLAME_CONSUMER, 1500);
	blame_sums(&b, 1505, sum);
	CHECK(sum[BLAME_NETWORK] == 100 && sum[BLAME_SOURCE] == 400);
	CHECK(sum[BLAME_CONSUMER] == 5);
	/* Up to a moment that is over: what is under way does not count. */
	blame_sums(&b, 1400, sum);
	CHECK(sum[BLAME_CONSUMER] == 0 && sum[BLAME_SOURCE] == 400);
	/* A clock that was read earlier. */
	blame_set(&b, BLAME_NETWORK, 1490);
	blame_sums(&b, 1510, sum);
	CHECK(sum[BLAME_CONSUMER] == 0 && sum[BLAME_NETWORK] == 110);
}

static void
test_verdict(void)
{
	static const uint64_t none[BLAME_KINDS], source[BLAME_KINDS] = { 3, 2, 1 },
	    consumer[BLAME_KINDS] = { 3, 2, 4 }, tie[BLAME_KINDS] = { 2, 2, 2 };

	CHECK(blame_most(none) == BLAME_NETWORK && blame_most(tie) == BLAME_NETWORK);
	CHECK(blame_most(source) == BLAME_SOURCE && blame_most(consumer) == BLAME_CONSUMER);
	CHECK(blame_share(source, BLAME_SOURCE) > 0.499);
	CHECK(blame_share(source, BLAME_SOURCE) < 0.501);
	CHECK(blame_share(none, BLAME_SOURCE) < 1e-9);
	CHECK(strcmp(blame_name(BLAME_CONSUMER), "consumer") == 0);
}

int
main(void)
{
	test_sums();
	test_verdict();
	return check_done();
}
