/*
 * SHA-256 against the vectors of FIPS 180-4 and HMAC-SHA-256 against all of
 * RFC 4231, whole and in random pieces; the comparison at each byte; and that
 * what was wiped is gone, also where nobody would look for it again.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE	200809L	/* a stack of our own */
#endif

#include <sys/mman.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../crypto/sha256.h"
#include "check.h"

#define STACK	(4 << 20)	/* sanitizers need much of it */

/* All zero, as final leaves it. */
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
hash_of(const void *p, size_t n, uint8_t *out)
{
	struct sha256 s;

	sha256_init(&s);
	sha256_add(&s, p, n);
	sha256_final(&s, out);
	CHECK(is_zero(&s, sizeof(s)));
}

static void
test_hash(void)
{
	static const char *const vectors[][2] = {
		{ "", "e3b0c44298fc1c149afbf4c8996fb924"
		    "27ae41e4649b934ca495991b7852b855" },
		{ "abc", "ba7816bf8f01cfea414140de5dae2223"
		    "b00361a396177a9cb410ff61f20015ad" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		    "248d6a61d20638b8e5c026930c3e6039"
		    "a33ce45964ff2167f6ecedd419db06c1" },
		{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		    "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
		    "cf5b16a778af8380036ce59e7b049237"
		    "0b249b11e8f07a51afac45037afee9d1" },
	};
	static char million[1000000];
	uint8_t out[SHA256_LENGTH];
	size_t i;

	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		hash_of(vectors[i][0], strlen(vectors[i][0]), out);
		CHECK(check_hex(out, vectors[i][1]));
	}
	memset(million, 'a', sizeof(million));
	hash_of(million, sizeof(million), out);
	CHECK(check_hex(out, "cdc76e5c9914fb9281a1c7e284d73e67"
	    "f1809a48a497200e046d39ccc7112cd0"));
}

/*
 * All 64 bits of the length reach the last block.  No test can feed so much,
 * so the state is told that it did; the value was computed apart from this.
 */
static void
test_length(void)
{
	uint8_t out[SHA256_LENGTH];
	struct sha256 s;

	sha256_init(&s);
	s.total = UINT64_C(0x0123456789abcdc0);
	sha256_final(&s, out);
	CHECK(check_hex(out, "14e29f5f71049569fe4c2dfbbd0aa6d2"
	    "4571afff9d5533b9781eebad8b9c114f"));
}

struct hmac_vector {
	size_t		 key_length;
	int		 key_byte;	/* repeated, if there is no key */
	const char	*key;
	size_t		 data_length;
	int		 data_byte;
	const char	*data;
	const char	*mac;
};

/* RFC 4231, 4.2 to 4.8; the fifth shows half of its output only. */
static const struct hmac_vector hmac_vectors[] = {
	{ 20, 0x0b, NULL, 8, 0, "Hi There",
	    "b0344c61d8db38535ca8afceaf0bf12b"
	    "881dc200c9833da726e9376c2e32cff7" },
	{ 4, 0, "Jefe", 28, 0, "what do ya want for nothing?",
	    "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843" },
	{ 20, 0xaa, NULL, 50, 0xdd, NULL,
	    "773ea91e36800e46854db8ebd09181a7"
	    "2959098b3ef8c122d9635514ced565fe" },
	{ 25, 0, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e"
	    "\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19", 50, 0xcd, NULL,
	    "82558a389a443c0ea4cc819899f2083a"
	    "85f0faa3e578f8077a2e3ff46729665b" },
	{ 20, 0x0c, NULL, 20, 0, "Test With Truncation",
	    "a3b6167473100ee06e0c796c2955552b" },
	{ 131, 0xaa, NULL, 54, 0,
	    "Test Using Larger Than Block-Size Key - Hash Key First",
	    "60e431591ee0b67f0d8a26aacbf5b77f"
	    "8e0bc6213728c5140546040f0ee37f54" },
	{ 131, 0xaa, NULL, 152, 0,
	    "This is a test using a larger than block-size key and a larger "
	    "than block-size data. The key needs to be hashed before being "
	    "used by the HMAC algorithm.",
	    "9b09ffa71b942fcb27635fbcd5b0e944"
	    "bfdc63644f0713938a7f51535c3a35e2" },
};

