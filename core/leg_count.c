/*
 * leg_count: how many legs a path should use.  See leg_count.h; runs under tx.c's lock.
 */
#include "core/leg_count.h"

#include <stddef.h>
#include <string.h>

#include "core/rate.h"
#include "core/time.h"

#define LOSS_TIMES	1.5	/* a loss share that grew by this factor did not by chance */

static const uint64_t first_pause[LEG_COUNT_TRIALS] = {
	LEG_COUNT_TOLD_NS, LEG_COUNT_GUESS_NS, LEG_COUNT_FEWER_NS
};

void
leg_count_init(struct leg_count *t, unsigned legs, unsigned most)
{
	unsigned i;

	memset(t, 0, sizeof(*t));
	t->state = LEG_COUNT_MEASURE;
	t->legs = t->least = t->before = legs;
	t->most = most < legs ? legs : most;
	for (i = 0; i < LEG_COUNT_TRIALS; i++)
		t->pause[i].next_ns = first_pause[i];
}

static void
enter(struct leg_count *t, enum leg_count_state state, uint64_t bytes, uint64_t now_ns)
{
	t->state = state;
	t->bytes = bytes;
	t->since_ns = t->look_ns = now_ns;
}

void
leg_count_begin(struct leg_count *t, uint64_t bytes, uint64_t rtt_ns, uint64_t now_ns)
{
	bool far = rtt_ns > LEG_COUNT_FAR_NS;

	if (far)
		t->legs = t->least = t->most < LEG_COUNT_FAR_LEGS ? t->most : LEG_COUNT_FAR_LEGS;
	enter(t, far ? LEG_COUNT_START : LEG_COUNT_MEASURE, bytes, now_ns);
}

/* Long enough for a connection to find its rate, and a rate that decides for chance to be small. */
static uint64_t
period(const struct leg_count *t, uint64_t rtt_ns)
{
	bool measures = t->state == LEG_COUNT_TRY || t->state == LEG_COUNT_CHECK;
	uint64_t least = measures && t->trial != LEG_COUNT_TOLD ? LEG_COUNT_RATE_NS : 200 * MS;
	uint64_t n = (measures ? 8 : 4) * rtt_ns;

	if (t->state == LEG_COUNT_START)
		return rtt_ns;
	return n < least ? least : n > 2 * SECOND ? 2 * SECOND : n;
}

bool
leg_count_over(const struct leg_count *t, uint64_t rtt_ns, uint64_t now_ns)
{
	return now_ns - t->look_ns >= period(t, rtt_ns);
}

uint64_t
leg_count_rate(const struct leg_count *t, uint64_t bytes, uint64_t now_ns)
{
	return rate_of(bytes - t->bytes, now_ns - t->since_ns);
}

static bool
higher(uint64_t rate, uint64_t than, unsigned percent)
{
	return rate >= than + than * percent / 100;
}

static unsigned
at_most(const struct leg_count *t, unsigned legs)
{
	return legs < t->most ? legs : t->most;
}

/* The pause before the next trial of this kind: longer after each failure. */
static void
pauses(struct leg_count *t, enum leg_count_trial trial, bool well, uint64_t now_ns)
{
	struct leg_count_pause *p = &t->pause[trial];

	if (well) {
		p->next_ns = first_pause[trial];
		p->until_ns = now_ns + LEG_COUNT_SOON_NS;
		return;
	}
	p->until_ns = now_ns + p->next_ns;
	if (p->next_ns < LEG_COUNT_PAUSE_MAX_NS)
		p->next_ns *= 2;
}

/* Not before `ns' from now. */
static void
waits(struct leg_count *t, enum leg_count_trial trial, uint64_t ns, uint64_t now_ns)
{
	if (t->pause[trial].until_ns < now_ns + ns)
		t->pause[trial].until_ns = now_ns + ns;
}

static bool
may(const struct leg_count *t, enum leg_count_trial trial, uint64_t now_ns)
{
	return now_ns >= t->pause[trial].until_ns;
}

/* Trials begin */

