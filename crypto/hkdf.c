/*
 * HKDF, written from RFC 5869, 2.2 and 2.3, over sha256.h's HMAC.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sha256.h"
#include "hkdf.h"

void
hkdf_extract(uint8_t key[HKDF_LENGTH], const void *salt, size_t salt_bytes,
    const void *secret, size_t secret_bytes)
{
	struct sha256_hmac h;

	sha256_hmac_init(&h, salt, salt_bytes);
	sha256_hmac_add(&h, secret, secret_bytes);
	sha256_hmac_final(&h, key);
}

void
hkdf_expand(void *out, size_t n, const uint8_t key[HKDF_LENGTH],
    const void *info, size_t info_bytes)
{
	uint8_t block[HKDF_LENGTH], count = 0, *next = out;
	struct sha256_hmac h;
	size_t part;

	assert(n <= HKDF_MAX);
	for (; n > 0; next += part, n -= part) {
		sha256_hmac_init(&h, key, HKDF_LENGTH);
		if (count > 0)
			sha256_hmac_add(&h, block, sizeof(block));
		sha256_hmac_add(&h, info, info_bytes);
		count++;
		sha256_hmac_add(&h, &count, 1);
		sha256_hmac_final(&h, block);
		part = n < sizeof(block) ? n : sizeof(block);
		memcpy(next, block, part);
	}
	sha256_wipe(block, sizeof(block));
}
