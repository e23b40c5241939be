/*
 * What holds a path down, from counters as kernels tell them.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "check.h"
#include "../core/limit.h"
#include "core/time.h"

static struct limit l;
static struct limit_counters was[LIMIT_LEGS];

/* Legs, each of which sent a hundred packets in 100 ms and saw this. */
static void
adds(unsigned legs, const struct limit_counters *saw)
{
	struct limit_counters now;
	unsigned i;

	for (i = 0; i < legs; i++) {
		now = *saw;
		now.sent = was[i].sent + 100;
		now.retransmitted = was[i].retransmitted + saw->retransmitted;
		now.busy_us = was[i].busy_us + 100000;
		now.receiver_us = was[i].receiver_us + saw->receiver_us;
		now.buffer_us = was[i].buffer_us + saw->buffer_us;
		limit_add(&l, &now, &was[i], 1000 * MS);
		was[i] = now;
	}
}

static void
starts(void)
{
	limit_init(&l);
	memset(was, 0, sizeof(was));
}

static void
test_kinds(void)
{
	struct limit_counters saw = { .rtt_us = 81000, .least_rtt_us = 80000 };

	starts();
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_NONE);
	adds(8, &saw);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_NONE && l.loss == 0);
	adds(8, &saw);
	CHECK(limit_judge(&l, false, true, 0) == LIMIT_APPLICATION);
	saw.retransmitted = 1;
	adds(8, &saw);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_LOSS);
	CHECK(l.loss > 0.0099 && l.loss < 0.0101);
	/* Who does not slow down for a loss is not held down by it. */
	adds(8, &saw);
	CHECK(limit_judge(&l, true, false, 0) == LIMIT_NONE);
	/* Most still grow. */
	saw.slow_start = true;
	adds(8, &saw);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_NONE);
	saw.slow_start = false;
	/* A queue says more than a loss. */
	saw.rtt_us = 100000;
	adds(8, &saw);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_PATH);
	saw.rtt_us = 80000;
	saw.receiver_us = 60000;
	adds(8, &saw);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_RECEIVER);
	saw.receiver_us = 0;
	saw.buffer_us = 60000;
	adds(8, &saw);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_BUFFER);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_NONE);
}

/* A tunnel's near end takes all at once, whatever the path beyond does. */
static void
test_tunnel(void)
{
	struct limit_counters saw = { .rtt_us = 60, .least_rtt_us = 30, .buffer_us = 90000 };

	starts();
	adds(4, &saw);
	CHECK(limit_judge(&l, true, true, 40 * MS) == LIMIT_NONE);
	adds(4, &saw);
	CHECK(limit_judge(&l, true, true, MS) == LIMIT_BUFFER);
	saw.rtt_us = saw.least_rtt_us = 39000;
	l.least_us = 0;
	adds(4, &saw);
	CHECK(limit_judge(&l, true, true, 40 * MS) == LIMIT_BUFFER);
}

/* Some connections whose receivers answer late are no queue. */
static void
test_few_late(void)
{
	struct limit_counters saw = { .rtt_us = 20000, .least_rtt_us = 20000 };
	struct limit_counters late = { .rtt_us = 60000, .least_rtt_us = 20000 };

	starts();
	adds(8, &saw);
	adds(16, &late);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_NONE);
	adds(2, &saw);
	adds(16, &late);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_PATH);
}

/* A system that tells nothing, or begins a counter anew. */
static void
test_odd(void)
{
	struct limit_counters none = { 0 }, before = { .sent = 4294967200u, .busy_us = 5 };
	struct limit_counters after = { .sent = 4, .busy_us = 6, .rtt_us = 1000 };

	starts();
	limit_add(&l, &none, &none, MS);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_NONE);
	limit_add(&l, &after, &before, MS);
	CHECK(l.sent == 100);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_NONE);
}

/* A route that changes to a longer one does not count as full for ever. */
static void
test_forgets(void)
{
	struct limit_counters now = { .sent = 1, .rtt_us = 10000 }, before = { 0 };
	uint64_t at = 1000 * MS;

	starts();
	limit_add(&l, &now, &before, at);
	now.rtt_us = 300000;
	limit_add(&l, &now, &before, at + 100 * MS);
	CHECK(l.least_us == 10000);
	limit_judge(&l, true, true, 0);
	limit_add(&l, &now, &before, at + LIMIT_MIN_NS + MS);
	CHECK(l.least_us == 300000);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_NONE);
}

/* What is lost while a queue goes is the queue's. */
static void
test_after_queue(void)
{
	struct limit_counters full = { .rtt_us = 100000, .least_rtt_us = 80000 };
	struct limit_counters lossy = {
		.rtt_us = 80000, .least_rtt_us = 80000, .retransmitted = 1
	};
	unsigned i;

	starts();
	adds(4, &full);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_PATH);
	for (i = 1; i < LIMIT_CALM; i++) {
		adds(4, &lossy);
		CHECK(limit_judge(&l, true, true, 0) == LIMIT_NONE);
	}
	adds(4, &lossy);
	CHECK(limit_judge(&l, true, true, 0) == LIMIT_LOSS);
}

/* Of what the network did; not when there was nothing to send. */
static void
test_mostly(void)
{
	struct limit_counters full = { .rtt_us = 100000, .least_rtt_us = 80000 };
	struct limit_counters lossy = {
		.rtt_us = 80000, .least_rtt_us = 80000, .retransmitted = 1
	};
	unsigned i;

	starts();
	CHECK(limit_mostly(&l) == LIMIT_NONE);
	for (i = 0; i < 10; i++)
		limit_judge(&l, false, true, 0);
	CHECK(limit_mostly(&l) == LIMIT_NONE);
	for (i = 0; i < 6; i++) {
		adds(4, i < 2 ? &full : &lossy);
		limit_judge(&l, true, true, 0);
	}
	CHECK(limit_mostly(&l) == LIMIT_LOSS);
}

int
main(void)
{
	unsigned i;

	test_kinds();
	test_tunnel();
	test_few_late();
	test_odd();
	test_forgets();
	for (i = 0; i < LIMIT_KINDS; i++) {
		CHECK(limit_name((enum limit_kind)i)[0] != '\0');
		CHECK(limit_word((enum limit_kind)i)[0] != '\0');
	}
	test_after_queue();
	test_mostly();
	return check_done();
}
