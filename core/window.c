/*
 * window: what the sender keeps.  See window.h for the invariants; runs under
 * tx.c's lock.
 *
 * The stream is kept in chunks of equal size.  Each is filled to its end
 * before the next is begun, so a chunk's number is an offset divided by the size.
 * A frame never crosses the end of a chunk.
 */
#include "core/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POOL_CHUNKS	6	/* free chunks that are kept for the next use */
#define FIRST_READ	(1u << 20)	/* bytes read before anything is agreed */
#define COPY_LOOK	64	/* segments looked at for one that may be copied */

struct window_chunk {
	struct window_chunk *next;	/* in the pool */
	unsigned pins;			/* legs that send from it */
	bool passed;			/* below base: released with the last pin */
	uint8_t data[];
};

int
window_init(struct window *w, uint64_t window, uint64_t send_limit, uint32_t frame)
{
	uint32_t size = frame > WINDOW_CHUNK ? frame : WINDOW_CHUNK;

	memset(w, 0, sizeof(*w));
	if (size > window / 4)
		size = (uint32_t)(window / 4);
	w->window = window;
	w->send_limit = send_limit == 0 || send_limit > window ? window : send_limit;
	w->hole = w->send_limit / 4;
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
	free(w->cost);
	ranges_free(&w->acked);
	ranges_free(&w->lost);
}

