/*
 * Noise_NNpsk0, written from The Noise Protocol Framework, revision 34 (2018):
 * sections 4 (functions), 5 (processing) and 9 (psk).  Its names in brackets.
 * Runs in whichever thread shakes hands; no shared state.
 */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sha256.h"
#include "bytes.h"
#include "hkdf.h"
#include "noise.h"
#include "secret.h"
#include "x25519.h"

static const char *
suite_name(enum aead_cipher cipher)
{
	return cipher == AEAD_CHACHA20POLY1305 ?
	    "Noise_NNpsk0_25519_ChaChaPoly_SHA256" :
	    "Noise_NNpsk0_25519_AESGCM_SHA256";
}

/* --- one direction --------------------------------------------------------- */

static void
cipher_init(struct noise_cipher *c, const struct aead_level *level,
    const uint8_t key[AEAD_KEY])
{
	c->nonce = 0;
	aead_expand(&c->key, level, key);
}

/* Section 12: 32 zero bits, then the number, each cipher's own way. */
static void
make_nonce(uint8_t out[AEAD_NONCE], const struct aead_level *level, uint64_t n)
{
	memset(out, 0, AEAD_NONCE - 8);
	if (level->cipher == AEAD_CHACHA20POLY1305)
		store_le64(out + AEAD_NONCE - 8, n);
	else
		store_be64(out + AEAD_NONCE - 8, n);
}

/* The last number is that of REKEY. */
static bool
next_nonce(struct noise_cipher *c, uint8_t out[AEAD_NONCE])
{
	if (c->nonce == UINT64_MAX)
		return false;
	make_nonce(out, c->key.level, c->nonce++);
	return true;
}

bool
noise_message(struct noise_cipher *c, struct aead *a, const void *ad,
    size_t ad_bytes)
{
	uint8_t nonce[AEAD_NONCE];

	if (!next_nonce(c, nonce))
		return false;
	aead_start(a, &c->key, nonce, ad, ad_bytes);
	return true;
}

bool
noise_seal(struct noise_cipher *c, struct aead_message *m,
    uint8_t tag[AEAD_TAG])
{
	uint8_t nonce[AEAD_NONCE];

	if (!next_nonce(c, nonce))
		return false;
	m->nonce = nonce;
	aead_seal_all(&c->key, m, tag);
	m->nonce = NULL;
	return true;
}

bool
noise_open(struct noise_cipher *c, struct aead_message *m,
    const uint8_t tag[AEAD_TAG])
{
	uint8_t nonce[AEAD_NONCE];
	bool right;

	if (!next_nonce(c, nonce))
		return false;
	m->nonce = nonce;
	right = aead_open_all(&c->key, m, tag);
	m->nonce = NULL;
	return right;
}

void
noise_rekey(struct noise_cipher *c)
{
	static const uint8_t zeros[AEAD_KEY];
	const struct aead_level *level = c->key.level;
	uint8_t nonce[AEAD_NONCE], key[AEAD_KEY], tag[AEAD_TAG];
	struct aead_message m = { nonce, NULL, 0, zeros, key, sizeof(key) };

	make_nonce(nonce, level, UINT64_MAX);
	aead_seal_all(&c->key, &m, tag);
	aead_forget(&c->key);
	aead_expand(&c->key, level, key);
	sha256_wipe(key, sizeof(key));
	sha256_wipe(tag, sizeof(tag));
}

void
noise_forget(struct noise_cipher *c)
{
	sha256_wipe(c, sizeof(*c));
}

/* --- the handshake --------------------------------------------------------- */

/* [MixHash] */
static void
mix_hash(struct noise_handshake *h, const void *p, size_t n)
{
	struct sha256 s;

	sha256_init(&s);
	sha256_add(&s, h->hash, sizeof(h->hash));
	sha256_add(&s, p, n);
	sha256_final(&s, h->hash);
}

/* [HKDF]: n bytes from the chain and what is added to it. */
static void
derive(struct noise_handshake *h, uint8_t *out, size_t n, const void *p,
    size_t p_bytes)
{
	uint8_t key[HKDF_LENGTH];

	hkdf_extract(key, h->chain, sizeof(h->chain), p, p_bytes);
	hkdf_expand(out, n, key, NULL, 0);
	sha256_wipe(key, sizeof(key));
}

/* [MixKey] */
static void
mix_key(struct noise_handshake *h, const void *p, size_t n)
{
	uint8_t out[NOISE_HASH + AEAD_KEY];

	derive(h, out, sizeof(out), p, n);
	memcpy(h->chain, out, NOISE_HASH);
	cipher_init(&h->cipher, h->cipher.key.level, out + NOISE_HASH);
	sha256_wipe(out, sizeof(out));
}

