/*
 * ssh: starting the other side through the system's ssh.
 *
 * The near side runs ssh, which runs this program with the word `serve' on the
 * far side, and gives it orders on its standard input: a key for this session
 * alone and the words of a command line.  The far side listens and answers, on
 * its standard output, with its port and address.  From then on the two are a
 * session like any other; ssh may end.
 *
 * Orders are text and octets:
 *	viamillipede orders 1 TOKEN KEY N	a line; 32 and 64 hexadecimal digits
 *	LENGTH					N times: a line, then so many octets
 *	OCTETS					and a newline
 * and the answer is one line:
 *	viamillipede answer 1 TOKEN PORT ADDRESS	ADDRESS is - if it is not known
 * Whatever else comes before it (a banner, a login script's noise) is passed over.
 *
 * Main thread only, before any other is started, but for ssh_end.
 */
#ifndef SSH_H
#define SSH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"

#define SSH_KEY		32	/* octets */
#define SSH_TOKEN	32	/* hexadecimal digits */

struct ssh {
	pid_t pid;		/* of ssh; 0 = there is none */
	int from;		/* what the far side says */
	int to;			/* where that goes after its answer */
	int ended[2];		/* a pipe that is closed when it says no more */
	char token[SSH_TOKEN + 1];
	uint8_t key[SSH_KEY];	/* the caller wipes it when it has taken it */
};

/*
 * The near side: run ssh, give orders, wait for the answer, and complete the
 * paths of the options with it.  Blocks for as long as ssh takes to log in.
 * 0, or an exit status after saying why.
 */
int ssh_begin(struct ssh *s, struct options *options);

/*
 * Pass on what the far side says after its answer, in a thread of its own, to
 * descriptor `to'; 0, or an errno.
 */
int ssh_listen(struct ssh *s, int to);

/* ssh still runs: what the far side says is heard.  Any thread, before ssh_end. */
bool ssh_lives(const struct ssh *s);

/* The session is over: the rest is passed on, ssh ends or is ended after a moment. */
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
int ssh_answer(struct ssh *s, const char *listening);

#endif
