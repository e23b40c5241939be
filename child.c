/*
 * child: starting another program.  See child.h; runs in whichever thread
 * calls it.
 */
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>

#include "lock.h"

/* Held while descriptors are made, and while a child is. */
static struct lock gate = LOCK_INITIALIZER;

extern char **environ;

/*
 * None blocked, and those that we treat in a way of our own as if we did not.
 * What our parent chose to ignore stays so, but for SIGTERM, by which a child is
 * told that all was in vain.
 */
static int
set_signals(posix_spawnattr_t *attr)
{
	static const int usual[] = { SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGCHLD };
	sigset_t set;
	size_t i;
	int error;

	sigemptyset(&set);
	if ((error = posix_spawnattr_setsigmask(attr, &set)) != 0)
		return error;
	for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		sigaddset(&set, usual[i]);
	return posix_spawnattr_setsigdefault(attr, &set);
}

static int
set_descriptors(posix_spawn_file_actions_t *actions, int in, int out, int err)
{
	const int fd[3] = { in, out, err };
	int i, error = 0;

	for (i = 0; i < 3 && error == 0; i++)
		if (fd[i] != i)
			error = posix_spawn_file_actions_adddup2(actions, fd[i], i);
	return error;
}

pid_t
child_start(char *const argv[], int in, int out, int err, bool group)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	pid_t pid = -1;
	int error;

	if ((error = posix_spawnattr_init(&attr)) != 0)
		goto err0;
	if ((error = posix_spawn_file_actions_init(&actions)) != 0)
		goto err1;
	if (group)
		flags |= POSIX_SPAWN_SETPGROUP;
	if ((error = posix_spawnattr_setflags(&attr, flags)) != 0 ||
	    (error = posix_spawnattr_setpgroup(&attr, 0)) != 0 ||
	    (error = set_signals(&attr)) != 0 ||
	    (error = set_descriptors(&actions, in, out, err)) != 0)
		goto err2;
	lock_take(&gate);
	error = posix_spawnp(&pid, argv[0], &actions, &attr, argv, environ);
	lock_drop(&gate);
err2:
	posix_spawn_file_actions_destroy(&actions);
err1:
	posix_spawnattr_destroy(&attr);
err0:
	if (error != 0) {
		errno = error;
		return -1;
	}
	return pid;
}

void
child_hold(void)
{
	int error = errno;

	lock_take(&gate);
	errno = error;
}

void
child_release(void)
{
	int error = errno;

	lock_drop(&gate);
	errno = error;
}
