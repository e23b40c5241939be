/*
 * auth: the key that both ends share, the proofs that they have it, and the
 * MAC on every frame.
 *
 * The key K is 32 octets made from the contents of a file, or of memory.  What
 * the two ends say while they greet each other is kept as a hash, the talk; a
 * proof is an HMAC under K of who speaks (the caller or the listener, so that
 * nothing that one said is good as the word of the other) and of the talk so
 * far, that is of every octet that both have said: session, instance, leg,
 * incarnation, options, roles, versions and the nonces of both.  The caller
 * proves himself first, so nobody learns anything of K by calling.
 *
 *	caller		listener	talk
 *	HELLO				nonce of the caller
 *			CHALLENGE	nonce of the listener
 *	PROOF				of HELLO, CHALLENGE
 *			WELCOME		or REFUSE
 *			PROOF		of all four
 *
 * The keys of the leg, one for each direction, are HMACs of the whole talk, so
 * no two connections have the same.  A frame's MAC is SipHash-2-4-128 under its
 * direction's key of the frame's number in that direction, its header and its
 * payload.  Why this one: what is wanted of it is that nobody who lacks the key
 * can say the MAC of anything new, whatever he has seen.  No way to do that
 * better than by chance is known, which is 2^-128 for each try, and each leg
 * allows one try, because a wrong MAC ends it and the next has other keys.  It
 * needs no nonce, so none can be used twice; it has no tables that a cache could
 * betray; and it runs at some 2 GB/s where there are 64-bit registers and
 * nothing else, where HMAC-SHA-256 is several times slower and AES or carry-less
 * multiplication need instructions that not every machine has.  The number
 * begins at 0 with each connection, is not sent, and never wraps: 2^64 frames
 * take longer than anything.
 *
 * Nothing here hides anything: the stream is as readable as before.
 *
 * Any thread may call what takes a struct auth; a talk and a way belong to one
 * thread at a time.  Only auth_load blocks.
 */
#ifndef AUTH_H
#define AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "lock.h"
#include "sha256.h"
#include "siphash.h"

#define AUTH_LEAST	32		/* octets that make a key */
#define AUTH_MOST	(1u << 20)

/* [I] immutable after start, [l] under lock, a leaf. */
struct auth {
	bool given;			/* [I] there is a key: it is asked for */
	struct lock lock;
	bool alive;			/* [l] it has not been wiped yet */
	uint8_t key[SHA256_LENGTH];	/* [l] */
};

/* No key. */
void auth_init(struct auth *a);
/*
 * From a file, or from n octets in memory, which the caller wipes.  0, or -1
 * and a reason in why, which has room for size octets.  Before any thread.
 */
int auth_load(struct auth *a, const char *file, char *why, size_t size);
int auth_take(struct auth *a, const void *octets, size_t n, char *why, size_t size);
/* Wipes the key.  Nobody can prove anything from now on. */
void auth_close(struct auth *a);

enum auth_side { AUTH_CALLER, AUTH_LISTENER };

/* What both have said so far.  It is no secret. */
struct auth_talk {
	struct sha256 said;
};

void auth_talk_init(struct auth_talk *talk);
/* Every greeting, in the order in which they cross the wire. */
void auth_talk_add(struct auth_talk *talk, const uint8_t greeting[FRAME_GREETING]);

/* The proof by that side of the talk so far; false when the key was wiped. */
bool auth_prove(struct auth *a, const struct auth_talk *talk, enum auth_side side,
    uint8_t proof[FRAME_PROOF]);
bool auth_proven(struct auth *a, const struct auth_talk *talk, enum auth_side side,
    const uint8_t proof[FRAME_PROOF]);

/* One direction of a leg. */
struct auth_way {
	uint8_t key[SIPHASH_KEY];
	uint64_t number;		/* of the next frame */
};

/* What that side says, and what it hears, after the whole talk. */
bool auth_ways(struct auth *a, const struct auth_talk *talk, enum auth_side side,
    struct auth_way *says, struct auth_way *hears);
void auth_way_wipe(struct auth_way *way);

/*
 * A frame: begin, the payload in pieces however cut with siphash_add, then
 * siphash_final or auth_frame_good.
 */
void auth_frame_begin(struct auth_way *way, const uint8_t header[FRAME_HEADER],
    struct siphash *mac);
bool auth_frame_good(struct siphash *mac, const uint8_t said[FRAME_MAC]);

#endif
