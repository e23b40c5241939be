/*
 * See channel.h.  Runs in whichever thread has the connection.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel.h"
#include "secret.h"

struct channel_pair *
channel_pair_new(void)
{
	return secret_new(sizeof(struct channel_pair));
}

void
channel_pair_free(struct channel_pair *pair)
{
	secret_free(pair, sizeof(*pair));
}

void
channel_begin(struct channel *c)
{
	c->cipher.nonce = CHANNEL_FIRST;
	c->frames = c->bytes = 0;
}

/* A frame begins.  Whether its head is genuine does not matter: if not, it is the last. */
static void
count_frame(struct channel *c)
{
	if (c->frames >= CHANNEL_FRAMES || c->bytes >= CHANNEL_BYTES) {
		noise_rekey(&c->cipher);
		c->frames = c->bytes = 0;
	}
	c->frames++;
}

bool
channel_seal_head(struct channel *c, uint8_t *out, const void *head, size_t n)
{
	struct aead_message m = { NULL, NULL, 0, head, out, n };

	count_frame(c);
	return noise_seal(&c->cipher, &m, out + n);
}

bool
channel_open_head(struct channel *c, void *head, const uint8_t *in, size_t n)
{
	struct aead_message m = { NULL, NULL, 0, in, head, n };

	count_frame(c);
	return noise_open(&c->cipher, &m, in + n);
}

bool
channel_body(struct channel *c, uint64_t n)
{
	c->bytes += n;
	if (!noise_message(&c->cipher, &c->body, NULL, 0))
		return false;
	c->body_key = c->cipher.key;
	c->body.key = &c->body_key;
	return true;
}

bool
channel_seal_body(struct channel *c, uint8_t *out, const void *body, size_t n)
{
	struct aead_message m = { NULL, NULL, 0, body, out, n };

	c->bytes += n;
	return noise_seal(&c->cipher, &m, out + n);
}
