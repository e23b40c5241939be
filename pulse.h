/*
 * pulse: whether a leg is alive, by what it owes and what it gives.
 *
 * Plain state with functions over it: no clock, no descriptors, no lock.  It
 * belongs to the leg's thread.  Times are nanoseconds of one monotonic clock.
 *
 * A peer owes two things: to speak (some octet at least once a second), and to
 * answer (every heartbeat is echoed; octets that were sent are seen).  A leg is
 * dead when either has not happened for `patience': so a path that is silent
 * in one direction only is found by the end that still hears.  Any octet is
 * life; any octet that the peer has newly seen is an answer.  An idle source
 * and a blocked consumer stop neither, so they never kill a leg.
 */
#ifndef PULSE_H
#define PULSE_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"

#define PULSE_PERIOD_NS		1000000000ULL	/* one heartbeat a second */
#define PULSE_FLOOD		200	/* most heartbeats heard in a second */

struct pulse {
	uint64_t heartbeat_ns;	/* the option, least patience */
	uint64_t rtt_ns;	/* smoothed, of the whole way to the peer's program */
	uint64_t least_rtt_ns;	/* 0 = not measured yet */
	uint64_t heard_ns;	/* last octet */
	uint64_t answered_ns;	/* last echo or newly seen octet, or nothing owed */
	uint64_t beat_ns;	/* our last heartbeat */
	uint64_t look_ns;	/* when pulse_judge looked last */
	uint32_t counter;	/* of our heartbeats */
	uint32_t echoed;	/* highest of them that came back */
	uint32_t heard;		/* highest of the peer's */
	uint64_t seen;		/* octets that the peer has seen */
	uint64_t flood_ns;	/* begin of the second that is counted */
	unsigned flood;		/* heartbeats heard in it */
	uint64_t asked_ns[8];	/* when the last eight were sent */
};

enum pulse_verdict { PULSE_ALIVE, PULSE_SILENT, PULSE_UNANSWERED };

void pulse_init(struct pulse *p, uint64_t heartbeat_ns, uint64_t rtt_ns, uint64_t now_ns);

/* Octets came in. */
void pulse_heard(struct pulse *p, uint64_t now_ns);

/* Octets of the stream came in: the peer's answers may wait behind them. */
void pulse_moved(struct pulse *p, uint64_t now_ns);

/* When the next heartbeat is due, if the leg moves `rate' octets a second (0 = unknown). */
uint64_t pulse_due(const struct pulse *p, uint64_t rate);
/* Fill counter and echo for a heartbeat that is sent now; `reply' is not counted. */
void pulse_beat(struct pulse *p, struct heartbeat *h, bool reply, uint64_t now_ns);
/* A heartbeat has come; NULL, or what the peer did wrong. */
const char *pulse_take(struct pulse *p, const struct heartbeat *h, bool reply,
    uint64_t sent, uint64_t now_ns);

/* How long this leg may owe: by rule, and for `queued' octets at `rate'. */
uint64_t pulse_patience(const struct pulse *p, uint64_t queued, uint64_t rate);

/*
 * Judge now, and say in *again_ns when to look next.  If the look comes more
 * than a second later than was asked for, the machine was suspended and the
 * accounts begin anew.
 */
enum pulse_verdict pulse_judge(struct pulse *p, uint64_t patience_ns, uint64_t now_ns,
    uint64_t *again_ns);

#endif
