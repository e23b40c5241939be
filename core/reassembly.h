/*
 * reassembly: how the receiver puts frames back into the order of the stream, and
 * which thread may write at the cursor.
 *
 * Plain state with functions over it: no sockets, no threads, no clock and no
 * lock of its own; the caller holds one lock around every call (rx.c's; a
 * simulation needs none).  Offsets and lengths are bytes of the stream.
 *
 * The turn is the right to write at the cursor.  A frame's payload takes one of
 * three ways.  REASSEMBLY_DIRECT: its leg holds the turn, moves bytes to the
 * consumer as they arrive and reports them with reassembly_moved.
 * REASSEMBLY_BUFFER: its leg receives the payload into a buffer and hands that to
 * reassembly_store.  REASSEMBLY_DISCARD: all of it was delivered or stored before;
 * the leg reads it and throws it away.  A leg that lost its turn or gave it up in
 * the middle of a frame changes from DIRECT to BUFFER or DISCARD.
 *
 * The writer writes the stored pieces: reassembly_write takes the turn and
 * lists what is next, reassembly_written gives the turn back.
 *
 * Functions that return int return -1 with errno ENOMEM when there is no
 * memory; the transfer cannot continue then.
 *
 * Invariants, kept by every call:
 *  1. The bytes below `cursor' were handed to the consumer, in order, each once.
 *     Only the holder of the turn moves the cursor.
 *  2. There is at most one holder: a leg or the writer.  A leg announces that it
 *     waits for its socket (reassembly_wait); it can lose the turn only while it
 *     waits.  The writer cannot lose it.
 *  3. Pieces are disjoint, sorted, not empty and at or above the cursor (but
 *     the pieces that the writer was given stay in place while it has the turn).
 *  4. Nothing at or above cursor + window is taken, so the pieces hold at
 *     most a window; their number is at most twice REASSEMBLY_PIECES(window),
 *     because the last frame that is admitted may fill as many holes.
 *  5. When the turn is free and a piece begins at the cursor, the writer has
 *     something to do (reassembly_write returns pieces), so delivery never waits
 *     for a byte that has arrived.
 *  6. Only bytes that arrived and were verified, and FIN, change what is
 *     delivered, stored or known of the stream's end.  A header alone can give
 *     its leg the turn, and another leg's bytes take that away while its own do
 *     not arrive.
 */
#ifndef REASSEMBLY_H
#define REASSEMBLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REASSEMBLY_NONE	(-1)	/* the turn is free */
#define REASSEMBLY_WRITER	(-2)	/* the writer has it */

/* The sender counts at least 4 KiB for a frame; frames segmented anew add to them. */
#define REASSEMBLY_PIECES(window)	((window) / 4096 * 4 + 1024)

/*
 * A buffer with a count of its users.  The maker sets `release', which is called
 * when the last user is done with it.
 */
struct reassembly_buffer {
	unsigned users;
	size_t size;
	uint8_t *data;
	void (*release)(struct reassembly_buffer *buffer, void *cookie);
	void *cookie;
};

struct reassembly_piece {
	uint64_t seq;
	uint64_t end;
	const uint8_t *data;		/* the byte at seq, in buffer */
	struct reassembly_buffer *buffer;
};

struct reassembly {
	uint64_t window;
	uint64_t cursor;
	uint64_t stored;	/* bytes in pieces */
	bool total_known;
	uint64_t total;
	int turn;		/* a leg, REASSEMBLY_NONE or REASSEMBLY_WRITER */
	bool waiting;		/* the leg that has the turn waits */
	uint64_t turn_end;	/* where the frame of the turn's leg ends */
	struct reassembly_piece *piece;	/* array: size slots, count from head on */
	size_t size;
	size_t head;
	size_t count;
	uint64_t repeated;	/* total bytes that arrived again */
	uint64_t takeovers;	/* total turns lost while waiting */
};

enum reassembly_way { REASSEMBLY_DIRECT, REASSEMBLY_WAIT, REASSEMBLY_BUFFER, REASSEMBLY_DISCARD };

void reassembly_init(struct reassembly *o, uint64_t window);
void reassembly_free(struct reassembly *o);

/* Is this frame legal now?  NULL, or what the peer did wrong.  Changes nothing. */
const char *reassembly_admit(const struct reassembly *o, uint64_t seq, uint32_t length);

/* `end' lies beyond the stream's end, if that is known. */
static inline bool
reassembly_beyond(const struct reassembly *o, uint64_t end)
{
	return o->total_known && end > o->total;
}

/*
 * Which way the bytes [seq, end) of a leg's frame take from here on.  With
 * `direct' the leg can move bytes to the consumer itself, and the answer may be
 * REASSEMBLY_DIRECT: the leg has the turn, and must first discard cursor - seq
 * bytes; or REASSEMBLY_WAIT: the frame that has the turn ends where this one
 * begins, so it is worth waiting a moment and asking again.
 */
enum reassembly_way reassembly_begin(struct reassembly *o, int leg, uint64_t seq, uint64_t end,
    bool direct);

/* The leg that has the turn handed n bytes at the cursor to the consumer. */
void reassembly_moved(struct reassembly *o, uint64_t n);

/*
 * Before the leg that has the turn waits for its socket: false when the turn is
 * taken away, because the bytes it waits for are stored.  After the wait: false
 * when the turn was lost.
 */
bool reassembly_wait(struct reassembly *o, int leg);
bool reassembly_resume(struct reassembly *o, int leg);
/* The frame is complete, or the leg gives up its turn.  Idempotent. */
void reassembly_leave(struct reassembly *o, int leg);

/* n bytes were discarded that were delivered or stored before. */
void reassembly_voided(struct reassembly *o, uint64_t n);

/*
 * [seq, end) has arrived and begins at buffer->data; the caller made sure that
 * reassembly_beyond is false.  Takes over the caller's use of the buffer, also when it
 * fails.
 */
int reassembly_store(struct reassembly *o, uint64_t seq, uint64_t end,
    struct reassembly_buffer *buffer);

/*
 * The next pieces, contiguous from the cursor, at most n.  When the number returned
 * is not 0, the writer has the turn.
 */
size_t reassembly_write(struct reassembly *o, struct reassembly_piece *next, size_t n);
/* The writer has written n bytes of them, and gives the turn back. */
void reassembly_written(struct reassembly *o, uint64_t n);

/* reassembly_write would return pieces. */
bool reassembly_writable(const struct reassembly *o);

/* FIN says that the stream has `total' bytes.  NULL, or what the peer did wrong. */
const char *reassembly_fin(struct reassembly *o, uint64_t total);

static inline bool
reassembly_complete(const struct reassembly *o)
{
	return o->total_known && o->cursor == o->total && o->turn == REASSEMBLY_NONE;
}

/* The end of what has arrived without a gap. */
uint64_t reassembly_contiguous(const struct reassembly *o);

/* For tests: checks the invariants; NULL, or the one that is broken. */
const char *reassembly_audit(const struct reassembly *o);

#endif
