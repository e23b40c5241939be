/*
 * window: the part of the stream that the sender keeps until the receiver has
 * acknowledged it, and which leg carries which bytes of it.
 *
 * Plain state with functions over it: no sockets, no threads, no clock and no
 * lock of its own.  The caller holds one lock around every call (tx.c's; a
 * simulation needs none) and passes the time.  Offsets and lengths are bytes
 * of the stream, times are nanoseconds of any one monotonic clock.
 *
 * Terms: to segment is to take the next bytes for a frame of one leg.  A segment is
 * the record of such a frame, kept until it is acknowledged.
 *
 * Order of calls: window_init; window_room and window_fill by the one reader,
 * then window_eof; window_agree once, before any leg is up; for each leg, as often
 * as it connects, window_leg_up, then window_take, window_release and
 * window_received, then window_leg_down; window_delivered at any time;
 * window_free.
 *
 * Functions that return int return -1 with errno ENOMEM when there is no
 * memory; the transfer cannot continue then.  Functions that return text return
 * NULL, or what the peer did wrong.
 *
 * Invariants, kept by every call:
 *  1. delivered <= base <= next <= end.  No new byte is segmented at or above
 *     limit, so next <= limit.
 *  2. Every byte in [base, next) is acknowledged (in `acked'), lost (in `lost',
 *     to be segmented again, the lowest first) or in flight on a leg that is
 *     up, so no unacknowledged byte is forgotten.  No byte is both acknowledged
 *     and lost.  A copied byte may be in flight on several legs.
 *  3. [base, end) is in memory; a chunk is released when it lies below base
 *     and no leg still sends from it.
 *  4. send_limit <= window, and it never shrinks after the handshake.  After
 *     that end - base <= send_limit, and so is the cost of the frames segmented
 *     beyond `delivered', each max(length, WINDOW_COST_MIN).
 *  5. For one incarnation of a leg, the receiver's count of received bytes
 *     names a prefix of what was segmented for that leg, in order.  It only grows.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/ranges.h"
#include "frame.h"

#define WINDOW_COST_MIN		4096u		/* least cost of a frame */
#define WINDOW_CHUNK		(1u << 20)	/* bytes kept in one piece */
#define WINDOW_COPIES		(8u << 20)	/* most bytes in flight as copies */

struct window_chunk;

/* A frame of stream bytes that a leg carries and that is not acknowledged yet. */
struct window_segment {
	uint64_t seq;
	uint32_t length;
	uint32_t copied;	/* how many of its first bytes were copied to other legs */
	bool copy;		/* this is a copy */
	uint64_t sent_ns;	/* when it was segmented */
};

struct window_leg {
	bool up;
	bool fin_sent;		/* on this incarnation */
	uint32_t incarnation;
	uint64_t sent;		/* bytes segmented for this incarnation */
	uint64_t received;	/* how many of them the receiver's count covers */
	uint64_t late_ns;	/* set by the caller: an older segment is late; 0 = none is */
	uint64_t rate;		/* set by the caller: recent bytes a second; 0 = unknown */
	uint64_t moved_ns;	/* when it last made progress, or began to send */
	struct window_segment *ring;	/* size is a power of two */
	size_t size;
	size_t head;
	size_t count;
};

struct window_cost {
	uint64_t end;
	uint32_t cost;
};

