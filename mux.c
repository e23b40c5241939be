/*
 * mux: many connections in one session.  See mux.h.  All but mux_new, mux_agree and
 * mux_state runs in the thread of this file.
 */
#include "mux.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "core/record.h"
#include "core/streams.h"
#include "options.h"
#include "outbox.h"
#include "sys/child.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/net.h"
#include "sys/poller.h"
#include "sys/thread.h"
#include "sys/wake.h"
#include "target.h"
#include "tx.h"

#define BACKLOG		128
#define ACCEPTS		64		/* at once, before the others have their turn */
#define STEPS		64		/* records in each direction, likewise */
#define DATA_MAX	(256u << 10)	/* longest DATA */
#define DATA_MIN	4096u
#define COPY_BELOW	(512u << 10)	/* of tx_ahead */
#define SCRATCH		(64u << 10)
#define INBOX		4096u		/* bytes read at once where a head is to come */
#define CONNECT_NS	(30 * SECOND)	/* for all of the target's addresses */
#define ADDRESS_NS	(5 * SECOND)	/* for one of them, if there are more */
#define PAUSE_NS	SECOND		/* after an accept that failed for lack of resources */
#define LOOK_NS		(250 * MS)	/* at those that are connecting */
#define EVENTS		128

/* What was read from rx's pipe, and the record that it belongs to. */
struct inbox {
	uint8_t bytes[INBOX];		/* heads, and the bytes of short records */
	size_t at, end;			/* those that are not taken yet */
	uint32_t left;			/* bytes of DATA that are to follow the last head */
	struct conn *conn;		/* whose they are; NULL = nobody's */
};

/* [I] immutable once the thread runs, [a] atomic, the rest only the thread's. */
struct mux {
	struct half_owner owner;	/* [I] */
	const struct options *options;	/* [I] */
	struct tx *tx;			/* [I] */
	int out[2];			/* [I] the pipe that tx reads: its end, ours */
	int in[2];			/* [I] the pipe that rx writes: ours, its end */
	struct net_listener listener;	/* [I] of initiate */
	struct wake wake;
	struct poller poller;
	struct streams streams;
	struct target target;		/* of terminate */
	struct outbox outbox;
	struct inbox inbox;
	struct conn *pending;		/* those that wait or are connecting */
	struct conn *dead;		/* freed when all events of a round were handled */
	bool room;			/* tx's pipe may take something */
	bool hears;			/* the poller has our end of rx's pipe */
	bool accepts;			/* and the listeners */
	uint64_t pause_ns;		/* no accept before this */
	uint8_t *scratch;
	atomic_ullong window;		/* [a] agreed on; 0 = not yet */
	atomic_uint open;		/* [a] streams */
	atomic_ullong opened, failed;	/* [a] */
};

/* Cookies of what is no connection. */
static char listener_cookie, wake_cookie, out_cookie, in_cookie;

static struct log_limit failures = LOG_LIMIT("connections that were not opened");

/* Making it */

static int
listen_here(struct mux *m)
{
	const struct options *o = m->options;
	char why[NET_WHY] = "";
	unsigned i;
	int result = o->initiate_port[0] == '\0' ?
	    net_unix_listen(&m->listener, o->initiate, BACKLOG, why) :
	    net_listen(&m->listener, strcmp(o->initiate, "*") == 0 ? "" : o->initiate,
	    o->initiate_port, BACKLOG, why);

	if (result == -1) {
		log_line(LOG_ERROR, "initiate: cannot listen on %s%s%s: %s", o->initiate,
		    o->initiate_port[0] != '\0' ? " port " : "", o->initiate_port, why);
		return -1;
	}
	for (i = 0; i < m->listener.count; i++)
		log_line(strcmp(o->initiate_port, "0") == 0 ? LOG_ERROR : LOG_RUN,
		    "initiate: accepting on %s", m->listener.name[i]);
	return 0;
}

