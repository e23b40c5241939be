/*
 * Goal: the books of many streams keep their invariants, whatever opens, sends, ends and
 * fails at either end and in whatever order: every byte comes once and in order, credit is
 * never exceeded, both ends forget a stream together, turns are fair, and a peer that
 * breaks the rules harms only the stream in which it does.
 *
 * Two ends are driven at random, with two queues of records between them; then each rule
 * by itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/streams.h"

#define QUEUE	4096
#define CONNS	64
#define WINDOW	(1u << 20)

/* A connection at one end: what it sent, took and was told. */
struct conn {
	struct stream stream;
	bool used;
	uint32_t sent, came, taken;	/* bytes */
	uint32_t length;		/* it ends after so many */
	bool dropped;
};

struct end {
	struct streams streams;
	struct conn conn[CONNS];
	struct record queue[QUEUE];	/* on their way from it */
	unsigned head, tail;
};

static struct end ends[2];
static uint64_t now_ns, random_state;
static unsigned long long whole, cut;

static uint32_t
pick(uint32_t n)
{
	return (uint32_t)check_below(&random_state, n);
}

static struct conn *
free_conn(struct end *e)
{
	unsigned i;

	for (i = 0; i < CONNS; i++)
		if (!e->conn[i].used)
			return memset(&e->conn[i], 0, sizeof(e->conn[i]));
	return NULL;
}

static struct conn *
peer_of(struct end *e, const struct conn *c)
{
	struct end *other = &ends[e == ends];
	unsigned i;

	for (i = 0; i < CONNS; i++)
		if (other->conn[i].used && other->conn[i].stream.number == c->stream.number)
			return &other->conn[i];
	return NULL;
}

static void
settle(struct end *e, struct conn *c)
{
	if (c->stream.reset)
		c->dropped = true;
	if (!stream_over(&c->stream))
		return;
	if (!c->dropped) {
		CHECK(c->taken == c->came && c->stream.fin_came && c->stream.fin_said);
		whole++;
	} else
		cut++;
	streams_remove(&e->streams, &c->stream);
	c->used = false;
}

static void
open_one(struct end *e)
{
	struct conn *c = free_conn(e);

	if (c == NULL || streams_full(&e->streams))
		return;
	c->used = true;
	c->length = pick(3) == 0 ? 0 : pick(200000);
	streams_open(&e->streams, &c->stream);
}

/* Something is said, if there is anything. */
static void
say_one(struct end *e)
{
	struct record r;
	struct conn *c;
	uint32_t n;

	if (e->tail - e->head == QUEUE)
		return;
	c = (struct conn *)streams_next(&e->streams, 16384, 16384, &r);
	if (c == NULL)
		return;
	if (r.type == RECORD_DATA) {
		CHECK(r.value > 0 && r.value <= c->stream.sendable && !c->stream.ended);
		n = c->length - c->sent;
		n = n == 0 ? 0 : 1 + pick(n < r.value ? n : r.value);
		if (n == 0) {
			streams_ended(&e->streams, &c->stream);
			return;
		}
		r.value = n;
		c->sent += n;
		streams_sent(&e->streams, &c->stream, n);
	}
	e->queue[e->tail++ % QUEUE] = r;
	settle(e, c);
}

static void
hear_one(struct end *e)
{
	struct end *from = &ends[e == ends];
	struct conn *c;
	struct stream *st;
	struct record r;

	if (from->head == from->tail)
		return;
	r = from->queue[from->head++ % QUEUE];
	switch (streams_heard(&e->streams, &r, &st)) {
	case STREAMS_OPEN:
		c = free_conn(e);
		CHECK(c != NULL);
		c->used = true;
		c->length = pick(200000);
		streams_accept(&e->streams, &c->stream, r.number);
		streams_ready(&e->streams, &c->stream);
		st = NULL;
		break;
	case STREAMS_DATA:
		c = (struct conn *)st;
		c->came += r.value;
		/* Invariant 3. */
		CHECK(c->came - c->taken <= c->stream.window);
		break;
	case STREAMS_CREDIT:
		streams_ready(&e->streams, st);
		break;
	case STREAMS_BROKEN:
		CHECK(false);
		break;
	case STREAMS_FIN:
	case STREAMS_SKIP:
	case STREAMS_NOTHING:
		break;
	}
	if (st != NULL)
		settle(e, (struct conn *)st);
}

