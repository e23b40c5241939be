/*
 * streams: the books of many streams.  See streams.h for the invariants.
 */
#include "core/streams.h"

#include <stddef.h>
#include <string.h>

#include "core/time.h"

#define FIRST_MOST	16u	/* streams before the window is known */
#define MOST		4096u
#define GROW_NS		SECOND	/* a window that is taken in less may grow, */
#define GROW		4u	/* so many times */
#define GRANT_MAX	(1u << 20)	/* to a new stream, beyond STREAM_CREDIT, */
#define GRANT_SHARE	32u	/* and a share of the budget */

/* Lists */

static void
list_init(struct stream_link *head)
{
	head->next = head->prev = head;
	head->stream = NULL;
}

static bool
list_empty(const struct stream_link *head)
{
	return head->next == head;
}

static void
list_remove(struct stream_link *l)
{
	if (l->next == NULL)
		return;
	l->next->prev = l->prev;
	l->prev->next = l->next;
	l->next = l->prev = NULL;
}

static void
list_append(struct stream_link *head, struct stream_link *l)
{
	list_remove(l);
	l->next = head;
	l->prev = head->prev;
	head->prev->next = l;
	head->prev = l;
}

/* The table */

void
streams_init(struct streams *s, bool caller)
{
	memset(s, 0, sizeof(*s));
	s->caller = caller;
	s->most = FIRST_MOST;
	list_init(&s->fresh);
	list_init(&s->old);
	list_init(&s->urgent);
}

/* Half of the window is for what every stream may send, half for those that need more. */
void
streams_agree(struct streams *s, uint64_t window)
{
	uint64_t most = window / 4 / STREAM_CREDIT;

	s->most = most < FIRST_MOST ? FIRST_MOST : most > MOST ? MOST : (uint32_t)most;
	s->budget = window / 2;
}

bool
streams_full(const struct streams *s)
{
	return s->ours >= s->most || s->last > UINT32_MAX - 2;
}

static struct stream *
find(const struct streams *s, uint32_t number)
{
	struct stream *st = s->bucket[number % STREAMS_BUCKETS];

	while (st != NULL && st->number != number)
		st = st->same;
	return st;
}

static void
add(struct streams *s, struct stream *new, uint32_t number)
{
	struct stream **bucket = &s->bucket[number % STREAMS_BUCKETS];

	memset(new, 0, sizeof(*new));
	new->number = number;
	new->sendable = new->window = new->expected = STREAM_CREDIT;
	new->turn.stream = new->urgent.stream = new;
	new->same = *bucket;
	*bucket = new;
	s->open++;
}

void
streams_remove(struct streams *s, struct stream *st)
{
	struct stream **at = &s->bucket[st->number % STREAMS_BUCKETS];

	while (*at != st)
		at = &(*at)->same;
	*at = st->same;
	list_remove(&st->turn);
	list_remove(&st->urgent);
	s->budget += st->window - STREAM_CREDIT;
	s->open--;
	s->ours -= (st->number % 2 == 1) == s->caller;
}

bool
stream_queued(const struct stream *st)
{
	return st->turn.next != NULL;
}

bool
stream_over(const struct stream *st)
{
	return st->last_said && st->last_came;
}

/* What is to be said */

static void
say(struct streams *s, struct stream *st, unsigned what)
{
	st->say |= what;
	if (st->urgent.next == NULL)
		list_append(&s->urgent, &st->urgent);
}

/* The end of a stream whose both directions have ended well. */
static void
say_close(struct streams *s, struct stream *st)
{
	if (st->fin_said && st->fin_came && st->written && !st->reset && !st->last_said)
		say(s, st, STREAM_SAY_CLOSE);
}

/* While there are few streams, a new one need not wait until it has proved to move. */
static void
grant(struct streams *s, struct stream *new)
{
	uint64_t more = s->budget / GRANT_SHARE;

	if (more > GRANT_MAX)
		more = GRANT_MAX;
	if (more == 0)
		return;
	s->budget -= more;
	new->window += (uint32_t)more;
	new->taken = (uint32_t)more;
	say(s, new, STREAM_SAY_CREDIT);
}

