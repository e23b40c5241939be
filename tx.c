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

#include "digest.h"
#include "leg.h"
#include "lock.h"
#include "log.h"
#include "pace.h"
#include "session.h"

#define PIPE_SIZE	(1 << 20)
#define SMALL		(64u << 10)	/* less than this is worth waiting for */
#define REACH_FIRST	(8u << 20)	/* stays in the processor's cache, more or less */
#define LATE_LEAST_NS	200000000ULL
#define LOOK_NS		50000000ULL	/* how often a leg without work looks for late frames */

/* [I] immutable, [w] under lock, [r] the reader only. */
struct tx {
	struct session *session;	/* [I] */
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
	bool idle[FRAME_LEGS];		/* [w] has no work and could take some */
	bool called[FRAME_LEGS];	/* [w] was woken for work, did not come yet */
	bool blocked;			/* [w] the receiver's consumer is slow */
	bool starved;			/* [w] the reader waits for the source */
	struct digest digest;		/* [r] */
};

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
	tx->fd = fd;
	tx->with_digest = digest;
	lock_init(&tx->lock);
	lock_cond_init(&tx->room);
	digest_init(&tx->digest);
	for (i = 0; i < FRAME_LEGS; i++)
		pace_init(&tx->pace[i]);
#ifdef F_SETPIPE_SZ
	/* Refusal is normal: not a pipe, or the user's share is used up. */
	fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
#endif
	return tx;
}

void
tx_free(struct tx *tx)
{
	window_free(&tx->window);
	lock_cond_free(&tx->room);
	lock_free(&tx->lock);
	free(tx);
}

/* Which leg */

/* The most preferred leg that has no work, and is told so; NULL when there is none. */
static struct leg *
call_locked(struct tx *tx)
{
	unsigned i, n;

	for (i = 0; i < tx->ranked; i++) {
		n = tx->rank[i];
		if (tx->idle[n]) {
			tx->idle[n] = false;
			tx->called[n] = true;
			return tx->leg[n];
		}
	}
	return NULL;
}

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

static bool
may_take_locked(const struct tx *tx, unsigned number)
{
	const struct window *w = &tx->window;
	uint64_t in_flight = window_in_flight(w, number);
	uint64_t ready = window_ready(w);

	if (in_flight >= tx->pace[number].limit)
		return false;
	/*
	 * While a leg is busy, little pieces are worth waiting for: more comes,
	 * or its acknowledgement does.
	 */
	if (in_flight > 0 && ready < SMALL && !w->eof && w->limit > w->end &&
	    ranges_count(&w->lost) == 0 && in_flight >= SMALL)
		return false;
	return ready == 0 || ready > claimed_locked(tx, number);
}

enum window_cut
tx_take(struct tx *tx, struct leg *leg, struct window_frame *frame)
{
	unsigned n = leg->number;
	enum window_cut kind = WINDOW_NONE;
	struct leg *other = NULL;
	bool failed = false;

	lock_take(&tx->lock);
	tx->called[n] = false;
	tx->idle[n] = false;
	if (may_take_locked(tx, n)) {
		failed = window_take(&tx->window, n, tx->pace[n].frame, true, clock_now_ns(),
		    frame, &kind) == -1;
		if (kind == WINDOW_NONE)
			tx->idle[n] = true;
		else if (window_in_flight(&tx->window, n) == frame->length)
			pace_begin(&tx->pace[n], tx->window.leg[n].received, clock_now_ns());
	}
	if (window_ready(&tx->window) > claimed_locked(tx, FRAME_LEGS))
		other = call_locked(tx);
	lock_drop(&tx->lock);
	if (other != NULL)
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
wake_all(struct leg *const list[], unsigned n)
{
	while (n > 0)
		wake_signal(&list[--n]->wake);
}

/* All legs look for work again: something was lost, or credit came. */
static unsigned
call_all_locked(struct tx *tx, struct leg *list[])
{
	unsigned n = 0;
	struct leg *leg;

	while (n < FRAME_LEGS && window_ready(&tx->window) > claimed_locked(tx, FRAME_LEGS) &&
	    (leg = call_locked(tx)) != NULL)
		list[n++] = leg;
	return n;
}

/* Preferred first: by the place of the path on the command line, then by number. */
static void
rank_locked(struct tx *tx, struct leg *leg)
{
	unsigned i = tx->ranked++;
	const struct leg *other;

	for (; i > 0; i--) {
		other = tx->leg[tx->rank[i - 1]];
		if (other->path_shown < leg->path_shown || (other->path_shown ==
		    leg->path_shown && other->number < leg->number))
			break;
		tx->rank[i] = tx->rank[i - 1];
	}
	tx->rank[i] = (uint16_t)leg->number;
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
}

void
tx_agree(struct tx *tx, uint64_t window, uint32_t frame)
{
	lock_take(&tx->lock);
	window_agree(&tx->window, window, frame);
	lock_wake_all(&tx->room);
	lock_drop(&tx->lock);
}

bool
tx_join(struct tx *tx, struct leg *leg, uint64_t rtt_ns)
{
	unsigned n = leg->number;
	bool good;

	lock_take(&tx->lock);
	good = window_leg_up(&tx->window, n, leg->incarnation) == 0;
	if (good) {
		pace_restart(&tx->pace[n], rtt_ns, clock_now_ns());
		tx->leg[n] = leg;
		tx->idle[n] = tx->called[n] = false;
		rank_locked(tx, leg);
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
	failed = window_leg_down(&tx->window, n) == -1;
	count = call_all_locked(tx, list);
	lock_drop(&tx->lock);
	wake_all(list, count);
	if (failed)
		session_fail_errno(tx->session, FAIL_RESOURCE, "cannot note what was lost", ENOMEM);
}

/* The receiver's words */

static void
late_locked(struct tx *tx, unsigned n)
{
	uint64_t late = 4 * tx->pace[n].rtt_ns;

	tx->window.leg[n].late_ns = late < LATE_LEAST_NS ? LATE_LEAST_NS : late;
}

static const char *
entries_locked(struct tx *tx, const struct status *status, uint64_t now, uint64_t *gain,
    bool *failed)
{
	const struct status_entry *e;
	const char *why;
	uint64_t n;
	unsigned i;

	for (i = 0; i < status->count; i++) {
		e = &status->entry[i];
		why = window_received(&tx->window, e->leg, e->incarnation, e->received, &n,
		    failed);
		if (why != NULL)
			return why;
		*gain += n;
		if (tx->window.leg[e->leg].up &&
		    tx->window.leg[e->leg].incarnation == e->incarnation)
			pace_received(&tx->pace[e->leg], e->received,
			    window_in_flight(&tx->window, e->leg), now);
		late_locked(tx, e->leg);
	}
	return NULL;
}

/*
 * What the network can hold: the legs' rates together times the longest round
 * trip, twice over for a connection that tries whether there is more, and as
 * much again behind a hole that is filled after a round trip.
 */
static uint64_t
need_locked(const struct tx *tx)
{
	uint64_t rate = 0, rtt = 0;
	const struct pace *p;
	unsigned i;

	for (i = 0; i < tx->ranked; i++) {
		p = &tx->pace[tx->rank[i]];
		rate += p->rate;
		if (p->rtt_ns > rtt)
			rtt = p->rtt_ns;
	}
	return rate / 1000 * (rtt / 1000) / 1000 * 4;
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
	lock_drop(&tx->lock);
	wake_all(list, count);
	if (end)
		session_finished(tx->session);
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
	int error = thread_start(&thread, "vmp-reader", reader, tx);

	if (error == 0)
		thread_detach(thread);
	return error;
}
