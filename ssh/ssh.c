/*
 * ssh: starting the remote side through the system's ssh.  See ssh.h.
 */
#include "ssh/ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "crypto/entropy.h"
#include "crypto/sha256.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/lookup.h"
#include "sys/net.h"
#include "sys/thread.h"

#define NOISE_MAX	(1u << 20)	/* most bytes before the answer */
#define LINE		1024
#define CONFIG	65536		/* most bytes of ssh's configuration */
#define CONFIG_NS	(2 * SECOND)	/* ssh prints its configuration within this */
#define RESOLVE_MS	2000
#define FLUSH_MS	1000		/* ssh takes our last words within this */
#define END_NS		(2 * SECOND)	/* ssh ends by itself within this */
#define REST_NS		(10 * SECOND)	/* some of the rest arrives within this */

/* Processes */

static bool
runs(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid == 0;
}

/* Waits until the child has ended, at most `ns'.  POSIX has no such call, so it polls. */
static void
await(pid_t pid, uint64_t ns)
{
	struct timespec ts = { .tv_nsec = (long)(5 * MS) };
	uint64_t until = clock_now_ns() + ns;

	while (runs(pid) && clock_now_ns() < until)
		nanosleep(&ts, NULL);
}

/* Gives ssh `ns' to end by itself, then kills it.  Its wait status, or -1 if unknown. */
static int
reap(pid_t pid, uint64_t ns)
{
	int status = 0;

	await(pid, ns);
	if (runs(pid)) {
		kill(pid, SIGTERM);
		/* A stopped process has to run to receive it. */
		kill(pid, SIGCONT);
		await(pid, SECOND);
	}
	if (runs(pid))
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return -1;
	return status;
}

/* The local side */

static int
start_ssh(struct ssh *s, const struct options *o)
{
	char line[OPTIONS_FILE_SIZE + 64], remote[LINE], binary[LINE - 16];
	char *argv[] = {
		"sh", "-c", line, "ssh", "-T", (char *)(uintptr_t)o->ssh_host, remote, NULL
	};
	int to[2], from[2], error;

	if (bootstrap_quote(o->remote, binary, sizeof(binary)) == -1) {
		errno = E2BIG;
		goto err0;
	}
	snprintf(remote, sizeof(remote), "%s serve", binary);
	snprintf(line, sizeof(line), "exec %s \"$@\"", o->ssh);
	if (child_pipe(to) == -1)
		goto err0;
	if (child_pipe(from) == -1)
		goto err1;
	if (net_own(to[1]) == -1 || net_own(from[0]) == -1)
		goto err2;
	/* A process that ignores SIGCHLD cannot wait for its children. */
	signal(SIGCHLD, SIG_DFL);
	s->pid = child_start(argv, to[0], from[1], STDERR_FILENO, false);
	if (s->pid == -1)
		goto err2;
	close(to[0]);
	close(from[1]);
	s->input = to[1];
	s->from = from[0];
	return 0;
err2:
	error = errno;
	close(from[0]);
	close(from[1]);
	errno = error;
err1:
	error = errno;
	close(to[0]);
	close(to[1]);
	errno = error;
err0:
	s->pid = 0;
	return -1;
}

/* Writes as much as the pipe takes, the orders and then records; false: ssh takes no more. */
static bool
give(struct ssh *s, size_t *given)
{
	ssize_t n = 0;

	if (*given == s->length)
		return line_push(&s->line, s->input);
	n = write(s->input, s->orders + *given, s->length - *given);
	if (n > 0)
		*given += (size_t)n;
	return n >= 0 || errno == EAGAIN || errno == EINTR;
}