/* [MixKeyAndHash] */
static void
mix_psk(struct noise_handshake *h, const uint8_t psk[NOISE_KEY])
{
	uint8_t out[2 * NOISE_HASH + AEAD_KEY];

	derive(h, out, sizeof(out), psk, NOISE_KEY);
	memcpy(h->chain, out, NOISE_HASH);
	mix_hash(h, out + NOISE_HASH, NOISE_HASH);
	cipher_init(&h->cipher, h->cipher.key.level, out + 2 * NOISE_HASH);
	sha256_wipe(out, sizeof(out));
}

/* "e" of either side, in whichever message: with a psk it is mixed twice. */
static void
mix_public(struct noise_handshake *h, const uint8_t e[NOISE_KEY])
{
	mix_hash(h, e, NOISE_KEY);
	mix_key(h, e, NOISE_KEY);
}

/* "ee" */
static bool
mix_shared(struct noise_handshake *h)
{
	uint8_t shared[X25519_LENGTH];
	bool agreed = x25519(shared, h->secret, h->other);

	if (agreed)
		mix_key(h, shared, sizeof(shared));
	sha256_wipe(shared, sizeof(shared));
	return agreed;
}

void
noise_start(struct noise_handshake *h, const struct noise_setup *s)
{
	const char *name = suite_name(s->level->cipher);
	struct sha256 sha;

	memset(h, 0, sizeof(*h));
	h->state = NOISE_START;
	h->initiator = s->initiator;
	h->cipher.key.level = s->level;
	memcpy(h->secret, s->secret, sizeof(h->secret));
	if (strlen(name) <= sizeof(h->hash))
		memcpy(h->hash, name, strlen(name));
	else {
		sha256_init(&sha);
		sha256_add(&sha, name, strlen(name));
		sha256_final(&sha, h->hash);
	}
	memcpy(h->chain, h->hash, sizeof(h->chain));
	mix_hash(h, s->prologue, s->prologue_bytes);
	mix_psk(h, s->psk);
}

/* Whether it is this side's turn to write. */
static bool
is_ours(const struct noise_handshake *h)
{
	return h->initiator == (h->state == NOISE_START);
}

static void
advance(struct noise_handshake *h)
{
	h->state = h->state == NOISE_START ? NOISE_BETWEEN : NOISE_DONE;
}

bool
noise_write(struct noise_handshake *h, uint8_t *message, const void *payload,
    size_t n)
{
	uint8_t *sealed = message + NOISE_KEY;
	struct aead_message m = { NULL, h->hash, sizeof(h->hash), payload,
	    sealed, n };

	assert(h->state != NOISE_DONE && is_ours(h));
	x25519_public(message, h->secret);
	SECRET_TOLD(message, NOISE_KEY);
	mix_public(h, message);
	if (h->state == NOISE_BETWEEN && !mix_shared(h))
		return false;
	if (!noise_seal(&h->cipher, &m, sealed + n))
		return false;
	mix_hash(h, sealed, n + AEAD_TAG);
	advance(h);
	return true;
}

bool
noise_read(struct noise_handshake *h, void *payload, const uint8_t *message,
    size_t n)
{
	const uint8_t *sealed = message + NOISE_KEY;
	struct aead_message m = { NULL, h->hash, sizeof(h->hash), sealed,
	    payload, 0 };

	assert(h->state != NOISE_DONE && !is_ours(h));
	if (n < NOISE_OVERHEAD)
		return false;
	m.bytes = n - NOISE_OVERHEAD;
	memcpy(h->other, message, NOISE_KEY);
	mix_public(h, h->other);
	if (h->state == NOISE_BETWEEN && !mix_shared(h))
		return false;
	if (!noise_open(&h->cipher, &m, sealed + m.bytes))
		return false;
	mix_hash(h, sealed, n - NOISE_KEY);
	advance(h);
	return true;
}

void
noise_split(struct noise_handshake *h, const struct aead_level *level,
    struct noise_cipher *send, struct noise_cipher *receive)
{
	const char *other = level->cipher == h->cipher.key.level->cipher ? "" :
	    suite_name(level->cipher);
	uint8_t key[2 * AEAD_KEY], hash[NOISE_HASH];

	assert(h->state == NOISE_DONE);
	derive(h, key, sizeof(key), other, strlen(other));
	cipher_init(h->initiator ? send : receive, level, key);
	cipher_init(h->initiator ? receive : send, level, key + AEAD_KEY);
	sha256_wipe(key, sizeof(key));
	memcpy(hash, h->hash, sizeof(hash));
	noise_wipe(h);
	memcpy(h->hash, hash, sizeof(hash));
}

void
noise_wipe(struct noise_handshake *h)
{
	sha256_wipe(h, sizeof(*h));
}
