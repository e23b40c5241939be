/*
 * AES-256-GCM, what all levels share: the key schedule (FIPS 197, 5.2), the powers
 * of the hash key, the block of lengths.
 */
#include <stddef.h>
#include <stdint.h>

#include "aesgcm_part.h"
#include "bytes.h"
#include "sha256.h"

#define WORDS	(4 * (AESGCM_ROUNDS + 1))
#define KEY_WORDS	(AEAD_KEY / 4)

void
aesgcm_schedule(struct aead_key *k, const uint8_t key[AEAD_KEY],
    uint32_t (*subword)(uint32_t))
{
	uint32_t w[WORDS], t, constant = 1;
	size_t i;

	for (i = 0; i < KEY_WORDS; i++)
		w[i] = load_le32(key + 4 * i);
	for (; i < WORDS; i++) {
		t = w[i - 1];
		if (i % KEY_WORDS == 0) {
			t = subword(t >> 8 | t << 24) ^ constant;
			constant <<= 1;
		} else if (i % KEY_WORDS == 4)
			t = subword(t);
		w[i] = w[i - KEY_WORDS] ^ t;
	}
	for (i = 0; i < WORDS; i++)
		store_le32(k->of.aes.round[i / 4] + i % 4 * 4, w[i]);
	sha256_wipe(w, sizeof(w));
	sha256_wipe(&t, sizeof(t));
}

/*
 * In reversed order of bits, to divide by x is to shift to the left; what
 * falls out, the 1, comes back as x^127 + x^6 + x + 1.
 */
void
aesgcm_powers(struct aead_key *k,
    void (*multiply)(uint8_t *, const uint8_t *, const uint8_t *))
{
	uint8_t (*power)[16] = k->of.aes.power;
	uint8_t *h = power[AESGCM_POWERS - 1];
	uint64_t low = load_le64(h), high = load_le64(h + 8);
	uint64_t out = ~(high >> 63) + 1;	/* all ones or none */
	int i;

	high = (high << 1 | low >> 63) ^ (out & UINT64_C(0xc200000000000000));
	low = low << 1 ^ (out & 1);
	store_le64(h, low);
	store_le64(h + 8, high);
	for (i = AESGCM_POWERS - 2; i >= 0; i--)
		multiply(power[i], power[i + 1], h);
}

void
aesgcm_lengths(const struct aead *a, uint8_t out[16])
{
	store_be64(out, a->ad_bytes * 8);
	store_be64(out + 8, a->bytes * 8);
}
