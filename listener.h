/*
 * listener: the open port of the side that listens, and its callers.
 *
 * One thread accepts connections, reads a HELLO from each caller, and passes it to
 * admit_hello, which hands it to a leg, or refuses it.  With a key HELLO must be right,
 * then gets its answer, and CONFIRM must be right before anything is done.  Until then
 * a caller has one of a few places, costs nothing but, if its HELLO was right, a page for
 * its keys, and has a deadline.  When all places are taken, a caller from the
 * address that holds most of them is dropped: those that have sent nothing first,
 * those that name this session last.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include "sys/net.h"

struct handshake;
struct session;

struct listener {
	struct session *session;	/* [I] */
	struct net_listener net;	/* [t] the listener's thread only */
	struct handshake *handshake;	/* [t] */
	unsigned places;		/* [I] for callers that are not legs yet */
};

/*
 * Begins to listen and logs where.  0, or -1 after logging why not.
 */
int listener_open(struct listener *l, struct session *session);
/* Starts the thread, which runs until the session is over; 0, or an errno. */
int listener_start(struct listener *l);

#endif
