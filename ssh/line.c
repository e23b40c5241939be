/*
 * line: what the pipes of ssh carry.  See line.h; the bytes are moved by a thread of
 * this file.
 */
#include "ssh/line.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/child.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/net.h"
#include "sys/thread.h"

#define SMALL	1024		/* room for an answer, and for records without bytes */
#define BUFFER	(SMALL + 2 * (LINE_HEADER + LINE_MAX))
#define NOT_KNOWN	(-2)		/* before line_start: records are made, not written */
#define REPORT	(LINE_OUTPUT / 8)	/* output passed on that is worth a TAKEN */

/* Queues */

static size_t
waiting(const struct line_queue *q)
{
	return q->end - q->begin;
}

static size_t
room(struct line_queue *q)
{
	if (q->begin > 0) {
		memmove(q->bytes, q->bytes + q->begin, waiting(q));
		q->end -= q->begin;
		q->begin = 0;
	}
	return q->size - q->end;
}

static bool
append(struct line_queue *q, const void *bytes, size_t n)
{
	if (room(q) < n)
		return false;
	memcpy(q->bytes + q->end, bytes, n);
	q->end += n;
	return true;
}

static void
drop(struct line_queue *q, size_t n)
{
	q->begin += n;
	if (q->begin == q->end)
		q->begin = q->end = 0;
}

static bool
queue_init(struct line_queue *q, size_t size)
{
	q->begin = q->end = 0;
	q->size = size;
	q->bytes = malloc(size);
	return q->bytes != NULL;
}

int
line_init(struct line *l, bool remote)
{
	memset(l, 0, sizeof(*l));
	l->remote = remote;
	l->in = l->output = l->conn = l->next = -1;
	l->out = NOT_KNOWN;
	l->spoken = l->deaf = true;
	l->credit = LINE_OUTPUT;
	lock_init(&l->lock);
	atomic_init(&l->open, true);
	if (wake_init(&l->wake) == -1 || child_pipe(l->over) == -1 ||
	    child_pipe(l->calls) == -1 || net_own(l->calls[0]) == -1)
		return -1;
	return queue_init(&l->sent, BUFFER) && queue_init(&l->heard, BUFFER) &&
	    queue_init(&l->printed, remote ? 1 : LINE_OUTPUT) ? 0 : -1;
}

bool
line_say(struct line *l, const char *text, size_t n)
{
	return append(&l->sent, text, n);
}

bool
line_heard(struct line *l, const char *bytes, size_t n)
{
	return append(&l->heard, bytes, n);
}

static bool
later(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS;
}

/* The connection */

/* A pair whose ends do not block.  0, or -1 with errno. */
static int
connect_two(int pair[2])
{
	int error;

	if (child_sockets(pair) == -1)
		return -1;
	if (net_own(pair[0]) == 0 && net_own(pair[1]) == 0)
		return 0;
	error = errno;
	close(pair[0]);
	close(pair[1]);
	errno = error;
	return -1;
}

static void
hang_up(struct line *l)
{
	if (l->conn != -1)
		close(l->conn);
	l->conn = -1;
	l->spoken = l->deaf = true;
}

/* A new connection takes the place of the one before. */
static void
take_up(struct line *l, int conn, uint8_t number)
{
	hang_up(l);
	l->conn = conn;
	l->number = number;
	l->shuts = conn == -1;
	l->spoken = l->deaf = conn == -1;
}

int
line_call(struct line *l)
{
	int pair[2], old;

	if (!line_open(l)) {
		errno = ECONNRESET;
		return -1;
	}
	if (connect_two(pair) == -1)
		return -1;
	lock_acquire(&l->lock);
	old = l->next;
	l->next = pair[1];
	lock_release(&l->lock);
	if (old != -1)
		close(old);
	wake_signal(&l->wake);
	return pair[0];
}

/* The remote side: the local side has begun a connection. */
static void
called(struct line *l, uint8_t number)
{
	int pair[2];

	if (connect_two(pair) == -1) {
		take_up(l, -1, number);
		return;
	}
	take_up(l, pair[1], number);
	/* The pipe holds thousands of them; without a reader they are of no use. */
	if (write(l->calls[1], &pair[0], sizeof(pair[0])) == (ssize_t)sizeof(pair[0]))
		return;
	close(pair[0]);
	take_up(l, -1, number);
}

int
line_accept(struct line *l)
{
	int fd;

	return read(l->calls[0], &fd, sizeof(fd)) == (ssize_t)sizeof(fd) ? fd : -1;
}

/* The end of one direction */