static int
make(struct mux *m)
{
	if (child_pipe(m->out) == -1 || child_pipe(m->in) == -1 ||
	    net_own(m->out[1]) == -1 || net_own(m->in[0]) == -1 || wake_init(&m->wake) == -1 ||
	    poller_init(&m->poller) == -1 || outbox_init(&m->outbox, m->out[1]) == -1 ||
	    (m->scratch = malloc(SCRATCH)) == NULL ||
	    poller_add(&m->poller, wake_fd(&m->wake), POLLER_IN, &wake_cookie) == -1 ||
	    poller_add(&m->poller, m->in[0], POLLER_IN, &in_cookie) == -1 ||
	    poller_add(&m->poller, m->out[1], 0, &out_cookie) == -1) {
		log_line(LOG_ERROR, "cannot make the pipes of the streams: %s", strerror(errno));
		return -1;
	}
	m->hears = m->room = true;
	return 0;
}

struct mux *
mux_new(const struct half_owner *owner, const struct options *options)
{
	struct mux *m = calloc(1, sizeof(*m));

	if (m == NULL) {
		log_line(LOG_ERROR, "cannot make the pipes of the streams: %s", strerror(errno));
		return NULL;
	}
	m->owner = *owner;
	m->options = options;
	streams_init(&m->streams, options->calls);
	/* If not, the process ends, and its descriptors with it. */
	if (make(m) == -1 || (options->initiate[0] != '\0' && listen_here(m) == -1)) {
		outbox_free(&m->outbox);
		free(m->scratch);
		free(m);
		return NULL;
	}
	if (options->terminate[0] != '\0')
		target_init(&m->target, options->terminate,
		    options->terminate_port[0] != '\0' ? options->terminate_port : NULL,
		    &m->wake);
	return m;
}

int
mux_source(const struct mux *m)
{
	return m->out[0];
}

int
mux_sink(const struct mux *m)
{
	return m->in[1];
}

void
mux_agree(struct mux *m, uint64_t window)
{
	atomic_store(&m->window, window);
	wake_signal(&m->wake);
}

void
mux_end(struct mux *m)
{
	if (m->options->initiate[0] != '\0' && m->options->initiate_port[0] == '\0')
		unlink(m->options->initiate);
}

void
mux_state(struct mux *m, struct mux_state *state)
{
	state->open = atomic_load(&m->open);
	state->opened = atomic_load(&m->opened);
	state->failed = atomic_load(&m->failed);
}

/* Connections */

/* Says which events of a connection are wanted. */
static void
watch(struct mux *m, struct conn *c, unsigned events)
{
	if (c->fd == -1 || (c->watched && c->events == events))
		return;
	if (c->watched)
		poller_change(&m->poller, c->fd, events, c);
	else if (poller_add(&m->poller, c->fd, events, c) == -1) {
		streams_reset(&m->streams, &c->stream, STREAM_RESOURCE);
		return;
	}
	c->watched = true;
	c->events = events;
}

static void
unwatch(struct mux *m, struct conn *c)
{
	if (c->watched)
		poller_drop(&m->poller, c->fd);
	c->watched = false;
}

static void
list_add(struct mux *m, struct conn *c)
{
	c->prev = NULL;
	c->next = m->pending;
	if (c->next != NULL)
		c->next->prev = c;
	m->pending = c;
}

static void
list_drop(struct mux *m, struct conn *c)
{
	if (c->next != NULL)
		c->next->prev = c->prev;
	if (c->prev != NULL)
		c->prev->next = c->next;
	else
		m->pending = c->next;
}

static void
shut(struct mux *m, struct conn *c, bool well)
{
	unwatch(m, c);
	if (c->phase == CONN_WAITS || c->phase == CONN_CONNECTING)
		list_drop(m, c);
	conn_close(c, well);
}

/*
 * After anything that may have ended a stream: closes its connection, and frees it when
 * both ends have said all.
 */
