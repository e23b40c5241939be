/*
 * AES-256-GCM with AES-NI and PCLMULQDQ, and with their wide forms, VAES and
 * VPCLMULQDQ, on vectors of 256 bits and, with AVX-512, of 512.
 */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "aesgcm_part.h"
#include "bytes.h"
#include "cpu.h"

#define AESNI	__attribute__((target("aes,pclmul,ssse3,sse4.1")))
#define VAES2	__attribute__((target("avx2,vaes,vpclmulqdq,aes,pclmul")))
#define VAES4	__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq," \
		    "vaes,vpclmulqdq,aes,pclmul")))

/* All columns alike, so that ShiftRows moves nothing. */
AESNI static uint32_t
subword(uint32_t w)
{
	return (uint32_t)_mm_cvtsi128_si32(_mm_aesenclast_si128(
	    _mm_set1_epi32((int)w), _mm_setzero_si128()));
}

#define REVERSED	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

AESNI static inline __m128i
reverse1(__m128i v)
{
	return _mm_shuffle_epi8(v, _mm_set_epi8(REVERSED));
}

AESNI static inline __m128i
counters1(const uint8_t *nonce, uint32_t counter)
{
	uint8_t block[16];

	memcpy(block, nonce, AEAD_NONCE);
	store_be32(block + AEAD_NONCE, counter);
	return reverse1(_mm_loadu_si128((const __m128i *)(const void *)block));
}

#define NAME(x)		x##_aesni
#define TARGET		AESNI
#define V		__m128i
#define WIDTH		1
#define LOAD(p)		_mm_loadu_si128((const __m128i *)(const void *)(p))
#define STORE(p, v)	_mm_storeu_si128((__m128i *)(void *)(p), v)
#define LOAD1(p)	LOAD(p)
#define STORE1(p, v)	STORE(p, v)
#define ALL(p)		LOAD(p)
#define XOR(a, b)	_mm_xor_si128(a, b)
#define XOR3(a, b, c)	XOR(XOR(a, b), c)
#define REVERSE(v)	reverse1(v)
#define SWAP(v)		_mm_shuffle_epi32(v, 0x4e)
#define LOW(a, b)	_mm_clmulepi64_si128(a, b, 0x00)
#define HIGH(a, b)	_mm_clmulepi64_si128(a, b, 0x11)
#define LOWHIGH(a, b)	_mm_clmulepi64_si128(a, b, 0x01)
#define HIGHLOW(a, b)	_mm_clmulepi64_si128(a, b, 0x10)
#define FIRST(x)	XOR(x, key[0])
#define ROUND(x, i)	_mm_aesenc_si128(x, key[(i) + 1])
#define LAST(x)		_mm_aesenclast_si128(x, key[AESGCM_ROUNDS])
#define COUNTERS(p, c)	counters1(p, c)
#define NEXT(v)		_mm_add_epi32(v, _mm_set_epi32(0, 0, 0, 1))
#define FOLD(v)		(v)

#include "aesgcm_lanes.h"

VAES2 static inline __m256i
all2(const uint8_t *p)
{
	return _mm256_broadcastsi128_si256(
	    _mm_loadu_si128((const __m128i *)(const void *)p));
}

VAES2 static inline __m256i
reverse2(__m256i v)
{
	return _mm256_shuffle_epi8(v,
	    _mm256_broadcastsi128_si256(_mm_set_epi8(REVERSED)));
}

VAES2 static inline __m256i
counters2(const uint8_t *nonce, uint32_t counter)
{
	return _mm256_add_epi32(
	    _mm256_broadcastsi128_si256(counters1(nonce, counter)),
	    _mm256_set_epi32(0, 0, 0, 1, 0, 0, 0, 0));
}

VAES2 static inline __m256i
fold2(__m256i v)
{
	return _mm256_zextsi128_si256(_mm_xor_si128(_mm256_castsi256_si128(v),
	    _mm256_extracti128_si256(v, 1)));
}

