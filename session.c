/*
 * session: what the two ends agree on and how it ends.  See session.h; runs in
 * whichever thread calls it, session_run in the main thread.
 */
#include "session.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "entropy.h"
#include "rx.h"
#include "ssh.h"
#include "tx.h"
#include "worker.h"

#define SECOND		1000000000ULL
#define MS		1000000ULL
#define FAREWELL_NS	SECOND		/* the last words may take so long */
#define KEEP_NS		(60 * SECOND)	/* the receiver keeps its verdict so long */
#define VERDICT_NS	(90 * SECOND)	/* the sender waits so long for it */
#define ALONE_NS	(10 * SECOND)	/* the far side waits so long for who has gone */
#define TICK_NS		SECOND
#define TUNE_NS		(SECOND / 10)	/* while data flows */
#define WINDOW_MOST	((uint64_t)512 << 20)
#define DEFAULT_FRAME	(1u << 20)
#define JOINS_MOST	500u		/* of one leg in a second */

static const char *
state_name(enum session_state state)
{
	static const char *const name[] = {
		"contact", "running", "suspended", "closing", "over"
	};

	return name[state];
}

static const char *
signal_text(int signal)
{
	return signal == SIGINT ? "SIGINT" : signal == SIGTERM ? "SIGTERM" :
	    signal == SIGHUP ? "SIGHUP" : "a signal";
}

/* The one place where the state changes. */
static void
move_locked(struct session *s, enum session_state to)
{
	if (s->state == to)
		return;
	log_line(LOG_SESSION, "session %s -> %s", state_name(s->state), state_name(to));
	s->state = to;
	lock_wake_all(&s->changed);
}

/*
 * Unless it is fixed, the window may grow to 512 MiB or an eighth of memory,
 * whichever is less, and is never below its default.
 */
static uint64_t
window_most(const struct options *options)
{
	uint64_t most = options->window_bytes;
#ifdef _SC_PHYS_PAGES
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	if (pages > 0 && size > 0 && (uint64_t)pages / 8 * (uint64_t)size > most)
		most = (uint64_t)pages / 8 * (uint64_t)size;
#endif
	return most < WINDOW_MOST ? most : WINDOW_MOST;
}

int
session_init(struct session *s, const struct options *options)
{
	memset(s, 0, sizeof(*s));
	s->options = options;
	s->sender = options->mode == OPTIONS_TX;
	s->caller = options->calls;
	s->greeter = -1;
	s->greeter_most_ns = SECOND;
	s->start_ns = s->down_ns = clock_now_ns();
	s->timeout_ns = options->timeout_ms * MS;
	s->heartbeat_ns = options->heartbeat_ms * MS;
	s->window = options->window_given ? options->window_bytes : window_most(options);
	s->wish = s->window;
	s->frame = options->frame_given ? (uint32_t)options->frame_bytes : DEFAULT_FRAME;
	if (s->frame > s->window / 4)
		s->frame = (uint32_t)(s->window / 4);
	s->checked = options->checksum;
	lock_init(&s->lock);
	lock_cond_init(&s->changed);
	events_init(&s->events);
	auth_init(&s->auth);
	atomic_init(&s->progress_ns, s->start_ns);
	if (s->caller)
		paths_init(&s->paths, options->npaths, options->reserve, options->threads,
		    s->start_ns);
	return entropy_fill(s->caller ? s->id : s->instance, FRAME_ID);
}

/* Verdicts */

/* Every leg, also those that join later, has this to say. */
static void
say_locked(struct session *s, unsigned due)
{
	unsigned i;

	s->due |= due;
	for (i = 0; i < s->legs; i++)
		leg_due(s->leg[i], due);
}

static void
close_locked(struct session *s, uint64_t keep_ns)
{
	uint64_t now = clock_now_ns();

	s->closing_ns = now + keep_ns;
	move_locked(s, SESSION_CLOSING);
	lock_wake_all(&s->changed);
}

/* How long this end keeps its own verdict for a peer that may be away. */
static uint64_t
keep_ns(const struct session *s)
{
	uint64_t keep = KEEP_NS;

	/* A receiver that waits for us should learn that nothing will come. */
	if (!s->bound)
		return s->sender && s->caller && (s->fail.reason == FAIL_SOURCE ||
		    s->fail.reason == FAIL_RESOURCE || s->fail.reason == FAIL_COMMAND) ?
		    FAREWELL_NS : 0;
	if (s->sender || s->signal != 0)
		return FAREWELL_NS;
	if (s->timeout_ns != 0 && s->timeout_ns < keep)
		keep = s->timeout_ns;
	return keep;
}

static bool
verdict_locked(struct session *s, enum session_verdict verdict, int status)
{
	if (s->verdict != VERDICT_NONE)
		return false;
	s->verdict = verdict;
	s->verdict_ns = clock_now_ns();
	s->status = status;
	return true;
}

/* No leg has a connection, or is about to have one. */
static bool
at_rest_locked(const struct session *s)
{
	unsigned i;

	for (i = 0; i < s->legs; i++)
		if (s->leg[i]->pending_fd != -1)
			return false;
	return s->busy == 0;
}

