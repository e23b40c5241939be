/*
 * outcome: how a session ends.  See outcome.h; runs in whichever thread calls it.
 */
#include "outcome.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "half.h"
#include "leg.h"
#include "rx.h"
#include "session.h"
#include "ssh/ssh.h"
#include "sys/clock.h"
#include "tx.h"

#define FAREWELL_NS	SECOND		/* how long the last frames may take */

/*
 * Keeps this end's own outcome for a peer that may be absent; but not if the outcome is
 * that the peer was absent for too long, or if a signal ends us: then only a peer that
 * is present is told.
 */
static void
keep_locked(struct session *s)
{
	bool unmet = s->sends && s->caller && (s->fail.reason == FAIL_SOURCE ||
	    s->fail.reason == FAIL_RESOURCE || s->fail.reason == FAIL_COMMAND);

	/* A listener that waits for the first call should learn that none will come. */
	if (!s->bound)
		session_close_locked(s, unmet ? FAREWELL_NS : 0);
	else if (s->signal != 0 || s->linger_ns < FAREWELL_NS ||
	    (s->direction.outcome == OUTCOME_FAILED && s->fail.reason == FAIL_TIMEOUT))
		session_close_locked(s, FAREWELL_NS);
	else {
		session_close_locked(s, s->linger_ns);
		s->keep_ns = s->linger_ns;
	}
}

static bool
outcome_locked(struct session *s, enum session_outcome outcome, int status)
{
	if (s->direction.outcome != OUTCOME_NONE)
		return false;
	/*
	 * Nothing of the stream was read, and the peer cannot have begun: the user may
	 * send it in another way.
	 */
	if (outcome == OUTCOME_FAILED && !s->bound &&
	    s->options->ssh_host[0] != '\0')
		status = EXIT_UNBEGUN;
	s->direction.outcome = outcome;
	s->outcome_ns = clock_now_ns();
	s->status = status;
	return true;
}

/* Failure */

/*
 * The level of the message about a failure.  A side that was started through ssh leaves
 * it to the peer, if there is one, because both print in the same place.
 */
static int
fail_level(struct session *s)
{
	bool alone;

	session_lock(s);
	alone = legs_at_rest_locked(s);
	session_unlock(s);
	return s->options->served && !alone ? LOG_RUN : LOG_ERROR;
}

/*
 * Sets a failure as the outcome, if there is none yet: first nothing more is written,
 * and no end of the stream is sent any more; then the command is stopped.
 */
static bool
fail_first(struct session *s, int status, enum failure reason, const char *text)
{
	bool first, failed;
	struct rx *rx;
	struct tx *tx;

	/* A signal may come while they are made. */
	session_lock(s);
	rx = s->rx;
	tx = s->tx;
	session_unlock(s);
	if (rx != NULL)
		rx_stop(rx);
	if (tx != NULL)
		tx_stop(tx);
	session_lock(s);
	first = outcome_locked(s, OUTCOME_FAILED, status);
	failed = s->direction.outcome == OUTCOME_FAILED;
	if (first) {
		s->fail.reason = reason;
		snprintf(s->fail.text, sizeof(s->fail.text), "%s", text);
	}
	session_unlock(s);
	/* Processes that a successful command left behind may go on. */
	if (failed && s->command != NULL)
		command_stop(s->command);
	return first;
}

void
outcome_fail_status(struct session *s, enum failure reason, int status, const char *text)
{
	uint64_t kept_ns;

	if (!fail_first(s, status, reason, text))
		return;
	/* Logged before the peer is told, because the session may be over soon after. */
	log_line(fail_level(s), "%.*s", (int)strcspn(text, "\n"), text);
	session_lock(s);
	legs_say_locked(s, PENDING_FAIL);
	keep_locked(s);
	kept_ns = s->up == 0 ? s->keep_ns : 0;
	session_unlock(s);
	if (kept_ns != 0)
		log_line(LOG_LOSS, "no leg is up; waiting up to %llu s for the peer, "
		    "to tell it the outcome",
		    (unsigned long long)(kept_ns / SECOND));
}

void
outcome_fail(struct session *s, enum failure reason, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	outcome_fail_status(s, reason, EXIT_FAILED, text);
}

static const char *
signal_text(int signal)
{
	return signal == SIGINT ? "SIGINT" : signal == SIGTERM ? "SIGTERM" :
	    signal == SIGHUP ? "SIGHUP" : signal == SIGQUIT ? "SIGQUIT" : "a signal";
}

void
outcome_signal(struct session *s, int signal)
{
	char text[64];
	bool second;

	session_lock(s);
	/* A second signal does not wait until the peer is told. */
	second = s->signal != 0;
	if (second)
		s->closing_ns = 0;
	s->signal = signal;
	s->keep_ns = 0;
	if (s->state == SESSION_CLOSING && s->closing_ns > clock_now_ns() + FAREWELL_NS)
		s->closing_ns = clock_now_ns() + FAREWELL_NS;
	lock_wake_all(&s->changed);
	session_unlock(s);
	if (second && s->command != NULL)
		command_hurry(s->command);
	if (s->ssh != NULL)
		ssh_hurry(s->ssh);
	snprintf(text, sizeof(text), "ended by %s", signal_text(signal));
	outcome_fail_status(s, FAIL_SIGNAL, EXIT_FAILED, text);
}

/* The halves of the stream */

static void
half_progress(void *cookie)
{
	session_progress(cookie);
}

