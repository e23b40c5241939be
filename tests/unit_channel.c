/*
 * Frames of one way of a connection, with both ciphers: what is sealed is opened,
 * however the body is cut and whatever is sealed while it is; nothing that is changed,
 * left out, repeated, out of order or of the other direction is; both sides make the
 * next key at the same frame, and not sooner; and there is an end of numbers.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "crypto/aesgcm.h"
#include "crypto/chacha20poly1305.h"
#include "crypto/channel.h"
#include "crypto/sha256.h"

#define HEAD	20
#define BODY	300

static uint64_t random_state;
static const struct aead_level *level;

/* A frame as it crosses the wire. */
struct wire {
	uint8_t head[HEAD], body[BODY];
	size_t n;		/* bytes of the body */
	uint8_t bytes[HEAD + AEAD_TAG + BODY + AEAD_TAG];
};

/* Two sides that have the same keys: what one sends the other receives. */
static void
pair_up(struct channel *send, struct channel *receive, unsigned key)
{
	uint8_t bytes[AEAD_KEY];

	memset(bytes, (int)key, sizeof(bytes));
	memset(send, 0, sizeof(*send));
	aead_expand(&send->cipher.key, level, bytes);
	channel_begin(send);
	*receive = *send;
}

static void
make(struct wire *w, size_t n)
{
	size_t i;

	for (i = 0; i < HEAD; i++)
		w->head[i] = (uint8_t)check_random(&random_state);
	for (i = 0; i < n; i++)
		w->body[i] = (uint8_t)check_random(&random_state);
	w->n = n;
}

static void
seal_body(struct channel *c, struct wire *w, size_t from, size_t to)
{
	aead_seal(&c->body, w->bytes + HEAD + AEAD_TAG + from, w->body + from, to - from);
}

static bool
seal(struct channel *c, struct wire *w)
{
	if (!channel_seal_head(c, w->bytes, w->head, HEAD))
		return false;
	return w->n == 0 || channel_seal_body(c, w->bytes + HEAD + AEAD_TAG, w->body, w->n);
}

/* Opens it, the body in two pieces; false: it is not genuine. */
static bool
open_frame(struct channel *c, const struct wire *w)
{
	const uint8_t *body = w->bytes + HEAD + AEAD_TAG;
	uint8_t head[HEAD], out[BODY];
	size_t cut = w->n > 0 ? check_below(&random_state, w->n + 1) : 0;

	if (!channel_open_head(c, head, w->bytes, HEAD))
		return false;
	CHECK(memcmp(head, w->head, HEAD) == 0);
	if (w->n == 0)
		return true;
	if (!channel_body(c, w->n))
		return false;
	aead_open(&c->body, out, body, cut);
	aead_open(&c->body, out + cut, body + cut, w->n - cut);
	if (!aead_verify(&c->body, body + w->n))
		return false;
	CHECK(memcmp(out, w->body, w->n) == 0);
	return true;
}

static void
test_frames(void)
{
	struct channel send, receive;
	struct wire w;
	size_t n;

	pair_up(&send, &receive, 1);
	for (n = 0; n <= BODY; n++) {
		make(&w, n);
		CHECK(seal(&send, &w) && open_frame(&receive, &w));
	}
	/* The same again is sealed as something else. */
	for (n = 0; n < 2; n++) {
		struct wire again = w;

		CHECK(seal(&send, &again));
		CHECK(memcmp(again.bytes, w.bytes, HEAD) != 0);
		CHECK(open_frame(&receive, &again));
	}
}