/* Removes the first line from text, if it is complete or too long for an answer. */
static bool
cut_line(char *text, size_t *have, char line[LINE])
{
	char *end = memchr(text, '\n', *have);
	size_t n = end != NULL ? (size_t)(end - text) : *have, i;

	if (end == NULL && *have < LINE - 1)
		return false;
	for (i = 0; i < n; i++)
		line[i] = text[i] != '\0' ? text[i] : '?';
	line[n] = '\0';
	if (n > 0 && line[n - 1] == '\r')
		line[n - 1] = '\0';
	n += end != NULL;
	*have -= n;
	memmove(text, text + n, *have);
	return true;
}

/* A signal that ends us while ssh logs in must end ssh, too. */

static const int ending[] = { SIGINT, SIGTERM, SIGHUP };

#define NENDING	(sizeof(ending) / sizeof(ending[0]))

static struct sigaction before[NENDING];
static struct wake *called_off;
static volatile sig_atomic_t caught;

static void
call_off(int number)
{
	int error = errno;

	caught = number;
	wake_signal(called_off);
	errno = error;
}

/* Catches those of the signals that are not ignored. */
static void
catch_ending(struct ssh *s)
{
	struct sigaction sa = { .sa_handler = call_off };
	size_t i;

	called_off = &s->hurry;
	sigemptyset(&sa.sa_mask);
	for (i = 0; i < NENDING; i++)
		if (sigaction(ending[i], NULL, &before[i]) == 0 &&
		    before[i].sa_handler != SIG_IGN)
			sigaction(ending[i], &sa, NULL);
}

/* Restores the actions; a signal that was caught now takes its usual effect. */
static void
release_ending(void)
{
	size_t i;

	for (i = 0; i < NENDING; i++)
		sigaction(ending[i], &before[i], NULL);
	if (caught != 0)
		raise(caught);
}

enum talk {
	TALK_GOES_ON,
	TALK_ANSWERED,
	TALK_ENDED,		/* without an answer */
	TALK_LATE,
	TALK_CALLED_OFF,	/* by a signal */
	TALK_NOISE,		/* too much of it */
	TALK_NONSENSE,
	TALK_OTHER		/* of another version */
};

static enum talk
judge_line(const struct ssh *s, const char *line, char port[BOOTSTRAP_PORT],
    char address[BOOTSTRAP_ADDRESS])
{
	switch (bootstrap_read_answer(line, s->token, port, address)) {
	case ANSWER_NONE:
		if (line[0] != '\0')
			log_line(LOG_RUN, "the remote side wrote before its answer: %s", line);
		break;
	case ANSWER_GOOD:
		return TALK_ANSWERED;
	case ANSWER_BAD:
		return TALK_NONSENSE;
	case ANSWER_OTHER:
		return TALK_OTHER;
	}
	return TALK_GOES_ON;
}

static int
ms_left(uint64_t until)
{
	return clock_poll_ms(until, clock_now_ns());
}

/* Writes the orders, and what goes with them, and waits for the answer. */
static enum talk
converse(struct ssh *s, uint64_t until, char port[BOOTSTRAP_PORT],
    char address[BOOTSTRAP_ADDRESS])
{
	struct pollfd p[3] = {
		{ .fd = s->from, .events = POLLIN }, { .fd = s->input, .events = POLLOUT },
		{ .fd = wake_fd(&s->hurry), .events = POLLIN }
	};
	char text[LINE], line[LINE];
	size_t have = 0, noise = 0, given = 0;
	enum talk talk = TALK_GOES_ON;
	ssize_t n;

	while (talk == TALK_GOES_ON) {
		if (given == s->length && !line_waits(&s->line))
			p[1].fd = -1;
		n = poll(p, 3, ms_left(until));
		if (n == -1 && errno != EINTR)
			return TALK_ENDED;
		if (n == -1)
			continue;
		if (p[2].revents != 0)
			return TALK_CALLED_OFF;
		if (clock_now_ns() >= until)
			return TALK_LATE;
		if (p[1].fd != -1 && p[1].revents != 0 && !give(s, &given))
			p[1].fd = -1;
		s->told = given > 0;
		if (p[0].revents == 0)
			continue;
		n = read(s->from, text + have, sizeof(text) - 1 - have);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return TALK_ENDED;
		have += (size_t)n;
		noise += (size_t)n;
		while (talk == TALK_GOES_ON && cut_line(text, &have, line))
			talk = judge_line(s, line, port, address);
		if (talk == TALK_GOES_ON && noise > NOISE_MAX)
			talk = TALK_NOISE;
	}
	/* What follows the answer are records. */
	if (talk == TALK_ANSWERED)
		(void)line_heard(&s->line, text, have);
	return talk;
}

