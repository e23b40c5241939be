/*
 * SipHash-2-4-128 against vectors of the authors' reference (key 00 01 .. 0f,
 * messages 00 01 ..), and against itself over random pieces and alignments.
 */
#include <stdint.h>
#include <string.h>

#include "../siphash.h"
#include "check.h"

#define BUFFER	3000

static uint8_t buffer[BUFFER + 64];
static uint8_t key[SIPHASH_KEY];

static void
mac_of(const void *p, size_t n, uint8_t *out)
{
	static const struct siphash wiped;
	struct siphash s;

	siphash_init(&s, key);
	siphash_add(&s, p, n);
	siphash_final(&s, out);
	CHECK(memcmp(&s, &wiped, sizeof(s)) == 0);
}

static void
test_vectors(void)
{
	static const struct {
		size_t		 n;
		const char	*mac;
	} vectors[] = {
		{ 0, "a3817f04ba25a8e66df67214c7550293" },
		{ 1, "da87c1d86b99af44347659119b22fc45" },
		{ 2, "8177228da4a45dc7fca38bdef60affe4" },
		{ 3, "9c70b60c5267a94e5f33b6b02985ed51" },
		{ 4, "f88164c12d9c8faf7d0f6e7c7bcd5579" },
		{ 5, "1368875980776f8854527a07690e9627" },
		{ 6, "14eeca338b208613485ea0308fd7a15e" },
		{ 7, "a1f1ebbed8dbc153c0b84aa61ff08239" },
		{ 8, "3b62a9ba6258f5610f83e264f31497b4" },
		{ 9, "264499060ad9baabc47f8b02bb6d71ed" },
		{ 10, "00110dc378146956c95447d3f3d0fbba" },
		{ 11, "0151c568386b6677a2b4dc6f81e5dc18" },
		{ 12, "d626b266905ef35882634df68532c125" },
		{ 13, "9869e247e9c08b10d029934fc4b952f7" },
		{ 14, "31fcefac66d7de9c7ec7485fe4494902" },
		{ 15, "5493e99933b0a8117e08ec0f97cfc3d9" },
		{ 16, "6ee2a4ca67b054bbfd3315bf85230577" },
		{ 17, "473d06e8738db89854c066c47ae47740" },
		{ 31, "2939b0183223fafc1723de4f52c43d35" },
		{ 32, "7c3956ca5eeafc3e363e9d556546eb68" },
		{ 33, "77c6077146f01c32b6b69d5f4ea9ffcf" },
		{ 47, "e61c432b720b19d18ec8d84bdc63151b" },
		{ 48, "f7e5aef549f782cf379055a608269b16" },
		{ 63, "5150d1772f50834a503e069a973fbd7c" },
	};
	uint8_t out[SIPHASH_LENGTH];
	size_t i;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		mac_of(buffer, vectors[i].n, out);
		CHECK(check_hex(out, vectors[i].mac));
	}
}

/* A header, then a payload, or any other pieces: the same MAC. */
static void
test_cuts(uint64_t *random)
{
	uint8_t out[SIPHASH_LENGTH], whole[SIPHASH_LENGTH];
	size_t at, cut, most, n;
	struct siphash s;
	int round;

	for (round = 0; round < 3000; round++) {
		n = check_below(random, BUFFER);
		at = check_below(random, 64);
		most = 1 + check_below(random, 40);
		mac_of(buffer + at, n, whole);
		siphash_init(&s, key);
		for (; n > 0; at += cut, n -= cut) {
			cut = check_below(random, most + 1);
			if (cut > n)
				cut = n;
			siphash_add(&s, cut > 0 ? buffer + at : NULL, cut);
		}
		siphash_final(&s, out);
		CHECK(memcmp(out, whole, sizeof(out)) == 0);
	}
}

/* Every bit of the message and of the key, and the length, count. */
static void
test_bits(void)
{
	uint8_t out[SIPHASH_LENGTH], whole[SIPHASH_LENGTH];
	size_t bit;

	mac_of(buffer, 61, whole);
	for (bit = 0; bit < 61 * 8; bit++) {
		buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
		mac_of(buffer, 61, out);
		CHECK(memcmp(out, whole, sizeof(out)) != 0);
		buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (bit = 0; bit < SIPHASH_KEY * 8; bit++) {
		key[bit / 8] ^= (uint8_t)(1 << bit % 8);
		mac_of(buffer, 61, out);
		CHECK(memcmp(out, whole, sizeof(out)) != 0);
		key[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buffer[61] = 0;
	mac_of(buffer, 62, out);
	CHECK(memcmp(out, whole, sizeof(out)) != 0);
}

int
main(int argc, char **argv)
{
	uint64_t random = check_seed(argc, argv, 24128);
	size_t i;

	for (i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	for (i = 0; i < sizeof(buffer); i++)
		buffer[i] = (uint8_t)i;
	test_vectors();
	for (i = 0; i < sizeof(buffer); i++)
		buffer[i] = (uint8_t)check_random(&random);
	test_cuts(&random);
	test_bits();
	return check_done();
}
