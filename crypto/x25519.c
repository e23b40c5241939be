/*
 * X25519, written from RFC 7748: the Montgomery ladder of section 5 over
 * numbers modulo 2^255 - 19.  Those are five limbs of 51 bits where the
 * compiler has 128-bit integers, and ten of 26 and 25 bits, in turn, where it
 * has not (Bernstein, "Curve25519: new Diffie-Hellman speed records", 2006).
 * No branch and no address depends on a secret.
 *
 * Limbs never go below zero.  After a multiplication they are as wide as their
 * place, but for a little in the second ("reduced"); a sum or a difference of
 * two reduced numbers may be multiplied, and nothing wider.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sha256.h"
#include "bytes.h"
#include "secret.h"
#include "x25519.h"

#define A24	121665		/* (486662 - 2) / 4 */

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 uint128;

#define LIMBS	5
#define MASK	((UINT64_C(1) << 51) - 1)
#define TWO_P0	(2 * ((UINT64_C(1) << 51) - 19))	/* 2p, lowest limb */
#define TWO_P	(2 * MASK)				/* and the others */

typedef uint64_t number[LIMBS];

static void
decode(number out, const uint8_t in[X25519_LENGTH])
{
	out[0] = load_le64(in) & MASK;
	out[1] = load_le64(in + 6) >> 3 & MASK;
	out[2] = load_le64(in + 12) >> 6 & MASK;
	out[3] = load_le64(in + 19) >> 1 & MASK;
	out[4] = load_le64(in + 24) >> 12 & MASK;
}

/* From less than 2^255, each limb within its bits. */
static void
put(uint8_t out[X25519_LENGTH], const number n)
{
	store_le64(out, n[0] | n[1] << 51);
	store_le64(out + 8, n[1] >> 13 | n[2] << 38);
	store_le64(out + 16, n[2] >> 26 | n[3] << 25);
	store_le64(out + 24, n[3] >> 39 | n[4] << 12);
}

static inline int
bits(int limb)
{
	(void)limb;
	return 51;
}

static inline uint64_t
two_p(int limb)
{
	return limb == 0 ? TWO_P0 : TWO_P;
}

static inline void
carry(number out, uint128 r0, uint128 r1, uint128 r2, uint128 r3, uint128 r4)
{
	r1 += (uint64_t)(r0 >> 51);
	r2 += (uint64_t)(r1 >> 51);
	r3 += (uint64_t)(r2 >> 51);
	r4 += (uint64_t)(r3 >> 51);
	out[0] = ((uint64_t)r0 & MASK) + (uint64_t)(r4 >> 51) * 19;
	out[1] = ((uint64_t)r1 & MASK) + (out[0] >> 51);
	out[0] &= MASK;
	out[2] = (uint64_t)r2 & MASK;
	out[3] = (uint64_t)r3 & MASK;
	out[4] = (uint64_t)r4 & MASK;
}

#define PRODUCT(i, j)	((uint128)a[i] * b[j])
#define BEYOND(i, j)	((uint128)a[i] * b19_##j)

static void
multiply(number out, const number a, const number b)
{
	uint64_t b19_1 = b[1] * 19, b19_2 = b[2] * 19, b19_3 = b[3] * 19;
	uint64_t b19_4 = b[4] * 19;

	carry(out, PRODUCT(0, 0) + BEYOND(1, 4) + BEYOND(2, 3) + BEYOND(3, 2) +
	    BEYOND(4, 1),
	    PRODUCT(0, 1) + PRODUCT(1, 0) + BEYOND(2, 4) + BEYOND(3, 3) +
	    BEYOND(4, 2),
	    PRODUCT(0, 2) + PRODUCT(1, 1) + PRODUCT(2, 0) + BEYOND(3, 4) +
	    BEYOND(4, 3),
	    PRODUCT(0, 3) + PRODUCT(1, 2) + PRODUCT(2, 1) + PRODUCT(3, 0) +
	    BEYOND(4, 4),
	    PRODUCT(0, 4) + PRODUCT(1, 3) + PRODUCT(2, 2) + PRODUCT(3, 1) +
	    PRODUCT(4, 0));
}

static void
square(number out, const number a)
{
	uint64_t a0 = a[0] * 2, a1 = a[1] * 2;
	uint64_t a3 = a[3] * 19, a4 = a[4] * 19;

	carry(out, (uint128)a[0] * a[0] + (uint128)a1 * a4 +
	    (uint128)(a[2] * 2) * a3,
	    (uint128)a0 * a[1] + (uint128)(a[2] * 2) * a4 +
	    (uint128)a[3] * a3,
	    (uint128)a0 * a[2] + (uint128)a[1] * a[1] +
	    (uint128)(a[3] * 2) * a4,
	    (uint128)a0 * a[3] + (uint128)a1 * a[2] + (uint128)a[4] * a4,
	    (uint128)a0 * a[4] + (uint128)a1 * a[3] + (uint128)a[2] * a[2]);
}

