/*
 * Poly1305 in plain C, written from RFC 8439, 2.5.  Where the compiler has
 * 128-bit integers, the accumulator is three limbs of 44, 44 and 42 bits and
 * two blocks are taken at a time: (h + m0) r^2 + m1 r.  Elsewhere it is five
 * limbs of 26 bits.  The powers for vectors are made here, too.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sha256.h"
#include "bytes.h"
#include "poly1305.h"

#define CLAMP_LOW	UINT64_C(0x0ffffffc0fffffff)
#define CLAMP_HIGH	UINT64_C(0x0ffffffc0ffffffc)

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 uint128;

#define MASK44	((UINT64_C(1) << 44) - 1)
#define MASK42	((UINT64_C(1) << 42) - 1)
#define MASK26	((UINT64_C(1) << 26) - 1)

/* out += a * b, where 2^132 = 20: a below 2^46, b below 2^45. */
static inline void
multiply_add(uint128 out[3], const uint64_t a[3], const uint64_t b[3])
{
	uint64_t b1 = b[1] * 20, b2 = b[2] * 20;

	out[0] += (uint128)a[0] * b[0] + (uint128)a[1] * b2 +
	    (uint128)a[2] * b1;
	out[1] += (uint128)a[0] * b[1] + (uint128)a[1] * b[0] +
	    (uint128)a[2] * b2;
	out[2] += (uint128)a[0] * b[2] + (uint128)a[1] * b[1] +
	    (uint128)a[2] * b[0];
}

/* To limbs of 44, 44 and a little, and 42 bits. */
static inline void
carry(uint64_t h[3], uint128 d[3])
{
	d[1] += (uint64_t)(d[0] >> 44);
	d[2] += (uint64_t)(d[1] >> 44);
	h[0] = ((uint64_t)d[0] & MASK44) + (uint64_t)(d[2] >> 42) * 5;
	h[1] = ((uint64_t)d[1] & MASK44) + (h[0] >> 44);
	h[2] = (uint64_t)d[2] & MASK42;
	h[0] &= MASK44;
}

/* One block, with its bit beyond the end. */
static inline void
add_block(uint64_t h[3], const uint8_t *m)
{
	uint64_t low = load_le64(m), high = load_le64(m + 8);

	h[0] += low & MASK44;
	h[1] += (low >> 44 | high << 20) & MASK44;
	h[2] += high >> 24 | UINT64_C(1) << 40;
}

static void
multiply(uint64_t h[3], const uint64_t a[3], const uint64_t b[3])
{
	uint128 d[3] = { 0, 0, 0 };

	multiply_add(d, a, b);
	carry(h, d);
}

void
poly1305_init(struct poly1305 *p, const uint8_t key[POLY1305_KEY])
{
	uint64_t low = load_le64(key) & CLAMP_LOW;
	uint64_t high = load_le64(key + 8) & CLAMP_HIGH;
	uint64_t r[3];

	r[0] = low & MASK44;
	r[1] = (low >> 44 | high << 20) & MASK44;
	r[2] = high >> 24;
	memset(p->h, 0, sizeof(p->h));
	memcpy(p->r, r, sizeof(r));
	multiply(r, r, r);
	memcpy(p->r + 3, r, sizeof(r));
	memcpy(p->s, key + 16, sizeof(p->s));
	p->has_powers = false;
	sha256_wipe(r, sizeof(r));
}

void
poly1305_blocks(struct poly1305 *p, const uint8_t *m, size_t n)
{
	uint64_t h[3] = { p->h[0], p->h[1], p->h[2] };
	uint64_t r[3], square[3], next[3];
	uint128 d[3];

	memcpy(r, p->r, sizeof(r));
	memcpy(square, p->r + 3, sizeof(square));
	for (; n >= 2 * POLY1305_BLOCK; m += 32, n -= 32) {
		d[0] = d[1] = d[2] = 0;
		next[0] = next[1] = next[2] = 0;
		add_block(h, m);
		add_block(next, m + POLY1305_BLOCK);
		multiply_add(d, next, r);
		multiply_add(d, h, square);
		carry(h, d);
	}
	if (n > 0) {
		add_block(h, m);
		multiply(h, h, r);
	}
	memcpy(p->h, h, sizeof(h));
	sha256_wipe(r, sizeof(r));
	sha256_wipe(square, sizeof(square));
}

