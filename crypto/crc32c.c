/*
 * CRC-32C: the processor's instruction if it has one, tables if not, chosen
 * when the first caller comes, whichever thread that is.  The only state is
 * what choose() fills in once, before anybody reads it.
 *
 * The instruction takes 8 bytes but answers only after 3 cycles, so three
 * parts of a block are run side by side and joined afterwards: a part's check
 * is moved past the bytes that follow it by a multiplication with x^(8 bytes),
 * which is linear and so four table look-ups.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/crc32c.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

/* Reflected, as all polynomials here: bit 31 is the coefficient of x^0. */
#define POLYNOMIAL	UINT32_C(0x82f63b78)

static pthread_once_t chosen = PTHREAD_ONCE_INIT;
static uint32_t (*best)(uint32_t, const void *, size_t);
static const char *best_name;
static uint32_t slice[8][256];	/* [k][b]: b followed by k zero bytes */

/* Written so that compilers make one load of it where that is right. */
static inline uint64_t
load64(const uint8_t *s)
{
	return (uint64_t)s[0] | (uint64_t)s[1] << 8 | (uint64_t)s[2] << 16 |
	    (uint64_t)s[3] << 24 | (uint64_t)s[4] << 32 |
	    (uint64_t)s[5] << 40 | (uint64_t)s[6] << 48 | (uint64_t)s[7] << 56;
}

static void
fill_slice(void)
{
	uint32_t crc;
	int b, bit, k;

	for (b = 0; b < 256; b++) {
		crc = (uint32_t)b;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		slice[0][b] = crc;
	}
	for (k = 1; k < 8; k++)
		for (b = 0; b < 256; b++) {
			crc = slice[k - 1][b];
			slice[k][b] = crc >> 8 ^ slice[0][crc & 0xff];
		}
}

static uint32_t
by_slices(uint32_t crc, const void *p, size_t n)
{
	const uint8_t *s = p;
	uint64_t v;

	crc = ~crc;
	for (; n >= 8; s += 8, n -= 8) {
		v = load64(s) ^ crc;
		crc = slice[7][v & 0xff] ^ slice[6][v >> 8 & 0xff] ^
		    slice[5][v >> 16 & 0xff] ^ slice[4][v >> 24 & 0xff] ^
		    slice[3][v >> 32 & 0xff] ^ slice[2][v >> 40 & 0xff] ^
		    slice[1][v >> 48 & 0xff] ^ slice[0][v >> 56];
	}
	for (; n > 0; s++, n--)
		crc = crc >> 8 ^ slice[0][(crc ^ *s) & 0xff];
	return ~crc;
}

/*
 * What each processor must provide: its name, the instruction on 1 and on 8
 * bytes, and whether this very machine has it.  Assembly rather than
 * intrinsics, because those need the compiler to be told of the extension for
 * every function they meet in, and each compiler is told in another way.
 */
#if defined(__x86_64__)
#define INSTRUCTION	"SSE4.2"

static inline uint64_t
step1(uint64_t crc, uint8_t v)
{
	uint32_t c = (uint32_t)crc;

	__asm__("crc32b %1, %0" : "+r" (c) : "r" (v));
	return c;
}

static inline uint64_t
step8(uint64_t crc, uint64_t v)
{
	__asm__("crc32q %1, %0" : "+r" (crc) : "r" (v));
	return crc;
}

static int
has_instruction(void)
{
	unsigned int a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2) != 0;
}
#elif defined(__aarch64__)
#define INSTRUCTION	"ARMv8 CRC32"

static inline uint64_t
step1(uint64_t crc, uint8_t v)
{
	__asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1"
	    : "+r" (crc) : "r" (v));
	return crc;
}

static inline uint64_t
step8(uint64_t crc, uint64_t v)
{
	__asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1"
	    : "+r" (crc) : "r" (v));
	return crc;
}

static int
has_instruction(void)
{
#if defined(__ARM_FEATURE_CRC32)
	return 1;
#elif defined(HWCAP_CRC32)
	return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#else
	return 0;
#endif
}
#endif

#ifdef INSTRUCTION
#define X_TO_THE_0	(UINT32_C(1) << 31)
#define X_TO_THE_8	(UINT32_C(1) << 23)
#define LINE		64	/* bytes; the parts are multiples of it */
#define AHEAD		1024