#define NAME(x)		x##_vaes2
#define TARGET		VAES2
#define V		__m256i
#define WIDTH		2
#define LOAD(p)		_mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v)	_mm256_storeu_si256((__m256i *)(void *)(p), v)
#define LOAD1(p)	_mm256_zextsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define STORE1(p, v)	_mm_storeu_si128((__m128i *)(void *)(p), _mm256_castsi256_si128(v))
#define ALL(p)		all2(p)
#define XOR(a, b)	_mm256_xor_si256(a, b)
#define XOR3(a, b, c)	XOR(XOR(a, b), c)
#define REVERSE(v)	reverse2(v)
#define SWAP(v)		_mm256_shuffle_epi32(v, 0x4e)
#define LOW(a, b)	_mm256_clmulepi64_epi128(a, b, 0x00)
#define HIGH(a, b)	_mm256_clmulepi64_epi128(a, b, 0x11)
#define LOWHIGH(a, b)	_mm256_clmulepi64_epi128(a, b, 0x01)
#define HIGHLOW(a, b)	_mm256_clmulepi64_epi128(a, b, 0x10)
#define ROUND(x, i)	_mm256_aesenc_epi128(x, key[(i) + 1])
#define LAST(x)		_mm256_aesenclast_epi128(x, key[AESGCM_ROUNDS])
#define COUNTERS(p, c)	counters2(p, c)
#define NEXT(v)		_mm256_add_epi32(v, _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 2))
#define FOLD(v)		fold2(v)

#include "aesgcm_lanes.h"

VAES4 static inline __m512i
all4(const uint8_t *p)
{
	return _mm512_broadcast_i32x4(
	    _mm_loadu_si128((const __m128i *)(const void *)p));
}

VAES4 static inline __m512i
reverse4(__m512i v)
{
	return _mm512_shuffle_epi8(v,
	    _mm512_broadcast_i32x4(_mm_set_epi8(REVERSED)));
}

VAES4 static inline __m512i
counters4(const uint8_t *nonce, uint32_t counter)
{
	return _mm512_add_epi32(_mm512_broadcast_i32x4(counters1(nonce, counter)),
	    _mm512_set_epi32(0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0));
}

VAES4 static inline __m512i
fold4(__m512i v)
{
	__m256i half = _mm256_xor_si256(_mm512_castsi512_si256(v),
	    _mm512_extracti64x4_epi64(v, 1));

	return _mm512_zextsi128_si512(_mm_xor_si128(
	    _mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
}

#define NAME(x)		x##_vaes4
#define TARGET		VAES4
#define V		__m512i
#define WIDTH		4
#define LOAD(p)		_mm512_loadu_si512((const void *)(p))
#define STORE(p, v)	_mm512_storeu_si512((void *)(p), v)
#define LOAD1(p)	_mm512_zextsi128_si512(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define STORE1(p, v)	_mm_storeu_si128((__m128i *)(void *)(p), _mm512_castsi512_si128(v))
#define ALL(p)		all4(p)
#define XOR(a, b)	_mm512_xor_si512(a, b)
#define XOR3(a, b, c)	_mm512_ternarylogic_epi64(a, b, c, 0x96)
#define REVERSE(v)	reverse4(v)
#define SWAP(v)		_mm512_shuffle_epi32(v, (_MM_PERM_ENUM)0x4e)
#define LOW(a, b)	_mm512_clmulepi64_epi128(a, b, 0x00)
#define HIGH(a, b)	_mm512_clmulepi64_epi128(a, b, 0x11)
#define LOWHIGH(a, b)	_mm512_clmulepi64_epi128(a, b, 0x01)
#define HIGHLOW(a, b)	_mm512_clmulepi64_epi128(a, b, 0x10)
#define ROUND(x, i)	_mm512_aesenc_epi128(x, key[(i) + 1])
#define LAST(x)		_mm512_aesenclast_epi128(x, key[AESGCM_ROUNDS])
#define COUNTERS(p, c)	counters4(p, c)
#define NEXT(v)		_mm512_add_epi32(v, \
			    _mm512_set_epi32(0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 4))
#define FOLD(v)		fold4(v)

#include "aesgcm_lanes.h"

static bool
usable_aesni(void)
{
	return cpu_has(CPU_AES);
}

static bool
usable_vaes2(void)
{
	return cpu_has(CPU_VAES);
}

static bool
usable_vaes4(void)
{
	return cpu_has(CPU_VAES | CPU_AVX512);
}

const struct aead_level aesgcm_vaes4 = {
	AEAD_AES256GCM, "VAES-512", usable_vaes4, expand, start, seal_vaes4,
	open_vaes4, stream, authenticate, tag
};

const struct aead_level aesgcm_vaes2 = {
	AEAD_AES256GCM, "VAES-256", usable_vaes2, expand, start, seal_vaes2,
	open_vaes2, stream, authenticate, tag
};

const struct aead_level aesgcm_aesni = {
	AEAD_AES256GCM, "AES-NI", usable_aesni, expand, start, seal_aesni,
	open_aesni, stream, authenticate, tag
};
#else
typedef int aesgcm_x86_unused;	/* ISO C wants something here */
#endif
