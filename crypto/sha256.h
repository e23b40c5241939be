/*
 * SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104) for the handshake and for
 * deriving keys, and the two things that secrets need everywhere: a comparison
 * that takes the same time whatever it finds, and a wipe that stays.
 *
 * Both are fed in pieces, however cut: init, add any number of times, final.
 * final wipes the state, which then has to be initialised again.  A state
 * belongs to one thread at a time, holds no pointers and needs no release; one
 * that never comes to its final must be wiped by its owner.
 * Nothing here fails or blocks.
 */
#ifndef SHA256_H
#define SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SHA256_LENGTH	32	/* bytes in a hash and in an HMAC */
#define SHA256_BLOCK	64	/* bytes */

struct sha256 {
	uint32_t	hash[8];
	uint64_t	total;			/* bytes added so far */
	uint8_t		rest[SHA256_BLOCK];	/* total % 64 of them wait */
};

struct sha256_hmac {
	struct sha256	inner;
	struct sha256	outer;			/* has taken its key block */
};

void	sha256_init(struct sha256 *s);
void	sha256_add(struct sha256 *s, const void *p, size_t n);
void	sha256_final(struct sha256 *s, uint8_t out[SHA256_LENGTH]);

/* The key may have any length and is not needed after the call. */
void	sha256_hmac_init(struct sha256_hmac *h, const void *key, size_t n);
void	sha256_hmac_add(struct sha256_hmac *h, const void *p, size_t n);
void	sha256_hmac_final(struct sha256_hmac *h, uint8_t out[SHA256_LENGTH]);

/* Whether n bytes are the same, in a time that depends on n alone. */
bool	sha256_equal(const void *a, const void *b, size_t n);

/*
 * Zeroes n bytes for good: the empty statement claims to read them, so no
 * compiler may drop the memset as a store that nobody sees.
 */
static inline void
sha256_wipe(void *p, size_t n)
{
	memset(p, 0, n);
	__asm__ __volatile__("" : : "r" (p) : "memory");
}

#endif