/*
 * At what level a failure is told.  Who was started through ssh leaves it to the
 * peer, if there is one, because both are heard in the same place.
 */
static int
fail_level(struct session *s)
{
	bool alone;

	lock_take(&s->lock);
	alone = at_rest_locked(s);
	lock_drop(&s->lock);
	return s->options->served && !alone ? LOG_RUN : LOG_ERROR;
}

/*
 * The verdict is that it failed: nothing more is written, and then whoever takes
 * or makes the stream is told that it is in vain, which may be its end.
 */
static bool
fail_first(struct session *s, int status, enum failure reason, const char *text)
{
	bool first;

	if (s->rx != NULL)
		rx_stop(s->rx);
	lock_take(&s->lock);
	first = verdict_locked(s, VERDICT_FAILED, status);
	if (first) {
		s->fail.reason = reason;
		snprintf(s->fail.text, sizeof(s->fail.text), "%s", text);
	}
	lock_drop(&s->lock);
	if (s->command != NULL)
		command_stop(s->command);
	return first;
}

static void
fail_status(struct session *s, enum failure reason, int status, const char *text)
{
	if (!fail_first(s, status, reason, text))
		return;
	/* Said here before the peer hears of it, because then all may soon be over. */
	log_line(fail_level(s), "%.*s", (int)strcspn(text, "\n"), text);
	lock_take(&s->lock);
	say_locked(s, DUE_FAIL);
	close_locked(s, keep_ns(s));
	lock_drop(&s->lock);
}

void
session_fail(struct session *s, enum failure reason, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fail_status(s, reason, EXIT_FAILED, text);
}

void
session_fail_errno(struct session *s, enum failure reason, const char *what, int error)
{
	session_fail(s, reason, "%s: %s", what, strerror(error));
}

void
session_fail_command(struct session *s, const char *text)
{
	fail_status(s, FAIL_COMMAND, EXIT_COMMAND, text);
}

void
session_signal(struct session *s, int signal)
{
	char text[64];
	bool second;

	lock_take(&s->lock);
	/* A second one does not wait for the farewell. */
	second = s->signal != 0;
	if (second)
		s->closing_ns = 0;
	s->signal = signal;
	if (s->state == SESSION_CLOSING && s->closing_ns > clock_now_ns() + FAREWELL_NS)
		s->closing_ns = clock_now_ns() + FAREWELL_NS;
	lock_wake_all(&s->changed);
	lock_drop(&s->lock);
	if (second && s->command != NULL)
		command_hurry(s->command);
	if (s->ssh != NULL)
		ssh_hurry(s->ssh);
	snprintf(text, sizeof(text), "ended by %s", signal_text(signal));
	fail_status(s, FAIL_SIGNAL, EXIT_FAILED, text);
}

void
session_done(struct session *s, uint64_t total, uint64_t digest)
{
	lock_take(&s->lock);
	if (verdict_locked(s, VERDICT_DONE, EXIT_DELIVERED)) {
		s->total = total;
		s->digest = digest;
		say_locked(s, DUE_DONE);
		close_locked(s, keep_ns(s));
	}
	lock_drop(&s->lock);
}

void
session_peer_done(struct session *s, const struct done *done)
{
	struct tx_state state;

	tx_state(s->tx, &state);
	/* It cannot have what was not sent. */
	if (!state.finished || state.next != state.read || state.read != done->total) {
		session_fail(s, FAIL_PROTOCOL, "the receiver confirms %llu octets of %llu",
		    (unsigned long long)done->total, (unsigned long long)state.next);
		return;
	}
	lock_take(&s->lock);
	if (verdict_locked(s, VERDICT_DONE, EXIT_DELIVERED)) {
		s->total = done->total;
		say_locked(s, DUE_BYE | DUE_PART);
		close_locked(s, FAREWELL_NS);
	}
	lock_drop(&s->lock);
}

/*
 * The lines that the peer's command said last.  What was written over on a
 * terminal, up to a carriage return, is left out.
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
	const char *side = s->sender ? "receiver" : "sender", *text = fail->text;
	int first = (int)strcspn(text, "\n");
	int level = fail_level(s);
	char ours[64];

	if (text[0] == '\0')
		text = failure_text(fail->reason);
	if (fail->reason != FAIL_COMMAND) {
		log_line(level, "the %s reports: %s", side, text);
		return;
	}
	/* It says whose command it is, unless it is a peer of another kind. */
	snprintf(ours, sizeof(ours), "the %s's command ", side);
	if (strncmp(text, ours, strlen(ours)) == 0)
		log_line(level, "%.*s", first, text);
	else
		log_line(level, "the %s reports: %.*s", side, (int)strcspn(text, "\n"), text);
	/* What it said on standard error came here through ssh. */
	if (s->ssh == NULL || !ssh_lives(s->ssh))
		tell_last_words(side, fail->text + first);
}

