/*
 * tx: the sending half.  See tx.h.  The reader is a thread of this file; everything
 * else runs in the legs' threads.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "tx.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "command.h"
#include "core/control.h"
#include "core/delivery_rate.h"
#include "core/leg_count.h"
#include "core/limit.h"
#include "core/rtt.h"
#include "crypto/digest.h"
#include "leg.h"
#include "options.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/log.h"
#include "sys/net.h"
#include "sys/thread.h"

#define PIPE_SIZE	(1 << 20)
#define PIPE_RECORD	4096u		/* PIPE_BUF, the largest packet of a pipe */
#define RECORD_MAX	(1u << 20)	/* longest record that is read whole */
#define SMALL		(64u << 10)	/* less than this is worth waiting for */
#define SEND_LIMIT_FIRST	(8u << 20)	/* stays in the processor's cache, more or less */
#define LATE_LONG_NS	800000000ULL
#define LATE_MIN_NS	(200 * MS)
#define SLOW_NS		(10 * MS)	/* a leg with this much time's work in flight is slow */
#define ACK_NS		(100 * MS)	/* beyond two round trips: STATUS at long intervals */
#define THIN_RATE	450000u		/* bytes a second; see thin_locked */
#define THIN_PERIODS	4u
#define NEAR_NS		(2 * MS)	/* a shorter round trip is scheduling, not distance */
#define SPILL_NS	(120 * MS)	/* data that waited so long for a path may go on the next */
#define BACKLOG_NS	(100 * MS)	/* better paths keep what they carry in this time */
#define BACKLOG_MIN	(256u << 10)
#define HELD_NS		5000000000ULL	/* time after which that is logged */
#define LOOK_NS		50000000ULL	/* how often a leg without work looks for late frames */
#define AHEAD_NS	(2 * MS)	/* with `prompt': of the legs' rate */
#define AHEAD_FIRST	(64u << 10)
#define AHEAD_MIN	4096u
#define AHEAD_MAX	(1u << 20)
#define HURRY_NS	(2 * SECOND)
#define HURRY_FRAME_NS	(2 * MS)	/* then a frame holds what a leg carries in this time, */
#define HURRY_FRAME_MIN	4096u
#define HURRY_LIMIT	(32u << 10)	/* and a leg may carry so much in any case */

struct tx_path {
	struct leg_count leg_count;
	struct rtt rtt;
	struct limit limit;
	struct control control;
	unsigned looks;		/* in the period */
	unsigned limited;	/* of them: data waited for the network */
	bool window;		/* legs waited for room in the window in the period */
	bool thin;		/* one leg is used: others would only cost */
	uint64_t rate;		/* its smoothed rate, bytes a second */
	unsigned full;		/* periods that let it look so */
	uint64_t bytes;		/* total that the receiver got through this path */
	bool spare;		/* it has one leg, ssh's own connection, and never more */
};

/* [I] immutable, [w] under lock, [r] only the reader's thread. */
struct tx {
	struct half_owner owner;	/* [I] */
	struct command *command;	/* [I] the source, or NULL */
	int fd;				/* [I] the source; not owned */
	bool with_digest;		/* [I] */
	struct lock lock;
	/*
	 * The reader waits for the handshake (`agreed'), and for room:
	 * window_room would return some.  Signalled by the thread that completes the
	 * handshake or reports acknowledged bytes.
	 */
	struct lock_cond room;		/* and until the legs have taken enough */
	bool reader_waits;		/* [w] for the window */
	bool reader_rests;		/* [w] it is far enough ahead of the legs */
	atomic_size_t ahead;		/* [a] how far that is; 0: as far as the window lets it */
	atomic_ullong hurry_ns;		/* [a] until then tx_hurry holds */
	bool agreed;			/* [w] a receiver has taken the session */
	bool stopped;			/* [w] the transfer has failed: no FIN */
	struct window window;		/* [w] */
	struct delivery_rate delivery_rate[FRAME_LEGS];	/* [w] */
	struct leg *leg[FRAME_LEGS];	/* [w] those that are up */
	uint16_t rank[FRAME_LEGS];	/* [w] their numbers, preferred first */
	unsigned ranked;		/* [w] */
	uint16_t path_of[FRAME_LEGS];	/* [w] the path that it uses */
	uint16_t place[FRAME_LEGS];	/* [w] how many legs of that path are before it */
	struct tx_path path[OPTIONS_PATHS_MAX];	/* [w] */
	unsigned paths;			/* [w] paths below this number had a leg */
	uint64_t aged;			/* [w] what is ready below this offset was ready ... */
	uint64_t aged_ns;		/* [w] ... at this time */
	uint64_t watch_ns;		/* [w] when a leg without work was last woken to watch */
	/* [w] a leg has waited for room in the window since the last tx_leg_count */
	bool window_limited;
	uint64_t counted_ns;		/* [w] when that was */
	uint32_t source_ms;		/* [w] how long tx had waited for the source then */
	bool idle[FRAME_LEGS];		/* [w] asked for work and got none */
	bool called[FRAME_LEGS];	/* [w] was woken for work, has not asked yet */
	bool leaving[FRAME_LEGS];	/* [w] gets no more work */
	bool spare[FRAME_LEGS];		/* [w] gets work only while no other leg can take it */
	struct limit_counters counters[FRAME_LEGS];	/* [w] the kernel's last counters */
	bool heeds;			/* [I] the legs' congestion control slows down for a loss */
	bool blocked;			/* [w] the receiver's consumer is slow */
	bool starved;			/* [w] the reader waits for the source */
	uint64_t held_ns;		/* [w] when its command ended; 0 = not yet, 1 = logged */
	struct bottleneck bottleneck;	/* [w] */
	struct digest digest;		/* [r] */
	size_t least;			/* [I] a shorter read may cut a record of the source */
	bool messages;			/* [I] the source is a socket that reports cut records */
	uint8_t *record;		/* [r] `least' bytes, for a record longer than the room */
	size_t record_at;		/* [r] bytes of it that are in the window */
	size_t record_have;		/* [r] its length; 0 = there is none */
};

/* May we choose the congestion control, is there another, and what is the system's default? */
static bool
control_may(const struct options *options, bool *heeds)
{
	const char *fixed = options_congestion(options);
	char usual[NET_CONGESTION];
	bool other = net_congestion_usual(CONTROL_OTHER, usual);

	*heeds = strncmp(fixed[0] != '\0' ? fixed : usual, "bbr", 3) != 0;
	return other && *heeds && strcmp(options->congestion, "auto") == 0;
}

