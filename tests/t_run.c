/*
 * t_run: runs one program for a test under a name, and tells how it ended.
 *
 *	t_run NAME [in=socket|pty|reset|/PATH] [out=socket|pty|unix:PATH]
 *	    [err=broken|clogged] [nonblock=FD,...] [close=FD,...] -- PROGRAM [ARGUMENT ...]
 *
 * Started in the background by `start' in lib.sh, with $T as the scratch directory, some
 * hundred times in a minute, which is why it is in C.  The program gets this process's
 * standard input and output, or, with in= and out=, one end of a socket or terminal that
 * is pumped from or to them, the file (or directory) at a path, or a connection to
 * whoever listens there.  Its standard error is the file $T/NAME.err, or a pipe that
 * nobody has open to read, or one that is full.  Signals are as in a fresh login: a
 * shell's background jobs inherit SIGINT ignored, which would make tests of it worthless.
 *
 *	$T/NAME.pid	the program's process id, once it runs
 *	$T/NAME.end	when it is gone: "exit 0 RSS_KIB SECONDS" or "signal 15 ..."
 *
 * RSS_KIB is the most memory that it ever had.  SIGTERM to this process kills the
 * program; so nothing outlives its test.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum kind { SOCKET, PTY, RESET };

/* Copies from source to sink, in a thread of its own, and ends as its kind says. */
struct pump {
	bool used;
	bool feeds;		/* the program's input; otherwise it drains its output */
	enum kind kind;
	int source;
	int sink;
	atomic_bool over;
};

static volatile pid_t program;
static int wanted[3] = { -1, -1, -1 };	/* what the program gets in place of ours */
static struct pump in, out;
static const char *nonblock = "", *closed = "";

static void
die(const char *what)
{
	fprintf(stderr, "t_run: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The result of a call that must succeed, of which -1 says that it did not. */
static int
must(int result, const char *what)
{
	if (result == -1)
		die(what);
	return result;
}

/* Our descriptors are not the program's. */
static int
own(int fd)
{
	must(fcntl(fd, F_SETFD, FD_CLOEXEC), "fcntl");
	return fd;
}

static void
two(int end[2], int result, const char *what)
{
	must(result, what);
	own(end[0]);
	own(end[1]);
}

/* Files */

/* Readers never see half of it. */
static void
tell(const char *base, const char *end, const char *text)
{
	char name[4096], new[4096 + 4];
	FILE *f;

	snprintf(name, sizeof(name), "%s.%s", base, end);
	snprintf(new, sizeof(new), "%s.new", name);
	f = fopen(new, "w");
	if (f == NULL || fprintf(f, "%s\n", text) < 0 || fclose(f) != 0)
		die(new);
	must(rename(new, name), name);
}

static int
error_file(const char *base)
{
	char name[4096];

	snprintf(name, sizeof(name), "%s.err", base);
	return must(open(name, O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), name);
}

/* Pumps */

static void
write_all(int fd, const char *bytes, ssize_t n)
{
	ssize_t put = 0;

	for (; n > 0 && put != -1; n -= put) {
		put = write(fd, bytes, (size_t)n);
		bytes += put;
	}
}

/*
 * Until end of file or an error, also until nobody reads the sink any more, so that a
 * program behind it learns of that.
 */
static void
copy(const struct pump *pump)
{
	static const short gone = POLLERR | POLLHUP;
	struct pollfd p[2] = {
		{ .fd = pump->source, .events = POLLIN }, { .fd = pump->sink }
	};
	char *bytes = malloc(65536);
	ssize_t n = 1;

	while (bytes != NULL && n > 0 && poll(p, 2, -1) > 0 && (p[1].revents & gone) == 0) {
		n = read(pump->source, bytes, 65536);
		write_all(pump->sink, bytes, n);
	}
	free(bytes);
}

static void *
run_pump(void *argument)
{
	struct pump *pump = argument;

	copy(pump);
	if (!pump->feeds) {
		close(pump->source);
		close(pump->sink);
	} else if (pump->kind == SOCKET)
		shutdown(pump->sink, SHUT_WR);
	else if (pump->kind == PTY)
		write_all(pump->sink, "\004", 1);
	else
		close(pump->sink);
	atomic_store(&pump->over, true);
	return NULL;
}

/*
 * A terminal that passes bytes on as they are; as standard input it keeps its lines and
 * its ^D, the way a person would end it.
 */
static void
terminal(int end[2], bool feeds)
{
	struct termios mode;

	end[0] = must(posix_openpt(O_RDWR | O_NOCTTY), "posix_openpt");
	must(grantpt(end[0]), "grantpt");
	must(unlockpt(end[0]), "unlockpt");
	end[1] = open(ptsname(end[0]), O_RDWR | O_NOCTTY);
	two(end, end[1], "ptsname");
	must(tcgetattr(end[1], &mode), "tcgetattr");
	if (feeds)
		mode.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	else {
		mode.c_iflag &= ~(tcflag_t)(BRKINT | ICRNL | INPCK | ISTRIP | IXON);
		mode.c_oflag &= ~(tcflag_t)OPOST;
		mode.c_lflag &= ~(tcflag_t)(ECHO | ICANON | IEXTEN | ISIG);
	}
	must(tcsetattr(end[1], TCSANOW, &mode), "tcsetattr");
}

/* A connection that the program's side did not begin, and that our side resets. */
static void
connection(int end[2])
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct linger reset = { .l_onoff = 1 };
	socklen_t len = sizeof(to);
	int listener = must(socket(AF_INET, SOCK_STREAM, 0), "socket");

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(listener, (struct sockaddr *)&to, len), "bind");
	must(listen(listener, 1), "listen");
	must(getsockname(listener, (struct sockaddr *)&to, &len), "getsockname");
	end[1] = must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	must(connect(end[1], (struct sockaddr *)&to, len), "connect");
	end[0] = accept(listener, NULL, NULL);
	two(end, end[0], "accept");
	must(setsockopt(end[0], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), "setsockopt");
	close(listener);
}

