/*
 * Poly1305 (RFC 8439, 2.5) on whole blocks of 16 bytes, which is all that its
 * use with ChaCha20 needs.  init, blocks any number of times and by any of the
 * functions in turn, final.  n is a multiple of 16.  The state holds secrets:
 * final wipes it.
 */
#ifndef POLY1305_H
#define POLY1305_H

#include <stddef.h>
#include <stdint.h>

#include "aead.h"

#define POLY1305_KEY	32
#define POLY1305_BLOCK	16

void	poly1305_init(struct poly1305 *p, const uint8_t key[POLY1305_KEY]);
void	poly1305_blocks(struct poly1305 *p, const uint8_t *m, size_t n);
void	poly1305_final(struct poly1305 *p, uint8_t tag[AEAD_TAG]);

/* On processors that have them (cpu.h). */
void	poly1305_blocks_avx2(struct poly1305 *p, const uint8_t *m, size_t n);
void	poly1305_blocks_avx512(struct poly1305 *p, const uint8_t *m, size_t n);

/*
 * For them: h, in five limbs of 26 bits each, and back from limbs of less than
 * 2^32; and p->power, which is filled with r^lanes for block 0 to r^1 for the
 * last, block i standing in lane 2i, or 2i - lanes + 1 in the upper half.
 */
void	poly1305_take(struct poly1305 *p, uint64_t limb[5]);
void	poly1305_give(struct poly1305 *p, const uint64_t limb[5]);
void	poly1305_powers(struct poly1305 *p, unsigned int lanes);

#endif