static void
multiply_a24(number out, const number a)
{
	carry(out, (uint128)a[0] * A24, (uint128)a[1] * A24,
	    (uint128)a[2] * A24, (uint128)a[3] * A24, (uint128)a[4] * A24);
}
#else
#define LIMBS	10

typedef uint64_t number[LIMBS];

static inline int
bits(int limb)
{
	return limb % 2 == 0 ? 26 : 25;
}

static inline uint64_t
mask(int limb)
{
	return (UINT64_C(1) << bits(limb)) - 1;
}

static inline uint64_t
two_p(int limb)
{
	return 2 * (limb == 0 ? mask(0) - 18 : mask(limb));
}

static void
decode(number out, const uint8_t in[X25519_LENGTH])
{
	int at = 0, i;
	uint64_t some;

	for (i = 0; i < LIMBS; i++) {
		/* The last one's load would end beyond the input. */
		some = at / 8 + 4 < X25519_LENGTH ? in[at / 8 + 4] : 0;
		some = some << 32 | load_le32(in + at / 8);
		out[i] = some >> at % 8 & mask(i);
		at += bits(i);
	}
}

/* From less than 2^255, each limb within its bits. */
static void
put(uint8_t out[X25519_LENGTH], const number n)
{
	uint64_t some = 0;
	int have = 0, i, next = 0;

	for (i = 0; i < LIMBS; i++) {
		some |= n[i] << have;
		for (have += bits(i); have >= 8; have -= 8) {
			out[next++] = (uint8_t)some;
			some >>= 8;
		}
	}
	out[next] = (uint8_t)some;
}

static void
carry(number n)
{
	int i;

	for (i = 0; i < LIMBS - 1; i++) {
		n[i + 1] += n[i] >> bits(i);
		n[i] &= mask(i);
	}
	n[0] += (n[i] >> bits(i)) * 19;
	n[i] &= mask(i);
	n[1] += n[0] >> bits(0);
	n[0] &= mask(0);
}

/* 32 by 32 bits to 64, which is cheap where this is compiled. */
static inline uint64_t
product(uint64_t a, uint64_t b)
{
	return (uint64_t)(uint32_t)a * (uint32_t)b;
}

/* Two odd limbs' places add up to one bit more than their sum's place. */
static void
multiply(number out, const number a, const number b)
{
	number sum = { 0 };
	uint64_t some;
	int i, j;

	for (i = 0; i < LIMBS; i++)
		for (j = 0; j < LIMBS; j++) {
			some = product(a[i], b[j]) << (i & j & 1);
			if (i + j < LIMBS)
				sum[i + j] += some;
			else
				sum[i + j - LIMBS] += some * 19;
		}
	carry(sum);
	memcpy(out, sum, sizeof(sum));
}

static void
square(number out, const number a)
{
	multiply(out, a, a);
}

static void
multiply_a24(number out, const number a)
{
	int i;

	for (i = 0; i < LIMBS; i++)
		out[i] = a[i] * A24;
	carry(out);
}
#endif

static inline void
add(number out, const number a, const number b)
{
	int i;

	for (i = 0; i < LIMBS; i++)
		out[i] = a[i] + b[i];
}

/* b reduced, so that 2p - b is not negative in any limb. */
static inline void
subtract(number out, const number a, const number b)
{
	int i;

	for (i = 0; i < LIMBS; i++)
		out[i] = a[i] + two_p(i) - b[i];
}

/* If and only if swap is 1; it is 0 otherwise. */
static inline void
swap_if(uint64_t swap, number a, number b)
{
	uint64_t all = ~swap + 1, differ;
	int i;

	/* The compiler is not to know that this is all or nothing. */
	__asm__ __volatile__("" : "+r" (all));
	for (i = 0; i < LIMBS; i++) {
		differ = all & (a[i] ^ b[i]);
		a[i] ^= differ;
		b[i] ^= differ;
	}
}

static void
square_times(number out, const number a, int times)
{
	square(out, a);
	while (--times > 0)
		square(out, out);
}