void
session_peer_fail(struct session *s, const struct fail *fail)
{
	int status = fail->reason == FAIL_TIMEOUT ? EXIT_UNREACHED :
	    fail->reason == FAIL_COMMAND ? EXIT_COMMAND : EXIT_FAILED;

	if (fail_first(s, status, fail->reason, fail->text))
		tell_peer_fail(s, fail);
	lock_take(&s->lock);
	say_locked(s, DUE_BYE | DUE_PART);
	close_locked(s, FAREWELL_NS);
	lock_drop(&s->lock);
}

void
session_peer_bye(struct session *s)
{
	bool early;

	lock_take(&s->lock);
	early = s->verdict == VERDICT_NONE;
	if (!early) {
		s->released = true;
		say_locked(s, DUE_PART);
		close_locked(s, FAREWELL_NS);
	}
	lock_drop(&s->lock);
	if (early)
		session_fail(s, FAIL_PROTOCOL, "the peer took its leave before the end");
}

void
session_progress(struct session *s)
{
	atomic_store_explicit(&s->progress_ns, clock_now_ns(), memory_order_relaxed);
}

void
session_finished(struct session *s)
{
	lock_take(&s->lock);
	s->paths.urgent = true;
	lock_wake_all(&s->changed);
	lock_drop(&s->lock);
}

/* Legs */

/* However a dial ended; the leg may not have been dialling at all. */
static void
dial_over_locked(struct session *s, struct leg *leg)
{
	if (leg->dialling)
		paths_ended(&s->paths, leg->path);
	leg->dialling = false;
	if (s->greeter == (int)leg->number)
		s->greeter = -1;
	lock_wake_all(&s->changed);
}

/* Everything is said; nobody needs another leg. */
static bool
needless_locked(const struct session *s)
{
	return s->state == SESSION_OVER || ((s->due & DUE_PART) != 0 && s->released);
}

bool
session_over(struct session *s)
{
	bool over;

	lock_take(&s->lock);
	over = s->state == SESSION_OVER;
	lock_drop(&s->lock);
	return over;
}

bool
session_decided(struct session *s)
{
	bool decided;

	lock_take(&s->lock);
	decided = s->verdict != VERDICT_NONE;
	lock_drop(&s->lock);
	return decided;
}

bool
session_needless(struct session *s)
{
	bool needless;

	lock_take(&s->lock);
	needless = needless_locked(s);
	lock_drop(&s->lock);
	return needless;
}

bool
session_checked(struct session *s)
{
	bool checked;

	lock_take(&s->lock);
	checked = s->checked;
	lock_drop(&s->lock);
	return checked;
}

/* More legs may be wanted, or fewer: let those that are parked look. */
static void
nudge_locked(struct session *s)
{
	unsigned i;

	for (i = 0; i < s->legs; i++)
		if (atomic_load(&s->leg[i]->state) == LEG_PARKED)
			wake_signal(&s->leg[i]->wake);
}

/* For the report; by the leg's thread, without the lock. */
static void
leg_event(struct session *s, const struct leg *leg, enum event_kind kind, uint64_t at_ns,
    uint64_t lasted_ns, const char *why)
{
	struct event e = {
		.kind = kind, .at_ns = at_ns, .lasted_ns = lasted_ns, .leg = leg->number,
		.path = leg->path, .incarnation = leg->incarnation
	};

	memcpy(e.name, leg->name, sizeof(e.name));
	snprintf(e.why, sizeof(e.why), "%s", why);
	events_add(&s->events, &e);
}

unsigned
session_leg_up(struct session *s, struct leg *leg, uint64_t rtt_ns)
{
	static struct log_limit over = LOG_LIMIT("outages");
	uint64_t now = clock_now_ns(), gone = 0;
	unsigned due, up;

	lock_take(&s->lock);
	up = ++s->up;
	due = s->due;
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
			move_locked(s, SESSION_RUNNING);
	}
	if (s->caller) {
		dial_over_locked(s, leg);
		paths_joined(&s->paths, leg->path, rtt_ns, now);
		nudge_locked(s);
	}
	lock_drop(&s->lock);
	if (gone > 0) {
		log_limited(&over, LOG_LOSS, "going on after %.1f s without a leg",
		    (double)gone / (double)SECOND);
		leg_event(s, leg, EVENT_OUTAGE, now, gone, "");
	}
	leg_event(s, leg, EVENT_UP, now, 0, "");
	log_line(LOG_LEG, "leg %u up: %s (incarnation %u)", leg->number, leg->name,
	    (unsigned)leg->incarnation);
	return due;
}

void
session_leg_down(struct session *s, struct leg *leg, const char *why)
{
	static struct log_limit lost = LOG_LIMIT("legs lost"), none = LOG_LIMIT("no leg is up");
	uint64_t now = clock_now_ns();
	bool useful = leg->carried || leg->leaving || now - leg->up_ns >= SECOND;
	bool closing, suspended = false;
	unsigned up;

	lock_take(&s->lock);
	up = --s->up;
	closing = s->state == SESSION_CLOSING || s->state == SESSION_OVER;
	if (!closing && !leg->leaving)
		s->losses++;
	if (s->caller)
		paths_left(&s->paths, leg->path, useful, leg->random, now);
	if (up == 0) {
		s->down_ns = now;
		if (!closing) {
			move_locked(s, SESSION_SUSPENDED);
			suspended = true;
		}
	}
	if (s->caller)
		nudge_locked(s);
	lock_wake_all(&s->changed);
	lock_drop(&s->lock);
	if (!closing && !leg->leaving)
		log_limited(&lost, LOG_LOSS, "leg %u to %s lost: %s (%u up)", leg->number,
		    leg->name, why, up);
	if (suspended)
		log_limited(&none, LOG_LOSS, "no leg is up; waiting for the network");
	leg_event(s, leg, EVENT_DOWN, now, 0, why);
}