/* The program's end of what takes the place of its standard input or output. */
static int
add_pump(struct pump *pump, const char *kind, bool feeds)
{
	int end[2], ours = own(must(dup(feeds ? 0 : 1), "dup"));

	pump->used = true;
	pump->feeds = feeds;
	pump->kind = strcmp(kind, "socket") == 0 ? SOCKET :
	    strcmp(kind, "pty") == 0 ? PTY : RESET;
	if (pump->kind == SOCKET)
		two(end, socketpair(AF_UNIX, SOCK_STREAM, 0, end), "socketpair");
	else if (pump->kind == PTY)
		terminal(end, feeds);
	else
		connection(end);
	pump->source = feeds ? ours : end[0];
	pump->sink = feeds ? end[0] : ours;
	return end[1];
}

static void
start_pump(struct pump *pump)
{
	pthread_t thread;

	if (pump->used && (errno = pthread_create(&thread, NULL, run_pump, pump)) != 0)
		die("pthread_create");
}

/* Options */

/* A socket to whoever listens there, with nothing in between. */
static int
connected(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = own(must(socket(AF_UNIX, SOCK_STREAM, 0), "socket"));

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)), path);
	return fd;
}

static int
bad_pipe(bool clogged)
{
	static const char block[4096];
	int end[2];

	two(end, pipe(end), "pipe");
	if (!clogged) {
		close(end[0]);
		return end[1];
	}
	must(fcntl(end[1], F_SETFL, O_NONBLOCK), "fcntl");
	while (write(end[1], block, sizeof(block)) > 0)
		;
	must(fcntl(end[1], F_SETFL, 0), "fcntl");
	return end[1];
}

static bool
option(const char *word, const char *name, const char **value)
{
	size_t n = strlen(name);

	*value = word + n;
	return strncmp(word, name, n) == 0;
}

