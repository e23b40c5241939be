/*
 * rx: the receiving half.  See rx.h.  The writer is a thread of this file; all
 * else runs in the legs' threads.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "rx.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#ifdef __has_include
#if __has_include(<linux/sockios.h>)
#include <linux/sockios.h>
#endif
#endif

#include "command.h"
#include "digest.h"
#include "leg.h"
#include "lock.h"
#include "log.h"
#include "session.h"

#define PIPE_SIZE	(1 << 20)
#define WRITE_PIECES	16
#define WRITE_MOST	(256u << 10)	/* octets in one write, so that delivery is told */
#define POOL_BUFFERS	32
#define POOL_OCTETS	(4u << 20)	/* kept for the next use, or more while */
#define POOL_SUM	(18u << 20)	/* this holds those in use as well */
#define MAPPED_LEAST	(128u << 10)
#define SPARE_OCTETS	(14u << 20)	/* buffers beyond the window: copies, and what is loose */
#define FEW_OCTETS	(6u << 20)	/* in use: then size does not matter */
#define LARGE		(1u << 20)	/* the size of new ones then */
#define STATUS_NS	5000000ULL	/* a small advance is told so often */
#define STATUS_LEAST	(16u << 10)
#define STATUS_MOST	(256u << 10)
#define BLOCKED_NS	200000000ULL	/* a write that takes longer waits for the consumer */
#define FIN_NS		5000000000ULL	/* a command that is content early waits so long for FIN */

struct rx_leg {
	uint32_t incarnation;
	uint64_t received;	/* octets of the stream on this incarnation */
	uint64_t told;		/* of them, in the last status on this leg */
	uint64_t told_ns;
};

struct pooled {
	struct order_buffer buffer;	/* first: the one is the other */
	size_t used;			/* octets asked for */
	size_t mapped;			/* octets of its mapping; 0 = from malloc */
	uint8_t octets[];
};

/* [I] immutable, [w] under lock, [a] atomic. */
struct rx {
	struct session *session;	/* [I] */
	struct command *command;	/* [I] the consumer, or NULL */
	int fd;				/* [I] the consumer; owned, closed by the writer */
	bool pipe;			/* [I] the consumer is a pipe */
	bool socket;			/* [I] or a socket */
	struct lock lock;
	/*
	 * The writer waits until order_writable, or order_complete, or stopped.
	 * Signalled by whoever changes the order.
	 */
	struct lock_cond work;
	struct order order;		/* [w] */
	bool direct;			/* [w] legs may move octets themselves */
	bool checked;			/* [w] */
	uint32_t frame;			/* [w] the largest that was agreed on */
	bool stopped;			/* [w] nothing is written any more */
	bool closed;			/* [w] fd is no longer ours */
	bool watching;			/* [w] rx_look uses fd just now */
	bool broken;			/* [w] the command did not take what it should */
	uint64_t content_ns;		/* [w] the command takes no more since; 0 = it does */
	uint64_t digest_said;		/* [w] FIN's */
	uint64_t write_ns;		/* [w] the writer is in a call since; 0 = not */
	uint64_t told_delivered;	/* [w] on whatever leg */
	struct leg *last;		/* [w] the leg last heard from */
	struct leg *soon;		/* [w] waits for the turn to be free */
	struct rx_leg leg[FRAME_LEGS];	/* [w] */
	bool known[FRAME_LEGS];		/* [w] joined at least once */
	bool full;			/* [w] the turn's leg waits for the consumer */
	bool idle;			/* [w] all has come, the sender waits for its source */
	struct blame blame;		/* [w] */
	uint64_t spoilt;		/* [w] */
	struct pooled *pool[POOL_BUFFERS];	/* [w] last in, first out */
	unsigned pooled;		/* [w] */
	size_t pool_octets;		/* [w] */
	size_t live;			/* [w] octets of buffers in use */
	size_t slack;			/* [w] */
	bool sluiced;			/* [w] a leg has the sluice */
	struct sluice sluice;		/* that leg's */
	struct digest digest;		/* of who has the turn */
	uint64_t digested;		/* likewise: octets of the stream in it */
};

/* Buffers */

/*
 * Large ones are mapped, so that what is given back is given back to the
 * system: with a heap for each thread the holes of a full window add up.
 */
