/*
 * tunnel: a connection to the remote side's port through an ssh process of its own.
 *
 * A tunnel belongs to the leg that uses it, and only that leg's thread calls.  It has
 * a socket, which the caller owns, and a process, which tunnel_close kills and waits
 * for.  The process leads a group of its own, so that Ctrl-C on a terminal does not
 * cut the legs that have to tell the other side about it.
 */
#ifndef TUNNEL_H
#define TUNNEL_H

#include <stdbool.h>
#include <sys/types.h>

#include "sys/net.h"

#define TUNNELS		64	/* at once */

struct tunnel {
	pid_t pid;		/* 0 = none */
	int said;		/* owned: the standard error of ssh */
};

/* Where to connect, and how; the texts are the caller's. */
struct tunnel_target {
	const char *command;	/* a line for the shell that begins with ssh */
	const char *host;	/* where ssh logs in */
	const char *address;	/* where it connects from there */
	const char *port;
	bool share;		/* it may use an ssh connection that is open already */
};

/*
 * Starts the process and does not wait for the connection.  Returns our end,
 * non-blocking and close-on-exec, or -1 and a reason in why.
 */
int tunnel_open(struct tunnel *t, const struct tunnel_target *target, char why[NET_WHY]);

/* Why a tunnel ended, by the messages of ssh. */
enum tunnel_end {
	TUNNEL_ENDED,		/* unknown */
	TUNNEL_DENIED,		/* it logged in, and nothing listens on that port there */
	TUNNEL_BARRED		/* the login was refused, or it may not forward there */
};

/* Ends it.  `why' is the last message of ssh, or empty. */
enum tunnel_end tunnel_close(struct tunnel *t, char why[NET_WHY]);

/* Main thread, before this process exits: kills all tunnels and allows no new one. */
void tunnel_end(void);

#endif
