/*
 * Between the files of AES-256-GCM, for nobody else: what aesgcm_part.c does for the
 * level of each processor, and these levels.
 *
 * Words of the key schedule are 32-bit integers, the first byte lowest.
 */
#ifndef AESGCM_PART_H
#define AESGCM_PART_H

#include <stdint.h>

#include "aead.h"

/* FIPS 197, 5.2: expands the key, given SubWord. */
void	aesgcm_schedule(struct aead_key *k, const uint8_t key[AEAD_KEY],
	    uint32_t (*subword)(uint32_t));

/*
 * After k's hash key H was put into the last of its powers, byte-reversed:
 * divides it by x (see aesgcm_lanes.h) and makes the other powers.
 */
void	aesgcm_powers(struct aead_key *k,
	    void (*multiply)(uint8_t *, const uint8_t *, const uint8_t *));

/* Puts the lengths of SP 800-38D, 7.1, step 5. */
void	aesgcm_lengths(const struct aead *a, uint8_t out[16]);

#if defined(__x86_64__)
extern const struct aead_level aesgcm_vaes4;
extern const struct aead_level aesgcm_vaes2;
extern const struct aead_level aesgcm_aesni;
#elif defined(__aarch64__)
extern const struct aead_level aesgcm_arm;
#endif

#endif
