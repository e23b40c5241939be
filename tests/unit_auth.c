/*
 * The key, the proofs and the MACs: against vectors that another program made;
 * and nothing that differs in one bit, comes from the other side, out of order
 * or under another key is ever taken for genuine.  What may be a key and what
 * not, with the reason.
 *
 * The vectors come from Python's hmac and hashlib, and from a SipHash in Python
 * that was checked against its authors' first vector for 128 bits:
 *
 *	def H(key, *parts):
 *	    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()
 *	def label(what):
 *	    return b"viamillipede 1 " + what + b"\0"
 *	K = H(label(b"key"), bytes(range(32)))
 *	G = [bytes((g * 64 + i) % 256 for i in range(128)) for g in range(5)]
 *	def talk(n):
 *	    return hashlib.sha256(b"".join(G[:n])).digest()
 *	H(K, label(b"proof of the caller"), talk(2))
 *	H(K, label(b"proof of the listener"), talk(4))
 *	up = H(K, label(b"frames from caller to listener"), talk(5))[:16]
 *	H(K, label(b"frames from listener to caller"), talk(5))[:16]
 *	siphash128(up, n.to_bytes(8, "big") + G[0][:24] + G[1][:37])  # n = 0, 1
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../auth.h"
#include "check.h"

#define TALK	5	/* greetings in all */

static char why[256];

