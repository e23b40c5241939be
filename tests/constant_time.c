/*
 * Run under valgrind by tests/long/constant-time.sh: keys, secrets and texts
 * are marked as undefined, and valgrind reports whatever branch or address then
 * depends on them.  What may be known (a message as it is sent, whether a tag
 * was right) is marked as defined again.
 *
 *	constant_time list		what there is, a line each
 *	constant_time NAME		one of them
 *
 * "leak-branch" and "leak-address" are made wrong on purpose, to be reported.
 * Built with -DCONSTANT_TIME_TEST, from crypto's sources.
 */
#include <valgrind/memcheck.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "crypto/aesgcm.h"
#include "crypto/chacha20poly1305.h"
#include "crypto/hkdf.h"
#include "crypto/noise.h"
#include "crypto/secret.h"
#include "crypto/x25519.h"

#define TEXT	3000

#define HIDE(p, n)	(void)VALGRIND_MAKE_MEM_UNDEFINED(p, n)
#define TELL(p, n)	(void)VALGRIND_MAKE_MEM_DEFINED(p, n)

static uint8_t text[TEXT], sealed[TEXT], opened[TEXT];
static uint8_t table[256];
static volatile uint8_t sink;

void
secret_told(const void *p, size_t n)
{
	TELL(p, n);
}

static void
fill(uint8_t *p, size_t n, unsigned int seed)
{
	while (n-- > 0)
		*p++ = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
}

static void
cipher(const struct aead_level *level)
{
	uint8_t key[AEAD_KEY], nonce[AEAD_NONCE] = { 1 }, tag[AEAD_TAG];
	uint8_t ad[24] = { 2 };
	struct aead_message m = { nonce, ad, sizeof(ad), text, sealed, 0 };
	struct aead_key k;

	fill(key, sizeof(key), 1);
	fill(text, sizeof(text), 2);
	HIDE(key, sizeof(key));
	HIDE(text, sizeof(text));
	aead_expand(&k, level, key);
	for (m.bytes = 0; m.bytes < TEXT; m.bytes += 1 + m.bytes / 3) {
		m.in = text;
		m.out = sealed;
		aead_seal_all(&k, &m, tag);
		TELL(sealed, m.bytes);
		TELL(tag, sizeof(tag));
		m.in = sealed;
		m.out = opened;
		if (!aead_open_all(&k, &m, tag))
			printf("not opened\n");
		tag[3] ^= 1;
		if (aead_open_all(&k, &m, tag))
			printf("opened\n");
	}
	aead_forget(&k);
}

static void
exchange(void)
{
	uint8_t secret[32], number[32], out[32];

	fill(secret, sizeof(secret), 3);
	HIDE(secret, sizeof(secret));
	x25519_public(number, secret);
	fill(secret, sizeof(secret), 4);
	HIDE(secret, sizeof(secret));
	if (!x25519(out, secret, number))
		printf("not agreed\n");
}

static void
derivation(void)
{
	uint8_t secret[100], key[HKDF_LENGTH], out[100];

	fill(secret, sizeof(secret), 5);
	HIDE(secret, sizeof(secret));
	hkdf_extract(key, "salt", 4, secret, sizeof(secret));
	hkdf_expand(out, sizeof(out), key, "info", 4);
}

static void
handshake(const struct aead_level *level)
{
	uint8_t psk[NOISE_KEY], secret[2][NOISE_KEY], payload[50], out[50];
	uint8_t message[50 + NOISE_OVERHEAD];
	struct noise_handshake side[2];
	struct noise_cipher send, receive;
	struct noise_setup s = { level, true, "here", 4, psk, NULL };
	int i;

	fill(psk, sizeof(psk), 6);
	fill(secret[0], sizeof(secret), 7);
	fill(payload, sizeof(payload), 8);
	HIDE(psk, sizeof(psk));
	HIDE(secret, sizeof(secret));
	HIDE(payload, sizeof(payload));
	for (i = 0; i < 2; i++) {
		s.initiator = i == 0;
		s.secret = secret[i];
		noise_start(&side[i], &s);
	}
	for (i = 0; i < 2; i++) {
		if (!noise_write(&side[i], message, payload, sizeof(payload)))
			printf("not written\n");
		TELL(message, sizeof(message));
		if (!noise_read(&side[1 - i], out, message, sizeof(message)))
			printf("not read\n");
	}
	noise_split(&side[0], level, &send, &receive);
	noise_rekey(&send);
}

static void
leak_branch(void)
{
	uint8_t secret = 5;

	HIDE(&secret, 1);
	if (secret & 1)
		sink = 1;
}

static void
leak_address(void)
{
	uint8_t secret = 5;

	fill(table, sizeof(table), 9);
	HIDE(&secret, 1);
	sink = table[secret];
}

static bool
is(const char *what, const char *cipher_name, const char *level,
    const char *asked)
{
	char name[100];

	snprintf(name, sizeof(name), "%s %s %s", what, cipher_name, level);
	if (strcmp(asked, "list") == 0)
		printf("%s\n", name);
	return strcmp(name, asked) == 0;
}

static void
levels(const struct aead_level *const *level, const char *name,
    const char *asked)
{
	for (; *level != NULL; level++) {
		if (!(*level)->usable())
			continue;
		if (is("cipher", name, (*level)->name, asked))
			cipher(*level);
		if (is("handshake", name, (*level)->name, asked))
			handshake(*level);
	}
}

int
main(int argc, char **argv)
{
	static const struct {
		const char	*name;
		void		(*run)(void);
	} others[] = { { "x25519", exchange }, { "hkdf", derivation },
	    { "leak-branch", leak_branch }, { "leak-address", leak_address } };
	const char *asked = argc > 1 ? argv[1] : "list";
	size_t i;

	levels(chacha20poly1305_levels, "ChaCha20-Poly1305", asked);
	levels(aesgcm_levels, "AES-256-GCM", asked);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(asked, "list") == 0)
			printf("%s\n", others[i].name);
		if (strcmp(asked, others[i].name) == 0)
			others[i].run();
	}
	return 0;
}
