/*
 * Authenticated encryption with associated data (RFC 5116) under one interface
 * for ChaCha20-Poly1305 (RFC 8439) and AES-256-GCM (NIST SP 800-38D): a
 * 32-byte key, a 12-byte nonce, a 16-byte tag.
 *
 * A key is expanded once, for one level: one implementation of one cipher.
 * Then each message is
 *
 *	aead_start, aead_seal any number of times, aead_tag; or
 *	aead_start, aead_open any number of times, aead_verify;
 *
 * in pieces, however cut: ciphertext is as long as plaintext, and each piece
 * comes out at once.  A message in one piece: aead_seal_all, aead_open_all.
 * out may be in, or be apart from it; anything between is wrong.
 *
 * What aead_open gave must not be used in any way before aead_verify returned
 * true, and must be forgotten when it did not.  aead_open_all checks the tag
 * of the ciphertext while it opens it, and wipes out before it returns false.
 *
 * The caller never uses a nonce twice with one key, and ends a message at
 * AEAD_MAX bytes.  A key is only read once expanded: many threads may use it
 * at once, each for messages of its own.  aead_tag and aead_verify wipe the
 * message's state; who leaves it before must call aead_wipe.  Nothing here
 * allocates, blocks, or takes a time that depends on keys or contents.
 */
#ifndef AEAD_H
#define AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AEAD_KEY	32	/* bytes, as all of these */
#define AEAD_NONCE	12
#define AEAD_TAG	16
#define AEAD_BLOCK	64	/* what levels take multiples of */
#define AEAD_MAX	(UINT64_C(1) << 36)	/* less a block; both ciphers */
#define AESGCM_ROUNDS	14
#define AESGCM_POWERS	32

enum aead_cipher { AEAD_CHACHA20POLY1305, AEAD_AES256GCM };

struct aead_level;

struct aead_key {
	const struct aead_level	*level;
	union {
		uint32_t	chacha[8];
		struct {
			uint8_t	round[AESGCM_ROUNDS + 1][16];
			/* The highest first, so that the last n are H^n to H. */
			uint8_t	power[AESGCM_POWERS][16];
		} aes;
	} of;
};

/* Poly1305's state; which of r and h are used is the implementation's choice. */
struct poly1305 {
	uint64_t	h[5];
	uint64_t	r[6];		/* with limbs of 44 bits: r and r^2 */
	uint8_t		s[16];
	/* The vectors' powers of r, limb by limb; made for the first of them. */
	uint32_t	power[5][16];
	bool		has_powers;
};

struct aead {
	const struct aead_key	*key;
	uint64_t		 ad_bytes;
	uint64_t		 bytes;		/* so far */
	uint8_t			 stream[AEAD_BLOCK];	/* for pieces of a block */
	uint8_t			 block[AEAD_BLOCK];	/* its ciphertext */
	union {
		struct {
			uint32_t	state[16];	/* of the next block */
			struct poly1305	mac;
		} chacha;
		struct {
			uint8_t	nonce[AEAD_NONCE];
			uint32_t counter;	/* of the next block */
			uint8_t	hash[16];
			uint8_t	mask[16];	/* what hides the hash */
		} aes;
	} of;
};

/*
 * One implementation.  seal, open and stream go on with the key stream where
 * the last of them ended; n is a multiple of AEAD_BLOCK.  mac takes multiples
 * of 16 bytes.
 */
struct aead_level {
	enum aead_cipher cipher;
	const char	*name;
	bool		(*usable)(void);	/* on this machine */
	void		(*expand)(struct aead_key *k, const uint8_t key[AEAD_KEY]);
	void		(*start)(struct aead *a, const uint8_t nonce[AEAD_NONCE]);
	void		(*seal)(struct aead *a, uint8_t *out, const uint8_t *in, size_t n);
	void		(*open)(struct aead *a, uint8_t *out, const uint8_t *in, size_t n);
	void		(*stream)(struct aead *a, uint8_t out[AEAD_BLOCK]);
	void		(*mac)(struct aead *a, const uint8_t *p, size_t n);
	/* After all lengths are known: mixes them in. */
	void		(*tag)(struct aead *a, uint8_t tag[AEAD_TAG]);
};

/* A message as a whole; see aead_seal_all. */
struct aead_message {
	const uint8_t	*nonce;		/* AEAD_NONCE */
	const void	*ad;
	size_t		 ad_bytes;
	const void	*in;
	void		*out;
	size_t		 bytes;
};

/* The level must be usable.  Wipe the key with aead_forget. */
void	aead_expand(struct aead_key *k, const struct aead_level *level,
	    const uint8_t key[AEAD_KEY]);
void	aead_forget(struct aead_key *k);

void	aead_start(struct aead *a, const struct aead_key *k,
	    const uint8_t nonce[AEAD_NONCE], const void *ad, size_t ad_bytes);
void	aead_seal(struct aead *a, void *out, const void *in, size_t n);
void	aead_open(struct aead *a, void *out, const void *in, size_t n);
void	aead_tag(struct aead *a, uint8_t tag[AEAD_TAG]);
bool	aead_verify(struct aead *a, const uint8_t tag[AEAD_TAG]);
void	aead_wipe(struct aead *a);

void	aead_seal_all(const struct aead_key *k, const struct aead_message *m,
	    uint8_t tag[AEAD_TAG]);
bool	aead_open_all(const struct aead_key *k, const struct aead_message *m,
	    const uint8_t tag[AEAD_TAG]);

#endif
