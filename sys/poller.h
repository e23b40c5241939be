/*
 * poller: waits for many descriptors at once, by epoll(7) where the system has it and
 * poll(2) otherwise.  Level-triggered; one thread owns it.
 *
 * A descriptor is registered with the events that are wanted and a cookie; errors are
 * reported whatever is wanted.  It must be dropped before it is closed.  An event that
 * poller_wait returned may be of a descriptor that was dropped since, while the others
 * were handled: its cookie must tell.
 */
#ifndef POLLER_H
#define POLLER_H

#include <stdbool.h>

#define POLLER_IN	1u
#define POLLER_OUT	2u
#define POLLER_ERROR	4u	/* or both directions have ended */

struct pollfd;

struct poller {
	int epoll;		/* -1: there is none */
	struct pollfd *list;	/* what poll(2) gets, */
	void **cookie;		/* for each of them, */
	int *place;		/* and for each descriptor where it is there; -1 = nowhere */
	int count, room, places;
	int at;			/* where the next poller_wait begins to look */
};

struct poller_event {
	void *cookie;
	unsigned events;	/* POLLER_ bits */
};

/* 0, or -1 with errno. */
int poller_init(struct poller *p);
int poller_add(struct poller *p, int fd, unsigned events, void *cookie);
/* Of a descriptor that was added. */
void poller_change(struct poller *p, int fd, unsigned events, void *cookie);
void poller_drop(struct poller *p, int fd);
/* Returns the number of events, at most `most'; -1 for ever. */
int poller_wait(struct poller *p, struct poller_event *events, int most, int timeout_ms);

#endif