/* More legs may be up than are used, see path.c.  A caller's paths are not known here. */
static void
paths_begin(struct tx *tx, const struct tx_setup *setup)
{
	bool may = control_may(setup->options, &tx->heeds);
	unsigned i;

	for (i = 0; i < OPTIONS_PATHS_MAX; i++) {
		leg_count_init(&tx->path[i].leg_count, 1, setup->legs);
		limit_init(&tx->path[i].limit);
		control_init(&tx->path[i].control, may);
	}
}

/* The source command has ended.  If it succeeded, the reader will find out by itself. */
static void
command_over(void *cookie)
{
	char text[FRAME_TEXT_MAX + 1];
	struct tx *tx = cookie;

	if (command_end(tx->command) != COMMAND_ILL)
		return;
	command_text(tx->command, text, sizeof(text));
	tx->owner.failed(tx->owner.cookie, FAIL_COMMAND, text);
}

/*
 * Sources with records (a pipe in packet mode, a socket that keeps records, a tape)
 * lose what a read leaves of a record, so every read must ask for a whole one.
 * 0, or -1 with errno: datagrams have no end of file and may be lost.
 */
static int
look_at_source(struct tx *tx)
{
	socklen_t size = sizeof(int);
	struct stat st;
	int type = 0;

	tx->least = 1;
	if (fstat(tx->fd, &st) == -1)
		return 0;	/* the first read will fail and say why */
	if (S_ISFIFO(st.st_mode))
		tx->least = PIPE_RECORD;
	else if (S_ISCHR(st.st_mode))
		tx->least = RECORD_MAX;
	if (!S_ISSOCK(st.st_mode) ||
	    getsockopt(tx->fd, SOL_SOCKET, SO_TYPE, &type, &size) == -1 || type == SOCK_STREAM)
		return 0;
	if (type != SOCK_SEQPACKET) {
		errno = EPROTOTYPE;
		return -1;
	}
	tx->least = RECORD_MAX;
	tx->messages = true;
	return 0;
}

struct tx *
tx_new(const struct tx_setup *setup)
{
	struct tx *tx = calloc(1, sizeof(*tx));
	unsigned i;

	if (tx == NULL)
		return NULL;
	if (window_init(&tx->window, setup->window, setup->all ? 0 : SEND_LIMIT_FIRST,
	    setup->frame) == -1) {
		free(tx);
		errno = ENOMEM;
		return NULL;
	}
	tx->owner = setup->owner;
	tx->command = setup->command;
	if (tx->command != NULL)
		command_watch(tx->command, command_over, tx);
	tx->fd = setup->fd;
	if (look_at_source(tx) == -1) {
		window_free(&tx->window);
		free(tx);
		return NULL;
	}
	tx->with_digest = setup->digest;
	atomic_init(&tx->ahead, setup->prompt ? AHEAD_FIRST : 0);
	atomic_init(&tx->hurry_ns, 0);
	lock_init(&tx->lock);
	lock_cond_init(&tx->room);
	digest_init(&tx->digest);
	for (i = 0; i < FRAME_LEGS; i++)
		delivery_rate_init(&tx->delivery_rate[i]);
	paths_begin(tx, setup);
#ifdef F_SETPIPE_SZ
	/* May fail: fd is no pipe, or the user's limit is used up. */
	fcntl(tx->fd, F_SETPIPE_SZ, setup->prompt ? (int)AHEAD_FIRST : PIPE_SIZE);
#endif
	return tx;
}

/* Notes what tx waits for; called after each change of the state that decides it. */
static void
bottleneck_locked(struct tx *tx)
{
	const struct window *w = &tx->window;
	enum bottleneck_kind on = BOTTLENECK_NETWORK;

	if (tx->starved && w->end == w->next && ranges_count(&w->lost) == 0)
		on = BOTTLENECK_SOURCE;
	else if (tx->blocked || w->base - w->delivered > w->send_limit / 4 ||
	    (w->eof && w->base == w->end))
		on = BOTTLENECK_CONSUMER;
	if (on != tx->bottleneck.on)
		bottleneck_set(&tx->bottleneck, on, clock_now_ns());
}

void
tx_waited(struct tx *tx, uint64_t until_ns, uint64_t waited_ns[BOTTLENECK_KINDS])
{
	lock_acquire(&tx->lock);
	bottleneck_sums(&tx->bottleneck, until_ns, waited_ns);
	lock_release(&tx->lock);
}

/* Which leg */

/* Bytes that more preferred legs were woken for and are about to take. */
static uint64_t
claimed_locked(const struct tx *tx, unsigned number)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < tx->ranked && tx->rank[i] != number; i++)
		if (tx->called[tx->rank[i]])
			sum += tx->delivery_rate[tx->rank[i]].frame;
	return sum;
}

/* How long data waits for more preferred paths: each of these is given its time. */
static uint64_t
spill_locked(const struct tx *tx, unsigned number)
{
	unsigned i, path = FRAME_PATHS, better = 0;

	for (i = 0; i < tx->ranked && tx->path_of[tx->rank[i]] < tx->path_of[number]; i++) {
		better += tx->path_of[tx->rank[i]] != path;
		path = tx->path_of[tx->rank[i]];
	}
	return (better > 0 ? better : 1) * SPILL_NS;
}

/* Bytes that more preferred paths will carry soon. */
static uint64_t
reserved_locked(const struct tx *tx, unsigned number)
{
	uint64_t rate = 0, most = tx->window.send_limit / 4, sum;
	bool better = false;
	unsigned i, n;

	for (i = 0; i < tx->ranked; i++) {
		n = tx->rank[i];
		if (tx->path_of[n] >= tx->path_of[number])
			break;
		better = true;
		rate += tx->delivery_rate[n].rate;
	}
	if (!better)
		return 0;
	sum = rate / (SECOND / BACKLOG_NS);
	if (sum < BACKLOG_MIN)
		sum = BACKLOG_MIN;
	if (tx_ahead(tx) != 0 && most > tx_ahead(tx) / 2)
		most = tx_ahead(tx) / 2;
	return sum < most ? sum : most;
}

static bool
late_leg(const struct tx *tx, unsigned number, uint64_t now)
{
	const struct window_leg *leg = &tx->window.leg[number];

	return leg->count > 0 && leg->late_ns != 0 &&
	    now - leg->ring[leg->head].sent_ns > leg->late_ns;
}

/* A late leg gets nothing new while there is a leg that is not late. */
static bool
shunned_locked(const struct tx *tx, unsigned number, uint64_t now)
{
	unsigned i;

	if (!late_leg(tx, number, now))
		return false;
	for (i = 0; i < tx->ranked; i++)
		if (!late_leg(tx, tx->rank[i], now))
			return true;
	return false;
}

/*
 * A busy leg does not take a small piece: it waits until there is more to send, or
 * until it gets an acknowledgement.
 */