static bool
has_terminal(void)
{
	int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);

	if (tty != -1)
		close(tty);
	return tty != -1;
}

/* The pipe's reader has read all that was written, if the system can tell. */
static bool
was_taken(int pipe)
{
#ifdef FIONREAD
	int unread;

	return ioctl(pipe, FIONREAD, &unread) == 0 && unread == 0;
#else
	(void)pipe;
	return false;
#endif
}

/*
 * ssh ended without an answer: logs why, by its status.  taken: it has read the
 * orders, which it does only after it has logged in.
 */
static int
tell_end(struct ssh *s, const struct options *o, int status, bool taken)
{
	if (status == -1 || !WIFEXITED(status)) {
		log_line(LOG_ERROR, "ssh to %s was ended by a signal", o->ssh_host);
		return EXIT_UNBEGUN;
	}
	s->absent = WEXITSTATUS(status) == 127 || WEXITSTATUS(status) == 126 ||
	    WEXITSTATUS(status) == EXIT_USAGE;
	if (s->absent && o->yields)
		return EXIT_UNBEGUN;
	switch (WEXITSTATUS(status)) {
	case 255:
		if (taken) {
			log_line(LOG_ERROR, "%s does not let %s serve run: a forced command "
			    "there has rejected it, or ssh lost its connection", o->ssh_host,
			    o->remote);
			break;
		}
		/* ssh itself has said why. */
		if (o->yields)
			return EXIT_UNBEGUN;
		log_line(LOG_ERROR, has_terminal() ? "ssh cannot log in to %s" :
		    "ssh cannot log in to %s; without a terminal it cannot ask: use a key or "
		    "an agent", o->ssh_host);
		return EXIT_UNBEGUN;
	case 127:
		log_line(LOG_ERROR, "%s has no %s: install it there, or say where it is with "
		    "remote-program", o->ssh_host, o->remote);
		break;
	case 126:
		log_line(LOG_ERROR, "%s cannot run %s: say where it is with remote-program",
		    o->ssh_host, o->remote);
		break;
	case EXIT_USAGE:
		log_line(LOG_ERROR, "%s on %s is another version, or does not know a word that "
		    "it was given", o->remote, o->ssh_host);
		break;
	default:
		log_line(LOG_ERROR, "%s on %s gave no answer and ended with status %d; "
		    "a forced command there may have rejected it", o->remote, o->ssh_host,
		    WEXITSTATUS(status));
		break;
	}
	return EXIT_UNBEGUN;
}

/* Logs why there is no answer; returns the exit status. */
static int
no_answer(struct ssh *s, const struct options *o, enum talk talk)
{
	bool taken = s->told && was_taken(s->input);
	int status;

	close(s->from);
	close(s->input);
	status = reap(s->pid, talk == TALK_ENDED ? END_NS : 0);
	s->pid = 0;
	switch (talk) {
	case TALK_GOES_ON:
	case TALK_ANSWERED:
	case TALK_ENDED:
		return tell_end(s, o, status, taken);
	case TALK_CALLED_OFF:
		break;
	case TALK_LATE:
		log_line(LOG_ERROR, "no answer through ssh from %s within %llu s", o->ssh_host,
		    (unsigned long long)(o->wait_ms / 1000));
		return EXIT_UNBEGUN;
	case TALK_NOISE:
		log_line(LOG_ERROR, "%s on %s writes much output, but no answer", o->remote,
		    o->ssh_host);
		break;
	case TALK_NONSENSE:
		log_line(LOG_ERROR, "the answer of %s on %s is malformed", o->remote, o->ssh_host);
		break;
	case TALK_OTHER:
		log_line(LOG_ERROR, "%s on %s is another version", o->remote, o->ssh_host);
		break;
	}
	return EXIT_UNBEGUN;
}

