/*
 * session: what both sides of it share.  See session.h; runs in whichever thread
 * calls it.
 */
#include "session.h"

#include <stdio.h>
#include <string.h>

#include "crypto/entropy.h"
#include "handshake.h"
#include "leg.h"
#include "mux.h"
#include "rx.h"
#include "sys/clock.h"
#include "sys/memory.h"
#include "tx.h"

#define WINDOW_MAX	((uint64_t)512 << 20)
#define WINDOW_MIN	((uint64_t)1 << 20)
#define DEFAULT_FRAME	(1u << 20)

/* The table in state.h; in particular, OVER is final. */
static bool
may_move(enum session_state from, enum session_state to)
{
	switch (from) {
	case SESSION_CONTACT:
		return to == SESSION_RUNNING || to == SESSION_CLOSING;
	case SESSION_RUNNING:
		return to == SESSION_SUSPENDED || to == SESSION_CLOSING;
	case SESSION_SUSPENDED:
		return to == SESSION_RUNNING || to == SESSION_CLOSING;
	case SESSION_CLOSING:
		return to == SESSION_OVER;
	case SESSION_OVER:
		return false;
	}
	return false;
}

/* The one place where the state changes. */
void
session_move_locked(struct session *s, enum session_state to)
{
	if (!may_move(s->state, to))
		return;
	s->state = to;
	lock_wake_all(&s->changed);
}

void
session_lock(struct session *s)
{
	lock_acquire(&s->lock);
}

void
session_unlock(struct session *s)
{
	enum session_state from = s->logged, to = s->state;

	s->logged = to;
	lock_release(&s->lock);
	if (from != to)
		log_line(LOG_SESSION, "session %s -> %s", state_session(from), state_session(to));
}

/* Unless it is fixed, the window may grow to an eighth of the memory that there is for us. */
static uint64_t
window_max(void)
{
	uint64_t most = memory_limit() / 8;

	return most > WINDOW_MAX ? WINDOW_MAX : most < WINDOW_MIN ? WINDOW_MIN : most;
}

void
session_begin(struct session *s)
{
	const struct options *options = s->options;
	unsigned i;

	s->start_ns = s->down_ns = s->seen_ns = clock_now_ns();
	session_progress(s);
	if (!s->caller)
		return;
	paths_init(&s->paths, options->npaths, options->reserve, options->legs, s->start_ns);
	for (i = 0; i < paths_total(&s->paths); i++)
		if (options->paths[i].tunnel)
			paths_login(&s->paths, i, options->login_ms * MS);
}

int
session_init(struct session *s, const struct options *options)
{
	memset(s, 0, sizeof(*s));
	s->options = options;
	s->sends = options->mode != OPTIONS_RX;
	s->receives = options->mode != OPTIONS_TX;
	s->caller = options->calls;
	s->greeter = -1;
	s->greeter_max_ns = SECOND;
	s->timeout_ns = options->timeout_ms * MS;
	s->linger_ns = options->linger_ms * MS;
	s->heartbeat_ns = options->heartbeat_ms * MS;
	s->direction.window = options->window_given ? options->window_bytes : window_max();
	s->direction.requested = s->direction.window;
	s->direction.frame = options->frame_given ? (uint32_t)options->frame_bytes : DEFAULT_FRAME;
	if (s->direction.frame > s->direction.window / 4)
		s->direction.frame = (uint32_t)(s->direction.window / 4);
	s->direction.checked = options->checksum;
	lock_init(&s->lock);
	lock_cond_init(&s->changed);
	events_init(&s->events);
	key_init(&s->key, options->phrase, options->name);
	atomic_init(&s->progress_ns, 0);
	if (options->line == 0)
		session_begin(s);
	return entropy_fill(s->caller ? s->id : s->instance, FRAME_ID);
}

void
session_has_legs(struct session *s, unsigned legs)
{
	session_lock(s);
	if (legs > 0 && legs < s->paths.legs)
		s->paths.legs = legs;
	session_unlock(s);
}

void
session_close_locked(struct session *s, uint64_t ns)
{
	s->keep_ns = 0;
	s->closing_ns = clock_now_ns() + ns;
	session_move_locked(s, SESSION_CLOSING);
	lock_wake_all(&s->changed);
}

bool
session_over(struct session *s)
{
	bool over;

	session_lock(s);
	over = s->state == SESSION_OVER;
	session_unlock(s);
	return over;
}

bool
session_decided(struct session *s)
{
	bool decided;

	session_lock(s);
	decided = s->direction.outcome != OUTCOME_NONE;
	session_unlock(s);
	return decided;
}