static void
try(struct leg_count *t, enum leg_count_trial trial, unsigned legs,
    const struct leg_count_seen *seen, uint64_t now_ns)
{
	t->before = t->legs;
	t->legs = t->trying = legs;
	t->trial = trial;
	t->was_full = t->full > 0;
	t->loss = seen->loss;
	enter(t, LEG_COUNT_SETTLE, seen->bytes, now_ns);
}

void
leg_count_again(struct leg_count *t, uint64_t bytes, uint64_t now_ns)
{
	if (t->state > LEG_COUNT_MEASURE)
		t->legs = at_most(t, t->before);
	t->rate = 0;
	enter(t, LEG_COUNT_MEASURE, bytes, now_ns);
}

/* More legs where something limits each connection by itself. */
static const char *
more(struct leg_count *t, const struct leg_count_seen *seen, uint64_t now_ns)
{
	/* At the start nothing says how many are needed, and it may be all of them. */
	bool start = t->state == LEG_COUNT_START || t->legs == t->least;
	bool all = start && seen->limit == LIMIT_LOSS && t->full == 0;
	unsigned legs = all ? t->most : 2 * t->legs;
	static const char *const why[LIMIT_KINDS] = {
		[LIMIT_LOSS] = "loss limits its legs: using more of them",
		[LIMIT_BUFFER] = "it holds more than the send buffers: using more legs",
		[LIMIT_RECEIVER] = "it holds more than the receiver's windows: using more legs"
	};

	try(t, LEG_COUNT_TOLD, at_most(t, legs), seen, now_ns);
	return why[seen->limit];
}

static bool
told(enum limit_kind kind)
{
	return kind == LIMIT_LOSS || kind == LIMIT_BUFFER || kind == LIMIT_RECEIVER;
}

static void
floor_is(struct leg_count *t, uint64_t now_ns)
{
	t->floor = t->legs;
	t->floor_ns = now_ns;
}

/* Half as many may be enough. */
static bool
fewer_may(const struct leg_count *t, enum limit_kind kind, uint64_t now_ns)
{
	return t->legs > t->least && t->legs / 2 > t->floor && !told(kind) &&
	    may(t, LEG_COUNT_FEWER, now_ns);
}

static bool
guess_may(const struct leg_count *t, enum limit_kind kind, uint64_t rate, uint64_t now_ns)
{
	return t->legs < t->most && !told(kind) && rate >= LEG_COUNT_RATE_MIN &&
	    (t->full == 0 || t->full >= LEG_COUNT_FULL_PERIODS) &&
	    may(t, LEG_COUNT_GUESS, now_ns);
}

/* The rate has stopped growing: is another number of legs worth a trial? */
static const char *
guess(struct leg_count *t, const struct leg_count_seen *seen, uint64_t now_ns)
{
	unsigned half = t->legs / 2 < t->least ? t->least : t->legs / 2;

	if (fewer_may(t, seen->limit, now_ns)) {
		try(t, LEG_COUNT_FEWER, half, seen, now_ns);
		return "fewer legs may be as fast: trying half as many";
	}
	if (!seen->window && guess_may(t, seen->limit, t->rate, now_ns)) {
		try(t, LEG_COUNT_GUESS, at_most(t, 2 * t->legs), seen, now_ns);
		return "data waits for the network: trying twice as many legs";
	}
	enter(t, LEG_COUNT_MEASURE, seen->bytes, now_ns);
	return NULL;
}

