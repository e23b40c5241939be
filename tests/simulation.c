/*
 * A seeded simulation of both ends of the stream: the sender's window on one
 * side, the receiver's order on the other, and between them legs that are
 * queues with delays and faults of their own.  No sockets, no threads, no
 * clock: one step is one thing that one thread might do, and chance says which
 * comes next.
 *
 *	simulation [seed [count [trace]]]
 *
 * runs the schedules seed, seed + 1, ... A schedule depends on its seed alone;
 * one that fails says its seed, and "simulation SEED 1 trace" tells its story.
 *
 * Each schedule has two parts.  In the first, legs are reset, closed by either
 * end, silent in one direction or both and redialled, greetings are late,
 * payloads are spoilt, headers are forged and the consumer stalls.  In some
 * schedules no connection lives until its first STATUS, to the very end.  In the second all of that
 * has ended and everybody gets a turn in each round; the transfer must then come
 * to its end within a bounded number of rounds.  What must hold is checked at
 * every step:
 *  1. the consumer gets the bytes of the stream, in order, each once;
 *  2. nothing is acknowledged that the receiver does not have, and nothing is
 *     sent beyond the credit that it has given;
 *  3. what a leg sends from stays in place until the leg is done with it, and
 *     so does what the writer writes from;
 *  4. the sender hears "done" only after all was delivered;
 *  5. window_audit and reassembly_audit find nothing.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "../core/reassembly.h"
#include "../core/window.h"
#include "core/time.h"

#define LEGS	8
#define CONNS	4		/* connections of one leg, old and new, at once */
#define DOWN	16		/* frames on their way on one connection */
#define UP	16		/* words on their way back */
#define SPARE	6		/* of them for words that may not be left out */
#define PIECES	16
#define STREAM	(64u << 10)

enum down_kind { DOWN_DATA, DOWN_FIN, DOWN_FAIL, DOWN_BYE };

struct down {
	enum down_kind kind;
	uint64_t seq;
	uint32_t length;
	uint32_t there;		/* bytes of the payload that were sent */
	bool spoilt;
	bool forged;		/* a header that is not the sender's, and nothing more */
};

enum up_kind { UP_WELCOME, UP_REFUSE, UP_STATUS, UP_DONE, UP_FAIL, UP_BYE };

struct up {
	enum up_kind kind;
	uint64_t delivered;
	uint64_t limit;
	unsigned count;
	struct status_entry entry[LEGS];
};

/* Free when neither end has it and no HELLO is on its way. */
struct conn {
	bool hello;		/* the HELLO has not arrived */
	bool tx_open;
	bool rx_open;
	bool cut;		/* nothing arrives any more, both will notice */
	bool hole_down;		/* nothing arrives for now */
	bool hole_up;
	unsigned leg;
	uint32_t incarnation;
	unsigned slow;		/* one attempt in so many gets through */
	unsigned down_head, down_count;
	uint32_t down_taken;	/* bytes taken of the first frame */
	unsigned up_head, up_count;
	struct down down[DOWN];
	struct up up[UP];
};

struct tx_leg {
	struct conn *conn;
	bool up;		/* WELCOME has come */
	uint32_t newest;
	bool active;
	struct window_frame frame;
	uint32_t at;		/* bytes of it that were sent */
	bool said_fail;
	bool said_bye;
};

/* As struct inflow. */
struct rx_leg {
	struct conn *conn;
	uint32_t newest;
	bool known;
	uint32_t incarnation;
	uint64_t received;
	bool said;		/* the outcome, on this connection */
	bool inside;		/* of a frame */
	enum reassembly_way way;
	uint64_t seq, end, begin, skip;
	struct reassembly_buffer *buffer;
	bool waiting;
	uint64_t wait_until_ns;
	uint64_t full_ns;
};

enum outcome { NONE, DONE, FAILED };

static uint8_t stream[STREAM];

static struct {
	uint64_t seed, random, now_ns, steps;
	bool trace;
	/* What this schedule is like. */
	unsigned legs, stride, calm, cuts, dribble, audit;
	bool checked, copies, direct, mean, brief;
	uint64_t total, window_bytes;
	uint32_t frame;
	uint64_t late_ns;
	unsigned rx_fails, tx_fails;	/* at this step; 0 = never */
	/* The sender. */
	struct window window;
	struct tx_leg tx[LEGS];
	uint8_t *room;
	size_t room_size;
	bool agreed;
	enum outcome tx_outcome;
	bool tx_released;
	/* The receiver. */
	struct reassembly reassembly;
	struct rx_leg rx[LEGS];
	uint64_t delivered;
	bool stopped, stalled, writing, released;
	bool told_failed;	/* the sender's FAIL has come */
	struct reassembly_piece piece[PIECES];
	size_t pieces;
	enum outcome rx_outcome;
	long buffers;
	struct conn conn[LEGS * CONNS];	/* of leg n from n * CONNS on */
} sim;

/* What happened in all schedules, to prove that it did. */
static struct {
	uint64_t frames, bytes, copies, resent, repeated, takeovers, closes, stale, replaced,
	    orphans, prefixes, spoilt, soon, turns, full, resumed_late, partial, fins, failed,
	    outcomes_lost, empty, stretched, gaveup, forged, ahead, greeted;
} seen;