static void
half_ended(void *cookie)
{
	session_finished(cookie);
}

/*
 * One way of the stream is complete: the outcome, if the other is, too, or if there is
 * none.  An end that sends tells a peer that does so, too, that it may go.
 */
static void
done_locked(struct session *s)
{
	if ((s->receives && s->taken_ns == 0) || (s->sends && !s->confirmed) ||
	    !outcome_locked(s, OUTCOME_DONE, EXIT_DELIVERED))
		return;
	/* The caller of run is done with it, and the other end has no outcome of its own. */
	if (s->receives && (!s->options->runs || s->command != NULL)) {
		if (s->sends)
			legs_say_locked(s, PENDING_BYE);
		keep_locked(s);
	} else {
		legs_say_locked(s, PENDING_BYE | PENDING_DRAIN);
		session_close_locked(s, FAREWELL_NS);
	}
}

static void
half_done(void *cookie, uint64_t total, uint64_t digest)
{
	struct session *s = cookie;

	session_lock(s);
	if (s->direction.outcome == OUTCOME_NONE && s->taken_ns == 0) {
		if (s->options->runs && s->command != NULL)
			s->command_status = command_status(s->command);
		s->came = total;
		s->taken_ns = clock_now_ns();
		if (!s->sends) {
			s->direction.total = total;
			s->direction.digest = digest;
		}
		legs_say_locked(s, PENDING_DONE);
		done_locked(s);
	}
	session_unlock(s);
	if (s->options->served)
		ssh_printed(s->ssh);
}

static void
half_failed(void *cookie, enum failure reason, const char *text)
{
	outcome_fail_status(cookie, reason, reason == FAIL_COMMAND ? EXIT_COMMAND : EXIT_FAILED,
	    text);
}

void
outcome_of_halves(struct session *s, struct half_owner *owner)
{
	*owner = (struct half_owner){
		.cookie = s, .progress = half_progress, .ended = half_ended,
		.done = half_done, .failed = half_failed
	};
}

/* What the peer reports */

void
outcome_peer_done(struct session *s, const struct done *done)
{
	struct tx_state state;

	tx_state(s->tx, &state);
	/* It cannot confirm what was not sent; but a command that runs may leave some of it. */
	if (s->options->runs && s->command == NULL ? done->total > state.next :
	    !state.finished || state.next != state.read || state.read != done->total) {
		outcome_fail(s, FAIL_PROTOCOL, "the receiver confirms %llu bytes of %llu",
		    (unsigned long long)done->total, (unsigned long long)state.next);
		return;
	}
	tx_done(s->tx, done);
	session_lock(s);
	if (s->direction.outcome == OUTCOME_NONE) {
		s->direction.total = done->total;
		/* Ours is what the peer is told. */
		if (s->command == NULL)
			s->command_status = (int)done->status;
		s->confirmed = true;
		done_locked(s);
	}
	session_unlock(s);
}

/*
 * Logs the last lines of the peer's command's standard error.  What a carriage return
 * would overwrite on a terminal is left out.
 */
static void
tell_last_words(const char *side, const char *text)
{
	const char *line, *end, *next, *begin;

	for (line = text; *line != '\0'; line = next) {
		end = line + strcspn(line, "\n");
		next = *end != '\0' ? end + 1 : end;
		while (end > line && end[-1] == '\r')
			end--;
		for (begin = end; begin > line && begin[-1] != '\r'; begin--)
			;
		if (begin < end)
			log_line(LOG_ERROR, "the %s's command: %.*s", side, (int)(end - begin),
			    begin);
	}
}

static void
tell_peer_fail(struct session *s, const struct fail *fail)
{
	const char *side = session_peer_text(s), *text = fail->text;
	int first = (int)strcspn(text, "\n");
	int level = fail_level(s);
	char ours[64];

	if (text[0] == '\0')
		text = failure_text(fail->reason);
	if (fail->reason != FAIL_COMMAND) {
		log_line(level, "the %s reports: %s", side, text);
		return;
	}
	/* The text begins with whose command it is, unless the peer is another program. */
	snprintf(ours, sizeof(ours), "the %s's command ", side);
	if (strncmp(text, ours, strlen(ours)) == 0)
		log_line(level, "%.*s", first, text);
	else
		log_line(level, "the %s reports: %.*s", side, (int)strcspn(text, "\n"), text);
	/* While ssh lives, the command's standard error came here through it. */
	if (s->ssh == NULL || !ssh_lives(s->ssh))
		tell_last_words(side, fail->text + first);
}

void
outcome_peer_fail(struct session *s, const struct fail *fail)
{
	int status = fail->reason == FAIL_TIMEOUT ? EXIT_UNREACHED :
	    fail->reason == FAIL_COMMAND ? EXIT_COMMAND : EXIT_FAILED;

	if (fail_first(s, status, fail->reason, fail->text))
		tell_peer_fail(s, fail);
	session_lock(s);
	legs_say_locked(s, PENDING_BYE | PENDING_DRAIN);
	session_close_locked(s, FAREWELL_NS);
	session_unlock(s);
}

void
outcome_peer_bye(struct session *s)
{
	bool early;

	session_lock(s);
	early = s->direction.outcome == OUTCOME_NONE;
	if (!early) {
		s->released = true;
		legs_say_locked(s, PENDING_DRAIN);
		session_close_locked(s, FAREWELL_NS);
	}
	session_unlock(s);
	if (early)
		outcome_fail(s, FAIL_PROTOCOL, "the peer ended the session too early");
}
