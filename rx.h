/*
 * rx: the receiving half.  Puts frames back into order, writes them to the
 * consumer, and knows when the stream is complete.
 *
 * One thread of its own, the writer, writes what was buffered, and may block in
 * that for ever.  The legs' threads call the functions below, which block only for
 * rx's lock.  rx.c reads no socket: inflow.c moves the bytes, under a turn that
 * rx_begin grants.  rx's lock is a leaf: no other lock is taken while it is held.
 *
 * A frame that is there takes the lock at most three times:
 *
 *	straight to the consumer	rx_admit	rx_moved
 *	through the staging pipe	rx_admit	rx_moved
 *	into a buffer			rx_admit	rx_buffer	rx_store
 *	discarded			rx_admit	rx_discarded
 *
 * rx_moved, and rx_discarded without checks, come once for each read if a frame takes
 * several.  A leg that has the turn and waits for its socket takes it twice more, in
 * rx_wait and rx_resume.
 */
#ifndef RX_H
#define RX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bottleneck.h"
#include "core/reassembly.h"
#include "frame.h"
#include "half.h"
#include "sys/staging.h"

struct command;
struct leg;
struct rx;

/*
 * Takes over fd, the consumer: standard output, or the pipe to `command', which is NULL
 * if there is none.  Enlarges it if it is a pipe.  NULL with errno.
 */
struct rx *rx_new(const struct half_owner *owner, struct command *command, int fd);
/* Before rx_start: fd is also read from, so its end is a shutdown. */
void rx_shuts(struct rx *rx);
/*
 * Before rx_start: what the command leaves unread is no failure, and nor is how it ends:
 * that is the end of the stream, and owner.done is called then, perhaps before FIN.
 */
void rx_lenient(struct rx *rx);
/*
 * Before rx_start: the consumer may go when it has what it wants, as that of ssh may.  That
 * is a failure only when there is more to write.
 */
void rx_unwatched(struct rx *rx);
/* Starts the writer; 0, or an errno. */
int rx_start(struct rx *rx);

/* The handshake's result; called before any leg joins.  Resets the stream's state. */
void rx_agree(struct rx *rx, uint64_t window, uint32_t frame, bool checked);

/* A leg is up with its incarnation. */
void rx_join(struct rx *rx, struct leg *leg);
/* A leg is down; returns whether it brought any stream bytes. */
bool rx_part(struct rx *rx, struct leg *leg);
/* Fills in what this leg's greeting says about the bytes received so far. */
void rx_greeting(struct rx *rx, unsigned leg, struct hello *hello);

/* How a leg can move a frame's bytes to the consumer itself. */
enum rx_direct {
	RX_BUFFERED,		/* not at all */
	RX_DIRECT,		/* as they arrive */
	RX_STAGED		/* when the whole frame was verified */
};

/* What a leg asks for: a way for the bytes [seq, end) of its frame; and what it gets. */
struct rx_grant {
	uint64_t seq;
	uint64_t end;
	enum rx_direct direct;
	enum reassembly_way way;	/* result */
	uint64_t skip;			/* result: bytes to discard first, if DIRECT */
};

/*
 * A frame begins: is it legal now?  NULL, and the leg has its way; or what the peer did
 * wrong, and nothing was changed.
 */
const char *rx_admit(struct rx *rx, struct leg *leg, struct rx_grant *grant);
/*
 * The way for the rest of a leg's frame; see reassembly.h.  After REASSEMBLY_WAIT the
 * leg is woken when the turn is free.
 */
void rx_begin(struct rx *rx, struct leg *leg, struct rx_grant *grant);
/*
 * With RX_STAGED and REASSEMBLY_DIRECT the leg has the staging pipe until the frame is
 * complete, or until rx_staging_leave, even if it loses the turn.  The pipe's digest
 * covers the stream below seq.
 */
struct staging *rx_staging(struct rx *rx);
/* Under the turn: the frame was verified, so the pipe's digest becomes the stream's. */
void rx_staging_right(struct rx *rx, uint64_t end);
void rx_staging_leave(struct rx *rx);
/*
 * Under the turn: n bytes were moved to rx_output; with the `last' of its frame the leg
 * leaves the turn, and the staging pipe.
 */
