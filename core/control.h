/*
 * control: which congestion control the legs of a path use, the system's
 * default or CONTROL_OTHER.
 *
 * Plain state with functions over it: no clock, no lock, no I/O; tx.c keeps
 * one for each path under its own lock.  Rates are bytes a second.
 *
 * If loss without a queue limits a path's connections (limit.h), the path tries
 * the other one: BBR does not take a loss for congestion (Cardwell et al., ACM
 * Queue 14/5, 2016).  It is kept if the path carries a tenth more.  The rate that
 * it is compared with may still be that of a fast start, so the system's own
 * is measured once more before the other is given up.
 *
 *	from		to		when
 *	SYSTEM		SETTLE		loss limits the path
 *	SETTLE		TRY		the other had time to find its rate
 *	TRY		KEPT		the path carries a tenth more
 *	TRY		BACK		it does not
 *	BACK		CHECK		the system's had time to find its rate
 *	CHECK		KEPT		the other carried a tenth more after all
 *	CHECK		RESTS		it did not
 *	RESTS		SYSTEM		after CONTROL_REST periods, twice as many each time
 *	SETTLE..CHECK	SYSTEM		the network was not the limit meanwhile
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/limit.h"

#define CONTROL_OTHER		"bbr"
#define CONTROL_GAIN_PERCENT	10
#define CONTROL_SETTLE_PERIODS	2u
#define CONTROL_TRY_PERIODS	2u
#define CONTROL_REST		60u
#define CONTROL_REST_MAX	4096u

enum control_state {
	CONTROL_SYSTEM,
	CONTROL_SETTLE,
	CONTROL_TRY,
	CONTROL_BACK,
	CONTROL_CHECK,
	CONTROL_KEPT,
	CONTROL_RESTS
};

struct control {
	bool may;		/* the other is allowed, and is not the system's default */
	bool other;		/* the legs should use it */
	enum control_state state;
	unsigned periods;	/* in this state */
	unsigned rest;		/* periods of the next rest */
	uint64_t before;	/* the rate with the system's */
	uint64_t sum;		/* of the rates of this state's periods */
	uint64_t tried;		/* the rate with the other */
};

void control_init(struct control *c, bool may);

/* The system refused the other: it is never tried again. */
void control_refused(struct control *c);

/* A trial is under way: nothing else on the path should change meanwhile. */
static inline bool
control_busy(const struct control *c)
{
	return c->state >= CONTROL_SETTLE && c->state <= CONTROL_CHECK;
}

/*
 * A period of some round trips is over.  `kind' is what limited the path in it,
 * `rate' its rate, and window_rate the rate that the connections' congestion
 * windows allow now, which is less after a fast start; 0 = not known.  Returns what
 * was decided and why, or NULL if nothing was.
 */
const char *control_step(struct control *c, enum limit_kind kind, uint64_t rate,
    uint64_t window_rate);

#endif
