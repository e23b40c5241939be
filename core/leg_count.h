/*
 * leg_count: how many legs a path should use.
 *
 * Plain state with functions over it: no clock, no lock, no I/O; tx.c keeps
 * one for each path under its own lock.  Rates are bytes a second, times
 * nanoseconds of one monotonic clock.
 *
 * A path begins with one leg, or with LEG_COUNT_FAR_LEGS where its round trip is
 * so long that one connection's window and losses are likely to limit it.  There
 * the number grows while slow start shows no end: a leg for each
 * LEG_COUNT_START_BYTES that the path delivers in a round trip, so that many legs
 * are up before losses end the slow start of the first, and a slow path never has
 * many.  From then on the number follows what limits the path (limit.h), judged once in a
 * period of a few round trips:
 *
 *	loss, the send buffer, the receiver's window: these limit each
 *	connection by itself, so twice as many carry up to twice as much.  More are
 *	used at once (for loss at the start: all there are), and kept if the path
 *	carries LEG_COUNT_TOLD_PERCENT more, if they fill it, or if loss limits them
 *	still and its share is the same: it grows with their number where the path
 *	itself is full (a policer, a short queue).  Where the path was full lately
 *	the loss may be another sender's doing, and more legs are no more than a
 *	guess.
 *
 *	a full path, or nothing known: twice as many are a guess.  A rate changes by
 *	chance, so the guess is believed only if the gain comes with the legs and
 *	goes with them: the path is measured before (A), with twice as many (B), and
 *	with the first number again (A').  Twice as many are used if B is higher
 *	than A and A' by LEG_COUNT_GAIN_PERCENT; if the path was full lately, by
 *	LEG_COUNT_FULL_PERCENT (with many, by LEG_COUNT_MANY_PERCENT), and only when
 *	it was for LEG_COUNT_FULL_PERIODS.
 *
 *	the source or the consumer: nothing is changed, and a trial ends without a
 *	result.  While the window is full, more legs are no guess.
 *
 * Legs that are of no use go: a path with more legs than at its start is tried
 * with half as many, which are kept unless loss is their limit, or the rate with
 * all of them is higher by LEG_COUNT_LESS_PERCENT; by LEG_COUNT_LESS_LOSS_PERCENT
 * where loss was the limit lately; by LEG_COUNT_LESS_FULL_PERCENT on a path that
 * was full lately, and by LEG_COUNT_LESS_MANY_PERCENT if they are many.
 *
 * Each of the three has a pause after a trial that failed, which doubles with each
 * failure in a row.
 *
 * Two senders on one link: with n of n + m connections a sender has n/(n + m) of
 * it, so when both have as many, twice as many carry a third more, and half as many
 * a third less.  The former is less than LEG_COUNT_FULL_PERCENT and the latter
 * than LEG_COUNT_LESS_MANY_PERCENT: neither sender climbs, both come down from
 * many, and one that has a fraction of the other's legs gets more.
 */
#ifndef LEG_COUNT_H
#define LEG_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/limit.h"
#include "core/time.h"

#define LEG_COUNT_TOLD_PERCENT		25
#define LEG_COUNT_GAIN_PERCENT		25
#define LEG_COUNT_FULL_PERCENT		50
#define LEG_COUNT_MANY_PERCENT		75	/* from LEG_COUNT_MANY on */
#define LEG_COUNT_LESS_PERCENT		15
#define LEG_COUNT_LESS_FULL_PERCENT	33
#define LEG_COUNT_LESS_MANY_PERCENT	60	/* above LEG_COUNT_MANY */
#define LEG_COUNT_LESS_LOSS_PERCENT	10
#define LEG_COUNT_GROWS_PERCENT		20	/* the rate still grows: nothing is tried */

#define LEG_COUNT_RATE_NS	SECOND	/* a rate that decides is measured so long */
#define LEG_COUNT_MANY		16u
#define LEG_COUNT_FULL_PERIODS	16u
#define LEG_COUNT_FULL_NS	(3 * SECOND)	/* so long ago is lately */
#define LEG_COUNT_LOSSY_PERIODS	2u	/* one may be a loss to another sender's queue */
#define LEG_COUNT_TOLD_NS	(4 * SECOND)	/* the first pause after a failure */
#define LEG_COUNT_GUESS_NS	(4 * SECOND)
#define LEG_COUNT_FEWER_NS	(4 * SECOND)
#define LEG_COUNT_SOON_NS	SECOND		/* the pause after a success */
#define LEG_COUNT_PAUSE_MAX_NS	(64 * SECOND)
#define LEG_COUNT_JOIN_NS	(3 * SECOND)	/* how long a trial waits for its legs */
#define LEG_COUNT_FLOOR_NS	(60 * SECOND)	/* how long a number that loss limited is known */