/* A round trip of the start is over. */
static const char *
started(struct leg_count *t, const struct leg_count_seen *seen, uint64_t rate, uint64_t now_ns)
{
	uint64_t carried = rate / 1000 * (seen->rtt_ns / 1000) / 1000;
	unsigned legs = (unsigned)(carried / LEG_COUNT_START_BYTES);

	if (seen->limit == LIMIT_APPLICATION) {
		enter(t, LEG_COUNT_START, seen->bytes, now_ns);
		return NULL;
	}
	t->still = higher(rate, t->rate, LEG_COUNT_START_PERCENT) && rate > 0 ? 0 : t->still + 1;
	if (rate > t->rate)
		t->rate = rate;
	/* No queue was there before, so it is no congestion. */
	if (seen->limit == LIMIT_LOSS && t->legs < t->most) {
		floor_is(t, now_ns);
		return more(t, seen, now_ns);
	}
	if (seen->limit == LIMIT_PATH || seen->limit == LIMIT_LOSS || !seen->slow_start ||
	    t->still >= LEG_COUNT_START_STILL) {
		waits(t, LEG_COUNT_FEWER, 2 * LEG_COUNT_FEWER_NS, now_ns);
		leg_count_again(t, seen->bytes, now_ns);
		return NULL;
	}
	enter(t, LEG_COUNT_START, seen->bytes, now_ns);
	legs = at_most(t, legs);
	if (legs <= t->legs)
		return NULL;
	t->legs = legs;
	return "its rate still doubles: using more legs";
}

/* A period outside a trial is over; the rate is measured over several. */
static const char *
measured(struct leg_count *t, const struct leg_count_seen *seen, uint64_t rate, uint64_t now_ns)
{
	bool known = now_ns - t->since_ns >= LEG_COUNT_RATE_NS, grows;
	bool room = t->legs < t->most && may(t, LEG_COUNT_TOLD, now_ns);

	t->look_ns = now_ns;
	if (seen->limit == LIMIT_LOSS) {
		/* After a fast start the windows allow less than was just carried. */
		t->rate = seen->window_rate != 0 && seen->window_rate < rate ?
		    seen->window_rate : rate;
		if (t->lossy < LEG_COUNT_LOSSY_PERIODS)
			return NULL;
		floor_is(t, now_ns);
		if (room)
			return more(t, seen, now_ns);
	}
	if (!known)
		return NULL;
	grows = higher(rate, t->rate, LEG_COUNT_GROWS_PERCENT);
	t->rate = rate;
	if (told(seen->limit) && room)
		return more(t, seen, now_ns);
	if (!grows)
		return guess(t, seen, now_ns);
	enter(t, LEG_COUNT_MEASURE, seen->bytes, now_ns);
	return NULL;
}

/* Trials end */

static const char *
back(struct leg_count *t, const char *why, const struct leg_count_seen *seen, uint64_t now_ns)
{
	pauses(t, t->trial, false, now_ns);
	leg_count_again(t, seen->bytes, now_ns);
	return why;
}

static const char *
keep(struct leg_count *t, const char *why, const struct leg_count_seen *seen, uint64_t now_ns)
{
	pauses(t, t->trial, true, now_ns);
	/* What was just found to be right is not doubted at once. */
	waits(t, t->trial == LEG_COUNT_FEWER ? LEG_COUNT_GUESS : LEG_COUNT_FEWER,
	    2 * LEG_COUNT_FEWER_NS, now_ns);
	t->rate = t->tried;
	enter(t, LEG_COUNT_MEASURE, seen->bytes, now_ns);
	return why;
}

/* The gain that a guess must have, percent. */
static unsigned
gain_of(const struct leg_count *t)
{
	if (!t->was_full)
		return LEG_COUNT_GAIN_PERCENT;
	return t->before >= LEG_COUNT_MANY ? LEG_COUNT_MANY_PERCENT : LEG_COUNT_FULL_PERCENT;
}

/* More legs have done what they were to do about a limit that was told. */
static bool
helped(const struct leg_count *t, const struct leg_count_seen *seen)
{
	return higher(t->tried, t->rate, LEG_COUNT_TOLD_PERCENT) ||
	    seen->limit == LIMIT_PATH ||
	    (seen->limit == LIMIT_LOSS && seen->loss < LOSS_TIMES * t->loss);
}

/* B was measured. */
static const char *
tried_more(struct leg_count *t, const struct leg_count_seen *seen, uint64_t now_ns)
{
	bool sure = t->trial == LEG_COUNT_TOLD && !t->was_full;

	if (sure && helped(t, seen))
		return keep(t, "more legs are faster: keeping them", seen, now_ns);
	if (sure || !higher(t->tried, t->rate, gain_of(t)))
		return back(t, "more legs were not faster: back to the number before", seen,
		    now_ns);
	t->legs = at_most(t, t->before);
	enter(t, LEG_COUNT_BACK, seen->bytes, now_ns);
	return "more legs were faster: is it slower without them?";
}

