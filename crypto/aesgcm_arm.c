/*
 * AES-256-GCM with arm64's AES and PMULL instructions (Arm Architecture
 * Reference Manual, C7.2: AESE, AESMC, PMULL).  Assembly for those few,
 * because compilers do not agree on how to be told of them for one function.
 * PMULL is a carry-less product as GHASH needs it; see aesgcm_lanes.h.
 */
#if defined(__aarch64__)
#include <arm_neon.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "aesgcm_part.h"
#include "bytes.h"
#include "cpu.h"

/* Old assemblers know the one name alone, clang's the other. */
#ifdef __clang__
#define CRYPTO	".arch_extension aes\n\t"
#else
#define CRYPTO	".arch_extension crypto\n\t"
#endif

/* AddRoundKey, SubBytes, ShiftRows. */
static inline uint8x16_t
aese(uint8x16_t x, uint8x16_t key)
{
	__asm__(CRYPTO "aese %0.16b, %1.16b" : "+w" (x) : "w" (key));
	return x;
}

/* The same, and MixColumns: processors join the two if they stand together. */
static inline uint8x16_t
aese_mix(uint8x16_t x, uint8x16_t key)
{
	__asm__(CRYPTO "aese %0.16b, %1.16b\n\taesmc %0.16b, %0.16b"
	    : "+w" (x) : "w" (key));
	return x;
}

static inline uint8x16_t
pmull_low(uint8x16_t a, uint8x16_t b)
{
	uint8x16_t v;

	__asm__(CRYPTO "pmull %0.1q, %1.1d, %2.1d" : "=w" (v) :
	    "w" (a), "w" (b));
	return v;
}

static inline uint8x16_t
pmull_high(uint8x16_t a, uint8x16_t b)
{
	uint8x16_t v;

	__asm__(CRYPTO "pmull2 %0.1q, %1.2d, %2.2d" : "=w" (v) :
	    "w" (a), "w" (b));
	return v;
}

static inline uint8x16_t
swap(uint8x16_t v)
{
	return vextq_u8(v, v, 8);
}

/*
 * Vectors in registers are integers in the order of the machine: a load of
 * bytes puts the first of them lowest, on big-endian arm64 too.
 */
static inline uint8x16_t
reverse(uint8x16_t v)
{
	return swap(vrev64q_u8(v));
}

/* All columns alike, so that ShiftRows moves nothing. */
static uint32_t
subword(uint32_t w)
{
	uint8_t block[16];
	int i;

	for (i = 0; i < 4; i++)
		store_le32(block + 4 * i, w);
	vst1q_u8(block, aese(vld1q_u8(block), vdupq_n_u8(0)));
	return load_le32(block);
}

static inline uint8x16_t
counters(const uint8_t *nonce, uint32_t counter)
{
	uint8_t block[16];

	memcpy(block, nonce, AEAD_NONCE);
	store_be32(block + AEAD_NONCE, counter);
	return reverse(vld1q_u8(block));
}

static inline uint8x16_t
next(uint8x16_t v)
{
	static const uint8_t one[16] = { 1 };

	return vreinterpretq_u8_u32(vaddq_u32(vreinterpretq_u32_u8(v),
	    vreinterpretq_u32_u8(vld1q_u8(one))));
}

#define NAME(x)		x##_arm
#define TARGET
#define V		uint8x16_t
#define WIDTH		1
#define LOAD(p)		vld1q_u8(p)
#define STORE(p, v)	vst1q_u8(p, v)
#define LOAD1(p)	LOAD(p)
#define STORE1(p, v)	STORE(p, v)
#define ALL(p)		LOAD(p)
#define XOR(a, b)	veorq_u8(a, b)
#define XOR3(a, b, c)	XOR(XOR(a, b), c)
#define REVERSE(v)	reverse(v)
#define SWAP(v)		swap(v)
#define LOW(a, b)	pmull_low(a, b)
#define HIGH(a, b)	pmull_high(a, b)
#define LOWHIGH(a, b)	pmull_low(a, swap(b))
#define HIGHLOW(a, b)	pmull_high(a, swap(b))
#define FIRST(x)	(x)
#define ROUND(x, i)	aese_mix(x, key[i])
#define LAST(x)		XOR(aese(x, key[AESGCM_ROUNDS - 1]), key[AESGCM_ROUNDS])
#define COUNTERS(p, c)	counters(p, c)
#define NEXT(v)		next(v)
#define FOLD(v)		(v)

#include "aesgcm_lanes.h"

static bool
usable(void)
{
	return cpu_has(CPU_AES);
}

const struct aead_level aesgcm_arm = {
	AEAD_AES256GCM, "AES and PMULL", usable, expand, start, seal_arm,
	open_arm, stream, authenticate, tag
};
#else
typedef int aesgcm_arm_unused;	/* ISO C wants something here */
#endif
