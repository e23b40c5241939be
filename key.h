/*
 * key: the key that both ends share, from a file or from memory.
 *
 * What a handshake needs (the psk, crypto/noise.h) is made of the bytes of the file,
 * and of what tells two transfers with one file apart: the checkphrase and the name.
 * So whoever is between two pairs of ends that use one file for different transfers
 * cannot connect the one's sender with the other's receiver.
 *
 * The psk lies in locked memory (crypto/secret.h); the bytes of the file pass
 * through the stack, which is wiped.  Only key_load blocks.
 */
#ifndef KEY_H
#define KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "crypto/noise.h"
#include "crypto/sha256.h"
#include "sys/lock.h"

#define KEY_MIN		32		/* bytes that make a key */
#define KEY_MAX		(1u << 20)
#define KEY_PHRASE	4

/* [I] immutable after start, [l] under lock, a leaf. */
struct key {
	bool given;			/* [I] there is a key: it is asked for */
	char phrase[KEY_PHRASE];	/* [I] */
	const char *name;		/* [I] of the transfer, below 256 bytes; lives as long */
	struct lock lock;
	uint8_t *psk;			/* [l] NOISE_KEY bytes; NULL: none, or wiped */
};

/* No key yet. */
void key_init(struct key *k, const char phrase[KEY_PHRASE], const char *name);
/*
 * From a file, or from n bytes in memory, which the caller wipes.  0, or -1
 * and a reason in why, which has room for size bytes.  Before any thread.
 */
int key_load(struct key *k, const char *file, char *why, size_t size);
int key_take(struct key *k, const void *bytes, size_t n, char *why, size_t size);
/* Writes a new key as a line of text, with 32 random bytes in it; 0, or -1 with errno. */
int key_print(FILE *f);
/* A copy, which the caller wipes.  false: there is none, or none any more. */
bool key_psk(struct key *k, uint8_t psk[NOISE_KEY]);
/* Wipes it.  Nobody can shake hands from now on. */
void key_close(struct key *k);

#endif
