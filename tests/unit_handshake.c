/*
 * The handshake around the greetings: both sides come to the same keys and greetings;
 * each changed bit, missing byte, other key, and each answer to another HELLO is
 * refused; the AES instructions are used if both sides have them, and who has none
 * cannot be made to seem to, nor the other way round.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "../handshake.h"
#include "check.h"
#include "crypto/channel.h"
#include "crypto/secret.h"

static uint64_t random_state;

static void
fill(void *to, size_t n)
{
	uint8_t *p = to;

	while (n-- > 0)
		*p++ = (uint8_t)check_random(&random_state);
}

static struct hello
a_hello(bool welcome)
{
	struct hello h = {
		.welcome = welcome, .role = welcome ? ROLE_RECEIVER : ROLE_SENDER, .leg = 3,
		.path = 1, .incarnation = 7, .known = handshake_known(), .phrase = "leg",
		.window = 4u << 20, .frame = 1u << 20, .heartbeat_ms = 10000, .linger_ms = 5
	};

	fill(h.session, FRAME_ID);
	fill(h.instance, FRAME_ID);
	return h;
}

/* Two sides, and what they say. */
struct talk {
	struct handshake *caller, *listener;
	struct hello hello, welcome;
	uint8_t said[FRAME_HELLO_SEALED], answer[FRAME_ANSWER];
};

static void
prepare(struct handshake *h, unsigned key)
{
	memset(h->psk, (int)key, sizeof(h->psk));
	fill(h->once, sizeof(h->once));
}

static void
call(struct talk *t)
{
	t->caller = handshake_new();
	t->listener = handshake_new();
	CHECK(t->caller != NULL && t->listener != NULL);
	prepare(t->caller, 1);
	prepare(t->listener, 1);
	t->hello = a_hello(false);
	t->welcome = a_hello(true);
	memcpy(t->welcome.session, t->hello.session, FRAME_ID);
	CHECK(handshake_call(t->caller, &t->hello, t->said));
}

/* As far as ANSWER; the greeting that it holds is WELCOME. */
static void
reply(struct talk *t)
{
	uint8_t greeting[FRAME_GREETING];

	CHECK(handshake_hear(t->listener, t->said, greeting));
	hello_encode(&t->welcome, greeting);
	CHECK(handshake_answer(t->listener, greeting, t->answer));
}

static void
end(struct talk *t)
{
	handshake_free(t->caller);
	handshake_free(t->listener);
}

static bool
hears(const struct talk *t, const uint8_t said[FRAME_HELLO_SEALED])
{
	struct handshake *h = handshake_new();
	uint8_t greeting[FRAME_GREETING];
	bool heard;

	memcpy(h->psk, t->listener->psk, sizeof(h->psk));
	memcpy(h->once, t->listener->once, sizeof(h->once));
	heard = handshake_hear(h, said, greeting);
	handshake_free(h);
	return heard;
}

static bool
is_answered(const struct talk *t, const uint8_t answer[FRAME_ANSWER])
{
	struct handshake h = *t->caller;
	uint8_t greeting[FRAME_GREETING];

	return handshake_heard(&h, answer, greeting);
}

static bool
agree(struct channel *send, struct channel *receive)
{
	uint8_t head[FRAME_HEAD], bytes[FRAME_HEAD_SEALED], out[FRAME_HEAD];

	fill(head, sizeof(head));
	return channel_seal_head(send, bytes, head, sizeof(head)) &&
	    channel_open_head(receive, out, bytes, sizeof(out)) &&
	    memcmp(head, out, sizeof(out)) == 0;
}

/* Both say that they know what they know, and come to the same; AES if both have it. */
static void
test_agreement(uint32_t caller, uint32_t listener)
{
	uint8_t greeting[FRAME_GREETING], plain[FRAME_GREETING];
	struct channel_pair *a = channel_pair_new(), *b = channel_pair_new();
	enum aead_cipher cipher;
	struct talk t;

	call(&t);
	t.hello.known = caller;
	t.welcome.known = listener;
	prepare(t.caller, 1);
	CHECK(handshake_call(t.caller, &t.hello, t.said));
	CHECK(greeting_kind(t.said) == GREETING_SEALED);
	CHECK(handshake_hear(t.listener, t.said, greeting));
	hello_encode(&t.hello, plain);
	CHECK(memcmp(greeting, plain, FRAME_GREETING) == 0);
	hello_encode(&t.welcome, plain);
	CHECK(handshake_answer(t.listener, plain, t.answer));
	CHECK(greeting_kind(t.answer) == GREETING_ANSWER);
	CHECK(handshake_heard(t.caller, t.answer, greeting));
	CHECK(memcmp(greeting, plain, FRAME_GREETING) == 0);
	handshake_channels(t.caller, a);
	handshake_channels(t.listener, b);
	cipher = (caller & listener & handshake_known() & FEATURE_AES) != 0 ?
	    AEAD_AES256GCM : AEAD_CHACHA20POLY1305;
	CHECK(a->send.cipher.key.level->cipher == cipher);
	CHECK(b->send.cipher.key.level->cipher == cipher);
	CHECK(agree(&a->send, &b->receive) && agree(&b->send, &a->receive));
	CHECK(!agree(&a->send, &b->send));
	channel_pair_free(a);
	channel_pair_free(b);
	end(&t);
}