static bool
too_little(const struct window *w, uint64_t ready, uint64_t in_flight)
{
	return ready < SMALL && in_flight >= SMALL && !w->eof && w->limit > w->end &&
	    ranges_count(&w->lost) == 0;
}

static unsigned
legs_of(const struct tx_path *p)
{
	return p->thin ? 1 : p->leg_count.legs;
}

/* The leg is among those that its path should use. */
static bool
used_locked(const struct tx *tx, unsigned number)
{
	return tx->place[number] < legs_of(&tx->path[tx->path_of[number]]);
}

/*
 * Notes since when the oldest of what is ready waits.  Called whenever a leg takes or is
 * called, so a mark that was passed is renewed before it is looked at.
 */
static void
age_locked(struct tx *tx, uint64_t now)
{
	const struct window *w = &tx->window;

	if (ranges_count(&w->lost) == 0 && w->next >= tx->aged) {
		tx->aged = w->next + window_ready(w);
		tx->aged_ns = now;
	}
}

/*
 * ssh's own connection carries the first bytes, and goes on where nothing else does: while
 * another leg is up and not late, it gets nothing.
 */
static bool
spared_locked(const struct tx *tx, unsigned number, uint64_t now)
{
	unsigned i, n;

	for (i = 0; i < tx->ranked && tx->spare[number]; i++) {
		n = tx->rank[i];
		if (!tx->spare[n] && !late_leg(tx, n, now))
			return true;
	}
	return false;
}

static bool
hurried(const struct tx *tx, uint64_t now)
{
	return now < atomic_load_explicit(&tx->hurry_ns, memory_order_relaxed);
}

static uint32_t
hurry_frame(const struct delivery_rate *d)
{
	uint64_t n = d->rate / (SECOND / HURRY_FRAME_NS);

	return n < HURRY_FRAME_MIN ? HURRY_FRAME_MIN : n < d->frame ? (uint32_t)n : d->frame;
}

/*
 * What a leg may have in flight.  In a hurry little more than the bandwidth-delay product:
 * what is beyond that only waits, on the path or in the socket.
 */
static uint64_t
limit_locked(const struct tx *tx, unsigned number, uint64_t now)
{
	const struct delivery_rate *d = &tx->delivery_rate[number];
	uint64_t rate = delivery_rate_mean(d), delay = delivery_rate_delay(d), n;

	if (!hurried(tx, now) || d->rate == 0)
		return d->limit;
	if (delay > d->rtt_ns / 4)
		delay = d->rtt_ns / 4;
	n = rate / 1000 * ((d->rtt_ns + d->rtt_ns / 4 + delay) / 1000) / 1000 +
	    2 * hurry_frame(d);
	n = n < HURRY_LIMIT ? HURRY_LIMIT : n;
	return n < d->limit ? n : d->limit;
}

static uint32_t
frame_locked(const struct tx *tx, unsigned number, uint64_t now)
{
	const struct delivery_rate *d = &tx->delivery_rate[number];

	return hurried(tx, now) ? hurry_frame(d) : d->frame;
}

/* May this leg take data that is ready?  This is where the order of preference is enforced. */
static bool
may_take_locked(const struct tx *tx, unsigned number, uint64_t now)
{
	const struct window *w = &tx->window;
	uint64_t in_flight = window_in_flight(w, number);
	uint64_t ready = window_ready(w);

	if (tx->leaving[number] || spared_locked(tx, number, now) ||
	    in_flight >= limit_locked(tx, number, now) ||
	    (tx_ahead(tx) == 0 && too_little(w, ready, in_flight)) || !used_locked(tx, number))
		return false;
	if (ready == 0)
		return true;
	if (shunned_locked(tx, number, now))
		return false;
	if (now - tx->aged_ns > spill_locked(tx, number))
		return true;
	return ready > claimed_locked(tx, number) && ready > reserved_locked(tx, number);
}

/* The most preferred leg that has no work and may take some, marked as called; or NULL. */
static struct leg *
call_locked(struct tx *tx, uint64_t now)
{
	unsigned i, n;

	age_locked(tx, now);
	for (i = 0; i < tx->ranked; i++) {
		n = tx->rank[i];
		if (tx->idle[n] && may_take_locked(tx, n, now)) {
			tx->idle[n] = false;
			tx->called[n] = true;
			return tx->leg[n];
		}
	}
	return NULL;
}

/* Wakes a leg without work now and then, to watch for late legs. */
static struct leg *
watcher_locked(struct tx *tx, uint64_t now)
{
	unsigned i;

	if (now - tx->watch_ns < LOOK_NS)
		return NULL;
	tx->watch_ns = now;
	for (i = 0; i < tx->ranked; i++)
		if (tx->idle[tx->rank[i]])
			return tx->leg[tx->rank[i]];
	return NULL;
}

/* A leg has taken a frame, or has found nothing. */
static void
took_locked(struct tx *tx, unsigned n, const struct window_frame *frame, uint64_t now)
{
	if (frame->kind == WINDOW_NONE) {
		tx->idle[n] = true;
		if (window_ready(&tx->window) == 0)
			tx->window_limited = tx->window_limited || tx->reader_waits;
		return;
	}
	if (window_in_flight(&tx->window, n) == frame->length)
		delivery_rate_begin(&tx->delivery_rate[n], tx->window.leg[n].received, now);
}

enum window_kind
tx_take(struct tx *tx, struct leg *leg, struct window_frame *frame)
{
	uint64_t now;
	unsigned n = leg->number;
	struct leg *other = NULL;
	bool failed = false;

	frame->kind = WINDOW_NONE;
	frame->length = 0;
	lock_acquire(&tx->lock);
	/* After what other legs have noted. */
	now = clock_now_ns();
	tx->called[n] = false;
	tx->idle[n] = false;
	age_locked(tx, now);
	if (may_take_locked(tx, n, now))
		failed = window_take(&tx->window, n, frame_locked(tx, n, now), now, frame) == -1;
	took_locked(tx, n, frame, now);
	if (window_ready(&tx->window) > claimed_locked(tx, FRAME_LEGS))
		other = call_locked(tx, now);
	if (other == NULL && frame->kind == WINDOW_DATA)
		other = watcher_locked(tx, now);
	if (tx->reader_rests && window_ready(&tx->window) < tx_ahead(tx))
		lock_wake(&tx->room);
	bottleneck_locked(tx);
	lock_release(&tx->lock);
	if (other != NULL && other != leg)
		wake_signal(&other->wake);
	if (failed) {
		half_fail_errno(&tx->owner, FAIL_RESOURCE, "cannot keep a frame", ENOMEM);
		return WINDOW_NONE;
	}
	return frame->kind;
}

void
tx_release(struct tx *tx, struct window_chunk *chunk)
{
	lock_acquire(&tx->lock);
	window_release(&tx->window, chunk);
	lock_release(&tx->lock);
}