void
session_leg_parted(struct session *s)
{
	unsigned i;

	lock_take(&s->lock);
	s->released = true;
	/* Those that wait for an answer need not any more. */
	for (i = 0; i < s->legs; i++)
		if (atomic_load(&s->leg[i]->state) == LEG_GREETING)
			wake_signal(&s->leg[i]->wake);
	lock_wake_all(&s->changed);
	lock_drop(&s->lock);
}

void
session_leg_busy(struct session *s, bool busy)
{
	lock_take(&s->lock);
	s->busy += busy ? 1 : -1U;
	lock_wake_all(&s->changed);
	lock_drop(&s->lock);
}

/* The caller's side of a dial */

bool
session_place(struct session *s, struct leg *leg, unsigned *patience_ms, unsigned *again_ms,
    uint64_t *again_ns)
{
	static struct log_limit tunnels = LOG_LIMIT("legs through ssh");
	uint64_t now = clock_now_ns();
	bool go = false, spare;

	*again_ns = UINT64_MAX;
	lock_take(&s->lock);
	if (s->state == SESSION_OVER)
		*again_ns = 0;
	else if (needless_locked(s))
		;
	else if (paths_choose(&s->paths, leg->number, leg->home, now, &leg->path, again_ns)) {
		paths_began(&s->paths, leg->path, leg->random, now);
		leg->dialling = true;
		*patience_ms = paths_patience_ms(&s->paths, leg->number, leg->path);
		*again_ms = paths_again_ms(&s->paths, leg->number, now);
		go = true;
	}
	spare = go && s->paths.reserve && leg->path == s->paths.count;
	lock_drop(&s->lock);
	if (spare)
		log_limited(&tunnels, LOG_LOSS,
		    "port %s of %s cannot be reached; leg %u goes through ssh",
		    s->options->paths[leg->path].port, s->options->paths[leg->path].host,
		    leg->number);
	return go;
}

/*
 * refused: by the address that leg->address names now, otherwise as told.  Who was
 * started through ssh listened before it answered: that nobody does any more is a
 * last word.
 */
static void
dial_failed(struct session *s, struct leg *leg, bool refused, enum dial_end end)
{
	uint64_t now = clock_now_ns();

	lock_take(&s->lock);
	if (refused)
		paths_refused(&s->paths, leg->path, leg->denied | 1u << leg->address,
		    leg->addresses, leg->random, now);
	else if (end == DIAL_DENIED && s->ssh != NULL)
		paths_denied(&s->paths, leg->path, leg->denied, leg->addresses, leg->random, now);
	else
		paths_failed(&s->paths, leg->path, end == DIAL_SLOW, leg->random, now);
	dial_over_locked(s, leg);
	leg->home = paths_rotate(&s->paths, leg->number, leg->home);
	lock_drop(&s->lock);
}

/* Is there no way to the peer any more?  Then nobody is left to be told, either. */
static bool
nobody_left(struct session *s)
{
	bool all;

	lock_take(&s->lock);
	all = s->up == 0 && paths_all_refused(&s->paths);
	if (all && s->state == SESSION_CLOSING) {
		s->closing_ns = 0;
		lock_wake_all(&s->changed);
	}
	lock_drop(&s->lock);
	return all;
}

/* No way leads to the peer any more, or did at all. */
static void
refused_judge(struct session *s, int status, const char *text)
{
	bool bound, delivered = false;
	struct tx_state state;

	if (s->tx != NULL) {
		tx_state(s->tx, &state);
		delivered = state.finished && state.delivered == state.read;
	}
	lock_take(&s->lock);
	bound = s->bound;
	lock_drop(&s->lock);
	if (!nobody_left(s))
		return;
	if (!bound)
		fail_status(s, FAIL_PROTOCOL, status, text);
	else if (delivered)
		fail_status(s, FAIL_TIMEOUT, EXIT_UNCONFIRMED,
		    "all was delivered, but the receiver that could confirm it is gone");
	else
		session_fail(s, FAIL_PROTOCOL, s->sender ?
		    "no path leads to the receiver of this session any more" :
		    "no path leads to the sender of this session any more");
	nobody_left(s);
}

