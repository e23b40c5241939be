/*
 * clock: the clock that every deadline is on.  Any thread may call; nothing here
 * blocks or fails.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

#include "core/time.h"

/* A deadline that never comes. */
#define CLOCK_NEVER	UINT64_MAX

/* Nanoseconds since some moment in the past; never steps. */
uint64_t clock_now_ns(void);

/* Since 1970, by the clock of the day, which may be set at any time. */
uint64_t clock_day_ns(void);

/* How long poll(2) has to wait: milliseconds, rounded up, of at most an hour. */
static inline int
clock_poll_ms(uint64_t until_ns, uint64_t now_ns)
{
	if (until_ns == CLOCK_NEVER)
		return -1;
	if (until_ns <= now_ns)
		return 0;
	if (until_ns - now_ns > 3600 * SECOND)
		return 3600 * 1000;
	return (int)((until_ns - now_ns + MS - 1) / MS);
}

#endif