/* Nothing comes from the other side any more; what has come is still delivered. */
static void
in_over(struct line *l)
{
	if (l->in != -1)
		close(l->in);
	l->in = -1;
	atomic_store(&l->open, false);
	if (atomic_load(&l->gone_ns) == 0)
		atomic_store(&l->gone_ns, clock_now_ns());
}

static void
out_over(struct line *l)
{
	if (l->out == -1)
		return;
	close(l->out);
	l->out = -1;
	drop(&l->sent, waiting(&l->sent));
	atomic_store(&l->open, false);
	close(l->over[1]);
}

/* Between the records there is something that the other side did not write. */
static void
broken(struct line *l)
{
	log_line(LOG_LOSS, "what comes through ssh is not from viamillipede alone; "
	    "its own pipe is given up");
	drop(&l->heard, waiting(&l->heard));
	l->left = 0;
	in_over(l);
	out_over(l);
}

/* What comes */

static uint32_t
number_of(const uint8_t *at, unsigned n)
{
	uint32_t value = 0;

	while (n-- > 0)
		value = value << 8 | *at++;
	return value;
}

/* May the other side send this now? */
static bool
legal(const struct line *l, unsigned kind, size_t length)
{
	switch (kind) {
	case LINE_OPEN:
		return l->remote && length == 0;
	case LINE_DATA:
		return length > 0;
	case LINE_SHUT:
		return length == 0;
	case LINE_PRINTED:
		return !l->remote && !l->ended && length > 0 && length <= l->credit;
	case LINE_END:
		return !l->remote && !l->ended && length == 1;
	case LINE_TAKEN:
		return l->remote && length == 4;
	default:
		return false;
	}
}

/* A record without bytes to pass on has come. */
static void
act(struct line *l, unsigned kind, uint8_t number, const uint8_t *rest)
{
	uint32_t n;

	switch (kind) {
	case LINE_OPEN:
		called(l, number);
		break;
	case LINE_SHUT:
		if (number == l->number && l->conn != -1)
			shutdown(l->conn, SHUT_WR);
		break;
	case LINE_END:
		l->ended = true;
		atomic_store(&l->quiet, rest[0] == 1);
		break;
	case LINE_TAKEN:
		n = number_of(rest, 4);
		l->credit = n < LINE_OUTPUT - l->credit ? l->credit + n : LINE_OUTPUT;
		if (number == 1)
			atomic_store(&l->stays, true);
		break;
	}
}

/* How many bytes the leg takes; all, when nobody is there who reads them. */
static size_t
give_leg(struct line *l, const uint8_t *at, size_t n)
{
	ssize_t put;

	if (l->whose != l->number || l->deaf)
		return n;
	put = send(l->conn, at, n, MSG_NOSIGNAL);
	if (put >= 0)
		return (size_t)put;
	if (later(errno))
		return 0;
	l->deaf = true;
	return n;
}

/* There is room: no more credit was given than that. */
static size_t
keep_output(struct line *l, const uint8_t *at, size_t n)
{
	if (!append(&l->printed, at, n))
		return 0;
	l->credit -= (uint32_t)n;
	return n;
}

/* Passes on what has come of a record's bytes.  false: nothing, or nobody takes it now. */
static bool
deliver_bytes(struct line *l)
{
	const uint8_t *at = l->heard.bytes + l->heard.begin;
	size_t n = waiting(&l->heard) < l->left ? waiting(&l->heard) : l->left;

	if (n > 0)
		n = l->kind == LINE_DATA ? give_leg(l, at, n) : keep_output(l, at, n);
	drop(&l->heard, n);
	l->left -= n;
	return n > 0;
}

static bool
has_bytes(unsigned kind)
{
	return kind == LINE_DATA || kind == LINE_PRINTED;
}

/* Takes the next record, or a part of it.  false: it has not come, or nobody takes it now. */
static bool
deliver_next(struct line *l)
{
	const uint8_t *at = l->heard.bytes + l->heard.begin;
	size_t have = waiting(&l->heard), length;

	if (l->left > 0)
		return deliver_bytes(l);
	if (have < LINE_HEADER)
		return false;
	length = number_of(at + 2, 2);
	if (!legal(l, at[0], length)) {
		broken(l);
		return false;
	}
	if (!has_bytes(at[0]) && have < LINE_HEADER + length)
		return false;
	if (has_bytes(at[0])) {
		l->kind = (enum line_kind)at[0];
		l->whose = at[1];
		l->left = length;
		length = 0;
	} else
		act(l, at[0], at[1], at + LINE_HEADER);
	drop(&l->heard, LINE_HEADER + length);
	return true;
}