/* Every bit of it. */
static void
test_changes(void)
{
	struct channel send, receive, copy;
	struct wire w;
	size_t size, bit;

	pair_up(&send, &receive, 2);
	make(&w, 40);
	CHECK(seal(&send, &w));
	size = HEAD + AEAD_TAG + w.n + AEAD_TAG;
	for (bit = 0; bit < size * 8; bit++) {
		w.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		copy = receive;
		CHECK(!open_frame(&copy, &w));
		w.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(open_frame(&receive, &w));
	CHECK(!open_frame(&receive, &w));
}

static void
test_order(void)
{
	struct channel send, receive, other, unused, copy;
	struct wire w[3];
	unsigned i;

	pair_up(&send, &receive, 3);
	pair_up(&other, &unused, 4);
	for (i = 0; i < 3; i++) {
		make(&w[i], 50 * i);
		CHECK(seal(&send, &w[i]));
	}
	copy = receive;
	CHECK(!open_frame(&copy, &w[1]));
	copy = receive;
	CHECK(open_frame(&copy, &w[0]) && !open_frame(&copy, &w[2]));
	copy = receive;
	CHECK(open_frame(&copy, &w[0]) && !open_frame(&copy, &w[0]));
	/* The head of one and the body of another. */
	copy = receive;
	memcpy(w[1].bytes + HEAD + AEAD_TAG, w[2].bytes + HEAD + AEAD_TAG, 50 + AEAD_TAG);
	CHECK(open_frame(&copy, &w[0]) && !open_frame(&copy, &w[1]));
	/* Under another key. */
	CHECK(seal(&other, &w[0]) && !open_frame(&receive, &w[0]));
}

/* Whole frames are sealed while a body is; and the key changes meanwhile. */
static void
test_between(void)
{
	struct channel send, receive;
	struct wire w, small[3];
	unsigned i;

	pair_up(&send, &receive, 5);
	send.frames = receive.frames = CHANNEL_FRAMES - 2;
	make(&w, BODY);
	CHECK(channel_seal_head(&send, w.bytes, w.head, HEAD) && channel_body(&send, w.n));
	for (i = 0; i < 3; i++) {
		make(&small[i], 30 * i);
		seal_body(&send, &w, i * 100, (i + 1) * 100);
		CHECK(seal(&send, &small[i]));
	}
	aead_tag(&send.body, w.bytes + HEAD + AEAD_TAG + w.n);
	CHECK(send.frames == 2);
	CHECK(open_frame(&receive, &w));
	for (i = 0; i < 3; i++)
		CHECK(open_frame(&receive, &small[i]));
}

static bool
is_same_key(const struct channel *a, const struct channel *b)
{
	size_t n = level->cipher == AEAD_CHACHA20POLY1305 ?
	    sizeof(a->cipher.key.of.chacha) : sizeof(a->cipher.key.of.aes);

	return memcmp(&a->cipher.key.of, &b->cipher.key.of, n) == 0;
}

/* After so many frames, or bytes, the next frame has another key; not before. */
static void
test_rekey(uint64_t frames, uint64_t bytes)
{
	struct channel send, receive, old, lost;
	struct wire w;

	pair_up(&send, &receive, 6);
	old = send;
	send.frames = receive.frames = frames;
	send.bytes = receive.bytes = bytes;
	make(&w, 100);
	CHECK(seal(&send, &w) && open_frame(&receive, &w));
	CHECK(is_same_key(&send, &old));
	lost = receive;
	make(&w, 10);
	CHECK(seal(&send, &w));
	CHECK(!is_same_key(&send, &old) && send.frames == 1 && send.bytes == 10);
	CHECK(open_frame(&receive, &w) && is_same_key(&send, &receive));
	/* Whoever counts otherwise is lost. */
	lost.frames = lost.bytes = 0;
	CHECK(!open_frame(&lost, &w));
	CHECK(seal(&send, &w) && open_frame(&receive, &w));
}

/* Numbers do not begin again. */
static void
test_worn(void)
{
	struct channel send, receive;
	struct wire w;

	pair_up(&send, &receive, 7);
	send.cipher.nonce = receive.cipher.nonce = UINT64_MAX - 3;
	make(&w, 100);
	CHECK(seal(&send, &w) && open_frame(&receive, &w));
	CHECK(!seal(&send, &w));
	CHECK(!open_frame(&receive, &w));
	make(&w, 0);
	CHECK(!seal(&send, &w) && !open_frame(&receive, &w));
	noise_rekey(&send.cipher);
	CHECK(!seal(&send, &w));
}

static void
test_memory(void)
{
	struct channel_pair *pair = channel_pair_new();
	static const struct channel_pair none;

	CHECK(pair != NULL && memcmp(pair, &none, sizeof(none)) == 0);
	channel_pair_free(pair);
	channel_pair_free(NULL);
}

int
main(int argc, char **argv)
{
	const struct aead_level *of[] = { chacha20poly1305_best(), aesgcm_best() };
	size_t i;

	random_state = check_seed(argc, argv, 35);
	for (i = 0; i < 2; i++) {
		if ((level = of[i]) == NULL) {
			printf("no AES instructions here: that part skipped\n");
			continue;
		}
		test_frames();
		test_changes();
		test_order();
		test_between();
		test_rekey(CHANNEL_FRAMES - 1, 0);
		test_rekey(0, CHANNEL_BYTES - 100);
		test_worn();
	}
	test_memory();
	return check_done();
}
