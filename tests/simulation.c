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
 * payloads are spoilt and the consumer stalls.  In the second all of that has
 * ended and everybody gets a turn in each round; the transfer must then come
 * to its end within a bounded number of rounds.  What must hold is checked at
 * every step:
 *  1. the consumer gets the octets of the stream, in order, each once;
 *  2. nothing is acknowledged that the receiver does not have, and nothing is
 *     sent beyond the credit that it has given;
 *  3. what a leg sends from stays in place until the leg is done with it, and
 *     so does what the writer writes from;
 *  4. the sender hears "done" only after all was delivered;
 *  5. window_audit and order_audit find nothing.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../order.h"
#include "../window.h"
#include "check.h"

#define LEGS	8
#define CONNS	4		/* connections of one leg, old and new, at once */
#define DOWN	16		/* frames on their way on one connection */
#define UP	16		/* words on their way back */
#define SPARE	6		/* of them for words that may not be left out */
#define PIECES	16
#define STREAM	(64u << 10)
#define MS	UINT64_C(1000000)

enum down_kind { DOWN_DATA, DOWN_FIN, DOWN_FAIL, DOWN_BYE };

struct down {
	enum down_kind kind;
	uint64_t seq;
	uint32_t length;
	uint32_t there;		/* octets of the payload that were sent */
	bool spoilt;
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
	uint32_t down_taken;	/* octets taken of the first frame */
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
	uint32_t at;		/* octets of it that were sent */
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
	bool said;		/* the verdict, on this connection */
	bool inside;		/* of a frame */
	enum order_way way;
	uint64_t seq, end, begin, skip;
	struct order_buffer *buffer;
	bool waiting;
	uint64_t soon_ns;
	uint64_t full_ns;
};

enum verdict { NONE, DONE, FAILED };

static uint8_t stream[STREAM];

static struct {
	uint64_t seed, random, now_ns, steps;
	bool trace;
	/* What this schedule is like. */
	unsigned legs, stride, calm, cuts, dribble, audit;
	bool checked, copies, direct, mean;
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
	enum verdict tx_verdict;
	bool tx_released;
	/* The receiver. */
	struct order order;
	struct rx_leg rx[LEGS];
	uint64_t delivered;
	bool stopped, stalled, writing, released;
	bool told_failed;	/* the sender's FAIL has come */
	struct order_piece piece[PIECES];
	size_t pieces;
	enum verdict rx_verdict;
	long buffers;
	struct conn conn[LEGS * CONNS];	/* of leg n from n * CONNS on */
} sim;

/* What happened in all schedules, to prove that it did. */
static struct {
	uint64_t frames, octets, copies, resent, repeated, takeovers, closes, stale, replaced,
	    orphans, prefixes, spoilt, soon, turns, full, resumed_late, partial, fins, failed,
	    verdicts_lost, empty, stretched, gaveup, unwelcome;
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

	if (c->tx_open && !c->cut && c->up_count < UP)
		u = &c->up[(c->up_head + c->up_count++) % UP];
	else if (kind == UP_DONE || kind == UP_FAIL)
		seen.verdicts_lost++;
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

	if (w->eof || sim.tx_verdict != NONE)
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
	/* The end may come with the last octets or later. */
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
	enum window_cut kind;
	struct down *d;