static void
live_one(struct end *e)
{
	struct conn *c = &e->conn[pick(CONNS)];
	uint32_t n;

	if (!c->used)
		return;
	if (pick(400) == 0) {
		streams_reset(&e->streams, &c->stream, STREAM_LOST);
		settle(e, c);
		return;
	}
	if (c->dropped)
		return;
	streams_ready(&e->streams, &c->stream);
	if (c->taken < c->came) {
		n = 1 + pick(c->came - c->taken);
		c->taken += n;
		streams_taken(&e->streams, &c->stream, n, pick(2) == 0, now_ns);
	} else if (c->stream.fin_came && !c->stream.written) {
		struct conn *p = peer_of(e, c);

		CHECK(p == NULL || p->dropped || c->came == p->sent);
		streams_written(&e->streams, &c->stream);
		settle(e, c);
	}
}

static void
drive(void)
{
	unsigned long step;
	unsigned i, left = 1;

	for (i = 0; i < 2; i++) {
		streams_init(&ends[i].streams, i == 0);
		streams_agree(&ends[i].streams, WINDOW);
	}
	for (step = 0; step < 3000000 || (left > 0 && step < 6000000); step++) {
		struct end *e = &ends[pick(2)];

		now_ns += pick(20000);
		if (step < 2900000 && pick(50) == 0)
			open_one(e);
		say_one(e);
		hear_one(&ends[pick(2)]);
		live_one(e);
		CHECK(e->streams.ours <= e->streams.most);
		left = ends[0].streams.open + ends[1].streams.open;
	}
	CHECK(left == 0);
	for (i = 0; i < 2; i++) {
		CHECK(ends[i].head == ends[i].tail);
		CHECK(ends[i].streams.budget == WINDOW / 2);
	}
	CHECK(whole > 1000 && cut > 500);
	printf("%llu streams ended well, %llu were reset\n", whole, cut);
}

/* Turns */

static void
test_turns(void)
{
	static struct stream st[4], late;
	struct streams s;
	struct record r;
	struct stream *next;
	unsigned long bytes[4] = { 0 }, i, k;

	streams_init(&s, true);
	streams_agree(&s, 64u << 20);
	s.budget = 0;
	for (i = 0; i < 4; i++)
		streams_open(&s, &st[i]);
	for (i = 0; i < 4; i++) {
		next = streams_next(&s, 1000, 1000, &r);
		CHECK(next == &st[i] && r.type == RECORD_OPEN && r.number == 2 * i + 1);
		st[i].sendable = 100000000;
		streams_ready(&s, &st[i]);
	}
	for (i = 0; i < 4000; i++) {
		next = streams_next(&s, 1000, 1000, &r);
		CHECK(next != NULL && r.type == RECORD_DATA && r.value == 1000);
		for (k = 0; next != &st[k]; k++)
			;
		/* One of them sends a tenth of what it may: all get the same nevertheless. */
		streams_sent(&s, next, k == 0 ? 100 : 1000);
		bytes[k] += k == 0 ? 100 : 1000;
	}
	for (k = 1; k < 4; k++)
		CHECK(bytes[k] <= bytes[0] + 2000 && bytes[0] <= bytes[k] + 2000);
	/* One that has sent nothing of late comes first. */
	streams_open(&s, &late);
	CHECK(streams_next(&s, 1000, 1000, &r) == &late && r.type == RECORD_OPEN);
	streams_ready(&s, &late);
	CHECK(streams_next(&s, 1000, 1000, &r) == &late && r.type == RECORD_DATA);
	streams_sent(&s, &late, 50);
	streams_idle(&late);
	CHECK(streams_next(&s, 1000, 1000, &r) != &late);
	streams_ready(&s, &late);
	CHECK(streams_next(&s, 1000, 1000, &r) == &late);
	/* But not for ever. */
	for (i = 0; i < 100 && streams_next(&s, 1000, 1000, &r) == &late; i++)
		streams_sent(&s, &late, 50);
	CHECK(i < 30);
	/* Without credit it has no turn. */
	st[1].sendable = 10;
	for (i = 0; i < 10; i++) {
		next = streams_next(&s, 1000, 1000, &r);
		CHECK(next != &st[1] || r.value == 10);
		streams_sent(&s, next, r.value);
	}
	for (i = 0; i < 100; i++) {
		next = streams_next(&s, 1000, 1000, &r);
		CHECK(next != &st[1]);
		streams_sent(&s, next, r.value);
	}
}