static void
settle(struct mux *m, struct conn *c)
{
	struct stream *st = &c->stream;

	if (c->phase == CONN_DEAD)
		return;
	if (c->phase != CONN_CLOSED && (st->reset || st->last_said)) {
		shut(m, c, !st->reset);
		if (st->reset)
			atomic_fetch_add(&m->failed, 1);
	}
	if (!stream_over(st) || c->phase != CONN_CLOSED)
		return;
	if (m->inbox.conn == c)
		m->inbox.conn = NULL;
	streams_remove(&m->streams, st);
	atomic_store(&m->open, m->streams.open);
	c->phase = CONN_DEAD;
	c->next = m->dead;
	m->dead = c;
}

static void
free_dead(struct mux *m)
{
	struct conn *c;

	while ((c = m->dead) != NULL) {
		m->dead = c->next;
		conn_free(c);
	}
}

static void
fail_conn(struct mux *m, struct conn *c, enum stream_reason reason)
{
	streams_reset(&m->streams, &c->stream, reason);
	settle(m, c);
}

/* It has all that will come, if it has all that came. */
static void
finish(struct mux *m, struct conn *c)
{
	if (!c->stream.fin_came || c->stream.written || c->phase != CONN_OPEN || conn_keeps(c))
		return;
	if (conn_finish(c))
		streams_written(&m->streams, &c->stream);
	else
		streams_reset(&m->streams, &c->stream, STREAM_LOST);
}

/* Gives a connection what it has not taken yet. */
static void
flush(struct mux *m, struct conn *c)
{
	ssize_t n = conn_flush(c);

	if (n == -1) {
		fail_conn(m, c, STREAM_LOST);
		return;
	}
	if (n > 0)
		streams_taken(&m->streams, &c->stream, (uint32_t)n, true, clock_now_ns());
	if (c->full)
		watch(m, c, c->events | POLLER_OUT);
	else if ((c->events & POLLER_OUT) != 0)
		watch(m, c, c->events & ~POLLER_OUT);
	finish(m, c);
	settle(m, c);
}

/* Opening */

static void
connected(struct mux *m, struct conn *c)
{
	list_drop(m, c);
	conn_begin(c);
	watch(m, c, POLLER_IN);
	flush(m, c);
}

static enum stream_reason
reason_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
	case ENOENT:
		return STREAM_REFUSED;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
	case EAGAIN:
		return STREAM_RESOURCE;
	default:
		return STREAM_UNREACHABLE;
	}
}

static void
cannot_connect(struct mux *m, struct conn *c, int error, const char *why)
{
	const struct options *o = m->options;

	log_limited(&failures, LOG_LOSS, "terminate: cannot connect to %s%s%s: %s", o->terminate,
	    o->terminate_port[0] != '\0' ? " port " : "", o->terminate_port, why);
	fail_conn(m, c, reason_of(error));
}

/* Tries the target's addresses from c->address on until one is under way. */
static void
connect_next(struct mux *m, struct conn *c, int error)
{
	const struct lookup_answer *a = &m->target.use;
	uint64_t now = clock_now_ns();

	for (; c->address < a->count; c->address++) {
		c->fd = net_connect(&a->list[c->address]);
		if (c->fd == -1) {
			error = errno;
			continue;
		}
		c->phase = CONN_CONNECTING;
		c->until_ns = now + (c->address + 1 < a->count ? ADDRESS_NS : CONNECT_NS);
		watch(m, c, POLLER_OUT);
		settle(m, c);
		return;
	}
	cannot_connect(m, c, error, strerror(error));
}

/* An attempt is over. */
static void
connect_ended(struct mux *m, struct conn *c, int error)
{
	if (error == 0) {
		connected(m, c);
		return;
	}
	unwatch(m, c);
	close(c->fd);
	c->fd = -1;
	c->phase = CONN_WAITS;
	c->address++;
	connect_next(m, c, error);
}