static void
broken(int line, const char *what)
{
	fflush(stdout);
	fprintf(stderr, "%s:%d: schedule %llu, step %llu: %s\n"
	    "its story: simulation %llu 1 trace\n", __FILE__, line,
	    (unsigned long long)sim.seed, (unsigned long long)sim.steps, what,
	    (unsigned long long)sim.seed);
	exit(1);
}

#define HOLDS(cond) do { if (!(cond)) broken(__LINE__, "not true: " #cond); } while (0)
#define SOUND(text) do {					\
	const char *what_ = (text);				\
								\
	if (what_ != NULL)					\
		broken(__LINE__, what_);			\
} while (0)
#define TELL(...) do {						\
	if (sim.trace) {					\
		printf("%6llu ", (unsigned long long)sim.steps);	\
		printf(__VA_ARGS__);				\
		putchar('\n');					\
	}							\
} while (0)
#define U(x)	((unsigned long long)(x))

static size_t
draw(size_t bound)
{
	return check_below(&sim.random, bound);
}

static bool
once_in(size_t n)
{
	return draw(n) == 0;
}

/* From 1 to most, small ones as likely as large ones. */
static uint64_t
some(uint64_t most)
{
	unsigned bits = 0;
	uint64_t n;

	while (most >> bits > 1)
		bits++;
	n = 1 + check_random(&sim.random) % ((uint64_t)2 << draw(bits + 1));
	return n < most ? n : most;
}

static unsigned
number(unsigned i)
{
	return i * sim.stride;
}

/* Connections */

static void
conn_clear_down(struct conn *c)
{
	c->down_count = 0;
	c->down_taken = 0;
}

static struct down *
conn_send(struct conn *c, enum down_kind kind)
{
	struct down *d;

	if (!c->rx_open || c->cut)
		return NULL;
	HOLDS(c->down_count < DOWN);
	d = &c->down[(c->down_head + c->down_count++) % DOWN];
	memset(d, 0, sizeof(*d));
	d->kind = kind;
	return d;
}

static struct up *
conn_answer(struct conn *c, enum up_kind kind)
{
	static struct up nowhere;
	struct up *u = &nowhere;

	if (c->tx_open && !c->cut && c->up_count < UP && !(sim.brief && kind == UP_STATUS))
		u = &c->up[(c->up_head + c->up_count++) % UP];
	else if (kind == UP_DONE || kind == UP_FAIL)
		seen.outcomes_lost++;
	u->kind = kind;
	u->count = 0;
	return u;
}

/* The sender's side */

static void
tx_close(unsigned i, const char *why)
{
	struct tx_leg *l = &sim.tx[i];
	struct conn *c = l->conn;

	TELL("tx %u.%u closes: %s", i, c->incarnation, why);
	if (l->active)
		window_release(&sim.window, l->frame.chunk);
	if (l->up)
		HOLDS(window_leg_down(&sim.window, number(i)) == 0);
	l->active = l->up = false;
	l->conn = NULL;
	c->tx_open = false;
	c->up_count = 0;
	seen.closes++;
}

static void
tx_dial(unsigned i)
{
	struct tx_leg *l = &sim.tx[i];
	struct conn *c = sim.conn + i * CONNS, *end = c + CONNS;

	while (c < end && (c->hello || c->tx_open || c->rx_open))
		c++;
	if (l->conn != NULL || c == end)
		return;
	c->hello = c->tx_open = true;
	c->cut = c->hole_down = c->hole_up = false;
	c->leg = i;
	c->incarnation = ++l->newest;
	c->slow = once_in(3) ? 1 + (unsigned)draw(12) : 1;
	c->up_count = 0;
	conn_clear_down(c);
	l->conn = c;
	l->said_fail = l->said_bye = false;
	TELL("tx %u.%u dials", i, c->incarnation);
}

static void
source_act(void)
{
	struct window *w = &sim.window;
	size_t n;

	if (w->eof || sim.tx_outcome != NONE)
		return;
	if (sim.room == NULL && w->end < sim.total) {
		sim.room = window_room(w, &n);
		HOLDS(sim.room != NULL ? n > 0 : n == 0);
		sim.room_size = n;
		return;
	}
	if (sim.room != NULL) {
		n = (size_t)some(sim.room_size);
		if (n > sim.total - w->end)
			n = (size_t)(sim.total - w->end);
		memcpy(sim.room, stream + w->end, n);
		window_fill(w, n);
		sim.room = NULL;
		TELL("source %llu", U(w->end));
	}
	/* The end may come with the last bytes or later. */
	if (w->end == sim.total && once_in(2))
		window_eof(w, 0);
}

/* The frame is what the stream has there, and within the credit. */
static void
check_frame(const struct window_frame *f)
{
	HOLDS(f->length > 0 && f->length <= sim.frame);
	HOLDS(f->seq >= sim.window.base && f->seq + f->length <= sim.window.limit);
	HOLDS(f->seq + f->length <= sim.total);
	HOLDS(memcmp(f->data, stream + f->seq, f->length) == 0);
}