static struct pooled *
pooled_new(size_t n)
{
	size_t size = sizeof(struct pooled) + n;
	struct pooled *p;

	if (n < MAPPED_LEAST) {
		p = malloc(size);
		if (p != NULL)
			p->mapped = 0;
		return p;
	}
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	p->mapped = size;
	return p;
}

static void
pooled_free(struct pooled *p)
{
	if (p->mapped != 0)
		munmap(p, p->mapped);
	else
		free(p);
}

/*
 * The command has ended, or has closed its input and goes on.  One that ended
 * well is of no interest here: finish waits for it, and rx_look sees it when
 * the stream is not at its end.
 */
static void
command_over(void *cookie)
{
	char text[FRAME_TEXT_MAX + 1];
	struct rx *rx = cookie;
	bool broken;

	lock_take(&rx->lock);
	broken = rx->broken;
	lock_drop(&rx->lock);
	if (!broken && command_end(rx->command) == COMMAND_WELL)
		return;
	rx_stop(rx);
	command_text(rx->command, text, sizeof(text));
	session_fail_command(rx->session, text);
}

struct rx *
rx_new(struct session *session, int fd)
{
	struct rx *rx = calloc(1, sizeof(*rx));
	struct stat st;

	if (rx == NULL)
		return NULL;
	rx->session = session;
	rx->command = session->command;
	if (rx->command != NULL)
		command_watch(rx->command, command_over, rx);
	rx->fd = fd;
	rx->pipe = fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
	rx->socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
#ifdef SPLICE_F_MOVE
	rx->direct = rx->pipe;
#endif
#ifdef F_SETPIPE_SZ
	/* Refusal is normal: not a pipe, or the user's share is used up. */
	fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
#endif
	lock_init(&rx->lock);
	lock_cond_init(&rx->work);
	order_init(&rx->order, 1u << 20);
	sluice_init(&rx->sluice);
	digest_init(&rx->digest);
	return rx;
}

static void
pool_drop_oldest_locked(struct rx *rx)
{
	struct pooled *p = rx->pool[0];

	rx->pooled--;
	rx->pool_octets -= p->buffer.size;
	memmove(&rx->pool[0], &rx->pool[1], rx->pooled * sizeof(rx->pool[0]));
	pooled_free(p);
}

/* Called by order.c under the lock, like everything that touches its books. */
static void
release_locked(struct order_buffer *buffer, void *cookie)
{
	struct pooled *p = (struct pooled *)buffer;
	struct rx *rx = cookie;
	size_t most;

	rx->slack -= buffer->size - p->used;
	rx->live -= buffer->size;
	most = rx->live + POOL_OCTETS < POOL_SUM ? POOL_SUM - rx->live : POOL_OCTETS;
	if (buffer->size < 4096 || buffer->size > most) {
		pooled_free(p);
		return;
	}
	/* The oldest goes: what is of a size that is not asked for any more must not stay. */
	while (rx->pooled == POOL_BUFFERS || rx->pool_octets + buffer->size > most)
		pool_drop_oldest_locked(rx);
	rx->pool[rx->pooled++] = p;
	rx->pool_octets += buffer->size;
}

/*
 * The youngest that fits: without much waste when many are in use, any when
 * few are, so that the same warm ones serve frames of whatever size.
 */
static struct pooled *
pool_take_locked(struct rx *rx, size_t n)
{
	struct pooled *p;
	unsigned i = rx->pooled;
	size_t most = n + n / 8;

	if (rx->live < FEW_OCTETS)
		most = SIZE_MAX;
	else if (rx->slack > FEW_OCTETS)
		most = n;
	while (i-- > 0) {
		p = rx->pool[i];
		if (p->buffer.size < n || p->buffer.size > most)
			continue;
		rx->pooled--;
		rx->pool_octets -= p->buffer.size;
		memmove(&rx->pool[i], &rx->pool[i + 1],
		    (rx->pooled - i) * sizeof(rx->pool[0]));
		return p;
	}
	return NULL;
}