#define LEG_COUNT_FAR_NS	(10 * MS)	/* a path with a longer round trip */
#define LEG_COUNT_FAR_LEGS	4		/* begins with this many legs */
#define LEG_COUNT_START_BYTES	8192u	/* half of TCP's initial window (RFC 6928): when they
					   are up, the others deliver twice that and more */
#define LEG_COUNT_START_PERCENT	25	/* slow start goes on: so much more in a period, */
#define LEG_COUNT_START_STILL	3u	/* or not for so many */
#define LEG_COUNT_RATE_MIN	16384u		/* one connection carries this on any path */

/*
 *	from		to		when
 *	START		SETTLE		a loss without a queue: it limits the legs
 *	START		MEASURE		a queue, or slow start has ended otherwise
 *	MEASURE		SETTLE		a trial begins: the number was changed
 *	SETTLE		TRY		the legs are up and had time to find their rate
 *	TRY		MEASURE		the result is clear
 *	TRY		BACK		more were faster, perhaps by chance: the first number again
 *	BACK		CHECK		the legs had time to find their rate
 *	CHECK		MEASURE		it was believed, or not
 *	any		MEASURE		the network was not the limit
 */
enum leg_count_state {
	LEG_COUNT_START,
	LEG_COUNT_MEASURE,
	LEG_COUNT_SETTLE,
	LEG_COUNT_TRY,
	LEG_COUNT_BACK,
	LEG_COUNT_CHECK
};

enum leg_count_trial {
	LEG_COUNT_TOLD,		/* more legs, because of a limit of each connection */
	LEG_COUNT_GUESS,	/* more legs, to see */
	LEG_COUNT_FEWER
};

#define LEG_COUNT_TRIALS	3

struct leg_count_pause {
	uint64_t until_ns;	/* no such trial before */
	uint64_t next_ns;	/* how long the pause after the next failure is */
};

struct leg_count {
	enum leg_count_state state;
	enum leg_count_trial trial;	/* outside MEASURE */
	unsigned legs;		/* that the path should use */
	unsigned least;		/* the number at the start */
	unsigned most;
	unsigned before;	/* the number before the trial */
	unsigned trying;	/* the number in the trial */
	struct leg_count_pause pause[LEG_COUNT_TRIALS];
	unsigned still;		/* in START: periods in a row without growth */
	unsigned full;		/* periods in which the path was full, lately */
	uint64_t full_ns;	/* when it was so last */
	unsigned lossy;		/* periods in a row in which loss was the limit */
	unsigned floor;		/* loss limited so many legs; 0 = forgotten */
	uint64_t floor_ns;	/* when that was last so */
	double loss;		/* in the period before the trial: share of packets */
	bool was_full;		/* the path was full before the trial, lately */
	uint64_t look_ns;	/* when its limit was judged last */
	uint64_t since_ns;	/* when the state or its period began; 0 = not begun */
	uint64_t bytes;		/* moved on the path at that moment */
	uint64_t rate;		/* of the last period before the trial; 0 = none yet */
	uint64_t tried;		/* the rate in the trial */
};

/* What was seen in a period that is over. */
struct leg_count_seen {
	enum limit_kind limit;
	double loss;		/* share of packets */
	bool slow_start;	/* most connections are in slow start */
	uint64_t rtt_ns;	/* least round trip */
	bool window;		/* legs waited for room in the window */
	uint64_t bytes;		/* total moved on the path */
	uint64_t window_rate;	/* the rate that the congestion windows allow; 0 = not known */
	unsigned up;		/* legs that are up on the path */
};

void leg_count_init(struct leg_count *t, unsigned legs, unsigned most);

/* The first round trip of the path is known. */
void leg_count_begin(struct leg_count *t, uint64_t bytes, uint64_t rtt_ns, uint64_t now_ns);

/* The current period is over: the caller should judge the limit and call leg_count_step. */
bool leg_count_over(const struct leg_count *t, uint64_t rtt_ns, uint64_t now_ns);

/* The path's rate since the state or its period began. */
uint64_t leg_count_rate(const struct leg_count *t, uint64_t bytes, uint64_t now_ns);

/* The period is over.  Returns what was decided and why, or NULL if nothing was. */
const char *leg_count_step(struct leg_count *t, const struct leg_count_seen *seen,
    uint64_t now_ns);

/* Another change on the path disturbed the measurement: ends a trial without a result. */
void leg_count_again(struct leg_count *t, uint64_t bytes, uint64_t now_ns);

#endif