static void
test_hmac(uint64_t *random)
{
	const struct hmac_vector *v;
	uint8_t data[256], key[256], out[SHA256_LENGTH];
	struct sha256_hmac h;
	size_t at, cut, i;
	int round;

	for (i = 0; i < sizeof(hmac_vectors) / sizeof(hmac_vectors[0]); i++) {
		v = &hmac_vectors[i];
		memset(key, v->key_byte, sizeof(key));
		memset(data, v->data_byte, sizeof(data));
		if (v->key != NULL)
			memcpy(key, v->key, v->key_length);
		if (v->data != NULL)
			memcpy(data, v->data, v->data_length);
		for (round = 0; round < 50; round++) {
			sha256_hmac_init(&h, key, v->key_length);
			for (at = 0; at < v->data_length; at += cut) {
				cut = round == 0 ? v->data_length - at :
				    check_below(random,
				    v->data_length - at + 1);
				sha256_hmac_add(&h, data + at, cut);
			}
			sha256_hmac_final(&h, out);
			CHECK(check_hex(out, v->mac));
			CHECK(is_zero(&h, sizeof(h)));
		}
	}
	/* Keys of 64 bytes are taken as they are, of 65 hashed first. */
	sha256_hmac_init(&h, NULL, 0);
	sha256_hmac_final(&h, out);
	CHECK(check_hex(out, "b613679a0814d9ec772f95d778c35fc5"
	    "ff1697c493715653c6c712144292c5ad"));
	memset(key, 'k', sizeof(key));
	sha256_hmac_init(&h, key, 64);
	sha256_hmac_final(&h, out);
	CHECK(check_hex(out, "83026a325aaee70e36cfe607536aa105"
	    "4104ad1077c36134810d4ccded1ccd3b"));
	sha256_hmac_init(&h, key, 65);
	sha256_hmac_final(&h, out);
	CHECK(check_hex(out, "41f1c4cc3107cd5b8d92460f61032902"
	    "bfdb06484eef17e861b83a5012d3b7f3"));
}

static void
test_cuts(uint64_t *random)
{
	uint8_t data[1000], out[SHA256_LENGTH], whole[SHA256_LENGTH];
	struct sha256 s;
	size_t at, cut, i, most, n;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)check_random(random);
	for (n = 0; n < sizeof(data); n++) {
		hash_of(data, n, whole);
		most = 1 + check_below(random, 150);
		sha256_init(&s);
		for (at = 0; at < n; at += cut) {
			cut = check_below(random, most + 1);
			if (cut > n - at)
				cut = n - at;
			sha256_add(&s, cut > 0 ? data + at : NULL, cut);
		}
		sha256_final(&s, out);
		CHECK(sha256_equal(out, whole, sizeof(out)));
	}
}

static void
test_equal(void)
{
	uint8_t a[SHA256_LENGTH] = { 1, 2, 3 }, b[SHA256_LENGTH];
	unsigned int bit;
	size_t i;

	memcpy(b, a, sizeof(a));
	CHECK(sha256_equal(a, b, sizeof(a)));
	CHECK(sha256_equal(a, NULL, 0));
	for (i = 0; i < sizeof(a); i++)
		for (bit = 1; bit < 256; bit *= 2) {
			b[i] = (uint8_t)(a[i] ^ bit);
			CHECK(!sha256_equal(a, b, sizeof(a)));
			CHECK(sha256_equal(a, b, i));
			b[i] = a[i];
		}
}

static const uint8_t secret[] = "something to be found by nobody at all";

/*
 * A dead copy on the stack, which a compiler is free to leave there; so deep
 * that the thread's own end does not write over it.
 */
static void *
hold_secret(void *wipe)
{
	uint8_t copy[64 * 1024] = { 0 };

	memcpy(copy, secret, sizeof(secret));
	CHECK(sha256_equal(copy, secret, sizeof(secret)));
	if (wipe != NULL)
		sha256_wipe(copy, sizeof(copy));
	return NULL;
}

static bool
file_has_secret(FILE *file)
{
	static uint8_t copy[STACK];
	size_t i;

	CHECK(fread(copy, 1, sizeof(copy), file) == sizeof(copy));
	for (i = 0; i < sizeof(copy) - sizeof(secret); i++)
		if (memcmp(copy + i, secret, sizeof(secret)) == 0)
			return true;
	return false;
}

/*
 * What is left of a thread's stack may be looked at only where it is something
 * else too: a file.
 */
static bool
stack_has_secret(void *wipe)
{
	FILE *file = tmpfile();
	pthread_attr_t attributes;
	pthread_t thread;
	void *stack;
	bool found;

	CHECK(file != NULL && ftruncate(fileno(file), STACK) == 0);
	stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fileno(file), 0);
	CHECK(stack != MAP_FAILED);
	CHECK(pthread_attr_init(&attributes) == 0);
	CHECK(pthread_attr_setstack(&attributes, stack, STACK) == 0);
	CHECK(pthread_create(&thread, &attributes, hold_secret, wipe) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	pthread_attr_destroy(&attributes);
	found = file_has_secret(file);
	munmap(stack, STACK);
	fclose(file);
	return found;
}

static void
test_wipe(void)
{
	int wipe;

	if (!stack_has_secret(NULL)) {
		printf("stacks cannot be looked at here: part skipped\n");
		return;
	}
	CHECK(!stack_has_secret(&wipe));
}

int
main(int argc, char **argv)
{
	uint64_t random = check_seed(argc, argv, 180);

	test_hash();
	test_length();
	test_hmac(&random);
	test_cuts(&random);
	test_equal();
	test_wipe();
	return check_done();
}