/* What goes out next; false when there is nothing. */
static bool
tx_next(unsigned i)
{
	struct tx_leg *l = &sim.tx[i];
	struct down *d;

	if (l->conn->down_count == DOWN)
		return false;
	if (sim.tx_fails == 1 && !l->said_fail) {
		l->said_fail = true;
		conn_send(l->conn, DOWN_FAIL);
		return true;
	}
	if (sim.tx_outcome != NONE && sim.tx_fails != 1) {
		if (!l->said_bye)
			conn_send(l->conn, DOWN_BYE);
		l->said_bye = true;
		return false;
	}
	HOLDS(window_take(&sim.window, number(i), (uint32_t)some(sim.cuts), sim.now_ns,
	    &l->frame) == 0);
	if (l->frame.kind == WINDOW_NONE)
		return false;
	d = conn_send(l->conn, l->frame.kind == WINDOW_FIN ? DOWN_FIN : DOWN_DATA);
	if (l->frame.kind == WINDOW_FIN) {
		seen.fins++;
		return true;
	}
	check_frame(&l->frame);
	if (d != NULL) {
		d->seq = l->frame.seq;
		d->length = l->frame.length;
	}
	l->active = true;
	l->at = 0;
	seen.frames++;
	seen.copies += l->frame.copy;
	seen.resent += l->frame.resend;
	TELL("tx %u.%u sends %llu+%u%s%s", i, l->conn->incarnation, U(l->frame.seq),
	    l->frame.length, l->frame.copy ? " copy" : "", l->frame.resend ? " again" : "");
	return true;
}

/* Some more bytes of the frame that is under way; the chunk is pinned. */
static void
tx_push(unsigned i)
{
	struct tx_leg *l = &sim.tx[i];
	struct conn *c = l->conn;
	uint32_t n = l->frame.length - l->at;

	if (!once_in(sim.dribble))
		n = (uint32_t)some(n);
	HOLDS(memcmp(l->frame.data + l->at, stream + l->frame.seq + l->at, n) == 0);
	l->at += n;
	if (c->rx_open && !c->cut)
		c->down[(c->down_head + c->down_count - 1) % DOWN].there = l->at;
	if (l->at < l->frame.length)
		return;
	window_release(&sim.window, l->frame.chunk);
	l->active = false;
}

static void
tx_send(unsigned i)
{
	struct tx_leg *l = &sim.tx[i];

	if (l->up && !l->active)
		tx_next(i);
	if (l->active)
		tx_push(i);
}

static void
tx_status(const struct up *u)
{
	struct window *w = &sim.window;
	uint64_t before = w->base + ranges_total(&w->acked), sum = 0, newly_acked;
	bool failed = false;
	unsigned k;

	for (k = 0; k < u->count; k++) {
		SOUND(window_received(w, &u->entry[k], &newly_acked, &failed));
		sum += newly_acked;
		w->leg[u->entry[k].leg].late_ns = sim.copies ? sim.late_ns : 0;
	}
	SOUND(window_delivered(w, u->delivered, u->limit, &newly_acked, &failed));
	HOLDS(!failed);
	HOLDS(w->base + ranges_total(&w->acked) - before == sum + newly_acked);
	seen.stretched += window_stretch(w, draw((size_t)sim.window_bytes * 2));
}

static void
tx_outcome(enum outcome outcome)
{
	struct window *w = &sim.window;

	if (sim.tx_outcome != NONE)
		return;
	TELL("tx hears %s", outcome == DONE ? "done" : "failed");
	if (outcome == DONE)
		HOLDS(w->eof && w->end == sim.total && sim.delivered == sim.total);
	HOLDS(sim.rx_outcome == outcome);
	sim.tx_outcome = outcome;
}

static void
tx_welcome(unsigned i, const struct up *u)
{
	bool failed = false;
	uint64_t newly_acked;

	if (!sim.agreed)
		window_agree(&sim.window, sim.window_bytes, sim.frame);
	sim.agreed = true;
	SOUND(window_delivered(&sim.window, u->delivered, u->delivered + sim.window_bytes,
	    &newly_acked,
	    &failed));
	HOLDS(!failed);
	seen.greeted += newly_acked > 0;
	HOLDS(window_leg_up(&sim.window, number(i), sim.tx[i].conn->incarnation) == 0);
	sim.tx[i].up = true;
	TELL("tx %u.%u is up", i, sim.tx[i].conn->incarnation);
}

/* What has come back on a leg. */
static void
tx_hear(unsigned i)
{
	struct conn *c = sim.tx[i].conn;
	struct up *u;

	if (c == NULL || c->hole_up || !once_in(c->slow))
		return;
	if (c->up_count == 0) {
		if (!c->hello && !c->rx_open)
			tx_close(i, "end of file");
		return;
	}
	u = &c->up[c->up_head];
	c->up_head = (c->up_head + 1) % UP;
	c->up_count--;
	switch (u->kind) {
	case UP_WELCOME:
		tx_welcome(i, u);
		break;
	case UP_REFUSE:
		tx_close(i, "refused");
		break;
	case UP_STATUS:
		tx_status(u);
		break;
	case UP_DONE:
		tx_outcome(DONE);
		break;
	case UP_FAIL:
		tx_outcome(FAILED);
		break;
	case UP_BYE:
		HOLDS(sim.tx_outcome == FAILED);
		sim.tx_released = true;
		break;
	}
}

/* The receiver's side, as inflow.c and rx.c drive it */

static void
buffer_release(struct reassembly_buffer *b, void *cookie)
{
	(void)cookie;
	memset(b->data, 0xdb, b->size);
	free(b);
	sim.buffers--;
}