uint64_t
tx_fin(struct tx *tx, struct fin *fin)
{
	uint64_t total;

	lock_acquire(&tx->lock);
	fin->digest = tx->window.digest;
	fin->waited_ms = bottleneck_ms(&tx->bottleneck, BOTTLENECK_SOURCE, clock_now_ns());
	total = tx->window.end;
	lock_release(&tx->lock);
	return total;
}

/* Legs come and go */

static void
wake_all(struct leg *list[], unsigned n)
{
	while (n > 0)
		wake_signal(&list[--n]->wake);
}

/* All legs ask for work again: bytes were lost, or credit came. */
static unsigned
call_all_locked(struct tx *tx, struct leg *list[])
{
	uint64_t now = clock_now_ns();
	unsigned n = 0;
	struct leg *leg;

	while (n < FRAME_LEGS && window_ready(&tx->window) > claimed_locked(tx, FRAME_LEGS) &&
	    (leg = call_locked(tx, now)) != NULL)
		list[n++] = leg;
	return n;
}

/* After a change of the ranks: counts each leg's place on its path. */
static void
places_locked(struct tx *tx)
{
	unsigned i, n, place = 0;

	for (i = 0; i < tx->ranked; i++) {
		n = tx->rank[i];
		if (i > 0 && tx->path_of[n] != tx->path_of[tx->rank[i - 1]])
			place = 0;
		tx->place[n] = (uint16_t)place++;
	}
}

/* Preferred first: by the place of the path on the command line, then by number. */
static void
rank_locked(struct tx *tx, unsigned number)
{
	unsigned i = tx->ranked++, n;

	for (; i > 0; i--) {
		n = tx->rank[i - 1];
		if (tx->path_of[n] < tx->path_of[number] ||
		    (n < number && tx->path_of[n] == tx->path_of[number]))
			break;
		tx->rank[i] = (uint16_t)n;
	}
	tx->rank[i] = (uint16_t)number;
	places_locked(tx);
}

static void
unrank_locked(struct tx *tx, unsigned number)
{
	unsigned i = 0;

	while (i < tx->ranked && tx->rank[i] != number)
		i++;
	if (i == tx->ranked)
		return;
	tx->ranked--;
	memmove(&tx->rank[i], &tx->rank[i + 1], (tx->ranked - i) * sizeof(tx->rank[0]));
	places_locked(tx);
}

void
tx_agree(struct tx *tx, uint64_t window, uint32_t frame, bool checked)
{
	lock_acquire(&tx->lock);
	/* Where this is not what tx_new was told, the reader waits for it: see await_receiver. */
	if (tx->with_digest != checked)
		tx->with_digest = checked;
	window_agree(&tx->window, window, frame);
	tx->agreed = true;
	bottleneck_init(&tx->bottleneck, BOTTLENECK_CONSUMER, clock_now_ns());
	bottleneck_locked(tx);
	lock_wake_all(&tx->room);
	lock_release(&tx->lock);
}

/* A first guess of a new leg's rate, from the other legs of its path. */
static void
guess_locked(struct tx *tx, unsigned number)
{
	uint64_t rate = 0;
	unsigned i, n;

	for (i = 0; i < tx->ranked; i++) {
		n = tx->rank[i];
		if (tx->path_of[n] == tx->path_of[number] && tx->delivery_rate[n].rate > rate)
			rate = tx->delivery_rate[n].rate;
	}
	delivery_rate_guess(&tx->delivery_rate[number], rate);
}

/* A thin path's rate is not shared with other legs, so it is not halved. */
static void
guess_thin_locked(struct tx *tx, const struct leg *leg)
{
	if (leg->thin_rate != 0)
		delivery_rate_guess(&tx->delivery_rate[leg->number], 2 * leg->thin_rate);
}

/*
 * A greeting gave a round trip.  If the path has other legs, it may include their
 * queue, so it does not replace what they measured.
 */
static void
greeted_locked(struct tx *tx, unsigned path, uint64_t rtt_ns, uint64_t now)
{
	unsigned i = 0;

	while (i < tx->ranked && tx->path_of[tx->rank[i]] != path)
		i++;
	if (i == tx->ranked)
		rtt_begin(&tx->path[path].rtt, rtt_ns, now);
	else
		rtt_sample(&tx->path[path].rtt, rtt_ns, 0, now);
}

/* Tells the window a leg's rate and when its segments are late. */
static void
judge_locked(struct tx *tx, unsigned n, bool moved, uint64_t now)
{
	struct window_leg *leg = &tx->window.leg[n];
	uint64_t least = tx->delivery_rate[n].rtt_ns, rtt = least, late;
	uint64_t delay = delivery_rate_delay(&tx->delivery_rate[n]);

	/* With the queue that stands on the path, which is no leg's fault, but not for long. */
	if (rtt < tx->counters[n].rtt_us * 1000ULL)
		rtt = tx->counters[n].rtt_us * 1000ULL;
	if (rtt > 2 * least)
		rtt = 2 * least;
	late = 4 * rtt;
	if (late > LATE_LONG_NS)
		late = 2 * least > LATE_LONG_NS ? 2 * least : LATE_LONG_NS;
	if (late < LATE_MIN_NS)
		late = LATE_MIN_NS;
	leg->late_ns = late + (delay < 2 * least + ACK_NS ? delay : 2 * least + ACK_NS);
	leg->rate = delivery_rate_mean(&tx->delivery_rate[n]);
	if (moved)
		leg->moved_ns = now;
}

bool
tx_join(struct tx *tx, struct leg *leg, uint64_t rtt_ns)
{
	unsigned n = leg->number;
	uint64_t now = clock_now_ns();
	const struct rtt *rtt;
	bool good;

	lock_acquire(&tx->lock);
	good = window_leg_up(&tx->window, n, leg->incarnation) == 0;
	if (good) {
		if (tx->path_of[n] != leg->path)
			delivery_rate_init(&tx->delivery_rate[n]);
		greeted_locked(tx, leg->path, rtt_ns, now);
		rtt = &tx->path[leg->path].rtt;
		delivery_rate_restart(&tx->delivery_rate[n], rtt->least_ns, now);
		delivery_rate_rtt(&tx->delivery_rate[n], rtt->least_ns, rtt_probing(rtt));
		tx->leg[n] = leg;
		tx->idle[n] = tx->called[n] = tx->leaving[n] = false;
		tx->spare[n] = tx->path[leg->path].spare = leg->piped;
		tx->path_of[n] = (uint16_t)leg->path;
		memset(&tx->counters[n], 0, sizeof(tx->counters[n]));
		if (leg->path >= tx->paths)
			tx->paths = leg->path + 1;
		guess_thin_locked(tx, leg);
		guess_locked(tx, n);
		judge_locked(tx, n, false, 0);
		rank_locked(tx, n);
		if (tx->path[leg->path].leg_count.since_ns == 0)
			leg_count_begin(&tx->path[leg->path].leg_count, tx->path[leg->path].bytes,
			    rtt_ns,
			    clock_now_ns());
	}
	lock_release(&tx->lock);
	if (!good)
		half_fail_errno(&tx->owner, FAIL_RESOURCE, "cannot add a leg", ENOMEM);
	return good;
}

