/*
 * leg: what belongs to one connection, and what it means for the session that one
 * comes up or goes down.  See leg.h; runs in whichever thread calls it.
 */
#include "leg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crypto/channel.h"
#include "session.h"
#include "sys/clock.h"
#include "sys/log.h"

struct leg *
leg_new(struct session *session, unsigned number)
{
	struct leg *leg = calloc(1, sizeof(*leg));

	if (leg == NULL)
		return NULL;
	/* Most of the listener's legs are never used. */
	wake_none(&leg->wake);
	if (session->caller && wake_init(&leg->wake) == -1) {
		free(leg);
		return NULL;
	}
	leg->session = session;
	leg->tx = session->tx;
	leg->rx = session->rx;
	leg->number = number;
	leg->handed.fd = leg->fd = -1;
	leg->random = (number + 1) * 0x9e3779b97f4a7c15ULL ^ session->start_ns;
	leg->piped = session->options->line != 0 && number == LEG_PIPED;
	if (leg->piped)
		leg->preferred = leg->path = session->options->line;
	else if (session->caller)
		leg->preferred = leg->path = paths_preferred(&session->paths, number);
	atomic_init(&leg->state, LEG_PARKED);
	return leg;
}

void
leg_move(struct leg *leg, enum leg_state to)
{
	enum leg_state from = (enum leg_state)atomic_load(&leg->state);

	if (log_wants(LOG_LEG + 2) && from != to)
		log_line(LOG_LEG + 2, "leg %u %s -> %s", leg->number, state_leg(from),
		    state_leg(to));
	atomic_store(&leg->state, to);
}

void
leg_hand_over_locked(struct leg *leg, const struct leg_handed *handed)
{
	if (leg->handed.fd != -1)
		close(leg->handed.fd);
	channel_pair_free(leg->handed.keys);
	leg->handed = *handed;
	leg_pending(leg, PENDING_CLOSE);
}

/* Takes the listener's connection, its keys and its name.  false: there is none. */
static bool
take_handed_locked(struct leg *leg, struct hello *hello)
{
	if (leg->handed.fd == -1)
		return false;
	leg->fd = leg->handed.fd;
	leg->handed.fd = -1;
	leg->keys = leg->handed.keys;
	leg->handed.keys = NULL;
	*hello = leg->handed.hello;
	memcpy(leg->name, leg->handed.name, sizeof(leg->name));
	leg->piped = leg->handed.piped;
	leg->early = leg->handed.early;
	atomic_fetch_and(&leg->pending, ~PENDING_CLOSE);
	return true;
}

/* Jitter: Marsaglia's xorshift, "Xorshift RNGs", 2003. */
void
leg_stir(struct leg *leg)
{
	leg->random ^= leg->random << 13;
	leg->random ^= leg->random >> 7;
	leg->random ^= leg->random << 17;
}

enum leg_end
leg_end_by(int error)
{
	return error == ECONNRESET || error == EPIPE || error == ECONNABORTED ?
	    LEG_END_CLOSED : LEG_END_SILENT;
}

/* The legs of a session */

void
legs_say_locked(struct session *s, unsigned pending)
{
	unsigned i;

	s->pending |= pending;
	for (i = 0; i < s->legs; i++)
		leg_pending(s->leg[i], pending);
}

void
legs_nudge_locked(struct session *s)
{
	unsigned i;

	for (i = 0; i < s->legs; i++)
		if (atomic_load(&s->leg[i]->state) == LEG_PARKED)
			wake_signal(&s->leg[i]->wake);
}

bool
legs_at_rest_locked(const struct session *s)
{
	unsigned i;

	for (i = 0; i < s->legs; i++)
		if (s->leg[i]->handed.fd != -1)
			return false;
	return s->busy == 0;
}

void
leg_dial_over_locked(struct session *s, struct leg *leg)
{
	if (leg->dialling)
		paths_ended(&s->paths, leg->path);
	leg->dialling = false;
	if (s->greeter == (int)leg->number)
		s->greeter = -1;
	lock_wake_all(&s->changed);
}

bool
legs_spare_locked(struct session *s, const struct leg *leg)
{
	bool spare = s->paths.reserve && leg->path == s->paths.count &&
	    s->paths.bare_ns != 0;
	bool news = spare && !s->spare;

	s->spare = spare || (s->spare && s->paths.bare_ns != 0);
	return news;
}

