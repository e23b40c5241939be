/*
 * SipHash-2-4 with 128 bits of output (Aumasson and Bernstein): the MAC on
 * what a leg carries, under a 16-byte key that both ends alone know.
 *
 * A message is fed in pieces, however cut (header, then payload): init, add
 * any number of times, final.  Nothing marks where a piece ends: lengths that
 * matter must be part of the message.  final wipes the state, which then has
 * to be initialised again.  A state belongs to one thread at a time, holds no
 * pointers and needs no release; wipe one that never comes to its final.
 * Nothing here fails or blocks.  Compare MACs with sha256_equal.
 */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY	16	/* bytes */
#define SIPHASH_LENGTH	16	/* bytes in a MAC */

struct siphash {
	uint64_t	v[4];
	uint64_t	total;		/* bytes added so far */
	uint64_t	rest;		/* total % 8 wait, lowest first */
};

void	siphash_init(struct siphash *s, const uint8_t key[SIPHASH_KEY]);
void	siphash_add(struct siphash *s, const void *p, size_t n);
void	siphash_final(struct siphash *s, uint8_t out[SIPHASH_LENGTH]);

#endif
