/*
 * admit: the listener's side of a session.  See admit.h; runs in the listener's
 * thread.
 */
#include "admit.h"

#include <stdio.h>
#include <string.h>

#include "command.h"
#include "leg.h"
#include "rx.h"
#include "session.h"
#include "sys/clock.h"
#include "tx.h"
#include "worker.h"

#define GONE_NS		(5 * SECOND)	/* how long a session without a key keeps its place */
#define JOINS_MAX	500u		/* most joins of one leg in a second */

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
	if (s->up == 0)
		r->no_leg_ms = (now - s->down_ns) / MS;
	return refuse(r, REFUSE_BUSY, "");
}

/* Checks that do not depend on the state of this session. */
static bool
judge_hello(const struct session *s, const struct hello *h, struct refuse *r)
{
	static const uint8_t none[FRAME_ID];
	uint8_t name[FRAME_NAME];

	memset(r, 0, sizeof(*r));
	memcpy(r->session, h->session, FRAME_ID);
	if (memcmp(h->phrase, s->options->phrase, 4) != 0)
		return refuse(r, REFUSE_PHRASE, "");
	session_name(s, name);
	if (memcmp(h->name, name, FRAME_NAME) != 0)
		return refuse(r, REFUSE_NAME, "");
	if (h->role != session_peer_role(s))
		return refuse(r, REFUSE_ROLE, "");
	if ((h->required & ~FEATURES_KNOWN) != 0)
		return refuse(r, REFUSE_FEATURE, "");
	if (memcmp(h->instance, none, FRAME_ID) != 0 &&
	    memcmp(h->instance, s->instance, FRAME_ID) != 0)
		return refuse(r, REFUSE_RECEIVER, "");
	return true;
}

/* A session begins */

/* Whether payloads have checks if this HELLO begins it: a sender says so, and there may be two. */
static bool
asks_checks(const struct session *s, const struct hello *h)
{
	bool theirs = (h->required & FEATURE_CHECKSUM) != 0;

	return s->sends ? s->options->checksum || (s->receives && theirs) : theirs;
}

/* The session has delivered nothing and has no legs: another may take its place. */
static bool
brought_nothing(const struct session *s, const struct hello *h)
{
	struct rx_state in;
	struct tx_state out;

	if (s->tx != NULL) {
		/* What was read and announced for the first peer must suit the second. */
		tx_state(s->tx, &out);
		if (out.acknowledged != 0 || out.delivered != 0 ||
		    h->window < s->direction.window || h->frame < s->direction.frame)
			return false;
	}
	if (s->rx == NULL)
		return true;
	if (s->tx != NULL && asks_checks(s, h) != s->direction.checked)
		return false;
	rx_state(s->rx, &in);
	return in.delivered == 0 && in.stored == 0 && !in.complete;
}

/*
 * No descriptor is left for another connection.  A leg that has one replaces it, and a
 * session without any gets one in any case.
 */
static bool
no_room_locked(const struct session *s, const struct leg *leg)
{
	unsigned i, sum = s->busy;

	for (i = 0; i < s->legs; i++)
		sum += s->leg[i]->handed.fd != -1;
	return s->most != 0 && sum >= s->most && leg->handed.fd == -1 &&
	    atomic_load(&leg->state) == LEG_PARKED;
}

/* Starts the leg's thread if it has none.  false: not possible now; other legs go on. */
static bool
run_locked(struct leg *leg, int *error)
{
	if (leg->running)
		return true;
	*error = worker_start(leg);
	leg->running = *error == 0;
	return leg->running;
}

/*
 * Another session may replace this one, which has delivered nothing: at once if its
 * caller has the key; otherwise when this one has had no leg for a while,
 * because any stranger can send a HELLO.
 */
static bool
makes_room_locked(const struct session *s, const struct hello *h, uint64_t now)
{
	return legs_at_rest_locked(s) && brought_nothing(s, h) &&
	    (s->key.given || now - s->rest_ns >= GONE_NS);
}

/* What holds for the stream if the session is begun by this HELLO. */
static void
agree_stream(const struct session *s, const struct hello *h, struct direction *d)
{
	*d = s->direction;
	d->window = d->requested < h->window ? d->requested : h->window;
	d->checked = asks_checks(s, h);
	if (!s->sends || h->frame < d->frame)
		d->frame = h->frame;
	if (d->frame > d->window / 4)
		d->frame = (uint32_t)(d->window / 4);
}

