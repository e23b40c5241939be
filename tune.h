/*
 * tune: how many legs a path should use, found by trying.
 *
 * Plain state with functions over it: no clock, no lock, no I/O; tx.c keeps
 * one for each path under its own lock.  Rates are octets a second, times
 * nanoseconds of one monotonic clock.
 *
 * It begins with one leg, or with TUNE_FAR_LEGS where one connection's window
 * and one connection's losses are likely to limit it, and takes more at once
 * where the path holds more than so many connections can be trusted to keep in
 * flight.  While the network is what limits, the number of legs is doubled; if
 * that did not raise the rate by TUNE_GAIN_PERCENT it is halved again, and left
 * alone for TUNE_REST_NS, and twice as long after each such failure.  What turned
 * out to be of use may be so no longer, and what looked so may have been the
 * network's doing: in every other trial half of the legs are tried instead, and
 * kept if they are as fast.  Rates are taken over periods after the change had
 * time to show; before a trial over several, until the rate grows no more, and the
 * best of them counts.
 */
#ifndef TUNE_H
#define TUNE_H

#include <stdbool.h>
#include <stdint.h>

#define TUNE_GAIN_PERCENT	7
#define TUNE_LOSS_PERCENT	2	/* fewer legs may be slower by so much */
#define TUNE_REST_NS		2000000000ULL
#define TUNE_REST_MOST_NS	64000000000ULL

#define TUNE_FAR_NS		10000000ULL	/* a round trip longer than that */
#define TUNE_FAR_LEGS		4		/* is begun with so many legs */
/*
 * Octets of the path's bandwidth times delay for each leg: what tries for more
 * and waits for repairs needs three times that, and 4 MiB of send buffer (Linux's
 * usual most) keep about as much.
 */
#define TUNE_HOLDS		(1u << 20)
#define TUNE_RATE_LEAST		16384u		/* one connection carries that anywhere */

enum tune_state {
	TUNE_MEASURE,		/* at a number of legs that is known to be good */
	TUNE_SETTLE,		/* the number was changed, which takes time to show */
	TUNE_TRY,		/* the rate with it is measured */
	TUNE_REST		/* the change was no good */
};

struct tune {
	enum tune_state state;
	unsigned legs;		/* to be used */
	unsigned least;		/* begun with */
	unsigned most;
	bool fewer;		/* the trial is, or will be, of fewer legs */
	uint64_t since_ns;	/* begin of the state, or of its period */
	uint64_t octets;	/* moved at that moment */
	uint64_t rate;		/* the best before the trial; 0 = none yet */
	uint64_t rest_ns;	/* of the next rest */
};

void tune_init(struct tune *t, unsigned legs, unsigned most);

/*
 * Now: `octets' were moved on the path in all, `limited' says that data waited
 * for its legs ever since the last call.  A round trip of 0 is not known yet.
 * Returns what was decided and why, otherwise NULL.
 */
const char *tune_step(struct tune *t, uint64_t octets, bool limited, uint64_t rtt_ns,
    uint64_t now_ns);

#endif
