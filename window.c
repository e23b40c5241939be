/*
 * window: the sender's books.  See window.h for the invariants; runs under
 * the lock of whoever calls it, which is tx.c.
 *
 * The stream is kept in chunks of equal size, every one filled to its end
 * before the next is begun, so an offset divided by the size is a chunk's
 * number.  A frame never crosses a chunk.
 */
#include "window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POOL_CHUNKS	6	/* free chunks that are kept for the next use */
#define FIRST_READ	(1u << 20)	/* octets read before anything is agreed */
#define COPY_LOOK	64	/* flights looked at for one that may be copied */

struct window_chunk {
	struct window_chunk *next;	/* in the pool */
	unsigned pins;			/* legs that send from it */
	bool passed;			/* below base: given back at the last unpin */
	uint8_t data[];
};

int
window_init(struct window *w, uint64_t window, uint64_t reach, uint32_t frame)
{
	uint32_t size = frame > WINDOW_CHUNK ? frame : WINDOW_CHUNK;

	memset(w, 0, sizeof(*w));
	if (size > window / 4)
		size = (uint32_t)(window / 4);
	w->window = window;
	w->reach = reach == 0 || reach > window ? window : reach;
	w->frame = frame;
	w->chunk_size = size;
	w->slots = (size_t)(window / size) + 2;
	w->chunk = calloc(w->slots, sizeof(struct window_chunk *));
	ranges_init(&w->acked);
	ranges_init(&w->lost);
	return w->chunk == NULL ? -1 : 0;
}

void
window_free(struct window *w)
{
	struct window_chunk *c;
	size_t i;

	for (i = 0; i < FRAME_LEGS; i++)
		free(w->leg[i].ring);
	for (i = 0; i < w->slots; i++)
		free(w->chunk[i]);
	while ((c = w->pool) != NULL) {
		w->pool = c->next;
		free(c);
	}
	free(w->chunk);
	free(w->charge);
	ranges_free(&w->acked);
	ranges_free(&w->lost);
}

void
window_agree(struct window *w, uint64_t window, uint32_t frame)
{
	if (window < w->window)
		w->window = window;
	if (w->reach > w->window)
		w->reach = w->window;
	if (frame < w->frame)
		w->frame = frame;
	if (w->frame > w->window / 4)
		w->frame = (uint32_t)(w->window / 4);
	/* What is delivered + window at the begin: nobody need wait to hear of it. */
	w->limit = w->window;
	w->agreed = true;
}

/* Chunks */

