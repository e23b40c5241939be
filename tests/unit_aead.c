/*
 * ChaCha20-Poly1305 and AES-256-GCM at every level that this machine has:
 * published vectors, sealed and opened, whole and in pieces; levels against
 * each other on random input of all lengths and alignments; and what a changed
 * bit does anywhere.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "crypto/aead.h"
#include "crypto/aesgcm.h"
#include "crypto/bytes.h"
#include "crypto/chacha20.h"
#include "crypto/chacha20poly1305.h"
#include "crypto/cpu.h"
#include "crypto/poly1305.h"
#include "vectors.h"

#define ROOM	8192
#define MARGIN	128
#define LARGE	(1 << 20)

static const char *program;
static uint64_t random_state;

static void
fill(uint8_t *p, size_t n)
{
	for (; n > 0; p++, n--)
		*p = (uint8_t)check_random(&random_state);
}

static struct aead_message
message(const uint8_t *nonce, const void *ad, size_t ad_bytes)
{
	struct aead_message m = { nonce, ad, ad_bytes, NULL, NULL, 0 };

	return m;
}

/* A piece's length: mostly anything, often near a block, sometimes all. */
static size_t
some(size_t most)
{
	size_t n;

	switch (check_below(&random_state, 4)) {
	case 0:
		n = check_below(&random_state, 70);
		break;
	case 1:
		n = 64 * check_below(&random_state, 40);
		break;
	case 2:
		n = most;
		break;
	default:
		n = check_below(&random_state, most + 1);
		break;
	}
	return n < most ? n : most;
}

static void
seal_in_pieces(const struct aead_key *k, const struct aead_message *m,
    uint8_t *tag)
{
	struct aead a;
	size_t at, cut;

	aead_start(&a, k, m->nonce, m->ad, m->ad_bytes);
	for (at = 0; at < m->bytes; at += cut) {
		cut = some(m->bytes - at);
		aead_seal(&a, (uint8_t *)m->out + at,
		    (const uint8_t *)m->in + at, cut);
	}
	aead_tag(&a, tag);
}

static bool
open_in_pieces(const struct aead_key *k, const struct aead_message *m,
    const uint8_t *tag)
{
	struct aead a;
	size_t at, cut;

	aead_start(&a, k, m->nonce, m->ad, m->ad_bytes);
	for (at = 0; at < m->bytes; at += cut) {
		cut = some(m->bytes - at);
		aead_open(&a, (uint8_t *)m->out + at,
		    (const uint8_t *)m->in + at, cut);
	}
	return aead_verify(&a, tag);
}

/* --- published vectors ----------------------------------------------------- */

struct published {
	uint8_t	key[AEAD_KEY], nonce[AEAD_NONCE], tag[AEAD_TAG];
	uint8_t	ad[ROOM], text[ROOM], sealed[ROOM];
	size_t	ad_bytes, bytes;
	bool	valid;
};

static void
read_case(struct published *v)
{
	CHECK(vectors_bytes("key", v->key, sizeof(v->key)) == AEAD_KEY);
	CHECK(vectors_bytes("nonce", v->nonce, sizeof(v->nonce)) == AEAD_NONCE);
	CHECK(vectors_bytes("tag", v->tag, sizeof(v->tag)) == AEAD_TAG);
	v->ad_bytes = vectors_bytes("ad", v->ad, sizeof(v->ad));
	v->bytes = vectors_bytes("sealed", v->sealed, sizeof(v->sealed));
	v->valid = strcmp(vectors_text("result"), "valid") == 0;
	CHECK(v->valid || strcmp(vectors_text("result"), "invalid") == 0);
	if (v->valid)
		CHECK(vectors_bytes("text", v->text, sizeof(v->text)) ==
		    v->bytes);
}

