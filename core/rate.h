/*
 * rate: the one place where bytes and the time that they took become bytes a second.
 */
#ifndef RATE_H
#define RATE_H

#include <stdint.h>

#include "core/time.h"

#define RATE_MAX	10000000000000000000ULL

/* 0 if they took no time. */
static inline uint64_t
rate_of(uint64_t bytes, uint64_t took_ns)
{
	double rate = took_ns == 0 ? 0 : (double)bytes * (double)SECOND / (double)took_ns;

	return rate < (double)RATE_MAX ? (uint64_t)rate : RATE_MAX;
}

#endif
