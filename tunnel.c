/*
 * tunnel: a connection through ssh.  See tunnel.h; runs in the thread of the
 * leg that it belongs to, but for tunnel_end.
 */
#include "tunnel.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lock.h"
#include "child.h"

#define LINE	1000	/* octets of a command line */
#define SAID	1024	/* octets that are kept of what ssh says */

/*
 * Those that run: their numbers are their own as long as they are in here, for
 * they are waited for after that.
 */
static struct lock lock = LOCK_INITIALIZER;
static pid_t running[TUNNELS];	/* under lock; 0 = a free place */
static bool over;		/* under lock */

/* Its process, or -1 with errno. */
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
	/* It holds nothing that it would have to tidy up. */
	kill(-pid, SIGKILL);
}

/*
 * Each has a connection of its own, not a share in one that is open already;
 * it asks nothing, because it may be made again at any time; and it says why it
 * failed and little else, because nobody reads that before.
 */
static pid_t
start_ssh(const char *command, const char *host, const char *address, const char *port, int end,
    int said)
{
	char line[LINE], to[NET_NAME];
	char *argv[] = {
		"sh", "-c", line, "ssh", "-T", "-o", "BatchMode=yes", "-o", "ControlPath=none",
		"-o", "ClearAllForwardings=yes", "-o", "LogLevel=INFO", "-W", to,
		(char *)(uintptr_t)host, NULL
	};
	pid_t pid;

	if (snprintf(line, sizeof(line), "exec %s \"$@\"", command) >= (int)sizeof(line)) {
		errno = E2BIG;
		return -1;
	}
	snprintf(to, sizeof(to), strchr(address, ':') != NULL ? "[%s]:%s" : "%s:%s", address, port);
	lock_take(&lock);
	pid = start_locked(argv, end, said);
	lock_drop(&lock);
	return pid;
}

/* Both pairs, of which nothing is inherited but what is meant to be. */
static int
make_ends(int pair[2], int said[2])
{
	int error;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		return -1;
	if (pipe(said) == -1)
		goto err1;
	if (net_own(pair[0]) == -1 || net_close_on_exec(pair[1]) == -1 ||
	    net_own(said[0]) == -1 || net_close_on_exec(said[1]) == -1)
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
tunnel_open(struct tunnel *t, const char *command, const char *host, const char *address,
    const char *port, char why[NET_WHY])
{
	int pair[2], said[2], made, error;

	child_hold();
	made = make_ends(pair, said);
	child_release();
	if (made == -1)
		goto err0;
	t->pid = start_ssh(command, host, address, port, pair[1], said[1]);
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

/* The last of what there is. */
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

/* The last line that tells more than that it failed. */
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

bool
tunnel_close(struct tunnel *t, char why[NET_WHY])
{
	char text[SAID];
	bool alone;

	why[0] = '\0';
	if (t->pid == 0)
		return false;
	read_said(t->said, text);
	/* So its sshd says, in English. */
	alone = strstr(text, "open failed: connect failed: Connection refused") != NULL;
	last_line(text, why);
	lock_take(&lock);
	kill_locked(t->pid);
	lock_drop(&lock);
	while (waitpid(t->pid, NULL, 0) == -1 && errno == EINTR)
		;
	close(t->said);
	t->pid = 0;
	return alone;
}

void
tunnel_end(void)
{
	unsigned i;

	lock_take(&lock);
	over = true;
	for (i = 0; i < TUNNELS; i++)
		if (running[i] != 0)
			kill_locked(running[i]);
	lock_drop(&lock);
}