/* Begins a session; one that delivered nothing and is gone is replaced. */
static void
adopt_locked(struct session *s, struct admission *a)
{
	unsigned i;

	a->replaces = s->bound;
	memcpy(s->id, a->hello->session, FRAME_ID);
	s->bound = true;
	agree_stream(s, a->hello, &s->direction);
	session_agree_locked(s, a->hello);
	for (i = 0; i < s->legs; i++)
		s->leg[i]->newest = 0;
}

/* A leg's connection */

/* A well-behaved leg joins less often, however often it is lost. */
static bool
joins_too_often(struct leg *leg, uint64_t now)
{
	if (now - leg->joined_ns >= SECOND) {
		leg->joined_ns = now;
		leg->joins = 0;
	}
	return ++leg->joins > JOINS_MAX;
}

/* Hands the connection over to the leg's thread. */
static bool
hand_over_locked(struct session *s, struct admission *a)
{
	struct leg *leg = s->leg[a->hello->leg];
	struct leg_handed handed = {
		.fd = a->fd, .hello = *a->hello, .keys = a->keys, .piped = a->piped,
		.early = a->early
	};

	if (joins_too_often(leg, a->now_ns)) {
		leg_pending(leg, PENDING_CLOSE);
		return refuse(&a->refuse, REFUSE_STALE, "and it joins too often");
	}
	leg->newest = a->hello->incarnation;
	snprintf(handed.name, sizeof(handed.name), "%s", a->name);
	leg_hand_over_locked(leg, &handed);
	return true;
}

/* The whole decision, as far as it can be made without changing anything. */

static bool
known_locked(const struct session *s, const struct hello *h)
{
	return s->bound && memcmp(h->session, s->id, FRAME_ID) == 0;
}

/* Whether another session may begin. */
static bool
judge_session_locked(struct session *s, struct admission *a)
{
	if (s->direction.outcome != OUTCOME_NONE)
		return refuse_busy(s, &a->refuse, a->now_ns);
	if (s->bound && !makes_room_locked(s, a->hello, a->now_ns))
		return refuse_busy(s, &a->refuse, a->now_ns);
	return true;
}

/* Whether the leg can have the connection; if not, the caller may get no answer and retry. */
static bool
judge_leg_locked(struct session *s, struct admission *a, bool known)
{
	const struct hello *h = a->hello;

	if (h->leg >= s->legs || no_room_locked(s, s->leg[h->leg]))
		return false;
	if (!known)
		return true;
	if (s->rx != NULL && asks_checks(s, h) != s->direction.checked)
		return refuse(&a->refuse, REFUSE_FEATURE, "");
	if (h->incarnation <= s->leg[h->leg]->newest)
		return refuse(&a->refuse, REFUSE_STALE, "");
	return true;
}

static bool
judge_locked(struct session *s, struct admission *a)
{
	bool known = known_locked(s, a->hello);

	return (known || judge_session_locked(s, a)) && judge_leg_locked(s, a, known);
}

bool
admit_judge(struct session *s, struct admission *a, struct hello *welcome)
{
	struct direction d;
	bool good;

	a->now_ns = clock_now_ns();
	if (!judge_hello(s, a->hello, &a->refuse))
		return false;
	session_lock(s);
	good = judge_locked(s, a);
	if (known_locked(s, a->hello))
		d = s->direction;
	else
		agree_stream(s, a->hello, &d);
	session_welcome_locked(s, &d, a->hello, welcome);
	session_unlock(s);
	return good;
}

/* Without a leg no session begins. */
static bool
admit_locked(struct session *s, struct admission *a)
{
	bool known = known_locked(s, a->hello);

	if (!judge_locked(s, a) || !run_locked(s->leg[a->hello->leg], &a->error))
		return false;
	if (!known)
		adopt_locked(s, a);
	if (hand_over_locked(s, a)) {
		s->unconfirmed = a->early && (s->unconfirmed || !known);
		return true;
	}
	if (!known)
		s->bound = false;
	return false;
}

bool
admit_hello(struct session *s, struct admission *a)
{
	static struct log_limit threads = LOG_LIMIT("legs not started");
	bool good;

	a->now_ns = clock_now_ns();
	a->error = 0;
	a->replaces = false;
	if (!judge_hello(s, a->hello, &a->refuse))
		return false;
	session_lock(s);
	good = admit_locked(s, a);
	session_unlock(s);
	if (a->error != 0)
		log_limited(&threads, LOG_LOSS, "cannot start a thread for leg %u: %s",
		    (unsigned)a->hello->leg, strerror(a->error));
	if (a->replaces)
		log_line(LOG_LOSS, "a session that brought nothing makes room for another");
	/* Only now that there is a sender: a command may begin by truncating a file. */
	if (good && s->command != NULL)
		command_start(s->command);
	return good;
}
