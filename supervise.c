/*
 * supervise: the main thread while the session lasts.  See supervise.h.
 */
#include "supervise.h"

#include <stdio.h>

#include "leg.h"
#include "outcome.h"
#include "rx.h"
#include "session.h"
#include "ssh/ssh.h"
#include "sys/clock.h"
#include "tx.h"

#define ALONE_NS	(10 * SECOND)	/* the remote side waits so long at most when ssh is gone */
#define TICK_NS		SECOND
#define TUNE_NS		(SECOND / 10)	/* while data flows */

/* A peer that is absent */

/*
 * Ends the session if ssh is gone and nobody has called: the side that ran it would have
 * called by now, or is gone as a peer is.
 */
static void
judge_alone(struct session *s, uint64_t now)
{
	uint64_t gone_ns = s->options->served ? ssh_gone_ns(s->ssh) : 0;
	uint64_t linger_ns = s->options->linger_ms * MS;
	bool met;

	if (gone_ns == 0 || now <= gone_ns + (linger_ns < ALONE_NS ? linger_ns : ALONE_NS))
		return;
	session_lock(s);
	met = s->bound && !s->unconfirmed;
	session_unlock(s);
	if (!met)
		outcome_fail_status(s, FAIL_TIMEOUT, EXIT_UNREACHED,
		    "the side that started this one through ssh is gone and has not called");
}

/* Ends the session if there was no contact for too long. */
static void
judge_contact(struct session *s, uint64_t now)
{
	uint64_t wait_ns = s->options->wait_ms * MS;
	bool refused;
	char text[128];

	if (wait_ns == 0 || now - s->start_ns < wait_ns)
		return;
	session_lock(s);
	refused = s->caller && paths_any_refused(&s->paths);
	session_unlock(s);
	snprintf(text, sizeof(text), "no contact within %llu s",
	    (unsigned long long)(s->options->wait_ms / 1000));
	outcome_fail_status(s, FAIL_TIMEOUT, refused ? EXIT_REFUSED : EXIT_UNREACHED, text);
}

/* What this end knows of the stream while the peer is absent. */
enum account {
	ACCOUNT_OPEN,		/* the sender and the receiver need each other */
	ACCOUNT_WORKING,	/* the receiver says that its consumer has not taken it all */
	ACCOUNT_DELIVERED,	/* the sender knows that all was delivered, but no more */
	ACCOUNT_WHOLE		/* this end has all that came, and needs no peer */
};

static enum account
account(struct session *s)
{
	struct rx_state in;
	struct tx_state out;
	bool confirmed;

	if (s->rx != NULL) {
		rx_state(s->rx, &in);
		if (!in.complete)
			return ACCOUNT_OPEN;
	}
	session_lock(s);
	confirmed = s->confirmed;
	session_unlock(s);
	if (s->tx == NULL || confirmed)
		return ACCOUNT_WHOLE;
	tx_state(s->tx, &out);
	if (!out.finished || out.delivered != out.read)
		return ACCOUNT_OPEN;
	return out.blocked ? ACCOUNT_WORKING : ACCOUNT_DELIVERED;
}

/* Ends the session because the peer was absent for `ns'; gone: its process is gone. */
static void
fail_absent(struct session *s, enum account account, bool gone, uint64_t ns)
{
	const char *format = "no progress for %llu s";
	char text[160];
	int n = 0;

	if (account == ACCOUNT_DELIVERED)
		format = "all was delivered, but no confirmation came for %llu s";
	else if (account == ACCOUNT_WORKING)
		format = "the consumer had not taken all, and the receiver was away for %llu s";
	else if (gone)
		format = "closed all connections and did not come back for %llu s";
	if (gone && account == ACCOUNT_OPEN)
		n = snprintf(text, sizeof(text), "the %s ", session_peer_text(s));
	snprintf(text + n, sizeof(text) - (size_t)n, format, (unsigned long long)(ns / SECOND));
	outcome_fail_status(s, FAIL_TIMEOUT, account == ACCOUNT_DELIVERED ? EXIT_UNCONFIRMED :
	    EXIT_UNREACHED, text);
}

static void
judge_progress(struct session *s, enum account account, uint64_t now)
{
	uint64_t last = atomic_load_explicit(&s->progress_ns, memory_order_relaxed);
	uint64_t quiet = now > last ? now - last : 0, most;

	session_lock(s);
	most = s->timeout_ns;
	session_unlock(s);
	if (most != 0 && quiet >= most)
		fail_absent(s, account, false, quiet);
}

/*
 * Since when the peer's process seems to be gone; 0 = it does not.  After silence a
 * refusal may come from a tunnel that cannot reach the peer, so it does not count; but
 * to a sender that lacks only the outcome it means that the receiver has ended.
 */
static uint64_t
gone_locked(const struct session *s, enum account account)
{
	if (!s->bound || s->up > 0 || !legs_at_rest_locked(s))
		return 0;
	if (s->caller && s->refused_ns == 0)
		return 0;
	if (!s->caller && (!s->closed || (s->options->served && ssh_gone_ns(s->ssh) == 0)))
		return 0;
	if (s->silent_ns == 0)
		return s->seen_ns;
	return account == ACCOUNT_DELIVERED || account == ACCOUNT_WORKING ? s->refused_ns : 0;
}

