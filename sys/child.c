/*
 * child: starting another program.  See child.h; runs in whichever thread
 * calls it.
 */
#include "sys/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/lock.h"

/* Held while descriptors are created, and while a child is started. */
static struct lock gate = LOCK_INITIALIZER;

extern char **environ;

/*
 * A child has no blocked signals.  These get their default action whatever our
 * parent chose: those that we handle or ignore; SIGTERM, with which we end the
 * child; and SIGCHLD, as a program that ignores it cannot wait for its children.
 * Any other signal that our parent ignores, as nohup does SIGHUP, stays ignored.
 */
static const int usual[] = {
#ifdef SIGINFO
	SIGINFO,
#endif
	SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGCHLD
};

static int
set_signals(posix_spawnattr_t *attr)
{
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
	lock_acquire(&gate);
	error = posix_spawnp(&pid, argv[0], &actions, &attr, argv, environ);
	lock_release(&gate);
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

/* As set_signals, called by the child itself. */
static void
reset_signals(void)
{
	struct sigaction sa = { .sa_handler = SIG_DFL };
	sigset_t none;
	size_t i;

	for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		sigaction(usual[i], &sa, NULL);
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
}

/*
 * Turns the child into the program; returns only on failure, with errno.  Does
 * nothing that a signal handler may not do.
 */
static void
become(char *const argv[], const int fd[3], void (*first)(void))
{
	int i;

	setpgid(0, 0);
	first();
	for (i = 0; i < 3; i++)
		if (fd[i] != i && dup2(fd[i], i) == -1)
			return;
	reset_signals();
	execvp(argv[0], argv);
}

/* The errno with which the child failed to become the program; 0: it became it. */
static int
hear_error(int from)
{
	int error = 0;

	while (read(from, &error, sizeof(error)) == -1 && errno == EINTR)
		;
	return error;
}

pid_t
child_start_group(char *const argv[], const int fd[3], void (*first)(void))
{
	sigset_t all, before;
	int said[2], error;
	pid_t pid;

	if (child_pipe(said) == -1)
		return -1;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	lock_acquire(&gate);
	pid = fork();
	if (pid == 0) {
		become(argv, fd, first);
		error = errno;
		while (write(said[1], &error, sizeof(error)) == -1 && errno == EINTR)
			;
		_exit(127);
	}
	error = errno;
	lock_release(&gate);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(said[1]);
	if (pid != -1) {
		/* The child does the same; the first of the two takes effect. */
		setpgid(pid, pid);
		error = hear_error(said[0]);
	}
	close(said[0]);
	if (pid != -1 && error != 0) {
		while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
			;
		pid = -1;
	}
	errno = error;
	return pid;
}

void
fork_lock(void)
{
	int error = errno;

	lock_acquire(&gate);
	errno = error;
}

void
fork_unlock(void)
{
	int error = errno;

	lock_release(&gate);
	errno = error;
}

/* Calls make, and sets close-on-exec before any child can be started. */
static int
make_two(int (*make)(int fd[2]), int fd[2])
{
	int error;

	fork_lock();
	if (make(fd) == -1)
		goto err0;
	if (fcntl(fd[0], F_SETFD, FD_CLOEXEC) == -1 || fcntl(fd[1], F_SETFD, FD_CLOEXEC) == -1)
		goto err1;
	fork_unlock();
	return 0;
err1:
	error = errno;
	close(fd[0]);
	close(fd[1]);
	errno = error;
err0:
	fork_unlock();
	return -1;
}

static int
connect_two(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
}

int
child_pipe(int fd[2])
{
	return make_two(pipe, fd);
}

int
child_sockets(int fd[2])
{
	return make_two(connect_two, fd);
}
