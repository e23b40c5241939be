/*
 * dial: the caller's side of a session.  See dial.h; runs in the legs' threads.
 */
#include "dial.h"

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "handshake.h"
#include "leg.h"
#include "outcome.h"
#include "rx.h"
#include "session.h"
#include "ssh/ssh.h"
#include "sys/clock.h"
#include "tx.h"

#define LINE_TIMEOUT_MS	20000u	/* of a greeting over ssh's own connection */
#define START_NS	(5 * SECOND)	/* failed dials before this are not worth a message */

/* ssh lives, so its own connection leads to the peer. */
static bool
line_leads(const struct session *s)
{
	return s->options->line != 0 && line_open(&s->ssh->line);
}

/* The connection of ssh itself may be begun, or begun again, while ssh lives. */
static bool
line_choose_locked(const struct session *s, uint64_t now, uint64_t *again_ns)
{
	if (!line_leads(s))
		return false;
	if (now < s->line_ns)
		*again_ns = s->line_ns;
	return now >= s->line_ns;
}

bool
dial_choose(struct session *s, struct leg *leg, unsigned *timeout_ms, unsigned *again_ms,
    uint64_t *again_ns)
{
	struct path_choice choice = { .again_ns = UINT64_MAX };
	uint64_t now = clock_now_ns();
	bool go = false;

	session_lock(s);
	if (s->state == SESSION_OVER)
		choice.again_ns = 0;
	else if (session_needless_locked(s))
		;
	else if (leg->piped) {
		*timeout_ms = *again_ms = LINE_TIMEOUT_MS;
		go = line_choose_locked(s, now, &choice.again_ns);
	} else if (paths_choose(&s->paths, leg->number, leg->preferred, now, &choice)) {
		leg->path = choice.path;
		paths_began(&s->paths, leg->path, leg->random, now);
		/* A leg that is no probe prefers the path on which it is used. */
		if (leg->number >= s->paths.count && leg->path < s->paths.count)
			leg->preferred = leg->path;
		leg->dialling = true;
		leg->address = paths_address(&s->paths, leg->path, leg->address);
		leg->segment = s->paths.path[leg->path].segment;
		*timeout_ms = paths_timeout_ms(&s->paths, leg->number, leg->path);
		*again_ms = paths_again_ms(&s->paths, leg->number, now);
		go = true;
	}
	session_unlock(s);
	*again_ns = choice.again_ns;
	return go;
}

/* Notes what a failed dial says about the peer, while no leg is up. */
static void
unmet_locked(struct session *s, const struct leg *leg, bool refused, enum dial_end end,
    uint64_t now)
{
	bool there = refused || end == DIAL_CLOSED || (end == DIAL_DENIED && !leg->unanswered);

	/* A login that is refused says nothing about the peer. */
	if (s->up > 0 || end == DIAL_BARRED)
		return;
	if (!there) {
		s->silent_ns = now;
		s->refused_ns = 0;
	} else if (s->refused_ns == 0)
		s->refused_ns = now;
}

/*
 * refused: by the address number leg->address; otherwise as `end' says.  A side that
 * was started through ssh listened before it answered, so if nothing listens there
 * any more, that is final.
 */
static void
note_failed(struct session *s, struct leg *leg, bool refused, enum dial_end end)
{
	struct path_refusal r = {
		.outcome = refused ? PATH_REFUSED : PATH_DENIED,
		.by = leg->denied | (refused ? 1u << leg->address : 0),
		.addresses = leg->addresses
	};
	uint64_t now = clock_now_ns();

	session_lock(s);
	unmet_locked(s, leg, refused, end, now);
	if (leg->piped)
		s->line_ns = now + SECOND;
	else if (refused || (end == DIAL_DENIED && s->ssh != NULL))
		paths_refused(&s->paths, leg->path, &r, leg->random, now);
	else if (end == DIAL_BARRED)
		paths_barred(&s->paths, leg->path, now);
	else
		paths_failed(&s->paths, leg->path, end == DIAL_SLOW, leg->random, now);
	leg_dial_over_locked(s, leg);
	/* The reserve through ssh, or another login, may be dialled now. */
	if (s->ssh != NULL)
		legs_nudge_locked(s);
	if (!leg->piped)
		leg->preferred = paths_rotate(&s->paths, leg->number, leg->preferred);
	session_unlock(s);
}