/* Does host resolve to a loopback address? */
static bool
means_us(const struct ssh *s, const char *host)
{
	struct lookup found = { 0 };
	char why[LOOKUP_WHY], address[BOOTSTRAP_ADDRESS];
	const struct lookup_address *a;
	bool us = false;
	unsigned i;

	if (lookup(&found, host, "1", RESOLVE_MS, wake_fd(&s->hurry), why) == -1)
		return false;
	for (i = 0; i < found.answer.count && !us; i++) {
		a = &found.answer.list[i];
		us = getnameinfo((const struct sockaddr *)&a->sa, a->len, address,
		    sizeof(address), NULL, 0, NI_NUMERICHOST) == 0 && bootstrap_loopback(address);
	}
	return us;
}

/* Reads text until end of file, or for `ns' at most. */
static void
read_text(int fd, char *text, size_t size, uint64_t ns)
{
	uint64_t until = clock_now_ns() + ns;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t have = 0;
	ssize_t n = 1;

	while (n != 0 && have < size - 1 && clock_now_ns() < until) {
		if (poll(&p, 1, ms_left(until)) != 1)
			continue;
		n = read(fd, text + have, size - 1 - have);
		have += n > 0 ? (size_t)n : 0;
		if (n == -1 && errno != EAGAIN && errno != EINTR)
			break;
	}
	text[have] = '\0';
}

/* The value of a setting in the output of ssh -G; false: it is not there. */
static bool
config_value(const char *text, const char *name, char value[OPTIONS_TEXT_SIZE])
{
	size_t n = strlen(name);
	const char *line = text;

	while (line != NULL && (strncmp(line, name, n) != 0 || line[n] != ' ')) {
		line = strchr(line, '\n');
		line += line != NULL;
	}
	if (line == NULL)
		return false;
	snprintf(value, OPTIONS_TEXT_SIZE, "%.*s", (int)strcspn(line + n + 1, "\n"),
	    line + n + 1);
	return true;
}

/*
 * Whether ssh, given this host, connects to this machine and not through another: by
 * its configuration, if this ssh can print it.
 */