void
streams_open(struct streams *s, struct stream *new)
{
	s->last += s->last == 0 ? (s->caller ? 1 : 2) : 2;
	add(s, new, s->last);
	s->ours++;
	say(s, new, STREAM_SAY_OPEN);
	grant(s, new);
}

void
streams_accept(struct streams *s, struct stream *new, uint32_t number)
{
	add(s, new, number);
	grant(s, new);
}

void
streams_ready(struct streams *s, struct stream *st)
{
	if (st->sendable == 0 || st->ended || st->reset || stream_queued(st))
		return;
	list_append(st->deficit >= 0 ? &s->fresh : &s->old, &st->turn);
}

void
streams_idle(struct stream *st)
{
	list_remove(&st->turn);
}

void
streams_ended(struct streams *s, struct stream *st)
{
	list_remove(&st->turn);
	if (st->ended || st->reset)
		return;
	st->ended = true;
	say(s, st, STREAM_SAY_FIN);
}

void
streams_reset(struct streams *s, struct stream *st, enum stream_reason reason)
{
	list_remove(&st->turn);
	if (st->reset || st->last_said)
		return;
	st->reset = true;
	st->reason = reason;
	/* What the peer never heard of needs no end. */
	if ((st->say & STREAM_SAY_OPEN) != 0) {
		st->say = 0;
		list_remove(&st->urgent);
		st->last_said = st->last_came = true;
		return;
	}
	st->say = 0;
	say(s, st, STREAM_SAY_RESET);
}

/*
 * A window that is used up within a second may grow, out of the budget, if most of it
 * was taken as it came: so it is the way there that is long, and not the consumer slow.
 */
static uint32_t
grow(struct streams *s, struct stream *st, uint64_t now_ns)
{
	uint64_t more = (uint64_t)st->window * (GROW - 1);
	bool quick = now_ns - st->grown_ns < GROW_NS, prompt = st->kept < st->passed / 2;

	if (st->passed < st->window && quick)
		return 0;
	st->passed = st->kept = 0;
	st->grown_ns = now_ns;
	if (more > STREAMS_WINDOW_MAX - st->window)
		more = STREAMS_WINDOW_MAX - st->window;
	if (more > s->budget)
		more = s->budget;
	if (!quick || !prompt)
		return 0;
	s->budget -= more;
	st->window += (uint32_t)more;
	return (uint32_t)more;
}

void
streams_taken(struct streams *s, struct stream *st, uint32_t n, bool late, uint64_t now_ns)
{
	if (st->fin_came || st->reset)
		return;
	if (st->grown_ns == 0)
		st->grown_ns = now_ns;
	st->taken += n;
	st->passed += n;
	st->kept += late ? n : 0;
	if (st->taken < st->window / 2)
		return;
	st->taken += grow(s, st, now_ns);
	say(s, st, STREAM_SAY_CREDIT);
}

void
streams_written(struct streams *s, struct stream *st)
{
	st->written = true;
	say_close(s, st);
}

/* What came */

/* OPEN: of the other end's kind, and higher than all before. */
static enum streams_event
heard_open(struct streams *s, uint32_t number, struct stream *known)
{
	if (known != NULL)
		streams_reset(s, known, STREAM_PROTOCOL);
	if (known != NULL || (number % 2 == 1) == s->caller || number <= s->last_came)
		return STREAMS_NOTHING;
	if (s->open - s->ours >= s->most)
		return STREAMS_BROKEN;
	s->last_came = number;
	return STREAMS_OPEN;
}

static enum streams_event
heard_credit(struct streams *s, struct stream *st, uint32_t n)
{
	if (st->reset)
		return STREAMS_NOTHING;
	if (n > UINT32_MAX / 2 - st->sendable) {
		streams_reset(s, st, STREAM_PROTOCOL);
		return STREAMS_NOTHING;
	}
	st->sendable += n;
	return st->ended ? STREAMS_NOTHING : STREAMS_CREDIT;
}