/* What is in clear of a HELLO, and what is not. */
static void
test_clear(void)
{
	uint8_t plain[FRAME_GREETING];
	struct talk t;

	call(&t);
	hello_encode(&t.hello, plain);
	greeting_seal(plain);
	CHECK(memcmp(t.said, plain, FRAME_CLEAR) == 0);
	CHECK(greeting_length(t.said, FRAME_ANSWER_CLEAR) == FRAME_HELLO_SEALED);
	for (size_t i = 0; i + 8 <= FRAME_HELLO_SEALED; i++)
		CHECK(memcmp(t.said + i, t.hello.instance, 8) != 0);
	end(&t);
}

/* Each bit of each message. */
static void
test_changes(void)
{
	struct talk t;
	size_t bit;

	call(&t);
	for (bit = 0; bit < FRAME_HELLO_SEALED * 8; bit++) {
		t.said[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(!hears(&t, t.said));
		t.said[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(hears(&t, t.said));
	reply(&t);
	for (bit = 0; bit < FRAME_ANSWER * 8; bit++) {
		t.answer[bit / 8] ^= (uint8_t)(1u << bit % 8);
		CHECK(!is_answered(&t, t.answer));
		t.answer[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK(is_answered(&t, t.answer));
	end(&t);
}

/* Another key; an answer to another HELLO, also of the same session; the own word. */
static void
test_strangers(void)
{
	struct channel_pair *a = channel_pair_new(), *b = channel_pair_new();
	uint8_t own[FRAME_ANSWER] = { 0 };
	struct talk t, other;

	call(&t);
	call(&other);
	prepare(t.listener, 2);
	CHECK(!hears(&t, t.said));
	prepare(t.listener, 1);
	CHECK(hears(&t, other.said));
	reply(&t);
	reply(&other);
	CHECK(!is_answered(&t, other.answer));
	answer_begin(own);
	memcpy(own + FRAME_ANSWER_CLEAR, t.said + FRAME_CLEAR, FRAME_HELLO_SEALED - FRAME_CLEAR);
	CHECK(!is_answered(&t, own));
	end(&other);
	/* The same HELLO once more: the answer is good, the keys are others. */
	other = t;
	other.listener = handshake_new();
	prepare(other.listener, 1);
	reply(&other);
	CHECK(is_answered(&t, other.answer));
	handshake_channels(t.listener, a);
	handshake_channels(other.listener, b);
	CHECK(!agree(&a->send, &b->receive) && !agree(&a->receive, &b->send));
	handshake_free(other.listener);
	channel_pair_free(a);
	channel_pair_free(b);
	end(&t);
}

/* What is not needed any more is gone. */
static void
test_wiped(void)
{
	static const struct handshake none;
	struct channel_pair *pair = channel_pair_new();
	struct talk t;

	call(&t);
	CHECK(memcmp(t.caller->psk, none.psk, sizeof(none.psk)) == 0);
	CHECK(memcmp(t.caller->once, none.once, sizeof(none.once)) == 0);
	reply(&t);
	handshake_channels(t.listener, pair);
	CHECK(memcmp(t.listener, &none, sizeof(none)) == 0);
	channel_pair_free(pair);
	end(&t);
}

int
main(int argc, char **argv)
{
	const uint32_t aes = FEATURES_KNOWN | FEATURE_AES, none = FEATURES_KNOWN;

	random_state = check_seed(argc, argv, 36);
	test_agreement(handshake_known(), handshake_known());
	test_agreement(aes, none);
	test_agreement(none, aes);
	test_agreement(none, none);
	test_agreement(aes | 0x80, aes | 0x40);
	test_clear();
	test_changes();
	test_strangers();
	test_wiped();
	return check_done();
}
