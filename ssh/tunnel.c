/*
 * tunnel: a connection through ssh.  See tunnel.h; runs in the thread of the
 * leg that it belongs to, except tunnel_end.
 */
#include "ssh/tunnel.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"
#include "sys/child.h"
#include "sys/lock.h"

#define LINE	(OPTIONS_FILE_SIZE + 64)	/* bytes of a command line */
#define SAID	1024	/* bytes kept of the messages of ssh */

/*
 * The processes that run.  Each is waited for only after it was removed from here, so
 * a number in here cannot have been used again for another process.
 */
static struct lock lock = LOCK_INITIALIZER;
static pid_t running[TUNNELS];	/* under lock; 0 = a free place */
static bool over;		/* under lock */

/* The process id, or -1 with errno. */
static pid_t
start_locked(char *const argv[], int end, int said)
{
	unsigned i;

	for (i = 0; i < TUNNELS && running[i] != 0; i++)
		;
	if (over || i == TUNNELS) {
		errno = over ? ECANCELED : EAGAIN;
		return -1;
	}
	running[i] = child_start(argv, end, end, said, true);
	if (running[i] != -1)
		return running[i];
	running[i] = 0;
	return -1;
}

static void
kill_locked(pid_t pid)
{
	unsigned i;

	for (i = 0; i < TUNNELS; i++)
		if (running[i] == pid)
			running[i] = 0;
	/* ssh has nothing to clean up. */
	kill(-pid, SIGKILL);
}

/*
 * Each tunnel has an ssh connection of its own unless it may share one, even if the
 * command has an option -S: of several -S the last one holds, of several -o the
 * first.  BatchMode, because a tunnel may be opened at any time and must not prompt;
 * LogLevel, because its messages are read only when it has failed.
 */
static pid_t
start_ssh(const struct tunnel_target *target, int end, int said)
{
	char line[LINE], to[NET_NAME];
	char *argv[] = {
		"sh", "-c", line, "ssh", "-T", "-o", "BatchMode=yes", "-o",
		"ClearAllForwardings=yes", "-o", "LogLevel=INFO", "-W", to,
		(char *)(uintptr_t)target->host, NULL
	};
	pid_t pid;

	if (snprintf(line, sizeof(line), "exec %s %s\"$@\"", target->command,
	    target->share ? "" : "-S none ") >= (int)sizeof(line)) {
		errno = E2BIG;
		return -1;
	}
	snprintf(to, sizeof(to), strchr(target->address, ':') != NULL ? "[%s]:%s" : "%s:%s",
	    target->address, target->port);
	lock_acquire(&lock);
	pid = start_locked(argv, end, said);
	lock_release(&lock);
	return pid;
}

/* Our ends do not block. */
static int
make_ends(int pair[2], int said[2])
{
	int error;

	if (child_sockets(pair) == -1)
		return -1;
	if (child_pipe(said) == -1)
		goto err1;
	if (net_own(pair[0]) == -1 || net_own(said[0]) == -1)
		goto err2;
	return 0;
err2:
	error = errno;
	close(said[0]);
	close(said[1]);
	errno = error;
err1:
	error = errno;
	close(pair[0]);
	close(pair[1]);
	errno = error;
	return -1;
}

int
tunnel_open(struct tunnel *t, const struct tunnel_target *target, char why[NET_WHY])
{
	int pair[2], said[2], error;

	if (make_ends(pair, said) == -1)
		goto err0;
	t->pid = start_ssh(target, pair[1], said[1]);
	error = errno;
	close(said[1]);
	close(pair[1]);
	if (t->pid == -1)
		goto err1;
	t->said = said[0];
	return pair[0];
err1:
	close(said[0]);
	close(pair[0]);
	errno = error;
err0:
	t->pid = 0;
	snprintf(why, NET_WHY, "%s", strerror(errno));
	return -1;
}

/* Reads all messages and keeps the end of them. */
static void
read_said(int fd, char text[SAID])
{
	size_t have = 0;
	ssize_t n;

	while ((n = read(fd, text + have, SAID - 1 - have)) > 0) {
		have += (size_t)n;
		if (have == SAID - 1) {
			memmove(text, text + have / 2, have - have / 2);
			have -= have / 2;
		}
	}
	text[have] = '\0';
}

/* The last line that says more than that forwarding failed. */
static void
last_line(char text[SAID], char why[NET_WHY])
{
	const char *useless = "stdio forwarding failed";
	char *line, *end;

	why[0] = '\0';
	for (end = text + strlen(text); end > text; end = line) {
		while (end > text && (end[-1] == '\n' || end[-1] == '\r'))
			end--;
		*end = '\0';
		line = strrchr(text, '\n');
		line = line != NULL ? line : text;
		if (end > text && strstr(line, useless) == NULL) {
			snprintf(why, NET_WHY, "ssh: %.150s", line + (*line == '\n'));
			return;
		}
	}
}

/* Looks for the English messages of ssh and sshd after which a retry soon is of no use. */
static enum tunnel_end
end_of(const char *text)
{
	static const char *const barred[] = {
		"Permission denied (", "Too many authentication failures",
		"Host key verification failed", "open failed: administratively prohibited"
	};
	size_t i;

	if (strstr(text, "open failed: connect failed: Connection refused") != NULL)
		return TUNNEL_DENIED;
	for (i = 0; i < sizeof(barred) / sizeof(barred[0]); i++)
		if (strstr(text, barred[i]) != NULL)
			return TUNNEL_BARRED;
	return TUNNEL_ENDED;
}

enum tunnel_end
tunnel_close(struct tunnel *t, char why[NET_WHY])
{
	char text[SAID];
	enum tunnel_end end;

	why[0] = '\0';
	if (t->pid == 0)
		return TUNNEL_ENDED;
	read_said(t->said, text);
	end = end_of(text);
	last_line(text, why);
	lock_acquire(&lock);
	kill_locked(t->pid);
	lock_release(&lock);
	while (waitpid(t->pid, NULL, 0) == -1 && errno == EINTR)
		;
	close(t->said);
	t->pid = 0;
	return end;
}

void
tunnel_end(void)
{
	unsigned i;

	lock_acquire(&lock);
	over = true;
	for (i = 0; i < TUNNELS; i++)
		if (running[i] != 0)
			kill_locked(running[i]);
	lock_release(&lock);
}
