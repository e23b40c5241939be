/*
 * tx: the sending half.  See tx.h.  The reader is a thread of this file; all
 * else runs in the legs' threads.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "tx.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "digest.h"
#include "leg.h"
#include "lock.h"
#include "log.h"
#include "pace.h"
#include "session.h"
#include "tune.h"

#define PIPE_SIZE	(1 << 20)
#define SMALL		(64u << 10)	/* less than this is worth waiting for */
#define SECOND		1000000000ULL
#define REACH_FIRST	(8u << 20)	/* stays in the processor's cache, more or less */
#define LATE_LEAST_NS	200000000ULL
#define SLOW_NS		10000000ULL	/* a leg that needs so long for what it has is slow */
#define NEAR_NS		2000000ULL	/* a shorter round trip is scheduling, not distance */
#define SPILL_NS	120000000ULL	/* waited so long: any path may take it */
#define BACKLOG_NS	100000000ULL	/* what better paths carry in this time is left to them */
#define BACKLOG_LEAST	(256u << 10)
#define LOOK_NS		50000000ULL	/* how often a leg without work looks for late frames */

struct tx_path {
	struct tune tune;
	uint64_t octets;	/* received by way of it, in all */
};

/* [I] immutable, [w] under lock, [r] the reader only. */
struct tx {
	struct session *session;	/* [I] */
	struct command *command;	/* [I] the source, or NULL */
	int fd;				/* [I] the source; not owned */
	bool with_digest;		/* [I] */
	struct lock lock;
	/*
	 * The reader waits for room: window_room would return some.  Signalled
	 * by whoever makes acknowledged octets known, or the handshake.
	 */
	struct lock_cond room;
	bool reader_waits;		/* [w] */
	struct window window;		/* [w] */
	struct pace pace[FRAME_LEGS];	/* [w] */
	struct leg *leg[FRAME_LEGS];	/* [w] those that are up */
	uint16_t rank[FRAME_LEGS];	/* [w] numbers of them, preferred first */
	unsigned ranked;		/* [w] */
	uint16_t home[FRAME_LEGS];	/* [w] the path that it uses */
	uint16_t place[FRAME_LEGS];	/* [w] how many legs of that path are before it */
	struct tx_path path[OPTIONS_PATHS_MAX];	/* [w] */
	unsigned paths;			/* [w] so many of them had a leg */
	uint64_t taken_ns;		/* [w] when a leg took something, or there was nothing */
	uint64_t watch_ns;		/* [w] when a leg without work was asked to look out */
	bool lazy;			/* [w] since the last tx_tune the source was waited for */
	bool idle[FRAME_LEGS];		/* [w] asked for work and got none */
	bool called[FRAME_LEGS];	/* [w] was woken for work, did not come yet */
	bool leaving[FRAME_LEGS];	/* [w] gets no more */
	bool blocked;			/* [w] the receiver's consumer is slow */
	bool starved;			/* [w] the reader waits for the source */
	struct blame blame;		/* [w] */
	struct digest digest;		/* [r] */
};

/* More legs may be up than are used, see path.c.  A caller's paths are not known here. */
static void
paths_begin(struct tx *tx, const struct session *session)
{
	unsigned n = session->paths.count, most = FRAME_LEGS, i;

	if (session->caller)
		most = (session->paths.legs + n - 1) / n;
	for (i = 0; i < OPTIONS_PATHS_MAX; i++)
		tune_init(&tx->path[i].tune, 1, most);
}

/* One that ended well is of no interest here: the reader waits for it. */
static void
command_over(void *cookie)
{
	char text[FRAME_TEXT_MAX + 1];
	struct tx *tx = cookie;

	if (command_end(tx->command) != COMMAND_ILL)
		return;
	command_text(tx->command, text, sizeof(text));
	session_fail_command(tx->session, text);
}

