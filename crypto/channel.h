/*
 * Frames that are encrypted and authenticated, one way of one connection: what
 * comes after a Noise handshake (noise.h).
 *
 * A frame is a head of few bytes, which among other things says how long its body
 * is, and a body, which may be empty.  Head and body are a message each:
 *
 *	channel_seal_head	 ->	channel_open_head
 *	channel_body			channel_body
 *	aead_seal of c->body	 ->	aead_open of c->body
 *	aead_tag of c->body	 ->	aead_verify of c->body
 *
 * with the last three only if there is a body; it may be sealed or opened in
 * pieces.  channel_seal_body is the last three in one, and may be called, after a head
 * of its own, while another frame's body is sealed in pieces.
 *
 * Why the head is a message of its own, and not associated data of the body: the
 * receiver has to use it, to know where the frame ends and whether there is room for
 * it, before the body has come.  So it is known to be genuine first; with one
 * tag for both a forged length or offset would be used before anything says that it is
 * one.  And what a frame is, how long it is and of which stream stays secret, as far as
 * packets do not tell.  The price is one tag for each frame.
 *
 * Why neither has associated data: a message's nonce is its number on this
 * connection in this direction, from 0 on, and is not sent.  A message that is left
 * out, repeated, out of order, or of another connection, has another number or
 * another key than the one that it is opened with.  Whoever sends a frame again, on
 * another connection, seals it again under that connection's key.
 *
 * Both sides make the next key (REKEY) before the head of a frame that would be
 * the CHANNEL_FRAMES'th under this one, or when its frames have had CHANNEL_BYTES.
 * Both count the same frames, so this needs no agreement.
 *
 * A channel holds keys: it lies in memory of channel_pair_new.  It belongs to
 * one thread at a time.  Nothing here blocks.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aead.h"
#include "noise.h"

/* Tests build with less of these, to see that they matter. */
#ifndef CHANNEL_FRAMES
#define CHANNEL_FRAMES	(1u << 24)
#endif
#ifndef CHANNEL_BYTES
#define CHANNEL_BYTES	(UINT64_C(64) << 30)
#endif
#ifndef CHANNEL_FIRST
#define CHANNEL_FIRST	0		/* number of the first message */
#endif

struct channel {
	struct noise_cipher	cipher;
	uint64_t		frames, bytes;	/* under this key */
	struct aead_key		body_key;	/* the next key must not change it */
	struct aead		body;
};

struct channel_pair {
	struct channel		send, receive;
};

/* Zeros in locked memory (secret.h), or NULL with errno. */
struct channel_pair	*channel_pair_new(void);
/* Wipes it, too.  NULL is nothing. */
void	channel_pair_free(struct channel_pair *pair);

/* The cipher is as noise_split made it. */
void	channel_begin(struct channel *c);

/*
 * n bytes become n + AEAD_TAG, and back.  false: the head is not genuine, or there
 * are no numbers left, which takes 2^64 messages; then the channel is over.
 */
bool	channel_seal_head(struct channel *c, uint8_t *out, const void *head, size_t n);
bool	channel_open_head(struct channel *c, void *head, const uint8_t *in, size_t n);

/* The body of n bytes, of the frame whose head was the last.  false: as above. */
bool	channel_body(struct channel *c, uint64_t n);
/* The same, sealed as a whole: n bytes become n + AEAD_TAG. */
bool	channel_seal_body(struct channel *c, uint8_t *out, const void *body, size_t n);

#endif
