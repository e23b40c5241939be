/*
 * What every C unit test here shares: CHECK stops the program at the first
 * condition that does not hold, with exit status 1 and the place on standard
 * error; check_done prints how many held, as main's last act.
 *
 * Random tests draw from check_random and check_below, seeded by check_seed:
 * the first argument of the program if there is one, otherwise the default
 * that the test names.  The seed is printed at once, so that a failure can be
 * repeated.
 *
 * CHECK may be used from any thread; each thread keeps its own random state.
 */
#ifndef CHECK_H
#define CHECK_H

#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_ulong check_count;

#define CHECK(cond) do {						\
	atomic_fetch_add_explicit(&check_count, 1,			\
	    memory_order_relaxed);					\
	if (!(cond)) {							\
		fflush(stdout);						\
		fprintf(stderr, "%s:%d: not true: %s\n", __FILE__,	\
		    __LINE__, #cond);					\
		exit(1);						\
	}								\
} while (0)

/* For main: return check_done(); */
static inline int
check_done(void)
{
	printf("ok %lu checks\n", atomic_load(&check_count));
	return fflush(stdout) == 0 ? 0 : 1;
}

static inline uint64_t
check_seed(int argc, char **argv, uint64_t otherwise)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : otherwise;

	printf("seed %" PRIu64 "\n", seed);
	fflush(stdout);
	return seed;
}

/* Whether the bytes at p are those that the hexadecimal text says. */
static inline int
check_hex(const void *p, const char *hex)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *s = p;

	for (; hex[0] != '\0' && hex[1] != '\0'; s++, hex += 2)
		if (hex[0] != digits[*s >> 4] || hex[1] != digits[*s & 15])
			return 0;
	return hex[0] == '\0';
}

/* SplitMix64: every state, zero too, is a good one. */
static inline uint64_t
check_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* At least 0 and less than bound, which is not 0. */
static inline size_t
check_below(uint64_t *state, size_t bound)
{
	return (size_t)(check_random(state) % bound);
}

#endif