/* No path leads to the peer any more.  Then there is no peer to tell the outcome, either. */
static bool
nobody_left(struct session *s)
{
	bool all;

	session_lock(s);
	/* A refused login may succeed later, so it counts only before the session is bound. */
	all = s->up == 0 && !line_leads(s) && paths_all_refused(&s->paths, !s->bound);
	if (all && s->state == SESSION_CLOSING) {
		s->closing_ns = 0;
		lock_wake_all(&s->changed);
	}
	session_unlock(s);
	return all;
}

/* Nothing of any stream is known to have come to either end. */
static bool
nothing_came(struct session *s)
{
	struct tx_state out = { 0 };
	struct rx_state in = { 0 };

	if (s->tx != NULL)
		tx_state(s->tx, &out);
	if (s->rx != NULL)
		rx_state(s->rx, &in);
	return out.acknowledged == 0 && out.delivered == 0 && in.delivered == 0 && in.stored == 0;
}

/* All was delivered at both ends. */
static bool
all_delivered(struct session *s)
{
	struct tx_state out;
	struct rx_state in;

	if (s->tx == NULL)
		return false;
	tx_state(s->tx, &out);
	if (s->rx != NULL) {
		rx_state(s->rx, &in);
		if (!in.complete)
			return false;
	}
	return out.finished && out.delivered == out.read;
}

/*
 * No path leads to the peer any more, or none ever did.  `busy': it has another session;
 * with a key two callers may both be welcome, of which the first to confirm has it.
 */
static void
refused_judge(struct session *s, int status, bool busy, const char *text)
{
	bool bound, delivered = all_delivered(s), none = nothing_came(s);

	session_lock(s);
	bound = s->bound;
	session_unlock(s);
	if (!nobody_left(s))
		return;
	if (!bound || (busy && none))
		outcome_fail_status(s, FAIL_PROTOCOL, status, text);
	else if (delivered)
		outcome_fail_status(s, FAIL_TIMEOUT, EXIT_UNCONFIRMED,
		    "all was delivered, but the receiver that could confirm it is gone");
	else
		outcome_fail(s, FAIL_PROTOCOL, "no path leads to the %s of this session any more",
		    session_peer_text(s));
	nobody_left(s);
}

/*
 * With ssh: a login was refused, or ssh's own connection has failed.  Whichever comes last
 * may leave no way.
 */
static void
barred_judge(struct session *s, const struct leg *leg, const char *why, enum dial_end end)
{
	char text[sizeof(s->barred)];

	session_lock(s);
	if (end == DIAL_BARRED)
		snprintf(s->barred, sizeof(s->barred), "no leg can go through ssh: %s", why);
	memcpy(text, s->barred, sizeof(text));
	session_unlock(s);
	if (text[0] != '\0' && (end == DIAL_BARRED || leg->piped))
		refused_judge(s, EXIT_UNREACHED, false, text);
}

/*
 * The level of the message about a failed dial.  With ssh there are several paths, and
 * the start shows which of them work: one that does not is no loss while another
 * works or was not tried yet.
 */
static int
dial_level_locked(const struct session *s, const struct leg *leg, enum dial_end end, uint64_t now)
{
	bool reserve = s->paths.reserve && leg->path == s->paths.count;

	if (s->ssh == NULL || end == DIAL_BARRED)
		return LOG_LOSS;
	if (s->contact_ns == 0)
		return now - s->start_ns < START_NS ? LOG_SESSION : LOG_LOSS;
	return s->paths.reserve && !reserve &&
	    (s->piped || s->paths.path[s->paths.count].up > 0) ? LOG_SESSION : LOG_LOSS;
}

