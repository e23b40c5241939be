/*
 * The codec: every message survives the way there and back, and nothing that
 * is damaged, cut short or out of range is taken for legal.  Each octet of each
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

#include "../crc32c.h"
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
put(uint8_t *to, unsigned octets, uint64_t v)
{
	while (octets-- > 0) {
		to[octets] = (uint8_t)v;
		v >>= 8;
	}
}

static uint64_t
get(const uint8_t *from, unsigned octets)
{
	uint64_t v = 0;

	while (octets-- > 0)
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

	h.role = roll() % 2 == 0 ? ROLE_SENDER : ROLE_RECEIVER;
	fill(h.session, sizeof(h.session));
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
	h.delivered = h.welcome ? between(0, UINT64_MAX) : 0;
	fill(h.nonce, sizeof(h.nonce));
	return h;
}

static bool
same_hello(const struct hello *a, const struct hello *b)
{
	return a->welcome == b->welcome && a->role == b->role &&
	    memcmp(a->session, b->session, FRAME_ID) == 0 &&
	    memcmp(a->instance, b->instance, FRAME_ID) == 0 && a->leg == b->leg &&
	    a->path == b->path && a->incarnation == b->incarnation && a->required == b->required &&
	    a->known == b->known && memcmp(a->phrase, b->phrase, 4) == 0 &&
	    a->window == b->window && a->frame == b->frame &&
	    a->heartbeat_ms == b->heartbeat_ms && a->timeout_ms == b->timeout_ms &&
	    a->delivered == b->delivered && memcmp(a->nonce, b->nonce, sizeof(a->nonce)) == 0;
}

static void
test_hello(void)
{
	uint8_t octets[FRAME_GREETING], again[FRAME_GREETING];
	struct hello h, back;
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		h = a_hello();
		memset(octets, 0xa5, sizeof(octets));
		hello_encode(&h, octets);
		CHECK(greeting_kind(octets) ==
		    (h.welcome ? GREETING_WELCOME : GREETING_HELLO));
		CHECK(hello_decode(&back, octets) == NULL);
		CHECK(same_hello(&h, &back));
		hello_encode(&back, again);
		CHECK(memcmp(octets, again, sizeof(octets)) == 0);
	}
}

/* The offsets of the table in frame.h, in a message whose fields all differ. */
static void
test_hello_layout(void)
{
	uint8_t octets[FRAME_GREETING];
	struct hello h = {
		.welcome = true, .role = ROLE_RECEIVER, .leg = 0x12, .incarnation = 0x23456789,
		.required = 0x01020300, .known = 0x01020304, .phrase = { 'a', 'b', 'c', 'd' },
		.window = 0x0000000823456789, .frame = 0x00abcdef, .heartbeat_ms = 0x00012345,
		.timeout_ms = 0x0001020304050607, .delivered = 0x1122334455667788
	};

	memset(h.session, 0x51, FRAME_ID);
	memset(h.instance, 0x52, FRAME_ID);
	memset(h.nonce, 0x53, sizeof(h.nonce));
	hello_encode(&h, octets);
	CHECK(memcmp(octets, "VMwe\001\002\000\200", 8) == 0);
	CHECK(check_hex(octets + 8, "51515151515151515151515151515151"));
	CHECK(check_hex(octets + 24, "52525252525252525252525252525252"));
	CHECK(check_hex(octets + 40, "00120000" "23456789" "01020300" "01020304"));
	CHECK(check_hex(octets + 56, "61626364" "0000000823456789" "00abcdef" "00012345"));
	CHECK(check_hex(octets + 76, "0001020304050607" "1122334455667788"));
	CHECK(check_hex(octets + 92, "53535353535353535353535353535353"));
	CHECK(check_hex(octets + 108, "00000000000000000000000000000000"));
	CHECK(get(octets + 124, 4) == crc32c(0, octets, 124));
	h.welcome = false;
	h.delivered = 0;
	hello_encode(&h, octets);
	CHECK(memcmp(octets, "VMhe", 4) == 0);
	CHECK(hello_decode(&h, octets) == NULL);
}

/* Whatever these octets are, they are no greeting of this version. */
static void
check_alien(const uint8_t octets[FRAME_GREETING], bool version)
{
	enum greeting kind = greeting_kind(octets);
	struct challenge c;
	struct refuse r;
	struct proof p;
	struct hello h;

	CHECK(kind == (version ? GREETING_VERSION : GREETING_ALIEN));
	CHECK(hello_decode(&h, octets) != NULL);
	CHECK(refuse_decode(&r, octets) != NULL);
	CHECK(challenge_decode(&c, octets) != NULL);
	CHECK(proof_decode(&p, octets) != NULL);
}

