/*
 * ChaCha20, written from RFC 8439: one block at a time in plain C, and four at
 * a time in vectors of 128 bits that compilers know for every processor: SSE2,
 * NEON, VSX, z13's.  Where there are none, they make plain code of them.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sha256.h"
#include "bytes.h"
#include "chacha20.h"

typedef uint32_t vector __attribute__((vector_size(16)));

#define ADD(a, b)	((a) + (b))
#define XOR(a, b)	((a) ^ (b))
#define ROTATE16(v)	ROTATE(v, 16)
#define ROTATE12(v)	ROTATE(v, 12)
#define ROTATE8(v)	ROTATE(v, 8)
#define ROTATE7(v)	ROTATE(v, 7)

static inline uint32_t
rotate(uint32_t v, int bits)
{
	return v << bits | v >> (32 - bits);
}

void
chacha20_init(uint32_t state[16], const uint32_t key[8],
    const uint8_t nonce[12])
{
	static const uint8_t constant[] = "expand 32-byte k";
	int i;

	for (i = 0; i < 4; i++)
		state[i] = load_le32(constant + 4 * i);
	for (i = 0; i < 8; i++)
		state[4 + i] = key[i];
	state[12] = 0;
	for (i = 0; i < 3; i++)
		state[13 + i] = load_le32(nonce + 4 * i);
}

#define ROTATE(v, bits)	rotate(v, bits)

void
chacha20_block(uint32_t state[16], uint8_t out[CHACHA20_BLOCK])
{
	const uint32_t *s = state;
	uint32_t x0 = s[0], x1 = s[1], x2 = s[2], x3 = s[3], x4 = s[4];
	uint32_t x5 = s[5], x6 = s[6], x7 = s[7], x8 = s[8], x9 = s[9];
	uint32_t x10 = s[10], x11 = s[11], x12 = s[12], x13 = s[13];
	uint32_t x14 = s[14], x15 = s[15];
	int round;

	CHACHA20_ROUNDS(round);
	store_le32(out, x0 + s[0]);
	store_le32(out + 4, x1 + s[1]);
	store_le32(out + 8, x2 + s[2]);
	store_le32(out + 12, x3 + s[3]);
	store_le32(out + 16, x4 + s[4]);
	store_le32(out + 20, x5 + s[5]);
	store_le32(out + 24, x6 + s[6]);
	store_le32(out + 28, x7 + s[7]);
	store_le32(out + 32, x8 + s[8]);
	store_le32(out + 36, x9 + s[9]);
	store_le32(out + 40, x10 + s[10]);
	store_le32(out + 44, x11 + s[11]);
	store_le32(out + 48, x12 + s[12]);
	store_le32(out + 52, x13 + s[13]);
	store_le32(out + 56, x14 + s[14]);
	store_le32(out + 60, x15 + s[15]);
	state[12]++;
}

void
chacha20_xor(uint32_t state[16], uint8_t *out, const uint8_t *in, size_t n)
{
	uint8_t block[CHACHA20_BLOCK];
	size_t i;

	for (; n > 0; in += sizeof(block), out += sizeof(block),
	    n -= sizeof(block)) {
		chacha20_block(state, block);
		for (i = 0; i < sizeof(block); i += 8)
			store_le64(out + i, load_le64(in + i) ^
			    load_le64(block + i));
	}
	sha256_wipe(block, sizeof(block));
}

#undef ROTATE
#define ROTATE(v, bits)	((v) << (bits) | (v) >> (32 - (bits)))

#if defined(__SSE2__)
#include <emmintrin.h>

#define LOAD(p)		_mm_loadu_si128((const __m128i *)(const void *)(p))
#define STORE(p, v)	_mm_storeu_si128((__m128i *)(void *)(p), v)

/* Four words of each of four blocks, from key stream and in to out. */
static inline void
xor_four(uint8_t *out, const uint8_t *in, const vector *x)
{
	__m128i a = _mm_unpacklo_epi32((__m128i)x[0], (__m128i)x[1]);
	__m128i b = _mm_unpacklo_epi32((__m128i)x[2], (__m128i)x[3]);
	__m128i c = _mm_unpackhi_epi32((__m128i)x[0], (__m128i)x[1]);
	__m128i d = _mm_unpackhi_epi32((__m128i)x[2], (__m128i)x[3]);

	STORE(out, _mm_xor_si128(LOAD(in), _mm_unpacklo_epi64(a, b)));
	STORE(out + 64, _mm_xor_si128(LOAD(in + 64), _mm_unpackhi_epi64(a, b)));
	STORE(out + 128, _mm_xor_si128(LOAD(in + 128), _mm_unpacklo_epi64(c, d)));
	STORE(out + 192, _mm_xor_si128(LOAD(in + 192), _mm_unpackhi_epi64(c, d)));
}
#else
/* The same. */
static inline void
xor_four(uint8_t *out, const uint8_t *in, const vector *x)
{
	uint32_t word[4][4];
	int block, i;

	memcpy(word, x, sizeof(word));
	for (block = 0; block < 4; block++)
		for (i = 0; i < 4; i++)
			store_le32(out + 64 * block + 4 * i, word[i][block] ^
			    load_le32(in + 64 * block + 4 * i));
}
#endif

static void
four_blocks(uint32_t state[16], uint8_t *out, const uint8_t *in)
{
#define ALL(i)	{ state[i], state[i], state[i], state[i] }
	const vector s0 = ALL(0), s1 = ALL(1), s2 = ALL(2), s3 = ALL(3);
	const vector s4 = ALL(4), s5 = ALL(5), s6 = ALL(6), s7 = ALL(7);
	const vector s8 = ALL(8), s9 = ALL(9), s10 = ALL(10), s11 = ALL(11);
	const vector s12 = { state[12], state[12] + 1, state[12] + 2,
	    state[12] + 3 };
	const vector s13 = ALL(13), s14 = ALL(14), s15 = ALL(15);
#undef ALL
	vector x0 = s0, x1 = s1, x2 = s2, x3 = s3, x4 = s4, x5 = s5, x6 = s6;
	vector x7 = s7, x8 = s8, x9 = s9, x10 = s10, x11 = s11, x12 = s12;
	vector x13 = s13, x14 = s14, x15 = s15;
	int round;

	CHACHA20_ROUNDS(round);
	xor_four(out, in, (vector[]){ x0 + s0, x1 + s1, x2 + s2, x3 + s3 });
	xor_four(out + 16, in + 16,
	    (vector[]){ x4 + s4, x5 + s5, x6 + s6, x7 + s7 });
	xor_four(out + 32, in + 32,
	    (vector[]){ x8 + s8, x9 + s9, x10 + s10, x11 + s11 });
	xor_four(out + 48, in + 48,
	    (vector[]){ x12 + s12, x13 + s13, x14 + s14, x15 + s15 });
	state[12] += 4;
}

void
chacha20_xor4(uint32_t state[16], uint8_t *out, const uint8_t *in, size_t n)
{
	for (; n >= 4 * CHACHA20_BLOCK; n -= 4 * CHACHA20_BLOCK) {
		four_blocks(state, out, in);
		in += 4 * CHACHA20_BLOCK;
		out += 4 * CHACHA20_BLOCK;
	}
	chacha20_xor(state, out, in, n);
}