/* Looks at those that wait for addresses, and at those that connect for too long. */
static void
look_at_pending(struct mux *m, uint64_t now)
{
	enum target_state state = TARGET_KNOWN;
	struct conn *c, *next;
	bool waits = false;

	for (c = m->pending; c != NULL; c = c->next)
		waits = waits || c->phase == CONN_WAITS;
	if (waits)
		state = target_look(&m->target);
	for (c = m->pending; c != NULL; c = next) {
		next = c->next;
		if (c->phase == CONN_CONNECTING && now >= c->until_ns)
			connect_ended(m, c, ETIMEDOUT);
		else if (c->phase == CONN_WAITS && state == TARGET_KNOWN)
			connect_next(m, c, EHOSTUNREACH);
		else if (c->phase == CONN_WAITS && state == TARGET_UNKNOWN)
			cannot_connect(m, c, EHOSTUNREACH, m->target.why);
	}
}

/* For reports. */
static void
count_opened(struct mux *m)
{
	atomic_store(&m->open, m->streams.open);
	atomic_fetch_add(&m->opened, 1);
}

/* The peer has accepted a connection. */
static void
open_here(struct mux *m, uint32_t number)
{
	struct conn *c = conn_new(-1);

	if (c == NULL) {
		half_fail_errno(&m->owner, FAIL_RESOURCE, "cannot open a stream", ENOMEM);
		return;
	}
	streams_accept(&m->streams, &c->stream, number);
	count_opened(m);
	list_add(m, c);
	if (m->options->terminate[0] == '\0')
		fail_conn(m, c, STREAM_NOWHERE);
	else
		look_at_pending(m, clock_now_ns());
}