void
dial_failed(struct session *s, struct leg *leg, const char *why, enum dial_end end)
{
	static struct log_limit failed = LOG_LIMIT("dials failed");
	static struct log_limit barred = LOG_LIMIT("logins refused");
	const struct options_path *path = &s->options->paths[leg->path];
	uint64_t now = clock_now_ns(), next;
	unsigned up, wanted;
	bool closing, spare;
	char rest[32];
	int level;

	note_failed(s, leg, false, end);
	barred_judge(s, leg, why, end);
	session_lock(s);
	closing = s->direction.outcome != OUTCOME_NONE;
	/* Only the connection of ssh itself is left. */
	spare = end == DIAL_BARRED && s->piped && legs_spare_locked(s, leg);
	level = dial_level_locked(s, leg, end, now);
	up = s->up;
	wanted = s->paths.path[leg->path].wanted;
	next = s->paths.path[leg->path].next_ns;
	session_unlock(s);
	if (closing) {
		if (end == DIAL_DENIED && s->ssh != NULL)
			nobody_left(s);
		return;
	}
	if (spare)
		legs_tell_spare(s, leg);
	if (next > now + SECOND / 20)
		snprintf(rest, sizeof(rest), "in %.1f s", (double)(next - now) / (double)SECOND);
	else
		snprintf(rest, sizeof(rest), "now");
	/* A refused login is for the user to mend, so it is not lost among others. */
	log_limited(end == DIAL_BARRED ? &barred : &failed, level,
	    "cannot connect to %s:%s%s%s: %s; retrying %s (%u of at least %u legs up)",
	    path->host, path->port, path->from[0] != '\0' ? " from " : "", path->from, why,
	    rest, up, wanted);
	if (end == DIAL_DENIED && s->ssh != NULL)
		refused_judge(s, EXIT_UNREACHED, false, "the remote side does not listen any more");
}

bool
dial_shares(struct session *s)
{
	bool first;

	session_lock(s);
	first = !s->shared;
	s->shared = true;
	session_unlock(s);
	return first;
}

void
dial_over(struct session *s, struct leg *leg)
{
	session_lock(s);
	leg_dial_over_locked(s, leg);
	session_unlock(s);
}

/* Greetings */

/*
 * One leg alone does the first handshake of a session, so that two receivers behind one
 * name cannot both begin; the other legs wait for its end.  If it gets no answer, one
 * that waits takes over, each time after twice as long, so that a silent path does not
 * delay the others for long; the first WELCOME counts, on whichever leg.  With ssh no
 * leg waits: all paths lead to the one receiver that has this session's key.
 */
static bool
greet_wait_locked(struct session *s, struct leg *leg)
{
	uint64_t until;

	while (!s->bound && s->greeter != -1 && s->state != SESSION_OVER && s->ssh == NULL) {
		until = s->greeter_ns + s->greeter_max_ns;
		if (clock_now_ns() >= until) {
			s->greeter_max_ns *= 2;
			break;
		}
		lock_wait_until(&s->changed, &s->lock, until);
	}
	if (!s->bound) {
		s->greeter = (int)leg->number;
		s->greeter_ns = clock_now_ns();
	}
	return s->state != SESSION_OVER && !paths_enough(&s->paths, leg->path);
}

bool
dial_hello(struct session *s, struct leg *leg, struct hello *hello)
{
	session_lock(s);
	if (!greet_wait_locked(s, leg)) {
		session_unlock(s);
		return false;
	}
	memset(hello, 0, sizeof(*hello));
	hello->role = session_role(s);
	memcpy(hello->session, s->id, FRAME_ID);
	session_name(s, hello->name);
	memcpy(hello->instance, s->instance, FRAME_ID);
	hello->leg = (uint16_t)leg->number;
	hello->path = (uint16_t)leg->path;
	hello->incarnation = leg->incarnation = ++leg->newest;
	hello->required = session_features(&s->direction);
	hello->known = handshake_known();
	memcpy(hello->phrase, s->options->phrase, 4);
	hello->window = s->direction.window;
	hello->frame = s->direction.frame;
	hello->heartbeat_ms = (uint32_t)s->options->heartbeat_ms;
	hello->timeout_ms = s->options->timeout_ms;
	hello->linger_ms = s->options->linger_ms;
	if (s->rx != NULL && s->bound)
		rx_greeting(s->rx, leg->number, hello);
	session_unlock(s);
	return true;
}