/* Every octet to every other value, so every bit by itself too. */
static void
test_greeting_damage(void)
{
	struct refuse r = { .reason = REFUSE_BUSY, .no_leg_ms = 77, .text = "for a while" };
	uint8_t octets[FRAME_GREETING];
	struct hello h = a_hello();
	struct challenge c;
	struct proof p;
	unsigned i, k, v;

	fill(&c, sizeof(c));
	fill(&p, sizeof(p));
	for (k = 0; k < 5; k++) {
		h.welcome = k == 1;
		h.delivered = 0;
		if (k < 2)
			hello_encode(&h, octets);
		else if (k == 2)
			refuse_encode(&r, octets);
		else if (k == 3)
			challenge_encode(&c, octets);
		else
			proof_encode(&p, octets);
		for (i = 0; i < FRAME_GREETING; i++) {
			for (v = 1; v < 256; v++) {
				octets[i] ^= (uint8_t)v;
				check_alien(octets, i == 4);
				octets[i] ^= (uint8_t)v;
			}
		}
		CHECK(greeting_kind(octets) != GREETING_ALIEN);
	}
}

/* Set a field of a legal greeting, with the check computed anew. */
static const char *
hello_with(bool welcome, unsigned at, unsigned octets, uint64_t v)
{
	uint8_t out[FRAME_GREETING];
	struct hello h = a_hello();

	h.welcome = welcome;
	h.delivered = 0;
	hello_encode(&h, out);
	put(out + at, octets, v);
	seal(out);
	return hello_decode(&h, out);
}

static void
test_hello_ranges(void)
{
	static const struct {
		unsigned at, octets;
		uint64_t least, most, top;
	} field[] = {
		{ 5, 1, ROLE_SENDER, ROLE_RECEIVER, UINT8_MAX },
		{ 6, 2, FRAME_GREETING, FRAME_GREETING, UINT16_MAX },
		{ 40, 2, 0, FRAME_LEGS - 1, UINT16_MAX },
		{ 42, 2, 0, FRAME_PATHS - 1, UINT16_MAX },
		{ 44, 4, 1, UINT32_MAX, UINT32_MAX },
		{ 60, 8, 1 << 20, (uint64_t)64 << 30, UINT64_MAX },
		{ 68, 4, 4096, 16 << 20, UINT32_MAX },
		{ 72, 4, 1000, 3600000, UINT32_MAX },
		{ 76, 8, 0, (uint64_t)1 << 50, UINT64_MAX },
		{ 84, 8, 0, 0, UINT64_MAX },
		{ 108, 8, 0, 0, UINT64_MAX },
		{ 116, 8, 0, 0, UINT64_MAX },
	};
	size_t i;
	unsigned k;

	for (i = 0; i < sizeof(field) / sizeof(field[0]); i++) {
		uint64_t least = field[i].least, most = field[i].most, top = field[i].top;
		unsigned at = field[i].at, octets = field[i].octets;

		CHECK(hello_with(false, at, octets, least) == NULL);
		CHECK(hello_with(false, at, octets, most) == NULL);
		if (least > 0) {
			CHECK(hello_with(false, at, octets, least - 1) != NULL);
			CHECK(hello_with(true, at, octets, 0) != NULL);
		}
		if (most == top)
			continue;
		CHECK(hello_with(false, at, octets, most + 1) != NULL);
		CHECK(hello_with(false, at, octets, top) != NULL);
		for (k = 0; k < 200; k++)
			CHECK(hello_with(false, at, octets, most + 1 + roll() % (top - most)) !=
			    NULL);
		/* WELCOME differs in one thing: something may be delivered. */
		CHECK((hello_with(true, at, octets, top) == NULL) == (at == 84));
	}
	for (i = 108; i < 124; i++)
		CHECK(hello_with(roll() % 2 == 0, (unsigned)i, 1, 1 + roll() % 255) != NULL);
	for (i = 2; i < 256; i++)
		CHECK(hello_with(false, 4, 1, i) != NULL);
}

