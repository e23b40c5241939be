/*
 * tunnel: a connection to the receiver's port that goes through a process of
 * ssh of its own.
 *
 * A tunnel belongs to the leg that uses it, and is used by its thread only.
 * Its ends here are a socket, which the caller owns, and a process, which
 * tunnel_close ends and waits for.  The process is the head of a group of its
 * own, so that a terminal's Ctrl-C does not cut the legs by which the other side
 * is to be told of it.
 */
#ifndef TUNNEL_H
#define TUNNEL_H

#include <stdbool.h>
#include <sys/types.h>

#include "net.h"

#define TUNNELS		64	/* at once */

struct tunnel {
	pid_t pid;		/* 0 = none */
	int said;		/* what ssh says on standard error */
};

/*
 * Through `command' (a line for the shell that begins with ssh) to this address
 * and port of the host that it logs in to.  Does not wait for it.  Our end of it,
 * non-blocking and close-on-exec; or -1 and why.
 */
int tunnel_open(struct tunnel *t, const char *command, const char *host, const char *address,
    const char *port, char why[NET_WHY]);

/*
 * Ends it.  What ssh said last is in why, or nothing.  true: it logged in, and
 * nobody listens on that port there.
 */
bool tunnel_close(struct tunnel *t, char why[NET_WHY]);

/* Main thread: the process ends, whatever the legs do.  None is left, none begins. */
void tunnel_end(void);

#endif
