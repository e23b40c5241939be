/*
 * What may be a key and what not, with the reason; and what the psk is made of: the
 * file's bytes, the checkphrase and the name, each of them wholly.  The psk against one
 * that another program made, with Python's hmac and hashlib:
 *
 *	def H(key, *parts):
 *	    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()
 *	prk = H(b"viamillipede 2 key file\0", bytes(range(32)))
 *	H(prk, b"viamillipede 2 psk\0" + b"legs" + b"\0" + b"\1")
 *	H(prk, b"viamillipede 2 psk\0" + b"legs" + b"\1n" + b"\1")
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../key.h"
#include "check.h"

static char why[256];
static const char *transfer = "";	/* its name */

/* A key of the 32 bytes from first on, one bit of which may be turned over. */
static void
key_spoilt(struct key *k, unsigned first, const char *phrase, unsigned bit)
{
	uint8_t bytes[KEY_MIN];
	unsigned i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(first + i);
	if (bit < KEY_MIN * 8)
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	key_init(k, phrase, transfer);
	CHECK(key_take(k, bytes, sizeof(bytes), why, sizeof(why)) == 0);
	CHECK(k->given);
}

static void
key_from(struct key *k, unsigned first)
{
	key_spoilt(k, first, "legs", UINT_MAX);
}

/* Whether both have the same psk. */
static bool
same(struct key *a, struct key *b)
{
	uint8_t one[NOISE_KEY], other[NOISE_KEY];

	CHECK(key_psk(a, one) && key_psk(b, other));
	return memcmp(one, other, NOISE_KEY) == 0;
}

static void
test_psk(void)
{
	char phrase[KEY_PHRASE + 1] = "legs";
	uint8_t psk[NOISE_KEY];
	char long_name[256] = "";
	struct key k, other;
	unsigned bit;

	key_from(&k, 0);
	CHECK(key_psk(&k, psk));
	CHECK(check_hex(psk,
	    "3106dcf7e7c76c0b76cdb2a9ff293435bd68a7ef2b27a7942da4c7929f913bc4"));
	for (bit = 0; bit < KEY_MIN * 8; bit++) {
		key_spoilt(&other, 0, "legs", bit);
		CHECK(!same(&k, &other));
		key_close(&other);
	}
	for (bit = 0; bit < KEY_PHRASE * 8; bit++) {
		phrase[bit / 8] = (char)(phrase[bit / 8] ^ 1 << bit % 8);
		key_spoilt(&other, 0, phrase, UINT_MAX);
		CHECK(!same(&k, &other));
		key_close(&other);
		phrase[bit / 8] = (char)(phrase[bit / 8] ^ 1 << bit % 8);
	}
	/* The name is part of it; where it ends, too. */
	transfer = "n";
	key_from(&other, 0);
	CHECK(!same(&k, &other));
	CHECK(key_psk(&other, psk));
	CHECK(check_hex(psk,
	    "52ff150231db7c5b2e7714deb36de3aeb55e70fca3e281ef3a7a7a4c17979e92"));
	key_close(&other);
	transfer = long_name;
	memset(long_name, 'x', sizeof(long_name) - 1);
	key_from(&other, 0);
	CHECK(!same(&k, &other));
	key_close(&other);
	transfer = "";
	key_from(&other, 0);
	CHECK(same(&k, &other));
	key_close(&other);
	key_close(&k);
	CHECK(k.given && !key_psk(&k, psk));
	key_init(&k, "legs", "");
	CHECK(!k.given && !key_psk(&k, psk));
}

/* Files */

static void
put_file(const char *name, size_t n, mode_t mode)
{
	static uint8_t bytes[4096];
	FILE *f = fopen(name, "w");
	unsigned i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	CHECK(f != NULL);
	for (; n > sizeof(bytes); n -= sizeof(bytes))
		CHECK(fwrite(bytes, 1, sizeof(bytes), f) == sizeof(bytes));
	CHECK(fwrite(bytes, 1, n, f) == n);
	CHECK(fclose(f) == 0 && chmod(name, mode) == 0);
}