void
session_dial_failed(struct session *s, struct leg *leg, const char *why, enum dial_end end)
{
	static struct log_limit failed = LOG_LIMIT("dials failed");
	const struct options_path *path = &s->options->paths[leg->path];
	char rest[32];
	unsigned up, wanted;
	uint64_t now, next;
	bool closing;

	dial_failed(s, leg, false, end);
	lock_take(&s->lock);
	closing = s->verdict != VERDICT_NONE;
	up = s->up;
	wanted = s->paths.path[leg->path].wanted;
	next = s->paths.path[leg->path].next_ns;
	lock_drop(&s->lock);
	if (closing) {
		if (end == DIAL_DENIED && s->ssh != NULL)
			nobody_left(s);
		return;
	}
	now = clock_now_ns();
	if (next > now + SECOND / 20)
		snprintf(rest, sizeof(rest), "in %.1f s", (double)(next - now) / (double)SECOND);
	else
		snprintf(rest, sizeof(rest), "now");
	log_limited(&failed, LOG_LOSS,
	    "cannot connect to %s:%s%s%s: %s; retrying %s (%u of at least %u legs up)",
	    path->host, path->port, path->from[0] != '\0' ? " from " : "", path->from, why,
	    rest, up, wanted);
	if (end == DIAL_DENIED && s->ssh != NULL)
		refused_judge(s, EXIT_UNREACHED, "the far side does not listen any more");
}

/*
 * The first greeting of a session is made by one leg alone, so that two
 * receivers behind one name cannot both begin; the others wait for its end.
 * One that gets no answer is relieved by one that waits, each time after twice
 * as long, so that a path that is silent holds up no other for long and one
 * that is slow has its chance; a WELCOME to one that was relieved is ignored.
 */
static bool
greet_wait_locked(struct session *s, struct leg *leg)
{
	uint64_t until;

	while (!s->bound && s->greeter != -1 && s->state != SESSION_OVER) {
		until = s->greeter_ns + s->greeter_most_ns;
		if (clock_now_ns() >= until) {
			s->greeter_most_ns *= 2;
			break;
		}
		lock_wait_until(&s->changed, &s->lock, until);
	}
	if (!s->bound) {
		s->greeter = (int)leg->number;
		s->greeter_ns = clock_now_ns();
	}
	return s->state != SESSION_OVER;
}

static uint32_t
features(const struct session *s)
{
	return (s->checked ? FEATURE_CHECKSUM : 0) | (s->auth.given ? FEATURE_KEY : 0);
}

bool
session_hello(struct session *s, struct leg *leg, struct hello *hello)
{
	lock_take(&s->lock);
	if (!greet_wait_locked(s, leg)) {
		lock_drop(&s->lock);
		return false;
	}
	memset(hello, 0, sizeof(*hello));
	hello->role = s->sender ? ROLE_SENDER : ROLE_RECEIVER;
	memcpy(hello->session, s->id, FRAME_ID);
	memcpy(hello->instance, s->instance, FRAME_ID);
	hello->leg = (uint16_t)leg->number;
	hello->path = (uint16_t)leg->path;
	hello->incarnation = leg->incarnation = ++leg->newest;
	hello->required = features(s);
	hello->known = FEATURES_KNOWN;
	memcpy(hello->phrase, s->options->phrase, 4);
	hello->window = s->window;
	hello->frame = s->frame;
	hello->heartbeat_ms = (uint32_t)s->options->heartbeat_ms;
	hello->timeout_ms = s->options->timeout_ms;
	lock_drop(&s->lock);
	return true;
}

static uint64_t
smaller_timeout(uint64_t mine_ms, uint64_t theirs_ms)
{
	if (mine_ms == 0 || (theirs_ms != 0 && theirs_ms < mine_ms))
		mine_ms = theirs_ms;
	return mine_ms * MS;
}

/* Both halves work with what was agreed on from now on. */
static void
agree_locked(struct session *s)
{
	if (s->tx != NULL)
		tx_agree(s->tx, s->window, s->frame);
	if (s->rx != NULL)
		rx_agree(s->rx, s->window, s->frame, s->checked);
	session_progress(s);
}

static const char *
welcome_judge(const struct session *s, const struct leg *leg, const struct hello *w)
{
	if (memcmp(w->session, s->id, FRAME_ID) != 0)
		return "a WELCOME to another session";
	if (s->bound && memcmp(w->instance, s->instance, FRAME_ID) != 0)
		return "a WELCOME from another receiver";
	if (w->leg != leg->number || w->incarnation != leg->incarnation)
		return "a WELCOME to another leg";
	if (w->role != (s->sender ? ROLE_RECEIVER : ROLE_SENDER))
		return s->sender ? "a WELCOME from a sender" : "a WELCOME from a receiver";
	/* Whether there are checks is the sender's to say, once. */
	if ((s->sender || s->bound) && ((w->required & FEATURE_CHECKSUM) != 0) != s->checked)
		return "a WELCOME with other features";
	if (((w->required & FEATURE_KEY) != 0) != s->auth.given)
		return "a WELCOME with other features";
	if (!s->bound && s->greeter != (int)leg->number)
		return "another leg greets meanwhile";
	return NULL;
}

