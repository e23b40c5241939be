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
#include "spawn.h"

#define ORDERS_MOST	(1u << 20)	/* octets */
#define WORDS_MOST	256
#define NOISE_MOST	(1u << 20)	/* octets before the answer */
#define LINE		1024
#define END_NS		2000000000ULL	/* what the far side still says */

static const char orders_head[] = "viamillipede orders 1 ";
static const char answer_head[] = "viamillipede answer 1 ";

/* Hexadecimal */

static void
to_hex(const uint8_t *octets, size_t n, char *text)
{
	size_t i;

	for (i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", octets[i]);
}

static bool
from_hex(const char *text, uint8_t *octets, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const char *high, *low;
	size_t i;

	for (i = 0; i < n; i++) {
		if (text[2 * i] == '\0' || text[2 * i + 1] == '\0')
			return false;
		high = strchr(digits, text[2 * i]);
		low = strchr(digits, text[2 * i + 1]);
		if (high == NULL || low == NULL)
			return false;
		octets[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return true;
}

/* Orders */

struct orders {
	char *text;
	size_t length;
	size_t size;
};

static int
orders_add(struct orders *o, const char *text, size_t n)
{
	char *more;
	size_t size = o->size != 0 ? o->size : 4096;

	while (o->length + n > size)
		size *= 2;
	if (size > o->size) {
		more = realloc(o->text, size);
		if (more == NULL)
			return -1;
		o->text = more;
		o->size = size;
	}
	memcpy(o->text + o->length, text, n);
	o->length += n;
	return 0;
}

static int
orders_write(struct orders *o, const struct ssh *s, const struct options *options)
{
	char key[2 * SSH_KEY + 1], line[256];
	size_t i, n;
	int good = 0;

	to_hex(s->key, SSH_KEY, key);
	snprintf(line, sizeof(line), "%s%s %s %zu\n", orders_head, s->token, key, options->nfar);
	sha256_wipe(key, sizeof(key));
	good |= orders_add(o, line, strlen(line));
	sha256_wipe(line, sizeof(line));
	for (i = 0; i < options->nfar && good == 0; i++) {
		n = strlen(options->far[i]);
		snprintf(line, sizeof(line), "%zu\n", n);
		good |= orders_add(o, line, strlen(line));
		good |= orders_add(o, options->far[i], n);
		good |= orders_add(o, "\n", 1);
	}
	return good;
}

static void
orders_free(struct orders *o)
{
	if (o->text != NULL)
		sha256_wipe(o->text, o->size);
	free(o->text);
}

/* The near side */

/* For the shell of the far side: nothing in it means anything. */
static int
quote(const char *text, char *to, size_t size)
{
	size_t n = 0;

	if (strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	    "_./-+@%,") == strlen(text))
		return snprintf(to, size, "%s", text) < (int)size ? 0 : -1;
	if (size < 3)
		return -1;
	to[n++] = '\'';
	for (; *text != '\0'; text++) {
		if (n + 6 > size)
			return -1;
		if (*text == '\'') {
			memcpy(to + n, "'\\''", 4);
			n += 4;
		} else
			to[n++] = *text;
	}
	to[n++] = '\'';
	to[n] = '\0';
	return 0;
}

static int
start_ssh(struct ssh *s, const struct options *o, int to[2], int from[2])
{
	char line[LINE], far[LINE], binary[LINE - 16];
	char *argv[] = {
		"sh", "-c", line, "ssh", "-T", (char *)(uintptr_t)o->ssh_host, far, NULL
	};

	if (quote(o->remote, binary, sizeof(binary)) == -1) {
		errno = E2BIG;
		return -1;
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
	s->pid = spawn(argv, to[0], from[1], STDERR_FILENO, false);
	if (s->pid == -1)
		goto err2;
	close(to[0]);
	close(from[1]);
	return 0;
err2:
	close(from[0]);
	close(from[1]);
err1:
	close(to[0]);
	close(to[1]);
err0:
	s->pid = 0;
	return -1;
}

/* As much as the pipe takes; false: ssh takes no more. */
static bool
give(int to, struct orders *o, size_t *given)
{
	ssize_t n = write(to, o->text + *given, o->length - *given);

	if (n > 0)
		*given += (size_t)n;
	return n >= 0 || errno == EAGAIN || errno == EINTR;
}

/* One line, if there is a whole one or it is too long for an answer. */
static bool
cut_line(char *text, size_t *have, char line[LINE])
{
	char *end = memchr(text, '\n', *have);
	size_t n = end != NULL ? (size_t)(end - text) : *have;

	if (end == NULL && *have < LINE - 1)
		return false;
	memcpy(line, text, n);
	line[n] = '\0';
	if (n > 0 && line[n - 1] == '\r')
		line[n - 1] = '\0';
	n += end != NULL;
	*have -= n;
	memmove(text, text + n, *have);
	return true;
}

/* Noise may stand before the answer on its line, too: a prompt, say. */
static bool
is_answer(const struct ssh *s, const char *line, char port[8], char address[64])
{
	const char *at = strstr(line, answer_head);
	char token[SSH_TOKEN + 2];

	return at != NULL &&
	    sscanf(at + sizeof(answer_head) - 1, "%33s %7s %63s", token, port, address) == 3 &&
	    strcmp(token, s->token) == 0 && strspn(port, "0123456789") == strlen(port);
}

/* false: it ended, or said too much, without an answer. */
static bool
converse(struct ssh *s, int to, struct orders *o, char port[8], char address[64])
{
	struct pollfd p[2] = {
		{ .fd = s->from, .events = POLLIN }, { .fd = to, .events = POLLOUT }
	};
	char text[LINE], line[LINE];
	size_t have = 0, noise = 0, given = 0;
	ssize_t n;

	while (noise < NOISE_MOST) {
		if (given == o->length)
			p[1].fd = -1;
		if (poll(p, 2, -1) == -1 && errno != EINTR)
			return false;
		if (p[1].fd != -1 && p[1].revents != 0 && !give(to, o, &given))
			p[1].fd = -1;
		if (p[0].revents == 0)
			continue;
		n = read(s->from, text + have, sizeof(text) - 1 - have);
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
			return false;
		have += n > 0 ? (size_t)n : 0;
		noise += n > 0 ? (size_t)n : 0;
		while (cut_line(text, &have, line)) {
			if (is_answer(s, line, port, address))
				return true;
			log_line(LOG_RUN, "before its answer the far side says: %s", line);
		}
	}
	return false;
}

/* It says no more, so it ends; unless it is something else than ssh. */
static void
let_end(pid_t pid)
{
	struct timespec ts = { .tv_nsec = 20000000 };
	uint64_t until = clock_now_ns() + END_NS;
	const struct ssh s = { .pid = pid };

	while (ssh_lives(&s) && clock_now_ns() < until)
		nanosleep(&ts, NULL);
	kill(pid, SIGTERM);
}

/* Why there is no answer, by how ssh ended. */
static int
no_answer(struct ssh *s, const struct options *o)
{
	int status = 0, tty;
	bool ended;

	close(s->from);
	let_end(s->pid);
	while ((ended = waitpid(s->pid, &status, 0) != -1) == false && errno == EINTR)
		;
	s->pid = 0;
	if (!ended || !WIFEXITED(status)) {
		log_line(LOG_ERROR, "ssh to %s was ended", o->ssh_host);
		return EXIT_UNREACHED;
	}
	status = WEXITSTATUS(status);
	if (status == 127)
		log_line(LOG_ERROR, "%s has no %s: install it there, or say where it is with "
		    "remote", o->ssh_host, o->remote);
	else if (status == 126)
		log_line(LOG_ERROR, "%s cannot run %s: say where it is with remote",
		    o->ssh_host, o->remote);
	else if (status == EXIT_USAGE)
		log_line(LOG_ERROR, "%s on %s is another version, or does not know a word that "
		    "it was given", o->remote, o->ssh_host);
	else if (status == 255) {
		tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
		log_line(LOG_ERROR, tty == -1 ? "ssh cannot log in to %s; without a terminal it "
		    "cannot ask: use a key or an agent" : "ssh cannot log in to %s", o->ssh_host);
		if (tty != -1)
			close(tty);
		return EXIT_UNREACHED;
	} else
		log_line(LOG_ERROR, "%s on %s gave no answer and ended with status %d", o->remote,
		    o->ssh_host, status);
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
		snprintf(o->paths[i].port, sizeof(o->paths[i].port), "%.5s", port);
	o->reserve = o->npaths > 0;
	o->npaths += !o->reserve;
}

int
ssh_begin(struct ssh *s, struct options *options)
{
	struct orders orders = { 0 };
	char port[8], address[64];
	uint8_t token[SSH_TOKEN / 2];
	int to[2], from[2], status = EXIT_FAILED;
	bool answered;

	if (entropy_fill(token, sizeof(token)) == -1 || entropy_fill(s->key, SSH_KEY) == -1) {
		log_line(LOG_ERROR, "cannot get random octets: %s", strerror(errno));
		return EXIT_FAILED;
	}
	to_hex(token, sizeof(token), s->token);
	if (orders_write(&orders, s, options) == -1) {
		log_line(LOG_ERROR, "cannot write the orders: %s", strerror(errno));
		goto out;
	}
	if (start_ssh(s, options, to, from) == -1) {
		log_line(LOG_ERROR, "cannot start ssh: %s", strerror(errno));
		goto out;
	}
	s->from = from[0];
	answered = converse(s, to[1], &orders, port, address);
	close(to[1]);
	if (answered) {
		complete_paths(options, port, address);
		status = EXIT_DELIVERED;
	} else
		status = no_answer(s, options);
out:
	orders_free(&orders);
	return status;
}

/* As it comes, to the same place as if the far side were here. */
static void
pass_on(int to, const char *text, size_t n)
{
	ssize_t put;

	while (n > 0) {
		put = write(to, text, n);
		if (put == -1 && errno != EINTR)
			return;
		text += put > 0 ? put : 0;
		n -= put > 0 ? (size_t)put : 0;
	}
}

static void *
listen_to(void *argument)
{
	struct ssh *s = argument;
	struct pollfd p = { .fd = s->from, .events = POLLIN };
	char text[4096];
	ssize_t n;

	for (;;) {
		poll(&p, 1, -1);
		n = read(s->from, text, sizeof(text));
		if (n > 0)
			pass_on(s->to, text, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	close(s->ended[1]);
	return NULL;
}

int
ssh_listen(struct ssh *s, int to)
{
	pthread_t thread;
	int error;

	/* Something to pass on, and a place for it. */
	s->to = to;
	if (pipe(s->ended) == -1)
		return errno;
	if (net_close_on_exec(s->ended[0]) == -1 || net_close_on_exec(s->ended[1]) == -1)
		return errno;
	error = thread_start(&thread, "viamillipede-f", listen_to, s);
	if (error == 0)
		thread_detach(thread);
	return error;
}

bool
ssh_lives(const struct ssh *s)
{
	siginfo_t info = { .si_pid = 0 };

	return s->pid != 0 &&
	    waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid == 0;
}

void
ssh_end(struct ssh *s)
{
	struct pollfd p = { .fd = s->ended[0], .events = POLLIN };
	uint64_t until = clock_now_ns() + END_NS, now;

	if (s->to == 0)
		return;
	/* On the far side it is we who said all of it. */
	if (s->pid == 0)
		close(STDOUT_FILENO);
	while ((now = clock_now_ns()) < until &&
	    poll(&p, 1, (int)((until - now) / 1000000 + 1)) == -1 && errno == EINTR)
		;
	if (s->pid == 0)
		return;
	if (p.revents == 0)
		kill(s->pid, SIGTERM);
	while (waitpid(s->pid, NULL, 0) == -1 && errno == EINTR)
		;
	s->pid = 0;
}

/* The far side */

/* Orders come from ssh and end when they are complete, not with the input. */
static int
read_all(char *to, size_t n)
{
	ssize_t got;

	while (n > 0) {
		got = read(STDIN_FILENO, to, n);
		if (got == 0 || (got == -1 && errno != EINTR))
			return -1;
		to += got > 0 ? got : 0;
		n -= got > 0 ? (size_t)got : 0;
	}
	return 0;
}

static int
read_line(char *line, size_t size)
{
	size_t n;

	for (n = 0; n + 1 < size; n++) {
		if (read_all(line + n, 1) == -1)
			return -1;
		if (line[n] == '\n') {
			line[n] = '\0';
			return 0;
		}
	}
	return -1;
}

static int
read_number(const char *text, size_t most, size_t *value)
{
	*value = 0;
	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		*value = *value * 10 + (size_t)(*text - '0');
		if (*value > most)
			return -1;
	}
	return 0;
}

static int
read_head(struct ssh *s, size_t *words)
{
	char line[256], key[2 * SSH_KEY + 2], token[SSH_TOKEN + 2], count[8];
	int result = -1;

	if (read_line(line, sizeof(line)) == 0 &&
	    strncmp(line, orders_head, sizeof(orders_head) - 1) == 0 &&
	    sscanf(line + sizeof(orders_head) - 1, "%33s %65s %7s", token, key, count) == 3 &&
	    strlen(token) == SSH_TOKEN && strlen(key) == 2 * SSH_KEY &&
	    from_hex(key, s->key, SSH_KEY) && read_number(count, WORDS_MOST, words) == 0) {
		memcpy(s->token, token, sizeof(s->token));
		result = 0;
	}
	sha256_wipe(line, sizeof(line));
	sha256_wipe(key, sizeof(key));
	return result;
}

/* A word of the command line; it lives as long as the process, as argv does. */
static char *
read_word(size_t *sum)
{
	char line[16], *word, newline;
	size_t n;

	if (read_line(line, sizeof(line)) == -1 || read_number(line, ORDERS_MOST, &n) == -1 ||
	    (*sum += n) > ORDERS_MOST)
		return NULL;
	word = malloc(n + 1);
	if (word == NULL)
		return NULL;
	word[n] = '\0';
	if (read_all(word, n) == -1 || read_all(&newline, 1) == -1 || newline != '\n' ||
	    strlen(word) != n) {
		free(word);
		return NULL;
	}
	return word;
}

int
ssh_serve(struct ssh *s, struct options *options)
{
	static char *argv[WORDS_MOST + 2];
	static char name[] = "viamillipede";
	char why[OPTIONS_WHY_SIZE];
	size_t words = 0, i, sum = 0;
	int null;

	if (read_head(s, &words) == -1) {
		log_line(LOG_ERROR, "what came on standard input is no order of this version");
		return EXIT_USAGE;
	}
	argv[0] = name;
	for (i = 0; i < words; i++) {
		argv[i + 1] = read_word(&sum);
		if (argv[i + 1] == NULL) {
			log_line(LOG_ERROR, "the orders end too early");
			return EXIT_USAGE;
		}
	}
	if (options_parse(options, (int)words + 1, argv, why, sizeof(why)) == -1) {
		log_line(LOG_ERROR, "%s", why);
		return EXIT_USAGE;
	}
	options->served = true;
	/* A source reads nothing that was meant for us. */
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null == -1 || dup2(null, STDIN_FILENO) == -1) {
		log_line(LOG_ERROR, "cannot open /dev/null: %s", strerror(errno));
		return EXIT_FAILED;
	}
	close(null);
	return EXIT_DELIVERED;
}

/* Where ssh came in: "client port server port". */
static void
own_address(char address[64])
{
	const char *text = getenv("SSH_CONNECTION");

	if (text == NULL || sscanf(text, "%*s %*s %63s", address) != 1)
		snprintf(address, 64, "-");
}

/*
 * What a command writes to standard output goes to ssh for as long as there is
 * one, and then nowhere: that ssh has died is no fault of the command's.  The
 * way to ssh, or -1.
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
	return error == 0 ? ssh : -1;
}

int
ssh_answer(struct ssh *s, const char *listening)
{
	char line[256], address[64];
	const char *port = strrchr(listening, ':');
	size_t n, at = 0;
	ssize_t put;
	int to = shield(s);

	own_address(address);
	snprintf(line, sizeof(line), "%s%s %s %s\n", answer_head, s->token,
	    port != NULL ? port + 1 : "0", address);
	n = strlen(line);
	while (to != -1 && at < n) {
		put = write(to, line + at, n - at);
		if (put == -1 && errno != EINTR)
			to = -1;
		at += put > 0 ? (size_t)put : 0;
	}
	if (to == -1)
		log_line(LOG_ERROR, "cannot answer: %s", strerror(errno));
	return to == -1 ? -1 : 0;
}
