/*
 * ssh: starting the other side through the system's ssh.  See ssh.h.
 */
#include "ssh.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "entropy.h"
#include "lock.h"
#include "log.h"
#include "net.h"
#include "sha256.h"
#include "child.h"

#define NOISE_MOST	(1u << 20)	/* octets before the answer */
#define LINE		1024
#define MS		1000000ULL
#define SECOND		1000000000ULL
#define END_NS		(2 * SECOND)	/* ssh ends by itself within this */
#define REST_NS		(10 * SECOND)	/* something of the rest comes within this */

/* Processes */

static bool
runs(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid == 0;
}

/* No system tells when a child ends to who waits for no more than so long. */
static void
await(pid_t pid, uint64_t ns)
{
	struct timespec ts = { .tv_nsec = (long)(5 * MS) };
	uint64_t until = clock_now_ns() + ns;

	while (runs(pid) && clock_now_ns() < until)
		nanosleep(&ts, NULL);
}

/* It has that long to end by itself.  How it ended: a status, or -1 if it is not known. */
static int
reap(pid_t pid, uint64_t ns)
{
	int status = 0;

	await(pid, ns);
	if (runs(pid)) {
		kill(pid, SIGTERM);
		/* One that is stopped should hear it, too. */
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

/* The near side */

static int
start_ssh(struct ssh *s, const struct options *o)
{
	char line[LINE], far[LINE], binary[LINE - 16];
	char *argv[] = {
		"sh", "-c", line, "ssh", "-T", (char *)(uintptr_t)o->ssh_host, far, NULL
	};
	int to[2], from[2], error;

	if (orders_quote(o->remote, binary, sizeof(binary)) == -1) {
		errno = E2BIG;
		goto err0;
	}
	snprintf(far, sizeof(far), "%s serve", binary);
	snprintf(line, sizeof(line), "exec %s \"$@\"", o->ssh);
	if (pipe(to) == -1)
		goto err0;
	if (pipe(from) == -1)
		goto err1;
	if (net_own(to[1]) == -1 || net_close_on_exec(to[0]) == -1 ||
	    net_own(from[0]) == -1 || net_close_on_exec(from[1]) == -1)
		goto err2;
	/* Who ignores this has no children to wait for. */
	signal(SIGCHLD, SIG_DFL);
	s->pid = child_start(argv, to[0], from[1], STDERR_FILENO, false);
	if (s->pid == -1)
		goto err2;
	close(to[0]);
	close(from[1]);
	s->line = to[1];
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

/* As much as the pipe takes; false: ssh takes no more. */
static bool
give(int to, const char *text, size_t length, size_t *given)
{
	ssize_t n = write(to, text + *given, length - *given);

	if (n > 0)
		*given += (size_t)n;
	return n >= 0 || errno == EAGAIN || errno == EINTR;
}

/* One line, if there is a whole one or it is too long for an answer. */
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

/* Who ends us while ssh logs in ends ssh, too. */

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

/* But for those that are ignored. */
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

/* Afterwards; and if there was one, it has its usual effect now. */
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
judge_line(const struct ssh *s, const char *line, char port[ORDERS_PORT],
    char address[ORDERS_ADDRESS])
{
	switch (orders_read_answer(line, s->token, port, address)) {
	case ANSWER_NONE:
		if (line[0] != '\0')
			log_line(LOG_RUN, "before its answer the far side says: %s", line);
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
	uint64_t now = clock_now_ns();

	if (until == UINT64_MAX)
		return -1;
	return until <= now ? 0 : until - now > 3600 * SECOND ? 3600 * 1000 :
	    (int)((until - now + MS - 1) / MS);
}

/* Give the orders and wait for the answer. */
static enum talk
converse(struct ssh *s, const char *orders, size_t length, uint64_t until,
    char port[ORDERS_PORT], char address[ORDERS_ADDRESS])
{
	struct pollfd p[3] = {
		{ .fd = s->from, .events = POLLIN }, { .fd = s->line, .events = POLLOUT },
		{ .fd = wake_fd(&s->hurry), .events = POLLIN }
	};
	char text[LINE], line[LINE];
	size_t have = 0, noise = 0, given = 0;
	enum talk talk = TALK_GOES_ON;
	ssize_t n;

	while (talk == TALK_GOES_ON) {
		if (given == length)
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
		if (p[1].fd != -1 && p[1].revents != 0 && !give(s->line, orders, length, &given))
			p[1].fd = -1;
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
		if (talk == TALK_GOES_ON && noise > NOISE_MOST)
			talk = TALK_NOISE;
	}
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

/* It ended without an answer: why, by how it did. */
static int
tell_end(const struct options *o, int status)
{
	if (status == -1 || !WIFEXITED(status)) {
		log_line(LOG_ERROR, "ssh to %s was ended", o->ssh_host);
		return EXIT_UNREACHED;
	}
	switch (WEXITSTATUS(status)) {
	case 255:
		log_line(LOG_ERROR, has_terminal() ? "ssh cannot log in to %s" :
		    "ssh cannot log in to %s; without a terminal it cannot ask: use a key or "
		    "an agent", o->ssh_host);
		return EXIT_UNREACHED;
	case 127:
		log_line(LOG_ERROR, "%s has no %s: install it there, or say where it is with "
		    "remote", o->ssh_host, o->remote);
		break;
	case 126:
		log_line(LOG_ERROR, "%s cannot run %s: say where it is with remote",
		    o->ssh_host, o->remote);
		break;
	case EXIT_USAGE:
		log_line(LOG_ERROR, "%s on %s is another version, or does not know a word that "
		    "it was given", o->remote, o->ssh_host);
		break;
	default:
		log_line(LOG_ERROR, "%s on %s gave no answer and ended with status %d", o->remote,
		    o->ssh_host, WEXITSTATUS(status));
		break;
	}
	return EXIT_FAILED;
}

/* Say why there is no answer; the exit status. */
static int
no_answer(struct ssh *s, const struct options *o, enum talk talk)
{
	int status;

	close(s->from);
	close(s->line);
	status = reap(s->pid, talk == TALK_ENDED ? END_NS : 0);
	s->pid = 0;
	switch (talk) {
	case TALK_GOES_ON:
	case TALK_ANSWERED:
	case TALK_ENDED:
		return tell_end(o, status);
	case TALK_CALLED_OFF:
		break;
	case TALK_LATE:
		log_line(LOG_ERROR, "no answer through ssh from %s within %llu s", o->ssh_host,
		    (unsigned long long)(o->wait_ms / 1000));
		return EXIT_UNREACHED;
	case TALK_NOISE:
		log_line(LOG_ERROR, "%s on %s says much, but does not answer", o->remote,
		    o->ssh_host);
		break;
	case TALK_NONSENSE:
		log_line(LOG_ERROR, "the answer of %s on %s is none", o->remote, o->ssh_host);
		break;
	case TALK_OTHER:
		log_line(LOG_ERROR, "%s on %s is another version", o->remote, o->ssh_host);
		break;
	}
	return EXIT_FAILED;
}

/* Direct ways first, in the order given; HOST's own last; then the tunnel. */
static void
complete_paths(struct options *o, const char *port, const char *address)
{
	const char *at = strrchr(o->ssh_host, '@');
	const char *host = at != NULL ? at + 1 : o->ssh_host;
	struct options_path *p;
	unsigned i;

	/* What is valid on the far side's own link only is of no use here. */
	if (strcmp(address, "-") == 0 || strchr(address, '%') != NULL)
		address = host;
	if (!o->tunnel) {
		p = &o->paths[o->npaths++];
		snprintf(p->host, sizeof(p->host), "%s", address);
	}
	p = &o->paths[o->npaths];
	snprintf(p->host, sizeof(p->host), "%s", o->ssh_host);
	p->tunnel = true;
	for (i = 0; i <= o->npaths; i++)
		snprintf(o->paths[i].port, sizeof(o->paths[i].port), "%s", port);
	o->reserve = o->npaths > 0;
	o->npaths += !o->reserve;
}

int
ssh_begin(struct ssh *s, struct options *options)
{
	char port[ORDERS_PORT], address[ORDERS_ADDRESS], *orders;
	uint64_t until = options->wait_ms == 0 ? UINT64_MAX :
	    clock_now_ns() + options->wait_ms * MS;
	uint8_t token[ORDERS_TOKEN / 2];
	int status = EXIT_FAILED;
	enum talk talk;
	size_t length;

	if (entropy_fill(token, sizeof(token)) == -1 || entropy_fill(s->key, ORDERS_KEY) == -1) {
		log_line(LOG_ERROR, "cannot get random octets: %s", strerror(errno));
		return EXIT_FAILED;
	}
	orders_token(token, s->token);
	orders = orders_write(s->token, s->key, options->far, options->nfar, &length);
	if (orders == NULL) {
		log_line(LOG_ERROR, "cannot write the orders: %s", strerror(errno));
		return EXIT_FAILED;
	}
	if (wake_init(&s->hurry) == -1) {
		log_line(LOG_ERROR, "cannot start ssh: %s", strerror(errno));
		goto err1;
	}
	catch_ending(s);
	if (start_ssh(s, options) == -1) {
		log_line(LOG_ERROR, "cannot start ssh: %s", strerror(errno));
		goto err2;
	}
	talk = converse(s, orders, length, until, port, address);
	if (talk == TALK_ANSWERED) {
		complete_paths(options, port, address);
		status = EXIT_DELIVERED;
	} else
		status = no_answer(s, options, talk);
err2:
	release_ending();
err1:
	orders_forget(orders, length);
	return status;
}

/* What is said after the answer, on both sides */

/* As it comes.  Where nobody takes it any more it is dropped. */
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

/* The far side: is there still somebody?  What is said there means nothing. */
static void
look_at_line(struct ssh *s, struct pollfd *p)
{
	char text[256];
	ssize_t n = read(p->fd, text, sizeof(text));

	if (n > 0 || (n == -1 && (errno == EAGAIN || errno == EINTR)))
		return;
	atomic_store(&s->gone_ns, clock_now_ns());
	p->fd = -1;
}

/* false: there is no more, or none for now and no more is to come. */
static bool
pass_some(struct ssh *s, bool last)
{
	char text[4096];
	ssize_t n;

	n = read(s->from, text, sizeof(text));
	if (n == -1 && errno != EINTR && (last || errno != EAGAIN))
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
	struct pollfd p[3] = {
		{ .fd = s->from, .events = POLLIN },
		{ .fd = wake_fd(&s->stop), .events = POLLIN },
		{ .fd = s->pid == 0 ? s->line : -1, .events = POLLIN }
	};
	bool more = true;

	while (more) {
		if (poll(p, 3, -1) == -1)
			continue;
		if (p[2].fd != -1 && p[2].revents != 0)
			look_at_line(s, &p[2]);
		if (p[0].revents != 0 || p[1].revents != 0)
			more = pass_some(s, p[1].revents != 0);
	}
	close(s->ended[1]);
	return NULL;
}

int
ssh_listen(struct ssh *s, int to)
{
	pthread_t thread;
	int error;

	s->to = to;
	if (wake_init(&s->stop) == -1 || pipe(s->ended) == -1 ||
	    net_close_on_exec(s->ended[0]) == -1 || net_close_on_exec(s->ended[1]) == -1) {
		error = errno;
		s->to = 0;
		return error;
	}
	error = thread_start(&thread, "viamillipede-f", listen_to, s);
	if (error == 0)
		thread_detach(thread);
	else
		s->to = 0;
	return error;
}

bool
ssh_lives(const struct ssh *s)
{
	return s->pid != 0 && runs(s->pid);
}

uint64_t
ssh_gone_ns(const struct ssh *s)
{
	return atomic_load(&s->gone_ns);
}

void
ssh_hurry(struct ssh *s)
{
	wake_signal(&s->hurry);
}

/*
 * Until all was passed on.  Who takes it slowly has all the time there is; it is
 * given up when nothing comes, as when the network went away without a word, and
 * soon when we are ended.  false: it was given up.
 */
static bool
await_rest(struct ssh *s)
{
	struct pollfd p[2] = {
		{ .fd = s->ended[0], .events = POLLIN },
		{ .fd = wake_fd(&s->hurry), .events = POLLIN }
	};
	uint64_t began = clock_now_ns(), now, until, said;

	for (;;) {
		now = clock_now_ns();
		said = atomic_load(&s->said_ns);
		if (p[1].fd == -1)
			until = began + END_NS;
		else if (atomic_load(&s->passing))
			until = now + REST_NS;
		else
			until = (said > began ? said : began) + REST_NS;
		if (now >= until)
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
		log_line(LOG_LOSS, "ssh does not end; what the far side said last may be missing");
	return false;
}

void
ssh_end(struct ssh *s)
{
	bool all = true;

	if (s->over)
		return;
	s->over = true;
	if (s->to != 0 && s->pid == 0) {
		/* It is we who said all of it, but for what the command has left behind. */
		close(STDOUT_FILENO);
		wake_signal(&s->stop);
	}
	if (s->pid != 0)
		close(s->line);
	if (s->to != 0)
		all = await_rest(s);
	if (s->pid != 0)
		reap(s->pid, all && s->to != 0 ? END_NS : 0);
}

/* The far side */

/* Orders come from ssh and end when they are complete, not with the input. */
static int
read_orders(struct ssh *s, struct orders *o)
{
	const char *why = NULL;
	char text[4096];
	ssize_t n;

	while (o->state != ORDERS_COMPLETE && why == NULL) {
		n = read(STDIN_FILENO, text, sizeof(text));
		if (n > 0)
			why = orders_take(o, text, (size_t)n);
		else if (n == 0)
			why = "the orders end too early";
		else if (errno != EINTR)
			why = strerror(errno);
	}
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
parse_orders(const struct orders *o, struct options *options)
{
	static char *argv[ORDERS_WORDS + 2];
	static char name[] = "viamillipede";
	char why[OPTIONS_WHY_SIZE];

	argv[0] = name;
	memcpy(argv + 1, o->word, o->words * sizeof(argv[0]));
	if (options_parse(options, (int)o->words + 1, argv, why, sizeof(why)) == -1) {
		log_line(LOG_ERROR, "%s", why);
		return -1;
	}
	if ((options->mode != OPTIONS_TX && options->mode != OPTIONS_RX) || options->calls) {
		log_line(LOG_ERROR, "the orders are not for a side that listens");
		return -1;
	}
	options->served = true;
	return 0;
}

/* A source reads nothing that was meant for us. */
static int
take_line(struct ssh *s)
{
	int null;

	s->line = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (s->line == -1 || null == -1 || dup2(null, STDIN_FILENO) == -1 ||
	    wake_init(&s->hurry) == -1) {
		log_line(LOG_ERROR, "cannot take standard input: %s", strerror(errno));
		return -1;
	}
	close(null);
	return 0;
}

int
ssh_serve(struct ssh *s, struct options *options)
{
	static struct orders orders;

	if (read_orders(s, &orders) == -1 || parse_orders(&orders, options) == -1)
		return EXIT_USAGE;
	return take_line(s) == -1 ? EXIT_FAILED : EXIT_DELIVERED;
}

/* Where it is to be reached: where ssh came in, "client port server port", or as it was told. */
static void
own_address(const struct options *o, const char *listening, char address[ORDERS_ADDRESS])
{
	const char *text = getenv("SSH_CONNECTION"), *end = strrchr(listening, ':');
	int length = (int)(end - listening);
	bool one = o->bind[0] != '\0' && strncmp(listening, "0.0.0.0:", 8) != 0 &&
	    strncmp(listening, "[::]:", 5) != 0;

	if (one && listening[0] == '[')
		snprintf(address, ORDERS_ADDRESS, "%.*s", length - 2, listening + 1);
	else if (one)
		snprintf(address, ORDERS_ADDRESS, "%.*s", length, listening);
	else if (text == NULL || sscanf(text, "%*s %*s %63s", address) != 1)
		snprintf(address, ORDERS_ADDRESS, "-");
}

/*
 * What a command writes to standard output goes to ssh for as long as there is
 * one, and then nowhere: that ssh has died is no fault of the command's.  0, or
 * -1 with errno.
 */
static int
shield(struct ssh *s)
{
	int out[2], ssh, error;

	ssh = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (ssh == -1 || pipe(out) == -1)
		return -1;
	if (net_own(out[0]) == -1 || dup2(out[1], STDOUT_FILENO) == -1)
		return -1;
	close(out[1]);
	s->from = out[0];
	error = ssh_listen(s, ssh);
	errno = error;
	return error == 0 ? 0 : -1;
}

int
ssh_answer(struct ssh *s, const struct options *options, const char *listening)
{
	char text[ORDERS_ANSWER], address[ORDERS_ADDRESS];
	const char *at = text;
	ssize_t put = 0;
	size_t n;

	own_address(options, listening, address);
	n = orders_answer(text, s->token, strrchr(listening, ':') + 1, address);
	/* Before a command that could be started by what it says. */
	if (shield(s) == -1)
		put = -1;
	while (n > 0 && put != -1) {
		put = write(s->to, at, n);
		if (put == -1 && errno == EINTR)
			put = 0;
		at += put > 0 ? put : 0;
		n -= put > 0 ? (size_t)put : 0;
	}
	if (n > 0)
		log_line(LOG_ERROR, "cannot answer: %s", strerror(errno));
	return n > 0 ? -1 : 0;
}
