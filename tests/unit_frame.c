/*
 * The codec: every message survives the way there and back, and nothing that
 * is damaged, cut short or out of range is taken for legal.  Each byte of each
 * message is changed to every other value; with the check computed anew each
 * field is set to what it must not be.
 *
 * What is decoded lies in memory of just its size, so that a sanitizer sees a
 * decoder that reads beyond it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../crypto/crc32c.h"
#include "../frame.h"
#include "check.h"

#define ROUNDS	3000
#define MIB	((uint64_t)1 << 20)
#define GIB	((uint64_t)1 << 30)

static uint64_t state;

static uint64_t
roll(void)
{
	return check_random(&state);
}

/* The ends of a range more often than what lies between. */
static uint64_t
between(uint64_t least, uint64_t most)
{
	switch (roll() % 4) {
	case 0:
		return least;
	case 1:
		return most;
	default:
		return most - least == UINT64_MAX ? roll() : least + roll() % (most - least + 1);
	}
}

static void
fill(void *to, size_t n)
{
	uint8_t *p = to;

	while (n-- > 0)
		*p++ = (uint8_t)roll();
}

static void
text(char *to, size_t n)
{
	while (n-- > 0)
		*to++ = (char)(' ' + roll() % 90);
	*to = '\0';
}

static void
put(uint8_t *to, unsigned bytes, uint64_t v)
{
	while (bytes-- > 0) {
		to[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

static uint64_t
get(const uint8_t *from, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | *from++;
	return v;
}

/* Greetings */

static void
seal(uint8_t greeting[FRAME_GREETING])
{
	put(greeting + 124, 4, crc32c(0, greeting, 124));
}

static struct hello
a_hello(void)
{
	struct hello h = { .welcome = roll() % 2 == 0 };

	h.role = (enum role)between(ROLE_SENDER, ROLE_STREAMS);
	fill(h.session, sizeof(h.session));
	fill(h.name, sizeof(h.name));
	fill(h.instance, sizeof(h.instance));
	h.leg = (uint16_t)between(0, FRAME_LEGS - 1);
	h.path = (uint16_t)between(0, FRAME_PATHS - 1);
	h.incarnation = (uint32_t)between(1, UINT32_MAX);
	h.known = (uint32_t)roll();
	h.required = (uint32_t)roll() & h.known;
	fill(h.phrase, sizeof(h.phrase));
	h.window = between(MIB, 64 * GIB);
	h.frame = (uint32_t)between(4096, FRAME_DATA_MAX);
	h.heartbeat_ms = (uint32_t)between(1000, 3600000);
	h.timeout_ms = between(0, (uint64_t)1 << 50);
	h.linger_ms = between(0, (uint64_t)1 << 50);
	h.delivered = h.role != ROLE_SENDER ? between(0, UINT64_MAX) : 0;
	h.received = h.role != ROLE_SENDER ? between(0, UINT64_MAX) : 0;
	return h;
}

static bool
same_hello(const struct hello *a, const struct hello *b)
{
	return a->welcome == b->welcome && a->role == b->role &&
	    memcmp(a->session, b->session, FRAME_ID) == 0 &&
	    memcmp(a->name, b->name, FRAME_NAME) == 0 &&
	    memcmp(a->instance, b->instance, FRAME_ID) == 0 && a->leg == b->leg &&
	    a->path == b->path && a->incarnation == b->incarnation && a->required == b->required &&
	    a->known == b->known && memcmp(a->phrase, b->phrase, 4) == 0 &&
	    a->window == b->window && a->frame == b->frame &&
	    a->heartbeat_ms == b->heartbeat_ms && a->timeout_ms == b->timeout_ms &&
	    a->linger_ms == b->linger_ms && a->delivered == b->delivered &&
	    a->received == b->received;
}

static void
test_hello(void)
{
	uint8_t bytes[FRAME_GREETING], again[FRAME_GREETING];
	struct hello h, back;
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		h = a_hello();
		memset(bytes, 0xa5, sizeof(bytes));
		hello_encode(&h, bytes);
		CHECK(greeting_kind(bytes) ==
		    (h.welcome ? GREETING_WELCOME : GREETING_HELLO));
		CHECK(hello_decode(&back, bytes) == NULL);
		CHECK(same_hello(&h, &back));
		hello_encode(&back, again);
		CHECK(memcmp(bytes, again, sizeof(bytes)) == 0);
	}
}

/* The offsets of the table in frame.h, in a message whose fields all differ. */
static void
test_hello_layout(void)
{
	uint8_t bytes[FRAME_GREETING];
	struct hello h = {
		.welcome = true, .role = ROLE_RECEIVER, .leg = 0x12, .incarnation = 0x23456789,
		.required = 0x01020300, .known = 0x01020304, .phrase = { 'a', 'b', 'c', 'd' },
		.window = 0x0000000823456789, .frame = 0x00abcdef, .heartbeat_ms = 0x00012345,
		.timeout_ms = 0x0001020304050607, .delivered = 0x1122334455667788,
		.linger_ms = 0x0000030405060708, .received = 0x2233445566778899
	};

	memset(h.session, 0x51, FRAME_ID);
	memset(h.name, 0x53, FRAME_NAME);
	memset(h.instance, 0x52, FRAME_ID);
	hello_encode(&h, bytes);
	CHECK(memcmp(bytes, "VMwe\002\002\000\200", 8) == 0);
	CHECK(check_hex(bytes + 8, "51515151515151515151515151515151"));
	CHECK(check_hex(bytes + 24, "53535353535353535353535353535353"));
	CHECK(check_hex(bytes + 40, "52525252525252525252525252525252"));
	CHECK(check_hex(bytes + 56, "00120000" "23456789" "01020300" "01020304"));
	CHECK(check_hex(bytes + 72, "61626364" "0000000823456789" "00abcdef" "00012345"));
	CHECK(check_hex(bytes + 92, "0001020304050607" "0000030405060708"));
	CHECK(check_hex(bytes + 108, "1122334455667788" "2233445566778899"));
	CHECK(get(bytes + 124, 4) == crc32c(0, bytes, 124));
	h.welcome = false;
	hello_encode(&h, bytes);
	CHECK(memcmp(bytes, "VMhe", 4) == 0);
	CHECK(hello_decode(&h, bytes) == NULL);
}

/* Whatever these bytes are, they are no greeting of this version. */
static void
check_alien(const uint8_t bytes[FRAME_GREETING], bool version)
{
	enum greeting kind = greeting_kind(bytes);
	struct refuse r;
	struct hello h;

	CHECK(kind == (version ? GREETING_VERSION : GREETING_ALIEN));
	CHECK(hello_decode(&h, bytes) != NULL);
	CHECK(refuse_decode(&r, bytes) != NULL);
}

/* Every byte to every other value, so every bit by itself too. */
static void
test_greeting_damage(void)
{
	struct refuse r = { .reason = REFUSE_BUSY, .no_leg_ms = 77, .text = "for a while" };
	uint8_t bytes[FRAME_GREETING];
	struct hello h = a_hello();
	unsigned i, k, v;

	for (k = 0; k < 3; k++) {
		h.welcome = k == 1;
		h.delivered = 0;
		if (k < 2)
			hello_encode(&h, bytes);
		else
			refuse_encode(&r, bytes);
		for (i = 0; i < FRAME_GREETING; i++) {
			for (v = 1; v < 256; v++) {
				bytes[i] ^= (uint8_t)v;
				/* Only the length tells HELLO from one that is sealed. */
				if (i != 7 || greeting_kind(bytes) != GREETING_SEALED)
					check_alien(bytes, i == 4);
				bytes[i] ^= (uint8_t)v;
			}
		}
		CHECK(greeting_kind(bytes) != GREETING_ALIEN);
	}
}

/* Set a field of a legal greeting, with the check computed anew. */
static const char *
hello_with(bool welcome, unsigned at, unsigned bytes, uint64_t v)
{
	uint8_t out[FRAME_GREETING];
	struct hello h = a_hello();

	h.welcome = welcome;
	h.role = welcome ? ROLE_RECEIVER : ROLE_SENDER;
	h.delivered = h.received = 0;
	hello_encode(&h, out);
	put(out + at, bytes, v);
	seal(out);
	return hello_decode(&h, out);
}

static void
test_hello_ranges(void)
{
	static const struct {
		unsigned at, bytes;
		uint64_t least, most, top;
	} field[] = {
		{ 5, 1, ROLE_SENDER, ROLE_STREAMS, UINT8_MAX },
		{ 6, 2, FRAME_GREETING, FRAME_GREETING, UINT16_MAX },
		{ 56, 2, 0, FRAME_LEGS - 1, UINT16_MAX },
		{ 58, 2, 0, FRAME_PATHS - 1, UINT16_MAX },
		{ 60, 4, 1, UINT32_MAX, UINT32_MAX },
		{ 76, 8, 1 << 20, (uint64_t)64 << 30, UINT64_MAX },
		{ 84, 4, 4096, 16 << 20, UINT32_MAX },
		{ 88, 4, 1000, 3600000, UINT32_MAX },
		{ 92, 8, 0, (uint64_t)1 << 50, UINT64_MAX },
		{ 100, 8, 0, (uint64_t)1 << 50, UINT64_MAX },
		{ 108, 8, 0, 0, UINT64_MAX },
		{ 116, 8, 0, 0, UINT64_MAX },
	};
	size_t i;
	unsigned k;

	for (i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
		uint64_t least = field[i].least, most = field[i].most, top = field[i].top;
		unsigned at = field[i].at, bytes = field[i].bytes;

		CHECK(hello_with(false, at, bytes, least) == NULL);
		CHECK(hello_with(false, at, bytes, most) == NULL);
		if (least > 0) {
			CHECK(hello_with(false, at, bytes, least - 1) != NULL);
			CHECK(hello_with(true, at, bytes, 0) != NULL);
		}
		if (most == top)
			continue;
		CHECK(hello_with(false, at, bytes, most + 1) != NULL);
		CHECK(hello_with(false, at, bytes, top) != NULL);
		for (k = 0; k < 200; k++)
			CHECK(hello_with(false, at, bytes, most + 1 + roll() % (top - most)) !=
			    NULL);
		/* A receiver may say in addition what came to it. */
		CHECK((hello_with(true, at, bytes, top) == NULL) == (at == 108 || at == 116));
	}
	for (i = 0; i < 256; i++)
		CHECK((hello_with(false, 4, 1, i) == NULL) == (i == FRAME_VERSION));
}

static void
test_features(void)
{
	uint8_t bytes[FRAME_GREETING];
	struct hello h;
	unsigned bit;

	for (bit = 0; bit < 32; bit++) {
		h = a_hello();
		h.required = (uint32_t)1 << bit;
		h.known = ~h.required;
		hello_encode(&h, bytes);
		CHECK(hello_decode(&h, bytes) != NULL);
		h = a_hello();
		h.required = h.known = (uint32_t)1 << bit;
		hello_encode(&h, bytes);
		CHECK(hello_decode(&h, bytes) == NULL);
	}
}

static void
test_refuse(void)
{
	uint8_t bytes[FRAME_GREETING];
	struct refuse r, back;
	char longer[FRAME_REFUSE_TEXT + 1];
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		memset(&r, 0, sizeof(r));
		r.reason = (enum refusal)between(REFUSE_PHRASE, REFUSE_NAME);
		fill(r.session, sizeof(r.session));
		r.no_leg_ms = between(0, UINT64_MAX);
		text(r.text, i % (FRAME_REFUSE_TEXT + 1));
		refuse_encode(&r, bytes);
		CHECK(greeting_kind(bytes) == GREETING_REFUSE);
		memset(&back, 0xa5, sizeof(back));
		CHECK(refuse_decode(&back, bytes) == NULL);
		CHECK(back.reason == r.reason && back.no_leg_ms == r.no_leg_ms);
		CHECK(memcmp(back.session, r.session, FRAME_ID) == 0);
		CHECK(strcmp(back.text, r.text) == 0);
	}
	for (i = 0; i < 256; i++) {
		bytes[5] = (uint8_t)i;
		seal(bytes);
		CHECK((refuse_decode(&back, bytes) == NULL) ==
		    (i >= REFUSE_PHRASE && i <= REFUSE_NAME));
	}
	/* A text that fills its place has no zero behind it. */
	bytes[5] = REFUSE_BUSY;
	memset(bytes + 32, 'x', FRAME_REFUSE_TEXT);
	seal(bytes);
	memset(longer, 'x', FRAME_REFUSE_TEXT);
	longer[FRAME_REFUSE_TEXT] = '\0';
	CHECK(refuse_decode(&back, bytes) == NULL && strcmp(back.text, longer) == 0);
}

/* Of a sealed greeting only what is in clear can be judged here. */
static void
test_sealed(void)
{
	uint8_t bytes[FRAME_GREETING_MAX], plain[FRAME_GREETING];
	struct hello h = a_hello();
	unsigned i, v;

	h.welcome = false;
	memset(h.name, 0, sizeof(h.name));
	hello_encode(&h, plain);
	memcpy(bytes, plain, FRAME_GREETING);
	greeting_seal(bytes);
	CHECK(memcmp(bytes, plain, 6) == 0 && memcmp(bytes + 6, "\0\xac", 2) == 0);
	CHECK(memcmp(bytes + 8, plain + 8, FRAME_GREETING - 8) == 0);
	fill(bytes + FRAME_CLEAR, sizeof(bytes) - FRAME_CLEAR);
	CHECK(greeting_kind(bytes) == GREETING_SEALED);
	for (i = 0; i < FRAME_CLEAR; i = i == 4 ? 6 : i == 7 ? 24 : i + 1) {
		for (v = 1; v < 256; v++) {
			bytes[i] ^= (uint8_t)v;
			CHECK(greeting_kind(bytes) == (i == 4 ? GREETING_VERSION : GREETING_ALIEN));
			bytes[i] ^= (uint8_t)v;
		}
	}
	memcpy(bytes + FRAME_CLEAR, plain + FRAME_CLEAR, FRAME_GREETING - FRAME_CLEAR);
	greeting_unseal(bytes);
	CHECK(memcmp(bytes, plain, FRAME_GREETING) == 0);
	answer_begin(bytes);
	CHECK(memcmp(bytes, "VMan\002\000\000\264", 8) == 0);
	CHECK(greeting_kind(bytes) == GREETING_ANSWER);
	for (i = 5; i < FRAME_ANSWER_CLEAR; i++) {
		for (v = 1; v < 256; v++) {
			bytes[i] ^= (uint8_t)v;
			CHECK(greeting_kind(bytes) == GREETING_ALIEN);
			bytes[i] ^= (uint8_t)v;
		}
	}
}

/* No byte more is asked for than the greeting has, and its length comes early. */
static void
test_greeting_lengths(void)
{
	static const struct {
		const char *begin;
		size_t length;
	} of[] = {
		{ "VMhe\2\1\0\200", 128 }, { "VMhe\2\1\0\254", 172 }, { "VMwe\2\1\0\200", 128 },
		{ "VMno\2\1\0\200", 128 }, { "VMan\2\0\0\264", 180 }, { "VMhe\1\1\0\254", 128 },
		{ "VMan\3\0\0\264", 128 }, { "VMhe\2\1\xff\xff", 128 }
	};
	uint8_t bytes[FRAME_GREETING_MAX];
	size_t i, n;

	for (i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		fill(bytes, sizeof(bytes));
		memcpy(bytes, of[i].begin, FRAME_ANSWER_CLEAR);
		for (n = 0; n < FRAME_ANSWER_CLEAR; n++)
			CHECK(greeting_length(bytes, n) == FRAME_ANSWER_CLEAR);
		for (; n < of[i].length; n++)
			CHECK(greeting_length(bytes, n) == of[i].length);
	}
}

/* From its first byte on a stranger can be told; n is 1 to 128. */
static void
test_possible(void)
{
	static const char *const magic[] = { "VMhe", "VMwe", "VMno", "VMan" };
	uint8_t bytes[FRAME_GREETING], *own;
	unsigned k, n, at;

	for (k = 0; k < 4; k++) {
		for (n = 1; n <= FRAME_GREETING; n++) {
			fill(bytes, sizeof(bytes));
			memcpy(bytes, magic[k], 4);
			own = malloc(n);
			CHECK(own != NULL);
			memcpy(own, bytes, n);
			CHECK(greeting_possible(own, n));
			at = (unsigned)(roll() % (n < 4 ? n : 4));
			own[at] ^= 0x80;
			CHECK(!greeting_possible(own, n));
			free(own);
		}
	}
	CHECK(!greeting_possible((const uint8_t *)"G", 1));
	CHECK(!greeting_possible((const uint8_t *)"VMhx", 4));
	/* Each greeting is refused where another is expected. */
	memset(bytes, 0, sizeof(bytes));
	check_alien(bytes, false);
}

/* Headers */

static const struct {
	enum frame_type type;
	uint32_t least, most, step;	/* lengths */
} kind[] = {
	{ FRAME_DATA, 1, FRAME_DATA_MAX, 1 },
	{ FRAME_FIN, FRAME_FIN_SIZE, FRAME_FIN_SIZE, 1 },
	{ FRAME_STATUS, FRAME_STATUS_SIZE, FRAME_STATUS_SIZE + FRAME_LEGS * FRAME_STATUS_ENTRY,
	  FRAME_STATUS_ENTRY },
	{ FRAME_HEARTBEAT, FRAME_HEARTBEAT_SIZE, FRAME_HEARTBEAT_SIZE, 1 },
	{ FRAME_DONE, FRAME_DONE_SIZE, FRAME_DONE_SIZE, 1 },
	{ FRAME_FAIL, FRAME_FAIL_SIZE, FRAME_FAIL_SIZE + FRAME_TEXT_MAX, 1 },
	{ FRAME_BYE, 0, 0, 1 },
	{ FRAME_LEAVE, 0, 0, 1 },
};

#define KINDS	(sizeof(kind) / sizeof(kind[0]))
#define WITH_PAYLOAD	(KINDS - 2)	/* kinds below it; the first is DATA */

static bool
has_seq(enum frame_type type)
{
	return type == FRAME_DATA || type == FRAME_FIN;
}

static struct frame
a_frame(size_t k)
{
	struct frame f = { .type = kind[k].type };

	f.length = kind[k].least +
	    (uint32_t)between(0, (kind[k].most - kind[k].least) / kind[k].step) * kind[k].step;
	f.flags = f.type == FRAME_DATA && roll() % 2 == 0 ? 0 : FRAME_CHECKED;
	if (f.type == FRAME_HEARTBEAT && roll() % 2 == 0)
		f.flags |= FRAME_REPLY;
	if (has_seq(f.type))
		f.seq = between(0, (uint64_t)1 << 62);
	if ((f.flags & FRAME_CHECKED) != 0)
		f.check = (uint32_t)roll();
	return f;
}

static bool
same_frame(const struct frame *a, const struct frame *b)
{
	return a->type == b->type && a->flags == b->flags && a->length == b->length &&
	    a->seq == b->seq && a->check == b->check;
}

static void
test_header(void)
{
	uint8_t bytes[FRAME_HEADER], again[FRAME_HEADER];
	struct frame f, back;
	unsigned i;
	size_t k;

	for (k = 0; k < KINDS; k++) {
		for (i = 0; i < ROUNDS; i++) {
			f = a_frame(k);
			memset(bytes, 0xa5, sizeof(bytes));
			frame_encode(&f, bytes);
			CHECK(frame_decode(&back, bytes) == NULL);
			CHECK(same_frame(&f, &back));
			frame_encode(&back, again);
			CHECK(memcmp(bytes, again, sizeof(bytes)) == 0);
		}
	}
	f = (struct frame){ FRAME_DATA, FRAME_CHECKED, 0x00123456, 0x1122334455667788,
	    0x99aabbcc };
	frame_encode(&f, bytes);
	CHECK(check_hex(bytes, "01010000" "00123456" "00000000" "1122334455667788" "99aabbcc"));
	CHECK(get(bytes + 24, 4) == crc32c(0, bytes, 24));
}

static void
test_header_damage(void)
{
	uint8_t bytes[FRAME_HEADER];
	struct frame f;
	unsigned i, v;
	size_t k;

	for (k = 0; k < KINDS; k++) {
		f = a_frame(k);
		frame_encode(&f, bytes);
		for (i = 0; i < FRAME_HEADER; i++) {
			for (v = 1; v < 256; v++) {
				bytes[i] ^= (uint8_t)v;
				CHECK(frame_decode(&f, bytes) != NULL);
				bytes[i] ^= (uint8_t)v;
			}
		}
		CHECK(frame_decode(&f, bytes) == NULL);
	}
}

/* A legal header with one field set, and the check computed anew. */
static const char *
header_with(size_t k, unsigned at, unsigned n, uint64_t v)
{
	uint8_t bytes[FRAME_HEADER];
	struct frame f = a_frame(k);

	frame_encode(&f, bytes);
	put(bytes + at, n, v);
	put(bytes + 24, 4, crc32c(0, bytes, 24));
	return frame_decode(&f, bytes);
}

static void
test_lengths(size_t k)
{
	uint32_t n, least = kind[k].least, most = kind[k].most;
	bool legal;

	for (n = 0; n < 6000; n++) {
		legal = n >= least && n <= most && (n - least) % kind[k].step == 0;
		CHECK((header_with(k, 4, 4, n) == NULL) == legal);
	}
	CHECK(header_with(k, 4, 4, most) == NULL);
	CHECK(header_with(k, 4, 4, (uint64_t)most + kind[k].step) != NULL);
	CHECK(header_with(k, 4, 4, UINT32_MAX) != NULL);
	CHECK(header_with(k, 4, 4, 0x80000000) != NULL);
}

static void
test_header_ranges(void)
{
	const uint64_t far = (uint64_t)1 << 62;
	unsigned flags, v;
	bool legal;
	size_t k;

	for (k = 0; k < KINDS; k++) {
		test_lengths(k);
		for (v = 1; v < 0x10000; v <<= 1)
			CHECK(header_with(k, 2, 2, v) != NULL);
		CHECK(header_with(k, 0, 1, 0) != NULL);
		for (v = FRAME_LEAVE + 1; v < 256; v++)
			CHECK(header_with(k, 0, 1, v) != NULL);
		for (flags = 0; flags < 256; flags++) {
			legal = (flags & ~(unsigned)(FRAME_CHECKED | FRAME_REPLY)) == 0;
			if (kind[k].type != FRAME_HEARTBEAT && (flags & FRAME_REPLY) != 0)
				legal = false;
			if (kind[k].type != FRAME_DATA && (flags & FRAME_CHECKED) == 0)
				legal = false;
			/* With flags and no check: bytes 20-23 are not looked at here. */
			if ((flags & FRAME_CHECKED) != 0)
				CHECK((header_with(k, 1, 1, flags) == NULL) == legal);
			else if (!legal)
				CHECK(header_with(k, 1, 1, flags) != NULL);
		}
		for (v = 1; v != 0; v <<= 1)
			CHECK(header_with(k, 8, 4, v) != NULL);
		CHECK(header_with(k, 12, 8, 0) == NULL);
		CHECK((header_with(k, 12, 8, 1) == NULL) == has_seq(kind[k].type));
		CHECK((header_with(k, 12, 8, far) == NULL) == has_seq(kind[k].type));
		CHECK(header_with(k, 12, 8, far + 1) != NULL);
		CHECK(header_with(k, 12, 8, UINT64_MAX) != NULL);
	}
}

/* Headers without checks: all else is as with them, and CONFIRM is a frame. */
static void
test_heads(void)
{
	uint8_t head[FRAME_HEAD], whole[FRAME_HEADER];
	struct frame f, back;
	unsigned i;
	size_t k;

	for (k = 0; k < KINDS; k++) {
		for (i = 0; i < ROUNDS; i++) {
			f = a_frame(k);
			f.flags &= (uint8_t)~FRAME_CHECKED;
			f.check = 0;
			frame_head_encode(&f, head);
			frame_encode(&f, whole);
			CHECK(memcmp(head, whole, sizeof(head)) == 0);
			CHECK(frame_head_decode(&back, head) == NULL && same_frame(&f, &back));
			head[1] |= FRAME_CHECKED;
			CHECK(frame_head_decode(&back, head) != NULL);
			head[1] &= (uint8_t)~FRAME_CHECKED;
			head[roll() % 2 == 0 ? 2 + roll() % 2 : 8 + roll() % 4] ^=
			    (uint8_t)(1 + roll() % 255);
			CHECK(frame_head_decode(&back, head) != NULL);
		}
	}
	f = (struct frame){ .type = FRAME_CONFIRM };
	frame_head_encode(&f, head);
	CHECK(frame_head_decode(&back, head) == NULL && same_frame(&f, &back));
	f.flags = FRAME_CHECKED;
	frame_encode(&f, whole);
	CHECK(frame_decode(&back, whole) != NULL);
	f = (struct frame){ .type = FRAME_CONFIRM, .length = 1 };
	frame_head_encode(&f, head);
	CHECK(frame_head_decode(&back, head) != NULL);
}

static void
test_unannounced(void)
{
	struct frame f = { .type = FRAME_DATA, .length = 5 };
	uint8_t bytes[FRAME_HEADER];

	frame_encode(&f, bytes);
	CHECK(frame_decode(&f, bytes) == NULL);
	f.check = 1;
	frame_encode(&f, bytes);
	CHECK(frame_decode(&f, bytes) != NULL);
}

/* Payload checks */

static void
test_payload_check(void)
{
	struct frame f = { .type = FRAME_DATA, .length = 400, .seq = 9 }, back;
	uint8_t payload[400], bytes[FRAME_HEADER];
	unsigned i, v;

	fill(payload, sizeof(payload));
	CHECK(frame_payload_good(&f, payload));		/* it has none */
	frame_encode_checked(&f, payload, bytes);
	CHECK(f.flags == FRAME_CHECKED && f.check == crc32c(0, payload, 400));
	CHECK(frame_decode(&back, bytes) == NULL && same_frame(&f, &back));
	CHECK(frame_payload_good(&back, payload));
	for (i = 0; i < sizeof(payload); i++) {
		for (v = 1; v < 256; v++) {
			payload[i] ^= (uint8_t)v;
			CHECK(!frame_payload_good(&back, payload));
			payload[i] ^= (uint8_t)v;
		}
	}
	/* Other flags stay, and nothing has a check too. */
	f = (struct frame){ .type = FRAME_HEARTBEAT, .flags = FRAME_REPLY,
	    .length = FRAME_HEARTBEAT_SIZE };
	frame_encode_checked(&f, payload, bytes);
	CHECK(f.flags == (FRAME_REPLY | FRAME_CHECKED));
	f = (struct frame){ .type = FRAME_BYE };
	frame_encode_checked(&f, NULL, bytes);
	CHECK(frame_decode(&back, bytes) == NULL && frame_payload_good(&back, payload));
}

/* Payloads */

union any {
	struct fin fin;
	struct status status;
	struct heartbeat heartbeat;
	struct done done;
	struct fail fail;
};

static size_t
encode(enum frame_type type, const union any *m, uint8_t *out)
{
	switch (type) {
	case FRAME_FIN:
		return fin_encode(&m->fin, out);
	case FRAME_STATUS:
		return status_encode(&m->status, out);
	case FRAME_HEARTBEAT:
		return heartbeat_encode(&m->heartbeat, out);
	case FRAME_DONE:
		return done_encode(&m->done, out);
	case FRAME_FAIL:
		return fail_encode(&m->fail, out);
	case FRAME_DATA:
	case FRAME_BYE:
	case FRAME_LEAVE:
	case FRAME_CONFIRM:
		break;
	}
	return 0;
}

/* Decodes from memory of n bytes exactly. */
static const char *
decode(enum frame_type type, union any *m, const uint8_t *in, size_t n)
{
	uint8_t *own = malloc(n + (n == 0));
	const char *why = "no payload";

	CHECK(own != NULL);
	memcpy(own, in, n);
	memset(m, 0xa5, sizeof(*m));
	if (type == FRAME_FIN)
		why = fin_decode(&m->fin, own, n);
	else if (type == FRAME_STATUS)
		why = status_decode(&m->status, own, n);
	else if (type == FRAME_HEARTBEAT)
		why = heartbeat_decode(&m->heartbeat, own, n);
	else if (type == FRAME_DONE)
		why = done_decode(&m->done, own, n);
	else if (type == FRAME_FAIL)
		why = fail_decode(&m->fail, own, n);
	free(own);
	return why;
}

static void
a_status(struct status *s)
{
	unsigned i;

	s->delivered = between(0, (uint64_t)1 << 62);
	s->limit = between(s->delivered, (uint64_t)1 << 62);
	s->blocked = roll() % 2 == 0;
	s->waited_ms = (uint32_t)roll();
	s->count = (unsigned)between(0, FRAME_LEGS);
	for (i = 0; i < s->count; i++) {
		s->entry[i].leg = (uint16_t)between(0, FRAME_LEGS - 1);
		s->entry[i].incarnation = (uint32_t)roll();
		s->entry[i].received = between(0, UINT64_MAX);
	}
}

static void
a_message(enum frame_type type, union any *m)
{
	memset(m, 0, sizeof(*m));
	switch (type) {
	case FRAME_FIN:
		m->fin.digest = between(0, UINT64_MAX);
		m->fin.waited_ms = (uint32_t)roll();
		break;
	case FRAME_STATUS:
		a_status(&m->status);
		break;
	case FRAME_HEARTBEAT:
		m->heartbeat.counter = (uint32_t)between(0, UINT32_MAX);
		m->heartbeat.echo = (uint32_t)between(0, UINT32_MAX);
		m->heartbeat.seen = between(0, UINT64_MAX);
		m->heartbeat.next = between(0, UINT64_MAX);
		m->heartbeat.idle = roll() % 2 == 0;
		m->heartbeat.legs = (unsigned)between(0, FRAME_LEGS);
		m->heartbeat.waited_ms = (uint32_t)roll();
		break;
	case FRAME_DONE:
		m->done.total = between(0, UINT64_MAX);
		m->done.waited_ms = (uint32_t)roll();
		break;
	case FRAME_FAIL:
		m->fail.reason = (enum failure)between(FAIL_SOURCE, FAIL_COMMAND);
		text(m->fail.text, (size_t)between(0, FRAME_TEXT_MAX));
		break;
	case FRAME_DATA:
	case FRAME_BYE:
	case FRAME_LEAVE:
	case FRAME_CONFIRM:
		break;
	}
}

static bool
same_status(const struct status *a, const struct status *b)
{
	unsigned i;

	for (i = 0; i < a->count; i++)
		if (a->entry[i].leg != b->entry[i].leg ||
		    a->entry[i].incarnation != b->entry[i].incarnation ||
		    a->entry[i].received != b->entry[i].received)
			return false;
	return a->delivered == b->delivered && a->limit == b->limit &&
	    a->blocked == b->blocked && a->waited_ms == b->waited_ms && a->count == b->count;
}

static bool
same(enum frame_type type, const union any *a, const union any *b)
{
	switch (type) {
	case FRAME_FIN:
		return a->fin.digest == b->fin.digest && a->fin.waited_ms == b->fin.waited_ms;
	case FRAME_STATUS:
		return same_status(&a->status, &b->status);
	case FRAME_HEARTBEAT:
		return a->heartbeat.counter == b->heartbeat.counter &&
		    a->heartbeat.echo == b->heartbeat.echo &&
		    a->heartbeat.seen == b->heartbeat.seen &&
		    a->heartbeat.next == b->heartbeat.next &&
		    a->heartbeat.idle == b->heartbeat.idle &&
		    a->heartbeat.legs == b->heartbeat.legs &&
		    a->heartbeat.waited_ms == b->heartbeat.waited_ms;
	case FRAME_DONE:
		return a->done.total == b->done.total && a->done.status == b->done.status &&
		    a->done.waited_ms == b->done.waited_ms;
	case FRAME_FAIL:
		return a->fail.reason == b->fail.reason &&
		    strcmp(a->fail.text, b->fail.text) == 0;
	case FRAME_DATA:
	case FRAME_BYE:
	case FRAME_LEAVE:
	case FRAME_CONFIRM:
		break;
	}
	return true;
}

static void
test_payloads(void)
{
	static union any m, back;
	uint8_t out[FRAME_CONTROL_MAX];
	enum frame_type type;
	unsigned i;
	size_t k, n;

	for (k = 1; k < WITH_PAYLOAD; k++) {
		type = kind[k].type;
		for (i = 0; i < ROUNDS; i++) {
			a_message(type, &m);
			memset(out, 0xa5, sizeof(out));
			n = encode(type, &m, out);
			CHECK(n >= kind[k].least && n <= kind[k].most);
			CHECK((n - kind[k].least) % kind[k].step == 0);
			CHECK(decode(type, &back, out, n) == NULL);
			CHECK(same(type, &m, &back));
		}
	}
}

/* Bytes too few or too many; only a FAIL's text may end anywhere. */
static void
test_payload_lengths(void)
{
	static union any m, back;
	static uint8_t out[2 * FRAME_CONTROL_MAX];
	size_t k, n, whole;
	bool legal;

	for (k = 1; k < WITH_PAYLOAD; k++) {
		a_message(kind[k].type, &m);
		if (kind[k].type == FRAME_STATUS)
			m.status.count = 5;
		whole = encode(kind[k].type, &m, out);
		for (n = 0; n < sizeof(out); n++) {
			legal = n == whole;
			if (kind[k].type == FRAME_FAIL)
				legal = n >= FRAME_FAIL_SIZE &&
				    n <= FRAME_FAIL_SIZE + FRAME_TEXT_MAX;
			CHECK((decode(kind[k].type, &back, out, n) == NULL) == legal);
		}
	}
}

/*
 * Any change of an byte is refused, or it is another legal message: then that
 * one encodes to just these bytes.  (A FAIL's text ends at its first zero.)
 */
static void
test_payload_damage(void)
{
	static union any m, back;
	uint8_t out[FRAME_CONTROL_MAX], again[FRAME_CONTROL_MAX];
	size_t k, n, i;
	unsigned v;

	for (k = 1; k < WITH_PAYLOAD; k++) {
		a_message(kind[k].type, &m);
		if (kind[k].type == FRAME_STATUS)
			m.status.count = 3;
		if (kind[k].type == FRAME_FAIL)
			m.fail.text[70] = '\0';
		n = encode(kind[k].type, &m, out);
		for (i = 0; i < n; i++) {
			for (v = 1; v < 256; v++) {
				out[i] ^= (uint8_t)v;
				if (decode(kind[k].type, &back, out, n) == NULL) {
					CHECK(!same(kind[k].type, &m, &back));
					CHECK(encode(kind[k].type, &back, again) == n ||
					    (kind[k].type == FRAME_FAIL && out[i] == 0));
					if (kind[k].type != FRAME_FAIL)
						CHECK(memcmp(out, again, n) == 0);
				}
				out[i] ^= (uint8_t)v;
			}
		}
	}
}

static const char *
payload_with(enum frame_type type, unsigned at, unsigned bytes, uint64_t v)
{
	static union any m;
	uint8_t out[FRAME_CONTROL_MAX];
	size_t n;

	a_message(type, &m);
	if (type == FRAME_STATUS) {
		m.status.delivered = 1000;
		m.status.limit = 2000;
		m.status.count = 3;
	}
	n = encode(type, &m, out);
	put(out + at, bytes, v);
	return decode(type, &m, out, n);
}

static void
test_payload_ranges(void)
{
	const uint64_t far = (uint64_t)1 << 62;
	unsigned i, v;

	for (i = 12; i < 16; i++)
		CHECK(payload_with(FRAME_FIN, i, 1, 1 + roll() % 255) != NULL);

	CHECK(payload_with(FRAME_STATUS, 0, 8, 2000) == NULL);
	CHECK(payload_with(FRAME_STATUS, 0, 8, 2001) != NULL);
	CHECK(payload_with(FRAME_STATUS, 0, 8, UINT64_MAX) != NULL);
	CHECK(payload_with(FRAME_STATUS, 8, 8, 999) != NULL);
	CHECK(payload_with(FRAME_STATUS, 8, 8, far) == NULL);
	CHECK(payload_with(FRAME_STATUS, 8, 8, far + 1) != NULL);
	for (v = 2; v < 256; v++)
		CHECK(payload_with(FRAME_STATUS, 16, 1, v) != NULL);
	CHECK(payload_with(FRAME_STATUS, 17, 1, 1 + roll() % 255) != NULL);
	for (v = 0; v < 0x10000; v++)
		CHECK((payload_with(FRAME_STATUS, 22, 2, v) == NULL) == (v == 3));
	for (i = 0; i < 3; i++) {
		unsigned at = FRAME_STATUS_SIZE + i * FRAME_STATUS_ENTRY;

		CHECK(payload_with(FRAME_STATUS, at, 2, FRAME_LEGS - 1) == NULL);
		CHECK(payload_with(FRAME_STATUS, at, 2, FRAME_LEGS) != NULL);
		CHECK(payload_with(FRAME_STATUS, at, 2, UINT16_MAX) != NULL);
		CHECK(payload_with(FRAME_STATUS, at + 2, 2, 1) != NULL);
		CHECK(payload_with(FRAME_STATUS, at + 2, 2, 0x100) != NULL);
	}

	for (v = 2; v < 256; v++)
		CHECK(payload_with(FRAME_HEARTBEAT, 24, 1, v) != NULL);
	for (v = 0; v < 256; v++)
		CHECK((payload_with(FRAME_HEARTBEAT, 25, 1, v) != NULL) == (v > FRAME_LEGS));
	for (i = 26; i < 28; i++)
		CHECK(payload_with(FRAME_HEARTBEAT, i, 1, 1 + roll() % 255) != NULL);

	for (i = 8; i < 11; i++)
		CHECK(payload_with(FRAME_DONE, i, 1, 1 + roll() % 255) != NULL);
	for (v = 0; v < 256; v++)
		CHECK(payload_with(FRAME_DONE, 11, 1, v) == NULL);

	for (v = 0; v < 0x10000; v++)
		CHECK((payload_with(FRAME_FAIL, 0, 2, v) == NULL) ==
		    (v >= FAIL_SOURCE && v <= FAIL_COMMAND));
	CHECK(payload_with(FRAME_FAIL, 2, 2, 1) != NULL);
	CHECK(payload_with(FRAME_FAIL, 2, 2, 0x100) != NULL);
}

/* With more entries than there are legs, however long the payload is. */
static void
test_status_entries(void)
{
	static uint8_t in[FRAME_STATUS_SIZE + 200 * FRAME_STATUS_ENTRY];
	static union any m;
	unsigned n;

	for (n = 0; n <= 200; n++) {
		memset(in, 0, sizeof(in));
		put(in + 22, 2, n);
		CHECK((decode(FRAME_STATUS, &m, in, FRAME_STATUS_SIZE +
		    n * FRAME_STATUS_ENTRY) == NULL) == (n <= FRAME_LEGS));
	}
}

/* Garbage that passes its check neither crashes nor is taken for more than it says. */
static void
test_garbage(void)
{
	static union any m;
	uint8_t in[FRAME_CONTROL_MAX];
	struct frame f;
	unsigned i;
	size_t k;

	for (i = 0; i < 20 * ROUNDS; i++) {
		fill(in, FRAME_HEADER);
		in[0] = (uint8_t)(1 + roll() % 7);
		in[1] &= 3;
		put(in + 2, 2, 0);
		put(in + 4, 4, roll() % 200);
		if (roll() % 2 == 0)
			put(in + 12, 8, 0);
		put(in + 8, 4, 0);
		put(in + 24, 4, crc32c(0, in, 24));
		if (frame_decode(&f, in) != NULL)
			continue;
		for (k = 0; k < KINDS && kind[k].type != f.type; k++)
			;
		CHECK(k < KINDS && f.length >= kind[k].least && f.length <= kind[k].most);
		fill(in, f.length);
		if (decode(f.type, &m, in, f.length) == NULL && f.type == FRAME_STATUS)
			CHECK(m.status.count <= FRAME_LEGS);
	}
}

static void
test_names(void)
{
	unsigned v;

	CHECK(strcmp(frame_name(FRAME_DATA), "DATA") == 0);
	CHECK(strcmp(frame_name(FRAME_BYE), "BYE") == 0);
	CHECK(strcmp(frame_name(FRAME_LEAVE), "LEAVE") == 0);
	CHECK(strcmp(frame_name(FRAME_CONFIRM), "CONFIRM") == 0);
	CHECK(strcmp(refusal_text(REFUSE_STALE),
	    "a newer incarnation of this leg is in place") == 0);
	CHECK(strcmp(failure_text(FAIL_PROTOCOL), "the protocol was broken") == 0);
	CHECK(strcmp(failure_text(FAIL_COMMAND), "the command failed") == 0);
	for (v = 0; v < 300; v++) {
		CHECK(frame_name((enum frame_type)v) != NULL);
		CHECK(refusal_text((enum refusal)v) != NULL);
		CHECK(failure_text((enum failure)v) != NULL);
	}
}

int
main(int argc, char **argv)
{
	state = check_seed(argc, argv, 20);
	test_hello();
	test_hello_layout();
	test_greeting_damage();
	test_hello_ranges();
	test_features();
	test_refuse();
	test_sealed();
	test_greeting_lengths();
	test_possible();
	test_header();
	test_header_damage();
	test_header_ranges();
	test_heads();
	test_unannounced();
	test_payload_check();
	test_payloads();
	test_payload_lengths();
	test_payload_damage();
	test_payload_ranges();
	test_status_entries();
	test_garbage();
	test_names();
	return check_done();
}
