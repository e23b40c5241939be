/*
 * admit: the listener's side of a session: which caller may join it or begin it.
 *
 * The listener's thread calls; it blocks only for the session's lock.
 */
#ifndef ADMIT_H
#define ADMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

struct channel_pair;
struct session;

/* A caller, and the decision about it. */
struct admission {
	const struct hello *hello;
	struct channel_pair *keys;	/* NULL: without a key; belongs to the leg, like fd, */
	int fd;				/* once the caller is admitted */
	const char *name;		/* its address */
	bool piped;			/* it came through ssh's own pipe */
	bool early;			/* the caller's CONFIRM is still to come */
	struct refuse refuse;		/* the answer if it is not admitted */
	/* Only for admit.c: */
	uint64_t now_ns;
	int error;			/* why the leg has no thread; 0 = it has one */
	bool replaces;			/* the session replaces another */
};

/*
 * With a key: whether a caller would be admitted now.  Changes nothing, because its
 * HELLO may be an old one.  true: *welcome is the answer.  false: as below.
 */
bool admit_judge(struct session *s, struct admission *a, struct hello *welcome);
/*
 * Admits a caller that sent a valid HELLO, and with a key its CONFIRM.  true: the
 * connection and its keys belong to the leg.  false: a->refuse is the answer; if it has
 * no reason, the connection is closed without an answer, and the caller may come again.
 */
bool admit_hello(struct session *s, struct admission *a);

#endif