void
tx_part(struct tx *tx, struct leg *leg)
{
	struct leg *list[FRAME_LEGS];
	unsigned n = leg->number, count;
	bool failed;

	lock_acquire(&tx->lock);
	unrank_locked(tx, n);
	tx->leg[n] = NULL;
	tx->idle[n] = tx->called[n] = false;
	delivery_rate_end(&tx->delivery_rate[n], tx->window.leg[n].received, clock_now_ns());
	failed = window_leg_down(&tx->window, n) == -1;
	count = call_all_locked(tx, list);
	bottleneck_locked(tx);
	lock_release(&tx->lock);
	wake_all(list, count);
	if (failed)
		half_fail_errno(&tx->owner, FAIL_RESOURCE, "cannot note what was lost", ENOMEM);
}

void
tx_leave(struct tx *tx, struct leg *leg)
{
	struct leg *list[FRAME_LEGS];
	unsigned count;

	lock_acquire(&tx->lock);
	unrank_locked(tx, leg->number);
	tx->leaving[leg->number] = true;
	count = call_all_locked(tx, list);
	lock_release(&tx->lock);
	wake_all(list, count);
}

/* What the receiver reports */

static const char *
entries_locked(struct tx *tx, const struct status *status, uint64_t now, uint64_t *newly_acked,
    bool *failed)
{
	const struct status_entry *e;
	const char *why;
	uint64_t n, before;
	unsigned i;

	for (i = 0; i < status->count; i++) {
		e = &status->entry[i];
		before = tx->window.leg[e->leg].received;
		why = window_received(&tx->window, e, &n, failed);
		if (why != NULL)
			return why;
		*newly_acked += n;
		tx->path[tx->path_of[e->leg]].bytes += n;
		if (tx->window.leg[e->leg].up &&
		    tx->window.leg[e->leg].incarnation == e->incarnation)
			delivery_rate_received(&tx->delivery_rate[e->leg], e->received,
			    window_in_flight(&tx->window, e->leg), now);
		judge_locked(tx, e->leg, tx->window.leg[e->leg].received != before, now);
	}
	return NULL;
}

/*
 * How long a slow leg may take for what it is given, while later bytes arrive on
 * other legs and wait at the receiver: until the leg has sent all that it may have
 * in flight, and is late, so that its frames are copied.
 */
static uint64_t
behind(const struct delivery_rate *p)
{
	uint64_t ns = p->rate == 0 ? 0 : p->limit * 1000000 / (p->rate / 1000 + 1);

	if (ns < SLOW_NS)
		return 0;
	return ns < LATE_MIN_NS ? ns : LATE_MIN_NS;
}

/* What the legs carry in two round trips of each: a loss is repaired within that. */
static uint64_t
under_way_locked(const struct tx *tx)
{
	const struct delivery_rate *r;
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < tx->ranked; i++) {
		r = &tx->delivery_rate[tx->rank[i]];
		if (used_locked(tx, tx->rank[i]) && r->rtt_ns > NEAR_NS)
			sum += r->rate / 1000 * (r->rtt_ns / 1000) / 1000 * 2;
	}
	return sum;
}

/*
 * How much of the window the network needs: the sum of the legs' rates times the
 * longest round trip, twice, for connections that look for a higher rate, and the
 * same again for what waits behind a hole until it is filled a round trip later; or
 * what the other legs carry while the slowest delivers what it has.
 */
static uint64_t
need_locked(const struct tx *tx)
{
	uint64_t rate = 0, rtt = 0, slow = 0, ns;
	const struct delivery_rate *p;
	unsigned i, used = 0;

	for (i = 0; i < tx->ranked; i++) {
		p = &tx->delivery_rate[tx->rank[i]];
		rate += p->rate;
		if (p->rtt_ns > rtt && p->rtt_ns > NEAR_NS)
			rtt = p->rtt_ns;
		if (!used_locked(tx, tx->rank[i]))
			continue;
		used++;
		ns = behind(p);
		slow = ns > slow ? ns : slow;
	}
	ns = 4 * rtt;
	if (used > 1 && 2 * slow > ns)
		ns = 2 * slow;
	return rate / 1000 * (ns / 1000) / 1000;
}

/* Applies a STATUS that window_judge found possible. */
static const char *
heed_locked(struct tx *tx, const struct status *status, uint64_t *newly_acked, bool *failed)
{
	const char *why = entries_locked(tx, status, clock_now_ns(), newly_acked, failed);
	uint64_t before = tx->window.delivered, more = 0;

	if (why == NULL)
		why = window_delivered(&tx->window, status->delivered, status->limit, &more,
		    failed);
	*newly_acked += more + tx->window.delivered - before;
	return why;
}

/* *settled: everything that was sent is acknowledged. */
static const char *
heed(struct tx *tx, const struct status *status, uint64_t *newly_acked, bool *settled)
{
	struct leg *list[FRAME_LEGS];
	bool failed = false, grown = false;
	uint64_t send_limit = 0;
	unsigned count = 0;
	const char *why;

	lock_acquire(&tx->lock);
	why = window_judge(&tx->window, status);
	if (why == NULL)
		why = heed_locked(tx, status, newly_acked, &failed);
	if (why == NULL) {
		tx->blocked = status->blocked;
		bottleneck_told(&tx->bottleneck, status->waited_ms, clock_now_ns());
		grown = window_stretch(&tx->window, need_locked(tx));
		window_hole(&tx->window, under_way_locked(tx));
		send_limit = tx->window.send_limit;
		count = call_all_locked(tx, list);
	}
	*settled = window_settled(&tx->window);
	if (tx->reader_waits)
		lock_wake(&tx->room);
	bottleneck_locked(tx);
	lock_release(&tx->lock);
	wake_all(list, count);
	if (grown)
		log_line(LOG_DECISION, "using %llu MiB of the window: the network holds that much",
		    (unsigned long long)(send_limit >> 20));
	if (failed)
		half_fail_errno(&tx->owner, FAIL_RESOURCE, "cannot note what arrived", ENOMEM);
	return why;
}

bool
tx_settled(struct tx *tx)
{
	bool settled;

	lock_acquire(&tx->lock);
	settled = window_settled(&tx->window);
	lock_release(&tx->lock);
	return settled;
}