static void
refused(const char *name, const char *said)
{
	struct key k;

	key_init(&k, "legs", "");
	CHECK(key_load(&k, name, why, sizeof(why)) == -1);
	CHECK(strstr(why, said) != NULL);
	CHECK(!k.given);
}

static void
taken(const char *name)
{
	struct key k;

	key_init(&k, "legs", "");
	if (key_load(&k, name, why, sizeof(why)) == -1) {
		fprintf(stderr, "%s %s\n", name, why);
		CHECK(false);
	}
	CHECK(k.given);
	key_close(&k);
}

static void
test_file(void)
{
	struct key file, memory;
	unsigned bit;
	char said[16];

	refused("none", strerror(ENOENT));
	put_file("key", KEY_MIN, 0600);
	key_init(&file, "legs", "");
	CHECK(key_load(&file, "key", why, sizeof(why)) == 0);
	key_from(&memory, 0);
	CHECK(same(&file, &memory));
	put_file("key", KEY_MIN - 1, 0600);
	refused("key", "has 31 bytes, which is too short; legal: 32 or more");
	put_file("key", 0, 0600);
	refused("key", "too short");
	put_file("key", KEY_MAX, 0400);
	taken("key");
	CHECK(unlink("key") == 0);
	put_file("key", KEY_MAX + 1, 0600);
	refused("key", "too long");
	put_file("key", KEY_MIN, 0700);
	taken("key");
	for (bit = 1; bit < 0100; bit <<= 1) {
		CHECK(chmod("key", 0600 | bit) == 0);
		snprintf(said, sizeof(said), "(mode %04o)", 0600 | bit);
		refused("key", "open to its group or to others");
		refused("key", said);
	}
	/* Every byte of it matters, not only the first ones. */
	put_file("key", KEY_MAX, 0600);
	CHECK(key_load(&file, "key", why, sizeof(why)) == 0);
	CHECK(truncate("key", KEY_MAX - 1) == 0);
	CHECK(key_load(&memory, "key", why, sizeof(why)) == 0);
	CHECK(!same(&file, &memory));
	refused(".", "is a directory");
	refused("/dev/null", "is a device");
}

/* Out of a pipe, in pieces; its mode says nothing. */
static void
test_pipe(void)
{
	uint8_t bytes[KEY_MIN];
	struct key k, memory;
	char name[32];
	int fd[2];
	unsigned i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	CHECK(pipe(fd) == 0);
	snprintf(name, sizeof(name), "/dev/fd/%d", fd[0]);
	CHECK(write(fd[1], bytes, 10) == 10 && write(fd[1], bytes + 10, 22) == 22);
	CHECK(close(fd[1]) == 0);
	key_init(&k, "legs", "");
	CHECK(key_load(&k, name, why, sizeof(why)) == 0);
	key_from(&memory, 0);
	CHECK(same(&k, &memory));
	CHECK(close(fd[0]) == 0);
}

static void
test_memory(void)
{
	static uint8_t bytes[KEY_MAX + 1];
	struct key k;

	key_init(&k, "legs", "");
	CHECK(key_take(&k, bytes, KEY_MIN - 1, why, sizeof(why)) == -1 && !k.given);
	CHECK(key_take(&k, bytes, sizeof(bytes), why, sizeof(why)) == -1 && !k.given);
	CHECK(key_take(&k, bytes, KEY_MAX, why, sizeof(why)) == 0 && k.given);
}

int
main(void)
{
	char directory[] = "/tmp/unit_key.XXXXXX";

	test_psk();
	CHECK(mkdtemp(directory) != NULL && chdir(directory) == 0);
	test_file();
	test_pipe();
	test_memory();
	unlink("key");
	CHECK(rmdir(directory) == 0);
	return check_done();
}
