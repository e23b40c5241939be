/*
 * order: how the receiver puts frames back into the order of the stream, and
 * who may write at the cursor.
 *
 * Plain state with functions over it: no sockets, no threads, no clock and no
 * lock of its own; the caller holds one lock around every call (rx.c's, or
 * none in a simulation).  Offsets and lengths are octets of the stream.
 *
 * The payload of a frame takes one of three ways.  ORDER_TURN: its leg holds
 * the turn and moves octets to the consumer as they arrive, telling
 * order_moved.  ORDER_KEEP: its leg receives it into a buffer and hands that
 * to order_store.  ORDER_VOID: all of it was delivered or stored before; the
 * leg reads it and throws it away.  A leg may change from TURN to KEEP or
 * VOID in mid-frame, when it lost its turn or gave it up.
 *
 * Stored pieces are written by the writer: order_write takes the turn and
 * lists what is next, order_written gives it back.
 *
 * Functions that return int return -1 with errno ENOMEM when memory is not to
 * be had; the transfer cannot go on then.
 *
 * Invariants, kept by every call:
 *  1. `cursor' octets were handed to the consumer, in order, each once.  Only
 *     the holder of the turn moves it.
 *  2. There is at most one holder: a leg or the writer.  A leg that waits for
 *     its socket says so (order_wait) and can lose the turn while it waits,
 *     never between; the writer cannot lose it.
 *  3. Pieces are disjoint, sorted, not empty and at or above the cursor (while
 *     the writer holds the turn, those that it was given stay in place).
 *  4. Nothing at or above cursor + window is taken, so the pieces hold at
 *     most a window; their number is at most twice ORDER_PIECES(window),
 *     because the last frame that is admitted may fill as many holes.
 *  5. When the turn is free and a piece begins at the cursor, the writer has
 *     something to do (order_write returns pieces), so delivery never waits
 *     for an octet that is here.
 */
#ifndef ORDER_H
#define ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORDER_NONE	(-1)	/* the turn is free */
#define ORDER_WRITER	(-2)	/* the writer has it */

/* A sender charges 4 KiB for each frame; cutting anew may add to that. */
#define ORDER_PIECES(window)	((window) / 4096 * 4 + 1024)

/*
 * A buffer with its octets, counted by its users.  Whoever makes one sets
 * `release', which is called when the last is done with it.
 */
struct order_buffer {
	unsigned users;
	size_t size;
	uint8_t *data;
	void (*release)(struct order_buffer *buffer, void *cookie);
	void *cookie;
};

struct order_piece {
	uint64_t seq;
	uint64_t end;
	const uint8_t *data;		/* of seq, in buffer */
	struct order_buffer *buffer;
};

struct order {
	uint64_t window;
	uint64_t cursor;
	uint64_t stored;	/* octets in pieces */
	bool total_known;
	uint64_t total;
	uint64_t highest;	/* end of the last frame of those that were admitted */
	int turn;		/* a leg, ORDER_NONE or ORDER_WRITER */
	bool waiting;		/* the leg that has the turn waits */
	uint64_t turn_end;	/* where the frame of the turn's leg ends */
	struct order_piece *piece;	/* array: size slots, count from head on */
	size_t size;
	size_t head;
	size_t count;
	uint64_t repeated;	/* octets that came again, in all */
	uint64_t takeovers;	/* turns lost while waiting, in all */
};

enum order_way { ORDER_TURN, ORDER_SOON, ORDER_KEEP, ORDER_VOID };

void order_init(struct order *o, uint64_t window);
void order_free(struct order *o);

/* May this frame be? NULL, or what the peer did wrong. */
const char *order_admit(struct order *o, uint64_t seq, uint32_t length);

/*
 * Which way the octets [seq, end) of a leg's frame shall take from here on.
 * With `direct' the leg can move octets to the consumer itself, and the answer
 * may be ORDER_TURN: the leg has the turn then, and must first throw away
 * cursor - seq octets; or ORDER_SOON: the frame whose turn it is ends where
 * this one begins, so waiting a moment is worth while.
 */
enum order_way order_begin(struct order *o, int leg, uint64_t seq, uint64_t end, bool direct);

/* n octets at the cursor were handed on by the leg that has the turn. */
void order_moved(struct order *o, int leg, uint64_t n);

/*
 * Before the leg sleeps: false when the turn is better given up, because what
 * it waits for is stored; it is then taken away.  After it: false when the
 * turn was lost.
 */
bool order_wait(struct order *o, int leg);
bool order_resume(struct order *o, int leg);
/* The frame is complete, or the leg wants its turn no longer.  Idempotent. */
void order_leave(struct order *o, int leg);

/*
 * [seq, end) has arrived and begins at buffer->data + skip.  Takes over the
 * caller's use of the buffer, also when it fails.
 */
int order_store(struct order *o, uint64_t seq, uint64_t end, struct order_buffer *buffer,
    size_t skip);

/* The pieces that are next, at most n, contiguous; with > 0 the writer has the turn. */
size_t order_write(struct order *o, struct order_piece *next, size_t n);
/* The writer has written so many octets of them, and gives the turn back. */
void order_written(struct order *o, uint64_t n);

/* The writer would get something. */
bool order_writable(const struct order *o);

/* FIN.  NULL, or what the peer did wrong. */
const char *order_fin(struct order *o, uint64_t total);

static inline bool
order_complete(const struct order *o)
{
	return o->total_known && o->cursor == o->total && o->turn == ORDER_NONE;
}

/* The end of what has arrived without a gap. */
uint64_t order_contiguous(const struct order *o);

/* Checks the invariants, at some cost; NULL or the one that is broken. */
const char *order_audit(const struct order *o);

#endif