/* false: there is no connection, or it cannot be taken now. */
static bool
accept_one(struct mux *m, int listener)
{
	char name[NET_NAME];
	struct conn *c;
	int fd = net_accept(listener, name);

	if (fd == -1 && (errno == ECONNABORTED || errno == EINTR))
		return true;
	c = fd != -1 ? conn_new(fd) : NULL;
	if (c == NULL) {
		if (fd == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return false;
		log_limited(&failures, LOG_LOSS, "initiate: cannot take a connection: %s",
		    strerror(errno));
		if (fd != -1)
			close(fd);
		m->pause_ns = clock_now_ns() + PAUSE_NS;
		return false;
	}
	streams_open(&m->streams, &c->stream);
	count_opened(m);
	log_line(LOG_LEG, "stream %u: from %s", c->stream.number, name);
	watch(m, c, POLLER_IN);
	settle(m, c);
	return true;
}

static void
accept_some(struct mux *m)
{
	unsigned i, n = 0;

	for (i = 0; i < m->listener.count; i++)
		while (n < ACCEPTS && !streams_full(&m->streams) && m->pause_ns == 0 &&
		    accept_one(m, m->listener.fd[i]))
			n++;
}

/* While no stream may be opened, connections wait in the system. */
static void
watch_listeners(struct mux *m, uint64_t now)
{
	unsigned watched = m->accepts ? m->listener.count : 0;
	bool wanted;

	if (now >= m->pause_ns)
		m->pause_ns = 0;
	wanted = !streams_full(&m->streams) && m->pause_ns == 0;
	if (wanted == m->accepts)
		return;
	while (wanted && watched < m->listener.count)
		if (poller_add(&m->poller, m->listener.fd[watched], POLLER_IN,
		    &listener_cookie) == 0)
			watched++;
		else {
			m->pause_ns = now + PAUSE_NS;
			wanted = false;
		}
	while (!wanted && watched > 0)
		poller_drop(&m->poller, m->listener.fd[--watched]);
	m->accepts = wanted;
}

/* From the connections to tx */

/* It may have something to send.  Credit may come before it is connected. */
static void
ready(struct mux *m, struct conn *c)
{
	if (c->phase == CONN_OPEN)
		streams_ready(&m->streams, &c->stream);
}

/* It has nothing to send until the poller says so. */
static void
rest(struct mux *m, struct conn *c)
{
	streams_idle(&c->stream);
	watch(m, c, c->events | POLLER_IN);
}

/* A stream's turn: its next bytes become a record. */
static void
take_data(struct mux *m, struct conn *c, struct record *r)
{
	bool sparse = streams_sparse(&m->streams, &c->stream);
	uint32_t most = r->value;
	ssize_t n = outbox_fill(&m->outbox, c->fd, r->value);

	if (n > 0) {
		if (sparse)
			tx_hurry(m->tx);
		r->value = (uint32_t)n;
		outbox_head(&m->outbox, r);
		streams_sent(&m->streams, &c->stream, r->value);
		/* There is no more, as far as that can be told. */
		if (r->value < most && r->value < OUTBOX_COPIED)
			rest(m, c);
	} else if (n == 0)
		streams_ended(&m->streams, &c->stream);
	else if (errno == EAGAIN || errno == EWOULDBLOCK)
		rest(m, c);
	else if (errno != EINTR)
		streams_reset(&m->streams, &c->stream, STREAM_LOST);
	settle(m, c);
}

/* Moves records into tx's pipe.  true: there is more to do at once. */
static bool
send_some(struct mux *m)
{
	uint32_t ahead = (uint32_t)tx_ahead(m->tx), most = ahead / 2;
	struct record r;
	struct stream *st;
	unsigned i;

	m->outbox.copies = ahead < COPY_BELOW;
	most = most < DATA_MIN ? DATA_MIN : most > DATA_MAX ? DATA_MAX : most;
	for (i = 0; i < STEPS && m->room; i++) {
		if (!outbox_flush(&m->outbox)) {
			half_fail_errno(&m->owner, FAIL_RESOURCE, "cannot pass on a record", errno);
			return false;
		}
		if (!outbox_empty(&m->outbox)) {
			m->room = false;
			poller_change(&m->poller, m->out[1], POLLER_OUT, &out_cookie);
			return false;
		}
		st = streams_next(&m->streams, most, most, &r);
		if (st == NULL)
			return false;
		if (r.type == RECORD_DATA)
			take_data(m, (struct conn *)st, &r);
		else {
			outbox_head(&m->outbox, &r);
			settle(m, (struct conn *)st);
		}
	}
	return m->room;
}

/* From rx to the connections */

static void
tell_reset(const struct mux *m, const struct record *r)
{
	if (r->reason != STREAM_LOST)
		log_limited(&failures, LOG_LOSS, "%s: stream %u: %s",
		    m->options->initiate[0] != '\0' ? "initiate" : "terminate", r->number,
		    record_reason(r->reason));
}

/* A head is whole. */
static void
hear(struct mux *m)
{
	const char *why;
	struct record r;
	struct stream *st;
	enum streams_event event;

	why = record_decode(&r, m->inbox.bytes + m->inbox.at);
	m->inbox.at += RECORD_HEAD;
	if (why != NULL) {
		half_fail(&m->owner, FAIL_PROTOCOL, "the peer sent %s", why);
		m->hears = false;
		return;
	}
	event = streams_heard(&m->streams, &r, &st);
	m->inbox.left = r.type == RECORD_DATA ? r.value : 0;
	m->inbox.conn = event == STREAMS_DATA ? (struct conn *)st : NULL;
	if (r.type == RECORD_RESET && st != NULL)
		tell_reset(m, &r);
	if (event == STREAMS_OPEN)
		open_here(m, r.number);
	else if (event == STREAMS_CREDIT)
		ready(m, (struct conn *)st);
	else if (event == STREAMS_FIN)
		finish(m, (struct conn *)st);
	else if (event == STREAMS_BROKEN) {
		half_fail(&m->owner, FAIL_PROTOCOL, "the peer opened more than %u streams",
		    m->streams.most);
		m->hears = false;
	}
	if (st != NULL)
		settle(m, (struct conn *)st);
}

/* The next head, of those that were read already if there is one.  As read(2). */
static ssize_t
read_head(struct mux *m)
{
	struct inbox *in = &m->inbox;
	ssize_t n = 1;

	if (in->end - in->at < RECORD_HEAD) {
		memmove(in->bytes, in->bytes + in->at, in->end - in->at);
		in->end -= in->at;
		in->at = 0;
		n = read(m->in[0], in->bytes + in->end, sizeof(in->bytes) - in->end);
		in->end += n > 0 ? (size_t)n : 0;
	}
	if (n > 0 && in->end - in->at >= RECORD_HEAD)
		hear(m);
	return n;
}

/* Gives a connection bytes of DATA that were read with the head. */
static void
pass_read(struct mux *m, struct conn *c, const uint8_t *bytes, size_t n)
{
	ssize_t given = 0;

	if (c->phase == CONN_OPEN && !conn_keeps(c) && !c->full)
		given = conn_give(c, bytes, n);
	if (given == -1) {
		fail_conn(m, c, STREAM_LOST);
		return;
	}
	if (given > 0)
		streams_taken(&m->streams, &c->stream, (uint32_t)given, false, clock_now_ns());
	if ((size_t)given == n)
		return;
	if (!conn_store(c, bytes + given, n - (size_t)given))
		fail_conn(m, c, STREAM_RESOURCE);
	else if (c->phase == CONN_OPEN && (c->events & POLLER_OUT) == 0)
		flush(m, c);
}

/* Bytes of DATA that were read with the head, if there are any. */
static size_t
take_read(struct mux *m)
{
	struct inbox *in = &m->inbox;
	struct conn *c = in->conn;
	size_t n = in->end - in->at;

	if (n > in->left)
		n = in->left;
	in->at += n;
	in->left -= (uint32_t)n;
	if (in->left == 0)
		in->conn = NULL;
	if (n > 0 && c != NULL && c->phase != CONN_CLOSED)
		pass_read(m, c, in->bytes + in->at - n, n);
	return n;
}

/* Bytes of DATA for a connection: straight to it if it takes them, otherwise into its memory. */
static ssize_t
read_data(struct mux *m, struct conn *c)
{
	ssize_t n = -1;

	if (c->phase == CONN_OPEN && !conn_keeps(c) && !c->full && !m->outbox.unable) {
		n = conn_pass(c, m->in[0], m->inbox.left);
		if (n > 0)
			streams_taken(&m->streams, &c->stream, (uint32_t)n, false,
			    clock_now_ns());
		if (n >= 0 || errno == EINTR || (errno == EAGAIN && !c->full))
			return n;
		if (errno != EAGAIN && errno != EINVAL && errno != ENOSYS) {
			fail_conn(m, c, STREAM_LOST);
			return -1;
		}
	}
	n = conn_keep(c, m->in[0], m->inbox.left);
	if (n == -1 && errno == ENOMEM)
		fail_conn(m, c, STREAM_RESOURCE);
	else if (c->phase == CONN_OPEN && (c->events & POLLER_OUT) == 0)
		flush(m, c);
	return n;
}

/* The next bytes of DATA, which nobody gets if its connection is closed. */
static ssize_t
read_some(struct mux *m)
{
	struct conn *c = m->inbox.conn;
	size_t n = m->inbox.left < SCRATCH ? m->inbox.left : SCRATCH;
	ssize_t got = -1;

	if (c != NULL && c->phase != CONN_CLOSED)
		got = read_data(m, c);
	/* That may have closed it. */
	c = m->inbox.conn;
	if (got == -1 && (c == NULL || c->phase == CONN_CLOSED))
		got = read(m->in[0], m->scratch, n);
	if (got > 0 && (m->inbox.left -= (uint32_t)got) == 0)
		m->inbox.conn = NULL;
	return got;
}

/* Reads records from rx's pipe.  true: there is more to do at once. */
static bool
receive_some(struct mux *m)
{
	ssize_t n;
	unsigned i;

	for (i = 0; i < STEPS && m->hears; i++) {
		n = m->inbox.left > 0 && take_read(m) == 0 ? read_some(m) :
		    m->inbox.left == 0 ? read_head(m) : 1;
		if (n == 0)
			m->hears = false;
		if (n <= 0)
			break;
	}
	if (!m->hears)
		poller_drop(&m->poller, m->in[0]);
	return m->hears && i == STEPS;
}

/* The thread */

static void
conn_event(struct mux *m, struct conn *c, unsigned events)
{
	bool queued;
	int error = 0;

	if (c->phase == CONN_CLOSED || !c->watched)
		return;
	if (c->phase == CONN_CONNECTING) {
		connect_ended(m, c, net_connected(c->fd));
		return;
	}
	if ((events & POLLER_ERROR) != 0) {
		error = net_connected(c->fd);
		/* Otherwise both directions have ended, which would be told without end. */
		unwatch(m, c);
		c->events = 0;
	}
	if (error != 0) {
		fail_conn(m, c, STREAM_LOST);
		return;
	}
	/* It is not told again while it waits for its turn, or may not send. */
	queued = stream_queued(&c->stream);
	if ((events & (POLLER_IN | POLLER_ERROR)) != 0)
		ready(m, c);
	if ((events & POLLER_IN) != 0 && c->watched && (queued || !stream_queued(&c->stream)))
		watch(m, c, c->events & ~POLLER_IN);
	if ((events & (POLLER_OUT | POLLER_ERROR)) != 0)
		flush(m, c);
}

/* One event; whether rx's pipe has something. */
static bool
handle(struct mux *m, const struct poller_event *e)
{
	if (e->cookie == &listener_cookie)
		accept_some(m);
	else if (e->cookie == &wake_cookie)
		wake_clear(&m->wake);
	else if (e->cookie == &out_cookie) {
		poller_change(&m->poller, m->out[1], 0, &out_cookie);
		m->room = true;
	} else if (e->cookie != &in_cookie)
		conn_event(m, e->cookie, e->events);
	return e->cookie == &in_cookie;
}

static int
timeout_ms(const struct mux *m, uint64_t look_ns, uint64_t now)
{
	uint64_t until = CLOCK_NEVER;

	if (m->pending != NULL)
		until = look_ns;
	if (m->pause_ns != 0 && m->pause_ns < until)
		until = m->pause_ns;
	return clock_poll_ms(until, now);
}

static void *
run(void *argument)
{
	struct poller_event events[EVENTS];
	struct mux *m = argument;
	bool agreed = false, more = false, comes = false;
	uint64_t now, look_ns = 0;
	int n, i;

	for (;;) {
		now = clock_now_ns();
		watch_listeners(m, now);
		n = poller_wait(&m->poller, events, EVENTS,
		    more ? 0 : timeout_ms(m, look_ns, now));
		for (i = 0; i < n; i++) {
			if (events[i].cookie == &wake_cookie)
				look_ns = 0;
			comes = handle(m, &events[i]) || comes;
		}
		if (!agreed && atomic_load(&m->window) != 0) {
			streams_agree(&m->streams, atomic_load(&m->window));
			agreed = true;
		}
		now = clock_now_ns();
		if (m->pending != NULL && now >= look_ns) {
			look_at_pending(m, now);
			look_ns = now + LOOK_NS;
		}
		comes = m->hears && comes && receive_some(m);
		more = send_some(m) || comes;
		free_dead(m);
	}
	return NULL;
}

int
mux_start(struct mux *m, struct tx *tx)
{
	m->tx = tx;
	return thread_start_detached("viamillipede-x", run, m);
}