static void
check_case(const struct aead_level *level, const struct published *v)
{
	static const uint8_t zero[ROOM];
	uint8_t out[ROOM], tag[AEAD_TAG];
	struct aead_message m = message(v->nonce, v->ad, v->ad_bytes);
	struct aead_key k;

	aead_expand(&k, level, v->key);
	m.in = v->sealed;
	m.out = out;
	m.bytes = v->bytes;
	CHECK(open_in_pieces(&k, &m, v->tag) == v->valid);
	CHECK(aead_open_all(&k, &m, v->tag) == v->valid);
	CHECK(memcmp(out, v->valid ? v->text : zero, v->bytes) == 0);
	if (v->valid) {
		m.in = v->text;
		aead_seal_all(&k, &m, tag);
		CHECK(memcmp(out, v->sealed, v->bytes) == 0);
		CHECK(memcmp(tag, v->tag, sizeof(tag)) == 0);
		memset(out, 0, sizeof(out));
		seal_in_pieces(&k, &m, tag);
		CHECK(memcmp(out, v->sealed, v->bytes) == 0);
		CHECK(memcmp(tag, v->tag, sizeof(tag)) == 0);
	}
	aead_forget(&k);
}

static void
test_file(const char *name, const struct aead_level *const *levels)
{
	static struct published v;
	size_t cases = 0, i, valid = 0;

	vectors_open(program, name);
	while (vectors_next()) {
		read_case(&v);
		for (i = 0; levels[i] != NULL; i++)
			if (levels[i]->usable())
				check_case(levels[i], &v);
		cases++;
		valid += v.valid;
	}
	printf("%s: %zu cases, %zu of them valid\n", name, cases, valid);
	CHECK(cases > 0);
}

typedef void cipher(uint32_t *, uint8_t *, const uint8_t *, size_t);
typedef void mac(struct poly1305 *, const uint8_t *, size_t);

/* All blocks that the text needs; in front of it one, so that vectors start anywhere. */
static void
check_chacha20(cipher *xor)
{
	static uint8_t in[ROOM], out[ROOM];
	uint8_t key[AEAD_KEY], nonce[AEAD_NONCE], text[ROOM], sealed[ROOM];
	uint8_t counter[4];
	uint32_t words[8], state[16];
	size_t i, n;

	vectors_open(program, "rfc8439-chacha20.txt");
	while (vectors_next()) {
		CHECK(vectors_bytes("key", key, sizeof(key)) == AEAD_KEY);
		CHECK(vectors_bytes("nonce", nonce, sizeof(nonce)) ==
		    AEAD_NONCE);
		CHECK(vectors_bytes("counter", counter, 4) == 4);
		n = vectors_bytes("text", text, sizeof(text));
		CHECK(vectors_bytes("sealed", sealed, sizeof(sealed)) == n);
		for (i = 0; i < 8; i++)
			words[i] = load_le32(key + 4 * i);
		chacha20_init(state, words, nonce);
		state[12] = counter[3];
		memset(in, 0, sizeof(in));
		memcpy(in, text, n);
		xor(state, out, in, 4096);
		CHECK(memcmp(out, sealed, n) == 0);
		CHECK(state[12] == counter[3] + 4096U / CHACHA20_BLOCK);
	}
}

static void
check_poly1305(mac *blocks)
{
	uint8_t key[POLY1305_KEY], text[ROOM], tag[AEAD_TAG], right[AEAD_TAG];
	struct poly1305 p;
	size_t n;

	vectors_open(program, "rfc8439-poly1305.txt");
	while (vectors_next()) {
		CHECK(vectors_bytes("key", key, sizeof(key)) == POLY1305_KEY);
		CHECK(vectors_bytes("tag", right, sizeof(right)) == AEAD_TAG);
		n = vectors_bytes("text", text, sizeof(text));
		poly1305_init(&p, key);
		blocks(&p, text, n);
		poly1305_final(&p, tag);
		CHECK(memcmp(tag, right, sizeof(tag)) == 0);
	}
}

/*
 * Poly1305 where limbs are fullest: r and blocks of all ones, and values about
 * 2^130 - 5; each function against the plain one, in pieces of all lengths.
 */