static void
test_features(void)
{
	uint8_t octets[FRAME_GREETING];
	struct hello h;
	unsigned bit;

	for (bit = 0; bit < 32; bit++) {
		h = a_hello();
		h.required = (uint32_t)1 << bit;
		h.known = ~h.required;
		hello_encode(&h, octets);
		CHECK(hello_decode(&h, octets) != NULL);
		h = a_hello();
		h.required = h.known = (uint32_t)1 << bit;
		hello_encode(&h, octets);
		CHECK(hello_decode(&h, octets) == NULL);
	}
}

static void
test_refuse(void)
{
	uint8_t octets[FRAME_GREETING];
	struct refuse r, back;
	char longer[FRAME_REFUSE_TEXT + 1];
	unsigned i;

	for (i = 0; i < ROUNDS; i++) {
		memset(&r, 0, sizeof(r));
		r.reason = (enum refusal)between(REFUSE_PHRASE, REFUSE_KEY);
		fill(r.session, sizeof(r.session));
		r.no_leg_ms = between(0, UINT64_MAX);
		text(r.text, i % (FRAME_REFUSE_TEXT + 1));
		refuse_encode(&r, octets);
		CHECK(greeting_kind(octets) == GREETING_REFUSE);
		memset(&back, 0xa5, sizeof(back));
		CHECK(refuse_decode(&back, octets) == NULL);
		CHECK(back.reason == r.reason && back.no_leg_ms == r.no_leg_ms);
		CHECK(memcmp(back.session, r.session, FRAME_ID) == 0);
		CHECK(strcmp(back.text, r.text) == 0);
	}
	for (i = 0; i < 256; i++) {
		octets[5] = (uint8_t)i;
		seal(octets);
		CHECK((refuse_decode(&back, octets) == NULL) ==
		    (i >= REFUSE_PHRASE && i <= REFUSE_KEY));
	}
	/* A text that fills its place has no zero behind it. */
	octets[5] = REFUSE_BUSY;
	memset(octets + 32, 'x', FRAME_REFUSE_TEXT);
	seal(octets);
	memset(longer, 'x', FRAME_REFUSE_TEXT);
	longer[FRAME_REFUSE_TEXT] = '\0';
	CHECK(refuse_decode(&back, octets) == NULL && strcmp(back.text, longer) == 0);
}

static void
test_challenge(void)
{
	uint8_t octets[FRAME_GREETING];
	struct challenge c, back;
	unsigned i, v;

	for (i = 0; i < ROUNDS; i++) {
		fill(&c, sizeof(c));
		memset(octets, 0xa5, sizeof(octets));
		challenge_encode(&c, octets);
		CHECK(greeting_kind(octets) == GREETING_CHALLENGE);
		CHECK(challenge_decode(&back, octets) == NULL);
		CHECK(memcmp(&c, &back, sizeof(c)) == 0);
	}
	memset(c.session, 0x51, sizeof(c.session));
	memset(c.nonce, 0x52, sizeof(c.nonce));
	challenge_encode(&c, octets);
	CHECK(memcmp(octets, "VMch\001\000\000\200", 8) == 0);
	CHECK(check_hex(octets + 8, "51515151515151515151515151515151"));
	CHECK(check_hex(octets + 24, "52525252525252525252525252525252"));
	for (i = 5; i < 124; i = i == 5 ? 40 : i + 1) {
		for (v = 1; v < 256; v++) {
			octets[i] = (uint8_t)v;
			seal(octets);
			CHECK(challenge_decode(&back, octets) != NULL);
		}
		octets[i] = 0;
		seal(octets);
		CHECK(challenge_decode(&back, octets) == NULL);
	}
}

static void
test_proof(void)
{
	uint8_t octets[FRAME_GREETING];
	struct proof p, back;
	unsigned i, v;

	for (i = 0; i < ROUNDS; i++) {
		fill(&p, sizeof(p));
		memset(octets, 0xa5, sizeof(octets));
		proof_encode(&p, octets);
		CHECK(greeting_kind(octets) == GREETING_PROOF);
		CHECK(proof_decode(&back, octets) == NULL);
		CHECK(memcmp(&p, &back, sizeof(p)) == 0);
	}
	memset(p.session, 0x51, sizeof(p.session));
	memset(p.hmac, 0x52, sizeof(p.hmac));
	proof_encode(&p, octets);
	CHECK(memcmp(octets, "VMpr\001\000\000\200", 8) == 0);
	CHECK(check_hex(octets + 8, "51515151515151515151515151515151"));
	CHECK(check_hex(octets + 24, "52525252525252525252525252525252"
	    "52525252525252525252525252525252"));
	for (i = 5; i < 124; i = i == 5 ? 56 : i + 1) {
		for (v = 1; v < 256; v++) {
			octets[i] = (uint8_t)v;
			seal(octets);
			CHECK(proof_decode(&back, octets) != NULL);
		}
		octets[i] = 0;
		seal(octets);
		CHECK(proof_decode(&back, octets) == NULL);
	}
}