struct order_buffer *
rx_buffer(struct rx *rx, size_t n)
{
	size_t size = n;
	struct pooled *p;

	lock_take(&rx->lock);
	p = pool_take_locked(rx, n);
	if (p != NULL)
		rx->slack += p->buffer.size - n;
	else if (rx->live < FEW_OCTETS && n >= MAPPED_LEAST && n < LARGE)
		size = LARGE;
	rx->live += p != NULL ? p->buffer.size : size;
	rx->slack += p != NULL ? 0 : size - n;
	lock_drop(&rx->lock);
	if (p == NULL) {
		p = pooled_new(size);
		if (p == NULL) {
			lock_take(&rx->lock);
			rx->live -= size;
			rx->slack -= size - n;
			lock_drop(&rx->lock);
			return NULL;
		}
		p->buffer.size = size;
		p->buffer.data = p->octets;
		p->buffer.release = release_locked;
		p->buffer.cookie = rx;
	}
	p->used = n;
	p->buffer.users = 1;
	return &p->buffer;
}

void
rx_buffer_drop(struct rx *rx, struct order_buffer *buffer)
{
	lock_take(&rx->lock);
	release_locked(buffer, rx);
	lock_drop(&rx->lock);
}

/* Who is waited for; said after each change of what it is told by. */
static void
blame_locked(struct rx *rx)
{
	enum blame_on on = BLAME_NETWORK;

	if (rx->write_ns != 0 || rx->full || order_writable(&rx->order) ||
	    order_complete(&rx->order))
		on = BLAME_CONSUMER;
	else if (rx->idle && rx->order.stored == 0)
		on = BLAME_SOURCE;
	if (on != rx->blame.on)
		blame_set(&rx->blame, on, clock_now_ns());
}

void
rx_waited(struct rx *rx, uint64_t until_ns, uint64_t waited_ns[BLAME_KINDS])
{
	lock_take(&rx->lock);
	blame_sums(&rx->blame, until_ns, waited_ns);
	lock_drop(&rx->lock);
}

void
rx_heard(struct rx *rx, uint64_t next, bool idle)
{
	lock_take(&rx->lock);
	rx->idle = idle && order_contiguous(&rx->order) >= next;
	blame_locked(rx);
	lock_drop(&rx->lock);
}

void
rx_full(struct rx *rx)
{
	lock_take(&rx->lock);
	rx->full = true;
	blame_locked(rx);
	lock_drop(&rx->lock);
}

/* Session */

void
rx_agree(struct rx *rx, uint64_t window, uint32_t frame, bool checked)
{
	lock_take(&rx->lock);
	order_free(&rx->order);
	order_init(&rx->order, window);
	rx->checked = checked;
	rx->frame = frame;
	memset(rx->leg, 0, sizeof(rx->leg));
	memset(rx->known, 0, sizeof(rx->known));
	rx->told_delivered = 0;
	rx->last = rx->soon = NULL;
	rx->full = rx->idle = false;
	blame_init(&rx->blame, BLAME_NETWORK, clock_now_ns());
	lock_drop(&rx->lock);
}

void
rx_join(struct rx *rx, struct leg *leg)
{
	struct rx_leg *l = &rx->leg[leg->number];

	lock_take(&rx->lock);
	memset(l, 0, sizeof(*l));
	l->incarnation = leg->incarnation;
	rx->known[leg->number] = true;
	rx->last = leg;
	lock_drop(&rx->lock);
}

void
rx_part(struct rx *rx, struct leg *leg)
{
	lock_take(&rx->lock);
	if (rx->last == leg)
		rx->last = NULL;
	if (rx->soon == leg)
		rx->soon = NULL;
	lock_drop(&rx->lock);
}

/* Frames */

/* Whoever can go on now is told: the writer, or the leg whose turn is next. */
static struct leg *
turn_free_locked(struct rx *rx)
{
	struct leg *soon = rx->soon;

	if (order_writable(&rx->order) || order_complete(&rx->order))
		lock_wake(&rx->work);
	if (rx->order.turn != ORDER_NONE)
		return NULL;
	rx->soon = NULL;
	return soon;
}

const char *
rx_admit(struct rx *rx, uint64_t seq, uint32_t length)
{
	const char *why;

	lock_take(&rx->lock);
	if (length > rx->frame)
		why = "a frame larger than was agreed on";
	else if (rx->live > rx->order.window + SPARE_OCTETS)
		why = "more frames at once than the window pays for";
	else
		why = order_admit(&rx->order, seq, length);
	lock_drop(&rx->lock);
	return why;
}

/* A check is of the whole frame, so all of it goes through the sluice. */
static bool
direct_locked(const struct rx *rx, uint64_t seq, enum rx_direct direct)
{
	return rx->direct && (direct == RX_DIRECT ||
	    (direct == RX_SLUICED && !rx->sluiced && !rx->sluice.broken &&
	    seq >= rx->order.cursor));
}

