/*
 * rx: the receiving half.  See rx.h.  The writer is a thread of this file; everything
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
#include "crypto/digest.h"
#include "leg.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/log.h"
#include "sys/thread.h"

#define PIPE_SIZE	(1 << 20)
#define WRITE_PIECES	16
#define WRITE_MAX	(256u << 10)	/* bytes in one write, so that STATUS can follow it */
#define POOL_BUFFERS	32
#define POOL_BYTES	(4u << 20)	/* kept for the next use, or more while */
#define POOL_SUM	(18u << 20)	/* this holds those in use as well */
#define POOL_OVER	(4u << 20)	/* bytes of both beyond the window */
#define MAPPED_MIN	(16u << 10)
#define SPARE_BYTES	(4u << 20)	/* buffers beyond the window, and two frames: copies */
#define SLACK_MAX	(2u << 20)	/* bytes of buffers that their frames do not fill */
#define FEW_BYTES	(6u << 20)	/* with less in use, a buffer's size does not matter */
#define LARGE_MIN	(128u << 10)	/* and new ones for frames from here have */
#define LARGE		(1u << 20)	/* this size */
#define STATUS_NS	(5 * MS)	/* least time between two STATUS for a small advance */
#define STATUS_LONG_NS	(2 * SECOND)	/* and most */
#define STATUS_QUEUE_NS	(30 * MS)	/* a round trip that is so much longer shows a queue */
#define STATUS_MIN	(16u << 10)
#define STATUS_MAX	(256u << 10)
#define BLOCKED_NS	200000000ULL	/* a write that takes longer waits for the consumer */
#define FIN_NS		5000000000ULL	/* how long a command that ended early waits for FIN */

struct rx_leg {
	struct leg *leg;	/* that joined last with this number */
	bool up;
	size_t keeps;		/* size of the buffer that its frame comes into; 0 = none */
	uint64_t keeps_at;	/* stream offset of that frame */
	uint32_t incarnation;
	unsigned path;
	uint64_t received;	/* bytes of the stream on this incarnation */
	uint64_t told;		/* `received' in the last STATUS that had it */
	uint64_t told_ns;
	uint64_t told_delivered;	/* `delivered' in the last STATUS on this leg */
	bool told_blocked;	/* likewise */
	uint64_t pace_ns;	/* time between two STATUS for a small advance */
	bool queued;		/* its path is full in one direction: STATUS must not add to it */
};

struct pooled {
	struct reassembly_buffer buffer;	/* first, so that its address is the pooled's */
	size_t used;			/* bytes asked for */
	size_t mapped;			/* bytes of its mapping; 0 = from malloc */
	uint8_t bytes[];
};

/* [I] immutable, [w] under lock, [a] atomic. */
struct rx {
	struct half_owner owner;	/* [I] */
	struct command *command;	/* [I] the consumer, or NULL */
	int fd;				/* [I] the consumer; owned, closed by the writer */
	bool pipe;			/* [I] the consumer is a pipe */
	bool socket;			/* [I] or a socket */
	bool shuts;			/* [I] its end is a shutdown of writing */
	bool lenient;			/* [I] see rx_lenient */
	bool unwatched;			/* [I] see rx_unwatched */
	struct lock lock;
	/*
	 * The writer waits until reassembly_writable, or reassembly_complete, or stopped.
	 * Signalled by the thread that changes one of them.
	 */
	struct lock_cond work;
	struct reassembly reassembly;	/* [w] */
	bool direct;			/* [w] legs may move bytes themselves */
	bool checked;			/* [w] */
	uint32_t frame;			/* [w] the largest that was agreed on */
	atomic_bool stopped;		/* [a] set under lock: nothing is written any more */
	bool closed;			/* [w] fd is closed */
	bool watching;			/* [w] rx_look is using fd */
	bool broken;			/* [w] the command stopped reading too early */
	uint64_t content_ns;		/* [w] since when the command takes no more; 0 = it does */
	uint64_t digest_said;		/* [w] the digest in FIN */
	uint64_t write_ns;		/* [w] since when the writer is in a write; 0 = it is not */
	uint64_t next;			/* [w] how far the sender said that it has sent */
	uint64_t told_delivered;	/* [w] in the last STATUS on any leg */
	struct leg *last;		/* [w] the leg that last brought stream bytes */
	struct leg *soon;		/* [w] the leg that waits for the turn */
	struct rx_leg leg[FRAME_LEGS];	/* [w] */
	bool queued[FRAME_PATHS];	/* [w] the path's legs were, when last looked at */
	uint64_t least_ns[FRAME_PATHS];	/* [w] least round trip of a path's legs; 0 = unknown */
	bool known[FRAME_LEGS];		/* [w] joined at least once */
	bool full;			/* [w] the turn's leg waits for the consumer */
	bool idle;			/* [w] all has arrived, the sender waits for its source */
	struct bottleneck bottleneck;	/* [w] */
	uint64_t spoilt;		/* [w] */
	struct pooled *pool[POOL_BUFFERS];	/* [w] last in, first out */
	unsigned pooled;		/* [w] */
	size_t pool_bytes;		/* [w] */
	size_t live;			/* [w] bytes of buffers in use */
	size_t slack;			/* [w] */
	struct leg *staged;		/* [w] the leg that has the staging pipe, or NULL */
	struct staging staging;		/* only that leg uses it */
	struct digest digest;		/* only the holder of the turn uses it */
	uint64_t digested;		/* likewise: stream bytes in the digest */
};