/* To less than 2^130, each limb within its bits. */
static void
carry_all(uint64_t h[3])
{
	int i;

	for (i = 0; i < 2; i++) {
		h[1] += h[0] >> 44;
		h[0] &= MASK44;
		h[2] += h[1] >> 44;
		h[1] &= MASK44;
		h[0] += (h[2] >> 42) * 5;
		h[2] &= MASK42;
	}
	h[1] += h[0] >> 44;
	h[0] &= MASK44;
}

void
poly1305_final(struct poly1305 *p, uint8_t tag[AEAD_TAG])
{
	uint64_t *h = p->h, g[3], keep, low, high;
	uint128 sum;

	carry_all(h);
	/* h - (2^130 - 5), if that is not negative. */
	g[0] = h[0] + 5;
	g[1] = h[1] + (g[0] >> 44);
	g[2] = h[2] + (g[1] >> 44);
	keep = (g[2] >> 42) - 1;	/* all ones: h was less */
	g[0] = (h[0] & keep) | (g[0] & MASK44 & ~keep);
	g[1] = (h[1] & keep) | (g[1] & MASK44 & ~keep);
	g[2] = (h[2] & keep) | (g[2] & MASK42 & ~keep);
	low = g[0] | g[1] << 44;
	high = g[1] >> 20 | g[2] << 24;
	sum = (uint128)low + load_le64(p->s);
	store_le64(tag, (uint64_t)sum);
	store_le64(tag + 8, high + load_le64(p->s + 8) +
	    (uint64_t)(sum >> 64));
	sha256_wipe(g, sizeof(g));
	sha256_wipe(p, sizeof(*p));
}

static void
to_26(uint64_t limb[5], const uint64_t h[3])
{
	limb[0] = h[0] & MASK26;
	limb[1] = (h[0] >> 26 | h[1] << 18) & MASK26;
	limb[2] = h[1] >> 8 & MASK26;
	limb[3] = (h[1] >> 34 | h[2] << 10) & MASK26;
	limb[4] = h[2] >> 16;
}

void
poly1305_take(struct poly1305 *p, uint64_t limb[5])
{
	carry_all(p->h);
	to_26(limb, p->h);
}

void
poly1305_give(struct poly1305 *p, const uint64_t limb[5])
{
	uint64_t l[5];
	int i;

	memcpy(l, limb, sizeof(l));
	for (i = 0; i < 4; i++) {
		l[i + 1] += l[i] >> 26;
		l[i] &= MASK26;
	}
	l[0] += (l[4] >> 26) * 5;
	l[4] &= MASK26;
	p->h[0] = l[0] + (l[1] << 26);
	p->h[1] = (p->h[0] >> 44) + (l[2] << 8) + (l[3] << 34);
	p->h[0] &= MASK44;
	p->h[2] = (p->h[1] >> 44) + (l[4] << 16);
	p->h[1] &= MASK44;
	sha256_wipe(l, sizeof(l));
}

void
poly1305_powers(struct poly1305 *p, unsigned int lanes)
{
	uint64_t power[3], limb[5];
	unsigned int block, j, lane;

	memcpy(power, p->r, sizeof(power));
	for (block = lanes; block-- > 0;) {
		lane = block < lanes / 2 ? 2 * block : 2 * block - lanes + 1;
		carry_all(power);
		to_26(limb, power);
		for (j = 0; j < 5; j++)
			p->power[j][lane] = (uint32_t)limb[j];
		multiply(power, power, p->r);
	}
	p->has_powers = true;
	sha256_wipe(power, sizeof(power));
	sha256_wipe(limb, sizeof(limb));
}
#else
#define MASK26	UINT32_C(0x3ffffff)

