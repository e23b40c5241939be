/*
 * The stream's digest against published XXH64 values: short texts, and the
 * byte sequence of the reference's own self-test at lengths around each step
 * (those that it does not list were made with xxhsum 0.8.1).  Then against
 * itself over random cuts and alignments.
 */
#include <stdint.h>
#include <string.h>

#include "../crypto/digest.h"
#include "check.h"

#define BUFFER	100000

static uint8_t buffer[BUFFER + 64];

static uint64_t
digest_of(const void *p, size_t n)
{
	struct digest d;

	digest_init(&d);
	digest_add(&d, p, n);
	return digest_value(&d);
}

static void
test_texts(void)
{
	static const struct {
		const char	*text;
		uint64_t	 value;
	} vectors[] = {
		{ "", UINT64_C(0xef46db3751d8e999) },
		{ "a", UINT64_C(0xd24ec4f1a98c6e5b) },
		{ "as", UINT64_C(0x1c330fb2d66be179) },
		{ "asd", UINT64_C(0x631c37ce72a97393) },
		{ "asdf", UINT64_C(0x415872f599cea71e) },
		{ "abc", UINT64_C(0x44bc2cf5ad770999) },
		{ "Nobody inspects the spammish repetition",
		    UINT64_C(0xfbcea83c8a378bf1) },
		{ "Call me Ishmael. Some years ago--never mind how long "
		    "precisely-", UINT64_C(0x02a2e85470d6fd96) },
	};
	size_t i;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		CHECK(digest_of(vectors[i].text, strlen(vectors[i].text)) ==
		    vectors[i].value);
}

static void
test_lengths(void)
{
	static const struct {
		size_t		n;
		uint64_t	value;
	} vectors[] = {
		{ 0, UINT64_C(0xef46db3751d8e999) },
		{ 1, UINT64_C(0xe934a84adb052768) },
		{ 3, UINT64_C(0xff7e1959cb50794a) },
		{ 4, UINT64_C(0x9136a0dca57457ee) },
		{ 7, UINT64_C(0x6c83909a9f01ed25) },
		{ 8, UINT64_C(0xcdbcf538e71d1348) },
		{ 14, UINT64_C(0x8282dcc4994e35c8) },
		{ 31, UINT64_C(0x299b39a290e6d783) },
		{ 32, UINT64_C(0x18b216492bb44b70) },
		{ 33, UINT64_C(0x55c8dc3e578f5b59) },
		{ 63, UINT64_C(0xa9efbe0fa0f3f4e7) },
		{ 64, UINT64_C(0xef558f8acac2b5cd) },
		{ 222, UINT64_C(0xb641ae8cb691c174) },
		{ 100000, UINT64_C(0x2f2257f45994ff6a) },
	};
	uint64_t state = 2654435761u;
	size_t i;

	for (i = 0; i < BUFFER; i++) {
		buffer[i] = (uint8_t)(state >> 56);
		state *= UINT64_C(11400714785074694797);
	}
	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		CHECK(digest_of(buffer, vectors[i].n) == vectors[i].value);
}

/* However it is cut, and if its value is asked for on the way: the same. */
static void
test_cuts(uint64_t *random)
{
	struct digest copy, d;
	size_t at, cut, n, most;
	uint64_t whole;
	int round;

	for (round = 0; round < 2000; round++) {
		n = check_below(random, 3000);
		at = check_below(random, 64);
		most = 1 + check_below(random, 100);
		whole = digest_of(buffer + at, n);
		digest_init(&d);
		for (; n > 0; at += cut, n -= cut) {
			cut = check_below(random, most + 1);
			if (cut > n)
				cut = n;
			digest_add(&d, cut > 0 ? buffer + at : NULL, cut);
			copy = d;
			CHECK(digest_value(&d) == digest_value(&copy));
		}
		CHECK(digest_value(&d) == whole);
	}
}

/* What checks of single frames cannot see: blocks swapped, lost, repeated. */
static void
test_reassembly(void)
{
	static uint8_t other[256];
	uint64_t right = digest_of(buffer, 256);

	memcpy(other, buffer + 128, 128);
	memcpy(other + 128, buffer, 128);
	CHECK(digest_of(other, 256) != right);
	memcpy(other, buffer, 128);
	CHECK(digest_of(other, 256) != right);
	memcpy(other + 128, buffer + 128, 128);
	CHECK(digest_of(other, 256) == right);
	CHECK(digest_of(other, 255) != right);
}

int
main(int argc, char **argv)
{
	uint64_t random = check_seed(argc, argv, 8086);

	test_texts();
	test_lengths();
	test_cuts(&random);
	test_reassembly();
	return check_done();
}
