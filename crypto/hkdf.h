/*
 * HKDF with SHA-256 (RFC 5869): keys from a secret.  extract makes one even
 * key of whatever the secret looks like; expand makes as much as is wanted of
 * that, apart for each info.  Any of salt and info may be empty.  Nothing here
 * fails, blocks or allocates; the caller wipes what he gets.
 */
#ifndef HKDF_H
#define HKDF_H

#include <stddef.h>
#include <stdint.h>

#define HKDF_LENGTH	32
#define HKDF_MAX	(255 * HKDF_LENGTH)	/* bytes from one expand */

void	hkdf_extract(uint8_t key[HKDF_LENGTH], const void *salt, size_t salt_bytes,
	    const void *secret, size_t secret_bytes);
void	hkdf_expand(void *out, size_t n, const uint8_t key[HKDF_LENGTH],
	    const void *info, size_t info_bytes);

#endif
