/*
 * command: a program at one end of the stream: the stream is its standard input (at
 * the receiver) or its standard output (at the sender), or one of each if both ends send.
 *
 * It leads a process group of its own.  Of its standard input and output, each is a
 * stream's pipe or ours.  A thread of this file passes its standard
 * error on to ours, byte for byte, and keeps the end of it, to tell the peer if the
 * command fails.
 *
 *	from		to		when
 *	NEW		STARTED		command_start
 *	NEW		GONE		command_stop or command_finish came before
 *	STARTED		ENDED		the process has ended (or could not be started),
 *					and its standard error was read
 *	STARTED		GONE		command_stop came before it was started
 *	ENDED		GONE		reaped after command_finish; after command_stop
 *					its process group is empty, too
 *
 * A process that has ended stays unreaped until GONE, so that its number still
 * belongs to its group when the rest of the group must be signalled.
 *
 * Any thread may call; only command_wait and command_finish block.  The lock is a
 * leaf.  Objects live as long as this process.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#define COMMAND_TAIL	4096	/* bytes kept of its standard error */
#define COMMAND_OUTCOME	512	/* room for how it ended, with its NUL */

struct command;

/*
 * One argument is a script for /bin/sh, several are a program and its arguments.
 * argv remains the caller's and must not change.  `side', a constant, is whose command
 * it is: "sender" and the like.  At least one of `source' and `consumer' is set.  NULL
 * with errno.
 */
struct command *command_new(char *const *argv, const char *side, bool source, bool consumer);

/*
 * Our ends of the streams' pipes, -1 if there is none: to what it reads, from what it
 * writes.  They belong to the caller.
 */
int command_input(const struct command *c);
int command_output(const struct command *c);

/*
 * Called before command_start: `tell' is called in the command's own thread, with no
 * lock held, when the command has ended, and for what command_ask asks.
 */
void command_watch(struct command *c, void (*tell)(void *cookie), void *cookie);

/* Before command_start: command_stop sends SIGHUP a second before SIGTERM, as a login's end. */
void command_hangs_up(struct command *c);

/* Starts it; later calls do nothing.  A failure to start it is a way to end. */
void command_start(struct command *c);

enum command_end {
	COMMAND_RUNS,		/* or was not started */
	COMMAND_WELL,		/* exited 0 */
	COMMAND_ILL		/* failed */
};

enum command_end command_end(struct command *c);

/* How it ended, as a shell's $?, but 255 after a signal; 0 while it runs. */
int command_status(struct command *c);

/* The consumer has closed its input: calls `tell' when it ends, or after a second. */
void command_ask(struct command *c);

/*
 * What is wrong with it, in one line: how it failed; or if it exited 0, that this was
 * too early; or if it still runs, that it closed its input.  After a newline follows
 * the end of its standard error, if there was any.
 */
void command_text(struct command *c, char *text, size_t size);

/* The consumer's input is the whole stream, so the caller may close our end. */
void command_whole(struct command *c);

/* Waits until it has ended; returns whether it succeeded. */
bool command_wait(struct command *c);

/* The transfer has failed: sends SIGTERM to its group now, SIGKILL five seconds later. */
void command_stop(struct command *c);
/* Sends SIGKILL without the five seconds. */
void command_hurry(struct command *c);

/* This process ends: waits until the command is GONE. */
void command_finish(struct command *c);

#endif