struct tx *
tx_new(struct session *session, int fd, uint64_t window, bool all, uint32_t frame, bool digest)
{
	struct tx *tx = calloc(1, sizeof(*tx));
	unsigned i;

	if (tx == NULL)
		return NULL;
	if (window_init(&tx->window, window, all ? 0 : REACH_FIRST, frame) == -1) {
		free(tx);
		errno = ENOMEM;
		return NULL;
	}
	tx->session = session;
	tx->command = session->command;
	if (tx->command != NULL)
		command_watch(tx->command, command_over, tx);
	tx->fd = fd;
	tx->with_digest = digest;
	lock_init(&tx->lock);
	lock_cond_init(&tx->room);
	digest_init(&tx->digest);
	for (i = 0; i < FRAME_LEGS; i++)
		pace_init(&tx->pace[i]);
	paths_begin(tx, session);
#ifdef F_SETPIPE_SZ
	/* Refusal is normal: not a pipe, or the user's share is used up. */
	fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
#endif
	return tx;
}

/* Who is waited for; said after each change of what it is told by. */
static void
blame_locked(struct tx *tx)
{
	const struct window *w = &tx->window;
	enum blame_on on = BLAME_NETWORK;

	if (tx->starved && w->end == w->next && ranges_count(&w->lost) == 0)
		on = BLAME_SOURCE;
	else if (tx->blocked || w->base - w->delivered > w->reach / 4 ||
	    (w->eof && w->base == w->end))
		on = BLAME_CONSUMER;
	if (on != tx->blame.on)
		blame_set(&tx->blame, on, clock_now_ns());
}

void
tx_waited(struct tx *tx, uint64_t until_ns, uint64_t waited_ns[BLAME_KINDS])
{
	lock_take(&tx->lock);
	blame_sums(&tx->blame, until_ns, waited_ns);
	lock_drop(&tx->lock);
}

/* Which leg */

/* Octets that better legs were called for and are about to take. */
static uint64_t
claimed_locked(const struct tx *tx, unsigned number)
{
	uint64_t sum = 0;
	unsigned i;

	for (i = 0; i < tx->ranked && tx->rank[i] != number; i++)
		if (tx->called[tx->rank[i]])
			sum += tx->pace[tx->rank[i]].frame;
	return sum;
}

/* What is left to better paths, because they carry it soon. */
static uint64_t
reserved_locked(const struct tx *tx, unsigned number)
{
	uint64_t rate = 0, most = tx->window.reach / 4, sum;
	bool better = false;
	unsigned i, n;

	for (i = 0; i < tx->ranked; i++) {
		n = tx->rank[i];
		if (tx->home[n] >= tx->home[number])
			break;
		better = true;
		rate += tx->pace[n].rate;
	}
	if (!better)
		return 0;
	sum = rate / (SECOND / BACKLOG_NS);
	if (sum < BACKLOG_LEAST)
		sum = BACKLOG_LEAST;
	return sum < most ? sum : most;
}

static bool
late_leg(const struct tx *tx, unsigned number, uint64_t now)
{
	const struct window_leg *leg = &tx->window.leg[number];

	return leg->count > 0 && leg->late_ns != 0 &&
	    now - leg->ring[leg->head].sent_ns > leg->late_ns;
}

/* A leg that is late gets nothing new while there is one that is not. */
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
 * While a leg is busy, little pieces are worth waiting for: more comes, or its
 * acknowledgement does.
 */
static bool
too_little(const struct window *w, uint64_t ready, uint64_t in_flight)
{
	return ready < SMALL && in_flight >= SMALL && !w->eof && w->limit > w->end &&
	    ranges_count(&w->lost) == 0;
}

/* One of the legs of its path that turned out to be of use. */
static bool
used_locked(const struct tx *tx, unsigned number)
{
	return tx->place[number] < tx->path[tx->home[number]].tune.legs;
}

/* May this leg have some of what is ready?  This is where preference is kept. */
static bool
may_take_locked(const struct tx *tx, unsigned number, uint64_t now)
{
	const struct window *w = &tx->window;
	uint64_t in_flight = window_in_flight(w, number);
	uint64_t ready = window_ready(w);

	if (tx->leaving[number] || in_flight >= tx->pace[number].limit ||
	    too_little(w, ready, in_flight) || !used_locked(tx, number))
		return false;
	if (ready == 0)
		return true;
	if (shunned_locked(tx, number, now))
		return false;
	if (now - tx->taken_ns > SPILL_NS)
		return true;
	return ready > claimed_locked(tx, number) && ready > reserved_locked(tx, number);
}