/*
 * The leg that has just got the turn gets the sluice, unless a leg that died
 * before it passed on all of a right frame has left the digest ahead.
 */
static bool
sluice_locked(struct rx *rx)
{
	if (rx->digested != rx->order.cursor)
		return false;
	rx->sluiced = true;
	rx->sluice.digest = rx->digest;
	return true;
}

enum order_way
rx_begin(struct rx *rx, struct leg *leg, uint64_t seq, uint64_t end, enum rx_direct direct,
    uint64_t *skip)
{
	enum order_way way = ORDER_VOID;

	*skip = 0;
	lock_take(&rx->lock);
	if (!rx->stopped) {
		way = order_begin(&rx->order, (int)leg->number, seq, end,
		    direct_locked(rx, seq, direct));
		if (way == ORDER_TURN && direct == RX_SLUICED && !sluice_locked(rx)) {
			order_leave(&rx->order, (int)leg->number);
			way = order_begin(&rx->order, (int)leg->number, seq, end, false);
		}
		if (way == ORDER_TURN)
			*skip = rx->order.cursor - seq;
		if (way == ORDER_SOON)
			rx->soon = leg;
		else if (rx->soon == leg)
			rx->soon = NULL;
	}
	rx->last = leg;
	lock_drop(&rx->lock);
	return way;
}

void
rx_moved(struct rx *rx, struct leg *leg, uint64_t n)
{
	lock_take(&rx->lock);
	order_moved(&rx->order, (int)leg->number, n);
	rx->leg[leg->number].received += n;
	rx->full = false;
	blame_locked(rx);
	lock_drop(&rx->lock);
	session_progress(rx->session);
}

bool
rx_wait(struct rx *rx, struct leg *leg)
{
	struct leg *soon = NULL;
	bool kept;

	lock_take(&rx->lock);
	kept = order_wait(&rx->order, (int)leg->number);
	if (!kept)
		soon = turn_free_locked(rx);
	lock_drop(&rx->lock);
	if (soon != NULL)
		wake_signal(&soon->wake);
	return kept;
}

bool
rx_resume(struct rx *rx, struct leg *leg)
{
	bool kept;

	lock_take(&rx->lock);
	kept = order_resume(&rx->order, (int)leg->number);
	if (kept && rx->stopped) {
		order_leave(&rx->order, (int)leg->number);
		kept = false;
	}
	lock_drop(&rx->lock);
	return kept;
}

void
rx_leave(struct rx *rx, struct leg *leg)
{
	struct leg *soon;

	lock_take(&rx->lock);
	if (rx->order.turn == (int)leg->number)
		rx->full = false;
	order_leave(&rx->order, (int)leg->number);
	blame_locked(rx);
	soon = turn_free_locked(rx);
	lock_drop(&rx->lock);
	if (soon != NULL && soon != leg)
		wake_signal(&soon->wake);
}

struct sluice *
rx_sluice(struct rx *rx)
{
	return &rx->sluice;
}

/* Called under the turn: then the digest is the leg's. */
void
rx_sluice_right(struct rx *rx, uint64_t end)
{
	rx->digest = rx->sluice.digest;
	rx->digested = end;
}

void
rx_sluice_leave(struct rx *rx)
{
	lock_take(&rx->lock);
	rx->sluiced = false;
	lock_drop(&rx->lock);
}

int
rx_output(const struct rx *rx)
{
	return rx->fd;
}

void
rx_indirect(struct rx *rx)
{
	lock_take(&rx->lock);
	rx->direct = false;
	lock_drop(&rx->lock);
}

void
rx_store(struct rx *rx, struct leg *leg, uint64_t seq, uint64_t end, struct order_buffer *buffer)
{
	struct leg *soon;
	int result;

	lock_take(&rx->lock);
	result = order_store(&rx->order, seq, end, buffer, 0);
	rx->leg[leg->number].received += end - seq;
	rx->last = leg;
	blame_locked(rx);
	soon = turn_free_locked(rx);
	lock_drop(&rx->lock);
	if (soon != NULL)
		wake_signal(&soon->wake);
	if (result == -1)
		rx_fail_memory(rx);
	session_progress(rx->session);
}

void
rx_voided(struct rx *rx, struct leg *leg, uint64_t n)
{
	lock_take(&rx->lock);
	rx->leg[leg->number].received += n;
	lock_drop(&rx->lock);
}