void
window_agree(struct window *w, uint64_t window, uint32_t frame)
{
	if (window < w->window)
		w->window = window;
	if (w->send_limit > w->window)
		w->send_limit = w->window;
	if (frame < w->frame)
		w->frame = frame;
	if (w->frame > w->window / 4)
		w->frame = (uint32_t)(w->window / 4);
	/* delivered + window at the start: no STATUS is needed for the first credit. */
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

/* Release every chunk that lies below base, or mark it for its last unpin. */
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

/* Reading from the source */

uint8_t *
window_room(struct window *w, size_t *n)
{
	uint64_t most = w->base + w->send_limit;
	uint32_t at = (uint32_t)(w->end % w->chunk_size);
	struct window_chunk **slot = chunk_slot(w, w->end);

	/* Before the handshake: enough for the first leg to start at once. */
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

/* Every byte of [lo, hi) has arrived; adds those newly acknowledged. */
static int
acknowledge(struct window *w, uint64_t lo, uint64_t hi, uint64_t *newly_acked)
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
	*newly_acked += w->base + ranges_total(&w->acked) - before;
	return 0;
}

const char *
window_judge(const struct window *w, const struct status *status)
{
	const struct status_entry *e = status->entry;
	const struct window_leg *leg;

	if (status->delivered > w->next)
		return "says that it delivered what was never sent";
	for (; e < status->entry + status->count; e++) {
		leg = &w->leg[e->leg];
		if (leg->up && leg->incarnation == e->incarnation && e->received > leg->sent)
			return "acknowledges what was never sent";
	}
	return NULL;
}

const char *
window_received(struct window *w, const struct status_entry *entry, uint64_t *newly_acked,
    bool *failed)
{
	struct window_leg *leg = &w->leg[entry->leg];
	struct window_segment *f;
	uint64_t n;

	*newly_acked = 0;
	if (!leg->up || leg->incarnation != entry->incarnation ||
	    entry->received <= leg->received)
		return NULL;
	if (entry->received > leg->sent)
		return "acknowledges what was never sent";
	while (leg->received < entry->received) {
		f = &leg->ring[leg->head];
		n = entry->received - leg->received;
		if (n > f->length)
			n = f->length;
		if (acknowledge(w, f->seq, f->seq + n, newly_acked) == -1) {
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
costs_pass(struct window *w)
{
	while (w->cost_count > 0 && w->cost[w->cost_head].end <= w->delivered) {
		w->cost_total -= w->cost[w->cost_head].cost;
		w->cost_head = (w->cost_head + 1) & (w->cost_size - 1);
		w->cost_count--;
	}
}

const char *
window_delivered(struct window *w, uint64_t delivered, uint64_t limit, uint64_t *newly_acked,
    bool *failed)
{
	*newly_acked = 0;
	if (delivered > w->next)
		return "says that it delivered what was never sent";
	if (delivered > w->delivered) {
		w->delivered = delivered;
		costs_pass(w);
		if (acknowledge(w, w->base, delivered, newly_acked) == -1)
			*failed = true;
	}
	/* Credit beyond the agreed window would make our own memory grow. */
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
	leg->sent = leg->received = 0;
	leg->head = leg->count = 0;
	return 0;
}

/* The leg that carried [lo, hi) is gone: what is not acknowledged is lost. */
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
	const struct window_segment *f;
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
	leg->sent = leg->received = 0;
	return result;
}

/* Segmenting */

static int
segment_add(struct window_leg *leg, const struct window_segment *f)
{
	struct window_segment *ring;
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
	leg->sent += f->length;
	return 0;
}

static int
cost_add(struct window *w, uint64_t end, uint32_t cost)
{
	struct window_cost *ring;
	size_t size, i;

	if (w->cost_count == w->cost_size) {
		size = w->cost_size == 0 ? 64 : 2 * w->cost_size;
		ring = malloc(size * sizeof(*ring));
		if (ring == NULL)
			return -1;
		for (i = 0; i < w->cost_count; i++)
			ring[i] = w->cost[(w->cost_head + i) & (w->cost_size - 1)];
		free(w->cost);
		w->cost = ring;
		w->cost_head = 0;
		w->cost_size = size;
	}
	i = (w->cost_head + w->cost_count++) & (w->cost_size - 1);
	w->cost[i].end = end;
	w->cost[i].cost = cost;
	w->cost_total += cost;
	return 0;
}

/* How many bytes of [seq, hi) one frame of at most `most' bytes may hold. */
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

/* How many new bytes, from next on, the credit and the costs allow. */
static uint64_t
fresh(const struct window *w)
{
	uint64_t n = w->end - w->next;

	if (w->limit <= w->next || w->cost_total + WINDOW_COST_MIN > w->send_limit)
		return 0;
	if (n > w->limit - w->next)
		n = w->limit - w->next;
	if (n > w->send_limit - w->cost_total)
		n = w->send_limit - w->cost_total;
	return n;
}

void
window_hole(struct window *w, uint64_t under_way)
{
	w->hole = under_way > w->send_limit / 4 ? under_way : w->send_limit / 4;
}

bool
window_stretch(struct window *w, uint64_t need)
{
	/* Exhausted: the reader waits for room, or a leg for the send limit. */
	bool kept = w->end - w->base + w->chunk_size > w->send_limit;
	bool sent = w->cost_total + w->frame > w->send_limit;

	if (w->send_limit >= need || w->send_limit == w->window || !(kept || sent))
		return false;
	/* What has arrived in order and is not delivered waits for the consumer. */
	if (w->base - w->delivered > w->send_limit / 4)
		return false;
	/* What was read and not sent waits for a leg: more room would not help. */
	if (w->end - w->next > w->send_limit / 2)
		return false;
	w->send_limit = w->send_limit > w->window / 2 ? w->window : 2 * w->send_limit;
	return true;
}

uint64_t
window_ready(const struct window *w)
{
	return ranges_total(&w->lost) + fresh(w);
}

/* Gives the leg the bytes that out->seq and out->length say. */
static int
segment(struct window *w, unsigned leg, uint64_t now_ns, struct window_frame *out)
{
	struct window_chunk *c = *chunk_slot(w, out->seq);
	struct window_segment f = {
		.seq = out->seq, .length = out->length, .copy = out->copy, .sent_ns = now_ns
	};

	if (segment_add(&w->leg[leg], &f) == -1)
		return -1;
	out->kind = WINDOW_DATA;
	out->data = c->data + out->seq % w->chunk_size;
	out->chunk = c;
	c->pins++;
	return 0;
}

static int
take_lost(struct window *w, unsigned leg, uint32_t most, uint64_t now_ns,
    struct window_frame *out)
{
	uint64_t lo = 0, hi = 0;

	ranges_first(&w->lost, &lo, &hi);
	out->seq = lo;
	out->length = cut_length(w, lo, hi, most);
	out->resend = true;
	if (segment(w, leg, now_ns, out) == -1)
		return -1;
	ranges_trim(&w->lost, lo + out->length);
	w->resent += out->length;
	return 0;
}

static int
take_fresh(struct window *w, unsigned leg, uint32_t most, uint64_t now_ns,
    struct window_frame *out)
{
	uint32_t n = cut_length(w, w->next, w->next + fresh(w), most);

	out->seq = w->next;
	out->length = n;
	if (cost_add(w, w->next + n, n < WINDOW_COST_MIN ? WINDOW_COST_MIN : n) == -1 ||
	    segment(w, leg, now_ns, out) == -1)
		return -1;
	w->next += n;
	return 0;
}

/* How long a leg takes to transfer that many bytes. */
static uint64_t
takes_ns(const struct window_leg *leg, uint64_t bytes)
{
	return bytes * 1000000 / (leg->rate / 1000 + 1);
}

/*
 * Would a copy given to `leg' now arrive long before the first `bytes' that `other'
 * has in flight?  A leg without progress is expected to stay so for as long
 * again as it has been.
 */
static bool
overtakes(const struct window_leg *other, const struct window_leg *leg, uint64_t bytes,
    uint64_t now_ns)
{
	uint64_t needs = leg->late_ns / 4, remains = now_ns - other->moved_ns;

	if (other->rate == 0)
		return true;
	if (leg->rate != 0)
		needs += takes_ns(leg, leg->sent - leg->received);
	if (remains < takes_ns(other, bytes))
		remains = takes_ns(other, bytes);
	return remains > 2 * needs;
}

/*
 * After so long segment f of `other' counts as late to leg number `number'.  At the end
 * of the stream that leg has nothing else to do, and for a copy of what was sent but
 * once the rate is reason enough.
 */
static uint64_t
late_after(const struct window *w, const struct window_leg *other, unsigned number,
    const struct window_segment *f)
{
	uint64_t ours = w->leg[number].late_ns;

	if (other->rate != 0)
		return w->eof && w->next == w->end && !f->copy ? 0 : other->late_ns;
	/* A leg without a measured rate is late as early as this one would be. */
	return ours != 0 && ours < other->late_ns ? ours : other->late_ns;
}

/*
 * The segment of another leg to copy: the lowest in the stream that is late,
 * not acknowledged through another leg and not copied yet, and that a copy would
 * overtake.  It may be a copy itself, if its leg turned out to be slow as well.
 */
static struct window_segment *
late_segment(struct window *w, unsigned number, uint64_t now_ns)
{
	struct window_segment *best = NULL, *f;
	struct window_leg *leg;
	uint64_t bytes;
	unsigned i;
	size_t k;

	for (i = 0; i < FRAME_LEGS; i++) {
		leg = &w->leg[i];
		if (i == number || !leg->up || leg->late_ns == 0)
			continue;
		bytes = 0;
		for (k = 0; k < leg->count && k < COPY_LOOK; k++) {
			f = &leg->ring[(leg->head + k) & (leg->size - 1)];
			bytes += f->length;
			if (now_ns - f->sent_ns < late_after(w, leg, number, f))
				break;
			if (f->copied == f->length || f->seq + f->length <= w->base ||
			    ranges_covers(&w->acked, f->seq, f->seq + f->length))
				continue;
			if (!overtakes(leg, &w->leg[number], bytes, now_ns))
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
    struct window_frame *out)
{
	struct window_segment *f;
	uint64_t seq, end;

	if (w->copies >= WINDOW_COPIES || (f = late_segment(w, leg, now_ns)) == NULL)
		return 0;
	end = f->seq + f->length;
	seq = f->seq + f->copied < w->base ? w->base : f->seq + f->copied;
	if (seq >= end)
		return 0;
	out->seq = seq;
	out->length = cut_length(w, seq, end, most);
	out->copy = true;
	if (segment(w, leg, now_ns, out) == -1)
		return -1;
	f->copied = (uint32_t)(seq + out->length - f->seq);
	w->copies += out->length;
	w->copied += out->length;
	return 0;
}

int
window_take(struct window *w, unsigned number, uint32_t most, uint64_t now_ns,
    struct window_frame *out)
{
	struct window_leg *leg = &w->leg[number];

	memset(out, 0, sizeof(*out));
	if (ranges_count(&w->lost) > 0)
		return take_lost(w, number, most, now_ns, out);
	/* When much waits behind a hole, fill the hole before sending anything new. */
	if (ranges_total(&w->acked) > w->hole) {
		if (take_copy(w, number, most, now_ns, out) == -1)
			return -1;
		if (out->kind != WINDOW_NONE)
			return 0;
	}
	if (fresh(w) > 0)
		return take_fresh(w, number, most, now_ns, out);
	if (w->eof && w->next == w->end && !leg->fin_sent) {
		leg->fin_sent = true;
		out->kind = WINDOW_FIN;
		return 0;
	}
	return take_copy(w, number, most, now_ns, out);
}

/* The audit */

static bool
in_flight(const struct window *w, uint64_t at, uint64_t *end)
{
	const struct window_segment *f;
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
	if (w->send_limit > w->window || (w->end - w->base > w->send_limit && w->agreed))
		return "more kept than the send limit";
	if (w->cost_total > w->send_limit)
		return "more counted than the send limit";
	if (w->next > w->limit && w->next > 0)
		return "segmented beyond the credit";
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
				return "a byte that is neither acknowledged, in flight nor lost";
			at = hi;
		}
	}
	return NULL;
}
