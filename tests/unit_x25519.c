/*
 * X25519 against RFC 7748, 5.2, and Wycheproof's cases, which are the strange
 * ones: numbers of small order and above p.  With the argument "million" also
 * the RFC's million iterations, which take a minute or two.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "crypto/x25519.h"
#include "vectors.h"

static const struct {
	const char	*secret, *other, *out;
} given[] = {
	{ "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
	    "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
	    "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552" },
	{ "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
	    "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
	    "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957" }
};

static void
test_given(void)
{
	uint8_t secret[32], other[32], out[32];
	size_t i;

	for (i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		CHECK(vectors_decode(given[i].secret, secret, 32) == 32);
		CHECK(vectors_decode(given[i].other, other, 32) == 32);
		CHECK(x25519(out, secret, other));
		CHECK(check_hex(out, given[i].out));
	}
}

/* RFC 7748, 5.2: the secret becomes the next number, the outcome the secret. */
static void
test_iterations(bool million)
{
	uint8_t k[32] = { 9 }, u[32] = { 9 }, out[32];
	unsigned long i, times = million ? 1000000 : 1000;

	for (i = 1; i <= times; i++) {
		CHECK(x25519(out, k, u));
		memcpy(u, k, sizeof(u));
		memcpy(k, out, sizeof(k));
		if (i == 1)
			CHECK(check_hex(k, "422c8e7a6227d7bca1350b3e2bb7279f"
			    "7897b87bb6854b783c60e80311ae3079"));
		if (i == 1000)
			CHECK(check_hex(k, "684cf59ba83309552800ef566f2f4d3c"
			    "1c3887c49360e3875f2eb94d99532c51"));
	}
	if (million)
		CHECK(check_hex(k, "7c3911e0ab2586fd864497297e575e6f"
		    "3bc601c0883c30df5f4dd2d24f665424"));
}

static void
test_wycheproof(const char *program)
{
	static const uint8_t zero[32];
	uint8_t secret[32], other[32], shared[32], out[32];
	size_t cases = 0, refused = 0;
	bool agreed;

	vectors_open(program, "wycheproof-x25519.txt");
	while (vectors_next()) {
		CHECK(vectors_bytes("private", secret, 32) == 32);
		CHECK(vectors_bytes("public", other, 32) == 32);
		CHECK(vectors_bytes("shared", shared, 32) == 32);
		agreed = x25519(out, secret, other);
		CHECK(memcmp(out, shared, 32) == 0);
		CHECK(agreed == (memcmp(shared, zero, 32) != 0));
		/* What they call acceptable is left to the user; this is not. */
		CHECK(agreed || strcmp(vectors_text("result"), "valid") != 0);
		cases++;
		refused += !agreed;
	}
	printf("wycheproof: %zu cases, %zu of them refused\n", cases, refused);
	CHECK(cases > 500 && refused > 0);
}

static void
test_agreement(uint64_t *random)
{
	uint8_t a[32], b[32], a_public[32], b_public[32], one[32], other[32];
	int i, round;

	for (round = 0; round < 100; round++) {
		for (i = 0; i < 32; i++) {
			a[i] = (uint8_t)check_random(random);
			b[i] = (uint8_t)check_random(random);
		}
		x25519_public(a_public, a);
		x25519_public(b_public, b);
		CHECK(x25519(one, a, b_public));
		CHECK(x25519(other, b, a_public));
		CHECK(memcmp(one, other, 32) == 0);
	}
}

int
main(int argc, char **argv)
{
	bool million = argc > 1 && strcmp(argv[1], "million") == 0;
	uint64_t random = check_seed(million ? 1 : argc, argv, 7748);

	test_given();
	test_iterations(million);
	test_wycheproof(argv[0]);
	test_agreement(&random);
	return check_done();
}
