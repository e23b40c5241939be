/*
 * guardian: a small process that outlives this one until it has ended the command,
 * so that the command's input does not end before the command does.
 *
 * When this process dies, however it does (SIGKILL, out of memory, a fault), the
 * system closes its descriptors, and a command that reads the stream would take
 * what it has for the whole.  So the guardian holds a copy of the descriptor that
 * the stream is written to, and one end of a line (a pair of sockets) to this
 * process.  If the line breaks before guardian_done, it ends the command's process
 * group as command.c does, by SIGTERM and five seconds later by SIGKILL, and keeps
 * the copy until the group is empty or no process has the other end open.
 *
 * It is forked before there is a thread, a secret or much memory.  It is a session
 * of its own, so no terminal and no signal to a process group reaches it; it
 * blocks every signal and has no other descriptors.
 *
 * Order of calls: guardian_start, guardian_hold and guardian_tell_group for the
 * command, guardian_release or guardian_done, guardian_end.  Without guardian_start
 * the others do nothing.  Any thread may call them; only guardian_end blocks, until
 * the guardian has exited, and only after guardian_done.
 */
#ifndef GUARDIAN_H
#define GUARDIAN_H

/* Called by the main thread before it starts others.  0, or -1 with errno. */
int guardian_start(void);

/* The stream is written to fd: the guardian keeps a copy.  0, or -1 with errno. */
int guardian_hold(int fd);

/*
 * Called in the child that becomes the command and leads its own group, before it
 * executes the command; safe between fork and exec.
 */
void guardian_tell_group(void);

/* The stream is whole, so the command may see its end: the guardian closes the copy. */
void guardian_release(void);

/* The command has ended, or must be left alone: the guardian will not end it. */
void guardian_done(void);

/* This process ends.  If guardian_done was not called, the guardian ends the command. */
void guardian_end(void);

#endif
