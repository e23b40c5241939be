/*
 * mux: many connections in one session, each a stream of it: those that are accepted here
 * (initiate) are opened at the other end (terminate), and the other way round.
 *
 * It stands between the programs' sockets and the two byte streams of a duplex session: tx
 * reads records from one pipe, rx writes records to another (core/record.h).  So whatever
 * legs do, no connection notices; and the records are in order, so a stream's bytes are.
 * What is read ahead of the legs is kept small (tx_ahead), and streams take turns
 * (core/streams.h), so that none waits long behind another.
 *
 * One thread of its own owns everything but what is marked; main makes and starts it.
 */
#ifndef MUX_H
#define MUX_H

#include <stdbool.h>
#include <stdint.h>

#include "half.h"

struct mux;
struct options;
struct tx;

/*
 * Makes the pipes and, with initiate, listens, and logs where.  NULL after logging why it
 * cannot.
 */
struct mux *mux_new(const struct half_owner *owner, const struct options *options);
/* Ours of the pipes' ends: for tx to read, for rx to write and own. */
int mux_source(const struct mux *m);
int mux_sink(const struct mux *m);
/* Starts the thread; 0, or an errno. */
int mux_start(struct mux *m, struct tx *tx);
/* The session's window is agreed on.  Any thread. */
void mux_agree(struct mux *m, uint64_t window);
/* This process ends: what initiate left in the file system goes. */
void mux_end(struct mux *m);

struct mux_state {
	unsigned open;			/* streams now */
	unsigned long long opened;	/* so far */
	unsigned long long failed;	/* of them: reset, refused or never connected */
};
/* Any thread. */
void mux_state(struct mux *m, struct mux_state *state);

#endif