static struct reassembly_buffer *
buffer_new(size_t n)
{
	size_t size = once_in(2) ? n : n + n / 8;
	struct reassembly_buffer *b = malloc(sizeof(*b) + size);

	HOLDS(b != NULL);
	b->users = 1;
	b->size = size;
	b->data = (uint8_t *)(b + 1);
	b->release = buffer_release;
	b->cookie = NULL;
	sim.buffers++;
	return b;
}

static void
buffer_drop(struct rx_leg *l)
{
	HOLDS(l->buffer->users == 1);
	buffer_release(l->buffer, NULL);
	l->buffer = NULL;
}

static void
rx_store(struct rx_leg *l, uint64_t end)
{
	struct reassembly_buffer *b = l->buffer;

	l->buffer = NULL;
	HOLDS(reassembly_store(&sim.reassembly, l->begin, end, b) == 0);
	l->received += end - l->begin;
}

static void
rx_close(unsigned i, const char *why)
{
	struct rx_leg *l = &sim.rx[i];
	struct conn *c = l->conn;

	TELL("rx %u.%u closes: %s", i, c->incarnation, why);
	reassembly_leave(&sim.reassembly, (int)number(i));
	if (l->buffer != NULL && !sim.checked && l->seq > l->begin) {
		seen.prefixes++;
		rx_store(l, l->seq);
	} else if (l->buffer != NULL)
		buffer_drop(l);
	l->inside = l->waiting = false;
	l->conn = NULL;
	c->rx_open = false;
	conn_clear_down(c);
	seen.closes++;
}

static void
rx_stop(void)
{
	sim.stopped = true;
	if (sim.rx_outcome == NONE)
		sim.rx_outcome = FAILED;
}

static void
rx_say_status(unsigned i, bool all)
{
	struct conn *c = sim.rx[i].conn;
	struct up *u;
	unsigned k;

	if (c->up_count >= UP - SPARE)
		return;
	u = conn_answer(c, UP_STATUS);
	u->delivered = sim.reassembly.cursor;
	u->limit = sim.reassembly.cursor + sim.window_bytes;
	/* A receiver may give less credit than the window. */
	if (sim.mean && sim.steps % 2 == 0)
		u->limit = sim.reassembly.cursor + draw((size_t)sim.window_bytes);
	for (k = 0; k < sim.legs; k++) {
		if (!sim.rx[k].known || (!all && k != i))
			continue;
		u->entry[u->count].leg = (uint16_t)number(k);
		u->entry[u->count].incarnation = sim.rx[k].incarnation;
		u->entry[u->count++].received = sim.rx[k].received;
	}
}

static void
rx_say(unsigned i, bool all)
{
	struct rx_leg *l = &sim.rx[i];

	if (l->conn == NULL)
		return;
	rx_say_status(i, all);
	if (sim.rx_outcome != NONE && !l->said && l->conn->up_count < UP) {
		conn_answer(l->conn, sim.told_failed ? UP_BYE :
		    sim.rx_outcome == DONE ? UP_DONE : UP_FAIL);
		l->said = true;
	}
}

/* A HELLO has arrived, perhaps long after it was sent. */
static void
rx_greet(struct conn *c)
{
	struct rx_leg *l = &sim.rx[c->leg];

	c->hello = false;
	if (c->incarnation <= l->newest) {
		TELL("rx %u.%u is stale", c->leg, c->incarnation);
		seen.stale++;
		conn_answer(c, UP_REFUSE);
		return;
	}
	seen.orphans += !c->tx_open;
	l->newest = c->incarnation;
	if (l->conn != NULL) {
		seen.replaced++;
		rx_close(c->leg, "replaced");
	}
	c->rx_open = true;
	l->conn = c;
	l->known = true;
	l->incarnation = c->incarnation;
	l->received = 0;
	l->said = false;
	TELL("rx %u.%u joins", c->leg, c->incarnation);
	conn_answer(c, UP_WELCOME)->delivered = sim.reassembly.cursor;
	rx_say(c->leg, true);
}

static void
rx_choose(unsigned i, bool direct)
{
	struct rx_leg *l = &sim.rx[i];

	l->way = REASSEMBLY_DISCARD;
	l->skip = 0;
	if (!sim.stopped)
		l->way = reassembly_begin(&sim.reassembly, (int)number(i), l->seq, l->end,
		    direct && sim.direct && !sim.checked);
	if (l->way == REASSEMBLY_DIRECT) {
		HOLDS(sim.reassembly.turn == (int)number(i) && !sim.writing);
		HOLDS(l->seq <= sim.reassembly.cursor && sim.reassembly.cursor < l->end);
		HOLDS(sim.reassembly.count == 0 ||
		    sim.reassembly.piece[sim.reassembly.head].seq > sim.reassembly.cursor);
		l->skip = sim.reassembly.cursor - l->seq;
		seen.turns++;
	}
	seen.soon += l->way == REASSEMBLY_WAIT;
	if (l->way == REASSEMBLY_BUFFER) {
		l->buffer = buffer_new((size_t)(l->end - l->seq));
		l->begin = l->seq;
	}
	l->full_ns = 0;
}

/* The frame is complete. */
static void
rx_frame_done(struct rx_leg *l)
{
	struct conn *c = l->conn;

	l->inside = false;
	c->down_head = (c->down_head + 1) % DOWN;
	c->down_count--;
	c->down_taken = 0;
}

