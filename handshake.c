/*
 * handshake: two Noise messages around the greetings.  See handshake.h; runs in
 * whichever thread shakes hands.
 */
#include "handshake.h"

#include <string.h>

#include "crypto/aesgcm.h"
#include "crypto/chacha20poly1305.h"
#include "crypto/channel.h"
#include "crypto/secret.h"
#include "crypto/sha256.h"

#define BODY		(FRAME_GREETING - 4)	/* bytes of a greeting before its check */

_Static_assert(FRAME_HELLO_SEALED == BODY + NOISE_OVERHEAD, "sealed HELLO");
_Static_assert(FRAME_ANSWER == FRAME_ANSWER_CLEAR + BODY + NOISE_OVERHEAD, "ANSWER");
_Static_assert(FRAME_TAG == AEAD_TAG && FRAME_HEAD_SEALED == FRAME_HEAD + AEAD_TAG, "tags");

uint32_t
handshake_known(void)
{
	return FEATURES_KNOWN | (aesgcm_best() != NULL ? FEATURE_AES : 0);
}

struct handshake *
handshake_new(void)
{
	return secret_new(sizeof(struct handshake));
}

void
handshake_free(struct handshake *h)
{
	secret_free(h, sizeof(*h));
}

static void
start(struct handshake *h, bool caller, const uint8_t clear[FRAME_CLEAR])
{
	struct noise_setup setup = {
		.level = chacha20poly1305_best(), .initiator = caller, .prologue = clear,
		.prologue_bytes = FRAME_CLEAR, .psk = h->psk, .secret = h->once
	};

	h->known = UINT32_MAX;
	noise_start(&h->noise, &setup);
	sha256_wipe(h->psk, sizeof(h->psk));
	sha256_wipe(h->once, sizeof(h->once));
}

/* A greeting that was said or heard: the features that it does not know are not used. */
static void
note(struct handshake *h, const uint8_t greeting[FRAME_GREETING])
{
	struct hello hello;

	if (hello_decode(&hello, greeting) == NULL)
		h->known &= hello.known;
	else
		h->known = 0;
}

bool
handshake_call(struct handshake *h, const struct hello *hello,
    uint8_t out[FRAME_HELLO_SEALED])
{
	uint8_t greeting[FRAME_GREETING];

	hello_encode(hello, greeting);
	memcpy(out, greeting, FRAME_CLEAR);
	greeting_seal(out);
	start(h, true, out);
	note(h, greeting);
	return noise_write(&h->noise, out + FRAME_CLEAR, greeting + FRAME_CLEAR,
	    BODY - FRAME_CLEAR);
}

bool
handshake_hear(struct handshake *h, const uint8_t in[FRAME_HELLO_SEALED],
    uint8_t greeting[FRAME_GREETING])
{
	if (greeting_kind(in) != GREETING_SEALED)
		return false;
	start(h, false, in);
	if (!noise_read(&h->noise, greeting + FRAME_CLEAR, in + FRAME_CLEAR,
	    FRAME_HELLO_SEALED - FRAME_CLEAR))
		return false;
	memcpy(greeting, in, FRAME_CLEAR);
	greeting_unseal(greeting);
	note(h, greeting);
	return true;
}

bool
handshake_answer(struct handshake *h, const uint8_t greeting[FRAME_GREETING],
    uint8_t out[FRAME_ANSWER])
{
	answer_begin(out);
	note(h, greeting);
	return noise_write(&h->noise, out + FRAME_ANSWER_CLEAR, greeting, BODY);
}

bool
handshake_heard(struct handshake *h, const uint8_t in[FRAME_ANSWER],
    uint8_t greeting[FRAME_GREETING])
{
	if (greeting_kind(in) != GREETING_ANSWER || !noise_read(&h->noise, greeting,
	    in + FRAME_ANSWER_CLEAR, FRAME_ANSWER - FRAME_ANSWER_CLEAR))
		return false;
	greeting_check(greeting);
	note(h, greeting);
	return true;
}

void
handshake_channels(struct handshake *h, struct channel_pair *pair)
{
	const struct aead_level *aes = (h->known & FEATURE_AES) != 0 ? aesgcm_best() : NULL;

	noise_split(&h->noise, aes != NULL ? aes : chacha20poly1305_best(), &pair->send.cipher,
	    &pair->receive.cipher);
	channel_begin(&pair->send);
	channel_begin(&pair->receive);
	sha256_wipe(h, sizeof(*h));
}