/* From its first octet on a stranger can be told; n is 1 to 128. */
static void
test_possible(void)
{
	static const char *const magic[] = { "VMhe", "VMwe", "VMno", "VMch", "VMpr" };
	uint8_t octets[FRAME_GREETING], *own;
	unsigned k, n, at;

	for (k = 0; k < 5; k++) {
		for (n = 1; n <= FRAME_GREETING; n++) {
			fill(octets, sizeof(octets));
			memcpy(octets, magic[k], 4);
			own = malloc(n);
			CHECK(own != NULL);
			memcpy(own, octets, n);
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
	memset(octets, 0, sizeof(octets));
	check_alien(octets, false);
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
	uint8_t octets[FRAME_HEADER], again[FRAME_HEADER];
	struct frame f, back;
	unsigned i;
	size_t k;

	for (k = 0; k < KINDS; k++) {
		for (i = 0; i < ROUNDS; i++) {
			f = a_frame(k);
			memset(octets, 0xa5, sizeof(octets));
			frame_encode(&f, octets);
			CHECK(frame_decode(&back, octets) == NULL);
			CHECK(same_frame(&f, &back));
			frame_encode(&back, again);
			CHECK(memcmp(octets, again, sizeof(octets)) == 0);
		}
	}
	f = (struct frame){ FRAME_DATA, FRAME_CHECKED, 0x00123456, 0x1122334455667788,
	    0x99aabbcc };
	frame_encode(&f, octets);
	CHECK(check_hex(octets, "01010000" "00123456" "1122334455667788" "99aabbcc"));
	CHECK(get(octets + 20, 4) == crc32c(0, octets, 20));
}

static void
test_header_damage(void)
{
	uint8_t octets[FRAME_HEADER];
	struct frame f;
	unsigned i, v;
	size_t k;

	for (k = 0; k < KINDS; k++) {
		f = a_frame(k);
		frame_encode(&f, octets);
		for (i = 0; i < FRAME_HEADER; i++) {
			for (v = 1; v < 256; v++) {
				octets[i] ^= (uint8_t)v;
				CHECK(frame_decode(&f, octets) != NULL);
				octets[i] ^= (uint8_t)v;
			}
		}
		CHECK(frame_decode(&f, octets) == NULL);
	}
}

/* A legal header with one field set, and the check computed anew. */
static const char *
header_with(size_t k, unsigned at, unsigned n, uint64_t v)
{
	uint8_t octets[FRAME_HEADER];
	struct frame f = a_frame(k);

	frame_encode(&f, octets);
	put(octets + at, n, v);
	put(octets + 20, 4, crc32c(0, octets, 20));
	return frame_decode(&f, octets);
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
			/* With flags and no check: octets 16-19 are not looked at here. */
			if ((flags & FRAME_CHECKED) != 0)
				CHECK((header_with(k, 1, 1, flags) == NULL) == legal);
			else if (!legal)
				CHECK(header_with(k, 1, 1, flags) != NULL);
		}
		CHECK(header_with(k, 8, 8, 0) == NULL);
		CHECK((header_with(k, 8, 8, 1) == NULL) == has_seq(kind[k].type));
		CHECK((header_with(k, 8, 8, far) == NULL) == has_seq(kind[k].type));
		CHECK(header_with(k, 8, 8, far + 1) != NULL);
		CHECK(header_with(k, 8, 8, UINT64_MAX) != NULL);
	}
}

static void
test_unannounced(void)
{
	struct frame f = { .type = FRAME_DATA, .length = 5 };
	uint8_t octets[FRAME_HEADER];

	frame_encode(&f, octets);
	CHECK(frame_decode(&f, octets) == NULL);
	f.check = 1;
	frame_encode(&f, octets);
	CHECK(frame_decode(&f, octets) != NULL);
}

/* Payload checks */