/* A peer that breaks the rules */

static struct streams strict;
static struct stream good, bad;

static enum streams_event
hear(enum record_type type, uint32_t number, uint32_t value, struct stream **st)
{
	struct record r = { .type = type, .number = number, .value = value };

	r.reason = type == RECORD_RESET ? STREAM_LOST : 0;
	return streams_heard(&strict, &r, st);
}

/* Two streams of the peer's, of which the second is to be harmed. */
static void
begin_strict(void)
{
	struct stream *st;

	streams_init(&strict, false);
	streams_agree(&strict, WINDOW);
	strict.budget = 0;
	CHECK(hear(RECORD_OPEN, 1, 0, &st) == STREAMS_OPEN && st == NULL);
	streams_accept(&strict, &good, 1);
	CHECK(hear(RECORD_OPEN, 3, 0, &st) == STREAMS_OPEN);
	streams_accept(&strict, &bad, 3);
}

/* Only `bad' was reset, and what the peer says of it later changes nothing. */
static void
harmed(void)
{
	struct record r;
	struct stream *st;

	CHECK(bad.reset && !good.reset);
	CHECK(hear(RECORD_DATA, 1, 100, &st) == STREAMS_DATA && st == &good);
	CHECK(hear(RECORD_DATA, 3, 100, &st) == STREAMS_SKIP);
	CHECK(hear(RECORD_CREDIT, 3, 100, &st) == STREAMS_NOTHING);
	CHECK(hear(RECORD_FIN, 3, 0, &st) == STREAMS_NOTHING);
	CHECK(streams_next(&strict, 1000, 1000, &r) == &bad && r.type == RECORD_RESET &&
	    r.reason == STREAM_PROTOCOL);
	CHECK(streams_next(&strict, 1000, 1000, &r) == NULL);
	CHECK(!stream_over(&bad));
	hear(RECORD_CLOSE, 3, 0, &st);
	CHECK(stream_over(&bad));
	streams_remove(&strict, &bad);
	CHECK(strict.open == 1);
}

static void
test_rules(void)
{
	struct stream *st;
	struct record r;
	unsigned i;

	/* Data beyond the credit. */
	begin_strict();
	CHECK(hear(RECORD_DATA, 3, STREAM_CREDIT, &st) == STREAMS_DATA);
	CHECK(hear(RECORD_DATA, 3, 1, &st) == STREAMS_SKIP);
	harmed();
	/* Data after FIN, and a second FIN. */
	begin_strict();
	CHECK(hear(RECORD_FIN, 3, 0, &st) == STREAMS_FIN);
	CHECK(hear(RECORD_DATA, 3, 1, &st) == STREAMS_SKIP);
	harmed();
	begin_strict();
	CHECK(hear(RECORD_FIN, 3, 0, &st) == STREAMS_FIN);
	CHECK(hear(RECORD_FIN, 3, 0, &st) == STREAMS_NOTHING);
	harmed();
	/* A number that is used twice. */
	begin_strict();
	CHECK(hear(RECORD_OPEN, 3, 0, &st) == STREAMS_NOTHING);
	harmed();
	CHECK(hear(RECORD_OPEN, 3, 0, &st) == STREAMS_NOTHING && st == NULL);
	/* Credit without end. */
	begin_strict();
	for (i = 0; i < 1000; i++)
		hear(RECORD_CREDIT, 3, RECORD_CREDIT_MAX, &st);
	harmed();
	/* CLOSE in the middle, which is answered. */
	begin_strict();
	CHECK(hear(RECORD_CLOSE, 3, 0, &st) == STREAMS_NOTHING && bad.reset && !good.reset);
	CHECK(streams_next(&strict, 1000, 1000, &r) == &bad && r.type == RECORD_CLOSE);
	CHECK(stream_over(&bad));
	streams_remove(&strict, &bad);
	/* Numbers that are not there, or not the peer's to give. */
	CHECK(hear(RECORD_RESET, 77, 0, &st) == STREAMS_NOTHING && st == NULL);
	CHECK(hear(RECORD_DATA, 77, 9, &st) == STREAMS_SKIP && st == NULL);
	CHECK(hear(RECORD_CREDIT, 77, 9, &st) == STREAMS_NOTHING);
	CHECK(hear(RECORD_OPEN, 78, 0, &st) == STREAMS_NOTHING);
	CHECK(hear(RECORD_OPEN, 1, 0, &st) == STREAMS_NOTHING && good.reset);
	/* More than were agreed on. */
	begin_strict();
	CHECK(strict.most == 16);
	strict.open = strict.most;
	CHECK(hear(RECORD_OPEN, 5, 0, &st) == STREAMS_BROKEN);
}

