/*
 * tune: how many legs a path should use, found by trying.
 *
 * Plain state with functions over it: no clock, no lock, no I/O; tx.c keeps
 * one for each path under its own lock.  Rates are octets a second, times
 * nanoseconds of one monotonic clock.
 *
 * It begins with one leg, or with TUNE_FAR_LEGS where one connection's window
 * and one connection's losses are likely to limit it.  While the network is what limits, the number of legs is doubled; if that did
 * not raise the rate by TUNE_GAIN_PERCENT it is halved again, and left alone
 * for TUNE_REST_NS, and twice as long after each such failure.  The rate is taken over a period after the new legs had time
 * to get up to speed.
 */
#ifndef TUNE_H
#define TUNE_H

#include <stdbool.h>
#include <stdint.h>

#define TUNE_GAIN_PERCENT	7
#define TUNE_REST_NS		2000000000ULL
#define TUNE_REST_MOST_NS	64000000000ULL

#define TUNE_FAR_NS		10000000ULL	/* a round trip longer than that */
#define TUNE_FAR_LEGS		4		/* is begun with so many legs */

enum tune_state {
	TUNE_MEASURE,		/* at a number of legs that is known to be good */
	TUNE_SETTLE,		/* more legs were added and get up to speed */
	TUNE_TRY,		/* their rate is measured */
	TUNE_REST		/* more did not help */
};

struct tune {
	enum tune_state state;
	unsigned legs;		/* to be used */
	unsigned most;
	uint64_t since_ns;	/* begin of the state */
	uint64_t octets;	/* moved at that moment */
	uint64_t rate;		/* with half as many legs */
	uint64_t rest_ns;	/* of the next rest */
};

void tune_init(struct tune *t, unsigned legs, unsigned most);

/*
 * Now: `octets' were moved on the path in all, `limited' says that data waited
 * for its legs ever since the last call.  Returns why, if the number of legs
 * changed, otherwise NULL.
 */
const char *tune_step(struct tune *t, uint64_t octets, bool limited, uint64_t rtt_ns,
    uint64_t now_ns);

#endif
