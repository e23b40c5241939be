/*
 * How fast the ciphers are on one core, level by level: sealing from one
 * buffer to another and opening in place, in frames as they are on the wire
 * (24 bytes of header as associated data).  For each figure the best of some
 * rounds, GB/s (10^9 bytes) of processor time, and nanoseconds a frame; and at
 * the end what a handshake costs, both sides of it.
 *
 *	build/bench_crypto [SECONDS a figure, 0.3]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "crypto/aesgcm.h"
#include "crypto/chacha20poly1305.h"
#include "crypto/noise.h"

#define HEADER	24
#define LARGE	(1 << 20)

static uint8_t plain[LARGE], sealed[LARGE];
static double seconds = 0.3;

/* Of this process alone, so that others on the machine do not count. */
static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The least nanoseconds that a frame took, over batches of about 1 ms. */
static double
frame_ns(const struct aead_key *k, size_t n, int open)
{
	uint8_t nonce[AEAD_NONCE] = { 0 }, header[HEADER] = { 1 };
	uint8_t tag[AEAD_TAG];
	struct aead a;
	size_t batch = 1 + 2000000 / (n + 512), i;
	double begin = now(), best = 1e18, start, took;

	while (now() - begin < seconds) {
		start = now();
		for (i = 0; i < batch; i++) {
			nonce[4]++;
			aead_start(&a, k, nonce, header, sizeof(header));
			if (open)
				aead_open(&a, sealed, sealed, n);
			else
				aead_seal(&a, sealed, plain, n);
			aead_tag(&a, tag);
		}
		took = (now() - start) * 1e9 / (double)batch;
		if (took < best)
			best = took;
	}
	return best;
}

static void
bench(const char *cipher, const struct aead_level *const *levels)
{
	static const size_t sizes[] = { 64, 1024, 4096, 65536, LARGE };
	uint8_t key[AEAD_KEY] = { 1, 2, 3 };
	struct aead_key k;
	size_t i;
	double seal, open;

	for (; *levels != NULL; levels++) {
		if (!(*levels)->usable())
			continue;
		aead_expand(&k, *levels, key);
		for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			seal = frame_ns(&k, sizes[i], 0);
			open = frame_ns(&k, sizes[i], 1);
			printf("%-18s %-9s %8zu bytes: seal %6.2f GB/s"
			    " (%.0f ns), open %6.2f GB/s (%.0f ns)\n", cipher,
			    (*levels)->name, sizes[i], (double)sizes[i] / seal,
			    seal, (double)sizes[i] / open, open);
			fflush(stdout);
		}
	}
}

static void
bench_handshake(const char *name, const struct aead_level *level)
{
	uint8_t psk[NOISE_KEY] = { 1 }, secret[2][NOISE_KEY] = { { 2 }, { 3 } };
	uint8_t payload[128] = { 4 }, message[128 + NOISE_OVERHEAD];
	struct noise_setup s = { level, true, "", 0, psk, secret[0] };
	struct noise_handshake side[2];
	struct noise_cipher send, receive;
	double begin = now(), took;
	unsigned int times = 0;
	int i;

	do {
		s.initiator = true;
		s.secret = secret[0];
		noise_start(&side[0], &s);
		s.initiator = false;
		s.secret = secret[1];
		noise_start(&side[1], &s);
		for (i = 0; i < 2; i++)
			if (!noise_write(&side[i], message, payload, 128) ||
			    !noise_read(&side[1 - i], payload, message,
			    sizeof(message)))
				abort();
		noise_split(&side[0], level, &send, &receive);
		noise_split(&side[1], level, &send, &receive);
		times++;
		took = now() - begin;
	} while (took < seconds);
	printf("handshake, %s: %.0f us\n", name, took * 1e6 / times);
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		seconds = atof(argv[1]);
	memset(plain, 1, sizeof(plain));
	bench("AES-256-GCM", aesgcm_levels);
	bench("ChaCha20-Poly1305", chacha20poly1305_levels);
	bench_handshake("ChaCha20-Poly1305", chacha20poly1305_best());
	if (aesgcm_best() != NULL)
		bench_handshake("AES-256-GCM", aesgcm_best());
	return 0;
}