static bool
goes_to_us(const struct ssh *s, const struct options *o, const char *host)
{
	char line[OPTIONS_FILE_SIZE + 64], *argv[] = {
		"sh", "-c", line, "ssh", "-G", (char *)(uintptr_t)o->ssh_host, NULL
	};
	char text[CONFIG], value[OPTIONS_TEXT_SIZE];
	int from[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = -1;

	text[0] = '\0';
	snprintf(line, sizeof(line), "exec %s \"$@\"", o->ssh);
	if (null != -1 && child_pipe(from) == 0) {
		pid = child_start(argv, null, from[1], null, true);
		close(from[1]);
		if (pid != -1 && net_own(from[0]) == 0)
			read_text(from[0], text, sizeof(text), CONFIG_NS);
		close(from[0]);
	}
	if (pid != -1)
		reap(pid, 0);
	if (null != -1)
		close(null);
	if (config_value(text, "proxyjump", value) ||
	    (config_value(text, "proxycommand", value) && strcmp(value, "none") != 0))
		return false;
	return means_us(s, config_value(text, "hostname", value) ? value : host);
}

/*
 * The address for direct legs: the one in the answer, or the host that the user named;
 * NULL: none.  An address that is valid only on the remote side's link is of no use
 * here; nor is a loopback address, unless the remote side is this machine.
 */
static const char *
direct_address(const struct ssh *s, const struct options *o, const char *address)
{
	const char *at = strrchr(o->ssh_host, '@');
	const char *host = at != NULL ? at + 1 : o->ssh_host;
	bool us = bootstrap_loopback(address) && goes_to_us(s, o, host);

	if (strcmp(address, "-") != 0 && strchr(address, '%') == NULL &&
	    (us || !bootstrap_loopback(address)))
		return address;
	return us || !means_us(s, host) || goes_to_us(s, o, host) ? host : NULL;
}

/* Direct paths first, in the order given; then that of HOST; the tunnel; the line. */
static void
complete_paths(const struct ssh *s, struct options *o, const char *port, const char *address)
{
	struct options_path *p;
	unsigned i;

	address = o->tunnel ? NULL : direct_address(s, o, address);
	if (address != NULL) {
		p = &o->paths[o->npaths++];
		snprintf(p->host, sizeof(p->host), "%s", address);
	}
	p = &o->paths[o->npaths];
	snprintf(p->host, sizeof(p->host), "%s", o->ssh_host);
	p->tunnel = true;
	o->reserve = o->npaths > 0;
	o->npaths += !o->reserve;
	/* Its number is in the HELLO that went with the orders. */
	p = &o->paths[o->line];
	snprintf(p->host, sizeof(p->host), "%s", o->ssh_host);
	for (i = 0; i <= o->line; i++)
		snprintf(o->paths[i].port, sizeof(o->paths[i].port), "%s", port);
}

int
ssh_prepare(struct ssh *s, const struct options *options)
{
	uint8_t token[BOOTSTRAP_TOKEN / 2];

	if (entropy_fill(token, sizeof(token)) == -1 || entropy_fill(s->key, BOOTSTRAP_KEY) == -1) {
		log_line(LOG_ERROR, "cannot get random bytes: %s", strerror(errno));
		return EXIT_UNBEGUN;
	}
	bootstrap_token(token, s->token);
	s->orders = bootstrap_write(s->token, s->key, options->remote_words, options->remote_count,
	    &s->length);
	if (s->orders == NULL) {
		log_line(LOG_ERROR, "cannot write the orders: %s", strerror(errno));
		return EXIT_UNBEGUN;
	}
	if (wake_init(&s->hurry) == -1 || line_init(&s->line, false) == -1) {
		log_line(LOG_ERROR, "cannot start ssh: %s", strerror(errno));
		bootstrap_forget(s->orders, s->length);
		return EXIT_UNBEGUN;
	}
	return EXIT_DELIVERED;
}

int
ssh_begin(struct ssh *s, struct options *options)
{
	char port[BOOTSTRAP_PORT], address[BOOTSTRAP_ADDRESS];
	uint64_t began = clock_now_ns();
	uint64_t until = options->wait_ms == 0 ? UINT64_MAX : began + options->wait_ms * MS;
	int status = EXIT_UNBEGUN;
	enum talk talk;

	s->whole = options->runs;
	line_prepare(&s->line);
	catch_ending(s);
	if (start_ssh(s, options) == -1) {
		log_line(LOG_ERROR, "cannot start ssh: %s", strerror(errno));
		goto err1;
	}
	talk = converse(s, until, port, address);
	if (talk == TALK_ANSWERED) {
		complete_paths(s, options, port, address);
		options->login_ms = (clock_now_ns() - began) / MS;
		status = EXIT_DELIVERED;
	} else
		status = no_answer(s, options, talk);
err1:
	release_ending();
	bootstrap_forget(s->orders, s->length);
	return status;
}

/* The output after the answer, on both sides */

/* Writes all of it; drops it on an error, as when the reader is gone. */
static void
pass_on(const struct ssh *s, const char *text, size_t n)
{
	struct pollfd p = { .fd = s->to, .events = POLLOUT };
	ssize_t put;

	while (n > 0) {
		put = write(s->to, text, n);
		if (put == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			poll(&p, 1, -1);
		else if (put == -1 && errno != EINTR)
			return;
		text += put > 0 ? put : 0;
		n -= put > 0 ? (size_t)put : 0;
	}
}

/* The local side passes some output on.  false: end of file. */
static bool
pass_some(struct ssh *s)
{
	char text[4096];
	ssize_t n;

	n = read(s->from, text, sizeof(text));
	if (n == -1 && errno != EINTR && errno != EAGAIN)
		return false;
	if (n <= 0)
		return n != 0;
	atomic_store(&s->passing, true);
	pass_on(s, text, (size_t)n);
	atomic_store(&s->said_ns, clock_now_ns());
	atomic_store(&s->passing, false);
	return true;
}

static void *
listen_to(void *argument)
{
	struct ssh *s = argument;
	struct pollfd p = { .fd = s->from, .events = POLLIN };

	do
		poll(&p, 1, -1);
	while (pass_some(s));
	close(s->ended[1]);
	return NULL;
}

/* The local side: the line and the thread above, with a pipe between them.  An errno. */
static int
listen_through(struct ssh *s)
{
	int printed[2], error;

	if (child_pipe(s->ended) == -1 || child_pipe(printed) == -1)
		return errno;
	if (net_own(printed[0]) == -1 || net_own(printed[1]) == -1)
		return errno;
	error = line_start(&s->line, s->from, s->input, printed[1]);
	if (error != 0)
		return error;
	s->from = printed[0];
	return thread_start_detached("viamillipede-f", listen_to, s);
}

int
ssh_listen(struct ssh *s, int to)
{
	int error;

	s->to = to;
	error = listen_through(s);
	if (error != 0)
		s->to = 0;
	return error;
}

void
ssh_printed(struct ssh *s)
{
	line_output_over(&s->line);
}

bool
ssh_lives(const struct ssh *s)
{
	return s->pid != 0 && runs(s->pid);
}

void
ssh_hurry(struct ssh *s)
{
	wake_signal(&s->hurry);
}

/*
 * When to give up the rest of the output, if nothing changes until then; hurried: a
 * signal ends us.
 */
static uint64_t
rest_until(const struct ssh *s, uint64_t began, bool hurried)
{
	bool waits = atomic_load(s->pid != 0 ? &s->passing : &s->line.passing);
	uint64_t said = atomic_load(s->pid != 0 ? &s->said_ns : &s->line.moved_ns);
	uint64_t gone = ssh_gone_ns(s);

	if (hurried)
		return began + END_NS;
	/* Nobody takes it any more, even if something holds the other end of our pipe. */
	if (s->pid == 0 && gone != 0 && !atomic_load(&s->line.stays))
		return gone + REST_NS > began + SECOND ? gone + REST_NS : began + SECOND;
	if (waits)
		return clock_now_ns() + REST_NS;
	return (said > began ? said : began) + REST_NS;
}

/*
 * Waits until all output was passed on.  A slow reader may take any time.  Gives up
 * when no output arrives for a while, as when the network is down, and soon when a
 * signal ends us.  false: gave up.
 */
static bool
await_rest(struct ssh *s)
{
	struct pollfd p[2] = {
		{ .fd = s->pid != 0 ? s->ended[0] : line_over(&s->line), .events = POLLIN },
		{ .fd = wake_fd(&s->hurry), .events = POLLIN }
	};
	uint64_t began = clock_now_ns(), until;

	for (;;) {
		until = rest_until(s, began, p[1].fd == -1);
		if (clock_now_ns() >= until)
			break;
		if (poll(p, 2, ms_left(until)) == -1)
			continue;
		if (p[0].revents != 0)
			return true;
		if (p[1].fd != -1 && p[1].revents != 0) {
			p[1].fd = -1;
			began = clock_now_ns();
		}
	}
	if (p[1].fd != -1 && s->pid != 0)
		log_line(LOG_LOSS,
		    "ssh does not end; what the remote side said last may be missing");
	return false;
}

/* The local side: ssh gets what the legs said last, and the end of the line.  true: it did. */
static bool
end_line(struct ssh *s)
{
	struct pollfd p = { .fd = line_over(&s->line), .events = POLLIN };

	if (s->to == 0) {
		close(s->input);
		return false;
	}
	line_finish(&s->line);
	return poll(&p, 1, FLUSH_MS) == 1;
}

void
ssh_end(struct ssh *s)
{
	bool all = true, over = false;

	if (s->over)
		return;
	s->over = true;
	if (s->pid != 0)
		over = end_line(s);
	else if (s->answered) {
		/* Our own end of the pipe; a process that the command left may have others. */
		close(STDOUT_FILENO);
		line_finish(&s->line);
	}
	if (s->to != 0 || s->answered)
		all = await_rest(s);
	if (s->answered && s->flags != -1)
		(void)fcntl(s->output, F_SETFL, s->flags);
	/* It may be left with our last words, which it takes there without us. */
	if (s->pid != 0 && (s->whole || !(all && over && atomic_load(&s->line.quiet))))
		reap(s->pid, all && s->to != 0 ? END_NS : 0);
}

/* The remote side */

/* Reads the orders from standard input, which does not end after them: records follow. */
static int
read_bootstrap(struct ssh *s, struct bootstrap *o)
{
	const char *why = NULL;
	size_t taken = 0;
	char text[4096];
	ssize_t n = 0;

	while (o->state != BOOTSTRAP_COMPLETE && why == NULL) {
		n = read(STDIN_FILENO, text, sizeof(text));
		if (n > 0)
			why = bootstrap_take(o, text, (size_t)n, &taken);
		else if (n == 0)
			why = "the orders end too early";
		else if (errno != EINTR)
			why = strerror(errno);
	}
	if (why == NULL)
		(void)line_heard(&s->line, text + taken, (size_t)n - taken);
	sha256_wipe(text, sizeof(text));
	if (why != NULL) {
		log_line(LOG_ERROR, "%s", why);
		return -1;
	}
	memcpy(s->token, o->token, sizeof(s->token));
	memcpy(s->key, o->key, sizeof(s->key));
	sha256_wipe(o->key, sizeof(o->key));
	return 0;
}

/* The words live as long as the process, as argv does. */
static int
parse_bootstrap(const struct bootstrap *o, struct options *options)
{
	static char *argv[BOOTSTRAP_WORDS + 2];
	static char name[] = "viamillipede";
	char why[OPTIONS_WHY_SIZE];

	argv[0] = name;
	memcpy(argv + 1, o->word, o->words * sizeof(argv[0]));
	if (options_parse_orders(options, (int)o->words + 1, argv, why, sizeof(why)) == -1) {
		log_line(LOG_ERROR, "%s", why);
		return -1;
	}
	options->served = true;
	return 0;
}

/* Moves the line away from standard input, so that a source command cannot read it. */
static int
take_line(struct ssh *s)
{
	int null;

	s->input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (s->input == -1 || null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    wake_init(&s->hurry) == -1) {
		log_line(LOG_ERROR, "cannot take over standard input: %s", strerror(errno));
		return -1;
	}
	close(null);
	return 0;
}

/* Did the caller ask for this program, under whatever name? */
static bool
asked_for_us(void)
{
	const char *asked = getenv("SSH_ORIGINAL_COMMAND");
	size_t n = asked != NULL ? strlen(asked) : 0;

	return n > 6 && strcmp(asked + n - 6, " serve") == 0;
}

/* The caller asked for something else: becomes the filter, which judges that. */
static int
be_filter(char *const *filter)
{
	char *script[] = { "sh", "-c", "--", filter[0], NULL };
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(filter[1] != NULL ? filter[0] : script[0], filter[1] != NULL ? filter : script);
	log_line(LOG_ERROR, "cannot run %.200s: %s", filter[0], strerror(errno));
	return EXIT_FAILED;
}

/*
 * The words before the orders may name a filter: the command becomes the filter, and
 * what it has to judge is in SSH_ORIGINAL_COMMAND, as for any forced command.
 */
int
ssh_serve(struct ssh *s, struct options *options)
{
	static struct bootstrap bootstrap;
	char *const *filter = options->command;

	if (filter != NULL && !asked_for_us())
		return be_filter(filter);
	if (line_init(&s->line, true) == -1) {
		log_line(LOG_ERROR, "cannot take over standard input: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (read_bootstrap(s, &bootstrap) == -1 || parse_bootstrap(&bootstrap, options) == -1)
		return EXIT_USAGE;
	if (filter != NULL && options->command == NULL) {
		log_line(LOG_ERROR, "the filter allows commands only, no initiate or terminate");
		return EXIT_USAGE;
	}
	if (filter != NULL) {
		if (setenv("SSH_ORIGINAL_COMMAND", options->command[0], 1) == -1) {
			log_line(LOG_ERROR, "cannot set SSH_ORIGINAL_COMMAND: %s", strerror(errno));
			return EXIT_FAILED;
		}
		options->command = filter;
	}
	return take_line(s) == -1 ? EXIT_FAILED : EXIT_DELIVERED;
}

/*
 * Our own address for the answer: the one that we were told to listen on, or the
 * server's in SSH_CONNECTION, "client port server port", or "-".
 */
static void
own_address(const struct options *o, const char *listening, char address[BOOTSTRAP_ADDRESS])
{
	const char *text = getenv("SSH_CONNECTION"), *end = strrchr(listening, ':');
	int length = (int)(end - listening);
	bool one = o->bind[0] != '\0' && strncmp(listening, "0.0.0.0:", 8) != 0 &&
	    strncmp(listening, "[::]:", 5) != 0;

	if (one && listening[0] == '[')
		snprintf(address, BOOTSTRAP_ADDRESS, "%.*s", length - 2, listening + 1);
	else if (one)
		snprintf(address, BOOTSTRAP_ADDRESS, "%.*s", length, listening);
	else if (text == NULL || sscanf(text, "%*s %*s %63s", address) != 1)
		snprintf(address, BOOTSTRAP_ADDRESS, "-");
}

/*
 * Puts a pipe in place of standard output, whose other end is the line's: what a command
 * writes goes on to ssh, and is dropped when ssh is gone, so that its death does not
 * break the command.  The pipe's other end, or -1 with errno.
 */
static int
shield(struct ssh *s)
{
	int out[2];

	s->output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (s->output == -1 || child_pipe(out) == -1)
		return -1;
	if (net_own(out[0]) == -1 || dup2(out[1], STDOUT_FILENO) == -1)
		return -1;
	close(out[1]);
	/* Others have it too, as a shell that waits for us: ssh_end restores them. */
	s->flags = fcntl(s->output, F_GETFL);
	return s->flags == -1 || net_own(s->output) == -1 ? -1 : out[0];
}

/* Before any record, as the caller's first leg may start the command. */
int
ssh_answer(struct ssh *s, const struct options *options, const char *listening)
{
	char text[BOOTSTRAP_ANSWER], address[BOOTSTRAP_ADDRESS];
	int printed = shield(s), out = -1, error = errno;
	size_t n;

	own_address(options, listening, address);
	n = bootstrap_answer(text, s->token, strrchr(listening, ':') + 1, address);
	(void)line_say(&s->line, text, n);
	if (printed != -1) {
		/* The line closes its own; ours restores the flags. */
		out = fcntl(s->output, F_DUPFD_CLOEXEC, 3);
		error = out == -1 ? errno : line_start(&s->line, s->input, out, printed);
		s->answered = error == 0;
	}
	if (!s->answered)
		log_line(LOG_ERROR, "cannot answer: %s", strerror(error));
	return s->answered ? 0 : -1;
}
