/*
 * The world of fuzz_world.h.  What is named like a call of the system here is
 * renamed by fuzz_calls.h, as it is in the product's files; so the system's own
 * headers declare it and say how it must look.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "fuzz_world.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "crypto/entropy.h"
#include "crypto/secret.h"
#include "fuzz.h"
#include "mux.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/log.h"
#include "sys/thread.h"
#include "sys/wake.h"

#define STORE		(1u << 20)	/* bytes on their way, in all */
#define THREADS		4

struct world world;

static uint8_t store[STORE];
static struct thread {
	char name[24];
	void *(*start)(void *);
	void *argument;
} thread[THREADS];
static unsigned threads;
static struct pipe {
	bool open;
	uint8_t bytes[STORE];
	size_t at, have;
} pipes[WORLD_PIPES];
static jmp_buf *parked;		/* of the thread that runs */

void
world_reset(void)
{
	unsigned n = world.conns;

	memset(world.conn, 0, n * sizeof(world.conn[0]));
	world.now_ns = 1000 * 1000 * MS;
	world.held = 0;
	world.no_entropy = world.no_thread = false;
	world.random = 1;
	world.conns = 0;
	world.used = 0;
	world.pipe = true;
	world.output_open = true;
	world.gone = false;
	world.output_error = 0;
	world.output_room = SIZE_MAX;
	world.output_piece = SIZE_MAX;
	world.untaken = 0;
	world.writing = false;
	world.source_at = world.source_have = 0;
	world.source_end = false;
	world.source_error = 0;
	world.wait = NULL;
	world.sent = NULL;
	world.written = NULL;
	world.read = NULL;
	world.accept = NULL;
	world.dial = NULL;
	threads = 0;
	for (n = 0; n < WORLD_PIPES; n++)
		pipes[n].open = false;
}

/* Keys: unit_secret tries their memory, which takes the kernel longer than all the rest here. */

void *
secret_new(size_t n)
{
	return calloc(1, n);
}

void
secret_free(void *p, size_t n)
{
	(void)n;
	free(p);
}

/* Connections */

int
world_connect(size_t size)
{
	struct world_conn *c = &world.conn[world.conns];

	if (world.conns == WORLD_CONNS || world.used + size > STORE)
		return -1;
	memset(c, 0, sizeof(*c));
	c->open = true;
	c->room = SIZE_MAX;
	c->in = store + world.used;
	c->size = size;
	world.used += size;
	return WORLD_FIRST + (int)world.conns++;
}

struct world_conn *
world_at(int fd)
{
	MUST(fd >= WORLD_FIRST && fd < WORLD_FIRST + (int)world.conns);
	return &world.conn[fd - WORLD_FIRST];
}

bool
world_push(int fd, const uint8_t *bytes, size_t n)
{
	struct world_conn *c = world_at(fd);

	if (!c->open || c->end || n > c->size - (c->have - c->at))
		return false;
	if (n > c->size - c->have) {
		memmove(c->in, c->in + c->at, c->have - c->at);
		c->have -= c->at;
		c->at = 0;
	}
	memcpy(c->in + c->have, bytes, n);
	c->have += n;
	return true;
}

static size_t
waiting(const struct world_conn *c)
{
	size_t n = c->have - c->at;

	return n > c->hold ? n - c->hold : 0;
}

static bool
readable(const struct world_conn *c)
{
	return c->error != 0 || waiting(c) > 0 || (c->end && c->have - c->at == 0);
}

/* The bytes that a call of at most n gets, or 0 or -1 with errno as read(2). */
static ssize_t
come(struct world_conn *c, size_t n, const uint8_t **from)
{
	size_t most = waiting(c);

	MUST(c->open && world.held == 0);
	if (c->error != 0) {
		errno = c->error;
		return -1;
	}
	if (c->piece != 0 && most > c->piece)
		most = c->piece;
	if (n > most)
		n = most;
	if (n == 0 && !readable(c)) {
		errno = EAGAIN;
		return -1;
	}
	*from = c->in + c->at;
	c->at += n;
	return (ssize_t)n;
}

static size_t
sum(const struct iovec *iov, size_t count)
{
	size_t n = 0;

	while (count-- > 0)
		n += iov++->iov_len;
	return n;
}

ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
	const struct iovec *iov = msg->msg_iov;
	const uint8_t *from = NULL;
	ssize_t got = come(world_at(fd), sum(iov, (size_t)msg->msg_iovlen), &from);
	size_t left, n;

	(void)flags;
	for (left = got > 0 ? (size_t)got : 0; left > 0; left -= n, iov++) {
		n = iov->iov_len < left ? iov->iov_len : left;
		memcpy(iov->iov_base, from, n);
		from += n;
	}
	return got;
}

