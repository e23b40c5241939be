/*
 * HKDF against RFC 5869, and Noise_NNpsk0 with both ciphers at every level
 * against published vectors; then what must not work: any byte changed or
 * missing, other keys and prologues, numbers used up; and REKEY.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "crypto/aesgcm.h"
#include "crypto/bytes.h"
#include "crypto/chacha20poly1305.h"
#include "crypto/hkdf.h"
#include "crypto/noise.h"
#include "vectors.h"

#define ROOM	1024

static const char *program;
static uint64_t random_state;

static void
fill(uint8_t *p, size_t n)
{
	for (; n > 0; p++, n--)
		*p = (uint8_t)check_random(&random_state);
}

static bool
is_zero(const void *p, size_t n)
{
	const uint8_t *s = p;

	for (; n > 0; s++, n--)
		if (*s != 0)
			return false;
	return true;
}

static void
test_hkdf(void)
{
	uint8_t secret[ROOM], salt[ROOM], info[ROOM], right[ROOM], out[ROOM];
	size_t secret_bytes, salt_bytes, info_bytes, n;

	vectors_open(program, "rfc5869.txt");
	while (vectors_next()) {
		secret_bytes = vectors_bytes("secret", secret, ROOM);
		salt_bytes = vectors_bytes("salt", salt, ROOM);
		info_bytes = vectors_bytes("info", info, ROOM);
		hkdf_extract(out, salt, salt_bytes, secret, secret_bytes);
		CHECK(vectors_bytes("middle", right, ROOM) == HKDF_LENGTH);
		CHECK(memcmp(out, right, HKDF_LENGTH) == 0);
		memcpy(salt, right, HKDF_LENGTH);
		n = vectors_bytes("out", right, ROOM);
		hkdf_expand(out, n, salt, info, info_bytes);
		CHECK(memcmp(out, right, n) == 0);
	}
}

/* --- published vectors ------------------------------------------------------ */

/* Two sides, as a vector or chance has them. */
struct pair {
	uint8_t			prologue[64], psk[32], secret[2][32];
	size_t			prologue_bytes;
	struct noise_handshake	side[2];	/* the initiator first */
	struct noise_cipher	send[2], receive[2];
};

static void
start_pair(struct pair *p, const struct aead_level *level)
{
	struct noise_setup s = { level, true, p->prologue, p->prologue_bytes,
	    p->psk, p->secret[0] };

	noise_start(&p->side[0], &s);
	s.initiator = false;
	s.secret = p->secret[1];
	noise_start(&p->side[1], &s);
}

static void
random_pair(struct pair *p, const struct aead_level *level)
{
	p->prologue_bytes = check_below(&random_state, sizeof(p->prologue));
	fill(p->prologue, p->prologue_bytes);
	fill(p->psk, sizeof(p->psk));
	fill(p->secret[0], 32);
	fill(p->secret[1], 32);
	start_pair(p, level);
}

static void
split_pair(struct pair *p, const struct aead_level *level)
{
	uint8_t hash[NOISE_HASH];
	int i;

	memcpy(hash, p->side[0].hash, sizeof(hash));
	CHECK(memcmp(p->side[1].hash, hash, sizeof(hash)) == 0);
	for (i = 0; i < 2; i++) {
		noise_split(&p->side[i], level, &p->send[i], &p->receive[i]);
		CHECK(memcmp(p->side[i].hash, hash, sizeof(hash)) == 0);
		CHECK(is_zero(p->side[i].chain, 32));
		CHECK(is_zero(p->side[i].secret, 32));
		CHECK(is_zero(&p->side[i].cipher, sizeof(p->side[i].cipher)));
	}
}

/* The handshake's nth message, as the vector has it, and back. */
static void
check_handshake(struct pair *p, int nth)
{
	uint8_t payload[ROOM], right[ROOM], out[ROOM];
	size_t n;

	n = vectors_decode(vectors_nth("payload", (size_t)nth), payload, ROOM);
	CHECK(vectors_decode(vectors_nth("message", (size_t)nth), right,
	    ROOM) == n + NOISE_OVERHEAD);
	CHECK(noise_write(&p->side[nth], out, payload, n));
	CHECK(memcmp(out, right, n + NOISE_OVERHEAD) == 0);
	memset(out, 0, sizeof(out));
	CHECK(noise_read(&p->side[1 - nth], out, right, n + NOISE_OVERHEAD));
	CHECK(memcmp(out, payload, n) == 0);
}