void
tx_done(struct tx *tx, const struct done *done)
{
	lock_acquire(&tx->lock);
	bottleneck_told(&tx->bottleneck, done->waited_ms, clock_now_ns());
	lock_release(&tx->lock);
}

const char *
tx_status(struct tx *tx, const struct status *status)
{
	uint64_t newly_acked = 0;
	bool settled;
	const char *why = heed(tx, status, &newly_acked, &settled);

	if (newly_acked > 0 || settled)
		tx->owner.progress(tx->owner.cookie);
	return why;
}

/*
 * A leg that is lost before its first STATUS acknowledges nothing, but the greeting
 * of its next incarnation does.  A greeting that acknowledges nothing is no progress.
 */
const char *
tx_greeted(struct tx *tx, uint64_t delivered)
{
	struct status status = { .delivered = delivered };
	uint64_t newly_acked = 0;
	const char *why;
	bool settled;

	lock_acquire(&tx->lock);
	status.limit = delivered + tx->window.window;
	status.blocked = tx->blocked;
	status.waited_ms = 0;
	lock_release(&tx->lock);
	why = heed(tx, &status, &newly_acked, &settled);
	if (newly_acked > 0)
		tx->owner.progress(tx->owner.cookie);
	return why;
}

/* tx waits for the consumer: much has arrived in order and is not delivered. */
static bool
consumer_slow_locked(const struct tx *tx)
{
	return tx->window.base - tx->window.delivered > tx->window.send_limit / 4;
}

/* The most legs that a path may have: the total less what the others use. */
static void
shares_locked(struct tx *tx, unsigned all)
{
	unsigned used = 0, i;

	for (i = 0; i < tx->paths; i++)
		used += tx->path[i].leg_count.legs;
	for (i = 0; i < tx->paths; i++) {
		struct leg_count *t = &tx->path[i].leg_count;

		t->most = all > used ? t->legs + all - used : t->legs;
	}
}

/* The rate that the congestion windows of a path's connections allow. */
static uint64_t
window_rate_locked(const struct tx *tx, unsigned path)
{
	const struct limit_counters *c;
	uint64_t sum = 0;
	unsigned i, n;

	for (i = 0; i < tx->ranked; i++) {
		n = tx->rank[i];
		c = &tx->counters[n];
		if (tx->path_of[n] == path && used_locked(tx, n) && c->rtt_us != 0)
			sum += c->window * 1000000 / c->rtt_us;
	}
	return sum;
}

static unsigned
up_locked(const struct tx *tx, unsigned path)
{
	unsigned i, n = 0;

	for (i = 0; i < tx->ranked; i++)
		n += tx->path_of[tx->rank[i]] == path;
	return n;
}

/*
 * A path that is full at so low a rate carries little in the other direction, too:
 * acknowledgements are a fiftieth of what they acknowledge.  There the heartbeats of more
 * legs are a visible share, and one leg fills it.
 */
static bool
thin_locked(struct tx_path *p, enum limit_kind kind, uint64_t rate)
{
	/* Acknowledgements that come seldom make a single period's rate a chance. */
	p->rate = p->rate == 0 ? rate : p->rate - p->rate / 8 + rate / 8;
	if (p->rate >= THIN_RATE * (p->thin ? 2 : 1) || (kind != LIMIT_PATH && kind != LIMIT_NONE &&
	    kind != LIMIT_APPLICATION))
		p->full = 0;
	else if (kind == LIMIT_PATH && p->full < THIN_PERIODS)
		p->full++;
	p->thin = p->full == THIN_PERIODS;
	return p->thin;
}

/* A path's period is over: decides the number of legs and their congestion control. */
static const char *
path_step_locked(struct tx *tx, unsigned i, uint64_t now)
{
	struct tx_path *p = &tx->path[i];
	uint64_t rate = leg_count_rate(&p->leg_count, p->bytes, now);
	struct leg_count_seen seen = {
		.window = p->window, .bytes = p->bytes, .up = up_locked(tx, i),
		.window_rate = window_rate_locked(tx, i), .rtt_ns = p->rtt.least_ns
	};
	const char *why;

	seen.limit = limit_judge(&p->limit, 2 * p->limited > p->looks,
	    tx->heeds && !p->control.other, p->rtt.least_ns);
	seen.loss = p->limit.loss;
	seen.slow_start = p->limit.slow_start;
	p->looks = p->limited = 0;
	p->window = false;
	/* In a hurry legs carry less than they could, and more of them would seem to help. */
	if (thin_locked(p, seen.limit, rate) || hurried(tx, now)) {
		leg_count_again(&p->leg_count, p->bytes, now);
		return NULL;
	}
	why = control_step(&p->control, seen.limit, rate, seen.window_rate);
	if (why != NULL || control_busy(&p->control)) {
		leg_count_again(&p->leg_count, p->bytes, now);
		return why;
	}
	return leg_count_step(&p->leg_count, &seen, now);
}

/* What was decided about a path, or NULL. */
static const char *
path_look_locked(struct tx *tx, unsigned i, bool limited, uint64_t now)
{
	struct tx_path *p = &tx->path[i];
	uint64_t rtt = p->rtt.least_ns;

	if (p->spare)
		return NULL;
	p->looks++;
	p->limited += limited;
	p->window = p->window || tx->window_limited;
	if (p->leg_count.since_ns == 0) {
		if (rtt != 0)
			leg_count_begin(&p->leg_count, p->bytes, rtt, now);
		p->looks = p->limited = 0;
		p->window = false;
		return NULL;
	}
	return leg_count_over(&p->leg_count, rtt, now) ? path_step_locked(tx, i, now) : NULL;
}

/* Since the last call data has waited for the network rather than the network for data. */
static bool
network_limits_locked(struct tx *tx, uint64_t now)
{
	uint32_t ms = bottleneck_ms(&tx->bottleneck, BOTTLENECK_SOURCE, now);
	uint64_t source = (ms - tx->source_ms) * MS, took = now - tx->counted_ns;

	tx->source_ms = ms;
	tx->counted_ns = now;
	return 2 * source < took && !consumer_slow_locked(tx);
}

size_t
tx_ahead(const struct tx *tx)
{
	return atomic_load_explicit(&tx->ahead, memory_order_relaxed);
}

void
tx_hurry(struct tx *tx)
{
	atomic_store_explicit(&tx->hurry_ns, clock_now_ns() + HURRY_NS, memory_order_relaxed);
}

/* With `prompt': a new bound after the legs' rates have changed, or the same. */
static size_t
ahead_locked(const struct tx *tx)
{
	uint64_t rate = 0;
	size_t ahead = AHEAD_MIN;
	unsigned i;

	for (i = 0; i < tx->ranked; i++)
		rate += tx->delivery_rate[tx->rank[i]].rate;
	if (tx_ahead(tx) == 0 || rate == 0)
		return tx_ahead(tx);
	while (ahead < AHEAD_MAX && ahead < rate / (SECOND / AHEAD_NS))
		ahead *= 2;
	return ahead;
}