const char *
session_welcome(struct session *s, struct leg *leg, const struct hello *w)
{
	const char *why;
	bool first;

	lock_take(&s->lock);
	why = welcome_judge(s, leg, w);
	first = why == NULL && !s->bound;
	if (first) {
		memcpy(s->instance, w->instance, FRAME_ID);
		s->bound = true;
		s->greeter = -1;
		if (w->window < s->window)
			s->window = w->window;
		if (w->frame < s->frame)
			s->frame = w->frame;
		s->checked = (w->required & FEATURE_CHECKSUM) != 0;
		s->timeout_ns = smaller_timeout(s->options->timeout_ms, w->timeout_ms);
		agree_locked(s);
		lock_wake_all(&s->changed);
	}
	lock_drop(&s->lock);
	if (first && s->command != NULL)
		command_start(s->command);
	if (first)
		log_line(LOG_RUN, s->sender ? "the receiver at %s takes the stream" :
		    "the sender at %s has the stream", leg->name);
	return why;
}

/* A session that stands does not end by a word that anybody may have said. */
static bool
refusal_counts(struct session *s, bool proven)
{
	bool counts;

	lock_take(&s->lock);
	counts = proven || !s->bound;
	lock_drop(&s->lock);
	return counts;
}

const char *
session_refused(struct session *s, struct leg *leg, const struct refuse *r, bool proven)
{
	static struct log_limit refused = LOG_LIMIT("refusals");
	const struct options_path *path = &s->options->paths[leg->path];
	char text[320];

	snprintf(text, sizeof(text), "refused by %s:%s: %s%s%s", path->host, path->port,
	    refusal_text(r->reason), r->text[0] != '\0' ? "; " : "", r->text);
	if (!refusal_counts(s, proven)) {
		leg->address++;
		snprintf(text, sizeof(text), "refused without a proof: %s%s%s",
		    refusal_text(r->reason), r->text[0] != '\0' ? "; " : "", r->text);
		session_dial_failed(s, leg, text, DIAL_FAILED);
		return "refused without a proof";
	}
	if (r->reason == REFUSE_STALE) {
		dial_failed(s, leg, false, DIAL_FAILED);
		return "stale";
	}
	dial_failed(s, leg, true, DIAL_FAILED);
	/* The next dial tries another address of the name. */
	leg->address++;
	log_limited(&refused, s->paths.count > 1 || s->bound ? LOG_LOSS : LOG_SESSION, "%s", text);
	refused_judge(s, EXIT_REFUSED, text);
	return "refused";
}

void
session_unwelcome(struct session *s, struct leg *leg)
{
	lock_take(&s->lock);
	dial_over_locked(s, leg);
	lock_drop(&s->lock);
}

/* The listener's side */

/* Always false: the HELLO is not accepted. */
static bool
refuse(struct refuse *r, enum refusal reason, const char *text)
{
	r->reason = reason;
	snprintf(r->text, sizeof(r->text), "%s", text);
	return false;
}

static bool
refuse_busy(struct session *s, struct refuse *r, uint64_t now)
{
	char text[FRAME_REFUSE_TEXT];

	if (s->up > 0)
		return refuse(r, REFUSE_BUSY, "");
	r->no_leg_ms = (now - s->down_ns) / MS;
	snprintf(text, sizeof(text), "it has had no leg for %llu s",
	    (unsigned long long)(r->no_leg_ms / 1000));
	return refuse(r, REFUSE_BUSY, text);
}

/* What has nothing to do with this session yet. */
static bool
judge_hello(const struct session *s, const struct hello *h, struct refuse *r)
{
	static const uint8_t none[FRAME_ID];

	memset(r, 0, sizeof(*r));
	memcpy(r->session, h->session, FRAME_ID);
	if (memcmp(h->phrase, s->options->phrase, 4) != 0)
		return refuse(r, REFUSE_PHRASE, "");
	if (h->role != (s->sender ? ROLE_RECEIVER : ROLE_SENDER))
		return refuse(r, REFUSE_ROLE, "");
	if ((h->required & ~FEATURES_KNOWN) != 0)
		return refuse(r, REFUSE_FEATURE, "");
	if (memcmp(h->instance, none, FRAME_ID) != 0 &&
	    memcmp(h->instance, s->instance, FRAME_ID) != 0)
		return refuse(r, REFUSE_RECEIVER, "");
	return true;
}

/* The session came to nothing so far: another may take its place.  Its legs are at rest. */
static bool
brought_nothing(const struct session *s, const struct hello *h)
{
	struct rx_state in;
	struct tx_state out;

	if (s->tx != NULL) {
		/* What was read and promised to the first has to suit the second. */
		tx_state(s->tx, &out);
		return out.acknowledged == 0 && out.delivered == 0 && h->window >= s->window &&
		    h->frame >= s->frame;
	}
	rx_state(s->rx, &in);
	return in.delivered == 0 && in.stored == 0 && !in.complete;
}