static void
rx_keep(unsigned i, uint32_t n)
{
	struct rx_leg *l = &sim.rx[i];

	if (n == 0)
		return;
	memcpy(l->buffer->data + (l->seq - l->begin), stream + l->seq, n);
	l->seq += n;
	l->conn->down_taken += n;
	if (l->seq < l->end)
		return;
	if (sim.checked && l->conn->down[l->conn->down_head].spoilt) {
		seen.spoilt++;
		buffer_drop(l);
		rx_close(i, "spoilt");
		return;
	}
	rx_store(l, l->end);
	rx_frame_done(l);
}

static void
rx_void(struct rx_leg *l, uint32_t n)
{
	l->received += n;
	l->seq += n;
	l->conn->down_taken += n;
	if (l->seq == l->end)
		rx_frame_done(l);
}

/* Nothing moves: the connection is dry, or the consumer is full. */
static void
rx_turn_idle(unsigned i, bool app_limited)
{
	struct rx_leg *l = &sim.rx[i];

	if (app_limited) {
		l->full_ns = 0;
		if (!reassembly_wait(&sim.reassembly, (int)number(i)))
			rx_choose(i, true);
		else
			l->waiting = true;
		return;
	}
	if (l->full_ns == 0)
		l->full_ns = sim.now_ns;
	if (sim.now_ns - l->full_ns < 20 * MS)
		return;
	seen.full++;
	reassembly_leave(&sim.reassembly, (int)number(i));
	rx_choose(i, false);
}

static void
rx_turn(unsigned i, uint32_t there)
{
	struct rx_leg *l = &sim.rx[i];
	uint32_t n;

	if (l->waiting) {
		l->waiting = false;
		if (!reassembly_resume(&sim.reassembly, (int)number(i))) {
			seen.resumed_late++;
			rx_choose(i, true);
			return;
		}
	}
	HOLDS(sim.reassembly.turn == (int)number(i));
	if (l->skip > 0) {
		n = there < l->skip ? there : (uint32_t)l->skip;
		l->skip -= n;
		rx_void(l, n);
		if (n == 0)
			rx_turn_idle(i, true);
		return;
	}
	if (there == 0 || sim.stalled) {
		rx_turn_idle(i, there == 0);
		return;
	}
	HOLDS(l->seq == sim.reassembly.cursor && !sim.writing);
	l->seq += there;
	l->received += there;
	l->conn->down_taken += there;
	sim.delivered += there;
	reassembly_moved(&sim.reassembly, there);
	l->full_ns = 0;
	if (l->seq == l->end) {
		reassembly_leave(&sim.reassembly, (int)number(i));
		rx_frame_done(l);
	}
}

/* Only a header that nobody sent forbids the true end, and only while its leg does not wait. */
static bool
rx_fin(unsigned i)
{
	const char *why = reassembly_fin(&sim.reassembly, sim.total);

	if (why == NULL)
		return true;
	HOLDS(sim.reassembly.turn >= 0 && !sim.reassembly.waiting &&
	    sim.reassembly.turn_end > sim.total);
	rx_close(i, why);
	return false;
}

static void
rx_control(unsigned i, enum down_kind kind)
{
	switch (kind) {
	case DOWN_DATA:
		break;
	case DOWN_FIN:
		if (!rx_fin(i))
			return;
		break;
	case DOWN_FAIL:
		TELL("rx hears failed");
		rx_stop();
		sim.released = sim.told_failed = true;
		break;
	case DOWN_BYE:
		HOLDS(sim.rx_outcome != NONE);
		sim.released = true;
		break;
	}
	rx_frame_done(&sim.rx[i]);
}

/* Whatever the first frame of the queue allows to be done. */
/* The header of a frame of the stream has come. */
static void
rx_begin(unsigned i, const struct down *d)
{
	struct rx_leg *l = &sim.rx[i];
	const char *why = reassembly_admit(&sim.reassembly, d->seq, d->length);

	if (why != NULL) {
		HOLDS(d->forged);
		rx_close(i, why);
		return;
	}
	l->inside = true;
	l->waiting = false;
	l->seq = d->seq;
	l->end = d->seq + d->length;
	l->wait_until_ns = sim.now_ns + MS;
	rx_choose(i, true);
}

static void
rx_read(unsigned i)
{
	struct rx_leg *l = &sim.rx[i];
	struct conn *c = l->conn;
	const struct down *d;
	uint32_t there;

	if (c == NULL || c->hole_down || !once_in(c->slow))
		return;
	if (c->down_count == 0) {
		if (!c->tx_open)
			rx_close(i, "end of file");
		return;
	}
	d = &c->down[c->down_head];
	if (d->kind != DOWN_DATA) {
		rx_control(i, d->kind);
		return;
	}
	if (!l->inside) {
		rx_begin(i, d);
		return;
	}
	there = d->there - c->down_taken;
	if (there > 0 && once_in(2))
		there = (uint32_t)some(there);
	/* A connection that ends within a frame. */
	if (there == 0 && !c->tx_open && d->there < d->length) {
		rx_close(i, "end of file within a frame");
		return;
	}
	switch (l->way) {
	case REASSEMBLY_DIRECT:
		/* A thread that sleeps is woken by bytes only. */
		if (there > 0 || !l->waiting)
			rx_turn(i, there);
		break;
	case REASSEMBLY_WAIT:
		rx_choose(i, sim.now_ns < l->wait_until_ns);
		break;
	case REASSEMBLY_BUFFER:
		rx_keep(i, there);
		break;
	case REASSEMBLY_DISCARD:
		rx_void(l, there);
		break;
	}
}