/* A check moved past `bytes` bytes: the sum of one look-up for each byte. */
struct shift {
	size_t		bytes;		/* a power of two, at least 8 */
	uint32_t	byte[4][256];
};

static struct shift shifts[] = { { 8192, { { 0 } } }, { 256, { { 0 } } } };

/* Modulo POLYNOMIAL. */
static uint32_t
multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;
	uint32_t bit;

	for (bit = X_TO_THE_0; bit != 0; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = b >> 1 ^ (b & 1 ? POLYNOMIAL : 0);
	}
	return product;
}

static void
fill_shift(struct shift *t)
{
	uint32_t power = X_TO_THE_8;
	size_t bytes;
	unsigned int b, k;

	for (bytes = 1; bytes < t->bytes; bytes *= 2)
		power = multiply(power, power);
	for (k = 0; k < 4; k++)
		for (b = 1; b < 256; b++)
			if ((b & (b - 1)) == 0)
				t->byte[k][b] = multiply(power, b << 8 * k);
			else
				t->byte[k][b] = t->byte[k][b & (b - 1)] ^
				    t->byte[k][b & -b];
}

static inline uint64_t
moved(const struct shift *t, uint64_t crc)
{
	return t->byte[0][crc & 0xff] ^ t->byte[1][crc >> 8 & 0xff] ^
	    t->byte[2][crc >> 16 & 0xff] ^ t->byte[3][crc >> 24 & 0xff];
}

/*
 * What comes from another core's cache, or from memory, is asked for in time: the
 * processor by itself does not follow three places well.  A quarter faster then,
 * and no slower when all is near.
 */
static inline void
ahead(const uint8_t *s, size_t bytes)
{
	__builtin_prefetch(s + AHEAD);
	__builtin_prefetch(s + bytes + AHEAD);
	__builtin_prefetch(s + 2 * bytes + AHEAD);
}

/* Three parts of t->bytes each, one after the other from s. */
static uint64_t
three_parts(const struct shift *t, uint64_t crc, const uint8_t *s)
{
	const uint8_t *end = s + t->bytes;
	uint64_t second = 0, third = 0;
	size_t i;

	for (; s < end; s += LINE) {
		ahead(s, t->bytes);
		for (i = 0; i < LINE; i += 8) {
			crc = step8(crc, load64(s + i));
			second = step8(second, load64(s + i + t->bytes));
			third = step8(third, load64(s + i + 2 * t->bytes));
		}
	}
	return moved(t, moved(t, crc) ^ second) ^ third;
}

static uint32_t
by_instruction(uint32_t start, const void *p, size_t n)
{
	const uint8_t *s = p;
	const struct shift *t;
	uint64_t crc = ~start;
	size_t i;

	for (; n > 0 && (uintptr_t)s % 8 != 0; s++, n--)
		crc = step1(crc, *s);
	for (i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++) {
		t = &shifts[i];
		for (; n >= 3 * t->bytes; n -= 3 * t->bytes) {
			crc = three_parts(t, crc, s);
			s += 3 * t->bytes;
		}
	}
	for (; n >= 8; s += 8, n -= 8)
		crc = step8(crc, load64(s));
	for (; n > 0; s++, n--)
		crc = step1(crc, *s);
	return ~(uint32_t)crc;
}

static void
choose(void)
{
	size_t i;

	fill_slice();
	best = by_slices;
	best_name = "tables";
	if (has_instruction()) {
		for (i = 0; i < sizeof(shifts) / sizeof(shifts[0]); i++)
			fill_shift(&shifts[i]);
		best = by_instruction;
		best_name = INSTRUCTION;
	}
}
#else
static void
choose(void)
{
	fill_slice();
	best = by_slices;
	best_name = "tables";
}
#endif

/* pthread_once fails only on an invalid control, which this one is not. */
uint32_t
crc32c(uint32_t crc, const void *p, size_t n)
{
	(void)pthread_once(&chosen, choose);
	return best(crc, p, n);
}

uint32_t
crc32c_portable(uint32_t crc, const void *p, size_t n)
{
	(void)pthread_once(&chosen, choose);
	return by_slices(crc, p, n);
}

const char *
crc32c_method(void)
{
	(void)pthread_once(&chosen, choose);
	return best_name;
}