static void
deliver(struct line *l)
{
	while (deliver_next(l))
		;
	/* The leg has all that came of its last bytes. */
	if (l->in == -1 && (l->deaf || waiting(&l->heard) == 0 || l->left == 0))
		hang_up(l);
}

static void
hear(struct line *l)
{
	size_t n = room(&l->heard);
	ssize_t got;

	if (n == 0)
		return;
	got = read(l->in, l->heard.bytes + l->heard.end, n);
	if (got > 0)
		l->heard.end += (size_t)got;
	else if (got == 0 || !later(errno))
		in_over(l);
}

/* The local side: passes output on to its reader. */
static void
print(struct line *l)
{
	size_t n = waiting(&l->printed);
	ssize_t put = 0;

	if (l->output == -1)
		return;
	if (n > 0)
		put = write(l->output, l->printed.bytes + l->printed.begin, n);
	/* Without a reader it is dropped, as the command must not wait for one. */
	if (put == -1 && !later(errno))
		put = (ssize_t)n;
	if (put > 0) {
		drop(&l->printed, (size_t)put);
		l->taken += (uint32_t)put;
	}
	if (waiting(&l->printed) == 0 && (l->ended || l->in == -1)) {
		close(l->output);
		l->output = -1;
	}
}

/* What goes */

static void
put_header(struct line *l, enum line_kind kind, uint8_t number, size_t length)
{
	uint8_t *at = l->sent.bytes + l->sent.end;

	at[0] = (uint8_t)kind;
	at[1] = number;
	at[2] = (uint8_t)(length >> 8);
	at[3] = (uint8_t)length;
	l->sent.end += LINE_HEADER;
}

/*
 * Makes a record of what can be read from fd now, up to `most' bytes.  Returns their
 * number; 0: nothing now; -1: nothing any more.  What nobody is there for is dropped.
 */
static ssize_t
put_from(struct line *l, int fd, enum line_kind kind, size_t most)
{
	ssize_t n = read(fd, l->sent.bytes + l->sent.end + LINE_HEADER, most);

	if (n == -1 && later(errno))
		return 0;
	if (n <= 0)
		return -1;
	if (l->out == -1 || (kind == LINE_PRINTED && l->ended))
		return n;
	put_header(l, kind, kind == LINE_DATA ? l->number : 0, (size_t)n);
	l->sent.end += (size_t)n;
	return n;
}

static void
gather_leg(struct line *l)
{
	if (l->spoken || put_from(l, l->conn, LINE_DATA, LINE_MAX) != -1)
		return;
	l->spoken = true;
	l->shuts = true;
}

/* How much of the output may be read: after its end all, to drop it. */
static size_t
output_most(const struct line *l)
{
	return l->ended || l->out == -1 || l->credit > LINE_MAX ? LINE_MAX : l->credit;
}

/* The remote side; `over': what can be read now is all. */
static void
gather_output(struct line *l, bool over)
{
	size_t most = output_most(l);
	ssize_t n;

	if (l->output == -1 || most == 0)
		return;
	n = put_from(l, l->output, LINE_PRINTED, most);
	if (n > 0 && !l->ended && l->out != -1)
		l->credit -= (uint32_t)n;
	if (n == -1) {
		close(l->output);
		l->output = -1;
	}
	if ((n == -1 || (n == 0 && over)) && !l->ended)
		l->ended = l->ends = true;
}

