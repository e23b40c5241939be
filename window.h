/*
 * window: what the sender keeps until it is acknowledged, and which leg
 * carries which part of it.
 *
 * Plain state with functions over it: no sockets, no threads, no clock and no
 * lock of its own.  The caller holds one lock around every call (tx.c's, or
 * none in a simulation) and passes the time.  Offsets and lengths are octets
 * of the stream, times nanoseconds of any one monotonic clock.
 *
 * Order of calls: window_init; window_room/window_fill by the one reader, then
 * window_eof; window_agree once, before any leg; window_leg_up, window_take,
 * window_release, window_received, window_leg_down per leg, again and again;
 * window_delivered at any time; window_free.
 *
 * Functions that return int return -1 with errno ENOMEM when memory is not to
 * be had; the transfer cannot go on then.  Functions that return text return
 * NULL, or what the peer did wrong.
 *
 * Invariants, kept by every call:
 *  1. base <= next <= end; delivered <= base; next <= max(limit, what was cut
 *     before).  Nothing is cut at or above limit.
 *  2. Every octet in [base, next) is in exactly one of these states or, when
 *     copied, in the second more than once: acknowledged (in `acked'), in
 *     flight on a leg that is up, or lost (in `lost', to be cut again, the
 *     lowest first).  So an octet that is not acknowledged is never forgotten.
 *  3. [base, end) is in memory; a chunk is given back when it lies below base
 *     and no leg still sends from it.
 *  4. reach <= window and never shrinks; end - base <= reach, and the charges
 *     of the frames cut beyond `delivered' (each max(length, WINDOW_CHARGE))
 *     are at most the reach.
 *  5. On one leg and incarnation, the receiver's count of received octets
 *     names a prefix of what was cut for that leg, in order.  It only grows.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "ranges.h"

#define WINDOW_CHARGE		4096u		/* least charge of a frame */
#define WINDOW_CHUNK		(1u << 20)	/* octets kept in one piece */
#define WINDOW_COPIES		(8u << 20)	/* most octets in copies at once */

struct window_chunk;

/* A frame as a leg carries it. */
struct window_flight {
	uint64_t seq;
	uint32_t length;
	uint32_t copied;	/* so many of its octets were copied to other legs */
	bool copy;		/* this is a copy */
	uint64_t sent_ns;	/* when it was cut */
};

struct window_leg {
	bool up;
	bool fin_sent;		/* on this incarnation */
	uint32_t incarnation;
	uint64_t cut;		/* octets cut for this incarnation */
	uint64_t received;	/* of them acknowledged by the receiver's count */
	uint64_t late_ns;	/* a flight older than this is late; 0 = none is */
	uint64_t rate;		/* octets a second lately; 0 = unknown */
	uint64_t moved_ns;	/* when it was seen to make progress, or began to send */
	struct window_flight *ring;	/* size is a power of two */
	size_t size;
	size_t head;
	size_t count;
};

struct window_charge {
	uint64_t end;
	uint32_t charge;
};

struct window {
	uint64_t window;	/* agreed, or our own wish before */
	uint64_t reach;		/* how much of it is used now */
	uint32_t frame;		/* largest payload, agreed */
	bool agreed;
	uint32_t chunk_size;
	uint64_t base;
	uint64_t next;
	uint64_t end;
	uint64_t delivered;
	uint64_t limit;
	bool eof;		/* end is the stream's length */
	uint64_t digest;	/* with eof */
	struct ranges acked;	/* above base */
	struct ranges lost;	/* within [base, next) */
	uint64_t charged;
	struct window_charge *charge;	/* ring, as the legs' */
	size_t charge_size;
	size_t charge_head;
	size_t charge_count;
	struct window_chunk **chunk;	/* ring of slots by chunk number */
	size_t slots;
	uint64_t first_chunk;	/* number of the lowest chunk still in place */
	struct window_chunk *pool;	/* last in, first out */
	unsigned pooled;
	uint64_t copies;	/* octets in flight as copies */
	uint64_t resent;	/* octets cut again after a loss, in all */
	uint64_t copied;	/* octets cut as copies, in all */
	struct window_leg leg[FRAME_LEGS];
};

enum window_cut { WINDOW_NONE, WINDOW_DATA, WINDOW_FIN };

/* What a leg is to send; data points into `chunk', which is pinned. */
struct window_frame {
	uint64_t seq;
	uint32_t length;
	const uint8_t *data;
	struct window_chunk *chunk;
	bool resend;
	bool copy;
};

/* reach 0 = all of the window from the beginning. */
int window_init(struct window *w, uint64_t window, uint64_t reach, uint32_t frame);
void window_free(struct window *w);

/*
 * The handshake's result: both at most what window_init was given.  The credit
 * is the window at first.
 */
void window_agree(struct window *w, uint64_t window, uint32_t frame);

/*
 * Where the next octets may be read to: *n > 0 octets, valid until
 * window_fill.  NULL with *n = 0 when the window is full, or, with errno
 * ENOMEM and *n = 1, when there is no memory.  The caller may drop its lock
 * between the two calls.
 */
uint8_t *window_room(struct window *w, size_t *n);
void window_fill(struct window *w, size_t n);
void window_eof(struct window *w, uint64_t digest);

int window_leg_up(struct window *w, unsigned leg, uint32_t incarnation);
/* What it held and is not acknowledged becomes lost. */
int window_leg_down(struct window *w, unsigned leg);

/*
 * Cut the next frame of at most `most' octets for a leg: what was lost first,
 * then what is new, then FIN, then (if `copies') a copy of another leg's late
 * frame.  *kind says what it is; WINDOW_DATA pins the chunk until
 * window_release.
 */
int window_take(struct window *w, unsigned leg, uint32_t most, bool copies, uint64_t now_ns,
    struct window_frame *out, enum window_cut *kind);
void window_release(struct window *w, struct window_chunk *chunk);

/* Octets that could be cut now: lost, or new and within credit. */
uint64_t window_ready(const struct window *w);

/*
 * The receiver's words.  *gain is the number of octets acknowledged for the
 * first time; *failed is set when memory ran out.
 */
const char *window_received(struct window *w, unsigned leg, uint32_t incarnation,
    uint64_t received, uint64_t *gain, bool *failed);
const char *window_delivered(struct window *w, uint64_t delivered, uint64_t limit,
    uint64_t *gain, bool *failed);

/*
 * Use more of the window if that is what the source waits for and the network
 * needs so much (`need' octets), never because the consumer is slow.  true: it
 * grew.
 */
bool window_stretch(struct window *w, uint64_t need);

/* Octets on this leg that are cut and not acknowledged. */
static inline uint64_t
window_in_flight(const struct window *w, unsigned leg)
{
	return w->leg[leg].cut - w->leg[leg].received;
}

/* Everything that was cut is acknowledged as received. */
static inline bool
window_settled(const struct window *w)
{
	return w->base == w->next;
}

static inline bool
window_all_delivered(const struct window *w)
{
	return w->eof && w->delivered == w->end;
}

/* Checks the invariants above, at some cost; NULL or the one that is broken. */
const char *window_audit(const struct window *w);

#endif