	if (l->conn->down_count == DOWN)
		return false;
	if (sim.tx_fails == 1 && !l->said_fail) {
		l->said_fail = true;
		conn_send(l->conn, DOWN_FAIL);
		return true;
	}
	if (sim.tx_verdict != NONE && sim.tx_fails != 1) {
		if (!l->said_bye)
			conn_send(l->conn, DOWN_BYE);
		l->said_bye = true;
		return false;
	}
	HOLDS(window_take(&sim.window, number(i), (uint32_t)some(sim.cuts), sim.copies,
	    sim.now_ns, &l->frame, &kind) == 0);
	if (kind == WINDOW_NONE)
		return false;
	d = conn_send(l->conn, kind == WINDOW_FIN ? DOWN_FIN : DOWN_DATA);
	if (kind == WINDOW_FIN) {
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

/* Some more octets of the frame that is under way; the chunk is pinned. */
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
	uint64_t before = w->base + ranges_total(&w->acked), sum = 0, gain;
	bool failed = false;
	unsigned k;

	for (k = 0; k < u->count; k++) {
		SOUND(window_received(w, u->entry[k].leg, u->entry[k].incarnation,
		    u->entry[k].received, &gain, &failed));
		sum += gain;
		w->leg[u->entry[k].leg].late_ns = sim.late_ns;
	}
	SOUND(window_delivered(w, u->delivered, u->limit, &gain, &failed));
	HOLDS(!failed);
	HOLDS(w->base + ranges_total(&w->acked) - before == sum + gain);
	seen.stretched += window_stretch(w, draw((size_t)sim.window_bytes * 2));
}

static void
tx_verdict(enum verdict verdict)
{
	struct window *w = &sim.window;

	if (sim.tx_verdict != NONE)
		return;
	TELL("tx hears %s", verdict == DONE ? "done" : "failed");
	if (verdict == DONE)
		HOLDS(w->eof && w->end == sim.total && sim.delivered == sim.total);
	HOLDS(sim.rx_verdict == verdict);
	sim.tx_verdict = verdict;
}

static void
tx_welcome(unsigned i)
{
	if (!sim.agreed)
		window_agree(&sim.window, sim.window_bytes, sim.frame);
	sim.agreed = true;
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
		tx_welcome(i);
		break;
	case UP_REFUSE:
		tx_close(i, "refused");
		break;
	case UP_STATUS:
		tx_status(u);
		break;
	case UP_DONE:
		tx_verdict(DONE);
		break;
	case UP_FAIL:
		tx_verdict(FAILED);
		break;
	case UP_BYE:
		HOLDS(sim.tx_verdict == FAILED);
		sim.tx_released = true;
		break;
	}
}

/* The receiver's side, as inflow.c and rx.c drive it */

static void
buffer_release(struct order_buffer *b, void *cookie)
{
	(void)cookie;
	memset(b->data, 0xdb, b->size);
	free(b);
	sim.buffers--;
}

static struct order_buffer *
buffer_new(size_t n)
{
	size_t size = once_in(2) ? n : n + n / 8;
	struct order_buffer *b = malloc(sizeof(*b) + size);

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
	struct order_buffer *b = l->buffer;

	l->buffer = NULL;
	HOLDS(order_store(&sim.order, l->begin, end, b, 0) == 0);
	l->received += end - l->begin;
}

