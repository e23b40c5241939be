/*
 * CRC-32C against the vectors of RFC 3720, against its definition bit by bit,
 * and its versions against each other at random lengths, places and cuts; then
 * from many threads that all make the first call.
 */
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "../crypto/crc32c.h"
#include "check.h"

#define BUFFER	(128 * 1024)
#define THREADS	8

typedef uint32_t crc_function(uint32_t, const void *, size_t);

static uint8_t buffer[BUFFER + 64];
static uint32_t first_answer[THREADS];
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

/* The definition: one division step a bit. */
static uint32_t
by_bits(uint32_t crc, const void *p, size_t n)
{
	const uint8_t *s = p;
	int bit;

	for (crc = ~crc; n > 0; s++, n--) {
		crc ^= *s;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	return ~crc;
}

static void *
first_call(void *answer)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	*(uint32_t *)answer = crc32c(0, "123456789", 9);
	return NULL;
}

static void
test_first_call_by_many(void)
{
	pthread_t threads[THREADS];
	int i;

	pthread_mutex_lock(&gate);
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, first_call,
		    &first_answer[i]) == 0);
	pthread_mutex_unlock(&gate);
	for (i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	for (i = 0; i < THREADS; i++)
		CHECK(first_answer[i] == UINT32_C(0xe3069283));
}

/* RFC 3720, B.4; it prints the bytes of the check lowest first. */
static void
test_vectors(crc_function *f)
{
	static const uint8_t read_10[48] = {
		0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00,
		0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18,
		0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00
	};
	uint8_t b[32];
	int i;

	CHECK(f(0, NULL, 0) == 0);
	memset(b, 0, sizeof(b));
	CHECK(f(0, b, sizeof(b)) == UINT32_C(0x8a9136aa));
	memset(b, 0xff, sizeof(b));
	CHECK(f(0, b, sizeof(b)) == UINT32_C(0x62a8ab43));
	for (i = 0; i < 32; i++)
		b[i] = (uint8_t)i;
	CHECK(f(0, b, sizeof(b)) == UINT32_C(0x46dd794e));
	for (i = 0; i < 32; i++)
		b[i] = (uint8_t)(31 - i);
	CHECK(f(0, b, sizeof(b)) == UINT32_C(0x113fdb5c));
	CHECK(f(0, read_10, sizeof(read_10)) == UINT32_C(0xd9963a56));
}

/* Every length around the steps of 8 and the blocks of three parts. */
static void
test_lengths(crc_function *f)
{
	static const size_t near[] = { 3 * 256, 6 * 256, 3 * 8192,
	    3 * 8192 + 3 * 256, 6 * 8192 };
	size_t i, n;

	for (n = 0; n < 200; n++)
		CHECK(f(7, buffer + n % 8, n) == by_bits(7, buffer + n % 8, n));
	for (i = 0; i < sizeof(near) / sizeof(near[0]); i++)
		for (n = near[i] - 9; n <= near[i] + 9; n++)
			CHECK(f(0, buffer + 8 - n % 8, n) ==
			    by_bits(0, buffer + 8 - n % 8, n));
}

/* What one call says, any cutting into calls says, whoever takes a piece. */
static void
test_random(uint64_t *random)
{
	size_t at, cut, n;
	uint32_t crc, start, whole;
	int round;

	for (round = 0; round < 300; round++) {
		n = check_below(random, round % 3 ? 3000 : BUFFER);
		at = check_below(random, 64);
		start = (uint32_t)check_random(random);
		whole = crc32c(start, buffer + at, n);
		CHECK(whole == crc32c_portable(start, buffer + at, n));
		CHECK(whole == by_bits(start, buffer + at, n));
		for (crc = start; n > 0; at += cut, n -= cut) {
			cut = 1 + check_below(random, n);
			crc = (check_random(random) & 1 ? crc32c :
			    crc32c_portable)(crc, buffer + at, cut);
		}
		CHECK(crc == whole);
	}
}

int
main(int argc, char **argv)
{
	uint64_t random = check_seed(argc, argv, 20240501);
	size_t i;

	test_first_call_by_many();
	for (i = 0; i < sizeof(buffer); i++)
		buffer[i] = (uint8_t)check_random(&random);
	printf("method %s\n", crc32c_method());
	test_vectors(crc32c);
	test_vectors(crc32c_portable);
	test_lengths(crc32c);
	test_lengths(crc32c_portable);
	test_random(&random);
	return check_done();
}