static void
test_payload_check(void)
{
	struct frame f = { .type = FRAME_DATA, .length = 400, .seq = 9 }, back;
	uint8_t payload[400], octets[FRAME_HEADER];
	unsigned i, v;

	fill(payload, sizeof(payload));
	CHECK(frame_payload_good(&f, payload));		/* it has none */
	frame_encode_checked(&f, payload, octets);
	CHECK(f.flags == FRAME_CHECKED && f.check == crc32c(0, payload, 400));
	CHECK(frame_decode(&back, octets) == NULL && same_frame(&f, &back));
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
	frame_encode_checked(&f, payload, octets);
	CHECK(f.flags == (FRAME_REPLY | FRAME_CHECKED));
	f = (struct frame){ .type = FRAME_BYE };
	frame_encode_checked(&f, NULL, octets);
	CHECK(frame_decode(&back, octets) == NULL && frame_payload_good(&back, payload));
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
		break;
	}
	return 0;
}

/* Decodes from memory of n octets exactly. */
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
		break;
	case FRAME_DONE:
		m->done.total = between(0, UINT64_MAX);
		break;
	case FRAME_FAIL:
		m->fail.reason = (enum failure)between(FAIL_SOURCE, FAIL_COMMAND);
		text(m->fail.text, (size_t)between(0, FRAME_TEXT_MAX));
		break;
	case FRAME_DATA:
	case FRAME_BYE:
	case FRAME_LEAVE:
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
	    a->blocked == b->blocked && a->count == b->count;
}

static bool
same(enum frame_type type, const union any *a, const union any *b)
{
	switch (type) {
	case FRAME_FIN:
		return a->fin.digest == b->fin.digest;
	case FRAME_STATUS:
		return same_status(&a->status, &b->status);
	case FRAME_HEARTBEAT:
		return a->heartbeat.counter == b->heartbeat.counter &&
		    a->heartbeat.echo == b->heartbeat.echo &&
		    a->heartbeat.seen == b->heartbeat.seen &&
		    a->heartbeat.next == b->heartbeat.next &&
		    a->heartbeat.idle == b->heartbeat.idle;
	case FRAME_DONE:
		return a->done.total == b->done.total && a->done.status == b->done.status;
	case FRAME_FAIL:
		return a->fail.reason == b->fail.reason &&
		    strcmp(a->fail.text, b->fail.text) == 0;
	case FRAME_DATA:
	case FRAME_BYE:
	case FRAME_LEAVE:
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

/* Octets too few or too many; only a FAIL's text may end anywhere. */
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
				legal = n >= FRAME_FAIL_SIZE && n <= FRAME_FAIL_SIZE + FRAME_TEXT_MAX;
			CHECK((decode(kind[k].type, &back, out, n) == NULL) == legal);
		}
	}
}

/*
 * Any change of an octet is refused, or it is another legal message: then that
 * one encodes to just these octets.  (A FAIL's text ends at its first zero.)
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
payload_with(enum frame_type type, unsigned at, unsigned octets, uint64_t v)
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
	put(out + at, octets, v);
	return decode(type, &m, out, n);
}

static void
test_payload_ranges(void)
{
	const uint64_t far = (uint64_t)1 << 62;
	unsigned i, v;

	for (i = 0; i < 8; i++)
		CHECK(payload_with(FRAME_FIN, 8 + i, 1, 1 + roll() % 255) != NULL);

	CHECK(payload_with(FRAME_STATUS, 0, 8, 2000) == NULL);
	CHECK(payload_with(FRAME_STATUS, 0, 8, 2001) != NULL);
	CHECK(payload_with(FRAME_STATUS, 0, 8, UINT64_MAX) != NULL);
	CHECK(payload_with(FRAME_STATUS, 8, 8, 999) != NULL);
	CHECK(payload_with(FRAME_STATUS, 8, 8, far) == NULL);
	CHECK(payload_with(FRAME_STATUS, 8, 8, far + 1) != NULL);
	for (v = 2; v < 256; v++)
		CHECK(payload_with(FRAME_STATUS, 16, 1, v) != NULL);
	for (i = 17; i < 22; i++)
		CHECK(payload_with(FRAME_STATUS, i, 1, 1 + roll() % 255) != NULL);
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
	for (i = 25; i < 32; i++)
		CHECK(payload_with(FRAME_HEARTBEAT, i, 1, 1 + roll() % 255) != NULL);

	for (i = 8; i < 16; i++)
		CHECK(payload_with(FRAME_DONE, i, 1, 1 + roll() % 255) != NULL);

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
			put(in + 8, 8, 0);
		put(in + 20, 4, crc32c(0, in, 20));
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
	test_challenge();
	test_proof();
	test_possible();
	test_header();
	test_header_damage();
	test_header_ranges();
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