ssize_t
recv(int fd, void *to, size_t n, int flags)
{
	const uint8_t *from = NULL;
	ssize_t got = come(world_at(fd), n, &from);

	(void)flags;
	if (got > 0)
		memcpy(to, from, (size_t)got);
	return got;
}

/* How many of n bytes can be sent, or -1 with errno. */
static ssize_t
go(struct world_conn *c, size_t n)
{
	MUST(c->open && !c->shut && world.held == 0);
	if (c->error != 0) {
		errno = c->error;
		return -1;
	}
	if (c->room == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (n > c->room)
		n = c->room;
	if (c->room != SIZE_MAX)
		c->room -= n;
	return (ssize_t)n;
}

static void
gone(int fd, const uint8_t *bytes, size_t n)
{
	struct world_conn *c = world_at(fd);
	size_t at = (size_t)c->sent, first = 0;

	if (c->sent < sizeof(c->said)) {
		first = sizeof(c->said) - at < n ? sizeof(c->said) - at : n;
		memcpy(c->said + at, bytes, first);
	}
	c->sent += n;
	if (world.sent != NULL)
		world.sent(fd, bytes, n);
}

ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	const struct iovec *iov = msg->msg_iov;
	ssize_t went = go(world_at(fd), sum(iov, (size_t)msg->msg_iovlen));
	size_t left, n;

	(void)flags;
	for (left = went > 0 ? (size_t)went : 0; left > 0; left -= n, iov++) {
		n = iov->iov_len < left ? iov->iov_len : left;
		gone(fd, iov->iov_base, n);
	}
	return went;
}

ssize_t
send(int fd, const void *bytes, size_t n, int flags)
{
	ssize_t went = go(world_at(fd), n);

	(void)flags;
	if (went > 0)
		gone(fd, bytes, (size_t)went);
	return went;
}

int
shutdown(int fd, int how)
{
	(void)how;
	MUST(world_at(fd)->open);
	world_at(fd)->shut = true;
	return 0;
}

/* Pipes */

static bool
is_pipe(int fd)
{
	return fd >= WORLD_PIPE && fd < WORLD_PIPE + 2 * WORLD_PIPES;
}

/* end 0 is where it is read, 1 where it is written. */
static struct pipe *
pipe_at(int fd, int end)
{
	struct pipe *p = &pipes[(fd - WORLD_PIPE) / 2];

	MUST(is_pipe(fd) && (fd - WORLD_PIPE) % 2 == end && p->open);
	return p;
}

int
pipe(int fd[2])
{
	int i;

	for (i = 0; i < WORLD_PIPES && pipes[i].open; i++)
		;
	MUST(i < WORLD_PIPES);
	pipes[i].open = true;
	pipes[i].at = pipes[i].have = 0;
	fd[0] = WORLD_PIPE + 2 * i;
	fd[1] = fd[0] + 1;
	return 0;
}

/* How many of n bytes it takes; pieces that are small let it take few. */
static size_t
pipe_room(const struct pipe *p, size_t n)
{
	size_t most = world.output_piece < STORE / 64 ? world.output_piece * 64 : STORE;
	size_t here = p->have - p->at;

	if (here >= most)
		return 0;
	return n < most - here ? n : most - here;
}

static void
pipe_put(struct pipe *p, const uint8_t *bytes, size_t n)
{
	if (n > STORE - p->have) {
		memmove(p->bytes, p->bytes + p->at, p->have - p->at);
		p->have -= p->at;
		p->at = 0;
	}
	memcpy(p->bytes + p->have, bytes, n);
	p->have += n;
}

#ifdef SPLICE_F_MOVE
ssize_t
tee(int from, int to, size_t n, unsigned flags)
{
	const struct pipe *p = pipe_at(from, 0);
	struct pipe *q = pipe_at(to, 1);

	(void)flags;
	if (n > p->have - p->at)
		n = p->have - p->at;
	n = pipe_room(q, n);
	if (n == 0) {
		errno = EAGAIN;
		return -1;
	}
	pipe_put(q, p->bytes + p->at, n);
	return (ssize_t)n;
}
#endif

int
close(int fd)
{
	if (is_pipe(fd)) {
		if ((fd - WORLD_PIPE) % 2 == 1)
			pipe_at(fd, 1)->open = false;
		return 0;
	}
	if (fd == WORLD_OUTPUT) {
		MUST(world.output_open);
		world.output_open = false;
		return 0;
	}
	MUST(world_at(fd)->open);
	world_at(fd)->open = false;
	return 0;
}

