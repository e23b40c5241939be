/*
 * handshake: how the two ends of a connection agree on its keys, if there is a key.
 *
 * Noise_NNpsk0_25519 with ChaChaPoly and SHA-256 (crypto/noise.h) under the psk of
 * key.h.  Pure: state and bytes, no I/O.
 *
 *	caller			listener
 *	handshake_call
 *		HELLO ->	handshake_hear
 *				handshake_answer	or REFUSE
 *	handshake_heard	<- ANSWER
 *	handshake_channels	handshake_channels
 *		CONFIRM ->
 *
 * The prologue is what of HELLO is in clear: magic, version, role, length, session id
 * and route.  So a message of another version, session or role fits no
 * handshake.  Of ANSWER only constants are in clear.
 *
 * HELLO shows that somebody with the key made it, once; it may be sent again by
 * anybody who has seen it.  So it changes nothing at the listener: what it asks for is
 * done when CONFIRM was right, the caller's first frame, under keys that only the
 * one who made this HELLO can have.  ANSWER shows the caller that the listener has the
 * key and that it is here now, so after ANSWER the caller acts.  A REFUSE in ANSWER is
 * the listener's own word; one in clear is anybody's.
 *
 * Each HELLO and ANSWER says whether the speaker's processor has AES instructions
 * (FEATURE_AES).  If both have, the frames are encrypted with AES-256-GCM, otherwise
 * with ChaCha20-Poly1305.  Both words are part of what the frames' keys are made of, so
 * nobody between the two can change the choice.
 *
 * A handshake belongs to one thread at a time, and may be used for another one later.
 */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/noise.h"
#include "frame.h"

struct channel_pair;

struct handshake {
	/* Set before handshake_call or handshake_hear, which wipes them: */
	uint8_t psk[NOISE_KEY];
	uint8_t once[NOISE_KEY];	/* random */
	struct noise_handshake noise;
	uint32_t known;			/* the features that all who spoke know */
};

/* In locked memory (crypto/secret.h), or NULL with errno. */
struct handshake *handshake_new(void);
/* Wipes it, too.  NULL is nothing. */
void handshake_free(struct handshake *h);

/* What of the features this machine knows; for HELLO and WELCOME. */
uint32_t handshake_known(void);

/* false: see noise_write.  After a false the handshake is over. */
bool handshake_call(struct handshake *h, const struct hello *hello,
    uint8_t out[FRAME_HELLO_SEALED]);
/* *greeting is ANSWER's contents, WELCOME or REFUSE, as without a key. */
bool handshake_heard(struct handshake *h, const uint8_t in[FRAME_ANSWER],
    uint8_t greeting[FRAME_GREETING]);

/* *greeting is HELLO as without a key.  false: the caller does not have the key. */
bool handshake_hear(struct handshake *h, const uint8_t in[FRAME_HELLO_SEALED],
    uint8_t greeting[FRAME_GREETING]);
/* greeting: WELCOME or REFUSE. */
bool handshake_answer(struct handshake *h, const uint8_t greeting[FRAME_GREETING],
    uint8_t out[FRAME_ANSWER]);

/* After ANSWER: the keys of the frames.  Wipes the handshake. */
void handshake_channels(struct handshake *h, struct channel_pair *pair);

#endif