/* A session begins here; one that brought nothing and is gone makes room. */
static bool
adopt_locked(struct session *s, const struct hello *h, struct refuse *r, uint64_t now)
{
	if (s->verdict != VERDICT_NONE)
		return refuse_busy(s, r, now);
	if (s->bound) {
		if (!at_rest_locked(s) || !brought_nothing(s, h))
			return refuse_busy(s, r, now);
		log_line(LOG_LOSS, "a session that brought nothing makes room for another");
	}
	memcpy(s->id, h->session, FRAME_ID);
	s->bound = true;
	s->window = s->wish < h->window ? s->wish : h->window;
	if (s->rx != NULL) {
		s->frame = h->frame;
		s->checked = (h->required & FEATURE_CHECKSUM) != 0;
	} else if (h->frame < s->frame)
		s->frame = h->frame;
	if (s->frame > s->window / 4)
		s->frame = (uint32_t)(s->window / 4);
	s->timeout_ns = smaller_timeout(s->options->timeout_ms, h->timeout_ms);
	agree_locked(s);
	return true;
}

/* However often an honest leg is cut, it joins less often than this. */
static bool
joins_too_often(struct leg *leg, uint64_t now)
{
	if (now - leg->joined_ns >= SECOND) {
		leg->joined_ns = now;
		leg->joins = 0;
	}
	return ++leg->joins > JOINS_MOST;
}

/* Give the connection to the leg's thread, and make one for it if it is new. */
static bool
hand_over_locked(struct session *s, const struct hello *h, const struct auth_talk *talk, int fd,
    const char *name, struct refuse *r, uint64_t now)
{
	struct leg *leg = s->leg[h->leg];

	if (h->incarnation <= leg->newest)
		return refuse(r, REFUSE_STALE, "");
	if (joins_too_often(leg, now)) {
		leg_due(leg, DUE_CLOSE);
		return refuse(r, REFUSE_STALE, "and it joins too often");
	}
	if (!leg->running) {
		int error = worker_start(leg);

		if (error != 0) {
			log_line(LOG_ERROR, "cannot start a thread for leg %u: %s", leg->number,
			    strerror(error));
			return refuse(r, REFUSE_BUSY, "no thread for another leg");
		}
		leg->running = true;
	}
	leg->newest = h->incarnation;
	if (leg->pending_fd != -1)
		close(leg->pending_fd);
	leg->pending_fd = fd;
	leg->pending = *h;
	leg->pending_talk = *talk;
	snprintf(leg->pending_name, sizeof(leg->pending_name), "%s", name);
	leg_due(leg, DUE_CLOSE);
	return true;
}

bool
session_knows(struct session *s, const uint8_t id[FRAME_ID])
{
	bool known;

	lock_take(&s->lock);
	known = s->bound && memcmp(id, s->id, FRAME_ID) == 0;
	lock_drop(&s->lock);
	return known;
}

bool
session_admit(struct session *s, const struct hello *h, const struct auth_talk *talk, int fd,
    const char *name, struct refuse *r)
{
	uint64_t now = clock_now_ns();
	bool good;

	if (!judge_hello(s, h, r))
		return false;
	lock_take(&s->lock);
	good = s->bound && memcmp(h->session, s->id, FRAME_ID) == 0;
	if (!good) {
		unsigned i;

		good = adopt_locked(s, h, r, now);
		for (i = 0; good && i < s->legs; i++)
			s->leg[i]->newest = 0;
	}
	if (good && s->rx != NULL && ((h->required & FEATURE_CHECKSUM) != 0) != s->checked)
		good = refuse(r, REFUSE_FEATURE, "");
	if (good)
		good = hand_over_locked(s, h, talk, fd, name, r, now);
	lock_drop(&s->lock);
	/* Not before there is a sender: a command may begin with emptying a file. */
	if (good && s->command != NULL)
		command_start(s->command);
	return good;
}

void
session_make_welcome(struct session *s, const struct hello *h, struct hello *w)
{
	struct rx_state state = { 0 };

	if (s->rx != NULL)
		rx_state(s->rx, &state);
	*w = *h;
	lock_take(&s->lock);
	w->welcome = true;
	w->role = s->sender ? ROLE_SENDER : ROLE_RECEIVER;
	memcpy(w->instance, s->instance, FRAME_ID);
	w->required = features(s);
	w->known = FEATURES_KNOWN;
	w->window = s->window;
	w->frame = s->frame;
	w->heartbeat_ms = (uint32_t)s->options->heartbeat_ms;
	w->timeout_ms = s->options->timeout_ms;
	w->delivered = state.delivered;
	lock_drop(&s->lock);
}

/* The main thread */

/* Nobody was reached for so long that it ends. */
static void
judge_contact(struct session *s, uint64_t now)
{
	uint64_t wait_ns = s->options->wait_ms * MS;
	uint64_t gone_ns = s->options->served ? ssh_gone_ns(s->ssh) : 0;
	bool refused;
	char text[128];

	/* Whoever ssh was run for would have called by now. */
	if (gone_ns != 0 && now > gone_ns + ALONE_NS) {
		fail_status(s, FAIL_TIMEOUT, EXIT_UNREACHED,
		    "whoever started this side through ssh has gone without a call");
		return;
	}
	if (wait_ns == 0 || now - s->start_ns < wait_ns)
		return;
	lock_take(&s->lock);
	refused = s->caller && paths_any_refused(&s->paths);
	lock_drop(&s->lock);
	snprintf(text, sizeof(text), "no contact within %llu s",
	    (unsigned long long)(s->options->wait_ms / 1000));
	fail_status(s, FAIL_TIMEOUT, refused ? EXIT_REFUSED : EXIT_UNREACHED, text);
}