static void
set_ahead(struct tx *tx, size_t ahead)
{
	if (ahead == tx_ahead(tx))
		return;
	atomic_store_explicit(&tx->ahead, ahead, memory_order_relaxed);
#ifdef F_SETPIPE_SZ
	/* May fail while more than that is in it. */
	fcntl(tx->fd, F_SETPIPE_SZ, (int)ahead);
#endif
}

bool
tx_leg_count(struct tx *tx, unsigned wanted[], unsigned n, unsigned most)
{
	enum limit_kind kind[OPTIONS_PATHS_MAX];
	const char *why[OPTIONS_PATHS_MAX];
	unsigned legs[OPTIONS_PATHS_MAX];
	uint64_t now = clock_now_ns();
	bool limited, changed = false;
	unsigned paths, before, i;
	size_t ahead;

	lock_acquire(&tx->lock);
	limited = network_limits_locked(tx, now);
	paths = tx->paths;
	for (i = 0; i < paths; i++) {
		before = legs_of(&tx->path[i]);
		shares_locked(tx, most);
		why[i] = path_look_locked(tx, i, limited, now);
		kind[i] = tx->path[i].limit.kind;
		legs[i] = legs_of(&tx->path[i]);
		if (i < n)
			wanted[i] = legs[i];
		changed = changed || before != legs[i];
	}
	tx->window_limited = false;
	ahead = ahead_locked(tx);
	lock_release(&tx->lock);
	set_ahead(tx, ahead);
	for (i = 0; i < paths; i++)
		if (why[i] != NULL)
			log_line(LOG_DECISION, "path %u: %s (%u legs; limit: %s)", i, why[i],
			    legs[i], limit_name(kind[i]));
	return changed;
}

unsigned
tx_wanted(struct tx *tx, const struct leg *leg)
{
	unsigned legs;

	lock_acquire(&tx->lock);
	legs = legs_of(&tx->path[tx->path_of[leg->number]]);
	lock_release(&tx->lock);
	return legs < FRAME_LEGS ? legs : FRAME_LEGS;
}

void
tx_counters(struct tx *tx, const struct leg *leg, const struct limit_counters *counters,
    bool *other)
{
	unsigned n = leg->number;
	struct tx_path *p;

	lock_acquire(&tx->lock);
	p = &tx->path[tx->path_of[n]];
	limit_add(&p->limit, counters, &tx->counters[n], clock_now_ns());
	tx->counters[n] = *counters;
	*other = p->control.other;
	lock_release(&tx->lock);
}

unsigned
tx_paths(struct tx *tx, struct tx_path_state state[FRAME_PATHS])
{
	const struct tx_path *p;
	unsigned n, i;

	lock_acquire(&tx->lock);
	n = tx->paths;
	for (i = 0; i < n; i++) {
		p = &tx->path[i];
		state[i].limit = p->limit.kind;
		state[i].mostly = limit_mostly(&p->limit);
		state[i].legs = legs_of(p);
		state[i].other = p->control.other;
	}
	lock_release(&tx->lock);
	return n;
}

void
tx_control_refused(struct tx *tx)
{
	unsigned i;

	lock_acquire(&tx->lock);
	for (i = 0; i < OPTIONS_PATHS_MAX; i++)
		control_refused(&tx->path[i].control);
	lock_release(&tx->lock);
}

void
tx_rtt(struct tx *tx, const struct leg *leg, uint64_t rtt_ns, uint64_t asked_ns)
{
	struct leg *list[FRAME_LEGS];
	unsigned count = 0, path, i;
	struct rtt *rtt;

	lock_acquire(&tx->lock);
	path = tx->path_of[leg->number];
	rtt = &tx->path[path].rtt;
	if (rtt_sample(rtt, rtt_ns, asked_ns, clock_now_ns())) {
		for (i = 0; i < FRAME_LEGS; i++)
			if (tx->leg[i] != NULL && tx->path_of[i] == path)
				delivery_rate_rtt(&tx->delivery_rate[i], rtt->least_ns,
				    rtt_probing(rtt));
		count = call_all_locked(tx, list);
	}
	lock_release(&tx->lock);
	wake_all(list, count);
}

/* None of the path's legs has more in flight than it may have now. */
static bool
drained_locked(const struct tx *tx, unsigned path)
{
	unsigned i;

	for (i = 0; i < FRAME_LEGS; i++)
		if (tx->leg[i] != NULL && tx->path_of[i] == path &&
		    window_in_flight(&tx->window, i) >=
		    tx->delivery_rate[i].limit + tx->delivery_rate[i].frame)
			return false;
	return true;
}

uint64_t
tx_look_again(struct tx *tx, const struct leg *leg, uint64_t now_ns)
{
	bool waits;

	lock_acquire(&tx->lock);
	waits = tx->idle[leg->number] && tx->ranked > 1 &&
	    (!window_settled(&tx->window) || window_ready(&tx->window) > 0);
	lock_release(&tx->lock);
	return waits ? now_ns + LOOK_NS : UINT64_MAX;
}

void
tx_stop(struct tx *tx)
{
	lock_acquire(&tx->lock);
	tx->stopped = true;
	lock_release(&tx->lock);
}

/*
 * The source command has ended, and another process keeps its output open, perhaps by
 * mistake: tx waits for that as for any source, but logs it.
 */
void
tx_look(struct tx *tx)
{
	uint64_t now = clock_now_ns();
	bool held, tell = false;

	if (tx->command == NULL)
		return;
	held = command_end(tx->command) == COMMAND_WELL;
	lock_acquire(&tx->lock);
	if (!held || !tx->starved || tx->window.eof)
		tx->held_ns = tx->held_ns == 1 ? 1 : 0;
	else if (tx->held_ns == 0)
		tx->held_ns = now;
	else if (tx->held_ns != 1 && now - tx->held_ns >= HELD_NS) {
		tx->held_ns = 1;
		tell = true;
	}
	lock_release(&tx->lock);
	if (tell)
		log_line(LOG_LOSS,
		    "the command has ended, but a process that it started holds its output open");
}

void
tx_leg_state(struct tx *tx, const struct leg *leg, struct tx_leg_state *state)
{
	unsigned path;

	lock_acquire(&tx->lock);
	path = tx->path_of[leg->number];
	state->rate = tx->delivery_rate[leg->number].rate;
	state->in_flight = window_in_flight(&tx->window, leg->number);
	state->hungry = tx->idle[leg->number];
	state->ask = rtt_probing(&tx->path[path].rtt) && drained_locked(tx, path) &&
	    rtt_drained(&tx->path[path].rtt, clock_now_ns());
	lock_release(&tx->lock);
}

