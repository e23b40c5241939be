/*
 * ssh: starting the other side through the system's ssh.
 *
 * The near side runs ssh, which runs this program with the word `serve' on the
 * far side, and gives it orders on its standard input: a key for this session
 * alone and the words of a command line.  The far side listens and answers, on
 * its standard output, with its port and address (orders.h has the text of both).
 * From then on the two are a session like any other; ssh may end.
 *
 * After its answer the far side's standard output is that of its command, which
 * the near side passes on.  Nothing more is said on its standard input; that it
 * ends tells the far side that ssh, or the near side, is gone.
 *
 * Main thread only, before any other is started, but for what is said to be for
 * others.
 */
#ifndef SSH_H
#define SSH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"
#include "orders.h"
#include "wake.h"

/* [I] immutable once ssh_listen was called, [a] atomic, [t] only its thread's. */
struct ssh {
	pid_t pid;		/* [I] of ssh; 0 = there is none */
	int from;		/* [I] what the far side, or its command, says */
	int to;			/* [I] where that goes; 0 = nowhere yet */
	int line;		/* [I] the far side's standard input: our end of it; -1 = none */
	bool over;		/* main thread: ssh_end was called */
	int ended[2];		/* [t] a pipe that is closed when all was passed on */
	struct wake stop;	/* to [t]: pass on what there is, then end */
	struct wake hurry;	/* to the main thread: ssh_hurry was called */
	atomic_bool passing;	/* [a] what was said is being passed on */
	atomic_ullong said_ns;	/* [a] when something was said last */
	atomic_ullong gone_ns;	/* [a] far side: since when there is nobody at the line; 0 = there is */
	char token[ORDERS_TOKEN + 1];
	uint8_t key[ORDERS_KEY];	/* the caller wipes it when it has taken it */
};

/*
 * The near side: run ssh, give orders, wait for the answer, and complete the
 * paths of the options with it.  Blocks for as long as ssh takes to log in, at
 * most the `wait' of the options.  0, or an exit status after saying why.
 */
int ssh_begin(struct ssh *s, struct options *options);

/*
 * Pass on what the far side says after its answer, in a thread of its own, to
 * descriptor `to'; 0, or an errno.
 */
int ssh_listen(struct ssh *s, int to);

/* ssh still runs: what the far side says is heard.  Any thread, before ssh_end. */
bool ssh_lives(const struct ssh *s);

/* The far side: since when nobody is at the other end of ssh; 0 = somebody is.  Any thread. */
uint64_t ssh_gone_ns(const struct ssh *s);

/* Who ends us does not wait for what is still to be passed on.  Any thread. */
void ssh_hurry(struct ssh *s);

/*
 * Once; later calls do nothing.  The session is over, or will never be: the
 * rest is passed on, for as long as somebody takes it, and ssh ends or is ended.
 */
void ssh_end(struct ssh *s);

/*
 * The far side: read the orders and parse their words into *options.  0, or an
 * exit status after saying why.
 */
int ssh_serve(struct ssh *s, struct options *options);

/*
 * The far side listens there, "ADDRESS:PORT".  From then on standard output is
 * one that does not break when ssh does.  0, or -1 after saying why.
 */
int ssh_answer(struct ssh *s, const struct options *options, const char *listening);

#endif