void
rx_spoilt(struct rx *rx)
{
	lock_take(&rx->lock);
	rx->spoilt++;
	lock_drop(&rx->lock);
}

const char *
rx_fin(struct rx *rx, uint64_t total, const struct fin *fin)
{
	const char *why;

	lock_take(&rx->lock);
	why = order_fin(&rx->order, total);
	if (why == NULL) {
		rx->digest_said = fin->digest;
		turn_free_locked(rx);
	}
	lock_drop(&rx->lock);
	return why;
}

/* Status */

static bool
blocked_locked(const struct rx *rx, uint64_t now)
{
	return rx->write_ns != 0 && now - rx->write_ns > BLOCKED_NS;
}

uint64_t
rx_status_due(struct rx *rx, const struct leg *leg, uint64_t now_ns)
{
	const struct rx_leg *l = &rx->leg[leg->number];
	uint64_t fresh, step, advance, due;

	lock_take(&rx->lock);
	fresh = l->received - l->told;
	advance = rx->last == leg ? rx->order.cursor - rx->told_delivered : 0;
	step = l->received / 64;
	if (step < STATUS_LEAST)
		step = STATUS_LEAST;
	if (step > STATUS_MOST)
		step = STATUS_MOST;
	if (fresh == 0 && advance == 0)
		due = UINT64_MAX;
	else if (fresh >= step || advance >= rx->order.window / 8 ||
	    now_ns - l->told_ns >= STATUS_NS)
		due = 0;
	else
		due = l->told_ns + STATUS_NS;
	lock_drop(&rx->lock);
	return due;
}

void
rx_status(struct rx *rx, const struct leg *leg, bool all, struct status *status)
{
	uint64_t now = clock_now_ns();
	struct status_entry *e;
	unsigned i;

	lock_take(&rx->lock);
	status->delivered = rx->order.cursor;
	status->limit = rx->order.cursor + rx->order.window;
	status->blocked = blocked_locked(rx, now);
	status->count = 0;
	for (i = 0; i < FRAME_LEGS; i++) {
		if (!rx->known[i] || (!all && i != leg->number))
			continue;
		e = &status->entry[status->count++];
		e->leg = (uint16_t)i;
		e->incarnation = rx->leg[i].incarnation;
		e->received = rx->leg[i].received;
	}
	rx->leg[leg->number].told = rx->leg[leg->number].received;
	rx->leg[leg->number].told_ns = now;
	rx->told_delivered = rx->order.cursor;
	lock_drop(&rx->lock);
}

bool
rx_owed(struct rx *rx, uint64_t next)
{
	bool owed;

	lock_take(&rx->lock);
	owed = order_contiguous(&rx->order) < next;
	lock_drop(&rx->lock);
	return owed;
}

void
rx_state(struct rx *rx, struct rx_state *state)
{
	uint64_t now = clock_now_ns();

	lock_take(&rx->lock);
	state->delivered = rx->order.cursor;
	state->stored = rx->order.stored;
	state->window = rx->order.window;
	state->repeated = rx->order.repeated;
	state->spoilt = rx->spoilt;
	state->blocked = blocked_locked(rx, now);
	state->complete = order_complete(&rx->order);
	lock_drop(&rx->lock);
}

/* The consumer */

/* Octets in a pipe, or sent by a socket, that were not taken; 0 where nobody can tell. */
#ifdef FIONREAD
static int
pipe_holds(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) == -1 ? 0 : n;
}
#else
static int
pipe_holds(int fd)
{
	(void)fd;
	return 0;
}
#endif

#ifdef SIOCOUTQ
static int
socket_holds(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCOUTQ, &n) == -1 ? 0 : n;
}
#else
static int
socket_holds(int fd)
{
	(void)fd;
	return 0;
}
#endif

/* How many octets the consumer has not taken yet. */
static int
undrained(const struct rx *rx)
{
	return rx->pipe ? pipe_holds(rx->fd) : rx->socket ? socket_holds(rx->fd) : 0;
}

/* Failure */

void
rx_fail_memory(struct rx *rx)
{
	rx_stop(rx);
	session_fail_errno(rx->session, FAIL_RESOURCE, "cannot keep a frame", ENOMEM);
}

/*
 * That a command no longer reads says less than how it ends, which may be seen
 * a moment later.
 */