void
legs_tell_spare(const struct session *s, const struct leg *leg)
{
	const struct options_path *path = &s->options->paths[leg->path];

	log_line(LOG_LOSS, "port %s of %s cannot be reached; the legs go through ssh",
	    path->port, path->host);
}

/* Adds an event for the report; called by the leg's thread, without the lock. */
static void
leg_event(const struct leg *leg, struct event e, const char *why)
{
	e.leg = leg->number;
	e.path = leg->path;
	e.incarnation = leg->incarnation;
	memcpy(e.name, leg->name, sizeof(e.name));
	snprintf(e.why, sizeof(e.why), "%s", why);
	events_add(&leg->session->events, &e);
}

/* The peer is present, or was until now. */
static void
seen_locked(struct session *s, uint64_t now)
{
	s->seen_ns = now;
	s->closed = false;
	s->refused_ns = 0;
	if (s->keep_ns != 0 && s->closing_ns < now + s->keep_ns)
		s->closing_ns = now + s->keep_ns;
}

/*
 * Notes what the end of a connection says about the peer.  If it was alive after
 * others had died of silence, the network as a whole was not down.
 */
static void
ended_locked(struct session *s, const struct leg *leg, uint64_t now)
{
	bool closed = s->closed;

	seen_locked(s, now);
	s->closed = closed || (leg->end == LEG_END_CLOSED && !leg->leaving);
	if (leg->end == LEG_END_SILENT)
		s->silent_ns = now;
	else if (leg->end == LEG_END_CLOSED && leg->liveness.heard_ns > s->silent_ns)
		s->silent_ns = 0;
}

unsigned
leg_up(struct session *s, struct leg *leg, uint64_t rtt_ns)
{
	static struct log_limit over = LOG_LIMIT("outages");
	uint64_t now = clock_now_ns(), gone = 0;
	bool spare = false;
	unsigned pending, up;

	session_lock(s);
	up = ++s->up;
	seen_locked(s, now);
	s->silent_ns = 0;
	pending = s->pending;
	if (up == 1) {
		gone = now - s->down_ns;
		if (s->state == SESSION_SUSPENDED && gone > s->longest_ns)
			s->longest_ns = gone;
		if (s->state != SESSION_SUSPENDED)
			gone = 0;
		else
			s->outages++;
		if (s->contact_ns == 0)
			s->contact_ns = now;
		if (s->state == SESSION_CONTACT || s->state == SESSION_SUSPENDED)
			session_move_locked(s, SESSION_RUNNING);
	}
	s->piped = s->piped || leg->piped;
	if (s->caller) {
		leg_dial_over_locked(s, leg);
		if (!leg->piped) {
			paths_thin(&s->paths, leg->path, leg->thin_rate != 0);
			paths_joined(&s->paths, leg->path, rtt_ns, now);
		}
		spare = legs_spare_locked(s, leg);
		legs_nudge_locked(s);
	}
	session_unlock(s);
	if (spare)
		legs_tell_spare(s, leg);
	if (gone > 0) {
		log_limited(&over, LOG_LOSS, "going on after %.1f s without a leg",
		    (double)gone / (double)SECOND);
		leg_event(leg, (struct event){ .kind = EVENT_OUTAGE, .at_ns = now,
		    .lasted_ns = gone }, "");
	}
	leg_event(leg, (struct event){ .kind = EVENT_UP, .at_ns = now }, "");
	log_line(LOG_LEG, "leg %u up: %s (incarnation %u)", leg->number, leg->name,
	    (unsigned)leg->incarnation);
	return pending;
}

/* The leg found that its path carries nothing. */
static bool
barren_locked(struct session *s, const struct leg *leg)
{
	struct path_hole hole = {
		.address = leg->address, .addresses = leg->addresses, .segment = leg->segment,
		.up_ns = leg->up_ns
	};

	return s->caller && leg->barren && paths_barren(&s->paths, leg->path, &hole);
}