struct window {
	uint64_t window;	/* agreed; before that, what we request */
	uint64_t send_limit;	/* how much of the window is used now */
	uint64_t hole;		/* with more acknowledged behind a hole, that is filled first */
	uint32_t frame;		/* largest payload, agreed */
	bool agreed;
	uint32_t chunk_size;
	uint64_t base;		/* every byte below is acknowledged */
	uint64_t next;		/* the next byte that was never segmented */
	uint64_t end;		/* end of what was read from the source */
	uint64_t delivered;	/* the receiver has written every byte below */
	uint64_t limit;		/* credit: no byte at or above may be sent */
	bool eof;		/* end is the stream's length */
	uint64_t digest;	/* with eof */
	struct ranges acked;	/* above base */
	struct ranges lost;	/* within [base, next) */
	uint64_t cost_total;	/* of the frames in `cost' */
	struct window_cost *cost;	/* ring like the legs': frames not delivered yet */
	size_t cost_size;
	size_t cost_head;
	size_t cost_count;
	struct window_chunk **chunk;	/* ring of slots by chunk number */
	size_t slots;
	uint64_t first_chunk;	/* number of the lowest chunk still in place */
	struct window_chunk *pool;	/* free chunks, last in, first out */
	unsigned pooled;
	uint64_t copies;	/* bytes in flight as copies */
	uint64_t resent;	/* total bytes segmented again after a loss */
	uint64_t copied;	/* total bytes segmented as copies */
	struct window_leg leg[FRAME_LEGS];
};

enum window_kind { WINDOW_NONE, WINDOW_DATA, WINDOW_FIN };

/* What a leg must send; data points into `chunk', which is pinned. */
struct window_frame {
	enum window_kind kind;
	uint64_t seq;
	uint32_t length;
	const uint8_t *data;
	struct window_chunk *chunk;
	bool resend;
	bool copy;
};

/* send_limit 0 = the whole window from the start. */
int window_init(struct window *w, uint64_t window, uint64_t send_limit, uint32_t frame);
void window_free(struct window *w);

/*
 * The handshake's result: the smaller of these and window_init's values hold.
 * The first credit is the window.
 */
void window_agree(struct window *w, uint64_t window, uint32_t frame);

/*
 * The room that the reader may read the next *n > 0 bytes into, valid until
 * window_fill.  NULL with *n = 0 when the window is full; NULL with *n = 1 and
 * errno ENOMEM when there is no memory.  The caller may release its lock
 * between the two calls.
 */
uint8_t *window_room(struct window *w, size_t *n);
void window_fill(struct window *w, size_t n);
void window_eof(struct window *w, uint64_t digest);

int window_leg_up(struct window *w, unsigned leg, uint32_t incarnation);
/* The leg's bytes in flight become lost. */
int window_leg_down(struct window *w, unsigned leg);

/*
 * Segments the next frame of at most `most' bytes for a leg: lost bytes first,
 * then new ones, then FIN, then a copy of another leg's late frame.  The copy comes
 * before new bytes when a large part of the window waits behind it.  WINDOW_DATA pins
 * the chunk until window_release.
 */
int window_take(struct window *w, unsigned leg, uint32_t most, uint64_t now_ns,
    struct window_frame *out);
void window_release(struct window *w, struct window_chunk *chunk);

/* Bytes that could be segmented now: lost, or new and within the credit. */
uint64_t window_ready(const struct window *w);

/*
 * What the receiver reports.  The caller asks window_judge whether all of a
 * STATUS can be true before it passes any of it to the other two.  *newly_acked is
 * the number of bytes acknowledged for the first time; *failed is set to true
 * when there is no memory.
 */
const char *window_judge(const struct window *w, const struct status *status);
const char *window_received(struct window *w, const struct status_entry *entry,
    uint64_t *newly_acked, bool *failed);
const char *window_delivered(struct window *w, uint64_t delivered, uint64_t limit,
    uint64_t *newly_acked, bool *failed);

/*
 * Raises the send limit if it is what the source waits for and the network
 * needs `need' bytes, never because the consumer is slow.  true: it grew.
 */
bool window_stretch(struct window *w, uint64_t need);

/*
 * A loss lets so much arrive behind its hole before it is repaired: a hole is
 * filled out of turn only when more has, and more than a quarter of what is used of
 * the window.
 */
void window_hole(struct window *w, uint64_t under_way);

/* Bytes segmented for this leg and not acknowledged. */
static inline uint64_t
window_in_flight(const struct window *w, unsigned leg)
{
	return w->leg[leg].sent - w->leg[leg].received;
}

/* Everything that was segmented is acknowledged as received. */
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

/* For tests: checks the invariants above; NULL, or the one that is broken. */
const char *window_audit(const struct window *w);

#endif