static void
check_poly1305_edges(mac *blocks)
{
	static uint8_t text[ROOM];
	uint8_t key[POLY1305_KEY], right[AEAD_TAG], tag[AEAD_TAG];
	struct poly1305 p;
	size_t n, round, piece, i;

	for (round = 0; round < 600; round++) {
		memset(key, 0xff, sizeof(key));
		memset(text, 0xff, sizeof(text));
		if (round % 3 > 0)
			fill(key, sizeof(key));
		for (i = 0; round % 3 > 1 && i < 20; i++)
			text[check_below(&random_state, sizeof(text))] =
			    (uint8_t)check_random(&random_state);
		n = 16 * check_below(&random_state, sizeof(text) / 16);
		poly1305_init(&p, key);
		poly1305_blocks(&p, text, n);
		poly1305_final(&p, right);
		poly1305_init(&p, key);
		for (i = 0; i < n; i += piece) {
			piece = 16 * check_below(&random_state, 64);
			piece = piece < n - i ? piece : n - i;
			blocks(&p, text + i, piece);
		}
		poly1305_final(&p, tag);
		CHECK(memcmp(tag, right, sizeof(tag)) == 0);
	}
}

static void
test_parts(void)
{
	check_chacha20(chacha20_xor);
	check_chacha20(chacha20_xor4);
	check_poly1305(poly1305_blocks);
	check_poly1305_edges(poly1305_blocks);
#if defined(__x86_64__)
	if (cpu_has(CPU_AVX2)) {
		check_chacha20(chacha20_xor_avx2);
		check_poly1305(poly1305_blocks_avx2);
		check_poly1305_edges(poly1305_blocks_avx2);
	}
	if (cpu_has(CPU_AVX512)) {
		check_chacha20(chacha20_xor_avx512);
		check_poly1305(poly1305_blocks_avx512);
		check_poly1305_edges(poly1305_blocks_avx512);
	}
#endif
}

/* --- levels against each other --------------------------------------------- */

static uint8_t plain[LARGE + MARGIN], wanted[LARGE + MARGIN];
static uint8_t got[LARGE + 3 * MARGIN], ad_room[ROOM];

static bool
is_all(const uint8_t *p, uint8_t byte, size_t n)
{
	for (; n > 0; p++, n--)
		if (*p != byte)
			return false;
	return true;
}

/*
 * One message, sealed by the reference level, and by another: apart, in place
 * and in pieces, then opened; nothing but it is written.
 */
static void
compare(const struct aead_key *reference, const struct aead_key *k, size_t n,
    size_t ad_bytes)
{
	uint8_t *out = got + MARGIN + check_below(&random_state, 64);
	const uint8_t *in = plain + check_below(&random_state, 64);
	const uint8_t *ad = ad_room + check_below(&random_state, 64);
	uint8_t nonce[AEAD_NONCE], right[AEAD_TAG], tag[AEAD_TAG];
	struct aead_message m = message(nonce, ad, ad_bytes);

	fill(nonce, sizeof(nonce));
	m.in = in;
	m.out = wanted;
	m.bytes = n;
	aead_seal_all(reference, &m, right);
	memset(out - MARGIN, 0xa5, n + 2 * MARGIN);
	m.out = out;
	aead_seal_all(k, &m, tag);
	CHECK(memcmp(out, wanted, n) == 0);
	CHECK(memcmp(tag, right, sizeof(tag)) == 0);
	m.in = out;
	CHECK(open_in_pieces(k, &m, tag));
	CHECK(memcmp(out, in, n) == 0);
	seal_in_pieces(k, &m, tag);
	CHECK(memcmp(out, wanted, n) == 0);
	CHECK(memcmp(tag, right, sizeof(tag)) == 0);
	CHECK(aead_open_all(k, &m, tag));
	CHECK(memcmp(out, in, n) == 0);
	aead_seal_all(k, &m, tag);
	CHECK(memcmp(out, wanted, n) == 0);
	CHECK(is_all(out - MARGIN, 0xa5, MARGIN));
	CHECK(is_all(out + n, 0xa5, MARGIN));
}