void
rx_fail_consumer(struct rx *rx)
{
	rx_stop(rx);
	if (rx->command != NULL) {
		lock_take(&rx->lock);
		rx->broken = true;
		lock_drop(&rx->lock);
		command_ask(rx->command);
		return;
	}
	session_fail(rx->session, FAIL_CONSUMER,
	    "whoever read standard output has closed it");
}

void
rx_stop(struct rx *rx)
{
	lock_take(&rx->lock);
	rx->stopped = true;
	lock_wake_all(&rx->work);
	lock_drop(&rx->lock);
}

/*
 * A command that ended well, or closed its input, before the end of the stream
 * may have known the end from the stream itself: if it took all that there was,
 * the word that there is no more has its time to come.  While no leg is up, it
 * cannot.
 */
static bool
content_locked(struct rx *rx, bool up, uint64_t now)
{
	if (rx->command == NULL)
		return false;
	if (rx->content_ns == 0 || !up)
		rx->content_ns = now;
	return now - rx->content_ns < FIN_NS;
}

/*
 * A pipe or socket tells of a reader that has gone away in revents, even when
 * nothing was asked for.
 */
void
rx_look(struct rx *rx, bool up)
{
	struct pollfd p = { .fd = rx->fd, .events = 0 };
	bool look, gone, complete, drained;

	lock_take(&rx->lock);
	look = rx->watching = !rx->closed && !rx->stopped;
	lock_drop(&rx->lock);
	if (!look)
		return;
	gone = (poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0) ||
	    (rx->command != NULL && command_end(rx->command) == COMMAND_WELL);
	/* One that has taken everything may go. */
	lock_take(&rx->lock);
	complete = order_complete(&rx->order);
	lock_drop(&rx->lock);
	drained = undrained(rx) == 0;
	if (complete && drained)
		gone = false;
	lock_take(&rx->lock);
	if (gone && drained && content_locked(rx, up, clock_now_ns()))
		gone = false;
	rx->watching = false;
	lock_wake_all(&rx->work);
	lock_drop(&rx->lock);
	if (gone)
		rx_fail_consumer(rx);
}

/* The writer */

/*
 * Wait until the consumer has taken everything.  No system tells when a pipe
 * becomes empty, so this asks, less and less often, up to 20 times a second.
 * false: the consumer went away, or all is stopped.
 */
static bool
drain(struct rx *rx)
{
	struct pollfd p = { .fd = rx->fd, .events = 0 };
	struct timespec ts = { .tv_sec = 0, .tv_nsec = 200000 };
	bool stopped = false;

	while (undrained(rx) > 0 && !stopped) {
		if ((poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0) ||
		    (rx->command != NULL && command_end(rx->command) == COMMAND_WELL)) {
			/* It may have taken the rest just before it went. */
			if (undrained(rx) == 0)
				return true;
			rx_fail_consumer(rx);
			return false;
		}
		nanosleep(&ts, NULL);
		if (ts.tv_nsec < 50000000)
			ts.tv_nsec += ts.tv_nsec / 4;
		lock_take(&rx->lock);
		stopped = rx->stopped;
		lock_drop(&rx->lock);
	}
	return !stopped;
}

static bool
close_output(struct rx *rx)
{
	lock_take(&rx->lock);
	while (rx->watching)
		lock_wait(&rx->work, &rx->lock);
	rx->closed = true;
	lock_drop(&rx->lock);
	if (close(rx->fd) == 0 || errno == EINTR)
		return true;
	session_fail_errno(rx->session, FAIL_OUTPUT, "cannot close standard output", errno);
	return false;
}

/*
 * Did the command, which may go on for hours after the end of its input, end
 * well?  If it did not, it has been told.
 */
static bool
content(struct rx *rx)
{
	bool well;

	if (rx->command == NULL)
		return true;
	/* So that the sender hears whom it waits for. */
	lock_take(&rx->lock);
	rx->write_ns = clock_now_ns();
	blame_locked(rx);
	lock_drop(&rx->lock);
	well = command_wait(rx->command);
	lock_take(&rx->lock);
	rx->write_ns = 0;
	lock_drop(&rx->lock);
	return well;
}

