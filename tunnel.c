/*
 * tunnel: a connection through ssh.  See tunnel.h; runs in the thread of the
 * leg that it belongs to.
 */
#include "tunnel.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn.h"

#define LINE	1000	/* octets of a command line */

/*
 * Each has a connection of its own, not a share in one that is open already;
 * and it asks nothing, because it may be made again at any time.
 */
static pid_t
start_ssh(const char *command, const char *host, const char *port, int end, int said)
{
	char line[LINE], to[NET_NAME];
	char *argv[] = {
		"sh", "-c", line, "ssh", "-T", "-o", "BatchMode=yes", "-o", "ControlPath=none",
		"-o", "ClearAllForwardings=yes", "-W", to, (char *)(uintptr_t)host, NULL
	};

	if (snprintf(line, sizeof(line), "exec %s \"$@\"", command) >= (int)sizeof(line)) {
		errno = E2BIG;
		return -1;
	}
	snprintf(to, sizeof(to), "127.0.0.1:%s", port);
	return spawn(argv, end, end, said, false);
}

int
tunnel_open(struct tunnel *t, const char *command, const char *host, const char *port,
    char why[NET_WHY])
{
	int pair[2], said[2], error;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
		goto err0;
	if (pipe(said) == -1)
		goto err1;
	if (net_own(pair[0]) == -1 || net_close_on_exec(pair[1]) == -1 ||
	    net_own(said[0]) == -1 || net_close_on_exec(said[1]) == -1)
		goto err2;
	t->pid = start_ssh(command, host, port, pair[1], said[1]);
	if (t->pid == -1)
		goto err2;
	t->said = said[0];
	close(said[1]);
	close(pair[1]);
	return pair[0];
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
err0:
	t->pid = 0;
	snprintf(why, NET_WHY, "%s", strerror(errno));
	return -1;
}

/* The last line of what there is. */
static void
last_line(int fd, char why[NET_WHY])
{
	char text[1024], *line;
	ssize_t n;
	size_t have = 0;

	why[0] = '\0';
	while ((n = read(fd, text + have, sizeof(text) - 1 - have)) > 0) {
		have += (size_t)n;
		if (have == sizeof(text) - 1) {
			memmove(text, text + have / 2, have - have / 2);
			have -= have / 2;
		}
	}
	while (have > 0 && (text[have - 1] == '\n' || text[have - 1] == '\r'))
		have--;
	text[have] = '\0';
	line = strrchr(text, '\n');
	if (have > 0)
		snprintf(why, NET_WHY, "ssh: %.150s", line != NULL ? line + 1 : text);
}

void
tunnel_close(struct tunnel *t, char why[NET_WHY])
{
	why[0] = '\0';
	if (t->pid == 0)
		return;
	last_line(t->said, why);
	/* It holds nothing that it would have to tidy up. */
	kill(t->pid, SIGKILL);
	while (waitpid(t->pid, NULL, 0) == -1 && errno == EINTR)
		;
	close(t->said);
	t->pid = 0;
}