static void
judge_progress(struct session *s, uint64_t now)
{
	uint64_t last = atomic_load_explicit(&s->progress_ns, memory_order_relaxed);
	uint64_t quiet = now > last ? now - last : 0, most;
	bool unconfirmed = false;
	struct tx_state state;
	char text[128];

	lock_take(&s->lock);
	most = s->timeout_ns;
	lock_drop(&s->lock);
	if (s->sender) {
		tx_state(s->tx, &state);
		unconfirmed = state.finished && state.delivered == state.read;
		/* A receiver that said that its consumer is not ready may need longer. */
		if (unconfirmed && !state.blocked && (most == 0 || most > VERDICT_NS))
			most = VERDICT_NS;
	}
	if (most == 0 || quiet < most)
		return;
	snprintf(text, sizeof(text), unconfirmed ?
	    "all was delivered, but no confirmation came for %llu s" :
	    "no progress for %llu s", (unsigned long long)(quiet / SECOND));
	fail_status(s, FAIL_TIMEOUT, unconfirmed ? EXIT_UNCONFIRMED : EXIT_UNREACHED, text);
}

/* CLOSING: is everything said that can be said? */
static bool
closed_locked(const struct session *s, uint64_t now)
{
	if (now >= s->closing_ns)
		return true;
	/* A sender that has not said BYE to anybody yet would keep the receiver waiting. */
	return (s->due & DUE_PART) != 0 && s->busy == 0 && (s->released || !s->sender);
}

/*
 * As many legs as turned out to be of use.  A receiver that calls cannot know
 * how many the sender will use, and makes as many as it may.
 */
static void
judge_legs(struct session *s)
{
	unsigned wanted[OPTIONS_PATHS_MAX] = { 0 }, n = paths_total(&s->paths), i;
	bool more = false;

	lock_take(&s->lock);
	for (i = 0; i < n; i++)
		wanted[i] = s->paths.path[i].wanted;
	lock_drop(&s->lock);
	if (s->tx != NULL)
		more = tx_tune(s->tx, wanted, n);
	for (i = 0; s->tx == NULL && i < n; i++)
		if (wanted[i] < (s->legs + n - 1) / n) {
			wanted[i] = (s->legs + n - 1) / n;
			more = true;
		}
	if (!more)
		return;
	lock_take(&s->lock);
	for (i = 0; i < n; i++)
		s->paths.path[i].wanted = wanted[i];
	nudge_locked(s);
	lock_drop(&s->lock);
}

/* Of the legs that work on another path, one after the other. */
static void
call_home(struct session *s, uint64_t now)
{
	struct leg *leg;
	unsigned i;

	lock_take(&s->lock);
	for (i = 0; i < s->legs; i++) {
		leg = s->leg[i];
		if (atomic_load(&leg->state) == LEG_UP &&
		    paths_call_home(&s->paths, leg->home, leg->path, now)) {
			leg_due(leg, DUE_HOME);
			break;
		}
	}
	lock_drop(&s->lock);
}

static void
tick(struct session *s, enum session_state state, uint64_t now)
{
	if (state == SESSION_RUNNING && (s->caller || s->sender))
		judge_legs(s);
	if (state == SESSION_RUNNING && s->caller)
		call_home(s, now);
	if (s->rx != NULL && state != SESSION_CLOSING)
		rx_look(s->rx, state == SESSION_RUNNING);
	if (state == SESSION_CONTACT)
		judge_contact(s, now);
	else if (state != SESSION_CLOSING)
		judge_progress(s, now);
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
	chaos_tally(legs, s->legs, text, sizeof(text));
	log_line(LOG_LOSS, "chaos: %s in all, seed %llu", text,
	    (unsigned long long)s->chaos.seed);
}

void
session_run(struct session *s)
{
	uint64_t now = clock_now_ns(), next = now, until;

	lock_take(&s->lock);
	while (s->state != SESSION_OVER) {
		now = clock_now_ns();
		if (s->state == SESSION_CLOSING && closed_locked(s, now)) {
			move_locked(s, SESSION_OVER);
			break;
		}
		if (now >= next) {
			enum session_state state = s->state;

			lock_drop(&s->lock);
			/* So late that the machine slept: judge at the next tick. */
			if (now > next + SECOND)
				session_progress(s);
			tick(s, state, now);
			next = clock_now_ns() + (s->sender && state == SESSION_RUNNING ?
			    TUNE_NS : TICK_NS);
			lock_take(&s->lock);
			continue;
		}
		until = next;
		if (s->state == SESSION_CLOSING && s->closing_ns < until)
			until = s->closing_ns;
		lock_wait_until(&s->changed, &s->lock, until);
	}
	nudge_locked(s);
	lock_drop(&s->lock);
	tell_chaos(s);
}
