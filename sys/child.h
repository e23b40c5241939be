/*
 * child: starting another program.
 *
 * The child has its three descriptors and no other of ours (all else is
 * close-on-exec), no blocked signals, and the default action for the signals that
 * we handle or ignore.  Any thread may call; no call waits for a child to end.
 *
 * Few systems can create a descriptor with close-on-exec in one step.  Where it
 * takes two steps while other threads run, they stand between fork_lock and
 * fork_unlock, so that no child is started in between: a child that inherited one
 * end of a connection would keep it open.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Runs argv[0], searched in PATH, with in, out and err as its standard input,
 * output and error.  With `group' it leads a process group of its own, otherwise
 * it stays in ours.  The descriptors remain the caller's.  Returns its process id,
 * which the caller has to wait for, or -1 with errno.
 */
pid_t child_start(char *const argv[], int in, int out, int err, bool group);

/*
 * The same as the leader of a group, with fd[0] to fd[2] as its first three
 * descriptors.  `first' is called in the child before it executes the program, and
 * may do only what a signal handler may.
 */
pid_t child_start_group(char *const argv[], const int fd[3], void (*first)(void));

/*
 * A pipe, or a pair of connected sockets, close-on-exec from the start.  Returns 0,
 * or -1 with errno.
 */
int child_pipe(int fd[2]);
int child_sockets(int fd[2]);

/* Only around calls that do not block.  They preserve errno. */
void fork_lock(void);
void fork_unlock(void);

#endif