static void
compare_levels(const struct aead_level *reference,
    const struct aead_level *level)
{
	static const size_t edges[] = { 4096, 8192, 16384, 65536, 262144,
	    LARGE - 64 };
	uint8_t key[AEAD_KEY];
	struct aead_key a, b;
	size_t i, n;

	fill(key, sizeof(key));
	aead_expand(&a, reference, key);
	aead_expand(&b, level, key);
	for (n = 0; n <= 4096; n++)
		compare(&a, &b, n, n % 97);
	for (n = 0; n <= 1100; n++)
		compare(&a, &b, check_below(&random_state, 300), n);
	for (i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		for (n = edges[i] - 17; n <= edges[i] + 17; n += 1 + i)
			compare(&a, &b, n, 24);
	printf("%s and %s agree\n", reference->name, level->name);
}

/* Each with the last, which is the plainest. */
static void
test_levels(const struct aead_level *const *levels)
{
	size_t i, last = 0;

	while (levels[last] != NULL)
		last++;
	for (i = 0; i < last; i++)
		if (levels[i]->usable())
			compare_levels(levels[last - 1], levels[i]);
		else
			printf("%s: not on this machine\n", levels[i]->name);
}

/* Any bit of tag, text, associated data or nonce. */
static void
test_changed(const struct aead_level *level)
{
	uint8_t key[AEAD_KEY], nonce[AEAD_NONCE] = { 0 }, tag[AEAD_TAG];
	uint8_t sealed[600], out[600], ad[24] = { 0 };
	struct aead_message m = message(nonce, ad, sizeof(ad));
	struct { uint8_t *p; size_t n; } part[4] = { { tag, sizeof(tag) },
	    { sealed, sizeof(sealed) }, { ad, sizeof(ad) },
	    { nonce, sizeof(nonce) } };
	struct aead_key k;
	size_t bit, i;

	fill(key, sizeof(key));
	fill(nonce, sizeof(nonce));
	fill(ad, sizeof(ad));
	fill(out, sizeof(out));
	aead_expand(&k, level, key);
	m.in = out;
	m.out = sealed;
	m.bytes = sizeof(out);
	aead_seal_all(&k, &m, tag);
	m.in = sealed;
	m.out = out;
	for (i = 0; i < 4; i++)
		for (bit = 0; bit < 8 * part[i].n; bit++) {
			part[i].p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			CHECK(!aead_open_all(&k, &m, tag));
			CHECK(is_all(out, 0, sizeof(out)));
			part[i].p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	CHECK(aead_open_all(&k, &m, tag));
	m.bytes--;
	CHECK(!aead_open_all(&k, &m, tag));
	m.bytes++;
	m.ad_bytes--;
	CHECK(!aead_open_all(&k, &m, tag));
}

/* Nothing of it is left behind. */
static void
test_wiped(const struct aead_level *level)
{
	uint8_t key[AEAD_KEY], nonce[AEAD_NONCE] = { 0 }, tag[AEAD_TAG];
	struct aead_key k;
	struct aead a;

	fill(key, sizeof(key));
	aead_expand(&k, level, key);
	aead_start(&a, &k, nonce, key, sizeof(key));
	aead_seal(&a, plain, plain, 1000);
	aead_tag(&a, tag);
	CHECK(is_all((const uint8_t *)&a, 0, sizeof(a)));
	aead_start(&a, &k, nonce, key, sizeof(key));
	aead_seal(&a, plain, plain, 1000);
	aead_wipe(&a);
	CHECK(is_all((const uint8_t *)&a, 0, sizeof(a)));
	aead_forget(&k);
	CHECK(is_all((const uint8_t *)&k, 0, sizeof(k)));
}

static void
test_cipher(const struct aead_level *const *levels)
{
	size_t i;

	for (i = 0; levels[i] != NULL; i++)
		if (levels[i]->usable()) {
			test_changed(levels[i]);
			test_wiped(levels[i]);
		}
	test_levels(levels);
}

int
main(int argc, char **argv)
{
	program = argv[0];
	random_state = check_seed(argc, argv, 8439);
	fill(plain, sizeof(plain));
	fill(ad_room, sizeof(ad_room));
	test_parts();
	test_file("rfc8439-chacha20poly1305.txt", chacha20poly1305_levels);
	test_file("wycheproof-chacha20poly1305.txt", chacha20poly1305_levels);
	test_cipher(chacha20poly1305_levels);
	if (aesgcm_best() == NULL) {
		printf("no AES instructions here: that part skipped\n");
		return check_done();
	}
	test_file("nist-aesgcm.txt", aesgcm_levels);
	test_file("wycheproof-aesgcm.txt", aesgcm_levels);
	test_cipher(aesgcm_levels);
	return check_done();
}
