/*
 * Poly1305 with AVX2 (four blocks at a time) and AVX-512 (eight): the vectors
 * take what is a multiple of that and long enough to be worth the powers, the
 * plain code the rest.
 */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "sha256.h"
#include "poly1305.h"

#define WORTH	256	/* bytes */

#define BLOCKS		blocks4
#define TARGET		__attribute__((target("avx2")))
#define LANES		4
#define V		__m256i
#define ADD(a, b)	_mm256_add_epi64(a, b)
#define MUL(a, b)	_mm256_mul_epu32(a, b)
#define AND(a, b)	_mm256_and_si256(a, b)
#define OR(a, b)	_mm256_or_si256(a, b)
#define SHL(a, n)	_mm256_slli_epi64(a, n)
#define SHR(a, n)	_mm256_srli_epi64(a, n)
#define ALL(x)		_mm256_set1_epi64x((long long)(x))
#define LOAD(p)		_mm256_loadu_si256((const __m256i *)(const void *)(p))
#define UNPACK_LOW(a, b)	_mm256_unpacklo_epi64(a, b)
#define UNPACK_HIGH(a, b)	_mm256_unpackhi_epi64(a, b)
#define POWERS(p)	_mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define FIRST(x)	_mm256_set_epi64x(0, 0, 0, (long long)(x))
#define SUM(v)		sum4(v)

TARGET static inline uint64_t
sum4(__m256i v)
{
	__m128i half = _mm_add_epi64(_mm256_castsi256_si128(v),
	    _mm256_extracti128_si256(v, 1));

	return (uint64_t)_mm_cvtsi128_si64(half) +
	    (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(half, half));
}

#include "poly1305_lanes.h"

#undef BLOCKS
#undef TARGET
#undef LANES
#undef V
#undef ADD
#undef MUL
#undef AND
#undef OR
#undef SHL
#undef SHR
#undef ALL
#undef LOAD
#undef UNPACK_LOW
#undef UNPACK_HIGH
#undef POWERS
#undef FIRST
#undef SUM

#define BLOCKS		blocks8
#define TARGET		__attribute__((target("avx512f")))
#define LANES		8
#define V		__m512i
#define ADD(a, b)	_mm512_add_epi64(a, b)
#define MUL(a, b)	_mm512_mul_epu32(a, b)
#define AND(a, b)	_mm512_and_si512(a, b)
#define OR(a, b)	_mm512_or_si512(a, b)
#define SHL(a, n)	_mm512_slli_epi64(a, n)
#define SHR(a, n)	_mm512_srli_epi64(a, n)
#define ALL(x)		_mm512_set1_epi64((long long)(x))
#define LOAD(p)		_mm512_loadu_si512((const void *)(p))
#define UNPACK_LOW(a, b)	_mm512_unpacklo_epi64(a, b)
#define UNPACK_HIGH(a, b)	_mm512_unpackhi_epi64(a, b)
#define POWERS(p)	_mm512_cvtepu32_epi64(_mm256_loadu_si256( \
			    (const __m256i *)(const void *)(p)))
#define FIRST(x)	_mm512_set_epi64(0, 0, 0, 0, 0, 0, 0, (long long)(x))
#define SUM(v)		(uint64_t)_mm512_reduce_add_epi64(v)

#include "poly1305_lanes.h"

void
poly1305_blocks_avx2(struct poly1305 *p, const uint8_t *m, size_t n)
{
	size_t whole = n - n % 64;

	if (n >= WORTH) {
		blocks4(p, m, whole);
		m += whole;
		n -= whole;
	}
	poly1305_blocks(p, m, n);
}

void
poly1305_blocks_avx512(struct poly1305 *p, const uint8_t *m, size_t n)
{
	size_t whole = n - n % 128;

	if (n >= WORTH) {
		blocks8(p, m, whole);
		m += whole;
		n -= whole;
	}
	poly1305_blocks(p, m, n);
}
#else
typedef int poly1305_x86_unused;	/* ISO C wants something here */
#endif
