/*
 * reassembly: puts frames back in order.  See reassembly.h for the invariants;
 * runs under rx.c's lock.
 */
#include "core/reassembly.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
reassembly_init(struct reassembly *o, uint64_t window)
{
	memset(o, 0, sizeof(*o));
	o->window = window;
	o->turn = REASSEMBLY_NONE;
}

static void
buffer_drop(struct reassembly_buffer *buffer)
{
	if (--buffer->users == 0)
		buffer->release(buffer, buffer->cookie);
}

void
reassembly_free(struct reassembly *o)
{
	size_t i;

	for (i = 0; i < o->count; i++)
		buffer_drop(o->piece[o->head + i].buffer);
	free(o->piece);
	memset(o, 0, sizeof(*o));
}

/* Pieces */

static struct reassembly_piece *
piece_at(const struct reassembly *o, size_t i)
{
	return &o->piece[o->head + i];
}

/* The index of the first piece that ends above an offset; count if none does. */
static size_t
piece_find(const struct reassembly *o, uint64_t offset)
{
	size_t lo = 0, hi = o->count, mid;

	if (hi > 0 && piece_at(o, hi - 1)->end <= offset)
		return hi;
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (piece_at(o, mid)->end <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int
pieces_grow(struct reassembly *o)
{
	struct reassembly_piece *bigger;
	size_t size = o->size == 0 ? 64 : 2 * o->size;

	if (o->head > o->size / 2) {
		memmove(o->piece, piece_at(o, 0), o->count * sizeof(*o->piece));
		o->head = 0;
		return 0;
	}
	bigger = realloc(o->piece, size * sizeof(*bigger));
	if (bigger == NULL)
		return -1;
	o->piece = bigger;
	o->size = size;
	return 0;
}

static int
piece_insert(struct reassembly *o, size_t i, const struct reassembly_piece *p)
{
	if (o->head + o->count == o->size && pieces_grow(o) == -1)
		return -1;
	memmove(piece_at(o, i + 1), piece_at(o, i), (o->count - i) * sizeof(*p));
	*piece_at(o, i) = *p;
	o->count++;
	o->stored += p->end - p->seq;
	return 0;
}

static void
piece_drop_first(struct reassembly *o)
{
	struct reassembly_piece *p = piece_at(o, 0);

	o->stored -= p->end - p->seq;
	buffer_drop(p->buffer);
	o->head++;
	o->count--;
	if (o->count == 0)
		o->head = 0;
}

/* Drop what lies below the cursor. */
static void
pieces_pass(struct reassembly *o)
{
	struct reassembly_piece *p;

	while (o->count > 0) {
		p = piece_at(o, 0);
		if (p->end > o->cursor) {
			if (p->seq < o->cursor) {
				p->data += o->cursor - p->seq;
				o->stored -= o->cursor - p->seq;
				p->seq = o->cursor;
			}
			break;
		}
		piece_drop_first(o);
	}
}

/* The lowest part [*from, *to) of [lo, hi) that is not stored; false if all is. */
static bool
gap(const struct reassembly *o, uint64_t lo, uint64_t hi, uint64_t *from, uint64_t *to)
{
	size_t i = piece_find(o, lo);
	const struct reassembly_piece *p;

	for (; lo < hi && i < o->count; i++) {
		p = piece_at(o, i);
		if (p->seq > lo)
			break;
		lo = p->end;
	}
	if (lo >= hi)
		return false;
	*from = lo;
	*to = i < o->count && piece_at(o, i)->seq < hi ? piece_at(o, i)->seq : hi;
	return true;
}

static bool
stored_at_cursor(const struct reassembly *o)
{
	return o->count > 0 && piece_at(o, 0)->seq <= o->cursor;
}

/*
 * A piece that uses less than half of its buffer gets a buffer of its own.  It
 * would keep the rest in memory for nothing, which adds up when a peer overlaps its
 * frames.
 */
static void
own_release(struct reassembly_buffer *buffer, void *cookie)
{
	(void)cookie;
	free(buffer);
}

static int
piece_shrink(struct reassembly_piece *p)
{
	size_t n = (size_t)(p->end - p->seq);
	struct reassembly_buffer *own;

	if (p->buffer->size / 2 <= n || p->buffer->size <= 4096) {
		p->buffer->users++;
		return 0;
	}
	own = malloc(sizeof(*own) + n);
	if (own == NULL)
		return -1;
	own->users = 1;
	own->size = n;
	own->data = (uint8_t *)(own + 1);
	own->release = own_release;
	own->cookie = NULL;
	memcpy(own->data, p->data, n);
	p->data = own->data;
	p->buffer = own;
	return 0;
}

/* Frames */

const char *
reassembly_admit(const struct reassembly *o, uint64_t seq, uint32_t length)
{
	if (seq + length > o->cursor + o->window)
		return "a frame beyond the credit";
	if (reassembly_beyond(o, seq + length))
		return "a frame beyond the end of the stream";
	/* The frame with the next byte is always admitted: it makes room. */
	if (seq > o->cursor && o->count >= REASSEMBLY_PIECES(o->window))
		return "more small frames than the window allows";
	return NULL;
}

enum reassembly_way
reassembly_begin(struct reassembly *o, int leg, uint64_t seq, uint64_t end, bool direct)
{
	uint64_t from, to;

	if (end <= o->cursor ||
	    !gap(o, seq < o->cursor ? o->cursor : seq, end, &from, &to))
		return REASSEMBLY_DISCARD;
	if (!direct || reassembly_beyond(o, end))
		return REASSEMBLY_BUFFER;
	if (o->turn == REASSEMBLY_NONE && seq <= o->cursor && !stored_at_cursor(o)) {
		o->turn = leg;
		o->waiting = false;
		o->turn_end = end;
		return REASSEMBLY_DIRECT;
	}
	if (o->turn >= 0 && seq == o->turn_end && !stored_at_cursor(o))
		return REASSEMBLY_WAIT;
	return REASSEMBLY_BUFFER;
}

void
reassembly_moved(struct reassembly *o, uint64_t n)
{
	o->cursor += n;
}

void
reassembly_voided(struct reassembly *o, uint64_t n)
{
	o->repeated += n;
}

bool
reassembly_wait(struct reassembly *o, int leg)
{
	if (o->turn != leg)
		return false;
	pieces_pass(o);
	if (stored_at_cursor(o)) {
		o->turn = REASSEMBLY_NONE;
		o->takeovers++;
		return false;
	}
	o->waiting = true;
	return true;
}

bool
reassembly_resume(struct reassembly *o, int leg)
{
	if (o->turn != leg)
		return false;
	o->waiting = false;
	return true;
}

void
reassembly_leave(struct reassembly *o, int leg)
{
	if (o->turn != leg)
		return;
	o->turn = REASSEMBLY_NONE;
	o->waiting = false;
	pieces_pass(o);
}

int
reassembly_store(struct reassembly *o, uint64_t seq, uint64_t end, struct reassembly_buffer *buffer)
{
	/* Bytes below the cursor are not needed. */
	uint64_t at = seq < o->cursor ? o->cursor : seq, from, to;
	struct reassembly_piece p;
	uint64_t news = 0;
	int result = 0;

	while (at < end && gap(o, at, end, &from, &to)) {
		p.seq = from;
		p.end = to;
		p.data = buffer->data + (from - seq);
		p.buffer = buffer;
		if (piece_shrink(&p) == -1) {
			result = -1;
			break;
		}
		if (piece_insert(o, piece_find(o, from), &p) == -1) {
			buffer_drop(p.buffer);
			result = -1;
			break;
		}
		news += to - from;
		at = to;
	}
	o->repeated += end - seq - news;
	buffer_drop(buffer);
	/* Take the turn from a leg that waits for bytes that are stored now. */
	if (o->turn >= 0 && o->waiting) {
		pieces_pass(o);
		if (stored_at_cursor(o)) {
			o->turn = REASSEMBLY_NONE;
			o->waiting = false;
			o->takeovers++;
		}
	}
	return result;
}

bool
reassembly_writable(const struct reassembly *o)
{
	return o->turn == REASSEMBLY_NONE && stored_at_cursor(o);
}

size_t
reassembly_write(struct reassembly *o, struct reassembly_piece *next, size_t n)
{
	uint64_t at = o->cursor;
	size_t i;

	if (o->turn != REASSEMBLY_NONE)
		return 0;
	pieces_pass(o);
	for (i = 0; i < n && i < o->count && piece_at(o, i)->seq == at; i++) {
		next[i] = *piece_at(o, i);
		at = next[i].end;
	}
	if (i > 0)
		o->turn = REASSEMBLY_WRITER;
	return i;
}

void
reassembly_written(struct reassembly *o, uint64_t n)
{
	o->cursor += n;
	o->turn = REASSEMBLY_NONE;
	pieces_pass(o);
}

uint64_t
reassembly_contiguous(const struct reassembly *o)
{
	uint64_t at = o->cursor;
	size_t i;

	for (i = 0; i < o->count && piece_at(o, i)->seq <= at; i++)
		if (piece_at(o, i)->end > at)
			at = piece_at(o, i)->end;
	return at;
}

const char *
reassembly_fin(struct reassembly *o, uint64_t total)
{
	if (o->total_known)
		return o->total == total ? NULL : "another end of the stream than before";
	if (total < o->cursor || (o->count > 0 && piece_at(o, o->count - 1)->end > total))
		return "an end of the stream below what was received";
	/*
	 * The frame that has the turn reaches beyond the end: while its leg waits, no
	 * byte of it need arrive, so it loses the turn; otherwise its bytes are arriving.
	 */
	if (o->turn >= 0 && o->turn_end > total) {
		if (!o->waiting)
			return "an end of the stream below what arrives";
		o->turn = REASSEMBLY_NONE;
		o->waiting = false;
	}
	o->total_known = true;
	o->total = total;
	return NULL;
}

const char *
reassembly_audit(const struct reassembly *o)
{
	uint64_t stored = 0, at = 0;
	size_t i;

	for (i = 0; i < o->count; i++) {
		const struct reassembly_piece *p = piece_at(o, i);

		if (p->seq >= p->end || p->seq < at)
			return "pieces that are empty, overlap or are out of order";
		if (p->end <= o->cursor && o->turn < 0)
			return "a piece below the cursor";
		if (p->data < p->buffer->data ||
		    p->data + (p->end - p->seq) > p->buffer->data + p->buffer->size)
			return "a piece outside of its buffer";
		stored += p->end - p->seq;
		at = p->end;
	}
	if (stored != o->stored)
		return "the sum of the pieces is wrong";
	if (at > o->cursor + o->window)
		return "more stored than the window";
	if (o->total_known && (o->cursor > o->total || at > o->total))
		return "beyond the end of the stream";
	return NULL;
}
