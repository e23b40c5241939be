/*
 * target: where terminate connects to: a name and a port, or a UNIX socket.
 *
 * A name is looked up again when its addresses are needed and were not asked for within
 * a few seconds; the resolver may take long, so a thread of its own asks it, one question
 * at a time.  One other thread, mux's, calls the functions.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/lock.h"
#include "sys/lookup.h"
#include "sys/wake.h"

/* [I] immutable, [t] under lock, [m] the calling thread only. */
struct target {
	const char *host;		/* [I] */
	const char *port;		/* [I] */
	bool fixed;			/* [I] needs no resolver: an address, or a UNIX socket */
	struct wake *wake;		/* [I] signalled when there is an answer */
	struct lock lock;
	bool asks;			/* [t] the thread runs */
	bool news;			/* [t] it has answered since target_look */
	int result;			/* [t] of lookup_now */
	struct lookup_answer answer;	/* [t] */
	char why[LOOKUP_WHY];		/* [t] */
	struct lookup_answer use;	/* [m] the last good answer, or none */
	uint64_t asked_ns;		/* [m] when that was asked for; 0 = never */
};

enum target_state {
	TARGET_KNOWN,		/* t->use has addresses */
	TARGET_ASKING,		/* wait until the wake is signalled */
	TARGET_UNKNOWN		/* there are none; t->why says why */
};

/* The texts are the caller's and stay.  port NULL: host is the path of a UNIX socket. */
void target_init(struct target *t, const char *host, const char *port, struct wake *wake);
/* Are there addresses now?  Asks for them if need be. */
enum target_state target_look(struct target *t);

#endif
