/*
 * The digest of the whole stream: XXH64 with seed 0, after Yann Collet's
 * published specification.  It depends on the bytes alone, not on how the
 * stream was cut into frames or calls, nor on the machine's byte order.
 *
 * Why not CRC-32C once more: a CRC is linear, so an error that the frames'
 * check did not see is a multiple of its polynomial, and no second check by
 * the same polynomial can see it either.  The digest is of another kind and
 * twice as wide; it also sees what no check of single frames can, frames left
 * out, repeated or swapped.  It is no defence against forgery.
 *
 * A struct digest belongs to one thread at a time.  It holds no pointers:
 * it may be copied, and needs no release.  Nothing here fails or blocks.
 */
#ifndef DIGEST_H
#define DIGEST_H

#include <stddef.h>
#include <stdint.h>

struct digest {
	uint64_t	lane[4];
	uint64_t	total;		/* bytes added so far */
	uint8_t		rest[32];	/* the first total % 32 of these wait */
};

void		digest_init(struct digest *d);

/* The next n bytes of the stream; fastest while total is a multiple of 32. */
void		digest_add(struct digest *d, const void *p, size_t n);

/* The digest of all bytes added so far; more may be added afterwards. */
uint64_t	digest_value(const struct digest *d);

#endif