/* Buffers */

/*
 * All but small ones are mapped, so that what is given back is given back to the
 * system: with a heap for each thread the holes of a full window add up.  Small ones
 * are not kept in the pool, as one of them at the top of a heap holds all of it.
 */
static struct pooled *
pooled_new(size_t n)
{
	size_t size = sizeof(struct pooled) + n;
	struct pooled *p;

	if (n < MAPPED_MIN) {
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
 * The consumer reads no more, and the stream goes on: nowhere.  Whoever writes to fd
 * meanwhile has the one or the other.
 */
static void
read_no_more(struct rx *rx)
{
	int fd;

	lock_acquire(&rx->lock);
	while (rx->watching)
		lock_wait(&rx->work, &rx->lock);
	fd = rx->closed ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (fd != -1) {
		dup2(fd, rx->fd);
		net_close_on_exec(rx->fd);
		close(fd);
	}
	lock_release(&rx->lock);
}

/*
 * The command has ended, or has closed its input and goes on.  If it succeeded,
 * nothing is to do here: finish waits for it, and rx_look notices if it ended before
 * the stream.
 */
static void
command_over(void *cookie)
{
	char text[FRAME_TEXT_MAX + 1];
	struct rx *rx = cookie;
	uint64_t delivered;
	bool broken;

	if (rx->lenient) {
		read_no_more(rx);
		lock_acquire(&rx->lock);
		delivered = rx->reassembly.cursor;
		lock_release(&rx->lock);
		rx->owner.done(rx->owner.cookie, delivered, 0);
		return;
	}

	lock_acquire(&rx->lock);
	broken = rx->broken;
	lock_release(&rx->lock);
	if (!broken && command_end(rx->command) == COMMAND_WELL)
		return;
	rx_stop(rx);
	command_text(rx->command, text, sizeof(text));
	rx->owner.failed(rx->owner.cookie, FAIL_COMMAND, text);
}

struct rx *
rx_new(const struct half_owner *owner, struct command *command, int fd)
{
	struct rx *rx = calloc(1, sizeof(*rx));
	struct stat st;

	if (rx == NULL)
		return NULL;
	rx->owner = *owner;
	rx->command = command;
	if (rx->command != NULL)
		command_watch(rx->command, command_over, rx);
	rx->fd = fd;
	rx->pipe = fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
	rx->socket = fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
#ifdef SPLICE_F_MOVE
	rx->direct = rx->pipe;
#endif
#ifdef F_SETPIPE_SZ
	/* May fail: fd is no pipe, or the user's limit is used up. */
	fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
#endif
	lock_init(&rx->lock);
	lock_cond_init(&rx->work);
	reassembly_init(&rx->reassembly, 1u << 20);
	staging_init(&rx->staging);
	digest_init(&rx->digest);
	return rx;
}

static void
pool_drop_oldest_locked(struct rx *rx)
{
	struct pooled *p = rx->pool[0];

	rx->pooled--;
	rx->pool_bytes -= p->buffer.size;
	memmove(&rx->pool[0], &rx->pool[1], rx->pooled * sizeof(rx->pool[0]));
	pooled_free(p);
}

/*
 * How many bytes may be kept for the next use.  Those in use are at most the window,
 * SLACK_MAX and copies, so memory stays below the window plus a constant.
 */
static size_t
pool_max_locked(const struct rx *rx)
{
	uint64_t all = rx->reassembly.window + POOL_OVER;
	uint64_t room = rx->live < all ? all - rx->live : 0;
	size_t most = rx->live + POOL_BYTES < POOL_SUM ? POOL_SUM - rx->live : POOL_BYTES;

	return room < most ? (size_t)room : most;
}

/* Called by reassembly.c, so under the lock. */
static void
release_locked(struct reassembly_buffer *buffer, void *cookie)
{
	struct pooled *p = (struct pooled *)buffer;
	struct rx *rx = cookie;
	size_t most;

	rx->slack -= buffer->size - p->used;
	rx->live -= buffer->size;
	most = pool_max_locked(rx);
	if (p->mapped == 0 || buffer->size > most) {
		pooled_free(p);
		return;
	}
	/* Drop the oldest, so that sizes that are not asked for any more do not stay. */
	while (rx->pooled == POOL_BUFFERS || rx->pool_bytes + buffer->size > most)
		pool_drop_oldest_locked(rx);
	rx->pool[rx->pooled++] = p;
	rx->pool_bytes += buffer->size;
}

/*
 * The youngest buffer that fits.  When many are in use, one without much waste; when
 * few are, any, so that the same cached buffers serve frames of all sizes.
 */
static struct pooled *
pool_take_locked(struct rx *rx, size_t n)
{
	struct pooled *p;
	unsigned i = rx->pooled;
	size_t most = n + SLACK_MAX - rx->slack;

	if (rx->live >= FEW_BYTES && most > n + n / 8)
		most = n + n / 8;
	while (i-- > 0) {
		p = rx->pool[i];
		if (p->buffer.size < n || p->buffer.size > most)
			continue;
		rx->pooled--;
		rx->pool_bytes -= p->buffer.size;
		memmove(&rx->pool[i], &rx->pool[i + 1],
		    (rx->pooled - i) * sizeof(rx->pool[0]));
		return p;
	}
	return NULL;
}

static bool
crowded_locked(const struct rx *rx)
{
	return rx->live > rx->reassembly.window + SPARE_BYTES + 2 * (uint64_t)rx->frame;
}

/*
 * When too many buffers are in use, a frame that delivery waits for still gets one,
 * and the leg whose incomplete frame is the last in the stream loses its buffer.
 */
static struct leg *
make_room_locked(const struct rx *rx, const struct leg *leg)
{
	unsigned i, last = FRAME_LEGS;

	if (!crowded_locked(rx))
		return NULL;
	for (i = 0; i < FRAME_LEGS; i++)
		if (i != leg->number && rx->leg[i].keeps > 0 &&
		    (last == FRAME_LEGS || rx->leg[i].keeps_at > rx->leg[last].keeps_at))
			last = i;
	return last == FRAME_LEGS ? NULL : rx->leg[last].leg;
}

struct reassembly_buffer *
rx_buffer(struct rx *rx, struct leg *leg, uint64_t seq, size_t n)
{
	struct rx_leg *l = &rx->leg[leg->number];
	struct leg *other;
	size_t size = n;
	struct pooled *p;

	lock_acquire(&rx->lock);
	other = make_room_locked(rx, leg);
	l->keeps = n;
	l->keeps_at = seq;
	p = pool_take_locked(rx, n);
	if (p != NULL)
		rx->slack += p->buffer.size - n;
	else if (rx->live < FEW_BYTES && n >= LARGE_MIN && n < LARGE &&
	    LARGE - n <= SLACK_MAX - rx->slack)
		size = LARGE;
	rx->live += p != NULL ? p->buffer.size : size;
	rx->slack += p != NULL ? 0 : size - n;
	/* What is kept makes room for what is used. */
	while (rx->pool_bytes > pool_max_locked(rx))
		pool_drop_oldest_locked(rx);
	lock_release(&rx->lock);
	if (other != NULL)
		leg_pending(other, PENDING_ROOM);
	if (p == NULL) {
		p = pooled_new(size);
		if (p == NULL) {
			lock_acquire(&rx->lock);
			l->keeps = 0;
			rx->live -= size;
			rx->slack -= size - n;
			lock_release(&rx->lock);
			return NULL;
		}
		p->buffer.size = size;
		p->buffer.data = p->bytes;
		p->buffer.release = release_locked;
		p->buffer.cookie = rx;
	}
	p->used = n;
	p->buffer.users = 1;
	return &p->buffer;
}

void
rx_buffer_drop(struct rx *rx, struct leg *leg, struct reassembly_buffer *buffer)
{
	lock_acquire(&rx->lock);
	rx->leg[leg->number].keeps = 0;
	release_locked(buffer, rx);
	lock_release(&rx->lock);
}

/* Notes what rx waits for; called after each change of the state that decides it. */
static void
bottleneck_locked(struct rx *rx)
{
	enum bottleneck_kind on = BOTTLENECK_NETWORK;

	if (rx->write_ns != 0 || rx->full || reassembly_writable(&rx->reassembly) ||
	    reassembly_complete(&rx->reassembly))
		on = BOTTLENECK_CONSUMER;
	else if (rx->idle && rx->reassembly.stored == 0)
		on = BOTTLENECK_SOURCE;
	if (on != rx->bottleneck.on)
		bottleneck_set(&rx->bottleneck, on, clock_now_ns());
}

void
rx_waited(struct rx *rx, uint64_t until_ns, uint64_t waited_ns[BOTTLENECK_KINDS])
{
	lock_acquire(&rx->lock);
	bottleneck_sums(&rx->bottleneck, until_ns, waited_ns);
	lock_release(&rx->lock);
}

uint32_t
rx_waited_ms(struct rx *rx, uint64_t until_ns)
{
	uint32_t ms;

	lock_acquire(&rx->lock);
	ms = bottleneck_ms(&rx->bottleneck, BOTTLENECK_CONSUMER, until_ns);
	lock_release(&rx->lock);
	return ms;
}

void
rx_heard(struct rx *rx, const struct heartbeat *heartbeat)
{
	lock_acquire(&rx->lock);
	if (heartbeat->next > rx->next)
		rx->next = heartbeat->next;
	rx->idle = heartbeat->idle &&
	    reassembly_contiguous(&rx->reassembly) >= heartbeat->next;
	bottleneck_locked(rx);
	bottleneck_told(&rx->bottleneck, heartbeat->waited_ms, clock_now_ns());
	lock_release(&rx->lock);
}

void
rx_full(struct rx *rx)
{
	lock_acquire(&rx->lock);
	rx->full = true;
	bottleneck_locked(rx);
	lock_release(&rx->lock);
}

/* Session */

void
rx_agree(struct rx *rx, uint64_t window, uint32_t frame, bool checked)
{
	lock_acquire(&rx->lock);
	reassembly_free(&rx->reassembly);
	reassembly_init(&rx->reassembly, window);
	digest_init(&rx->digest);
	rx->digested = rx->digest_said = 0;
	rx->checked = checked;
	rx->frame = frame;
	memset(rx->leg, 0, sizeof(rx->leg));
	memset(rx->known, 0, sizeof(rx->known));
	memset(rx->queued, 0, sizeof(rx->queued));
	memset(rx->least_ns, 0, sizeof(rx->least_ns));
	rx->told_delivered = rx->next = 0;
	rx->last = rx->soon = NULL;
	rx->full = rx->idle = false;
	bottleneck_init(&rx->bottleneck, BOTTLENECK_SOURCE, clock_now_ns());
	lock_release(&rx->lock);
}

void
rx_join(struct rx *rx, struct leg *leg)
{
	struct rx_leg *l = &rx->leg[leg->number];

	lock_acquire(&rx->lock);
	memset(l, 0, sizeof(*l));
	l->leg = leg;
	l->up = true;
	l->incarnation = leg->incarnation;
	l->path = leg->path;
	l->pace_ns = STATUS_NS;
	l->queued = rx->queued[leg->path];
	rx->known[leg->number] = true;
	rx->last = leg;
	lock_release(&rx->lock);
}

/* Some leg that is up, to tell what was delivered; or NULL. */
static struct leg *
any_leg_locked(const struct rx *rx)
{
	unsigned i;

	for (i = 0; i < FRAME_LEGS; i++)
		if (rx->leg[i].up)
			return rx->leg[i].leg;
	return NULL;
}

bool
rx_part(struct rx *rx, struct leg *leg)
{
	struct rx_leg *l = &rx->leg[leg->number];
	struct leg *heir = NULL;
	bool brought;
	unsigned i;

	lock_acquire(&rx->lock);
	l->up = false;
	brought = l->received > 0;
	/* What it told, also for the other legs of its path, may be lost with it. */
	for (i = 0; i < FRAME_LEGS; i++)
		if (i != leg->number && rx->leg[i].path == leg->path)
			rx->leg[i].told = 0;
	if (rx->last == leg)
		rx->last = any_leg_locked(rx);
	if (l->told_delivered == rx->told_delivered || rx->last == NULL) {
		rx->told_delivered = 0;
		heir = rx->last;
	}
	if (rx->soon == leg)
		rx->soon = NULL;
	lock_release(&rx->lock);
	if (heir != NULL)
		wake_signal(&heir->wake);
	return brought;
}

void
rx_greeting(struct rx *rx, unsigned leg, struct hello *hello)
{
	lock_acquire(&rx->lock);
	hello->delivered = rx->reassembly.cursor;
	hello->received = rx->leg[leg].received;
	lock_release(&rx->lock);
}

/* Frames */

/* Counts verified stream bytes that a leg has brought. */
static void
brought_locked(struct rx *rx, struct leg *leg, uint64_t n)
{
	rx->leg[leg->number].received += n;
	rx->last = leg;
	atomic_fetch_add_explicit(&leg->bytes, n, memory_order_relaxed);
}

/* The turn may be free: wakes the writer, or returns the leg to wake, whose turn is next. */
static struct leg *
turn_free_locked(struct rx *rx)
{
	struct leg *soon = rx->soon;

	if (reassembly_writable(&rx->reassembly) || reassembly_complete(&rx->reassembly))
		lock_wake(&rx->work);
	if (rx->reassembly.turn != REASSEMBLY_NONE)
		return NULL;
	rx->soon = NULL;
	return soon;
}

/* A check covers the whole frame, so only a whole frame can go through the staging pipe. */
static bool
direct_locked(const struct rx *rx, uint64_t seq, enum rx_direct direct)
{
	return rx->direct && (direct == RX_DIRECT ||
	    (direct == RX_STAGED && rx->staged == NULL && !rx->staging.broken &&
	    seq >= rx->reassembly.cursor));
}

/*
 * The leg that has just got the turn gets the staging pipe, unless the digest is ahead
 * of the cursor, as a leg leaves it that dies in the middle of a verified frame.
 */
static bool
staging_locked(struct rx *rx, struct leg *leg)
{
	if (rx->digested != rx->reassembly.cursor)
		return false;
	rx->staged = leg;
	rx->staging.digest = rx->digest;
	return true;
}

static enum reassembly_way
way_locked(struct rx *rx, struct leg *leg, const struct rx_grant *g)
{
	int number = (int)leg->number;
	enum reassembly_way way = reassembly_begin(&rx->reassembly, number, g->seq, g->end,
	    direct_locked(rx, g->seq, g->direct));

	if (way == REASSEMBLY_DIRECT && g->direct == RX_STAGED && !staging_locked(rx, leg)) {
		reassembly_leave(&rx->reassembly, number);
		way = reassembly_begin(&rx->reassembly, number, g->seq, g->end, false);
	}
	return way;
}

static void
begin_locked(struct rx *rx, struct leg *leg, struct rx_grant *g)
{
	g->way = rx->stopped ? REASSEMBLY_DISCARD : way_locked(rx, leg, g);
	g->skip = g->way == REASSEMBLY_DIRECT ? rx->reassembly.cursor - g->seq : 0;
	if (g->way == REASSEMBLY_WAIT)
		rx->soon = leg;
	else if (rx->soon == leg)
		rx->soon = NULL;
}

static const char *
judge_locked(const struct rx *rx, uint64_t seq, uint64_t length)
{
	if (length > rx->frame)
		return "a frame larger than was agreed on";
	if (seq > rx->reassembly.cursor && crowded_locked(rx))
		return "more incomplete frames than the window allows";
	return reassembly_admit(&rx->reassembly, seq, (uint32_t)length);
}

const char *
rx_admit(struct rx *rx, struct leg *leg, struct rx_grant *grant)
{
	const char *why;

	lock_acquire(&rx->lock);
	why = judge_locked(rx, grant->seq, grant->end - grant->seq);
	if (why == NULL)
		begin_locked(rx, leg, grant);
	lock_release(&rx->lock);
	return why;
}

void
rx_begin(struct rx *rx, struct leg *leg, struct rx_grant *grant)
{
	lock_acquire(&rx->lock);
	begin_locked(rx, leg, grant);
	lock_release(&rx->lock);
}

/* The leg gives up the turn, if it has it.  Returns the leg to wake, or NULL. */
static struct leg *
leave_locked(struct rx *rx, const struct leg *leg)
{
	struct leg *soon;

	if (rx->reassembly.turn == (int)leg->number)
		rx->full = false;
	reassembly_leave(&rx->reassembly, (int)leg->number);
	bottleneck_locked(rx);
	soon = turn_free_locked(rx);
	return soon != leg ? soon : NULL;
}

void
rx_moved(struct rx *rx, struct leg *leg, uint64_t n, bool last)
{
	struct leg *soon = NULL;

	lock_acquire(&rx->lock);
	reassembly_moved(&rx->reassembly, n);
	brought_locked(rx, leg, n);
	rx->full = false;
	if (last && rx->staged == leg)
		rx->staged = NULL;
	if (last)
		soon = leave_locked(rx, leg);
	else
		bottleneck_locked(rx);
	lock_release(&rx->lock);
	if (soon != NULL)
		wake_signal(&soon->wake);
	rx->owner.progress(rx->owner.cookie);
}

bool
rx_wait(struct rx *rx, struct leg *leg)
{
	struct leg *soon = NULL;
	bool kept;

	lock_acquire(&rx->lock);
	kept = reassembly_wait(&rx->reassembly, (int)leg->number);
	if (!kept)
		soon = turn_free_locked(rx);
	lock_release(&rx->lock);
	if (soon != NULL)
		wake_signal(&soon->wake);
	return kept;
}

bool
rx_resume(struct rx *rx, struct leg *leg)
{
	bool kept;

	lock_acquire(&rx->lock);
	kept = reassembly_resume(&rx->reassembly, (int)leg->number);
	if (kept && rx->stopped) {
		reassembly_leave(&rx->reassembly, (int)leg->number);
		kept = false;
	}
	lock_release(&rx->lock);
	return kept;
}

void
rx_leave(struct rx *rx, struct leg *leg)
{
	struct leg *soon;

	lock_acquire(&rx->lock);
	soon = leave_locked(rx, leg);
	lock_release(&rx->lock);
	if (soon != NULL)
		wake_signal(&soon->wake);
}

bool
rx_stopped(const struct rx *rx)
{
	return atomic_load_explicit(&rx->stopped, memory_order_acquire);
}

struct staging *
rx_staging(struct rx *rx)
{
	return &rx->staging;
}

/* Called under the turn, so the digest is the leg's to change. */
void
rx_staging_right(struct rx *rx, uint64_t end)
{
	rx->digest = rx->staging.digest;
	rx->digested = end;
}

void
rx_staging_leave(struct rx *rx)
{
	lock_acquire(&rx->lock);
	rx->staged = NULL;
	lock_release(&rx->lock);
}

int
rx_output(const struct rx *rx)
{
	return rx->fd;
}

void
rx_indirect(struct rx *rx)
{
	lock_acquire(&rx->lock);
	rx->direct = false;
	lock_release(&rx->lock);
}

const char *
rx_store(struct rx *rx, struct leg *leg, uint64_t seq, uint64_t end,
    struct reassembly_buffer *buffer)
{
	struct leg *soon;
	uint64_t repeated;
	bool news;
	int result;

	lock_acquire(&rx->lock);
	rx->leg[leg->number].keeps = 0;
	/* FIN may have come after this began. */
	if (reassembly_beyond(&rx->reassembly, end)) {
		release_locked(buffer, rx);
		lock_release(&rx->lock);
		return "a frame beyond the end of the stream";
	}
	repeated = rx->reassembly.repeated;
	result = reassembly_store(&rx->reassembly, seq, end, buffer);
	news = rx->reassembly.repeated - repeated < end - seq;
	brought_locked(rx, leg, end - seq);
	bottleneck_locked(rx);
	soon = turn_free_locked(rx);
	lock_release(&rx->lock);
	if (soon != NULL)
		wake_signal(&soon->wake);
	if (result == -1)
		rx_fail_memory(rx);
	if (news)
		rx->owner.progress(rx->owner.cookie);
	return NULL;
}

void
rx_discarded(struct rx *rx, struct leg *leg, uint64_t n, bool last)
{
	bool again;

	lock_acquire(&rx->lock);
	brought_locked(rx, leg, n);
	/* After rx_stop everything is discarded, not only what came before. */
	again = !rx->stopped;
	if (again)
		reassembly_voided(&rx->reassembly, n);
	lock_release(&rx->lock);
	if (again && last)
		atomic_fetch_add_explicit(&leg->resent, 1, memory_order_relaxed);
}

void
rx_spoilt(struct rx *rx)
{
	lock_acquire(&rx->lock);
	rx->spoilt++;
	lock_release(&rx->lock);
}

const char *
rx_fin(struct rx *rx, uint64_t total, const struct fin *fin)
{
	const char *why;

	lock_acquire(&rx->lock);
	why = rx->reassembly.total_known && fin->digest != rx->digest_said ?
	    "another digest of the stream than before" : reassembly_fin(&rx->reassembly, total);
	if (why == NULL) {
		rx->digest_said = fin->digest;
		rx->idle = false;
		bottleneck_locked(rx);
		bottleneck_told(&rx->bottleneck, fin->waited_ms, clock_now_ns());
		turn_free_locked(rx);
	}
	lock_release(&rx->lock);
	return why;
}

/* Status */

/* From the last write to the outcome, rx waits for the consumer to take it all. */
static bool
blocked_locked(const struct rx *rx, uint64_t now)
{
	return reassembly_complete(&rx->reassembly) ||
	    (rx->write_ns != 0 && now - rx->write_ns > BLOCKED_NS);
}

/*
 * How often STATUS is worth its bytes.  A sender without an acknowledgement for a quarter
 * of a round trip still sends.  With a queue on the way there or back, what is said
 * more often than once in a round trip arrives no sooner, and takes the room of the
 * kernel's acknowledgements; the sender allows for that (delivery_rate.c).
 */
void
rx_pace(struct rx *rx, const struct leg *leg, uint64_t rtt_ns, uint64_t least_ns)
{
	struct rx_leg *l = &rx->leg[leg->number];
	uint64_t *least = &rx->least_ns[leg->path], pace;

	lock_acquire(&rx->lock);
	/* A leg that joined a full path has seen no other round trip. */
	if (least_ns != 0 && (*least == 0 || least_ns < *least))
		*least = least_ns;
	l->queued = *least != 0 && rtt_ns > *least + *least / 2 + STATUS_QUEUE_NS;
	rx->queued[leg->path] = l->queued;
	pace = l->queued ? rtt_ns : rtt_ns / 4;
	l->pace_ns = pace < STATUS_NS ? STATUS_NS : pace > STATUS_LONG_NS ? STATUS_LONG_NS : pace;
	lock_release(&rx->lock);
}

/* So many bytes are worth a STATUS at any time. */
static uint64_t
step(const struct rx_leg *l)
{
	uint64_t n = l->received / 64;

	return l->queued || n > STATUS_MAX ? STATUS_MAX : n < STATUS_MIN ? STATUS_MIN : n;
}

uint64_t
rx_status_due(struct rx *rx, const struct leg *leg, uint64_t now_ns)
{
	const struct rx_leg *l = &rx->leg[leg->number];
	uint64_t fresh, advance = 0, due;

	lock_acquire(&rx->lock);
	fresh = l->received - l->told;
	/* The leg that last brought something tells it; if that is gone, any. */
	if (rx->last == leg || rx->last == NULL)
		advance = rx->reassembly.cursor - rx->told_delivered;
	if (fresh == 0 && advance == 0)
		due = UINT64_MAX;
	else if (fresh >= step(l) || advance >= rx->reassembly.window / 8 ||
	    now_ns - l->told_ns >= l->pace_ns)
		due = 0;
	else
		due = l->told_ns + l->pace_ns;
	lock_release(&rx->lock);
	return due;
}

bool
rx_has_news(struct rx *rx, const struct leg *leg)
{
	const struct rx_leg *l = &rx->leg[leg->number];
	uint64_t now = clock_now_ns();
	bool news;

	lock_acquire(&rx->lock);
	news = l->received != l->told || rx->reassembly.cursor != l->told_delivered ||
	    l->told_blocked || blocked_locked(rx, now);
	lock_release(&rx->lock);
	return news;
}

/*
 * Whether the STATUS on `leg' also speaks for leg number i: if it does, that one needs
 * none of its own where each costs.
 */
static bool
speaks_for(const struct rx *rx, const struct leg *leg, unsigned i)
{
	const struct rx_leg *l = &rx->leg[leg->number], *other = &rx->leg[i];

	return i == leg->number || (l->queued && rx->known[i] && other->path == l->path &&
	    other->received != other->told);
}

void
rx_status(struct rx *rx, const struct leg *leg, struct status *status)
{
	struct rx_leg *l = &rx->leg[leg->number];
	uint64_t now = clock_now_ns();
	struct status_entry *e;
	unsigned i;

	lock_acquire(&rx->lock);
	status->delivered = rx->told_delivered = l->told_delivered = rx->reassembly.cursor;
	status->limit = rx->reassembly.cursor + rx->reassembly.window;
	status->blocked = l->told_blocked = blocked_locked(rx, now);
	status->waited_ms = bottleneck_ms(&rx->bottleneck, BOTTLENECK_CONSUMER, now);
	status->count = 0;
	for (i = 0; i < FRAME_LEGS; i++) {
		if (!speaks_for(rx, leg, i))
			continue;
		e = &status->entry[status->count++];
		e->leg = (uint16_t)i;
		e->incarnation = rx->leg[i].incarnation;
		e->received = rx->leg[i].told = rx->leg[i].received;
		rx->leg[i].told_ns = now;
	}
	lock_release(&rx->lock);
}

bool
rx_owed(struct rx *rx, uint64_t next)
{
	bool owed;

	lock_acquire(&rx->lock);
	owed = reassembly_contiguous(&rx->reassembly) < next;
	lock_release(&rx->lock);
	return owed;
}

bool
rx_brought(struct rx *rx, const struct leg *leg)
{
	bool brought;

	lock_acquire(&rx->lock);
	brought = rx->leg[leg->number].received > 0;
	lock_release(&rx->lock);
	return brought;
}

bool
rx_lacks(struct rx *rx)
{
	uint64_t have;
	bool lacks;

	lock_acquire(&rx->lock);
	have = reassembly_contiguous(&rx->reassembly);
	lacks = have == 0 || have < rx->next;
	lock_release(&rx->lock);
	return lacks;
}

void
rx_state(struct rx *rx, struct rx_state *state)
{
	uint64_t now = clock_now_ns();

	lock_acquire(&rx->lock);
	state->delivered = rx->reassembly.cursor;
	state->stored = rx->reassembly.stored;
	state->window = rx->reassembly.window;
	state->repeated = rx->reassembly.repeated;
	state->spoilt = rx->spoilt;
	state->blocked = blocked_locked(rx, now);
	state->complete = reassembly_complete(&rx->reassembly);
	lock_release(&rx->lock);
}

/* The consumer */

/* Unread bytes in a pipe, or unacknowledged ones of a socket; 0 if the system cannot tell. */
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

/* How many bytes the consumer has not taken yet. */
static int
undrained(const struct rx *rx)
{
	return rx->pipe ? pipe_holds(rx->fd) : rx->socket ? socket_holds(rx->fd) : 0;
}

/*
 * Has the consumer taken everything?  A socket whose reader closes discards what it
 * holds, and then only its error, which is set before that, shows it.
 */
static bool
taken(const struct rx *rx)
{
	struct pollfd p = { .fd = rx->fd, .events = 0 };

	return undrained(rx) == 0 && (!rx->socket || poll(&p, 1, 0) < 1 ||
	    (p.revents & POLLERR) == 0);
}

/* Failure */

void
rx_fail_memory(struct rx *rx)
{
	rx_stop(rx);
	half_fail_errno(&rx->owner, FAIL_RESOURCE, "cannot keep a frame", ENOMEM);
}

/*
 * How a command ends says more than that it no longer reads, and may be known a
 * moment later, so ask for that.
 */
void
rx_fail_consumer(struct rx *rx)
{
	if (rx->lenient) {
		read_no_more(rx);
		return;
	}
	rx_stop(rx);
	if (rx->command != NULL) {
		lock_acquire(&rx->lock);
		rx->broken = true;
		lock_release(&rx->lock);
		command_ask(rx->command);
		return;
	}
	half_fail(&rx->owner, FAIL_CONSUMER,
	    "the reader of standard output has closed it");
}

void
rx_stop(struct rx *rx)
{
	lock_acquire(&rx->lock);
	rx->stopped = true;
	lock_wake_all(&rx->work);
	lock_release(&rx->lock);
}

/*
 * A command that exited 0, or closed its input, before FIN may have known the end
 * from the stream itself: if it has read all that there was, FIN gets some time to
 * arrive.  That time does not run while no leg is up.
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
 * poll reports that the reader of a pipe or socket is gone even if no event was asked
 * for.
 */
void
rx_look(struct rx *rx, bool up)
{
	struct pollfd p = { .fd = rx->fd, .events = 0 };
	bool look, gone, complete, drained;

	lock_acquire(&rx->lock);
	look = rx->watching = !rx->closed && !rx->stopped && !rx->unwatched;
	lock_release(&rx->lock);
	if (!look)
		return;
	gone = (poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0) ||
	    (rx->command != NULL && command_end(rx->command) == COMMAND_WELL);
	/* A consumer that has taken everything may be gone. */
	lock_acquire(&rx->lock);
	complete = reassembly_complete(&rx->reassembly);
	lock_release(&rx->lock);
	drained = taken(rx);
	if (complete && drained)
		gone = false;
	lock_acquire(&rx->lock);
	if (gone && drained && content_locked(rx, up, clock_now_ns()))
		gone = false;
	rx->watching = false;
	lock_wake_all(&rx->work);
	lock_release(&rx->lock);
	if (gone)
		rx_fail_consumer(rx);
}

/* The writer */

/* All is written and the consumer is not done: lets a STATUS tell the sender. */
static void
tell_waiting(struct rx *rx)
{
	struct leg *last;

	lock_acquire(&rx->lock);
	last = rx->last;
	lock_release(&rx->lock);
	if (last != NULL)
		leg_pending(last, PENDING_STATUS);
}

/*
 * Waits until the consumer has taken everything.  No system can wait until a pipe is
 * empty, so this polls, at longer and longer intervals up to 50 ms.  false: the
 * consumer is gone, or rx is stopped.
 */
static bool
drain(struct rx *rx)
{
	struct pollfd p = { .fd = rx->fd, .events = 0 };
	struct timespec ts = { .tv_sec = 0, .tv_nsec = 200000 };
	bool stopped = false;

	if (!taken(rx))
		tell_waiting(rx);
	while (!taken(rx) && !stopped) {
		if ((poll(&p, 1, 0) == 1 && (p.revents & (POLLERR | POLLHUP)) != 0) ||
		    (rx->command != NULL && command_end(rx->command) == COMMAND_WELL)) {
			/* It may have taken the rest just before it closed. */
			if (rx->unwatched || taken(rx))
				return true;
			rx_fail_consumer(rx);
			if (!rx->lenient)
				return false;
		}
		nanosleep(&ts, NULL);
		if (ts.tv_nsec < 50000000)
			ts.tv_nsec += ts.tv_nsec / 4;
		lock_acquire(&rx->lock);
		stopped = rx->stopped;
		lock_release(&rx->lock);
	}
	return !stopped;
}

static bool
close_output(struct rx *rx)
{
	lock_acquire(&rx->lock);
	while (rx->watching)
		lock_wait(&rx->work, &rx->lock);
	rx->closed = true;
	lock_release(&rx->lock);
	if (rx->command != NULL)
		command_whole(rx->command);
	if (rx->shuts)
		shutdown(rx->fd, SHUT_WR);
	if (close(rx->fd) == 0 || errno == EINTR)
		return true;
	half_fail_errno(&rx->owner, FAIL_OUTPUT, "cannot close standard output", errno);
	return false;
}

/*
 * Waits until the command has ended, which may take hours after the end of its input.
 * false: it failed, and the failure was reported.
 */
static bool
content(struct rx *rx)
{
	bool well;

	if (rx->command == NULL)
		return true;
	tell_waiting(rx);
	lock_acquire(&rx->lock);
	rx->write_ns = clock_now_ns();
	bottleneck_locked(rx);
	lock_release(&rx->lock);
	well = command_wait(rx->command);
	lock_acquire(&rx->lock);
	rx->write_ns = 0;
	lock_release(&rx->lock);
	/* With lenient command_over says so. */
	return well && !rx->lenient;
}

/* The stream is complete.  DONE follows only if every step here succeeds. */
static void
finish(struct rx *rx)
{
	uint64_t mine = digest_value(&rx->digest);

	if (rx->checked && mine != rx->digest_said) {
		half_fail(&rx->owner, FAIL_DIGEST,
		    "the digest of what was written is %016llx, of what was read %016llx",
		    (unsigned long long)mine, (unsigned long long)rx->digest_said);
		return;
	}
	if (drain(rx) && close_output(rx) && content(rx))
		rx->owner.done(rx->owner.cookie, rx->reassembly.total, mine);
}

/* One write; the bytes written, or -1 after the failure was reported. */
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
			poll(&p, 1, -1);	/* another process made it non-blocking */
		else if (errno != EINTR)
			break;
	}
	if (errno == EPIPE || errno == ECONNRESET)
		rx_fail_consumer(rx);
	else {
		rx_stop(rx);
		half_fail_errno(&rx->owner, FAIL_OUTPUT, "cannot write standard output",
		    errno);
	}
	return -1;
}