static void
judge_gone(struct session *s, enum account account, uint64_t now)
{
	uint64_t since, linger;

	session_lock(s);
	since = gone_locked(s, account);
	linger = s->linger_ns;
	session_unlock(s);
	if (since == 0 || now < since + linger)
		return;
	fail_absent(s, account, true, now - since);
}

/* Ends the session if the peer has been absent for too long. */
static void
judge_peer(struct session *s, uint64_t now)
{
	enum account a = account(s);

	if (a == ACCOUNT_WHOLE)
		return;
	judge_gone(s, a, now);
	judge_progress(s, a, now);
}

/* Legs */

/* Sets how many legs each path should have; a receiver that calls learns it from the sender. */
static void
judge_legs(struct session *s)
{
	unsigned wanted[OPTIONS_PATHS_MAX] = { 0 }, n = paths_total(&s->paths), most, i;

	session_lock(s);
	for (i = 0; i < n; i++)
		wanted[i] = s->paths.path[i].wanted;
	/* A receiver that calls knows itself how many legs it may open. */
	most = n > 0 ? s->paths.legs : OPTIONS_LEGS_MAX;
	session_unlock(s);
	if (!tx_leg_count(s->tx, wanted, n, most))
		return;
	session_lock(s);
	for (i = 0; i < n; i++)
		s->paths.path[i].wanted = wanted[i];
	legs_nudge_locked(s);
	/* The sender tells a receiver that calls. */
	if (!s->caller)
		legs_up_say_locked(s, PENDING_BEAT);
	session_unlock(s);
}

/* The round */

/* CLOSING: was everything sent that can be sent? */
static bool
closed_locked(const struct session *s, uint64_t now)
{
	if (now >= s->closing_ns)
		return true;
	if ((s->pending & PENDING_DRAIN) == 0)
		return false;
	/* A sender that has not sent BYE yet would keep the receiver waiting. */
	return s->given || (s->busy == 0 && (s->released || !s->sends));
}

static void
tick(struct session *s, enum session_state state, uint64_t now)
{
	if (state == SESSION_RUNNING && s->sends)
		judge_legs(s);
	if (state == SESSION_RUNNING && s->caller)
		legs_failback(s, now);
	if (s->rx != NULL && state != SESSION_CLOSING)
		rx_look(s->rx, state == SESSION_RUNNING);
	if (s->tx != NULL && state != SESSION_CLOSING)
		tx_look(s->tx);
	if (state != SESSION_CLOSING)
		judge_alone(s, now);
	if (state == SESSION_CONTACT)
		judge_contact(s, now);
	else if (state != SESSION_CLOSING)
		judge_peer(s, now);
	log_settle(false);
}

static void
tell_chaos(const struct session *s)
{
	const struct chaos_leg *legs[FRAME_LEGS];
	char text[160];
	unsigned i;

	if (s->chaos.every == 0)
		return;
	for (i = 0; i < s->legs; i++)
		legs[i] = &s->leg[i]->chaos;
	chaos_summary(legs, s->legs, text, sizeof(text));
	log_line(LOG_LOSS, "chaos: %s in all, seed %llu", text,
	    (unsigned long long)s->chaos.seed);
}

/*
 * This end was late, because it was suspended: that time does not count as time without
 * progress, and after more than a second the count begins anew.
 */
static void
excuse(struct session *s, uint64_t late_ns, uint64_t now)
{
	unsigned long long last = atomic_load(&s->progress_ns);
	uint64_t then = late_ns > SECOND || last + late_ns > now ? now : last + late_ns;

	/* If this fails, there was progress. */
	if (then > last)
		atomic_compare_exchange_strong(&s->progress_ns, &last, then);
	session_lock(s);
	s->seen_ns += now - s->seen_ns < late_ns ? now - s->seen_ns : late_ns;
	if (s->refused_ns != 0)
		s->refused_ns += now - s->refused_ns < late_ns ? now - s->refused_ns : late_ns;
	/* Never longer than from now on: it may have been set since this end goes on. */
	if (s->keep_ns != 0 && s->closing_ns < now + s->keep_ns) {
		s->closing_ns += late_ns;
		if (s->closing_ns > now + s->keep_ns)
			s->closing_ns = now + s->keep_ns;
	}
	session_unlock(s);
}

void
supervise(struct session *s)
{
	uint64_t now = clock_now_ns(), next = now, until;
	enum session_state was;

	session_lock(s);
	was = s->state;
	while (s->state != SESSION_OVER) {
		now = clock_now_ns();
		/* The interval depends on it, and the first second on the first tick. */
		if (s->state != was && now < next)
			next = now;
		was = s->state;
		if (now >= next) {
			enum session_state state = s->state;

			session_unlock(s);
			excuse(s, now - next, now);
			tick(s, state, now);
			next = clock_now_ns() + (s->sends && state == SESSION_RUNNING ?
			    TUNE_NS : TICK_NS);
			session_lock(s);
			continue;
		}
		if (s->state == SESSION_CLOSING && closed_locked(s, now)) {
			session_move_locked(s, SESSION_OVER);
			break;
		}
		until = next;
		if (s->state == SESSION_CLOSING && s->closing_ns < until)
			until = s->closing_ns;
		lock_wait_until(&s->changed, &s->lock, until);
	}
	legs_nudge_locked(s);
	session_unlock(s);
	tell_chaos(s);
}