static const char *
welcome_judge(const struct session *s, const struct leg *leg, const struct hello *w)
{
	bool checked = (w->required & FEATURE_CHECKSUM) != 0;
	uint8_t name[FRAME_NAME];

	session_name(s, name);
	if (memcmp(w->session, s->id, FRAME_ID) != 0)
		return "a WELCOME to another session";
	if (memcmp(w->name, name, FRAME_NAME) != 0)
		return "a WELCOME of another transfer";
	if (s->bound && memcmp(w->instance, s->instance, FRAME_ID) != 0)
		return "a WELCOME from another receiver";
	if (w->leg != leg->number || w->incarnation != leg->incarnation)
		return "a WELCOME to another leg";
	if (w->role != session_peer_role(s))
		return "a WELCOME from another role";
	/* The sender decides, once, whether there are checks; if both send, either. */
	if (checked != s->direction.checked &&
	    (s->bound || !s->receives || (s->sends && s->direction.checked)))
		return "a WELCOME with other features";
	if (!s->bound && w->delivered != 0)
		return "says that it delivered what was never sent";
	return NULL;
}

const char *
dial_welcome(struct session *s, struct leg *leg, const struct hello *w)
{
	const char *why;
	bool first;

	session_lock(s);
	why = welcome_judge(s, leg, w);
	first = why == NULL && !s->bound;
	if (first) {
		memcpy(s->instance, w->instance, FRAME_ID);
		s->bound = true;
		s->greeter = -1;
		if (w->window < s->direction.window)
			s->direction.window = w->window;
		if (w->frame < s->direction.frame)
			s->direction.frame = w->frame;
		s->direction.checked = (w->required & FEATURE_CHECKSUM) != 0;
		session_agree_locked(s, w);
		lock_wake_all(&s->changed);
	}
	session_unlock(s);
	if (first && s->command != NULL)
		command_start(s->command);
	if (first)
		log_line(LOG_RUN, !s->receives ? "the receiver at %s takes the stream" :
		    !s->sends ? "the sender at %s has the stream" :
		    "the listener at %s has the other end", leg->name);
	return why;
}

/* A refusal that is not proven may come from a stranger: it does not end a bound session. */
static bool
refusal_counts(struct session *s, bool proven)
{
	bool counts;

	session_lock(s);
	counts = proven || !s->bound;
	session_unlock(s);
	return counts;
}

static void
refusal_words(const struct refuse *r, char *to, size_t size)
{
	size_t n = (size_t)snprintf(to, size, "%s%s%s", refusal_text(r->reason),
	    r->text[0] != '\0' ? "; " : "", r->text);

	if (r->no_leg_ms > 0 && n < size)
		snprintf(to + n, size - n, "; it has had no leg for %llu s",
		    (unsigned long long)(r->no_leg_ms / 1000));
}

const char *
dial_refused(struct session *s, struct leg *leg, const struct refuse *r, bool proven)
{
	static struct log_limit refused = LOG_LIMIT("refusals");
	const struct options_path *path = &s->options->paths[leg->path];
	char words[160], text[480];

	refusal_words(r, words, sizeof(words));
	snprintf(text, sizeof(text), "refused by %s:%s: %s", path->host, path->port, words);
	if (!refusal_counts(s, proven)) {
		leg->address++;
		snprintf(text, sizeof(text), "refused without a proof: %s", words);
		dial_failed(s, leg, text, DIAL_FAILED);
		return "refused without a proof";
	}
	if (r->reason == REFUSE_STALE) {
		note_failed(s, leg, false, DIAL_FAILED);
		return "stale";
	}
	note_failed(s, leg, true, DIAL_FAILED);
	/* The next dial tries another address of the name. */
	leg->address++;
	log_limited(&refused, s->paths.count > 1 || s->bound ? LOG_LOSS : LOG_SESSION, "%s", text);
	refused_judge(s, EXIT_REFUSED, r->reason == REFUSE_BUSY, text);
	return "refused";
}
