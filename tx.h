/*
 * tx: the sending half.  Reads the source, keeps what it read in a window until it
 * is acknowledged, and decides which leg carries which frame.
 *
 * One thread of its own, the reader, reads the source and may block there for ever.
 * The legs' threads call the functions below, which block only for tx's lock.
 * That lock is a leaf: no other lock is taken while it is held.
 */
#ifndef TX_H
#define TX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bottleneck.h"
#include "core/limit.h"
#include "core/window.h"
#include "frame.h"
#include "half.h"

struct command;
struct leg;
struct options;
struct tx;

struct tx_setup {
	struct half_owner owner;
	struct command *command;	/* the source's, or NULL */
	int fd;			/* the source; not owned */
	uint64_t window;
	bool all;		/* use all of it from the beginning, not what the network needs */
	uint32_t frame;
	bool digest;
	unsigned legs;		/* of a path at most */
	bool prompt;		/* reads little ahead of the legs, see tx_ahead */
	const struct options *options;	/* for the congestion control */
};
/* NULL with errno.  Enlarges the pipe that fd is, where it is one. */
struct tx *tx_new(const struct tx_setup *setup);
/* Starts the reader; 0, or an errno. */
int tx_start(struct tx *tx);

/* The handshake's result; called before any leg joins. */
void tx_agree(struct tx *tx, uint64_t window, uint32_t frame, bool checked);

/*
 * A leg is up, or down again.  false: no memory; the session was told.  If its path is
 * known to be thin, leg->thin_rate is the first guess of its rate.
 */
bool tx_join(struct tx *tx, struct leg *leg, uint64_t rtt_ns);
void tx_part(struct tx *tx, struct leg *leg);
/* A leg that is up gets no more frames; it goes when what it carries has arrived. */
void tx_leave(struct tx *tx, struct leg *leg);

/*
 * The next frame for a leg, by order of preference.  WINDOW_NONE: there is none now;
 * tx wakes the leg when there is.  WINDOW_DATA: *frame belongs to the leg until
 * tx_release.
 */
enum window_kind tx_take(struct tx *tx, struct leg *leg, struct window_frame *frame);
void tx_release(struct tx *tx, struct window_chunk *chunk);

/* What FIN says; valid after tx_take returned WINDOW_FIN.  Returns the length. */
uint64_t tx_fin(struct tx *tx, struct fin *fin);

/* What the receiver reports, in its greeting and later.  NULL, or what it did wrong. */
const char *tx_greeted(struct tx *tx, uint64_t delivered);
const char *tx_status(struct tx *tx, const struct status *status);
/* Everything that was sent is acknowledged: the receiver owes nothing. */
bool tx_settled(struct tx *tx);
/* DONE was found right. */
void tx_done(struct tx *tx, const struct done *done);
/*
 * How many legs each of `n' paths should have at least (0: it is not ours to
 * say), with `most' on all of them together; for a thread that ticks.  true: a number
 * changed.  Legs that turn out not
 * to be of use stay up, as a reserve, without work.
 */
bool tx_leg_count(struct tx *tx, unsigned wanted[], unsigned n, unsigned most);

/* How many legs this leg's path should have. */
unsigned tx_wanted(struct tx *tx, const struct leg *leg);
/*
 * Takes the kernel's counters of a leg's connection; *other: the leg should use the
 * other congestion control (control.h), otherwise the system's default.
 */
void tx_counters(struct tx *tx, const struct leg *leg, const struct limit_counters *counters,
    bool *other);
/* How a path is doing. */
struct tx_path_state {
	enum limit_kind limit;		/* what limits it now */
	enum limit_kind mostly;		/* limit_mostly: what limited it longest */
	unsigned legs;			/* that it has use for */
	bool other;			/* they use the other congestion control */
};
/* Returns how many paths had a leg so far; their states. */
unsigned tx_paths(struct tx *tx, struct tx_path_state state[FRAME_PATHS]);
/* The system refused the other congestion control to a leg. */
void tx_control_refused(struct tx *tx);

/* A leg's heartbeat, sent at asked_ns, took this round trip to the receiver's program. */
void tx_rtt(struct tx *tx, const struct leg *leg, uint64_t rtt_ns, uint64_t asked_ns);

/* When a leg without work should try tx_take again, as others may be late; UINT64_MAX = never. */
uint64_t tx_look_again(struct tx *tx, const struct leg *leg, uint64_t now_ns);

struct tx_leg_state {
	uint64_t rate;		/* bytes a second, 0 = unknown */
	uint64_t in_flight;	/* bytes sent and not acknowledged */
	bool hungry;		/* could take work and has none */
	bool ask;		/* a heartbeat should be sent now to probe the path, see rtt.h */
};
void tx_leg_state(struct tx *tx, const struct leg *leg, struct tx_leg_state *state);

/*
 * With `prompt': how many bytes tx has read from its source, a pipe, and given to no leg,
 * at most, and how many the pipe has room for.  As much as the legs carry in a few
 * milliseconds, so that what the source writes next does not wait long.
 */
size_t tx_ahead(const struct tx *tx);
/*
 * Some of what the source writes is waited for, beside much that is not: for two seconds
 * the legs carry less at once, so that no queue stands on their paths.
 */
void tx_hurry(struct tx *tx);

/*
 * The transfer has failed.  From now on an end of the source is not that of the stream:
 * a source command may exit 0 because it was told to end.
 */
void tx_stop(struct tx *tx);
/* Logs once if a process that the source command left keeps its output open; called regularly. */
void tx_look(struct tx *tx);

struct tx_state {
	uint64_t read;		/* bytes from the source */
	uint64_t next;		/* bytes given to legs */
	uint64_t acknowledged;	/* without a gap */
	uint64_t delivered;
	uint64_t kept;		/* bytes in memory */
	uint64_t window;
	uint64_t ready;		/* bytes that wait for a leg */
	uint64_t resent;
	uint64_t copied;
	bool finished;		/* the source has ended */
	bool settled;		/* nothing sent is unacknowledged */
	bool blocked;		/* the receiver waits for its consumer */
	bool starved;		/* tx waits for the source */
	uint32_t waited_ms;	/* how long it was, in all */
};
void tx_state(struct tx *tx, struct tx_state *state);
/* How long the transfer waited for source, network and consumer, until until_ns. */
void tx_waited(struct tx *tx, uint64_t until_ns, uint64_t waited_ns[BOTTLENECK_KINDS]);

#endif
