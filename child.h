/*
 * child: starting another program.
 *
 * The child has the three descriptors and no other of ours (all else is
 * close-on-exec), no blocked signals, and the usual answer to those that we
 * treat in our own way.  Any thread may call; nothing here waits for a child.
 *
 * Few systems make a descriptor and its close-on-exec in one step.  Where that
 * takes two while other threads run, they stand between child_hold and
 * child_release, so that no child is started in between: one that inherited the
 * other end of a connection would keep it open.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Run argv[0], which is looked for in PATH, with these as its standard input,
 * output and error; `group' puts it at the head of a process group of its own,
 * otherwise it stays in ours.  The descriptors remain the caller's.  Its
 * process, which the caller has to wait for; or -1 with errno.
 */
pid_t child_start(char *const argv[], int in, int out, int err, bool group);

/* Around calls that do not block, and nothing else.  They leave errno alone. */
void child_hold(void);
void child_release(void);

#endif