/* a^(p - 2), by which numbers are divided; p - 2 = 2^255 - 21. */
static void
invert(number out, const number a)
{
	number a2, a9, a11, x5, x10, x20, x50, x, y;	/* xN = a^(2^N - 1) */

	square(a2, a);
	square_times(x, a2, 2);
	multiply(a9, x, a);
	multiply(a11, a9, a2);
	square(x, a11);
	multiply(x5, x, a9);
	square_times(x, x5, 5);
	multiply(x10, x, x5);
	square_times(x, x10, 10);
	multiply(x20, x, x10);
	square_times(x, x20, 20);
	multiply(y, x, x20);		/* 40 */
	square_times(x, y, 10);
	multiply(x50, x, x10);
	square_times(x, x50, 50);
	multiply(y, x, x50);		/* 100 */
	square_times(x, y, 100);
	multiply(x, x, y);		/* 200 */
	square_times(x, x, 50);
	multiply(x, x, x50);		/* 250 */
	square_times(x, x, 5);
	multiply(out, x, a11);
	sha256_wipe(a2, sizeof(a2));
	sha256_wipe(a9, sizeof(a9));
	sha256_wipe(a11, sizeof(a11));
	sha256_wipe(x5, sizeof(x5));
	sha256_wipe(x10, sizeof(x10));
	sha256_wipe(x20, sizeof(x20));
	sha256_wipe(x50, sizeof(x50));
	sha256_wipe(x, sizeof(x));
	sha256_wipe(y, sizeof(y));
}

/* Carries n, to which `more` was added, and forgets what is 2^255 and above. */
static void
carry_off(number n, uint64_t more)
{
	int i;

	n[0] += more;
	for (i = 0; i < LIMBS; i++) {
		more = n[i] >> bits(i);
		n[i] &= (UINT64_C(1) << bits(i)) - 1;
		if (i + 1 < LIMBS)
			n[i + 1] += more;
	}
}

/* The one number below p, from a reduced one, which is below 2^255 + 2^60. */
static void
encode(uint8_t out[X25519_LENGTH], const number a)
{
	number n;
	uint64_t over;
	int i;

	memcpy(n, a, sizeof(n));
	/* How often p is in it: 0, 1 or 2, found by adding 19 beyond the end. */
	over = 0;
	for (i = 0; i < LIMBS; i++)
		over = (n[i] + (i == 0 ? 19 : over)) >> bits(i);
	carry_off(n, 19 * over);
	put(out, n);
	sha256_wipe(n, sizeof(n));
}

/* One bit of the scalar: RFC 7748, 5, with its names. */
struct ladder {
	number	x1, x2, z2, x3, z3;
	number	a, aa, b, bb, c, cb, d, da, e;
};

static void
step(struct ladder *l)
{
	add(l->a, l->x2, l->z2);
	square(l->aa, l->a);
	subtract(l->b, l->x2, l->z2);
	square(l->bb, l->b);
	subtract(l->e, l->aa, l->bb);
	add(l->c, l->x3, l->z3);
	subtract(l->d, l->x3, l->z3);
	multiply(l->da, l->d, l->a);
	multiply(l->cb, l->c, l->b);
	add(l->x3, l->da, l->cb);
	square(l->x3, l->x3);
	subtract(l->z3, l->da, l->cb);
	square(l->z3, l->z3);
	multiply(l->z3, l->z3, l->x1);
	multiply(l->x2, l->aa, l->bb);
	multiply_a24(l->a, l->e);
	add(l->a, l->a, l->aa);
	multiply(l->z2, l->e, l->a);
}

bool
x25519(uint8_t out[X25519_LENGTH], const uint8_t secret[X25519_LENGTH],
    const uint8_t other[X25519_LENGTH])
{
	uint8_t k[X25519_LENGTH], any = 0;
	struct ladder l;
	uint64_t bit, before = 0;
	bool zero;
	int t;

	memcpy(k, secret, sizeof(k));
	k[0] &= 248;
	k[31] = (uint8_t)((k[31] & 127) | 64);
	memset(&l, 0, sizeof(l));
	decode(l.x1, other);
	memcpy(l.x3, l.x1, sizeof(l.x3));
	l.x2[0] = 1;
	l.z3[0] = 1;
	for (t = 254; t >= 0; t--) {
		bit = (uint64_t)k[t / 8] >> t % 8 & 1;
		swap_if(before ^ bit, l.x2, l.x3);
		swap_if(before ^ bit, l.z2, l.z3);
		before = bit;
		step(&l);
	}
	swap_if(before, l.x2, l.x3);
	swap_if(before, l.z2, l.z3);
	invert(l.z2, l.z2);
	multiply(l.x2, l.x2, l.z2);
	encode(out, l.x2);
	for (t = 0; t < X25519_LENGTH; t++)
		any |= out[t];
	zero = any == 0;
	SECRET_TOLD(&zero, sizeof(zero));
	sha256_wipe(k, sizeof(k));
	sha256_wipe(&l, sizeof(l));
	return !zero;
}

void
x25519_public(uint8_t out[X25519_LENGTH], const uint8_t secret[X25519_LENGTH])
{
	static const uint8_t base[X25519_LENGTH] = { 9 };

	(void)x25519(out, secret, base);
}
