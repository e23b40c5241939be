/*
 * What all levels of both ciphers have in common: pieces that do not end where
 * blocks do, padding, and the life of a message.  Runs in whichever thread has
 * the message; no shared state.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sha256.h"
#include "aead.h"
#include "secret.h"

void
aead_expand(struct aead_key *k, const struct aead_level *level,
    const uint8_t key[AEAD_KEY])
{
	k->level = level;
	level->expand(k, key);
}

void
aead_forget(struct aead_key *k)
{
	sha256_wipe(k, sizeof(*k));
}

void
aead_wipe(struct aead *a)
{
	sha256_wipe(a, sizeof(*a));
}

/* Authenticates p and zeros up to a multiple of 16 bytes. */
static void
mac_padded(struct aead *a, const uint8_t *p, size_t n)
{
	uint8_t rest[16] = { 0 };
	size_t whole = n - n % sizeof(rest);

	if (whole > 0)
		a->key->level->mac(a, p, whole);
	if (whole < n) {
		memcpy(rest, p + whole, n - whole);
		a->key->level->mac(a, rest, sizeof(rest));
	}
}

void
aead_start(struct aead *a, const struct aead_key *k,
    const uint8_t nonce[AEAD_NONCE], const void *ad, size_t ad_bytes)
{
	a->key = k;
	a->ad_bytes = ad_bytes;
	a->bytes = 0;
	k->level->start(a, nonce);
	mac_padded(a, ad, ad_bytes);
}

/*
 * The next n bytes of a block of which some went before or will come later;
 * they do not reach beyond its end.
 */
static void
transform_some(struct aead *a, bool seal, uint8_t *out, const uint8_t *in, size_t n)
{
	size_t at = (size_t)(a->bytes % AEAD_BLOCK), i;
	uint8_t before, after;

	if (n == 0)
		return;
	if (at == 0)
		a->key->level->stream(a, a->stream);
	for (i = 0; i < n; i++) {
		before = in[i];
		after = before ^ a->stream[at + i];
		a->block[at + i] = seal ? after : before;
		out[i] = after;
	}
	a->bytes += n;
	if (at + n == AEAD_BLOCK)
		a->key->level->mac(a, a->block, AEAD_BLOCK);
}

static void
transform(struct aead *a, bool seal, uint8_t *out, const uint8_t *in, size_t n)
{
	const struct aead_level *level = a->key->level;
	size_t at = (size_t)(a->bytes % AEAD_BLOCK);
	size_t first = at == 0 ? 0 : AEAD_BLOCK - at, whole;

	if (first > n)
		first = n;
	transform_some(a, seal, out, in, first);
	whole = (n - first) / AEAD_BLOCK * AEAD_BLOCK;
	if (whole > 0) {
		(seal ? level->seal : level->open)(a, out + first, in + first,
		    whole);
		a->bytes += whole;
	}
	first += whole;
	if (first < n)
		transform_some(a, seal, out + first, in + first, n - first);
}

void
aead_seal(struct aead *a, void *out, const void *in, size_t n)
{
	if (n > 0)
		transform(a, true, out, in, n);
}

void
aead_open(struct aead *a, void *out, const void *in, size_t n)
{
	if (n > 0)
		transform(a, false, out, in, n);
}

void
aead_tag(struct aead *a, uint8_t tag[AEAD_TAG])
{
	mac_padded(a, a->block, (size_t)(a->bytes % AEAD_BLOCK));
	a->key->level->tag(a, tag);
	aead_wipe(a);
}

bool
aead_verify(struct aead *a, const uint8_t tag[AEAD_TAG])
{
	uint8_t right[AEAD_TAG];
	bool same;

	aead_tag(a, right);
	same = sha256_equal(right, tag, AEAD_TAG);
	sha256_wipe(right, sizeof(right));
	SECRET_TOLD(&same, sizeof(same));
	return same;
}

void
aead_seal_all(const struct aead_key *k, const struct aead_message *m,
    uint8_t tag[AEAD_TAG])
{
	struct aead a;

	aead_start(&a, k, m->nonce, m->ad, m->ad_bytes);
	aead_seal(&a, m->out, m->in, m->bytes);
	aead_tag(&a, tag);
}

bool
aead_open_all(const struct aead_key *k, const struct aead_message *m,
    const uint8_t tag[AEAD_TAG])
{
	struct aead a;

	aead_start(&a, k, m->nonce, m->ad, m->ad_bytes);
	aead_open(&a, m->out, m->in, m->bytes);
	if (aead_verify(&a, tag))
		return true;
	if (m->bytes > 0)
		sha256_wipe(m->out, m->bytes);
	return false;
}