/* The stream is complete: nothing is confirmed before all of this is true. */
static void
finish(struct rx *rx)
{
	uint64_t mine = digest_value(&rx->digest);

	if (rx->checked && mine != rx->digest_said) {
		session_fail(rx->session, FAIL_DIGEST,
		    "the digest of what was written is %016llx, of what was read %016llx",
		    (unsigned long long)mine, (unsigned long long)rx->digest_said);
		return;
	}
	if (drain(rx) && close_output(rx) && content(rx))
		session_done(rx->session, rx->order.total, mine);
}

/* One write; octets written, or -1 after the session was told. */
static ssize_t
write_some(struct rx *rx, const struct iovec *iov, int n)
{
	struct pollfd p = { .fd = rx->fd, .events = POLLOUT };
	ssize_t put;

	for (;;) {
		put = writev(rx->fd, iov, n);
		if (put != -1)
			return put;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			poll(&p, 1, -1);	/* somebody made it non-blocking */
		else if (errno != EINTR)
			break;
	}
	if (errno == EPIPE || errno == ECONNRESET)
		rx_fail_consumer(rx);
	else {
		rx_stop(rx);
		session_fail_errno(rx->session, FAIL_OUTPUT, "cannot write standard output",
		    errno);
	}
	return -1;
}

static int
fill(struct iovec *iov, const struct order_piece *piece, size_t count)
{
	size_t left = WRITE_MOST, n;
	int used = 0;

	for (; count > 0 && left > 0; piece++, count--) {
		n = (size_t)(piece->end - piece->seq);
		if (n > left)
			n = left;
		iov[used].iov_base = (uint8_t *)(uintptr_t)piece->data;
		iov[used++].iov_len = n;
		left -= n;
	}
	return used;
}

/* n octets from seq on; the first of them may be in the digest since they were checked. */
static void
digest_written(struct rx *rx, uint64_t seq, const struct iovec *iov, size_t n)
{
	size_t part, old;

	for (; n > 0; iov++, n -= part, seq += part) {
		part = iov->iov_len < n ? iov->iov_len : n;
		if (seq + part <= rx->digested)
			continue;
		old = seq < rx->digested ? (size_t)(rx->digested - seq) : 0;
		digest_add(&rx->digest, (const uint8_t *)iov->iov_base + old, part - old);
		rx->digested = seq + part;
	}
}

/* Under the turn, with the lock dropped. */
static ssize_t
write_pieces(struct rx *rx, const struct order_piece *piece, size_t count)
{
	struct iovec iov[WRITE_PIECES];
	int n = fill(iov, piece, count);
	ssize_t put = write_some(rx, iov, n);

	if (put > 0 && rx->checked)
		digest_written(rx, piece[0].seq, iov, (size_t)put);
	return put;
}

/* The leg that is to tell how far it was delivered, if that is news enough. */
static struct leg *
teller_locked(const struct rx *rx)
{
	uint64_t news = rx->order.cursor - rx->told_delivered;

	if (news == 0 || (news < rx->order.window / 16 && rx->order.stored > 0))
		return NULL;
	return rx->last;
}

static void *
writer(void *argument)
{
	struct order_piece piece[WRITE_PIECES];
	struct rx *rx = argument;
	struct leg *teller, *soon;
	size_t count;
	ssize_t put;

	lock_take(&rx->lock);
	for (;;) {
		while (!rx->stopped && !order_writable(&rx->order) && !order_complete(&rx->order))
			lock_wait(&rx->work, &rx->lock);
		if (rx->stopped || order_complete(&rx->order))
			break;
		count = order_write(&rx->order, piece, WRITE_PIECES);
		rx->write_ns = clock_now_ns();
		blame_locked(rx);
		lock_drop(&rx->lock);
		put = count > 0 ? write_pieces(rx, piece, count) : 0;
		lock_take(&rx->lock);
		rx->write_ns = 0;
		order_written(&rx->order, put > 0 ? (uint64_t)put : 0);
		blame_locked(rx);
		teller = teller_locked(rx);
		soon = turn_free_locked(rx);
		lock_drop(&rx->lock);
		if (teller != NULL)
			wake_signal(&teller->wake);
		if (soon != NULL && soon != teller)
			wake_signal(&soon->wake);
		lock_take(&rx->lock);
	}
	put = !rx->stopped;
	lock_drop(&rx->lock);
	if (put)
		finish(rx);
	return NULL;
}

int
rx_start(struct rx *rx)
{
	pthread_t thread;
	int error = thread_start(&thread, "viamillipede-w", writer, rx);

	if (error == 0)
		thread_detach(thread);
	return error;
}
