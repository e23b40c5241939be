/*
 * command: a program that takes the stream's place at one end: the stream is
 * its standard input (at the receiver) or its standard output (at the sender).
 *
 * It is a process group of its own, with one descriptor of ours and no other:
 * the stream's pipe.  The other of its standard input and output is ours.  Its
 * standard error goes through a thread of this file, octet for octet, to our
 * own, and the last of it is kept, to be told to the peer if it fails.
 *
 *	from		to		when
 *	NEW		STARTED		command_start
 *	NEW		GONE		command_stop or command_finish came before
 *	STARTED		ENDED		the process has ended (or could not be made),
 *					and its last words are read
 *	STARTED		GONE		command_stop came before it was made
 *	ENDED		GONE		reaped after command_finish; after command_stop
 *					its process group is empty, too
 *
 * A process that has ended stays unreaped until then, so that its number is
 * still its group's when the rest of the group is to be signalled.
 *
 * Any thread may call; only command_wait and command_finish wait.  The lock is a
 * leaf.  Objects live as long as the process.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#define COMMAND_TAIL	4096	/* octets kept of its standard error */
#define COMMAND_VERDICT	512	/* room for how it ended, with its NUL */

struct command;

/*
 * One argument is a script for /bin/sh, several are a program and its
 * arguments.  argv stays the caller's, for good.  NULL with errno.
 */
struct command *command_new(char *const *argv, bool consumer);

/* Our end of the stream's pipe; the caller closes it, or nobody. */
int command_stream(const struct command *c);

/*
 * Before it is started: whom to tell, in the command's own thread and with
 * nothing locked, that it has ended, and what command_ask asks for.
 */
void command_watch(struct command *c, void (*tell)(void *cookie), void *cookie);

/* Once; later calls do nothing.  That it could not be started is an end like any other. */
void command_start(struct command *c);

enum command_end {
	COMMAND_RUNS,		/* or was not started */
	COMMAND_WELL,		/* exited 0 */
	COMMAND_ILL
};

enum command_end command_end(struct command *c);

/* The consumer has closed its input: tell when it has ended, or in a second if it does not. */
void command_ask(struct command *c);

/*
 * What is wrong with it, in one line, and after a newline the last that it said,
 * if it said anything.  Its end, if it ended ill; an end that is too early, if it
 * ended well; and if it runs, that it closed its input.
 */
void command_text(struct command *c, char *text, size_t size);

/* Until it has ended: did it end well? */
bool command_wait(struct command *c);

/* The transfer has failed: SIGTERM to its group now, SIGKILL five seconds later. */
void command_stop(struct command *c);
/* And no five seconds. */
void command_hurry(struct command *c);

/* The process ends: wait until the command is gone; see command_stop. */
void command_finish(struct command *c);

#endif