/* The writer, whose pieces must be good when the write ends. */
static void
writer_end(void)
{
	uint64_t at = sim.reassembly.cursor, sum = 0, n, part;
	size_t k;

	for (k = 0; k < sim.pieces; k++)
		sum += sim.piece[k].end - sim.piece[k].seq;
	n = sim.stopped ? 0 : once_in(3) ? sum : draw((size_t)sum + 1);
	seen.partial += n < sum;
	HOLDS(sim.reassembly.turn == REASSEMBLY_WRITER);
	for (k = 0, sum = n; sum > 0; k++, sum -= part) {
		part = sim.piece[k].end - sim.piece[k].seq;
		if (part > sum)
			part = sum;
		HOLDS(sim.piece[k].seq == at && at + part <= sim.total);
		HOLDS(memcmp(sim.piece[k].data, stream + at, (size_t)part) == 0);
		at += part;
	}
	sim.delivered += n;
	reassembly_written(&sim.reassembly, n);
	sim.writing = false;
}

static void
writer_act(void)
{
	if (sim.writing) {
		if (!sim.stalled || sim.stopped)
			writer_end();
		return;
	}
	if (sim.stopped || sim.rx_outcome != NONE)
		return;
	if (reassembly_complete(&sim.reassembly)) {
		HOLDS(sim.delivered == sim.total);
		sim.rx_outcome = DONE;
		TELL("rx is done");
	} else if (reassembly_writable(&sim.reassembly)) {
		sim.pieces = reassembly_write(&sim.reassembly, sim.piece, 1 + draw(PIECES));
		HOLDS(sim.pieces > 0);
		sim.writing = true;
	}
}

/* What must hold between any two steps */

/* What counts as acknowledged is here or was delivered. */
static void
check_acknowledged(void)
{
	const struct ranges *r = &sim.window.acked;
	const struct reassembly *o = &sim.reassembly;
	uint64_t at, hi;
	size_t k = 0, i;

	HOLDS(sim.window.base <= reassembly_contiguous(o));
	for (i = 0; i < r->n; i++) {
		at = r->v[r->head + i].lo;
		hi = r->v[r->head + i].hi;
		if (at < o->cursor)
			at = o->cursor;
		for (; k < o->count && at < hi; k++) {
			if (o->piece[o->head + k].end <= at)
				continue;
			if (o->piece[o->head + k].seq > at)
				break;
			at = o->piece[o->head + k].end;
			if (at > hi)
				break;
		}
		HOLDS(at >= hi);
	}
}

static void
check_step(void)
{
	const struct window *w = &sim.window;
	const struct reassembly *o = &sim.reassembly;

	HOLDS(o->cursor == sim.delivered);
	HOLDS(sim.delivered <= sim.total);
	HOLDS(w->delivered <= o->cursor);
	HOLDS(w->limit <= o->cursor + sim.window_bytes);
	HOLDS(w->next <= w->limit);
	HOLDS(w->next >= reassembly_contiguous(o));
	HOLDS(o->stored <= sim.window_bytes + sim.frame);
	HOLDS(!sim.writing || o->turn == REASSEMBLY_WRITER);
	/* Delivery never waits for an byte that is here. */
	HOLDS(!(o->turn >= 0 && o->waiting && o->count > 0 &&
	    o->piece[o->head].seq <= o->cursor && o->piece[o->head].end > o->cursor));
	HOLDS(!window_all_delivered(w) || sim.delivered == sim.total);
	if (sim.steps % sim.audit != 0)
		return;
	SOUND(window_audit(w));
	SOUND(reassembly_audit(o));
	if (!sim.stopped)
		check_acknowledged();
}

/* Faults */

static void
fault_spoil(struct conn *c)
{
	struct down *d;

	if (!sim.checked || c->down_count == 0)
		return;
	d = &c->down[(c->down_head + draw(c->down_count)) % DOWN];
	if (d->kind == DOWN_DATA)
		d->spoilt = true;
}

/* Somebody on the way puts a header of his own in; then nothing comes any more. */
static void
fault_forge(struct conn *c)
{
	uint64_t most = sim.reassembly.cursor + sim.window_bytes + sim.frame;
	struct down *d;

	if (c->cut || !c->rx_open || c->down_count == DOWN)
		return;
	d = conn_send(c, DOWN_DATA);
	d->forged = true;
	d->seq = once_in(3) ? sim.reassembly.cursor : draw((size_t)most);
	d->length = (uint32_t)some(sim.frame);
	seen.forged++;
	seen.ahead += d->seq + d->length > sim.total;
	TELL("conn %u.%u: %llu+%u is forged", c->leg, c->incarnation, U(d->seq), d->length);
	c->cut = true;
	c->up_count = 0;
}

