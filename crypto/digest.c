/*
 * XXH64, written from its specification (xxHash fast digest algorithm, version
 * 0.1.1): four lanes eat 8 bytes each of every 32-byte block; what is left at
 * the end, and the total, are mixed in when the value is asked for.
 * Runs in the thread that owns the stream's order; no shared state.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "crypto/digest.h"

#define BLOCK	32

#define PRIME1	UINT64_C(0x9e3779b185ebca87)
#define PRIME2	UINT64_C(0xc2b2ae3d27d4eb4f)
#define PRIME3	UINT64_C(0x165667b19e3779f9)
#define PRIME4	UINT64_C(0x85ebca77c2b2ae63)
#define PRIME5	UINT64_C(0x27d4eb2f165667c5)

static inline uint64_t
rotate(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

/* Written so that compilers make one load of them where that is right. */
static inline uint64_t
load32(const uint8_t *s)
{
	return (uint64_t)s[0] | (uint64_t)s[1] << 8 | (uint64_t)s[2] << 16 |
	    (uint64_t)s[3] << 24;
}

static inline uint64_t
load64(const uint8_t *s)
{
	return (uint64_t)s[0] | (uint64_t)s[1] << 8 | (uint64_t)s[2] << 16 |
	    (uint64_t)s[3] << 24 | (uint64_t)s[4] << 32 |
	    (uint64_t)s[5] << 40 | (uint64_t)s[6] << 48 | (uint64_t)s[7] << 56;
}

static inline uint64_t
round64(uint64_t lane, uint64_t v)
{
	return rotate(lane + v * PRIME2, 31) * PRIME1;
}

static inline uint64_t
merge(uint64_t h, uint64_t lane)
{
	return (h ^ round64(0, lane)) * PRIME1 + PRIME4;
}

/* The lanes live in registers for the whole run: that is what makes it fast. */
static void
add_blocks(struct digest *d, const uint8_t *s, size_t blocks)
{
	uint64_t a = d->lane[0], b = d->lane[1], c = d->lane[2], e = d->lane[3];

	for (; blocks > 0; blocks--, s += BLOCK) {
		a = round64(a, load64(s));
		b = round64(b, load64(s + 8));
		c = round64(c, load64(s + 16));
		e = round64(e, load64(s + 24));
	}
	d->lane[0] = a;
	d->lane[1] = b;
	d->lane[2] = c;
	d->lane[3] = e;
}

void
digest_init(struct digest *d)
{
	memset(d, 0, sizeof(*d));
	d->lane[0] = PRIME1 + PRIME2;
	d->lane[1] = PRIME2;
	d->lane[2] = 0;
	d->lane[3] = 0 - PRIME1;
}

void
digest_add(struct digest *d, const void *p, size_t n)
{
	const uint8_t *s = p;
	size_t have = (size_t)(d->total % BLOCK);
	size_t part;

	if (n == 0)
		return;
	d->total += n;
	if (have > 0) {
		part = n < BLOCK - have ? n : BLOCK - have;
		memcpy(d->rest + have, s, part);
		if (have + part < BLOCK)
			return;
		add_blocks(d, d->rest, 1);
		s += part;
		n -= part;
	}
	add_blocks(d, s, n / BLOCK);
	memcpy(d->rest, s + (n - n % BLOCK), n % BLOCK);
}

/* The fewer than 32 bytes that make no block: by 8, by 4, by 1. */
static uint64_t
mix_rest(uint64_t h, const uint8_t *s, size_t n)
{
	for (; n >= 8; s += 8, n -= 8)
		h = rotate(h ^ round64(0, load64(s)), 27) * PRIME1 + PRIME4;
	if (n >= 4) {
		h = rotate(h ^ load32(s) * PRIME1, 23) * PRIME2 + PRIME3;
		s += 4;
		n -= 4;
	}
	for (; n > 0; s++, n--)
		h = rotate(h ^ *s * PRIME5, 11) * PRIME1;
	return h;
}

uint64_t
digest_value(const struct digest *d)
{
	uint64_t h;
	int i;

	if (d->total >= BLOCK) {
		h = rotate(d->lane[0], 1) + rotate(d->lane[1], 7) +
		    rotate(d->lane[2], 12) + rotate(d->lane[3], 18);
		for (i = 0; i < 4; i++)
			h = merge(h, d->lane[i]);
	} else
		h = PRIME5;
	h = mix_rest(h + d->total, d->rest, (size_t)(d->total % BLOCK));
	h = (h ^ h >> 33) * PRIME2;
	h = (h ^ h >> 29) * PRIME3;
	return h ^ h >> 32;
}
