/*
 * ChaCha20 with AVX2 (eight blocks at a time, one in each lane of 32 bits) and
 * AVX-512 (sixteen).  After the rounds the vectors hold one word of every
 * block; they are transposed four by four words within lanes of 128 bits, and
 * then those lanes.
 */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "chacha20.h"

#define EACH(M)								\
	M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)				\
	M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#define WITHOUT_COUNTER(M)						\
	M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)				\
	M(8) M(9) M(10) M(11) M(13) M(14) M(15)

#define AVX2		__attribute__((target("avx2")))
#define AVX512		__attribute__((target("avx512f")))

#define ADD(a, b)	_mm256_add_epi32(a, b)
#define XOR(a, b)	_mm256_xor_si256(a, b)
#define ROTATE(v, n)	_mm256_or_si256(_mm256_slli_epi32(v, n),		\
	    _mm256_srli_epi32(v, 32 - (n)))
#define ROTATE16(v)	_mm256_shuffle_epi8(v, by16)
#define ROTATE12(v)	ROTATE(v, 12)
#define ROTATE8(v)	_mm256_shuffle_epi8(v, by8)
#define ROTATE7(v)	ROTATE(v, 7)

/* 32 bytes of each of two blocks: lanes of 128 bits of a and b. */
AVX2 static inline void
put8(uint8_t *out, const uint8_t *in, __m256i a, __m256i b)
{
	__m256i low = _mm256_permute2x128_si256(a, b, 0x20);
	__m256i high = _mm256_permute2x128_si256(a, b, 0x31);

	_mm256_storeu_si256((__m256i *)(void *)out, _mm256_xor_si256(low,
	    _mm256_loadu_si256((const __m256i *)(const void *)in)));
	_mm256_storeu_si256((__m256i *)(void *)(out + 256), _mm256_xor_si256(
	    high, _mm256_loadu_si256((const __m256i *)(const void *)(in + 256))));
}

/* Eight words of each block. */
#define HALF8(at, a, b, c, d, e, f, g, h) do {				\
	__m256i ab = _mm256_unpacklo_epi32(a, b);			\
	__m256i cd = _mm256_unpacklo_epi32(c, d);			\
	__m256i ef = _mm256_unpacklo_epi32(e, f);			\
	__m256i gh = _mm256_unpacklo_epi32(g, h);			\
	put8(out + at, in + at, _mm256_unpacklo_epi64(ab, cd),		\
	    _mm256_unpacklo_epi64(ef, gh));				\
	put8(out + 64 + at, in + 64 + at, _mm256_unpackhi_epi64(ab, cd),	\
	    _mm256_unpackhi_epi64(ef, gh));				\
	ab = _mm256_unpackhi_epi32(a, b);				\
	cd = _mm256_unpackhi_epi32(c, d);				\
	ef = _mm256_unpackhi_epi32(e, f);				\
	gh = _mm256_unpackhi_epi32(g, h);				\
	put8(out + 128 + at, in + 128 + at, _mm256_unpacklo_epi64(ab, cd),	\
	    _mm256_unpacklo_epi64(ef, gh));				\
	put8(out + 192 + at, in + 192 + at, _mm256_unpackhi_epi64(ab, cd),	\
	    _mm256_unpackhi_epi64(ef, gh));				\
} while (0)

AVX2 static void
eight_blocks(uint32_t state[16], uint8_t *out, const uint8_t *in)
{
	const __m256i by16 = _mm256_set_epi8(13, 12, 15, 14, 9, 8, 11, 10,
	    5, 4, 7, 6, 1, 0, 3, 2, 13, 12, 15, 14, 9, 8, 11, 10,
	    5, 4, 7, 6, 1, 0, 3, 2);
	const __m256i by8 = _mm256_set_epi8(14, 13, 12, 15, 10, 9, 8, 11,
	    6, 5, 4, 7, 2, 1, 0, 3, 14, 13, 12, 15, 10, 9, 8, 11,
	    6, 5, 4, 7, 2, 1, 0, 3);
	const __m256i counter = _mm256_add_epi32(
	    _mm256_set1_epi32((int)state[12]),
	    _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0));
#define START(i)	__m256i x##i = _mm256_set1_epi32((int)state[i]);
	WITHOUT_COUNTER(START)
#undef START
	__m256i x12 = counter;
	int round;

	CHACHA20_ROUNDS(round);
#define FINISH(i)	x##i = ADD(x##i, _mm256_set1_epi32((int)state[i]));
	WITHOUT_COUNTER(FINISH)
#undef FINISH
	x12 = ADD(x12, counter);
	HALF8(0, x0, x1, x2, x3, x4, x5, x6, x7);
	HALF8(32, x8, x9, x10, x11, x12, x13, x14, x15);
	state[12] += 8;
}

