/*
 * SHA-256 and HMAC-SHA-256, written from FIPS 180-4 and RFC 2104.  Some dozen
 * blocks a handshake: small and plain, not fast.  Runs in whichever thread
 * shakes hands; no shared state.  What was mixed with a key is wiped.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "crypto/sha256.h"

/* The fractions of the cube roots of the first 64 primes. */
static const uint32_t round_constant[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1,
	0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
	0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
	0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
	0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
	0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

/* The fractions of the square roots of the first 8 primes. */
static const uint32_t initial_hash[8] = {
	0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19
};

static inline uint32_t
rotate(uint32_t v, int bits)
{
	return v >> bits | v << (32 - bits);
}

static uint32_t
load_be32(const uint8_t *s)
{
	return (uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 |
	    (uint32_t)s[2] << 8 | (uint32_t)s[3];
}

static void
store_be32(uint8_t *s, uint32_t v)
{
	s[0] = (uint8_t)(v >> 24);
	s[1] = (uint8_t)(v >> 16);
	s[2] = (uint8_t)(v >> 8);
	s[3] = (uint8_t)v;
}

/* The next word of the schedule, over the one of 16 rounds ago. */
static inline uint32_t
next_word(uint32_t *w, unsigned int t)
{
	uint32_t old = w[(t + 1) % 16], new = w[(t + 14) % 16];

	w[t % 16] += (rotate(old, 7) ^ rotate(old, 18) ^ old >> 3) +
	    w[(t + 9) % 16] +
	    (rotate(new, 17) ^ rotate(new, 19) ^ new >> 10);
	return w[t % 16];
}

/* One block; a to h and w are the standard's names, one and two its T1, T2. */
static void
add_block(uint32_t *hash, const uint8_t *s)
{
	uint32_t a = hash[0], b = hash[1], c = hash[2], d = hash[3];
	uint32_t e = hash[4], f = hash[5], g = hash[6], h = hash[7];
	uint32_t one, two, w[16];
	unsigned int t;

	for (t = 0; t < 16; t++)
		w[t] = load_be32(s + 4 * t);
	for (t = 0; t < 64; t++) {
		one = h + round_constant[t] +
		    (t < 16 ? w[t] : next_word(w, t)) +
		    ((e & f) ^ (~e & g)) +
		    (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25));
		two = ((a & b) ^ (a & c) ^ (b & c)) +
		    (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22));
		h = g;
		g = f;
		f = e;
		e = d + one;
		d = c;
		c = b;
		b = a;
		a = one + two;
	}
	hash[0] += a;
	hash[1] += b;
	hash[2] += c;
	hash[3] += d;
	hash[4] += e;
	hash[5] += f;
	hash[6] += g;
	hash[7] += h;
	sha256_wipe(w, sizeof(w));
}

void
sha256_init(struct sha256 *s)
{
	memset(s, 0, sizeof(*s));
	memcpy(s->hash, initial_hash, sizeof(s->hash));
}

void
sha256_add(struct sha256 *s, const void *p, size_t n)
{
	const uint8_t *in = p;
	size_t have = (size_t)(s->total % SHA256_BLOCK);
	size_t part;

	if (n == 0)
		return;
	s->total += n;
	if (have > 0) {
		part = n < SHA256_BLOCK - have ? n : SHA256_BLOCK - have;
		memcpy(s->rest + have, in, part);
		if (have + part < SHA256_BLOCK)
			return;
		add_block(s->hash, s->rest);
		in += part;
		n -= part;
	}
	for (; n >= SHA256_BLOCK; in += SHA256_BLOCK, n -= SHA256_BLOCK)
		add_block(s->hash, in);
	memcpy(s->rest, in, n);
}

void
sha256_final(struct sha256 *s, uint8_t out[SHA256_LENGTH])
{
	static const uint8_t padding[SHA256_BLOCK] = { 0x80 };
	uint64_t bits = s->total * 8;
	uint8_t length[8];
	unsigned int i;

	/* 0x80 and zeros until 8 bytes are left in the block. */
	sha256_add(s, padding, 1 + (SHA256_BLOCK + 55 -
	    (size_t)(s->total % SHA256_BLOCK)) % SHA256_BLOCK);
	store_be32(length, (uint32_t)(bits >> 32));
	store_be32(length + 4, (uint32_t)bits);
	sha256_add(s, length, sizeof(length));
	for (i = 0; i < 8; i++)
		store_be32(out + 4 * i, s->hash[i]);
	sha256_wipe(s, sizeof(*s));
}

void
sha256_hmac_init(struct sha256_hmac *h, const void *key, size_t n)
{
	uint8_t pad[SHA256_BLOCK] = { 0 };
	size_t i;

	sha256_init(&h->inner);
	sha256_init(&h->outer);
	if (n > sizeof(pad)) {
		sha256_add(&h->inner, key, n);
		sha256_final(&h->inner, pad);
		sha256_init(&h->inner);
	} else if (n > 0)
		memcpy(pad, key, n);
	for (i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36;
	sha256_add(&h->inner, pad, sizeof(pad));
	for (i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	sha256_add(&h->outer, pad, sizeof(pad));
	sha256_wipe(pad, sizeof(pad));
}

void
sha256_hmac_add(struct sha256_hmac *h, const void *p, size_t n)
{
	sha256_add(&h->inner, p, n);
}

void
sha256_hmac_final(struct sha256_hmac *h, uint8_t out[SHA256_LENGTH])
{
	uint8_t inner[SHA256_LENGTH];

	sha256_final(&h->inner, inner);
	sha256_add(&h->outer, inner, sizeof(inner));
	sha256_final(&h->outer, out);
	sha256_wipe(inner, sizeof(inner));
}

bool
sha256_equal(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;
	unsigned int differ = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		differ |= (unsigned int)(p[i] ^ q[i]);
		/* Nothing may be concluded from it before the end. */
		__asm__ __volatile__("" : "+r" (differ));
	}
	return differ == 0;
}