static struct window_chunk *
chunk_new(struct window *w)
{
	struct window_chunk *c = w->pool;

	if (c != NULL) {
		w->pool = c->next;
		w->pooled--;
	} else if ((c = malloc(sizeof(*c) + w->chunk_size)) == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	c->pins = 0;
	c->passed = false;
	return c;
}

static void
chunk_put(struct window *w, struct window_chunk *c)
{
	if (w->pooled == POOL_CHUNKS) {
		free(c);
		return;
	}
	c->next = w->pool;
	w->pool = c;
	w->pooled++;
}

static struct window_chunk **
chunk_slot(const struct window *w, uint64_t offset)
{
	return &w->chunk[offset / w->chunk_size % w->slots];
}

/* Give back every chunk that lies below base. */
static void
chunks_pass(struct window *w)
{
	uint64_t below = w->base / w->chunk_size;
	struct window_chunk **slot, *c;

	for (; w->first_chunk < below; w->first_chunk++) {
		slot = &w->chunk[w->first_chunk % w->slots];
		c = *slot;
		*slot = NULL;
		c->passed = true;
		if (c->pins == 0)
			chunk_put(w, c);
	}
}

void
window_release(struct window *w, struct window_chunk *c)
{
	c->pins--;
	if (c->pins == 0 && c->passed)
		chunk_put(w, c);
}

/* The source's side */

uint8_t *
window_room(struct window *w, size_t *n)
{
	uint64_t most = w->base + w->reach;
	uint32_t at = (uint32_t)(w->end % w->chunk_size);
	struct window_chunk **slot = chunk_slot(w, w->end);

	/* Before the handshake so much is enough to start with at once. */
	if (!w->agreed)
		most = w->chunk_size < FIRST_READ ? w->chunk_size : FIRST_READ;
	*n = 0;
	if (w->end >= most)
		return NULL;
	if (*slot == NULL && (*slot = chunk_new(w)) == NULL) {
		*n = 1;
		return NULL;
	}
	*n = w->chunk_size - at;
	if (*n > most - w->end)
		*n = (size_t)(most - w->end);
	return (*slot)->data + at;
}

void
window_fill(struct window *w, size_t n)
{
	w->end += n;
}

void
window_eof(struct window *w, uint64_t digest)
{
	w->eof = true;
	w->digest = digest;
}

/* Acknowledgement */

/* Every octet of [lo, hi) has arrived; counts those that are news. */
static int
acknowledge(struct window *w, uint64_t lo, uint64_t hi, uint64_t *gain)
{
	uint64_t before = w->base + ranges_total(&w->acked);
	uint64_t first, last;

	if (lo < w->base)
		lo = w->base;
	if (lo >= hi)
		return 0;
	if (ranges_remove(&w->lost, lo, hi) == -1)
		return -1;
	if (lo > w->base) {
		if (ranges_add(&w->acked, lo, hi) == -1)
			return -1;
	} else {
		w->base = hi;
		while (ranges_first(&w->acked, &first, &last) && first <= w->base) {
			if (last > w->base)
				w->base = last;
			ranges_trim(&w->acked, w->base);
		}
		chunks_pass(w);
	}
	*gain += w->base + ranges_total(&w->acked) - before;
	return 0;
}

const char *
window_received(struct window *w, unsigned number, uint32_t incarnation, uint64_t received,
    uint64_t *gain, bool *failed)
{
	struct window_leg *leg = &w->leg[number];
	struct window_flight *f;
	uint64_t n;

	*gain = 0;
	if (!leg->up || leg->incarnation != incarnation || received <= leg->received)
		return NULL;
	if (received > leg->cut)
		return "acknowledges what was never sent";
	while (leg->received < received) {
		f = &leg->ring[leg->head];
		n = received - leg->received;
		if (n > f->length)
			n = f->length;
		if (acknowledge(w, f->seq, f->seq + n, gain) == -1) {
			*failed = true;
			return NULL;
		}
		leg->received += n;
		f->seq += n;
		f->length -= (uint32_t)n;
		f->copied -= f->copied < n ? f->copied : (uint32_t)n;
		if (f->copy)
			w->copies -= n;
		if (f->length == 0) {
			leg->head = (leg->head + 1) & (leg->size - 1);
			leg->count--;
		}
	}
	return NULL;
}

static void
charges_pass(struct window *w)
{
	while (w->charge_count > 0 && w->charge[w->charge_head].end <= w->delivered) {
		w->charged -= w->charge[w->charge_head].charge;
		w->charge_head = (w->charge_head + 1) & (w->charge_size - 1);
		w->charge_count--;
	}
}

const char *
window_delivered(struct window *w, uint64_t delivered, uint64_t limit, uint64_t *gain,
    bool *failed)
{
	*gain = 0;
	if (delivered > w->next)
		return "says that it delivered what was never sent";
	if (delivered > w->delivered) {
		w->delivered = delivered;
		charges_pass(w);
		if (acknowledge(w, w->base, delivered, gain) == -1)
			*failed = true;
	}
	/* Credit beyond what was agreed would make our own memory grow. */
	if (limit > w->delivered + w->window)
		limit = w->delivered + w->window;
	if (limit > w->limit)
		w->limit = limit;
	return NULL;
}

/* Legs */

int
window_leg_up(struct window *w, unsigned number, uint32_t incarnation)
{
	struct window_leg *leg = &w->leg[number];

	if (leg->ring == NULL) {
		leg->size = 16;
		leg->ring = malloc(leg->size * sizeof(*leg->ring));
		if (leg->ring == NULL)
			return -1;
	}
	leg->up = true;
	leg->fin_sent = false;
	leg->rate = leg->moved_ns = 0;
	leg->incarnation = incarnation;
	leg->cut = leg->received = 0;
	leg->head = leg->count = 0;
	return 0;
}

/* [lo, hi) is carried by no leg any more. */
static int
lose(struct window *w, uint64_t lo, uint64_t hi)
{
	uint64_t from, to;

	if (lo < w->base)
		lo = w->base;
	while (lo < hi && ranges_gap(&w->acked, lo, hi, &from, &to)) {
		if (ranges_add(&w->lost, from, to) == -1)
			return -1;
		lo = to;
	}
	return 0;
}

int
window_leg_down(struct window *w, unsigned number)
{
	struct window_leg *leg = &w->leg[number];
	const struct window_flight *f;
	int result = 0;

	if (!leg->up)
		return 0;
	for (; leg->count > 0; leg->count--) {
		f = &leg->ring[leg->head];
		if (f->copy)
			w->copies -= f->length;
		if (lose(w, f->seq, f->seq + f->length) == -1)
			result = -1;
		leg->head = (leg->head + 1) & (leg->size - 1);
	}
	leg->up = false;
	leg->cut = leg->received = 0;
	return result;
}

/* Cutting */

static int
flight_add(struct window_leg *leg, const struct window_flight *f)
{
	struct window_flight *ring;
	size_t i;

	if (leg->count == leg->size) {
		ring = malloc(2 * leg->size * sizeof(*ring));
		if (ring == NULL)
			return -1;
		for (i = 0; i < leg->count; i++)
			ring[i] = leg->ring[(leg->head + i) & (leg->size - 1)];
		free(leg->ring);
		leg->ring = ring;
		leg->head = 0;
		leg->size *= 2;
	}
	if (leg->count == 0)
		leg->moved_ns = f->sent_ns;
	leg->ring[(leg->head + leg->count++) & (leg->size - 1)] = *f;
	leg->cut += f->length;
	return 0;
}

static int
charge_add(struct window *w, uint64_t end, uint32_t charge)
{
	struct window_charge *ring;
	size_t size, i;

	if (w->charge_count == w->charge_size) {
		size = w->charge_size == 0 ? 64 : 2 * w->charge_size;
		ring = malloc(size * sizeof(*ring));
		if (ring == NULL)
			return -1;
		for (i = 0; i < w->charge_count; i++)
			ring[i] = w->charge[(w->charge_head + i) & (w->charge_size - 1)];
		free(w->charge);
		w->charge = ring;
		w->charge_head = 0;
		w->charge_size = size;
	}
	i = (w->charge_head + w->charge_count++) & (w->charge_size - 1);
	w->charge[i].end = end;
	w->charge[i].charge = charge;
	w->charged += charge;
	return 0;
}

/* How much of [seq, hi) one frame of at most `most' octets may hold. */
static uint32_t
cut_length(const struct window *w, uint64_t seq, uint64_t hi, uint32_t most)
{
	uint64_t n = hi - seq;
	uint64_t chunk = w->chunk_size - seq % w->chunk_size;

	if (n > most)
		n = most;
	if (n > w->frame)
		n = w->frame;
	return (uint32_t)(n < chunk ? n : chunk);
}

/* New octets that credit and charges allow to be cut, from next on. */
static uint64_t
fresh(const struct window *w)
{
	uint64_t n = w->end - w->next;

	if (w->limit <= w->next || w->charged + WINDOW_CHARGE > w->reach)
		return 0;
	if (n > w->limit - w->next)
		n = w->limit - w->next;
	if (n > w->reach - w->charged)
		n = w->reach - w->charged;
	return n;
}

bool
window_stretch(struct window *w, uint64_t need)
{
	/* Exhausted: the reader waits for room, or a leg for credit of ours. */
	bool kept = w->end - w->base + w->chunk_size > w->reach;
	bool sent = w->charged + w->frame > w->reach;

	if (w->reach >= need || w->reach == w->window || !(kept || sent))
		return false;
	/* What is here in order and not delivered waits for the consumer. */
	if (w->base - w->delivered > w->reach / 4)
		return false;
	/* What is read and not sent waits for a leg, which more room would not help. */
	if (w->end - w->next > w->reach / 2)
		return false;
	w->reach = w->reach > w->window / 2 ? w->window : 2 * w->reach;
	return true;
}

uint64_t
window_ready(const struct window *w)
{
	return ranges_total(&w->lost) + fresh(w);
}

static int
cut(struct window *w, unsigned leg, uint64_t seq, uint32_t length, uint64_t now_ns,
    struct window_frame *out)
{
	struct window_chunk *c = *chunk_slot(w, seq);
	struct window_flight f = {
		.seq = seq, .length = length, .copy = out->copy, .sent_ns = now_ns
	};

	if (flight_add(&w->leg[leg], &f) == -1)
		return -1;
	out->seq = seq;
	out->length = length;
	out->data = c->data + seq % w->chunk_size;
	out->chunk = c;
	c->pins++;
	return 0;
}

static int
take_lost(struct window *w, unsigned leg, uint32_t most, uint64_t now_ns,
    struct window_frame *out)
{
	uint64_t lo = 0, hi = 0;
	uint32_t n;

	ranges_first(&w->lost, &lo, &hi);
	n = cut_length(w, lo, hi, most);
	out->resend = true;
	if (cut(w, leg, lo, n, now_ns, out) == -1)
		return -1;
	ranges_trim(&w->lost, lo + n);
	w->resent += n;
	return 0;
}

static int
take_fresh(struct window *w, unsigned leg, uint32_t most, uint64_t now_ns,
    struct window_frame *out)
{
	uint32_t n = cut_length(w, w->next, w->next + fresh(w), most);

	if (charge_add(w, w->next + n, n < WINDOW_CHARGE ? WINDOW_CHARGE : n) == -1 ||
	    cut(w, leg, w->next, n, now_ns, out) == -1)
		return -1;
	w->next += n;
	return 0;
}

/* How long a leg takes to bring so many octets. */
static uint64_t
takes_ns(const struct window_leg *leg, uint64_t octets)
{
	return octets * 1000000 / (leg->rate / 1000 + 1);
}

/*
 * Will what a leg has in flight, up to the last of so many octets, arrive long
 * after what another is given now?  A leg that is silent is believed to remain so
 * for as long as it has been.
 */
static bool
overtakes(const struct window_leg *other, const struct window_leg *leg, uint64_t octets,
    uint64_t now_ns)
{
	uint64_t needs = leg->late_ns / 4, remains = now_ns - other->moved_ns;

	if (other->rate == 0)
		return true;
	if (leg->rate != 0)
		needs += takes_ns(leg, leg->cut - leg->received);
	if (remains < takes_ns(other, octets))
		remains = takes_ns(other, octets);
	return remains > 2 * needs;
}

/*
 * The flight of another leg that is to be copied: the lowest in the stream
 * that is late, not acknowledged through another leg and not copied yet, if a copy
 * comes much earlier.  It may be a copy itself: where that went may have turned
 * out to be slow as well.
 */
static struct window_flight *
late_flight(struct window *w, unsigned number, uint64_t now_ns)
{
	struct window_flight *best = NULL, *f;
	struct window_leg *leg;
	uint64_t octets, late;
	unsigned i;
	size_t k;

	for (i = 0; i < FRAME_LEGS; i++) {
		leg = &w->leg[i];
		if (i == number || !leg->up || leg->late_ns == 0)
			continue;
		octets = 0;
		late = leg->late_ns;
		/* Of what was never measured little is believed. */
		if (leg->rate == 0 && w->leg[number].late_ns != 0 && w->leg[number].late_ns < late)
			late = w->leg[number].late_ns;
		for (k = 0; k < leg->count && k < COPY_LOOK; k++) {
			f = &leg->ring[(leg->head + k) & (leg->size - 1)];
			octets += f->length;
			if (now_ns - f->sent_ns < late)
				break;
			if (f->copied == f->length || f->seq + f->length <= w->base ||
			    ranges_covers(&w->acked, f->seq, f->seq + f->length))
				continue;
			if (!overtakes(leg, &w->leg[number], octets, now_ns))
				continue;
			if (best == NULL || f->seq < best->seq)
				best = f;
			break;
		}
	}
	return best;
}

static int
take_copy(struct window *w, unsigned leg, uint32_t most, uint64_t now_ns,
    struct window_frame *out, enum window_cut *kind)
{
	struct window_flight *f;
	uint64_t seq, end;
	uint32_t n;

	if (w->copies >= WINDOW_COPIES || (f = late_flight(w, leg, now_ns)) == NULL)
		return 0;
	end = f->seq + f->length;
	seq = f->seq + f->copied < w->base ? w->base : f->seq + f->copied;
	if (seq >= end)
		return 0;
	n = cut_length(w, seq, end, most);
	out->copy = true;
	if (cut(w, leg, seq, n, now_ns, out) == -1)
		return -1;
	f->copied = (uint32_t)(seq + n - f->seq);
	w->copies += n;
	w->copied += n;
	*kind = WINDOW_DATA;
	return 0;
}

int
window_take(struct window *w, unsigned number, uint32_t most, bool copies, uint64_t now_ns,
    struct window_frame *out, enum window_cut *kind)
{
	struct window_leg *leg = &w->leg[number];

	memset(out, 0, sizeof(*out));
	*kind = WINDOW_NONE;
	if (ranges_count(&w->lost) > 0) {
		*kind = WINDOW_DATA;
		return take_lost(w, number, most, now_ns, out);
	}
	/* A hole that much waits for behind is filled before anything new is sent. */
	if (copies && ranges_total(&w->acked) > w->reach / 4) {
		if (take_copy(w, number, most, now_ns, out, kind) == -1)
			return -1;
		if (*kind != WINDOW_NONE)
			return 0;
	}
	if (fresh(w) > 0) {
		*kind = WINDOW_DATA;
		return take_fresh(w, number, most, now_ns, out);
	}
	if (w->eof && w->next == w->end && !leg->fin_sent) {
		leg->fin_sent = true;
		*kind = WINDOW_FIN;
		return 0;
	}
	if (copies)
		return take_copy(w, number, most, now_ns, out, kind);
	return 0;
}

/* The audit */

static bool
in_flight(const struct window *w, uint64_t at, uint64_t *end)
{
	const struct window_flight *f;
	const struct window_leg *leg;
	bool found = false;
	unsigned i;
	size_t k;

	for (i = 0; i < FRAME_LEGS; i++) {
		leg = &w->leg[i];
		for (k = 0; leg->up && k < leg->count; k++) {
			f = &leg->ring[(leg->head + k) & (leg->size - 1)];
			if (f->seq <= at && at < f->seq + f->length && f->seq + f->length > *end) {
				*end = f->seq + f->length;
				found = true;
			}
		}
	}
	return found;
}

const char *
window_audit(const struct window *w)
{
	uint64_t at = w->base, lo, hi;

	if (w->base > w->next || w->next > w->end || w->delivered > w->base)
		return "base, next, end or delivered out of order";
	if (w->reach > w->window || (w->end - w->base > w->reach && w->agreed))
		return "more kept than the reach";
	if (w->charged > w->reach)
		return "more charged than the reach";
	if (w->next > w->limit && w->next > 0)
		return "cut beyond the credit";
	if (ranges_first(&w->acked, &lo, &hi) && lo <= w->base)
		return "acknowledged at or below base";
	if (ranges_first(&w->lost, &lo, &hi) && lo < w->base)
		return "lost below base";
	while (at < w->next) {
		hi = at;
		if (ranges_gap(&w->acked, at, w->next, &lo, &hi) && lo > at)
			at = lo;
		else if (!ranges_gap(&w->acked, at, w->next, &lo, &hi))
			return NULL;
		else if (!ranges_gap(&w->lost, at, w->next, &lo, &hi))
			return NULL;
		else if (lo > at)
			at = lo;
		else {
			hi = at;
			if (!in_flight(w, at, &hi))
				return "an octet that is neither acknowledged, in flight nor lost";
			at = hi;
		}
	}
	return NULL;
}