/* What fewer legs may cost, percent. */
static unsigned
cost_of(const struct leg_count *t)
{
	if (t->was_full && t->before > LEG_COUNT_MANY)
		return LEG_COUNT_LESS_MANY_PERCENT;
	if (t->floor != 0)
		return LEG_COUNT_LESS_LOSS_PERCENT;
	return t->was_full ? LEG_COUNT_LESS_FULL_PERCENT : LEG_COUNT_LESS_PERCENT;
}

static const char *
tried_fewer(struct leg_count *t, const struct leg_count_seen *seen, uint64_t now_ns)
{
	if (seen->limit == LIMIT_LOSS)
		floor_is(t, now_ns);
	if (seen->limit == LIMIT_LOSS || higher(t->rate, t->tried, cost_of(t)))
		return back(t, "fewer legs were slower: back to the number before", seen, now_ns);
	return keep(t, "fewer legs are as fast: keeping half as many", seen, now_ns);
}

/* A' was measured. */
static const char *
checked(struct leg_count *t, const struct leg_count_seen *seen, uint64_t rate, uint64_t now_ns)
{
	if (!higher(t->tried, rate, gain_of(t)))
		return back(t, "it is as fast without more legs", seen, now_ns);
	t->legs = at_most(t, t->trying);
	return keep(t, "more legs are faster: using them", seen, now_ns);
}

static const char *
tried(struct leg_count *t, const struct leg_count_seen *seen, uint64_t rate, uint64_t now_ns)
{
	t->tried = rate;
	return t->trial == LEG_COUNT_FEWER ? tried_fewer(t, seen, now_ns) :
	    tried_more(t, seen, now_ns);
}

/* The legs of the trial are up, or have had the time for that. */
static bool
settled(const struct leg_count *t, const struct leg_count_seen *seen, uint64_t now_ns)
{
	return seen->up >= t->legs || now_ns - t->since_ns >= LEG_COUNT_JOIN_NS;
}

/* What was found lately, and what is forgotten of it. */
static void
recall(struct leg_count *t, enum limit_kind kind, uint64_t now_ns)
{
	if (kind == LIMIT_PATH) {
		t->full++;
		t->full_ns = now_ns;
	} else if (now_ns - t->full_ns >= LEG_COUNT_FULL_NS)
		t->full = 0;
	t->lossy = kind == LIMIT_LOSS ? t->lossy + 1 : 0;
	if (now_ns - t->floor_ns >= LEG_COUNT_FLOOR_NS)
		t->floor = 0;
}

const char *
leg_count_step(struct leg_count *t, const struct leg_count_seen *seen, uint64_t now_ns)
{
	uint64_t rate = leg_count_rate(t, seen->bytes, now_ns);

	recall(t, seen->limit, now_ns);
	if (t->state == LEG_COUNT_START)
		return started(t, seen, rate, now_ns);
	if (seen->limit == LIMIT_APPLICATION) {
		leg_count_again(t, seen->bytes, now_ns);
		return NULL;
	}
	if (seen->window && t->state > LEG_COUNT_MEASURE && t->trial == LEG_COUNT_GUESS)
		return back(t, "the window is full: more legs are of no use", seen, now_ns);
	switch (t->state) {
	case LEG_COUNT_START:
	case LEG_COUNT_MEASURE:
		return measured(t, seen, rate, now_ns);
	case LEG_COUNT_SETTLE:
		t->look_ns = now_ns;
		if (settled(t, seen, now_ns))
			enter(t, LEG_COUNT_TRY, seen->bytes, now_ns);
		break;
	case LEG_COUNT_BACK:
		enter(t, LEG_COUNT_CHECK, seen->bytes, now_ns);
		break;
	case LEG_COUNT_TRY:
		return tried(t, seen, rate, now_ns);
	case LEG_COUNT_CHECK:
		return checked(t, seen, rate, now_ns);
	}
	return NULL;
}
