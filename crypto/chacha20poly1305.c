/*
 * ChaCha20-Poly1305: the key stream and the MAC of each level side by side, a
 * piece at a time that stays in the nearest cache.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sha256.h"
#include "bytes.h"
#include "chacha20.h"
#include "chacha20poly1305.h"
#include "cpu.h"
#include "poly1305.h"

#define PIECE	4096

typedef void cipher(uint32_t *, uint8_t *, const uint8_t *, size_t);
typedef void mac(struct poly1305 *, const uint8_t *, size_t);

static void
expand(struct aead_key *k, const uint8_t key[AEAD_KEY])
{
	int i;

	for (i = 0; i < 8; i++)
		k->of.chacha[i] = load_le32(key + 4 * i);
}

/* Block 0 of the key stream is the MAC's key. */
static void
start(struct aead *a, const uint8_t nonce[AEAD_NONCE])
{
	uint8_t block[CHACHA20_BLOCK];

	chacha20_init(a->of.chacha.state, a->key->of.chacha, nonce);
	chacha20_block(a->of.chacha.state, block);
	poly1305_init(&a->of.chacha.mac, block);
	sha256_wipe(block, sizeof(block));
}

static void
stream(struct aead *a, uint8_t out[AEAD_BLOCK])
{
	chacha20_block(a->of.chacha.state, out);
}

static void
authenticate(struct aead *a, const uint8_t *p, size_t n)
{
	poly1305_blocks(&a->of.chacha.mac, p, n);
}

static void
tag(struct aead *a, uint8_t out[AEAD_TAG])
{
	uint8_t lengths[16];

	store_le64(lengths, a->ad_bytes);
	store_le64(lengths + 8, a->bytes);
	poly1305_blocks(&a->of.chacha.mac, lengths, sizeof(lengths));
	poly1305_final(&a->of.chacha.mac, out);
}

static inline void
seal_by(struct aead *a, uint8_t *out, const uint8_t *in, size_t n, cipher *xor,
    mac *blocks)
{
	size_t piece;

	for (; n > 0; in += piece, out += piece, n -= piece) {
		piece = n < PIECE ? n : PIECE;
		xor(a->of.chacha.state, out, in, piece);
		blocks(&a->of.chacha.mac, out, piece);
	}
}

static inline void
open_by(struct aead *a, uint8_t *out, const uint8_t *in, size_t n, cipher *xor,
    mac *blocks)
{
	size_t piece;

	for (; n > 0; in += piece, out += piece, n -= piece) {
		piece = n < PIECE ? n : PIECE;
		blocks(&a->of.chacha.mac, in, piece);
		xor(a->of.chacha.state, out, in, piece);
	}
}

#define LEVEL(id, title, condition, xor, blocks)			\
static bool								\
usable_##id(void)							\
{									\
	return condition;						\
}									\
									\
static void								\
seal_##id(struct aead *a, uint8_t *out, const uint8_t *in, size_t n)	\
{									\
	seal_by(a, out, in, n, xor, blocks);				\
}									\
									\
static void								\
open_##id(struct aead *a, uint8_t *out, const uint8_t *in, size_t n)	\
{									\
	open_by(a, out, in, n, xor, blocks);				\
}									\
									\
static const struct aead_level level_##id = {				\
	AEAD_CHACHA20POLY1305, title, usable_##id, expand, start,	\
	seal_##id, open_##id, stream, authenticate, tag			\
}

#if defined(__x86_64__)
LEVEL(avx512, "AVX-512", cpu_has(CPU_AVX512), chacha20_xor_avx512,
    poly1305_blocks_avx512);
LEVEL(avx2, "AVX2", cpu_has(CPU_AVX2), chacha20_xor_avx2,
    poly1305_blocks_avx2);
#endif
#if defined(__SSE2__)
#define WITH_VECTORS	1
LEVEL(vectors, "SSE2", true, chacha20_xor4, poly1305_blocks);
#elif defined(__ARM_NEON)
#define WITH_VECTORS	1
LEVEL(vectors, "NEON", true, chacha20_xor4, poly1305_blocks);
#elif defined(__ALTIVEC__) || defined(__VEC__) || defined(__riscv_vector)
#define WITH_VECTORS	1
LEVEL(vectors, "vectors", true, chacha20_xor4, poly1305_blocks);
#else
#define WITH_VECTORS	0
#endif
LEVEL(plain, "plain C", true, chacha20_xor, poly1305_blocks);

const struct aead_level *const chacha20poly1305_levels[] = {
#if defined(__x86_64__)
	&level_avx512,
	&level_avx2,
#endif
#if WITH_VECTORS
	&level_vectors,
#endif
	&level_plain,
	NULL
};

const struct aead_level *
chacha20poly1305_best(void)
{
	const struct aead_level *const *level = chacha20poly1305_levels;

	while (!(*level)->usable())
		level++;
	return *level;
}
