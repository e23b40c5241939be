/*
 * tx: the sending half.  Reads the source, keeps what is read in a window
 * until it is acknowledged, and decides which leg carries which frame.
 *
 * One thread of its own reads the source and may block there for ever; the
 * legs' threads call the rest, which never blocks longer than a lock is held.
 * Lock order: tx's lock is a leaf, nothing else is taken under it.
 */
#ifndef TX_H
#define TX_H

#include <stdbool.h>
#include <stdint.h>

#include "blame.h"
#include "frame.h"
#include "window.h"

struct leg;
struct session;
struct tx;

/*
 * NULL with errno.  `all': use all of the window from the beginning, instead of
 * as much as the network turns out to need.  Enlarges the pipe that fd is, where it is
 * one.
 */
struct tx *tx_new(struct session *session, int fd, uint64_t window, bool all, uint32_t frame,
    bool digest);
/* Starts the reader; 0, or an errno. */
int tx_start(struct tx *tx);

/* The handshake's result; before any leg joins. */
void tx_agree(struct tx *tx, uint64_t window, uint32_t frame);

/* A leg is up, or down again.  false: no memory; the session was told. */
bool tx_join(struct tx *tx, struct leg *leg, uint64_t rtt_ns);
void tx_part(struct tx *tx, struct leg *leg);
/* A leg that is up gets no more frames; it goes when what it carries has arrived. */
void tx_leave(struct tx *tx, struct leg *leg);

/*
 * The next frame for a leg, in its turn of preference.  WINDOW_NONE: there is
 * none now, the leg is woken when there is.  WINDOW_DATA: *frame is the leg's
 * until tx_release.
 */
enum window_cut tx_take(struct tx *tx, struct leg *leg, struct window_frame *frame);
void tx_release(struct tx *tx, struct window_chunk *chunk);

/* What FIN says; valid after tx_take returned WINDOW_FIN.  Returns the length. */
uint64_t tx_fin(struct tx *tx, struct fin *fin);

/* The receiver's words.  NULL, or what it did wrong. */
const char *tx_status(struct tx *tx, struct leg *leg, const struct status *status);
/*
 * How many legs each of `n' paths should have at least (0: it is not ours to
 * say); for a thread that ticks.  true: a number grew.  Legs that turn out not
 * to be of use stay up, as a reserve, without work.
 */
bool tx_tune(struct tx *tx, unsigned wanted[], unsigned n);

/* A round trip to the receiver's program, of this leg. */
void tx_rtt(struct tx *tx, const struct leg *leg, uint64_t rtt_ns);

/* When a leg without work should look again, as others may be late; UINT64_MAX = no need. */
uint64_t tx_look_again(struct tx *tx, const struct leg *leg, uint64_t now_ns);

struct tx_leg_state {
	uint64_t rate;		/* octets a second, 0 = unknown */
	uint64_t in_flight;	/* octets sent and not acknowledged */
	bool hungry;		/* could take work and has none */
};
void tx_leg_state(struct tx *tx, const struct leg *leg, struct tx_leg_state *state);

struct tx_state {
	uint64_t read;		/* octets from the source */
	uint64_t next;		/* octets given to legs */
	uint64_t acknowledged;	/* without a gap */
	uint64_t delivered;
	uint64_t kept;		/* octets in memory */
	uint64_t window;
	uint64_t ready;		/* octets that wait for a leg */
	uint64_t resent;
	uint64_t copied;
	bool finished;		/* the source has ended */
	bool settled;		/* nothing sent is unacknowledged */
	bool blocked;		/* the receiver waits for its consumer */
	bool starved;		/* the source is what is waited for */
};
void tx_state(struct tx *tx, struct tx_state *state);
/* How long the source, the network and the consumer were waited for, until then at the most. */
void tx_waited(struct tx *tx, uint64_t until_ns, uint64_t waited_ns[BLAME_KINDS]);

#endif