void
leg_down(struct session *s, struct leg *leg, const char *why)
{
	static struct log_limit lost = LOG_LIMIT("legs lost"), none = LOG_LIMIT("no leg is up");
	uint64_t now = clock_now_ns();
	bool useful = leg->carried || leg->leaving || now - leg->up_ns >= SECOND;
	bool closing, suspended = false;
	unsigned up;

	session_lock(s);
	up = --s->up;
	ended_locked(s, leg, now);
	closing = s->state == SESSION_CLOSING || s->state == SESSION_OVER;
	if (!closing && !leg->leaving)
		s->losses++;
	if (s->caller && leg->shown && !leg->piped)
		paths_ceased(&s->paths, leg->path, now);
	if (!leg->piped && barren_locked(s, leg))
		useful = false;
	if (leg->piped) {
		s->piped = false;
		s->line_ns = useful ? now : now + SECOND;
	} else if (s->caller)
		paths_left(&s->paths, leg->path, useful, leg->random, now);
	if (up == 0) {
		s->down_ns = now;
		if (!closing) {
			session_move_locked(s, SESSION_SUSPENDED);
			suspended = true;
		}
	}
	if (s->caller)
		legs_nudge_locked(s);
	lock_wake_all(&s->changed);
	session_unlock(s);
	if (!closing && !leg->leaving)
		log_limited(&lost, LOG_LOSS, "leg %u to %s lost: %s (%u up)", leg->number,
		    leg->name, why, up);
	if (suspended)
		log_limited(&none, LOG_LOSS, "no leg is up; waiting for the network");
	leg_event(leg, (struct event){ .kind = EVENT_DOWN, .at_ns = now }, why);
}

void
leg_wanted(struct session *s, const struct leg *leg, unsigned legs)
{
	unsigned *number;

	if (legs == 0 || !s->caller || leg->piped)
		return;
	session_lock(s);
	number = s->sends ? &s->paths.path[leg->path].asked : &s->paths.path[leg->path].wanted;
	if (*number != legs) {
		*number = legs;
		legs_nudge_locked(s);
	}
	session_unlock(s);
}

void
leg_carried(struct session *s, const struct leg *leg)
{
	session_lock(s);
	paths_carried(&s->paths, leg->path);
	session_unlock(s);
}

void
leg_drained(struct session *s)
{
	unsigned i;

	session_lock(s);
	s->released = true;
	/* Those that wait for an answer need not any more. */
	for (i = 0; i < s->legs; i++)
		if (atomic_load(&s->leg[i]->state) == LEG_GREETING)
			wake_signal(&s->leg[i]->wake);
	lock_wake_all(&s->changed);
	session_unlock(s);
}

void
leg_given(struct session *s)
{
	session_lock(s);
	s->given = true;
	lock_wake_all(&s->changed);
	session_unlock(s);
}

bool
leg_handed(struct session *s, struct leg *leg, struct hello *hello)
{
	bool there;

	session_lock(s);
	there = take_handed_locked(leg, hello);
	/* Under the same lock: at no moment does the session look at rest. */
	if (there)
		s->busy++;
	session_unlock(s);
	return there;
}

void
leg_confirmed(struct session *s)
{
	session_lock(s);
	s->unconfirmed = false;
	session_unlock(s);
}

void
leg_busy(struct session *s, bool busy)
{
	session_lock(s);
	s->busy += busy ? 1 : -1U;
	s->rest_ns = clock_now_ns();
	lock_wake_all(&s->changed);
	session_unlock(s);
}

void
legs_up_say_locked(struct session *s, unsigned pending)
{
	unsigned i;

	for (i = 0; i < s->legs; i++)
		if (atomic_load(&s->leg[i]->state) == LEG_UP)
			leg_pending(s->leg[i], pending);
}

void
legs_failback(struct session *s, uint64_t now)
{
	struct leg *leg, *last = NULL;
	unsigned spare, i;

	session_lock(s);
	spare = paths_spare(&s->paths, now);
	for (i = 0; i < s->legs; i++) {
		leg = s->leg[i];
		if (atomic_load(&leg->state) != LEG_UP || leg->piped)
			continue;
		if (leg->number >= s->paths.count && leg->path == spare)
			last = leg;
		if (paths_failback(&s->paths, leg->preferred, leg->path, now)) {
			last = leg;
			break;
		}
	}
	if (last != NULL)
		leg_pending(last, PENDING_FAILBACK);
	session_unlock(s);
}