void rx_moved(struct rx *rx, struct leg *leg, uint64_t n, bool last);
/*
 * These do what their namesakes in reassembly.h do.  A leg may have lost the turn only
 * after rx_wait, so it calls rx_resume before it moves anything then, which also takes
 * the turn away when rx is stopped; at other times rx_stopped is enough.
 */
bool rx_wait(struct rx *rx, struct leg *leg);
bool rx_resume(struct rx *rx, struct leg *leg);
void rx_leave(struct rx *rx, struct leg *leg);
bool rx_stopped(const struct rx *rx);
int rx_output(const struct rx *rx);
/* Under the turn: the consumer takes no bytes now. */
void rx_full(struct rx *rx);
/* The output does not accept splice: legs get no more turns. */
void rx_indirect(struct rx *rx);

/*
 * A buffer for n bytes of a leg's frame from seq on, or NULL.  The leg returns it
 * with one of the two functions below.  A leg has at most one.
 */
struct reassembly_buffer *rx_buffer(struct rx *rx, struct leg *leg, uint64_t seq, size_t n);
void rx_buffer_drop(struct rx *rx, struct leg *leg, struct reassembly_buffer *buffer);
/*
 * [seq, end) is in the buffer, verified.  Takes over the buffer.  NULL, or what the
 * peer did wrong.
 */
const char *rx_store(struct rx *rx, struct leg *leg, uint64_t seq, uint64_t end,
    struct reassembly_buffer *buffer);
/* n bytes were read and discarded, the `last' of a frame that had come before. */
void rx_discarded(struct rx *rx, struct leg *leg, uint64_t n, bool last);
/* A payload's check was wrong. */
void rx_spoilt(struct rx *rx);

/* FIN.  NULL, or what the peer did wrong. */
const char *rx_fin(struct rx *rx, uint64_t total, const struct fin *fin);

/* When a leg should tell its status: a time, 0 = at once, UINT64_MAX = no need. */
uint64_t rx_status_due(struct rx *rx, const struct leg *leg, uint64_t now_ns);
/* The leg has brought stream bytes; something of the stream is missing, or all of it. */
bool rx_brought(struct rx *rx, const struct leg *leg);
bool rx_lacks(struct rx *rx);
/* Whether it has something to tell that its last STATUS did not say. */
bool rx_has_news(struct rx *rx, const struct leg *leg);
/* What it tells then. */
void rx_status(struct rx *rx, const struct leg *leg, struct status *status);
/*
 * The system's smoothed and least round trip on a leg's connection, 0 = unknown: STATUS
 * follow each other accordingly.
 */
void rx_pace(struct rx *rx, const struct leg *leg, uint64_t rtt_ns, uint64_t least_ns);
/* The sender has sent the stream up to `next': is anything of it missing? */
bool rx_owed(struct rx *rx, uint64_t next);
/* A heartbeat: has all that it says come, and is the sender waiting for its source? */
void rx_heard(struct rx *rx, const struct heartbeat *heartbeat);

void rx_fail_memory(struct rx *rx);
void rx_fail_consumer(struct rx *rx);
/* From now on nothing is written, whatever arrives. */
void rx_stop(struct rx *rx);
/* Checks whether the consumer is gone; called regularly.  `up': a leg is up. */
void rx_look(struct rx *rx, bool up);

struct rx_state {
	uint64_t delivered;
	uint64_t stored;	/* bytes that wait for earlier ones */
	uint64_t window;
	uint64_t repeated;
	uint64_t spoilt;	/* frames whose check was wrong */
	bool blocked;		/* rx waits for the consumer */
	bool complete;
};
void rx_state(struct rx *rx, struct rx_state *state);
/* What DONE says, of the time until then. */
uint32_t rx_waited_ms(struct rx *rx, uint64_t until_ns);
/* How long the transfer waited for source, network and consumer, until until_ns. */
void rx_waited(struct rx *rx, uint64_t until_ns, uint64_t waited_ns[BOTTLENECK_KINDS]);

#endif
