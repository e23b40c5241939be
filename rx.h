/*
 * rx: the receiving half.  Puts frames back into order and writes them to the
 * consumer, and knows when the stream is complete.
 *
 * One thread of its own, the writer, writes what was buffered; it may block in
 * that for ever.  The legs' threads call the rest, which never blocks longer
 * than a lock is held.  rx.c makes no socket calls: worker and inflow move the
 * octets, under a turn that rx_begin grants.  Lock order: rx's lock is a leaf.
 */
#ifndef RX_H
#define RX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blame.h"
#include "frame.h"
#include "order.h"
#include "sluice.h"

struct leg;
struct rx;
struct session;

/*
 * Takes the descriptor over, which is that of the session's command if it has
 * one.  NULL with errno.  Enlarges the pipe that it is, where it is one.
 */
struct rx *rx_new(struct session *session, int fd);
/* Starts the writer; 0, or an errno. */
int rx_start(struct rx *rx);

/* The handshake's result; before any leg joins.  What came before is forgotten. */
void rx_agree(struct rx *rx, uint64_t window, uint32_t frame, bool checked);

/* A leg is up with its incarnation, or down again. */
void rx_join(struct rx *rx, struct leg *leg);
void rx_part(struct rx *rx, struct leg *leg);

/* May this frame be?  NULL, or what the peer did wrong. */
const char *rx_admit(struct rx *rx, uint64_t seq, uint32_t length);

enum rx_direct {
	RX_BUFFERED,		/* not by the leg */
	RX_DIRECT,		/* while they arrive */
	RX_SLUICED		/* when the whole frame was found right */
};

/*
 * The way for the octets [seq, end) of a leg's frame; see order.h.  `direct'
 * says how the leg can move them to the consumer.  *skip is what ORDER_TURN is
 * to throw away first.  After ORDER_SOON the leg is woken when the turn is free.
 */
enum order_way rx_begin(struct rx *rx, struct leg *leg, uint64_t seq, uint64_t end,
    enum rx_direct direct, uint64_t *skip);
/*
 * With RX_SLUICED and ORDER_TURN the leg has the sluice, also after it lost the
 * turn, until it leaves it; its digest is that of all before seq.
 */
struct sluice *rx_sluice(struct rx *rx);
/* Under the turn: the frame was found right, so the digest is the stream's. */
void rx_sluice_right(struct rx *rx, uint64_t end);
void rx_sluice_leave(struct rx *rx);
/*
 * Under the turn: n octets were moved to rx_output.  order_wait and so on;
 * rx_resume is asked before each move, and also takes the turn away when all is
 * stopped.
 */
void rx_moved(struct rx *rx, struct leg *leg, uint64_t n);
bool rx_wait(struct rx *rx, struct leg *leg);
bool rx_resume(struct rx *rx, struct leg *leg);
void rx_leave(struct rx *rx, struct leg *leg);
int rx_output(const struct rx *rx);
/* Under the turn: the consumer takes nothing now. */
void rx_full(struct rx *rx);
/* The output cannot be spliced to after all: no more turns for legs. */
void rx_indirect(struct rx *rx);

/* A buffer of at least n octets, or NULL; given back by one of the two below. */
struct order_buffer *rx_buffer(struct rx *rx, size_t n);
void rx_buffer_drop(struct rx *rx, struct order_buffer *buffer);
/* [seq, end) has come into the buffer.  Takes it over. */
void rx_store(struct rx *rx, struct leg *leg, uint64_t seq, uint64_t end,
    struct order_buffer *buffer);
/* n octets were read and thrown away. */
void rx_voided(struct rx *rx, struct leg *leg, uint64_t n);
/* A payload's check differed. */
void rx_spoilt(struct rx *rx);

/* FIN.  NULL, or what the peer did wrong. */
const char *rx_fin(struct rx *rx, uint64_t total, const struct fin *fin);

/* When a leg should tell its status: a time, 0 = at once, UINT64_MAX = no need. */
uint64_t rx_status_due(struct rx *rx, const struct leg *leg, uint64_t now_ns);
/* What it tells then; `all' legs or this one. */
void rx_status(struct rx *rx, const struct leg *leg, bool all, struct status *status);
/* The sender has sent the stream up to `next': is anything of it missing? */
bool rx_owed(struct rx *rx, uint64_t next);
/* A heartbeat: has all of that come, and is the sender waiting for its source? */
void rx_heard(struct rx *rx, uint64_t next, bool idle);

void rx_fail_memory(struct rx *rx);
void rx_fail_consumer(struct rx *rx);
/* From now on nothing more is written, whatever comes. */
void rx_stop(struct rx *rx);
/* Looks whether the consumer has gone away; for a thread that ticks.  `up': a leg is. */
void rx_look(struct rx *rx, bool up);

struct rx_state {
	uint64_t delivered;
	uint64_t stored;	/* octets that wait for their turn */
	uint64_t window;
	uint64_t repeated;
	uint64_t spoilt;	/* frames whose check differed */
	bool blocked;		/* the consumer is what is waited for */
	bool complete;
};
void rx_state(struct rx *rx, struct rx_state *state);
/* How long the source, the network and the consumer were waited for, until then at the most. */
void rx_waited(struct rx *rx, uint64_t until_ns, uint64_t waited_ns[BLAME_KINDS]);

#endif
