/*
 * SipHash-2-4-128, written from the authors' paper and the 128-bit variant of
 * their reference.  One word of 8 bytes after the other, two rounds each, so
 * all speed lies in keeping the four words of state in registers.
 * Runs in the thread that owns the leg; no shared state.
 */
#include <stddef.h>
#include <stdint.h>

#include "sha256.h"	/* sha256_wipe */
#include "siphash.h"

/* Written so that compilers make one load of it where that is right. */
static inline uint64_t
load64(const uint8_t *s)
{
	return (uint64_t)s[0] | (uint64_t)s[1] << 8 | (uint64_t)s[2] << 16 |
	    (uint64_t)s[3] << 24 | (uint64_t)s[4] << 32 |
	    (uint64_t)s[5] << 40 | (uint64_t)s[6] << 48 | (uint64_t)s[7] << 56;
}

static inline void
store64(uint8_t *s, uint64_t v)
{
	int i;

	for (i = 0; i < 8; i++)
		s[i] = (uint8_t)(v >> 8 * i);
}

static inline uint64_t
rotate(uint64_t v, int bits)
{
	return v << bits | v >> (64 - bits);
}

static inline void
sip_rounds(uint64_t *v, int rounds)
{
	for (; rounds > 0; rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static inline void
add_word(uint64_t *v, uint64_t word)
{
	v[3] ^= word;
	sip_rounds(v, 2);
	v[0] ^= word;
}

/* A copy of the state whose address goes nowhere can live in registers. */
static void
add_words(struct siphash *s, const uint8_t *in, size_t words)
{
	uint64_t v[4] = { s->v[0], s->v[1], s->v[2], s->v[3] };

	for (; words > 0; words--, in += 8)
		add_word(v, load64(in));
	s->v[0] = v[0];
	s->v[1] = v[1];
	s->v[2] = v[2];
	s->v[3] = v[3];
}

void
siphash_init(struct siphash *s, const uint8_t key[SIPHASH_KEY])
{
	uint64_t low = load64(key), high = load64(key + 8);

	s->v[0] = low ^ UINT64_C(0x736f6d6570736575);
	s->v[1] = high ^ UINT64_C(0x646f72616e646f6d) ^ 0xee;
	s->v[2] = low ^ UINT64_C(0x6c7967656e657261);
	s->v[3] = high ^ UINT64_C(0x7465646279746573);
	s->total = 0;
	s->rest = 0;
}

void
siphash_add(struct siphash *s, const void *p, size_t n)
{
	const uint8_t *in = p;
	unsigned int have = (unsigned int)(s->total % 8);

	s->total += n;
	for (; have > 0 && n > 0; in++, n--) {
		s->rest |= (uint64_t)*in << 8 * have;
		have = (have + 1) % 8;
		if (have == 0) {
			add_word(s->v, s->rest);
			s->rest = 0;
		}
	}
	if (n == 0)
		return;
	add_words(s, in, n / 8);
	for (in += n - n % 8; have < n % 8; have++)
		s->rest |= (uint64_t)*in++ << 8 * have;
}

/* The last word holds what is left and, on top, the length modulo 256. */
void
siphash_final(struct siphash *s, uint8_t out[SIPHASH_LENGTH])
{
	add_word(s->v, s->rest | s->total << 56);
	s->v[2] ^= 0xee;
	sip_rounds(s->v, 4);
	store64(out, s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3]);
	s->v[1] ^= 0xdd;
	sip_rounds(s->v, 4);
	store64(out + 8, s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3]);
	sha256_wipe(s, sizeof(*s));
}