void
chacha20_xor_avx2(uint32_t state[16], uint8_t *out, const uint8_t *in, size_t n)
{
	for (; n >= 8 * CHACHA20_BLOCK; n -= 8 * CHACHA20_BLOCK) {
		eight_blocks(state, out, in);
		in += 8 * CHACHA20_BLOCK;
		out += 8 * CHACHA20_BLOCK;
	}
	chacha20_xor4(state, out, in, n);
}

#undef ADD
#undef XOR
#undef ROTATE16
#undef ROTATE12
#undef ROTATE8
#undef ROTATE7
#define ADD(a, b)	_mm512_add_epi32(a, b)
#define XOR(a, b)	_mm512_xor_si512(a, b)
#define ROTATE16(v)	_mm512_rol_epi32(v, 16)
#define ROTATE12(v)	_mm512_rol_epi32(v, 12)
#define ROTATE8(v)	_mm512_rol_epi32(v, 8)
#define ROTATE7(v)	_mm512_rol_epi32(v, 7)

AVX512 static inline void
put16(uint8_t *out, const uint8_t *in, __m512i v)
{
	_mm512_storeu_si512(out, _mm512_xor_si512(v, _mm512_loadu_si512(in)));
}

/*
 * a to d hold words 0-3, 4-7, 8-11 and 12-15 of four blocks, one block in each
 * lane of 128 bits: block 0, 4, 8, 12 from out on.
 */
AVX512 static inline void
put_lanes(uint8_t *out, const uint8_t *in, const __m512i v[4])
{
	__m512i a = _mm512_shuffle_i32x4(v[0], v[1], 0x44);
	__m512i b = _mm512_shuffle_i32x4(v[0], v[1], 0xee);
	__m512i c = _mm512_shuffle_i32x4(v[2], v[3], 0x44);
	__m512i d = _mm512_shuffle_i32x4(v[2], v[3], 0xee);

	put16(out, in, _mm512_shuffle_i32x4(a, c, 0x88));
	put16(out + 256, in + 256, _mm512_shuffle_i32x4(a, c, 0xdd));
	put16(out + 512, in + 512, _mm512_shuffle_i32x4(b, d, 0x88));
	put16(out + 768, in + 768, _mm512_shuffle_i32x4(b, d, 0xdd));
}

/* Four words of blocks i, i + 4, i + 8, i + 12 to v[i]. */
AVX512 static inline void
transpose(__m512i v[4], __m512i a, __m512i b, __m512i c, __m512i d)
{
	__m512i ab = _mm512_unpacklo_epi32(a, b);
	__m512i cd = _mm512_unpacklo_epi32(c, d);

	v[0] = _mm512_unpacklo_epi64(ab, cd);
	v[1] = _mm512_unpackhi_epi64(ab, cd);
	ab = _mm512_unpackhi_epi32(a, b);
	cd = _mm512_unpackhi_epi32(c, d);
	v[2] = _mm512_unpacklo_epi64(ab, cd);
	v[3] = _mm512_unpackhi_epi64(ab, cd);
}

AVX512 static void
sixteen_blocks(uint32_t state[16], uint8_t *out, const uint8_t *in)
{
	const __m512i counter = _mm512_add_epi32(
	    _mm512_set1_epi32((int)state[12]), _mm512_set_epi32(15, 14, 13, 12,
	    11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
#define START(i)	__m512i x##i = _mm512_set1_epi32((int)state[i]);
	WITHOUT_COUNTER(START)
#undef START
	__m512i x12 = counter, a[4], b[4], c[4], d[4];
	int round;

	CHACHA20_ROUNDS(round);
#define FINISH(i)	x##i = ADD(x##i, _mm512_set1_epi32((int)state[i]));
	WITHOUT_COUNTER(FINISH)
#undef FINISH
	x12 = ADD(x12, counter);
	transpose(a, x0, x1, x2, x3);
	transpose(b, x4, x5, x6, x7);
	transpose(c, x8, x9, x10, x11);
	transpose(d, x12, x13, x14, x15);
	put_lanes(out, in, (__m512i[]){ a[0], b[0], c[0], d[0] });
	put_lanes(out + 64, in + 64, (__m512i[]){ a[1], b[1], c[1], d[1] });
	put_lanes(out + 128, in + 128, (__m512i[]){ a[2], b[2], c[2], d[2] });
	put_lanes(out + 192, in + 192, (__m512i[]){ a[3], b[3], c[3], d[3] });
	state[12] += 16;
}

void
chacha20_xor_avx512(uint32_t state[16], uint8_t *out, const uint8_t *in,
    size_t n)
{
	for (; n >= 16 * CHACHA20_BLOCK; n -= 16 * CHACHA20_BLOCK) {
		sixteen_blocks(state, out, in);
		in += 16 * CHACHA20_BLOCK;
		out += 16 * CHACHA20_BLOCK;
	}
	chacha20_xor_avx2(state, out, in, n);
}
#else
typedef int chacha20_x86_unused;	/* ISO C wants something here */
#endif
