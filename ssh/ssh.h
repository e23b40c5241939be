/*
 * ssh: starting the remote side through the system's ssh.
 *
 * The local side runs ssh, which runs this program with the word `serve' on the
 * remote side, and writes the orders to its standard input: a key for this session
 * alone and the words of a command line.  The remote side listens, and answers on
 * its standard output with its port and address (bootstrap.h has the text of both).
 * From then on this is a session like any other; ssh may end.
 *
 * After that the two pipes of ssh carry what line.h says: a connection, which is a leg
 * like others, and what the remote command prints, which the local side passes on.  The
 * end of its standard input tells the remote side that ssh, or the local side, is gone.
 *
 * Only the main thread calls, before it starts others, except where a comment says
 * otherwise.
 */
#ifndef SSH_H
#define SSH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"
#include "ssh/bootstrap.h"
#include "ssh/line.h"
#include "sys/wake.h"

/* [I] immutable once ssh_listen was called, [a] atomic, [t] only its thread's. */
struct ssh {
	pid_t pid;		/* [I] of ssh; 0 = there is none */
	int from;		/* [I] local side: ssh's output; then what the command prints */
	int to;			/* [I] local side: where that is passed on to; 0 = nowhere yet */
	int input;		/* our end of the remote side's standard input */
	int output;		/* remote side: its standard output, */
	int flags;		/* its flags as they were, */
	bool answered;		/* and whether the line was started */
	struct line line;	/* what the pipes carry */
	char *orders;		/* local side: their text, */
	size_t length;		/* and its length */
	bool told;		/* local side: ssh has taken some of the orders */
	bool over;		/* main thread: ssh_end was called */
	bool absent;		/* local side: there is no program of this version there */
	bool whole;		/* local side: all of the command's errors come before we end */
	int ended[2];		/* [t] a pipe whose write end is closed when all was passed on */
	struct wake hurry;	/* to the main thread: ssh_hurry was called */
	atomic_bool passing;	/* [a] local side: output is being passed on now */
	atomic_ullong said_ns;	/* [a] local side: when it last was */
	char token[BOOTSTRAP_TOKEN + 1];
	uint8_t key[BOOTSTRAP_KEY];	/* the caller wipes it after use */
};

/*
 * The local side, first: makes the key and the orders.  What is written to a connection
 * that line_call begins before ssh_begin goes out with them.  0, or EXIT_UNBEGUN after
 * logging why.
 */
int ssh_prepare(struct ssh *s, const struct options *options);

/*
 * The local side: runs ssh, writes the orders, waits for the answer, and completes
 * the options' paths with it.  Blocks for as long as ssh takes to log in, at
 * most the `wait' of the options.  0, or EXIT_UNBEGUN after logging why.
 */
int ssh_begin(struct ssh *s, struct options *options);

/*
 * The local side: starts the line, and a thread that passes what the remote command
 * prints on to descriptor `to'.  0, or an errno.
 */
int ssh_listen(struct ssh *s, int to);

/*
 * The command has ended: what it has printed by now is all that is passed on.  The
 * remote side; any thread, before ssh_end.
 */
void ssh_printed(struct ssh *s);

/* ssh still runs, so the remote side's output arrives.  Any thread, before ssh_end. */
bool ssh_lives(const struct ssh *s);

/* The remote side: since when ssh or the local side is gone; 0 = it is not.  Any thread. */
static inline uint64_t
ssh_gone_ns(const struct ssh *s)
{
	return atomic_load(&s->line.gone_ns);
}

/* A signal ends us: ssh_end must not wait long for output.  Any thread. */
void ssh_hurry(struct ssh *s);

/*
 * The session is over, or will never begin: waits until the rest of the output is
 * passed on, as long as that makes progress, and until ssh has ended or was killed.
 * Later calls do nothing.
 */
void ssh_end(struct ssh *s);

/*
 * The remote side: reads the orders and parses their words into *options.  0, or an
 * exit status after logging why.
 */
int ssh_serve(struct ssh *s, struct options *options);

/*
 * The remote side: answers that it listens on "ADDRESS:PORT", and starts the line.  Puts
 * a pipe in place of standard output that does not break when ssh dies.  0, or -1 after
 * logging why.
 */
int ssh_answer(struct ssh *s, const struct options *options, const char *listening);

#endif