static void
add_block(uint64_t h[5], const uint8_t *m, uint64_t end)
{
	uint64_t low = load_le64(m), high = load_le64(m + 8);

	h[0] += low & MASK26;
	h[1] += low >> 26 & MASK26;
	h[2] += (low >> 52 | high << 12) & MASK26;
	h[3] += high >> 14 & MASK26;
	h[4] += high >> 40 | end;
}

static void
carry(uint64_t h[5])
{
	int i;

	for (i = 0; i < 4; i++) {
		h[i + 1] += h[i] >> 26;
		h[i] &= MASK26;
	}
	h[0] += (h[4] >> 26) * 5;
	h[4] &= MASK26;
	h[1] += h[0] >> 26;
	h[0] &= MASK26;
}

/* The limbs are below 2^32: so that 32 by 32 bits make 64, which is cheap. */
static inline uint64_t
product(uint64_t a, uint64_t b)
{
	return (uint64_t)(uint32_t)a * (uint32_t)b;
}

#define PRODUCTS(a, b, c, d, e)						\
	(product(h[0], a) + product(h[1], b) + product(h[2], c) +	\
	    product(h[3], d) + product(h[4], e))

static void
multiply(uint64_t h[5], const uint64_t r[5])
{
	uint64_t s1 = r[1] * 5, s2 = r[2] * 5, s3 = r[3] * 5, s4 = r[4] * 5;
	uint64_t d0 = PRODUCTS(r[0], s4, s3, s2, s1);
	uint64_t d1 = PRODUCTS(r[1], r[0], s4, s3, s2);
	uint64_t d2 = PRODUCTS(r[2], r[1], r[0], s4, s3);
	uint64_t d3 = PRODUCTS(r[3], r[2], r[1], r[0], s4);
	uint64_t d4 = PRODUCTS(r[4], r[3], r[2], r[1], r[0]);

	h[0] = d0;
	h[1] = d1;
	h[2] = d2;
	h[3] = d3;
	h[4] = d4;
	carry(h);
}

void
poly1305_init(struct poly1305 *p, const uint8_t key[POLY1305_KEY])
{
	uint8_t clamped[16];

	store_le64(clamped, load_le64(key) & CLAMP_LOW);
	store_le64(clamped + 8, load_le64(key + 8) & CLAMP_HIGH);
	memset(p, 0, sizeof(*p));
	add_block(p->r, clamped, 0);
	memcpy(p->s, key + 16, sizeof(p->s));
	sha256_wipe(clamped, sizeof(clamped));
}

void
poly1305_blocks(struct poly1305 *p, const uint8_t *m, size_t n)
{
	for (; n > 0; m += POLY1305_BLOCK, n -= POLY1305_BLOCK) {
		add_block(p->h, m, UINT32_C(1) << 24);
		multiply(p->h, p->r);
	}
}

void
poly1305_final(struct poly1305 *p, uint8_t tag[AEAD_TAG])
{
	uint64_t *h = p->h, g[5], keep, low, high, sum;
	int i;

	carry(h);
	carry(h);
	/* h - (2^130 - 5), if that is not negative. */
	memcpy(g, h, sizeof(g));
	g[0] += 5;
	for (i = 0; i < 4; i++) {
		g[i + 1] += g[i] >> 26;
		g[i] &= MASK26;
	}
	keep = (g[4] >> 26) - 1;	/* all ones: h was less */
	for (i = 0; i < 5; i++)
		g[i] = (h[i] & keep) | (g[i] & MASK26 & ~keep);
	low = g[0] | g[1] << 26 | g[2] << 52;
	high = g[2] >> 12 | g[3] << 14 | g[4] << 40;
	sum = low + load_le64(p->s);
	store_le64(tag, sum);
	store_le64(tag + 8, high + load_le64(p->s + 8) + (sum < low));
	sha256_wipe(g, sizeof(g));
	sha256_wipe(p, sizeof(*p));
}
#endif