static int
fill(struct iovec *iov, const struct reassembly_piece *piece, size_t count)
{
	size_t left = WRITE_MAX, n;
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

/* Adds n written bytes from seq on; the first of them may be in the digest already. */
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

/* Under the turn, without the lock. */
static ssize_t
write_pieces(struct rx *rx, const struct reassembly_piece *piece, size_t count)
{
	struct iovec iov[WRITE_PIECES];
	int n = fill(iov, piece, count);
	ssize_t put = write_some(rx, iov, n);

	if (put > 0 && rx->checked)
		digest_written(rx, piece[0].seq, iov, (size_t)put);
	return put;
}

/* The leg that should send STATUS, if delivery has advanced enough. */
static struct leg *
teller_locked(const struct rx *rx)
{
	uint64_t news = rx->reassembly.cursor - rx->told_delivered;

	if (news == 0 || (news < rx->reassembly.window / 16 && rx->reassembly.stored > 0))
		return NULL;
	return rx->last;
}

static void *
writer(void *argument)
{
	struct reassembly_piece piece[WRITE_PIECES];
	struct rx *rx = argument;
	struct leg *teller, *soon;
	size_t count;
	ssize_t put;

	lock_acquire(&rx->lock);
	for (;;) {
		while (!rx->stopped && !reassembly_writable(&rx->reassembly) &&
		    !reassembly_complete(&rx->reassembly))
			lock_wait(&rx->work, &rx->lock);
		if (rx->stopped || reassembly_complete(&rx->reassembly))
			break;
		count = reassembly_write(&rx->reassembly, piece, WRITE_PIECES);
		rx->write_ns = clock_now_ns();
		bottleneck_locked(rx);
		lock_release(&rx->lock);
		put = count > 0 ? write_pieces(rx, piece, count) : 0;
		lock_acquire(&rx->lock);
		rx->write_ns = 0;
		reassembly_written(&rx->reassembly, put > 0 ? (uint64_t)put : 0);
		bottleneck_locked(rx);
		teller = teller_locked(rx);
		soon = turn_free_locked(rx);
		lock_release(&rx->lock);
		if (teller != NULL)
			wake_signal(&teller->wake);
		if (soon != NULL && soon != teller)
			wake_signal(&soon->wake);
		lock_acquire(&rx->lock);
	}
	put = !rx->stopped;
	lock_release(&rx->lock);
	if (put)
		finish(rx);
	return NULL;
}

void
rx_lenient(struct rx *rx)
{
	rx->lenient = true;
}

void
rx_unwatched(struct rx *rx)
{
	rx->unwatched = true;
}

void
rx_shuts(struct rx *rx)
{
	rx->shuts = true;
}

int
rx_start(struct rx *rx)
{
	return thread_start_detached("viamillipede-w", writer, rx);
}