static void
check_transport(struct noise_cipher *send, struct noise_cipher *receive,
    const char *payload_text, const char *message_text)
{
	uint8_t payload[ROOM], right[ROOM], out[ROOM], tag[AEAD_TAG];
	struct aead_message m = { NULL, NULL, 0, payload, out, 0 };

	m.bytes = vectors_decode(payload_text, payload, ROOM);
	CHECK(vectors_decode(message_text, right, ROOM) == m.bytes + AEAD_TAG);
	CHECK(noise_seal(send, &m, tag));
	CHECK(memcmp(out, right, m.bytes) == 0);
	CHECK(memcmp(tag, right + m.bytes, sizeof(tag)) == 0);
	m.in = right;
	CHECK(noise_open(receive, &m, right + m.bytes));
	CHECK(memcmp(out, payload, m.bytes) == 0);
}

static void
check_vector(const struct aead_level *level)
{
	struct pair p;
	uint8_t hash[NOISE_HASH];
	size_t i;

	p.prologue_bytes = vectors_bytes("prologue", p.prologue, 64);
	CHECK(vectors_bytes("psk", p.psk, 32) == 32);
	CHECK(vectors_bytes("initiator", p.secret[0], 32) == 32);
	CHECK(vectors_bytes("responder", p.secret[1], 32) == 32);
	CHECK(vectors_bytes("hash", hash, sizeof(hash)) == sizeof(hash));
	start_pair(&p, level);
	check_handshake(&p, 0);
	check_handshake(&p, 1);
	CHECK(memcmp(p.side[0].hash, hash, sizeof(hash)) == 0);
	split_pair(&p, level);
	for (i = 2; vectors_nth("payload", i) != NULL; i++)
		check_transport(&p.send[i % 2], &p.receive[1 - i % 2],
		    vectors_nth("payload", i), vectors_nth("message", i));
	CHECK(i > 4);
}

static void
test_vectors(void)
{
	const struct aead_level *const *level;
	size_t cases = 0;

	vectors_open(program, "noise-cacophony.txt");
	for (; vectors_next(); cases++) {
		level = strstr(vectors_text("name"), "AESGCM") != NULL ?
		    aesgcm_levels : chacha20poly1305_levels;
		for (; *level != NULL; level++)
			if ((*level)->usable())
				check_vector(*level);
	}
	CHECK(cases == 2);
}

/* --- what must not work ------------------------------------------------------ */

/* A handshake with chance payloads; the two messages are kept. */
struct transcript {
	struct pair	p;
	uint8_t		payload[2][100], message[2][100 + NOISE_OVERHEAD];
	size_t		bytes[2];	/* of the payloads */
};

static void
write_next(struct transcript *t, int nth)
{
	t->bytes[nth] = check_below(&random_state, sizeof(t->payload[0]) + 1);
	fill(t->payload[nth], t->bytes[nth]);
	CHECK(noise_write(&t->p.side[nth], t->message[nth], t->payload[nth],
	    t->bytes[nth]));
}

static void
read_next(struct transcript *t, int nth)
{
	uint8_t out[100];

	CHECK(noise_read(&t->p.side[1 - nth], out, t->message[nth],
	    t->bytes[nth] + NOISE_OVERHEAD));
	CHECK(memcmp(out, t->payload[nth], t->bytes[nth]) == 0);
}

/* The reader of the nth message as it is now refuses this; nothing comes out. */
static void
refuses(const struct transcript *t, int nth, const uint8_t *message, size_t n)
{
	struct noise_handshake h = t->p.side[1 - nth];
	uint8_t out[100 + NOISE_OVERHEAD] = { 0 };

	CHECK(!noise_read(&h, out, message, n));
	CHECK(is_zero(out, sizeof(out)));
}