/* The most preferred leg that has no work and may have some, and is told so; or NULL. */
static struct leg *
call_locked(struct tx *tx, uint64_t now)
{
	unsigned i, n;

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

/* Somebody without work should look out for legs that are late or clogged. */
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
took_locked(struct tx *tx, unsigned n, enum window_cut kind, uint32_t length, uint64_t now)
{
	if (kind == WINDOW_NONE) {
		tx->idle[n] = true;
		if (window_ready(&tx->window) == 0) {
			tx->taken_ns = now;
			if (!tx->reader_waits)
				tx->lazy = true;
		}
		return;
	}
	tx->taken_ns = now;
	if (window_in_flight(&tx->window, n) == length)
		pace_begin(&tx->pace[n], tx->window.leg[n].received, now);
}

enum window_cut
tx_take(struct tx *tx, struct leg *leg, struct window_frame *frame)
{
	uint64_t now = clock_now_ns();
	unsigned n = leg->number;
	enum window_cut kind = WINDOW_NONE;
	struct leg *other = NULL;
	bool failed = false;

	frame->length = 0;
	lock_take(&tx->lock);
	tx->called[n] = false;
	tx->idle[n] = false;
	if (may_take_locked(tx, n, now))
		failed = window_take(&tx->window, n, tx->pace[n].frame, true, now, frame,
		    &kind) == -1;
	took_locked(tx, n, kind, frame->length, now);
	if (window_ready(&tx->window) > claimed_locked(tx, FRAME_LEGS))
		other = call_locked(tx, now);
	if (other == NULL && kind == WINDOW_DATA)
		other = watcher_locked(tx, now);
	blame_locked(tx);
	lock_drop(&tx->lock);
	if (other != NULL && other != leg)
		wake_signal(&other->wake);
	if (failed) {
		session_fail_errno(tx->session, FAIL_RESOURCE, "cannot keep a frame", ENOMEM);
		return WINDOW_NONE;
	}
	return kind;
}

void
tx_release(struct tx *tx, struct window_chunk *chunk)
{
	lock_take(&tx->lock);
	window_release(&tx->window, chunk);
	lock_drop(&tx->lock);
}

uint64_t
tx_fin(struct tx *tx, struct fin *fin)
{
	uint64_t total;

	lock_take(&tx->lock);
	fin->digest = tx->window.digest;
	total = tx->window.end;
	lock_drop(&tx->lock);
	return total;
}

/* Legs come and go */

static void
wake_all(struct leg *list[], unsigned n)
{
	while (n > 0)
		wake_signal(&list[--n]->wake);
}

/* All legs look for work again: something was lost, or credit came. */
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

/* After a change: which leg of its path each one is. */
static void
places_locked(struct tx *tx)
{
	unsigned i, n, place = 0;

	for (i = 0; i < tx->ranked; i++) {
		n = tx->rank[i];
		if (i > 0 && tx->home[n] != tx->home[tx->rank[i - 1]])
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
		if (tx->home[n] < tx->home[number] ||
		    (n < number && tx->home[n] == tx->home[number]))
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
tx_agree(struct tx *tx, uint64_t window, uint32_t frame)
{
	lock_take(&tx->lock);
	window_agree(&tx->window, window, frame);
	blame_init(&tx->blame, BLAME_NETWORK, clock_now_ns());
	lock_wake_all(&tx->room);
	lock_drop(&tx->lock);
}

/* The first word on a new leg's speed: the others of its path. */
static void
guess_locked(struct tx *tx, unsigned number)
{
	uint64_t rate = 0;
	unsigned i, n;

	for (i = 0; i < tx->ranked; i++) {
		n = tx->rank[i];
		if (tx->home[n] == tx->home[number] && tx->pace[n].rate > rate)
			rate = tx->pace[n].rate;
	}
	pace_guess(&tx->pace[number], rate);
}

/* The least of its legs': what joins a queue sees a longer one. */
static uint64_t
path_rtt_locked(const struct tx *tx, unsigned path)
{
	uint64_t rtt = UINT64_MAX;
	unsigned i, n;

	for (i = 0; i < tx->ranked; i++) {
		n = tx->rank[i];
		if (tx->home[n] == path && tx->pace[n].rtt_ns < rtt)
			rtt = tx->pace[n].rtt_ns;
	}
	return rtt == UINT64_MAX ? 0 : rtt;
}

/* What the window is to know of a leg that is up, or of which the receiver spoke. */
static void
judge_locked(struct tx *tx, unsigned n, bool moved, uint64_t now)
{
	struct window_leg *leg = &tx->window.leg[n];
	uint64_t late = 4 * tx->pace[n].rtt_ns;

	leg->late_ns = late < LATE_LEAST_NS ? LATE_LEAST_NS : late;
	leg->rate = pace_mean(&tx->pace[n]);
	if (moved)
		leg->moved_ns = now;
}

bool
tx_join(struct tx *tx, struct leg *leg, uint64_t rtt_ns)
{
	unsigned n = leg->number;
	uint64_t least;
	bool good;

	lock_take(&tx->lock);
	good = window_leg_up(&tx->window, n, leg->incarnation) == 0;
	if (good) {
		if (tx->home[n] != leg->path)
			pace_init(&tx->pace[n]);
		least = path_rtt_locked(tx, leg->path);
		pace_restart(&tx->pace[n], least != 0 && least < rtt_ns ? least : rtt_ns,
		    clock_now_ns());
		tx->leg[n] = leg;
		tx->idle[n] = tx->called[n] = tx->leaving[n] = false;
		tx->home[n] = (uint16_t)leg->path;
		if (leg->path >= tx->paths)
			tx->paths = leg->path + 1;
		guess_locked(tx, n);
		judge_locked(tx, n, false, 0);
		rank_locked(tx, n);
	}
	lock_drop(&tx->lock);
	if (!good)
		session_fail_errno(tx->session, FAIL_RESOURCE, "cannot add a leg", ENOMEM);
	return good;
}

void
tx_part(struct tx *tx, struct leg *leg)
{
	struct leg *list[FRAME_LEGS];
	unsigned n = leg->number, count;
	bool failed;

	lock_take(&tx->lock);
	unrank_locked(tx, n);
	tx->leg[n] = NULL;
	tx->idle[n] = tx->called[n] = false;
	pace_end(&tx->pace[n], tx->window.leg[n].received, clock_now_ns());
	failed = window_leg_down(&tx->window, n) == -1;
	count = call_all_locked(tx, list);
	blame_locked(tx);
	lock_drop(&tx->lock);
	wake_all(list, count);
	if (failed)
		session_fail_errno(tx->session, FAIL_RESOURCE, "cannot note what was lost", ENOMEM);
}

void
tx_leave(struct tx *tx, struct leg *leg)
{
	struct leg *list[FRAME_LEGS];
	unsigned count;

	lock_take(&tx->lock);
	unrank_locked(tx, leg->number);
	tx->leaving[leg->number] = true;
	count = call_all_locked(tx, list);
	lock_drop(&tx->lock);
	wake_all(list, count);
}

/* The receiver's words */

static const char *
entries_locked(struct tx *tx, const struct status *status, uint64_t now, uint64_t *gain,
    bool *failed)
{
	const struct status_entry *e;
	const char *why;
	uint64_t n, before;
	unsigned i;

	for (i = 0; i < status->count; i++) {
		e = &status->entry[i];
		before = tx->window.leg[e->leg].received;
		why = window_received(&tx->window, e->leg, e->incarnation, e->received, &n,
		    failed);
		if (why != NULL)
			return why;
		*gain += n;
		tx->path[tx->home[e->leg]].octets += n;
		if (tx->window.leg[e->leg].up &&
		    tx->window.leg[e->leg].incarnation == e->incarnation)
			pace_received(&tx->pace[e->leg], e->received,
			    window_in_flight(&tx->window, e->leg), now);
		judge_locked(tx, e->leg, tx->window.leg[e->leg].received != before, now);
	}
	return NULL;
}

/*
 * How long what a slow leg is given may be under way, while what follows it
 * arrives on others and waits there: as long as it takes to send all that the leg
 * may have in flight, until it is late and copied.
 */
static uint64_t
behind(const struct pace *p)
{
	uint64_t ns = p->rate == 0 ? 0 : p->limit * 1000000 / (p->rate / 1000 + 1);

	if (ns < SLOW_NS)
		return 0;
	return ns < LATE_LEAST_NS ? ns : LATE_LEAST_NS;
}

/*
 * What the network can hold: the legs' rates together times the longest round
 * trip, twice over for a connection that tries whether there is more, and as
 * much again behind a hole that is filled after a round trip; or what the others
 * carry while the slowest brings what it has.
 */
static uint64_t
need_locked(const struct tx *tx)
{
	uint64_t rate = 0, rtt = 0, slow = 0, ns;
	const struct pace *p;
	unsigned i, used = 0;

	for (i = 0; i < tx->ranked; i++) {
		p = &tx->pace[tx->rank[i]];
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

const char *
tx_status(struct tx *tx, struct leg *leg, const struct status *status)
{
	struct leg *list[FRAME_LEGS];
	uint64_t gain = 0, more, reach = 0;
	unsigned count = 0;
	bool failed = false, grown = false, settled;
	const char *why;

	(void)leg;
	lock_take(&tx->lock);
	why = entries_locked(tx, status, clock_now_ns(), &gain, &failed);
	if (why == NULL) {
		more = tx->window.delivered;
		why = window_delivered(&tx->window, status->delivered, status->limit, &gain,
		    &failed);
		gain += tx->window.delivered - more;
		tx->blocked = status->blocked;
		grown = window_stretch(&tx->window, need_locked(tx));
		reach = tx->window.reach;
		count = call_all_locked(tx, list);
	}
	settled = window_settled(&tx->window);
	if (tx->reader_waits)
		lock_wake(&tx->room);
	blame_locked(tx);
	lock_drop(&tx->lock);
	wake_all(list, count);
	if (grown)
		log_line(LOG_DECISION, "using %llu MiB of the window: the network holds that much",
		    (unsigned long long)(reach >> 20));
	if (failed)
		session_fail_errno(tx->session, FAIL_RESOURCE, "cannot note what arrived", ENOMEM);
	if (gain > 0 || settled)
		session_progress(tx->session);
	return why;
}

/* The consumer is what holds things up: much is here in order and not delivered. */
static bool
consumer_slow_locked(const struct tx *tx)
{
	return tx->window.base - tx->window.delivered > tx->window.reach / 4;
}

/* Where the receiver calls, there are as many legs on a path as it made. */
static void
most_locked(struct tx *tx)
{
	unsigned i;

	for (i = 0; i < tx->paths; i++)
		tx->path[i].tune.most = 1;
	for (i = 0; i < tx->ranked; i++)
		tx->path[tx->home[tx->rank[i]]].tune.most = tx->place[tx->rank[i]] + 1u;
}

bool
tx_tune(struct tx *tx, unsigned wanted[], unsigned n)
{
	const char *why[OPTIONS_PATHS_MAX];
	uint64_t now = clock_now_ns();
	bool limited, changed = false;
	unsigned paths, i;

	lock_take(&tx->lock);
	limited = !tx->lazy && !consumer_slow_locked(tx) &&
	    (window_ready(&tx->window) > 0 || tx->reader_waits);
	tx->lazy = false;
	paths = tx->paths;
	if (n == 0)
		most_locked(tx);
	for (i = 0; i < paths; i++) {
		why[i] = tune_step(&tx->path[i].tune, tx->path[i].octets, limited,
		    path_rtt_locked(tx, i), now);
		if (i < n && wanted[i] < tx->path[i].tune.legs) {
			wanted[i] = tx->path[i].tune.legs;
			changed = true;
		}
	}
	lock_drop(&tx->lock);
	for (i = 0; i < paths; i++)
		if (why[i] != NULL)
			log_line(LOG_DECISION, "path %u: %s", i, why[i]);
	return changed;
}

void
tx_rtt(struct tx *tx, const struct leg *leg, uint64_t rtt_ns)
{
	lock_take(&tx->lock);
	pace_rtt(&tx->pace[leg->number], rtt_ns);
	lock_drop(&tx->lock);
}

uint64_t
tx_look_again(struct tx *tx, const struct leg *leg, uint64_t now_ns)
{
	bool waits;

	lock_take(&tx->lock);
	waits = tx->idle[leg->number] && !window_settled(&tx->window) && tx->ranked > 1;
	lock_drop(&tx->lock);
	return waits ? now_ns + LOOK_NS : UINT64_MAX;
}

void
tx_leg_state(struct tx *tx, const struct leg *leg, struct tx_leg_state *state)
{
	lock_take(&tx->lock);
	state->rate = tx->pace[leg->number].rate;
	state->in_flight = window_in_flight(&tx->window, leg->number);
	state->hungry = tx->idle[leg->number];
	lock_drop(&tx->lock);
}

void
tx_state(struct tx *tx, struct tx_state *state)
{
	const struct window *w = &tx->window;

	lock_take(&tx->lock);
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
	lock_drop(&tx->lock);
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
read_some(int fd, uint8_t *to, size_t n)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t got;

	for (;;) {
		got = read(fd, to, n);
		if (got != -1)
			return got;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			poll(&p, 1, -1);	/* somebody made it non-blocking */
		else if (errno != EINTR)
			return -1;
	}
}

/*
 * Reads into one piece of room until it is full or the source pauses, so that
 * a frame is not cut for each write of the source; what is here when it pauses
 * goes out at once.  Returns octets.  *end and *error, an errno, say how the
 * source ended after them; an error is told by the system once only.
 */
static size_t
read_piece(struct tx *tx, uint8_t *to, size_t n, bool *end, int *error)
{
	size_t have = 0;
	ssize_t got;

	do {
		got = read_some(tx->fd, to + have, n - have);
		if (got <= 0)
			break;
		if (tx->with_digest)
			digest_add(&tx->digest, to + have, (size_t)got);
		have += (size_t)got;
	} while (have < n && more_waits(tx->fd));
	*end = got == 0;
	*error = got == -1 ? errno : 0;
	return have;
}

/* Room to read to, waiting for it; NULL when memory is not to be had. */
static uint8_t *
room_wait(struct tx *tx, size_t *n)
{
	uint8_t *to;

	lock_take(&tx->lock);
	while ((to = window_room(&tx->window, n)) == NULL && *n == 0) {
		tx->reader_waits = true;
		lock_wait(&tx->room, &tx->lock);
		tx->reader_waits = false;
	}
	tx->starved = true;
	blame_locked(tx);
	lock_drop(&tx->lock);
	return to;
}

static void
publish(struct tx *tx, size_t n, bool end)
{
	struct leg *list[FRAME_LEGS];
	unsigned count, i;

	lock_take(&tx->lock);
	tx->starved = false;
	window_fill(&tx->window, n);
	if (end)
		window_eof(&tx->window, tx->with_digest ? digest_value(&tx->digest) : 0);
	count = call_all_locked(tx, list);
	/* FIN goes out on every leg. */
	for (i = 0; end && i < tx->ranked; i++)
		if (tx->idle[tx->rank[i]])
			wake_signal(&tx->leg[tx->rank[i]]->wake);
	blame_locked(tx);
	lock_drop(&tx->lock);
	wake_all(list, count);
	if (end)
		session_finished(tx->session);
}

/*
 * The source has ended.  That this was the end of the stream is not said before
 * its command has ended well, for which this waits: one that failed has ended,
 * too.  false: it did not, and has told so.
 */
static bool
source_well(struct tx *tx)
{
	lock_take(&tx->lock);
	tx->starved = true;
	blame_locked(tx);
	lock_drop(&tx->lock);
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

	while (!end && error == 0) {
		to = room_wait(tx, &n);
		if (to == NULL) {
			session_fail_errno(tx->session, FAIL_RESOURCE, "cannot keep what is read",
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
		session_fail_errno(tx->session, FAIL_SOURCE, "cannot read standard input", error);
	return NULL;
}

int
tx_start(struct tx *tx)
{
	pthread_t thread;
	int error = thread_start(&thread, "viamillipede-r", reader, tx);

	if (error != 0)
		return error;
	thread_detach(thread);
	/* Who offers waits for somebody who wants it. */
	if (tx->command != NULL && tx->session->caller)
		command_start(tx->command);
	return 0;
}