void
tx_state(struct tx *tx, struct tx_state *state)
{
	const struct window *w = &tx->window;

	lock_acquire(&tx->lock);
	state->read = w->end;
	state->next = w->next;
	state->acknowledged = w->base;
	state->delivered = w->delivered;
	state->kept = w->end - w->base;
	state->window = w->window;
	state->ready = window_ready(w);
	state->resent = w->resent;
	state->copied = w->copied;
	state->finished = w->eof;
	state->settled = window_settled(w);
	state->blocked = tx->blocked;
	state->starved = tx->starved;
	state->waited_ms = bottleneck_ms(&tx->bottleneck, BOTTLENECK_SOURCE, clock_now_ns());
	lock_release(&tx->lock);
}

/* The reader */

/* More can be read at once. */
static bool
more_waits(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

static ssize_t
read_message(int fd, uint8_t *to, size_t n)
{
	struct iovec iov = { to, n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t got = recvmsg(fd, &msg, 0);

	if (got == -1 || (msg.msg_flags & MSG_TRUNC) == 0)
		return got;
	errno = EMSGSIZE;
	return -1;
}

static ssize_t
read_some(struct tx *tx, uint8_t *to, size_t n)
{
	struct pollfd p = { .fd = tx->fd, .events = POLLIN };
	ssize_t got;

	for (;;) {
		got = tx->messages ? read_message(tx->fd, to, n) : read(tx->fd, to, n);
		if (got != -1)
			return got;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			poll(&p, 1, -1);	/* another process made it non-blocking */
		else if (errno != EINTR)
			return -1;
	}
}

/* Reads a record, or takes the rest of one, when there may be room only for a part. */
static ssize_t
read_record(struct tx *tx, uint8_t *to, size_t n)
{
	ssize_t got;

	if (tx->record == NULL && (tx->record = malloc(tx->least)) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	if (tx->record_have == 0) {
		got = read_some(tx, tx->record, tx->least);
		if (got <= 0)
			return got;
		tx->record_have = (size_t)got;
		tx->record_at = 0;
	}
	if (n > tx->record_have - tx->record_at)
		n = tx->record_have - tx->record_at;
	memcpy(to, tx->record + tx->record_at, n);
	tx->record_at += n;
	if (tx->record_at == tx->record_have)
		tx->record_have = 0;
	return (ssize_t)n;
}

/*
 * Reads into one piece of room until it is full or the source pauses, so that
 * not every write of the source makes a frame; when the source pauses, what was
 * read is sent at once.  Returns the bytes read.  *end and *error, an errno, say how
 * the source ended after them; the system reports an error only once.
 */
static size_t
read_piece(struct tx *tx, uint8_t *to, size_t n, bool *end, int *error)
{
	size_t have = 0;
	ssize_t got;

	do {
		got = tx->record_have > 0 || n - have < tx->least ?
		    read_record(tx, to + have, n - have) :
		    read_some(tx, to + have, n - have);
		if (got <= 0)
			break;
		if (tx->with_digest)
			digest_add(&tx->digest, to + have, (size_t)got);
		have += (size_t)got;
	} while (have < n && (tx->record_have > 0 ||
	    (n - have >= tx->least && more_waits(tx->fd))));
	*end = got == 0;
	*error = got == -1 ? errno : 0;
	return have;
}

/*
 * Standard input is not read before a receiver has taken the session: if none ever
 * does, the caller of this program can still send the stream in another way.
 */
static void
await_receiver(struct tx *tx)
{
	lock_acquire(&tx->lock);
	while (!tx->agreed)
		lock_wait(&tx->room, &tx->lock);
	lock_release(&tx->lock);
}

/* Waits for room to read into; NULL when there is no memory. */
static uint8_t *
room_wait(struct tx *tx, size_t *n)
{
	size_t ahead;
	uint8_t *to;

	lock_acquire(&tx->lock);
	while ((ahead = tx_ahead(tx)) != 0 && window_ready(&tx->window) >= ahead) {
		tx->reader_rests = true;
		lock_wait(&tx->room, &tx->lock);
		tx->reader_rests = false;
	}
	while ((to = window_room(&tx->window, n)) == NULL && *n == 0) {
		tx->reader_waits = true;
		lock_wait(&tx->room, &tx->lock);
		tx->reader_waits = false;
	}
	if (ahead != 0 && *n > ahead)
		*n = ahead;
	tx->starved = true;
	bottleneck_locked(tx);
	lock_release(&tx->lock);
	return to;
}

static void
publish(struct tx *tx, size_t n, bool end)
{
	struct leg *list[FRAME_LEGS];
	unsigned count, i;

	lock_acquire(&tx->lock);
	end = end && !tx->stopped;
	tx->starved = false;
	window_fill(&tx->window, n);
	if (end)
		window_eof(&tx->window, tx->with_digest ? digest_value(&tx->digest) : 0);
	count = call_all_locked(tx, list);
	/* Every leg sends FIN. */
	for (i = 0; end && i < tx->ranked; i++)
		if (tx->idle[tx->rank[i]])
			wake_signal(&tx->leg[tx->rank[i]]->wake);
	bottleneck_locked(tx);
	lock_release(&tx->lock);
	wake_all(list, count);
	if (end)
		tx->owner.ended(tx->owner.cookie);
}

/*
 * The source has reached its end of file.  With a source command, waits until that
 * has ended: this is the end of the stream only if the command succeeded.  false: it
 * failed, and the failure was reported.
 */
static bool
source_well(struct tx *tx)
{
	lock_acquire(&tx->lock);
	tx->starved = true;
	bottleneck_locked(tx);
	lock_release(&tx->lock);
	return command_wait(tx->command);
}

static void *
reader(void *argument)
{
	struct tx *tx = argument;
	bool end = false;
	int error = 0;
	uint8_t *to;
	size_t n;

	if (tx->command == NULL)
		await_receiver(tx);
	while (!end && error == 0) {
		to = room_wait(tx, &n);
		if (to == NULL) {
			half_fail_errno(&tx->owner, FAIL_RESOURCE, "cannot keep what is read",
			    ENOMEM);
			break;
		}
		n = read_piece(tx, to, n, &end, &error);
		if (end && tx->command != NULL) {
			publish(tx, n, false);
			if (!source_well(tx))
				return NULL;
			n = 0;
		}
		publish(tx, n, end);
	}
	if (error != 0)
		half_fail_errno(&tx->owner, FAIL_SOURCE, "cannot read standard input", error);
	return NULL;
}

int
tx_start(struct tx *tx)
{
	return thread_start_detached("viamillipede-r", reader, tx);
}