/* A key of the 32 octets from first on. */
static void
key_from(struct auth *a, unsigned first)
{
	uint8_t octets[AUTH_LEAST];
	unsigned i;

	for (i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(first + i);
	auth_init(a);
	CHECK(auth_take(a, octets, sizeof(octets), why, sizeof(why)) == 0);
	CHECK(a->given);
}

static void
greeting(unsigned g, uint8_t out[FRAME_GREETING])
{
	unsigned i;

	for (i = 0; i < FRAME_GREETING; i++)
		out[i] = (uint8_t)(g * 64 + i);
}

/* The first n greetings, of which one may have a bit turned over. */
static void
talk_spoilt(struct auth_talk *talk, unsigned n, unsigned bad, unsigned bit)
{
	uint8_t octets[FRAME_GREETING];
	unsigned g;

	auth_talk_init(talk);
	for (g = 0; g < n; g++) {
		greeting(g, octets);
		if (g == bad)
			octets[bit / 8] ^= (uint8_t)(1u << bit % 8);
		auth_talk_add(talk, octets);
	}
}

static void
talk_of(struct auth_talk *talk, unsigned n)
{
	talk_spoilt(talk, n, TALK, 0);
}

static void
test_vectors(void)
{
	uint8_t proof[FRAME_PROOF], octets[FRAME_GREETING], payload[FRAME_GREETING];
	uint8_t mac[FRAME_MAC];
	struct auth_way up, down;
	struct auth_talk talk;
	struct siphash state;
	struct auth a;

	key_from(&a, 0);
	talk_of(&talk, 2);
	CHECK(auth_prove(&a, &talk, AUTH_CALLER, proof));
	CHECK(check_hex(proof,
	    "2cc74e1166fe8fcd595381733117c61495d0eb48d83fb4562a7ce9c6b9830c67"));
	CHECK(auth_proven(&a, &talk, AUTH_CALLER, proof));
	talk_of(&talk, 4);
	CHECK(auth_prove(&a, &talk, AUTH_LISTENER, proof));
	CHECK(check_hex(proof,
	    "d256115b71700525b608b690367cffe30acc3c4bdb820903ac420685a7f53540"));
	CHECK(auth_proven(&a, &talk, AUTH_LISTENER, proof));
	talk_of(&talk, 5);
	CHECK(auth_ways(&a, &talk, AUTH_CALLER, &up, &down));
	CHECK(check_hex(up.key, "658ab6b5e1bb75a09f840bea64a627bf"));
	CHECK(check_hex(down.key, "7cf4d561e72eb023c45ab7292f6be37a"));
	greeting(0, octets);
	greeting(1, payload);
	auth_frame_begin(&up, octets, &state);
	siphash_add(&state, payload, 37);
	siphash_final(&state, mac);
	CHECK(check_hex(mac, "7510e0853c6e995be718ee11222ea961"));
	auth_frame_begin(&up, octets, &state);
	siphash_add(&state, payload, 20);
	siphash_add(&state, payload + 20, 17);
	siphash_final(&state, mac);
	CHECK(check_hex(mac, "9b2bc9920dcb0ebf7b215bea36eedb64"));
	auth_close(&a);
}

/* What one side says is what the other hears. */
static void
test_ways(void)
{
	struct auth_way says, hears, said, heard;
	struct auth_talk talk;
	struct auth a;

	key_from(&a, 7);
	talk_of(&talk, TALK);
	CHECK(auth_ways(&a, &talk, AUTH_CALLER, &says, &hears));
	CHECK(auth_ways(&a, &talk, AUTH_LISTENER, &said, &heard));
	CHECK(memcmp(says.key, heard.key, SIPHASH_KEY) == 0);
	CHECK(memcmp(hears.key, said.key, SIPHASH_KEY) == 0);
	CHECK(memcmp(says.key, hears.key, SIPHASH_KEY) != 0);
	CHECK(says.number == 0 && hears.number == 0 && said.number == 0 && heard.number == 0);
	auth_way_wipe(&says);
	for (unsigned i = 0; i < SIPHASH_KEY; i++)
		CHECK(says.key[i] == 0);
	auth_close(&a);
}

/* Each bit of each greeting that was said before, and each bit of the proof. */
static void
test_talk(enum auth_side side, unsigned n)
{
	uint8_t proof[FRAME_PROOF], octets[FRAME_GREETING];
	struct auth_way says, hears, right, other;
	struct auth_talk talk, bad;
	struct auth a;
	unsigned g, bit;

	key_from(&a, 1);
	talk_of(&talk, n);
	CHECK(auth_prove(&a, &talk, side, proof));
	CHECK(auth_ways(&a, &talk, side, &right, &other));
	for (g = 0; g < n; g++) {
		for (bit = 0; bit < FRAME_GREETING * 8; bit++) {
			talk_spoilt(&bad, n, g, bit);
			CHECK(!auth_proven(&a, &bad, side, proof));
			CHECK(auth_ways(&a, &bad, side, &says, &hears));
			CHECK(memcmp(says.key, right.key, SIPHASH_KEY) != 0);
			CHECK(memcmp(hears.key, other.key, SIPHASH_KEY) != 0);
		}
	}
	for (bit = 0; bit < FRAME_PROOF * 8; bit++) {
		proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(!auth_proven(&a, &talk, side, proof));
		proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(auth_proven(&a, &talk, side, proof));
	/* Less was said, or more, or in another order. */
	talk_of(&bad, n - 1);
	CHECK(!auth_proven(&a, &bad, side, proof));
	talk_of(&bad, n + 1);
	CHECK(!auth_proven(&a, &bad, side, proof));
	auth_talk_init(&bad);
	for (g = n; g-- > 0;) {
		greeting(g, octets);
		auth_talk_add(&bad, octets);
	}
	CHECK(!auth_proven(&a, &bad, side, proof));
	auth_close(&a);
}

/* A proof is no answer to whoever made it, nor under another key. */
static void
test_sides(void)
{
	uint8_t proof[FRAME_PROOF];
	struct auth a, b, again;
	struct auth_talk talk;

	key_from(&a, 1);
	key_from(&b, 2);
	key_from(&again, 1);
	talk_of(&talk, 2);
	CHECK(auth_prove(&a, &talk, AUTH_CALLER, proof));
	CHECK(!auth_proven(&a, &talk, AUTH_LISTENER, proof));
	CHECK(!auth_proven(&b, &talk, AUTH_CALLER, proof));
	CHECK(auth_proven(&again, &talk, AUTH_CALLER, proof));
	CHECK(auth_prove(&a, &talk, AUTH_LISTENER, proof));
	CHECK(!auth_proven(&a, &talk, AUTH_CALLER, proof));
	auth_close(&a);
	CHECK(!auth_proven(&a, &talk, AUTH_LISTENER, proof));
	CHECK(!auth_prove(&a, &talk, AUTH_LISTENER, proof));
	for (unsigned i = 0; i < sizeof(a.key); i++)
		CHECK(a.key[i] == 0);
	/* Nor does anybody without a key. */
	auth_init(&a);
	CHECK(!a.given && !auth_prove(&a, &talk, AUTH_CALLER, proof));
}

#define PAYLOAD	100

static void
mac_of(struct auth_way *way, const uint8_t *header, const uint8_t *payload, size_t n,
    uint8_t mac[FRAME_MAC])
{
	struct siphash state;

	auth_frame_begin(way, header, &state);
	siphash_add(&state, payload, n);
	siphash_final(&state, mac);
}

/* As the frame of this number, by one who has this key; the way stays as it is. */
static bool
good(struct auth_way way, uint64_t number, const uint8_t *header, const uint8_t *payload,
    size_t n, const uint8_t mac[FRAME_MAC])
{
	struct siphash state;

	way.number = number;
	auth_frame_begin(&way, header, &state);
	siphash_add(&state, payload, n);
	return auth_frame_good(&state, mac);
}

static void
test_frames(void)
{
	uint8_t header[FRAME_HEADER] = { 1, 2, 3 }, payload[PAYLOAD + 1] = { 4, 5, 6 };
	uint8_t mac[FRAME_MAC], second[FRAME_MAC];
	struct auth_way says, hears;
	struct auth_talk talk;
	struct auth a;
	unsigned bit;

	key_from(&a, 3);
	talk_of(&talk, TALK);
	CHECK(auth_ways(&a, &talk, AUTH_CALLER, &says, &hears));
	mac_of(&says, header, payload, PAYLOAD, mac);
	mac_of(&says, header, payload, PAYLOAD, second);
	CHECK(says.number == 2);
	CHECK(good(says, 0, header, payload, PAYLOAD, mac));
	CHECK(good(says, 1, header, payload, PAYLOAD, second));
	/* Again, too early, in the other direction. */
	CHECK(!good(says, 1, header, payload, PAYLOAD, mac));
	CHECK(!good(says, 0, header, payload, PAYLOAD, second));
	CHECK(!good(hears, 0, header, payload, PAYLOAD, mac));
	for (bit = 0; bit < 64; bit++)
		CHECK(!good(says, (uint64_t)1 << bit, header, payload, PAYLOAD, mac));
	for (bit = 0; bit < FRAME_HEADER * 8; bit++) {
		header[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(!good(says, 0, header, payload, PAYLOAD, mac));
		header[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (bit = 0; bit < PAYLOAD * 8; bit++) {
		payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(!good(says, 0, header, payload, PAYLOAD, mac));
		payload[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (bit = 0; bit < FRAME_MAC * 8; bit++) {
		mac[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(!good(says, 0, header, payload, PAYLOAD, mac));
		mac[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(!good(says, 0, header, payload, PAYLOAD - 1, mac));
	CHECK(!good(says, 0, header, payload, PAYLOAD + 1, mac));
	CHECK(good(says, 0, header, payload, PAYLOAD, mac));
	auth_close(&a);
}

/* Files */

static void
put_file(const char *name, size_t n, mode_t mode)
{
	static uint8_t octets[4096];
	FILE *f = fopen(name, "w");
	unsigned i;

	for (i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)i;
	CHECK(f != NULL);
	for (; n > sizeof(octets); n -= sizeof(octets))
		CHECK(fwrite(octets, 1, sizeof(octets), f) == sizeof(octets));
	CHECK(fwrite(octets, 1, n, f) == n);
	CHECK(fclose(f) == 0 && chmod(name, mode) == 0);
}

static void
refused(const char *name, const char *said)
{
	struct auth a;

	auth_init(&a);
	CHECK(auth_load(&a, name, why, sizeof(why)) == -1);
	CHECK(strstr(why, said) != NULL);
	CHECK(!a.given);
}

static void
taken(const char *name)
{
	struct auth a;

	auth_init(&a);
	if (auth_load(&a, name, why, sizeof(why)) == -1) {
		fprintf(stderr, "%s %s\n", name, why);
		CHECK(false);
	}
	CHECK(a.given && a.alive);
	auth_close(&a);
}

static void
test_file(void)
{
	struct auth file, memory;
	unsigned bit;
	char said[16];

	refused("none", strerror(ENOENT));
	put_file("key", AUTH_LEAST, 0600);
	auth_init(&file);
	CHECK(auth_load(&file, "key", why, sizeof(why)) == 0);
	key_from(&memory, 0);
	CHECK(memcmp(file.key, memory.key, sizeof(file.key)) == 0);
	put_file("key", AUTH_LEAST - 1, 0600);
	refused("key", "has 31 octets, which is too short; legal: 32 or more");
	put_file("key", 0, 0600);
	refused("key", "too short");
	put_file("key", AUTH_MOST, 0400);
	taken("key");
	CHECK(unlink("key") == 0);
	put_file("key", AUTH_MOST + 1, 0600);
	refused("key", "too long");
	put_file("key", AUTH_LEAST, 0700);
	taken("key");
	for (bit = 1; bit < 0100; bit <<= 1) {
		CHECK(chmod("key", 0600 | bit) == 0);
		snprintf(said, sizeof(said), "(mode %04o)", 0600 | bit);
		refused("key", "open to its group or to others");
		refused("key", said);
	}
	/* Every octet of it matters, not only the first ones. */
	put_file("key", AUTH_MOST, 0600);
	CHECK(auth_load(&file, "key", why, sizeof(why)) == 0);
	CHECK(truncate("key", AUTH_MOST - 1) == 0);
	CHECK(auth_load(&memory, "key", why, sizeof(why)) == 0);
	CHECK(memcmp(file.key, memory.key, sizeof(file.key)) != 0);
	refused(".", "is a directory");
	refused("/dev/null", "is a device");
}

/* Out of a pipe, in pieces; its mode says nothing. */
static void
test_pipe(void)
{
	uint8_t octets[AUTH_LEAST];
	struct auth a, memory;
	char name[32];
	int fd[2];
	unsigned i;

	for (i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)i;
	CHECK(pipe(fd) == 0);
	snprintf(name, sizeof(name), "/dev/fd/%d", fd[0]);
	CHECK(write(fd[1], octets, 10) == 10 && write(fd[1], octets + 10, 22) == 22);
	CHECK(close(fd[1]) == 0);
	auth_init(&a);
	CHECK(auth_load(&a, name, why, sizeof(why)) == 0);
	key_from(&memory, 0);
	CHECK(memcmp(a.key, memory.key, sizeof(a.key)) == 0);
	CHECK(close(fd[0]) == 0);
}

static void
test_memory(void)
{
	static uint8_t octets[AUTH_MOST + 1];
	struct auth a;

	auth_init(&a);
	CHECK(auth_take(&a, octets, AUTH_LEAST - 1, why, sizeof(why)) == -1 && !a.given);
	CHECK(auth_take(&a, octets, sizeof(octets), why, sizeof(why)) == -1 && !a.given);
	CHECK(auth_take(&a, octets, AUTH_MOST, why, sizeof(why)) == 0 && a.given);
}

int
main(void)
{
	char directory[] = "/tmp/unit_auth.XXXXXX";

	test_vectors();
	test_ways();
	test_talk(AUTH_CALLER, 2);
	test_talk(AUTH_LISTENER, 4);
	test_sides();
	test_frames();
	CHECK(mkdtemp(directory) != NULL && chdir(directory) == 0);
	test_file();
	test_pipe();
	test_memory();
	unlink("key");
	CHECK(rmdir(directory) == 0);
	return check_done();
}