static void
take(const char *word)
{
	const char *value;

	if (option(word, "in=", &value) && value[0] == '/')
		wanted[0] = must(open(value, O_RDONLY | O_CLOEXEC), value);
	else if (option(word, "in=", &value))
		wanted[0] = add_pump(&in, value, true);
	else if (option(word, "out=unix:", &value))
		wanted[1] = connected(value);
	else if (option(word, "out=", &value))
		wanted[1] = add_pump(&out, value, false);
	else if (option(word, "err=", &value))
		wanted[2] = bad_pipe(strcmp(value, "clogged") == 0);
	else if (option(word, "nonblock=", &value))
		nonblock = value;
	else if (option(word, "close=", &value))
		closed = value;
	else {
		errno = EINVAL;
		die(word);
	}
}

/* The program */

static void
become(char **command)
{
	const char *at;
	int i, fd;

	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	for (i = 0; i < 3; i++)
		if (wanted[i] != -1)
			dup2(wanted[i], i);
	for (at = nonblock; *at != '\0'; at += at[1] == ',' ? 2 : 1) {
		fd = *at - '0';
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
	for (at = closed; *at != '\0'; at += at[1] == ',' ? 2 : 1)
		close(*at - '0');
	execvp(command[0], command);
	dprintf(STDERR_FILENO, "%s: %s\n", command[0], strerror(errno));
	_exit(127);
}

static void
kill_program(int number)
{
	(void)number;
	/* It may have ended, but was not waited for: the number is no other's. */
	kill(program, SIGKILL);
}

/*
 * Of the program's descriptors nothing may stay open here: the pipes' other ends have to
 * see it die.
 */
static void
let_go(void)
{
	int i, nothing = own(must(open("/dev/null", O_RDWR), "/dev/null"));

	for (i = 0; i < 3; i++)
		if (wanted[i] != -1)
			close(wanted[i]);
	must(dup2(nothing, 0), "dup2");
	must(dup2(nothing, 1), "dup2");
}

static void
start(char **command)
{
	sigset_t term;

	/* It must not come before there is a program to be killed. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	signal(SIGTERM, kill_program);
	program = must(fork(), "fork");
	if (program == 0) {
		sigprocmask(SIG_UNBLOCK, &term, NULL);
		become(command);
	}
	signal(SIGPIPE, SIG_IGN);
	start_pump(&in);
	start_pump(&out);
	let_go();
	sigprocmask(SIG_UNBLOCK, &term, NULL);
}

static void
await(const char *base, const struct timespec *began)
{
	struct rusage usage;
	struct timespec now;
	char text[80];
	int status, i;

	while (wait4(program, &status, 0, &usage) == -1)
		if (errno != EINTR)
			die("wait4");
	signal(SIGTERM, SIG_IGN);
	for (i = 0; i < 500 && out.used && !atomic_load(&out.over); i++)
		poll(NULL, 0, 10);
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "%s %d %ld %.2f", WIFSIGNALED(status) ? "signal" : "exit",
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), usage.ru_maxrss,
	    (double)(now.tv_sec - began->tv_sec) +
	    (double)(now.tv_nsec - began->tv_nsec) / 1e9);
	tell(base, "end", text);
}

int
main(int argc, char *argv[])
{
	const char *directory = getenv("T");
	struct timespec began;
	char base[2048], text[16];
	int i;

	clock_gettime(CLOCK_MONOTONIC, &began);
	if (argc < 4 || directory == NULL) {
		fprintf(stderr, "usage: T=DIRECTORY t_run NAME [OPTION ...] -- PROGRAM ...\n");
		return 2;
	}
	snprintf(base, sizeof(base), "%s/%s", directory, argv[1]);
	for (i = 2; i < argc - 1 && strcmp(argv[i], "--") != 0; i++)
		take(argv[i]);
	if (wanted[2] == -1)
		wanted[2] = error_file(base);
	start(argv + i + 1);
	snprintf(text, sizeof(text), "%d", (int)program);
	tell(base, "pid", text);
	await(base, &began);
	return 0;
}
