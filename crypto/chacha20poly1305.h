/*
 * ChaCha20-Poly1305 (RFC 8439, 2.8), on every machine: the levels of aead.h.
 */
#ifndef CHACHA20POLY1305_H
#define CHACHA20POLY1305_H

#include "aead.h"

/* The best first, NULL after the last, which is usable everywhere. */
extern const struct aead_level *const chacha20poly1305_levels[];

/* The best that is usable here. */
const struct aead_level	*chacha20poly1305_best(void);

#endif