/* Standard output */

/* How many of n bytes can be written, or -1 with errno. */
static ssize_t
write_max(size_t n)
{
	MUST(world.output_open && world.held == 0);
	if (world.gone || world.output_error != 0) {
		errno = world.gone ? EPIPE : world.output_error;
		return -1;
	}
	if (world.output_room == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (n > world.output_room)
		n = world.output_room;
	if (n > world.output_piece)
		n = world.output_piece;
	return (ssize_t)n;
}

static void
write_out(const uint8_t *bytes, size_t n)
{
	if (world.output_room != SIZE_MAX)
		world.output_room -= n;
	world.untaken += (int)n;
	if (world.written != NULL)
		world.written(bytes, n);
}

/* A write that blocks: other things happen meanwhile. */
ssize_t
writev(int fd, const struct iovec *iov, int count)
{
	ssize_t most;
	size_t left, n;

	MUST(fd == WORLD_OUTPUT && count > 0);
	world.writing = true;
	while (world.output_room == 0 && !world.gone && world.output_error == 0 &&
	    world.wait != NULL && world.wait(-1))
		;
	if (world.output_room == 0)
		world.output_room = SIZE_MAX;
	most = write_max(sum(iov, (size_t)count));
	for (left = most > 0 ? (size_t)most : 0; left > 0; left -= n, iov++) {
		n = iov->iov_len < left ? iov->iov_len : left;
		write_out(iov->iov_base, n);
	}
	world.writing = false;
	return most;
}

#ifdef SPLICE_F_MOVE
static ssize_t
splice_in(int from, int to, size_t n)
{
	const uint8_t *bytes = NULL;
	ssize_t got = come(world_at(from), n, &bytes);

	if (got > 0)
		pipe_put(pipe_at(to, 1), bytes, (size_t)got);
	return got;
}

static ssize_t
splice_out(int from, size_t n)
{
	struct pipe *p = pipe_at(from, 0);
	ssize_t most = write_max(n < p->have - p->at ? n : p->have - p->at);

	if (most > 0) {
		write_out(p->bytes + p->at, (size_t)most);
		p->at += (size_t)most;
	}
	return most;
}

ssize_t
splice(int from, loff_t *from_at, int to, loff_t *to_at, size_t n, unsigned flags)
{
	const uint8_t *bytes = NULL;
	ssize_t most, got;

	(void)flags;
	MUST(from_at == NULL && to_at == NULL && n > 0);
	if (is_pipe(to))
		return splice_in(from, to, n);
	MUST(to == WORLD_OUTPUT);
	if (is_pipe(from))
		return splice_out(from, n);
	if (!world.pipe) {
		errno = EINVAL;
		return -1;
	}
	/* As the kernel does it: a full pipe is seen before the socket is. */
	most = write_max(n);
	if (most == -1)
		return -1;
	got = come(world_at(from), (size_t)most, &bytes);
	if (got > 0)
		write_out(bytes, (size_t)got);
	return got;
}
#endif

/* Systems differ about the second argument. */
#if defined(__linux__) && !defined(__GLIBC__)
int
ioctl(int fd, int request, ...)
#else
int
ioctl(int fd, unsigned long request, ...)
#endif
{
	va_list ap;

	(void)request;
	MUST(fd == WORLD_OUTPUT && world.output_open);
	va_start(ap, request);
	*va_arg(ap, int *) = world.untaken;
	va_end(ap);
	return 0;
}

int
fstat(int fd, struct stat *st)
{
	(void)fd;
	memset(st, 0, sizeof(*st));
	st->st_mode = world.pipe ? S_IFIFO : S_IFREG;
	return 0;
}

int
fcntl(int fd, int command, ...)
{
	int size = 0;
#ifdef F_SETPIPE_SZ
	va_list ap;

	va_start(ap, command);
	if (command == F_SETPIPE_SZ)
		size = va_arg(ap, int);
	va_end(ap);
#endif
	(void)fd;
	(void)command;
	return size;
}

/* Standard input, and pipes */

static ssize_t
read_pipe(struct pipe *p, void *to, size_t n)
{
	if (n > p->have - p->at)
		n = p->have - p->at;
	MUST(n > 0);
	memcpy(to, p->bytes + p->at, n);
	p->at += n;
	return (ssize_t)n;
}

static ssize_t
read_source(int fd, void *to, size_t n)
{
	uint64_t left = world.source_have - world.source_at;

	MUST(fd == WORLD_SOURCE && world.held == 0);
	if (left == 0 && world.source_error != 0) {
		errno = world.source_error;
		return -1;
	}
	if (left == 0 && !world.source_end) {
		errno = EAGAIN;
		return -1;
	}
	if (n > left)
		n = (size_t)left;
	if (n > 0)
		world.read(to, world.source_at, n);
	world.source_at += n;
	return (ssize_t)n;
}

ssize_t
read(int fd, void *to, size_t n)
{
	if (is_pipe(fd))
		return read_pipe(pipe_at(fd, 0), to, n);
	return read_source(fd, to, n);
}

/* Waiting */

static short
events_of(int fd, short wanted)
{
	const struct world_conn *c;
	short got = 0;

	if (fd < 0 || fd < WORLD_OUTPUT)
		return 0;
	if (fd == WORLD_OUTPUT) {
		MUST(world.output_open);
		got = world.gone ? POLLERR : 0;
		return (short)(got | (world.output_room > 0 ? wanted & POLLOUT : 0));
	}
	if (fd == WORLD_SOURCE)
		return world.source_at < world.source_have || world.source_end ||
		    world.source_error != 0 ? wanted & POLLIN : 0;
	c = world_at(fd);
	MUST(c->open);
	if (readable(c))
		got |= wanted & POLLIN;
	if (c->room > 0)
		got |= wanted & POLLOUT;
	if (c->error != 0)
		got |= POLLERR | POLLHUP;
	return got;
}

static int
look(struct pollfd *p, nfds_t n)
{
	int ready = 0;

	for (; n > 0; n--, p++) {
		p->revents = events_of(p->fd, p->events);
		ready += p->revents != 0;
	}
	return ready;
}

static void
pass(int ms)
{
	world.now_ns += (unsigned)ms * MS;
}

int
poll(struct pollfd *p, nfds_t n, int ms)
{
	int ready = look(p, n);

	MUST(world.held == 0);
	/* Who looks again and again gets on. */
	world.now_ns += 20000;
	if (ready > 0 || ms == 0)
		return ready;
	if (ms == -1 && parked != NULL)
		longjmp(*parked, 1);
	if (world.wait == NULL || !world.wait(ms)) {
		MUST(ms != -1);
		pass(ms);
	}
	return look(p, n);
}

int
nanosleep(const struct timespec *how_long, struct timespec *left)
{
	(void)left;
	MUST(world.held == 0);
	if (world.wait == NULL || !world.wait((int)(how_long->tv_nsec / 1000000) + 1)) {
		world.now_ns += (uint64_t)how_long->tv_nsec;
		/* Nothing else will happen: the reader takes what there is. */
		world.untaken = 0;
	}
	return 0;
}

/* clock.c, thread.c and lock.c: the lock's first byte says whether it is held */

uint64_t
clock_now_ns(void)
{
	return world.now_ns;
}

static bool
lock_flip(struct lock *l)
{
	uint8_t *held = (uint8_t *)l;

	*held ^= 1;
	return *held != 0;
}

void
lock_init(struct lock *l)
{
	memset(l, 0, sizeof(*l));
}

void
lock_free(struct lock *l)
{
	MUST(lock_flip(l));
}

void
lock_acquire(struct lock *l)
{
	MUST(lock_flip(l));
	world.held++;
}

void
lock_release(struct lock *l)
{
	MUST(!lock_flip(l));
	world.held--;
}

void
lock_cond_init(struct lock_cond *c)
{
	memset(c, 0, sizeof(*c));
}

void
lock_wait(struct lock_cond *c, struct lock *l)
{
	(void)c;
	lock_release(l);
	MUST(world.held == 0 && parked != NULL);
	longjmp(*parked, 1);
}

bool
lock_wait_until(struct lock_cond *c, struct lock *l, uint64_t deadline_ns)
{
	uint64_t now = world.now_ns;

	(void)c;
	if (now >= deadline_ns)
		return false;
	lock_release(l);
	MUST(world.held == 0);
	if (world.wait == NULL || !world.wait((int)((deadline_ns - now) / MS)))
		world.now_ns = deadline_ns;
	lock_acquire(l);
	return world.now_ns < deadline_ns;
}

void
lock_wake(struct lock_cond *c)
{
	(void)c;
}

void
lock_wake_all(struct lock_cond *c)
{
	(void)c;
}

int
thread_start_detached(const char *name, void *(*start)(void *), void *argument)
{
	if (world.no_thread)
		return EAGAIN;
	if (threads == THREADS)
		return 0;
	snprintf(thread[threads].name, sizeof(thread[0].name), "%s", name);
	thread[threads].start = start;
	thread[threads++].argument = argument;
	return 0;
}

bool
world_run_function(void *(*start)(void *), void *argument)
{
	jmp_buf here, *volatile before = parked;
	volatile bool over = false;

	if (setjmp(here) == 0) {
		parked = &here;
		start(argument);
		over = true;
	}
	parked = before;
	return over;
}

void
world_run(const char *name)
{
	unsigned i;

	for (i = 0; i < threads; i++)
		if (strcmp(thread[i].name, name) == 0 &&
		    world_run_function(thread[i].start, thread[i].argument))
			thread[i].name[0] = '\0';
}

/* log.c: every line is made, and thrown away */

atomic_int log_level = LOG_LOSS;

static void
say(int level, const char *format, va_list arguments)
{
	char line[LOG_LINE_SIZE];

	if (log_wants(level))
		vsnprintf(line, sizeof(line), format, arguments);
}

void
log_line(int level, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(level, format, arguments);
	va_end(arguments);
}

void
log_limited(struct log_limit *limit, int level, const char *format, ...)
{
	va_list arguments;

	(void)limit;
	va_start(arguments, format);
	say(level, format, arguments);
	va_end(arguments);
}

void
log_settle(bool final)
{
	(void)final;
}

bool
log_silent(void)
{
	return true;
}

size_t
log_pass(const char *bytes, size_t length)
{
	(void)bytes;
	return length;
}

/* wake.c */

int
wake_init(struct wake *wake)
{
	wake->fd[0] = wake->fd[1] = 3;
	atomic_init(&wake->unseen, false);
	return 0;
}

void
wake_free(struct wake *wake)
{
	(void)wake;
}

void
wake_signal(struct wake *wake)
{
	atomic_store(&wake->unseen, true);
}

void
wake_clear(struct wake *wake)
{
	atomic_store(&wake->unseen, false);
}

/* entropy.c */

int
entropy_fill(void *to, size_t n)
{
	uint8_t *p = to;

	if (world.no_entropy) {
		errno = EIO;
		return -1;
	}
	while (n-- > 0)
		*p++ = (uint8_t)world.random++;
	return 0;
}

/* mux.c: the sessions here have one stream in each direction. */

void
mux_agree(struct mux *m, uint64_t window)
{
	(void)m;
	(void)window;
}

/* net.c */

int
net_dial(struct net_target *target, int cancel, char name[NET_NAME], char why[NET_WHY])
{
	int fd = world.dial(target);

	(void)cancel;
	snprintf(name, NET_NAME, "peer");
	if (fd == -1)
		snprintf(why, NET_WHY, "not to be reached");
	return fd;
}

int
net_accept(int listener, char name[NET_NAME])
{
	(void)listener;
	snprintf(name, NET_NAME, "caller");
	return world.accept();
}

int
net_listen(struct net_listener *l, const char *bind_to, const char *port, int backlog,
    char why[NET_WHY])
{
	(void)bind_to;
	(void)port;
	(void)backlog;
	(void)why;
	l->count = 0;
	return 0;
}

void
net_unlisten(struct net_listener *l)
{
	(void)l;
}

int
net_own(int fd)
{
	(void)fd;
	return 0;
}

int
net_close_on_exec(int fd)
{
	(void)fd;
	return 0;
}

uint64_t
net_origin(const char *name)
{
	return (uint8_t)name[0];
}

unsigned
net_descriptors(void)
{
	return 1024;
}

bool
net_lost(int error)
{
	return error == ECONNRESET || error == ETIMEDOUT || error == ECONNABORTED;
}

bool
net_readable(int fd)
{
	MUST(world_at(fd)->open);
	return readable(world_at(fd));
}

void
net_abort(int fd)
{
	MUST(world_at(fd)->open);
}

void
net_timeout(int fd, unsigned ms)
{
	(void)ms;
	MUST(world_at(fd)->open);
}

bool
net_unsent(int fd, unsigned bytes)
{
	(void)bytes;
	MUST(world_at(fd)->open);
	return true;
}

bool
net_sent(int fd)
{
	MUST(world_at(fd)->open);
	return true;
}

void
net_info(int fd, struct net_info *info)
{
	MUST(world_at(fd)->open);
	memset(info, 0, sizeof(*info));
}

int
net_congestion(int fd, const char *name)
{
	(void)name;
	MUST(world_at(fd)->open);
	return 0;
}

bool
net_congestion_of(int fd, char name[NET_CONGESTION])
{
	MUST(world_at(fd)->open);
	memcpy(name, "cubic", sizeof("cubic"));
	return true;
}

bool
net_congestion_usual(const char *other, char name[NET_CONGESTION])
{
	(void)other;
	memcpy(name, "cubic", sizeof("cubic"));
	return true;
}
