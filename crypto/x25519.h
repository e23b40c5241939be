/*
 * X25519 (RFC 7748, 5): what two sides agree on from their own secret and the
 * other's public number, 32 bytes each, in a time that depends on none of
 * them.  A secret is any 32 random bytes.  Nothing here fails but as noted,
 * blocks or allocates.
 */
#ifndef X25519_H
#define X25519_H

#include <stdbool.h>
#include <stdint.h>

#define X25519_LENGTH	32

/* The public number of a secret. */
void	x25519_public(uint8_t out[X25519_LENGTH],
	    const uint8_t secret[X25519_LENGTH]);

/*
 * false, and zeros, if the other side's number is one of the few that make the
 * outcome zero whatever the secret (RFC 7748, 6.1): then nothing was agreed on
 * and the exchange must end.
 */
bool	x25519(uint8_t out[X25519_LENGTH], const uint8_t secret[X25519_LENGTH],
	    const uint8_t other[X25519_LENGTH]);

#endif
