/*
 * control: which congestion control a path's legs use.  See control.h; runs
 * under tx.c's lock.
 */
#include "core/control.h"

#include <stddef.h>
#include <string.h>

void
control_init(struct control *c, bool may)
{
	memset(c, 0, sizeof(*c));
	c->may = may;
	c->state = CONTROL_SYSTEM;
	c->rest = CONTROL_REST;
}

static void
enter(struct control *c, enum control_state state)
{
	c->state = state;
	c->periods = 0;
	c->sum = 0;
	c->other = state == CONTROL_SETTLE || state == CONTROL_TRY || state == CONTROL_KEPT;
}

void
control_refused(struct control *c)
{
	enter(c, CONTROL_SYSTEM);
	c->may = false;
}

static bool
more(uint64_t rate, uint64_t than)
{
	return rate >= than + than * CONTROL_GAIN_PERCENT / 100;
}

static const char *
begin(struct control *c, enum limit_kind kind, uint64_t rate, uint64_t window_rate)
{
	if (!c->may || kind != LIMIT_LOSS)
		return NULL;
	c->before = window_rate != 0 && window_rate < rate ? window_rate : rate;
	enter(c, CONTROL_SETTLE);
	return "loss limits its legs: trying " CONTROL_OTHER;
}

static const char *
tried(struct control *c)
{
	c->tried = c->sum / c->periods;
	if (more(c->tried, c->before)) {
		enter(c, CONTROL_KEPT);
		return "it carries more with " CONTROL_OTHER ": keeping that";
	}
	enter(c, CONTROL_BACK);
	return "it is not faster with " CONTROL_OTHER ": back to the system's default";
}

static const char *
checked(struct control *c)
{
	if (more(c->tried, c->sum / c->periods)) {
		enter(c, CONTROL_KEPT);
		return "it carried more with " CONTROL_OTHER ": back to that";
	}
	enter(c, CONTROL_RESTS);
	return NULL;
}

static const char *
rested(struct control *c)
{
	enter(c, CONTROL_SYSTEM);
	if (c->rest < CONTROL_REST_MAX)
		c->rest *= 2;
	return NULL;
}

const char *
control_step(struct control *c, enum limit_kind kind, uint64_t rate, uint64_t window_rate)
{
	if (kind == LIMIT_APPLICATION && control_busy(c)) {
		enter(c, CONTROL_SYSTEM);
		return NULL;
	}
	c->periods++;
	c->sum += rate;
	switch (c->state) {
	case CONTROL_SYSTEM:
		return begin(c, kind, rate, window_rate);
	case CONTROL_SETTLE:
		if (c->periods >= CONTROL_SETTLE_PERIODS)
			enter(c, CONTROL_TRY);
		break;
	case CONTROL_TRY:
		if (c->periods >= CONTROL_TRY_PERIODS)
			return tried(c);
		break;
	case CONTROL_BACK:
		if (c->periods >= CONTROL_SETTLE_PERIODS)
			enter(c, CONTROL_CHECK);
		break;
	case CONTROL_CHECK:
		if (c->periods >= CONTROL_TRY_PERIODS)
			return checked(c);
		break;
	case CONTROL_RESTS:
		if (c->periods >= c->rest)
			return rested(c);
		break;
	case CONTROL_KEPT:
		break;
	}
	return NULL;
}
