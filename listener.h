/*
 * listener: the receiver's open port, and those who knock.
 *
 * One thread accepts, reads a HELLO from each caller, and gives the connection
 * to session_admit, or an answer and the door.  Where there is a key, the caller
 * has to prove that he has it first.  Callers who have not said a valid HELLO, and
 * proven it, are few, cost no allocation and have a deadline; when there is no
 * room, those that have said nothing go first, the oldest of them before, and
 * those that named this session last.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include "net.h"

struct session;

struct listener {
	struct session *session;	/* [I] */
	struct net_listener net;	/* [t] the listener's thread only */
};

/*
 * Begins to listen and says where.  0, or -1 after it said why not.  The
 * thread runs until the session is over.
 */
int listener_open(struct listener *l, struct session *session);
/* Starts the thread; 0, or an errno. */
int listener_start(struct listener *l);

#endif
