/*
 * clock: reads the system's clocks.  See clock.h.
 */
#include "sys/clock.h"

#include <errno.h>
#include <time.h>

#include "sys/die.h"

static uint64_t
read_ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		die_on(errno, "clock_gettime");
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

uint64_t
clock_now_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

uint64_t
clock_day_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}