static void
rx_close(unsigned i, const char *why)
{
	struct rx_leg *l = &sim.rx[i];
	struct conn *c = l->conn;

	TELL("rx %u.%u closes: %s", i, c->incarnation, why);
	order_leave(&sim.order, (int)number(i));
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
	if (sim.rx_verdict == NONE)
		sim.rx_verdict = FAILED;
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
	u->delivered = sim.order.cursor;
	u->limit = sim.order.cursor + sim.window_bytes;
	/* A receiver may give less credit than the window. */
	if (sim.mean && sim.steps % 2 == 0)
		u->limit = sim.order.cursor + draw((size_t)sim.window_bytes);
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
	if (sim.rx_verdict != NONE && !l->said && l->conn->up_count < UP) {
		conn_answer(l->conn, sim.told_failed ? UP_BYE :
		    sim.rx_verdict == DONE ? UP_DONE : UP_FAIL);
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
	conn_answer(c, UP_WELCOME);
	rx_say(c->leg, true);
}

static void
rx_choose(unsigned i, bool direct)
{
	struct rx_leg *l = &sim.rx[i];

	l->way = ORDER_VOID;
	l->skip = 0;
	if (!sim.stopped)
		l->way = order_begin(&sim.order, (int)number(i), l->seq, l->end,
		    direct && sim.direct && !sim.checked);
	if (l->way == ORDER_TURN) {
		HOLDS(sim.order.turn == (int)number(i) && !sim.writing);
		HOLDS(l->seq <= sim.order.cursor && sim.order.cursor < l->end);
		HOLDS(sim.order.count == 0 ||
		    sim.order.piece[sim.order.head].seq > sim.order.cursor);
		l->skip = sim.order.cursor - l->seq;
		seen.turns++;
	}
	seen.soon += l->way == ORDER_SOON;
	if (l->way == ORDER_KEEP) {
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
rx_turn_idle(unsigned i, bool dry)
{
	struct rx_leg *l = &sim.rx[i];

	if (dry) {
		l->full_ns = 0;
		if (!order_wait(&sim.order, (int)number(i)))
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
	order_leave(&sim.order, (int)number(i));
	rx_choose(i, false);
}

static void
rx_turn(unsigned i, uint32_t there)
{
	struct rx_leg *l = &sim.rx[i];
	uint32_t n;

	if (l->waiting) {
		l->waiting = false;
		if (!order_resume(&sim.order, (int)number(i))) {
			seen.resumed_late++;
			rx_choose(i, true);
			return;
		}
	}
	HOLDS(sim.order.turn == (int)number(i));
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
	HOLDS(l->seq == sim.order.cursor && !sim.writing);
	l->seq += there;
	l->received += there;
	l->conn->down_taken += there;
	sim.delivered += there;
	order_moved(&sim.order, (int)number(i), there);
	l->full_ns = 0;
	if (l->seq == l->end) {
		order_leave(&sim.order, (int)number(i));
		rx_frame_done(l);
	}
}

static void
rx_control(unsigned i, enum down_kind kind)
{
	switch (kind) {
	case DOWN_DATA:
		break;
	case DOWN_FIN:
		SOUND(order_fin(&sim.order, sim.total));
		break;
	case DOWN_FAIL:
		TELL("rx hears failed");
		rx_stop();
		sim.released = sim.told_failed = true;
		break;
	case DOWN_BYE:
		HOLDS(sim.rx_verdict != NONE);
		sim.released = true;
		break;
	}
	rx_frame_done(&sim.rx[i]);
}

/* Whatever the first frame of the queue allows to be done. */
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
		SOUND(order_admit(&sim.order, d->seq, d->length));
		l->inside = true;
		l->waiting = false;
		l->seq = d->seq;
		l->end = d->seq + d->length;
		l->soon_ns = sim.now_ns + MS;
		rx_choose(i, true);
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
	case ORDER_TURN:
		/* A thread that sleeps is woken by octets only. */
		if (there > 0 || !l->waiting)
			rx_turn(i, there);
		break;
	case ORDER_SOON:
		rx_choose(i, sim.now_ns < l->soon_ns);
		break;
	case ORDER_KEEP:
		rx_keep(i, there);
		break;
	case ORDER_VOID:
		rx_void(l, there);
		break;
	}
}

/* The writer, whose pieces must be good when the write ends. */
static void
writer_end(void)
{
	uint64_t at = sim.order.cursor, sum = 0, n, part;
	size_t k;

	for (k = 0; k < sim.pieces; k++)
		sum += sim.piece[k].end - sim.piece[k].seq;
	n = sim.stopped ? 0 : once_in(3) ? sum : draw((size_t)sum + 1);
	seen.partial += n < sum;
	HOLDS(sim.order.turn == ORDER_WRITER);
	for (k = 0, sum = n; sum > 0; k++, sum -= part) {
		part = sim.piece[k].end - sim.piece[k].seq;
		if (part > sum)
			part = sum;
		HOLDS(sim.piece[k].seq == at && at + part <= sim.total);
		HOLDS(memcmp(sim.piece[k].data, stream + at, (size_t)part) == 0);
		at += part;
	}
	sim.delivered += n;
	order_written(&sim.order, n);
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
	if (sim.stopped || sim.rx_verdict != NONE)
		return;
	if (order_complete(&sim.order)) {
		HOLDS(sim.delivered == sim.total);
		sim.rx_verdict = DONE;
		TELL("rx is done");
	} else if (order_writable(&sim.order)) {
		sim.pieces = order_write(&sim.order, sim.piece, 1 + draw(PIECES));
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
	const struct order *o = &sim.order;
	uint64_t at, hi;
	size_t k = 0, i;

	HOLDS(sim.window.base <= order_contiguous(o));
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
	const struct order *o = &sim.order;

	HOLDS(o->cursor == sim.delivered);
	HOLDS(sim.delivered <= sim.total);
	HOLDS(w->delivered <= o->cursor);
	HOLDS(w->limit <= o->cursor + sim.window_bytes);
	HOLDS(w->next <= w->limit);
	HOLDS(w->next >= order_contiguous(o));
	HOLDS(o->stored <= sim.window_bytes + sim.frame);
	HOLDS(!sim.writing || o->turn == ORDER_WRITER);
	/* Delivery never waits for an octet that is here. */
	HOLDS(!(o->turn >= 0 && o->waiting && o->count > 0 &&
	    o->piece[o->head].seq <= o->cursor && o->piece[o->head].end > o->cursor));
	HOLDS(!window_all_delivered(w) || sim.delivered == sim.total);
	if (sim.steps % sim.audit != 0)
		return;
	SOUND(window_audit(w));
	SOUND(order_audit(o));
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

static void
fault(struct conn *c)
{
	unsigned i = c->leg;

	switch (draw(9)) {
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
	if (sim.rx_fails > 1 && --sim.rx_fails == 1 && sim.rx_verdict == NONE) {
		TELL("rx fails");
		rx_stop();
	}
	/* Both may speak at once; then each has its own verdict. */
	if (sim.tx_fails > 1 && sim.tx_verdict == NONE && --sim.tx_fails == 1) {
		TELL("tx fails");
		sim.tx_verdict = FAILED;
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
	}
	sim.now_ns += 30 * MS;
}

/* A schedule */

static bool
ended(void)
{
	return sim.tx_verdict != NONE && sim.rx_verdict != NONE &&
	    (sim.released || sim.tx_released);
}

static void
setup(uint64_t seed)
{
	static const unsigned audits[] = { 1, 4, 16, 16 }, calms[] = { 1, 2, 3, 20 };
	uint64_t wish, reach;
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
	sim.window_bytes = WINDOW_CHARGE * (1 + draw(24));
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
	wish = sim.window_bytes << draw(3);
	reach = once_in(2) ? 0 : WINDOW_CHARGE + wish / 4 + draw((size_t)wish);
	HOLDS(window_init(&sim.window, wish, reach, sim.frame << draw(2)) == 0);
	order_init(&sim.order, sim.window_bytes);
	memset(sim.tx, 0, sizeof(sim.tx));
	memset(sim.rx, 0, sizeof(sim.rx));
	sim.room = NULL;
	sim.agreed = sim.tx_released = sim.released = sim.told_failed = false;
	sim.tx_verdict = sim.rx_verdict = NONE;
	sim.delivered = 0;
	sim.stopped = sim.stalled = sim.writing = false;
	sim.buffers = 0;
	for (c = sim.conn; c < sim.conn + LEGS * CONNS; c++)
		c->hello = c->tx_open = c->rx_open = c->cut = false;
	TELL("%u legs, %llu octets, window %llu (wish %llu, reach %llu), frame %u, cuts %u%s%s",
	    sim.legs, U(sim.total), U(sim.window_bytes), U(wish), U(reach), sim.frame, sim.cuts,
	    sim.checked ? ", checked" : "", sim.copies ? ", copies" : "");
}

static void
teardown(void)
{
	uint64_t closes = seen.closes;
	unsigned i;

	seen.octets += sim.delivered;
	seen.empty += sim.total == 0;
	seen.failed += sim.tx_verdict == FAILED;
	seen.repeated += sim.order.repeated;
	seen.takeovers += sim.order.takeovers;
	for (i = 0; i < sim.legs; i++) {
		if (sim.tx[i].conn != NULL)
			tx_close(i, "over");
		if (sim.rx[i].conn != NULL)
			rx_close(i, "over");
	}
	seen.closes = closes;
	if (sim.writing)
		order_written(&sim.order, 0);
	SOUND(window_audit(&sim.window));
	HOLDS(sim.window.copies == 0);
	order_free(&sim.order);
	HOLDS(sim.buffers == 0);
	window_free(&sim.window);
}

static void
schedule(uint64_t seed)
{
	uint64_t most, rounds;

	setup(seed);
	for (most = once_in(4) ? some(400) : draw(4000); sim.steps < most && !ended(); sim.steps++) {
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
	HOLDS(sim.tx_verdict == sim.rx_verdict ||
	    (sim.tx_fails == 1 && sim.rx_verdict == DONE));
	HOLDS(sim.tx_verdict != DONE || sim.delivered == sim.total);
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
	CHECK(seen.failed > 0 && seen.verdicts_lost > 0 && seen.empty > 0 && seen.stretched > 0);
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
	printf("%llu frames, %llu octets, %llu copies, %llu sent again, %llu octets repeated, "
	    "%llu turns, %llu takeovers, %llu connections closed, %llu stale, %llu prefixes kept\n",
	    U(seen.frames), U(seen.octets), U(seen.copies), U(seen.resent), U(seen.repeated),
	    U(seen.turns), U(seen.takeovers), U(seen.closes), U(seen.stale), U(seen.prefixes));
	if (count >= 3000)
		check_seen();
	printf("ok %llu schedules\n", U(count));
	return fflush(stdout) == 0 ? 0 : 1;
}