/* The peer's last record of the stream. */
static void
heard_last(struct streams *s, struct stream *st, enum record_type type)
{
	bool well = type == RECORD_CLOSE && st->fin_came && st->fin_said;

	st->last_came = true;
	/* Otherwise what was said answers this, or will be said. */
	if (well || st->last_said || st->reset)
		return;
	list_remove(&st->turn);
	st->reset = true;
	st->say = 0;
	say(s, st, STREAM_SAY_CLOSE);
}

static enum streams_event
heard_known(struct streams *s, struct stream *st, const struct record *r)
{
	switch (r->type) {
	case RECORD_OPEN:
		break;
	case RECORD_DATA:
		if (st->fin_came || r->value > st->expected) {
			streams_reset(s, st, STREAM_PROTOCOL);
			return STREAMS_SKIP;
		}
		st->expected -= r->value;
		return st->reset ? STREAMS_SKIP : STREAMS_DATA;
	case RECORD_CREDIT:
		return heard_credit(s, st, r->value);
	case RECORD_FIN:
		if (st->fin_came)
			streams_reset(s, st, STREAM_PROTOCOL);
		st->fin_came = true;
		return st->reset ? STREAMS_NOTHING : STREAMS_FIN;
	case RECORD_RESET:
	case RECORD_CLOSE:
		heard_last(s, st, r->type);
		break;
	}
	return STREAMS_NOTHING;
}

enum streams_event
streams_heard(struct streams *s, const struct record *record, struct stream **st)
{
	*st = find(s, record->number);
	if (record->type == RECORD_OPEN)
		return heard_open(s, record->number, *st);
	if (*st == NULL || (*st)->last_came)
		return record->type == RECORD_DATA ? STREAMS_SKIP : STREAMS_NOTHING;
	return heard_known(s, *st, record);
}

/* Turns */

/* The first thing that it has to say; it stays in the list while there is more. */
static void
take_urgent(struct streams *s, struct stream *st, struct record *r)
{
	unsigned what = st->say & (0U - st->say);

	st->say &= ~what;
	if (st->say == 0)
		list_remove(&st->urgent);
	memset(r, 0, sizeof(*r));
	r->number = st->number;
	switch (what) {
	case STREAM_SAY_OPEN:
		r->type = RECORD_OPEN;
		break;
	case STREAM_SAY_CREDIT:
		r->type = RECORD_CREDIT;
		r->value = st->taken;
		st->expected += st->taken;
		st->taken = 0;
		break;
	case STREAM_SAY_FIN:
		r->type = RECORD_FIN;
		st->fin_said = true;
		say_close(s, st);
		break;
	case STREAM_SAY_RESET:
		r->type = RECORD_RESET;
		r->reason = st->reason;
		st->last_said = true;
		break;
	default:
		r->type = RECORD_CLOSE;
		st->last_said = true;
	}
}

struct stream *
streams_next(struct streams *s, uint32_t most, uint32_t quantum, struct record *r)
{
	struct stream *st;
	uint32_t n;

	if (!list_empty(&s->urgent)) {
		st = s->urgent.next->stream;
		take_urgent(s, st, r);
		return st;
	}
	for (;;) {
		if (list_empty(&s->fresh) && list_empty(&s->old))
			return NULL;
		st = (list_empty(&s->fresh) ? &s->old : &s->fresh)->next->stream;
		if (st->deficit > 0)
			break;
		/* Its turn is over, or begins: the next is for it after all others. */
		st->deficit += (int32_t)quantum;
		if (list_empty(&s->fresh) || s->fresh.next != &st->turn || st->deficit <= 0)
			list_append(&s->old, &st->turn);
	}
	n = st->sendable < most ? st->sendable : most;
	*r = (struct record){ .type = RECORD_DATA, .number = st->number, .value = n };
	return st;
}

bool
streams_sparse(const struct streams *s, const struct stream *st)
{
	return s->fresh.next == &st->turn && !list_empty(&s->old);
}

void
streams_sent(struct streams *s, struct stream *st, uint32_t n)
{
	st->sendable -= n;
	st->deficit -= (int32_t)n;
	if (st->sendable == 0)
		list_remove(&st->turn);
	else if (st->deficit <= 0)
		list_append(&s->old, &st->turn);
}