static void
fault(struct conn *c)
{
	unsigned i = c->leg;

	switch (draw(10)) {
	case 0:
	case 1:			/* a reset: what is on its way is lost */
		if (c->hello)
			break;
		TELL("conn %u.%u is cut", i, c->incarnation);
		c->cut = true;
		c->up_count = 0;
		break;
	case 2:			/* what is on its way still arrives */
		if (c->tx_open) {
			seen.gaveup += c->hello;
			tx_close(i, "fault");
		}
		break;
	case 3:
		if (c->rx_open)
			rx_close(i, "fault");
		break;
	case 4:
		c->hole_down = !c->hole_down;
		break;
	case 5:
		c->hole_up = !c->hole_up;
		break;
	case 6:
		c->hole_down = c->hole_up = true;
		break;
	case 7:
		c->hole_down = c->hole_up = false;
		break;
	case 8:
		fault_spoil(c);
		break;
	case 9:
		fault_forge(c);
		break;
	}
}

/* A connection that was cut is noticed by each end in its own time. */
static void
notice(struct conn *c)
{
	if (c->tx_open && once_in(2))
		tx_close(c->leg, "reset");
	else if (c->rx_open)
		rx_close(c->leg, "reset");
}

static void
fail_step(void)
{
	if (sim.rx_fails > 1 && --sim.rx_fails == 1 && sim.rx_outcome == NONE) {
		TELL("rx fails");
		rx_stop();
	}
	/* Both may speak at once; then each has its own outcome. */
	if (sim.tx_fails > 1 && sim.tx_outcome == NONE && --sim.tx_fails == 1) {
		TELL("tx fails");
		sim.tx_outcome = FAILED;
	}
}

/* Something happens to one of a leg's connections, if it has any. */
static void
conn_step(unsigned i)
{
	struct conn *c = &sim.conn[i * CONNS + draw(CONNS)];

	if (c->cut)
		notice(c);
	else if (c->hello && !once_in(4))
		rx_greet(c);
	else if ((c->hello || c->tx_open || c->rx_open) && once_in(sim.calm))
		fault(c);
}

static void
step(void)
{
	unsigned i = (unsigned)draw(sim.legs), what = (unsigned)draw(100), n;

	for (n = 1 + (unsigned)draw(2); n > 0; n--) {
		if (what < 6)
			source_act();
		else if (what < 30)
			tx_send(i);
		else if (what < 55)
			rx_read(i);
		else if (what < 60)
			writer_act();
		else if (what < 75)
			tx_hear(i);
	}
	if (what >= 75 && what < 79)
		rx_say(i, once_in(4));
	else if (what >= 79 && what < 83)
		tx_dial(i);
	else if (what == 83)
		sim.stalled = once_in(3);
	else if (what == 84)
		sim.now_ns += some(60) * MS;
	else if (what >= 85)
		conn_step(i);
	sim.now_ns += 1 + draw(MS);
	fail_step();
}

/* Nothing goes wrong any more, and everybody gets his turn. */
static void
heal(void)
{
	struct conn *c = sim.conn;

	sim.stalled = false;
	for (; c < sim.conn + LEGS * CONNS; c++) {
		c->hole_down = c->hole_up = false;
		c->slow = 1;
		if (c->cut && c->tx_open)
			tx_close(c->leg, "reset");
		if (c->cut && c->rx_open)
			rx_close(c->leg, "reset");
	}
}

/* It brings something, and is cut before it hears anything. */
static void
calm_cut(unsigned i)
{
	unsigned k;

	for (k = 0; k < 6 && sim.tx[i].conn != NULL; k++)
		tx_send(i);
	for (k = 0; k < 12; k++)
		rx_read(i);
	if (sim.tx[i].up)
		tx_close(i, "before it heard anything");
}

static void
calm_round(void)
{
	unsigned i, k;

	for (k = 0; k < 4; k++)
		source_act();
	for (i = 0; i < sim.legs; i++) {
		tx_dial(i);
		for (k = 0; k < CONNS; k++) {
			sim.conn[i * CONNS + k].slow = 1;
			if (sim.conn[i * CONNS + k].hello)
				rx_greet(&sim.conn[i * CONNS + k]);
		}
		for (k = 0; k < 6; k++)
			tx_send(i);
		for (k = 0; k < 12; k++)
			rx_read(i);
		rx_say(i, true);
		for (k = 0; k < 4; k++)
			tx_hear(i);
		writer_act();
		writer_act();
		if (sim.brief && sim.rx_outcome == NONE)
			calm_cut(i);
	}
	sim.now_ns += 30 * MS;
}

/* A schedule */

static bool
ended(void)
{
	return sim.tx_outcome != NONE && sim.rx_outcome != NONE &&
	    (sim.released || sim.tx_released);
}