/* The local side: tells how much of the output was passed on. */
static void
put_taken(struct line *l, uint32_t n, bool last)
{
	uint8_t bytes[4] = {
		(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n
	};

	put_header(l, LINE_TAKEN, last, sizeof(bytes));
	append(&l->sent, bytes, sizeof(bytes));
	l->credit += n;
	l->taken = 0;
}

static void
gather_small(struct line *l)
{
	uint32_t n = l->taken;

	if (l->opens)
		put_header(l, LINE_OPEN, l->number, 0);
	if (!l->last && (n >= REPORT || (n > 0 && waiting(&l->printed) == 0)))
		put_taken(l, n, false);
	l->opens = false;
}

/* The leg has said all, if it says no more after line_finish. */
static bool
leg_said(const struct line *l)
{
	return l->spoken || !net_readable(l->conn);
}

/* finish: line_finish was called. */
static void
gather_ends(struct line *l, bool finish)
{
	uint8_t quiet = log_silent();

	if (l->shuts)
		put_header(l, LINE_SHUT, l->number, 0);
	/* From now on output that waits here holds up ssh, and nothing else. */
	if (finish && !l->remote && !l->last && l->in != -1 && leg_said(l)) {
		put_taken(l, LINE_OUTPUT - l->credit, true);
		l->last = true;
	}
	if (l->ends) {
		put_header(l, LINE_END, 0, 1);
		append(&l->sent, &quiet, 1);
	}
	l->shuts = l->ends = false;
}

/* All of the last records were written: makes new ones, of what there is now. */
static void
gather(struct line *l)
{
	bool over, finish;

	lock_acquire(&l->lock);
	finish = l->finish;
	over = l->printed_all || finish;
	lock_release(&l->lock);
	if (waiting(&l->sent) > 0)
		return;
	gather_small(l);
	gather_leg(l);
	if (l->remote)
		gather_output(l, over);
	gather_ends(l, finish);
	if (l->out == -1)
		drop(&l->sent, waiting(&l->sent));
}

bool
line_push(struct line *l, int fd)
{
	ssize_t n;

	while (waiting(&l->sent) > 0) {
		n = write(fd, l->sent.bytes + l->sent.begin, waiting(&l->sent));
		if (n == -1)
			return later(errno);
		drop(&l->sent, (size_t)n);
		atomic_store(&l->moved_ns, clock_now_ns());
	}
	return true;
}

/* The thread */

/* Takes what other threads have left for this one. */
static void
heed(struct line *l)
{
	int next;

	wake_clear(&l->wake);
	lock_acquire(&l->lock);
	next = l->next;
	l->next = -1;
	lock_release(&l->lock);
	if (next == -1)
		return;
	take_up(l, next, (uint8_t)(l->number + 1));
	l->opens = true;
}

void
line_prepare(struct line *l)
{
	heed(l);
	gather(l);
}

/* The session is over, and nothing of it is left for ssh. */
static bool
all_said(struct line *l)
{
	bool finish;

	lock_acquire(&l->lock);
	finish = l->finish;
	lock_release(&l->lock);
	return finish && waiting(&l->sent) == 0 && leg_said(l) &&
	    (l->remote ? l->ended : l->last || l->in == -1);
}

/* What to wait for: 0 and 1 are ssh's, 2 the leg, 3 the output, 4 other threads. */
static void
watch(struct line *l, struct pollfd p[5])
{
	bool stuck = l->left > 0 && l->kind == LINE_DATA && waiting(&l->heard) > 0;
	short leg = (short)((l->spoken || waiting(&l->sent) > 0 ? 0 : POLLIN) |
	    (l->deaf || !stuck ? 0 : POLLOUT));
	bool output = l->remote ? waiting(&l->sent) == 0 && output_most(l) > 0 :
	    waiting(&l->printed) > 0;

	p[0] = (struct pollfd){ .fd = room(&l->heard) > 0 ? l->in : -1, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = waiting(&l->sent) > 0 ? l->out : -1, .events = POLLOUT };
	p[2] = (struct pollfd){ .fd = leg != 0 ? l->conn : -1, .events = leg };
	p[3] = (struct pollfd){ .fd = output ? l->output : -1,
	    .events = l->remote ? POLLIN : POLLOUT };
	p[4] = (struct pollfd){ .fd = wake_fd(&l->wake), .events = POLLIN };
}

static void *
carry(void *argument)
{
	struct line *l = argument;
	struct pollfd p[5];
	bool more;

	while (l->in != -1 || l->out != -1 || l->output != -1) {
		heed(l);
		deliver(l);
		if (!l->remote)
			print(l);
		gather(l);
		more = waiting(&l->sent) > 0;
		if (l->out != -1 && (!line_push(l, l->out) || all_said(l)))
			out_over(l);
		/* What waited for room among the records is made one now. */
		more = more && waiting(&l->sent) == 0;
		atomic_store(&l->passing,
		    l->out != -1 && (waiting(&l->sent) > 0 || l->credit == 0));
		watch(l, p);
		if (poll(p, 5, more ? 0 : -1) > 0 && p[0].fd != -1 && p[0].revents != 0)
			hear(l);
	}
	hang_up(l);
	return NULL;
}

int
line_start(struct line *l, int in, int out, int output)
{
	l->in = in;
	l->out = out;
	l->output = output;
	return thread_start_detached("viamillipede-p", carry, l);
}

void
line_output_over(struct line *l)
{
	lock_acquire(&l->lock);
	l->printed_all = true;
	lock_release(&l->lock);
	wake_signal(&l->wake);
}

void
line_finish(struct line *l)
{
	lock_acquire(&l->lock);
	l->finish = true;
	lock_release(&l->lock);
	wake_signal(&l->wake);
}
