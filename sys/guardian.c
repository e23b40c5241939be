/*
 * guardian: ends the command when this process dies.  See guardian.h.  The
 * guardian itself runs guard() and what that calls; it shares only the line with us.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "sys/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <time.h>
#include <unistd.h>

#include "sys/child.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL	0	/* SIGPIPE is ignored in any case */
#endif

#define GRACE_MS	5000	/* between SIGTERM and SIGKILL */
#define AGAIN_MS	1000	/* between one SIGKILL and the next */
#define PAUSE_MS	50
#define FILES_MAX	(1 << 20)

/* The messages on the line; both ends are the same program, so a struct will do. */
enum what { HOLD, GROUP, RELEASE, DONE };

struct word {
	enum what what;
	pid_t group;
};

static int line = -1;		/* [I] after guardian_start; -1 = no guardian */
static pid_t guardian;		/* [I] likewise */
static atomic_bool done;	/* [a] guardian_done was called */

/* In the guardian */

/* One message, and the descriptor that came with it or -1.  false: the line is broken. */
static bool
hear(int from, struct word *word, int *fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = word, .iov_len = sizeof(*word) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;
	ssize_t n;

	do {
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		n = recvmsg(from, &msg, MSG_WAITALL);
	} while (n == -1 && errno == EINTR);
	*fd = -1;
	c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	return n == (ssize_t)sizeof(*word);
}

static bool
empty(pid_t group)
{
	return kill(-group, 0) == -1 && errno == ESRCH;
}

/* No process has the other end open any more. */
static bool
unread(int fd)
{
	struct pollfd p = { .fd = fd, .events = 0 };

	return fd == -1 || (poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0);
}

static bool
await_empty(pid_t group, int ms)
{
	struct timespec ts = { .tv_nsec = 1000000 };
	int waited;

	for (waited = 0; !empty(group) && waited < ms;
	    waited += (int)(ts.tv_nsec / 1000000)) {
		nanosleep(&ts, NULL);
		if (ts.tv_nsec < PAUSE_MS * 1000000)
			ts.tv_nsec *= 2;
	}
	return empty(group);
}

/*
 * A process that we may not kill, or that does not die yet, has its input kept open
 * for as long as it has it open.
 */
static void
end_group(pid_t group, int held)
{
	kill(-group, SIGTERM);
	/* A stopped process has to run to receive it. */
	kill(-group, SIGCONT);
	if (await_empty(group, GRACE_MS))
		return;
	do
		kill(-group, SIGKILL);
	while (!await_empty(group, AGAIN_MS) && !unread(held));
}

#ifdef CLOSE_RANGE_CLOEXEC
static bool
close_at_once(unsigned from)
{
	return close_range(from, ~0u, 0) == 0;
}
#else
static bool
close_at_once(unsigned from)
{
	(void)from;
	return false;
}
#endif

/* Closes every descriptor from this number on. */
static void
close_others(int from)
{
	long most = sysconf(_SC_OPEN_MAX);
	int fd;

	if (close_at_once((unsigned)from))
		return;
	if (most < 0 || most > FILES_MAX)
		most = FILES_MAX;
	for (fd = from; fd < most; fd++)
		close(fd);
}

static void
name_it(void)
{
#ifdef PR_SET_NAME
	prctl(PR_SET_NAME, "viamillipede-g");
#endif
}

/* The guardian's life, with every signal blocked. */
static void
guard(int from)
{
	struct word word;
	pid_t group = 0;
	int held = -1, fd;

	setsid();
	if (from != 0)
		dup2(from, 0);
	close_others(1);
	name_it();
	if (chdir("/") == -1)
		errno = 0;	/* no matter: it only keeps a file system busy */
	while (hear(0, &word, &fd)) {
		if (word.what == GROUP)
			group = word.group;
		if (word.what == DONE)
			group = 0;
		if (word.what == HOLD || word.what == RELEASE || word.what == DONE) {
			if (held != -1)
				close(held);
			held = fd;
		}
	}
	if (group > 0)
		end_group(group, held);
}

/* In this process */

/* Sends one message, with a descriptor unless fd is -1.  0, or -1 with errno. */
static int
say(enum what what, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct word word;
	struct iovec iov = { .iov_base = &word, .iov_len = sizeof(word) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (line == -1)
		return 0;
	memset(&word, 0, sizeof(word));
	word.what = what;
	word.group = what == GROUP ? getpid() : 0;
	if (fd != -1) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.room;
		msg.msg_controllen = sizeof(control.room);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	while (sendmsg(line, &msg, MSG_NOSIGNAL) == -1)
		if (errno != EINTR)
			return -1;
	return 0;
}

int
guardian_start(void)
{
	sigset_t all, before;
	int pair[2], error;

	if (child_sockets(pair) == -1)
		return -1;
	/* A process that ignores SIGCHLD cannot wait for its children. */
	signal(SIGCHLD, SIG_DFL);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	guardian = fork();
	if (guardian == 0) {
		guard(pair[1]);
		_exit(0);
	}
	error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	if (guardian == -1) {
		close(pair[0]);
		errno = error;
		return -1;
	}
	line = pair[0];
	return 0;
}

int
guardian_hold(int fd)
{
	return say(HOLD, fd);
}

void
guardian_tell_group(void)
{
	say(GROUP, -1);
}

void
guardian_release(void)
{
	say(RELEASE, -1);
}

void
guardian_done(void)
{
	atomic_store(&done, true);
	say(DONE, -1);
}

void
guardian_end(void)
{
	if (line == -1)
		return;
	shutdown(line, SHUT_RDWR);
	while (atomic_load(&done) && waitpid(guardian, NULL, 0) == -1 && errno == EINTR)
		;
}
