/*
 * Noise_NNpsk0_25519_ChaChaPoly_SHA256 and Noise_NNpsk0_25519_AESGCM_SHA256
 * (The Noise Protocol Framework, revision 34): two sides that know one 32-byte
 * key (psk) agree on fresh ones.  Two messages, each with a payload; then each
 * direction has a cipher of its own.
 *
 *	initiator				responder
 *	noise_start				noise_start
 *	noise_write  -- psk, e, payload ->	noise_read
 *	noise_read   <- e, ee, payload --	noise_write
 *	noise_split				noise_split
 *
 * in this order.  Whoever reads a message that is right knows that the other
 * side has the psk and started with the same prologue; but the first message
 * may be an old one, sent again by anybody.  Only what comes under the keys
 * after the split proves that the other side is there now; those keys are
 * gone with the states that held them, whatever becomes of the psk.  (The
 * first payload is as secret as the psk is and stays.)
 *
 * After a false a handshake is over: noise_wipe.  A handshake, and a cipher,
 * belong to one thread at a time and are wiped by their owner.  Nothing here
 * blocks or allocates.
 */
#ifndef NOISE_H
#define NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aead.h"

#define NOISE_KEY	32	/* psk, and secret */
#define NOISE_HASH	32
#define NOISE_OVERHEAD	48	/* bytes of a message beyond its payload */

/* One direction's key, and the number of its next message. */
struct noise_cipher {
	uint64_t	nonce;
	struct aead_key	key;
};

struct noise_handshake {
	enum { NOISE_START, NOISE_BETWEEN, NOISE_DONE } state;
	bool			initiator;
	uint8_t			chain[NOISE_HASH];	/* ck of the paper */
	uint8_t			hash[NOISE_HASH];	/* h: of all that was said */
	uint8_t			secret[NOISE_KEY];	/* our e */
	uint8_t			other[NOISE_KEY];	/* their e, public */
	struct noise_cipher	cipher;
};

/* Nothing of it is needed after noise_start. */
struct noise_setup {
	const struct aead_level	*level;		/* says which of the two */
	bool			 initiator;
	const void		*prologue;	/* both must have the same */
	size_t			 prologue_bytes;
	const uint8_t		*psk;		/* NOISE_KEY bytes */
	const uint8_t		*secret;	/* NOISE_KEY random bytes, used once */
};

void	noise_start(struct noise_handshake *h, const struct noise_setup *s);

/* n bytes of payload make a message of n + NOISE_OVERHEAD bytes; false: see x25519. */
bool	noise_write(struct noise_handshake *h, uint8_t *message,
	    const void *payload, size_t n);

/*
 * The message's n bytes hold n - NOISE_OVERHEAD of payload, or false: it is too
 * short, or not right, and payload was not written or is wiped.
 */
bool	noise_read(struct noise_handshake *h, void *payload,
	    const uint8_t *message, size_t n);

/*
 * What we send and what we receive under, from message 0 on; h is wiped, but
 * for its hash.  The level may be of the other cipher, if both sides agreed on
 * that in their payloads: then the keys are other ones, too.
 */
void	noise_split(struct noise_handshake *h, const struct aead_level *level,
	    struct noise_cipher *send, struct noise_cipher *receive);
void	noise_wipe(struct noise_handshake *h);

/*
 * Begins the next message of a direction, to be gone on with by aead_seal and
 * aead_tag, or aead_open and aead_verify.  false: there are no numbers left
 * (2^64 - 1 messages; rekey does not give new ones).
 */
bool	noise_message(struct noise_cipher *c, struct aead *a, const void *ad,
	    size_t ad_bytes);

/* The next message as a whole; m's nonce is filled in. */
bool	noise_seal(struct noise_cipher *c, struct aead_message *m,
	    uint8_t tag[AEAD_TAG]);
bool	noise_open(struct noise_cipher *c, struct aead_message *m,
	    const uint8_t tag[AEAD_TAG]);

/* REKEY: the key becomes another one, by which nobody finds the old one. */
void	noise_rekey(struct noise_cipher *c);
void	noise_forget(struct noise_cipher *c);

#endif