static void
setup(uint64_t seed)
{
	static const unsigned audits[] = { 1, 4, 16, 16 }, calms[] = { 1, 2, 3, 20 };
	uint64_t requested, send_limit;
	struct conn *c;

	sim.seed = sim.random = seed;
	check_random(&sim.random);
	sim.steps = 0;
	sim.now_ns = MS;
	sim.legs = 1 + (unsigned)draw(LEGS);
	sim.stride = once_in(2) ? 1 : FRAME_LEGS / LEGS;
	sim.calm = calms[draw(4)];
	sim.dribble = 1 + (unsigned)draw(4);
	sim.audit = audits[draw(4)];
	sim.checked = once_in(4);
	sim.copies = !once_in(3);
	sim.direct = !once_in(3);
	sim.mean = once_in(4);
	sim.brief = once_in(12);
	sim.window_bytes = WINDOW_COST_MIN * (1 + draw(24));
	sim.frame = (uint32_t)some(sim.window_bytes / 4);
	sim.cuts = 16u << draw(11);
	sim.total = once_in(12) ? draw(2) : some((uint64_t)sim.cuts * 64);
	if (sim.total > STREAM)
		sim.total = STREAM;
	/* So that short frames do not make long schedules. */
	if (sim.total > (uint64_t)sim.frame * 64)
		sim.total = (uint64_t)sim.frame * 64;
	sim.late_ns = once_in(3) ? 0 : some(40) * MS;
	sim.rx_fails = once_in(16) ? 2 + (unsigned)draw(300) : 0;
	sim.tx_fails = once_in(16) ? 2 + (unsigned)draw(300) : 0;
	requested = sim.window_bytes << draw(3);
	send_limit = once_in(2) ? 0 : WINDOW_COST_MIN + requested / 4 + draw((size_t)requested);
	HOLDS(window_init(&sim.window, requested, send_limit, sim.frame << draw(2)) == 0);
	reassembly_init(&sim.reassembly, sim.window_bytes);
	memset(sim.tx, 0, sizeof(sim.tx));
	memset(sim.rx, 0, sizeof(sim.rx));
	sim.room = NULL;
	sim.agreed = sim.tx_released = sim.released = sim.told_failed = false;
	sim.tx_outcome = sim.rx_outcome = NONE;
	sim.delivered = 0;
	sim.stopped = sim.stalled = sim.writing = false;
	sim.buffers = 0;
	for (c = sim.conn; c < sim.conn + LEGS * CONNS; c++)
		c->hello = c->tx_open = c->rx_open = c->cut = false;
	TELL("%u legs, %llu bytes, window %llu (request %llu, reach %llu), frame %u, cuts %u%s%s",
	    sim.legs, U(sim.total), U(sim.window_bytes), U(requested), U(send_limit), sim.frame,
	    sim.cuts,
	    sim.checked ? ", checked" : "", sim.copies ? ", copies" : "");
}

static void
teardown(void)
{
	uint64_t closes = seen.closes;
	unsigned i;

	seen.bytes += sim.delivered;
	seen.empty += sim.total == 0;
	seen.failed += sim.tx_outcome == FAILED;
	seen.repeated += sim.reassembly.repeated;
	seen.takeovers += sim.reassembly.takeovers;
	for (i = 0; i < sim.legs; i++) {
		if (sim.tx[i].conn != NULL)
			tx_close(i, "over");
		if (sim.rx[i].conn != NULL)
			rx_close(i, "over");
	}
	seen.closes = closes;
	if (sim.writing)
		reassembly_written(&sim.reassembly, 0);
	SOUND(window_audit(&sim.window));
	HOLDS(sim.window.copies == 0);
	reassembly_free(&sim.reassembly);
	HOLDS(sim.buffers == 0);
	window_free(&sim.window);
}

static void
schedule(uint64_t seed)
{
	uint64_t most, rounds;

	setup(seed);
	for (most = once_in(4) ? some(400) : draw(4000); sim.steps < most &&
	    !ended(); sim.steps++) {
		step();
		check_step();
	}
	TELL("faults end");
	heal();
	for (rounds = 0; !ended(); rounds++, sim.steps++) {
		if (rounds > 1000 + 2 * sim.total)
			broken(__LINE__, "does not come to an end");
		calm_round();
		check_step();
	}
	HOLDS(sim.tx_outcome == sim.rx_outcome ||
	    (sim.tx_fails == 1 && sim.rx_outcome == DONE));
	HOLDS(sim.tx_outcome != DONE || sim.delivered == sim.total);
	TELL("ended after %llu rounds", U(rounds));
	teardown();
}

/* A simulation in which something never happens proves nothing about it. */
static void
check_seen(void)
{
	CHECK(seen.copies > 0 && seen.resent > 0 && seen.repeated > 0 && seen.takeovers > 0);
	CHECK(seen.stale > 0 && seen.replaced > 0 && seen.orphans > 0 && seen.gaveup > 0);
	CHECK(seen.prefixes > 0 && seen.spoilt > 0 && seen.soon > 0 && seen.turns > 0);
	CHECK(seen.full > 0 && seen.resumed_late > 0 && seen.partial > 0 && seen.fins > 0);
	CHECK(seen.greeted > 0);
	CHECK(seen.forged > 0 && seen.ahead > 0);
	CHECK(seen.failed > 0 && seen.outcomes_lost > 0 && seen.empty > 0 && seen.stretched > 0);
}

int
main(int argc, char **argv)
{
	uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 5000, seed, i, random = 1;

	seed = check_seed(argc, argv, 1);
	sim.trace = argc > 3;
	for (i = 0; i < STREAM; i++)
		stream[i] = (uint8_t)check_random(&random);
	for (i = 0; i < count; i++)
		schedule(seed + i);
	printf("%llu frames, %llu bytes, %llu copies, %llu sent again, %llu bytes repeated, "
	    "%llu turns, %llu takeovers, %llu connections closed, %llu stale, %llu prefixes kept\n",
	    U(seen.frames), U(seen.bytes), U(seen.copies), U(seen.resent), U(seen.repeated),
	    U(seen.turns), U(seen.takeovers), U(seen.closes), U(seen.stale), U(seen.prefixes));
	if (count >= 3000)
		check_seen();
	printf("ok %llu schedules\n", U(count));
	return fflush(stdout) == 0 ? 0 : 1;
}