/* A stream that fails before its OPEN was said was never there for the peer. */
static void
test_unsaid(void)
{
	struct streams s;
	struct stream st;
	struct record r;

	streams_init(&s, true);
	streams_open(&s, &st);
	streams_reset(&s, &st, STREAM_LOST);
	CHECK(stream_over(&st));
	streams_remove(&s, &st);
	CHECK(streams_next(&s, 1000, 1000, &r) == NULL && s.open == 0);
}

/* Windows */

static void
test_windows(void)
{
	struct stream *st, first;
	struct record r;
	unsigned i;

	/* Taken at once, in little time: it grows to its bound, and the budget pays. */
	begin_strict();
	strict.budget = 64u << 20;
	for (i = 0; i < 100000 && bad.window < STREAMS_WINDOW_MAX; i++) {
		CHECK(hear(RECORD_DATA, 3, 8192, &st) == STREAMS_DATA);
		streams_taken(&strict, &bad, 8192, false, 1000 + i * 1000);
		while (streams_next(&strict, 1000, 1000, &r) != NULL)
			CHECK(r.type == RECORD_CREDIT);
	}
	CHECK(bad.window == STREAMS_WINDOW_MAX);
	CHECK(strict.budget == (64u << 20) - STREAMS_WINDOW_MAX + STREAM_CREDIT);
	/* Slowly, or only after it was kept: it stays. */
	for (i = 0; i < 3000; i++) {
		hear(RECORD_DATA, 1, 1000, &st);
		streams_taken(&strict, &good, 1000, false, 1000 + i * 100000000ULL);
		streams_next(&strict, 1000, 1000, &r);
	}
	CHECK(good.window == STREAM_CREDIT);
	for (i = 0; i < 3000; i++) {
		hear(RECORD_DATA, 1, 1000, &st);
		streams_taken(&strict, &good, 1000, true, 1000 + i * 1000ULL);
		streams_next(&strict, 1000, 1000, &r);
	}
	CHECK(good.window == STREAM_CREDIT);
	/* The budget is never exceeded. */
	begin_strict();
	strict.budget = 3 * STREAM_CREDIT;
	for (i = 0; i < 1000; i++) {
		hear(RECORD_DATA, 3, 8192, &st);
		streams_taken(&strict, &bad, 8192, false, 1000 + i * 1000);
		streams_next(&strict, 1000, 1000, &r);
	}
	CHECK(bad.window == 4 * STREAM_CREDIT && strict.budget == 0);
	/* A new stream has more from the start while there is a budget. */
	begin_strict();
	strict.budget = 64u << 20;
	streams_open(&strict, &first);
	CHECK(streams_next(&strict, 1000, 1000, &r) == &first && r.type == RECORD_OPEN);
	CHECK(streams_next(&strict, 1000, 1000, &r) == &first && r.type == RECORD_CREDIT);
	CHECK(r.value == 1 << 20 && first.window == STREAM_CREDIT + (1 << 20));
	CHECK(first.expected == first.window && strict.budget == 63u << 20);
}

/* The codec */

static void
test_record(void)
{
	struct record r, back;
	uint8_t head[RECORD_HEAD], other[RECORD_HEAD];
	unsigned long i, legal = 0;

	for (i = 0; i < 2000000; i++) {
		unsigned k;

		for (k = 0; k < RECORD_HEAD; k++)
			head[k] = (uint8_t)pick(pick(3) == 0 || k == 7 ? 256 : k == 0 ? 9 : 2);
		if (record_decode(&r, head) != NULL)
			continue;
		legal++;
		record_encode(&r, other);
		CHECK(memcmp(head, other, RECORD_HEAD) == 0);
		CHECK(record_decode(&back, other) == NULL && back.number == r.number);
		CHECK(r.type != RECORD_RESET || record_reason(r.reason) != NULL);
	}
	CHECK(legal > 1000);
	memset(head, 0, sizeof(head));
	CHECK(record_decode(&r, head) != NULL);
}

int
main(int argc, char *argv[])
{
	random_state = check_seed(argc, argv, 1);
	test_record();
	test_turns();
	test_rules();
	test_unsaid();
	test_windows();
	drive();
	return check_done();
}
