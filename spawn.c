/*
 * spawn: starting another program.  See spawn.h; runs in whichever thread
 * calls it.
 */
#include "spawn.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>

extern char **environ;

/* The mask is inherited, and so is what is ignored. */
static int
set_signals(posix_spawnattr_t *attr)
{
	static const int ours[] = {
		SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2
	};
	sigset_t none, usual;
	struct sigaction sa;
	size_t i;
	int error;

	sigemptyset(&none);
	sigemptyset(&usual);
	/* What our own parent wants to be ignored stays so, but for SIGPIPE. */
	for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (ours[i] == SIGPIPE || (sigaction(ours[i], NULL, &sa) == 0 &&
		    sa.sa_handler != SIG_IGN))
			sigaddset(&usual, ours[i]);
	if ((error = posix_spawnattr_setsigmask(attr, &none)) != 0)
		return error;
	return posix_spawnattr_setsigdefault(attr, &usual);
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
spawn(char *const argv[], int in, int out, int err, bool group)
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
	error = posix_spawnp(&pid, argv[0], &actions, &attr, argv, environ);
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