static void
refuses_changes(const struct transcript *t, int nth)
{
	uint8_t changed[100 + NOISE_OVERHEAD + 1] = { 0 };
	size_t n = t->bytes[nth] + NOISE_OVERHEAD, i;

	memcpy(changed, t->message[nth], n);
	for (i = 0; i < 8 * n; i++) {
		changed[i / 8] ^= (uint8_t)(1 << i % 8);
		refuses(t, nth, changed, n);
		changed[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (i = 0; i < n; i++)
		refuses(t, nth, changed, i);
	if (n < 100 + NOISE_OVERHEAD)
		refuses(t, nth, changed, n + 1);
	/* A number that gives zero whatever the secret. */
	memset(changed, 0, NOISE_KEY);
	refuses(t, nth, changed, n);
}

/* From somebody who has the psk: a number that gives zero, and no secret. */
static void
test_zero(const struct aead_level *level)
{
	struct transcript t;
	uint8_t message[NOISE_OVERHEAD];

	random_pair(&t.p, level);
	write_next(&t, 0);
	read_next(&t, 0);
	memset(t.p.side[1].other, 0, NOISE_KEY);
	CHECK(!noise_write(&t.p.side[1], message, NULL, 0));
}

static void
test_changes(const struct aead_level *level)
{
	struct transcript t, old;

	random_pair(&old.p, level);
	write_next(&old, 0);
	read_next(&old, 0);
	write_next(&old, 1);
	random_pair(&t.p, level);
	write_next(&t, 0);
	refuses_changes(&t, 0);
	refuses(&t, 0, old.message[0], old.bytes[0] + NOISE_OVERHEAD);
	read_next(&t, 0);
	write_next(&t, 1);
	refuses_changes(&t, 1);
	refuses(&t, 1, old.message[1], old.bytes[1] + NOISE_OVERHEAD);
	refuses(&t, 1, t.message[0], t.bytes[0] + NOISE_OVERHEAD);
	read_next(&t, 1);
}

/* Another psk, another prologue, our own words sent back to us. */
static void
test_strangers(const struct aead_level *level)
{
	struct transcript t;
	struct noise_handshake initiator;

	random_pair(&t.p, level);
	initiator = t.p.side[0];
	write_next(&t, 0);
	t.p.side[1] = initiator;
	t.p.side[1].initiator = false;
	refuses(&t, 1, t.message[0], t.bytes[0] + NOISE_OVERHEAD);
	t.p.psk[0] ^= 1;
	start_pair(&t.p, level);
	refuses(&t, 0, t.message[0], t.bytes[0] + NOISE_OVERHEAD);
	t.p.psk[0] ^= 1;
	t.p.prologue_bytes++;
	start_pair(&t.p, level);
	refuses(&t, 0, t.message[0], t.bytes[0] + NOISE_OVERHEAD);
	t.p.prologue_bytes--;
	start_pair(&t.p, level);
	read_next(&t, 0);
	/* A handshake that is given up leaves nothing behind. */
	noise_wipe(&t.p.side[0]);
	CHECK(is_zero(&t.p.side[0], sizeof(t.p.side[0])));
}

/* One message each way: sealed at the one side, opened at the other. */
static void
exchange(struct noise_cipher *send, struct noise_cipher *receive, bool fits)
{
	uint8_t text[200], sealed[200], opened[200], tag[AEAD_TAG], ad[24];
	struct aead_message m = { NULL, ad, sizeof(ad), text, sealed, 200 };
	struct aead a;

	fill(text, sizeof(text));
	fill(ad, sizeof(ad));
	CHECK(noise_seal(send, &m, tag));
	CHECK(noise_message(receive, &a, ad, sizeof(ad)));
	aead_open(&a, opened, sealed, 77);
	aead_open(&a, opened + 77, sealed + 77, sizeof(sealed) - 77);
	CHECK(aead_verify(&a, tag) == fits);
	CHECK((memcmp(opened, text, sizeof(text)) == 0) == fits);
}

/* A handshake that comes to its end. */
static void
shake(struct transcript *t, const struct aead_level *level)
{
	int i;

	random_pair(&t->p, level);
	for (i = 0; i < 2; i++) {
		write_next(t, i);
		read_next(t, i);
	}
}

static void
test_transport(const struct aead_level *level, const struct aead_level *after)
{
	struct transcript t;
	struct noise_cipher kept;
	uint8_t key[AEAD_KEY], tag[AEAD_TAG], nonce[AEAD_NONCE] = { 0 };
	struct aead_message m = { nonce, NULL, 0, NULL, key, sizeof(key) };
	struct aead_key expanded;
	int i;

	shake(&t, level);
	split_pair(&t.p, after);
	for (i = 0; i < 10; i++) {
		exchange(&t.p.send[0], &t.p.receive[1], true);
		exchange(&t.p.send[1], &t.p.receive[0], true);
	}
	/* One that was left out, or one direction's in the other. */
	kept = t.p.receive[1];
	kept.nonce++;
	exchange(&t.p.send[0], &kept, false);
	kept = t.p.receive[0];
	exchange(&t.p.send[0], &kept, false);
	/* The number fills all of its 8 bytes. */
	t.p.send[0].nonce = t.p.receive[1].nonce = UINT64_C(0x0102030405060708);
	kept = t.p.send[0];
	exchange(&t.p.send[0], &t.p.receive[1], true);
	if (after->cipher == AEAD_CHACHA20POLY1305)
		store_le64(nonce + 4, kept.nonce);
	else
		store_be64(nonce + 4, kept.nonce);
	memset(key, 0, sizeof(key));
	m.in = key;
	aead_seal_all(&kept.key, &m, tag);
	CHECK(noise_open(&kept, &m, tag));
	/* REKEY, by the paper: what 2^64 - 1 makes of zeros. */
	memset(nonce + 4, 0xff, 8);
	m.nonce = nonce;
	aead_seal_all(&t.p.send[0].key, &m, tag);
	aead_expand(&expanded, after, key);
	noise_rekey(&t.p.send[0]);
	CHECK(memcmp(&expanded.of, &t.p.send[0].key.of, after->cipher ==
	    AEAD_CHACHA20POLY1305 ? sizeof(expanded.of.chacha) :
	    sizeof(expanded.of.aes)) == 0);
	kept = t.p.receive[1];
	noise_rekey(&t.p.receive[1]);
	exchange(&t.p.send[0], &t.p.receive[1], true);
	exchange(&t.p.send[0], &kept, false);
	/* No number is used twice: the last one is REKEY's. */
	t.p.send[1].nonce = t.p.receive[0].nonce = UINT64_MAX - 1;
	exchange(&t.p.send[1], &t.p.receive[0], true);
	CHECK(!noise_seal(&t.p.send[1], &m, tag));
	CHECK(!noise_open(&t.p.receive[0], &m, tag));
	CHECK(!noise_message(&t.p.send[1], &(struct aead){ 0 }, NULL, 0));
	noise_forget(&t.p.send[1]);
	CHECK(is_zero(&t.p.send[1], sizeof(t.p.send[1])));
}

/* The same handshake, but another cipher after it, means other keys. */
static void
test_other_cipher(void)
{
	const struct aead_level *chacha = chacha20poly1305_best();
	const struct aead_level *aes = aesgcm_best();
	struct transcript t;
	struct noise_handshake copy;
	struct noise_cipher send, receive;
	uint8_t key[AEAD_KEY];
	size_t i;

	shake(&t, chacha);
	copy = t.p.side[0];
	noise_split(&copy, chacha, &send, &receive);
	for (i = 0; i < sizeof(key) / 4; i++)
		store_le32(key + 4 * i, send.key.of.chacha[i]);
	noise_split(&t.p.side[0], aes, &send, &receive);
	/* An expanded AES key begins with the key itself. */
	CHECK(memcmp(send.key.of.aes.round, key, sizeof(key)) != 0);
}

static void
test_level(const struct aead_level *level)
{
	int i;

	for (i = 0; i < 5; i++)
		test_changes(level);
	test_zero(level);
	test_strangers(level);
	test_transport(level, level);
}

int
main(int argc, char **argv)
{
	const struct aead_level *chacha = chacha20poly1305_best();
	const struct aead_level *aes = aesgcm_best();

	program = argv[0];
	random_state = check_seed(argc, argv, 34);
	test_hkdf();
	test_vectors();
	test_level(chacha);
	if (aes != NULL) {
		test_level(aes);
		test_transport(chacha, aes);
		test_transport(aes, chacha);
		test_other_cipher();
	} else
		printf("no AES instructions here: that part skipped\n");
	return check_done();
}