bool
session_taken(struct session *s)
{
	bool taken;

	session_lock(s);
	taken = s->taken_ns != 0;
	session_unlock(s);
	return taken;
}

bool
session_needless_locked(const struct session *s)
{
	return s->state == SESSION_OVER || ((s->pending & PENDING_DRAIN) != 0 && s->released);
}

bool
session_needless(struct session *s)
{
	bool needless;

	session_lock(s);
	needless = session_needless_locked(s);
	session_unlock(s);
	return needless;
}

bool
session_checked(struct session *s)
{
	bool checked;

	session_lock(s);
	checked = s->direction.checked;
	session_unlock(s);
	return checked;
}

bool
session_knows(struct session *s, const uint8_t id[FRAME_ID])
{
	bool known;

	session_lock(s);
	known = s->bound && memcmp(id, s->id, FRAME_ID) == 0;
	session_unlock(s);
	return known;
}

void
session_progress(struct session *s)
{
	atomic_store_explicit(&s->progress_ns, clock_now_ns(), memory_order_relaxed);
}

void
session_finished(struct session *s)
{
	session_lock(s);
	s->paths.urgent = true;
	lock_wake_all(&s->changed);
	session_unlock(s);
}

/* What is agreed on */

void
session_name(const struct session *s, uint8_t name[FRAME_NAME])
{
	uint8_t hash[SHA256_LENGTH];
	struct sha256 state;

	memset(name, 0, FRAME_NAME);
	if (s->key.given || s->options->name[0] == '\0')
		return;
	sha256_init(&state);
	sha256_add(&state, s->options->name, strlen(s->options->name));
	sha256_final(&state, hash);
	memcpy(name, hash, FRAME_NAME);
}

enum role
session_role(const struct session *s)
{
	return options_streams(s->options) ? ROLE_STREAMS :
	    s->sends && s->receives ? ROLE_BOTH : s->sends ? ROLE_SENDER : ROLE_RECEIVER;
}

enum role
session_peer_role(const struct session *s)
{
	return s->sends && s->receives ? session_role(s) : s->sends ? ROLE_RECEIVER : ROLE_SENDER;
}

const char *
session_text(const struct session *s)
{
	return !s->receives ? "sender" : !s->sends ? "receiver" : s->caller ? "caller" : "listener";
}

const char *
session_peer_text(const struct session *s)
{
	return !s->receives ? "receiver" : !s->sends ? "sender" : s->caller ? "listener" : "caller";
}

uint32_t
session_features(const struct direction *d)
{
	return d->checked ? FEATURE_CHECKSUM : 0;
}

/* Timeout and linger: the smaller of both sides' values holds. */
static void
agree_patience_locked(struct session *s, const struct hello *theirs)
{
	uint64_t timeout_ms = s->options->timeout_ms, linger_ms = s->options->linger_ms;

	if (timeout_ms == 0 || (theirs->timeout_ms != 0 && theirs->timeout_ms < timeout_ms))
		timeout_ms = theirs->timeout_ms;
	if (theirs->linger_ms < linger_ms)
		linger_ms = theirs->linger_ms;
	if (timeout_ms != 0 && timeout_ms < linger_ms)
		linger_ms = timeout_ms;
	s->timeout_ns = timeout_ms * MS;
	s->linger_ns = linger_ms * MS;
}

/* Both halves work with what was agreed on from now on. */
void
session_agree_locked(struct session *s, const struct hello *theirs)
{
	agree_patience_locked(s, theirs);
	if (s->tx != NULL)
		tx_agree(s->tx, s->direction.window, s->direction.frame, s->direction.checked);
	if (s->rx != NULL)
		rx_agree(s->rx, s->direction.window, s->direction.frame, s->direction.checked);
	if (s->mux != NULL)
		mux_agree(s->mux, s->direction.window);
	session_progress(s);
}

void
session_welcome_locked(const struct session *s, const struct direction *d,
    const struct hello *h, struct hello *w)
{
	*w = *h;
	w->delivered = w->received = 0;
	if (s->rx != NULL && s->bound && memcmp(h->session, s->id, FRAME_ID) == 0)
		rx_greeting(s->rx, h->leg, w);
	w->welcome = true;
	session_name(s, w->name);
	w->role = session_role(s);
	memcpy(w->instance, s->instance, FRAME_ID);
	w->required = session_features(d);
	w->known = handshake_known();
	w->window = d->window;
	w->frame = d->frame;
	w->heartbeat_ms = (uint32_t)s->options->heartbeat_ms;
	w->timeout_ms = s->options->timeout_ms;
	w->linger_ms = s->options->linger_ms;
}
