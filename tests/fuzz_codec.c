/*
 * Fuzz target: the codec, frame.c.
 *
 * Byte 0 of the input says what the rest is (below) and whether the check
 * that covers it is put right first, so that what lies behind is reached.
 * What a decoder accepts must encode to the same bytes, and what it fills
 * must be within the limits that its callers rely on.
 */
#include "fuzz.h"

#include "../crypto/crc32c.h"
#include "../frame.h"

#define REPAIR	0x80u	/* of byte 0: put the check right */
#define KINDS	10u

static void
put_check(uint8_t *p, size_t at)
{
	uint32_t crc = crc32c(0, p, at);

	p[at] = (uint8_t)(crc >> 24);
	p[at + 1] = (uint8_t)(crc >> 16);
	p[at + 2] = (uint8_t)(crc >> 8);
	p[at + 3] = (uint8_t)crc;
}

static void
try_hello(const uint8_t in[FRAME_GREETING])
{
	enum greeting kind = greeting_kind(in);
	uint8_t out[FRAME_GREETING];
	struct hello hello;
	const char *why = hello_decode(&hello, in);

	MUST(why != NULL || kind == GREETING_HELLO || kind == GREETING_WELCOME);
	if (why != NULL)
		return;
	MUST(hello.welcome == (kind == GREETING_WELCOME));
	MUST(hello.leg < FRAME_LEGS && hello.path < FRAME_PATHS && hello.incarnation > 0);
	MUST(hello.role >= ROLE_SENDER && hello.role <= ROLE_STREAMS);
	MUST(hello.window >= 1u << 20 && hello.frame >= 4096 && hello.frame <= FRAME_DATA_MAX);
	MUST((hello.required & ~hello.known) == 0);
	hello_encode(&hello, out);
	MUST(memcmp(in, out, FRAME_GREETING) == 0);
}

static void
try_refuse(const uint8_t in[FRAME_GREETING])
{
	uint8_t out[FRAME_GREETING];
	struct refuse refuse, again;
	const char *why = refuse_decode(&refuse, in);
	size_t n;

	MUST(why != NULL || greeting_kind(in) == GREETING_REFUSE);
	if (why != NULL)
		return;
	n = strlen(refuse.text);
	MUST(n <= FRAME_REFUSE_TEXT);
	MUST(refusal_text(refuse.reason) != refusal_text((enum refusal)0));
	refuse_encode(&refuse, out);
	/* A text ends at its first zero; what follows that is padding to us. */
	MUST(memcmp(in, out, 32 + n) == 0);
	MUST(refuse_decode(&again, out) == NULL);
	MUST(again.reason == refuse.reason && again.no_leg_ms == refuse.no_leg_ms);
	MUST(strcmp(again.text, refuse.text) == 0);
}

/* The length is known from the first bytes on, and never more than there is room for. */
static void
try_length(const uint8_t in[FRAME_GREETING], enum greeting kind)
{
	size_t n, length = greeting_length(in, FRAME_GREETING);

	MUST(length >= FRAME_GREETING && length <= FRAME_GREETING_MAX);
	MUST(kind != GREETING_SEALED || length == FRAME_HELLO_SEALED);
	MUST(kind != GREETING_ANSWER || length == FRAME_ANSWER);
	for (n = FRAME_ANSWER_CLEAR; n < FRAME_GREETING; n++)
		MUST(greeting_length(in, n) == length);
}

/* What is sealed in a greeting: HELLO survives the way there and back. */
static void
try_sealed(const uint8_t in[FRAME_GREETING])
{
	uint8_t out[FRAME_GREETING];

	if (greeting_kind(in) != GREETING_HELLO)
		return;
	memcpy(out, in, FRAME_GREETING);
	greeting_seal(out);
	greeting_unseal(out);
	MUST(memcmp(in, out, FRAME_GREETING) == 0);
}

static void
try_greeting(const uint8_t in[FRAME_GREETING])
{
	enum greeting kind = greeting_kind(in);
	size_t n;

	/* Whatever can become a greeting must never be turned away halfway. */
	for (n = 1; n <= FRAME_GREETING; n++)
		if (!greeting_possible(in, n))
			MUST(kind == GREETING_ALIEN);
	try_hello(in);
	try_refuse(in);
	try_length(in, kind);
	try_sealed(in);
}

static void
judge_frame(const struct frame *frame)
{
	MUST(frame->type >= FRAME_DATA && frame->type <= FRAME_CONFIRM);
	MUST(frame->length <= (frame->type == FRAME_DATA ? FRAME_DATA_MAX : FRAME_CONTROL_MAX));
	MUST(frame->length > 0 || frame->type >= FRAME_BYE);
	MUST(frame->seq <= (uint64_t)1 << 62);
	MUST(strcmp(frame_name(frame->type), "?") != 0);
}

static void
try_header(const uint8_t in[FRAME_HEADER])
{
	uint8_t out[FRAME_HEADER];
	struct frame frame;

	if (frame_head_decode(&frame, in) == NULL) {
		judge_frame(&frame);
		frame_head_encode(&frame, out);
		MUST(memcmp(in, out, FRAME_HEAD) == 0);
	}
	if (frame_decode(&frame, in) != NULL)
		return;
	judge_frame(&frame);
	MUST(frame.type != FRAME_CONFIRM);
	frame_encode(&frame, out);
	MUST(memcmp(in, out, FRAME_HEADER) == 0);
}

static void
try_fin(const uint8_t *in, size_t n, uint8_t *out)
{
	struct fin fin;

	if (fin_decode(&fin, in, n) == NULL)
		MUST(fin_encode(&fin, out) == n && memcmp(in, out, n) == 0);
}

static void
try_status(const uint8_t *in, size_t n, uint8_t *out)
{
	struct status status;
	unsigned i;

	if (status_decode(&status, in, n) != NULL)
		return;
	MUST(status.count <= FRAME_LEGS && status.delivered <= status.limit);
	for (i = 0; i < status.count; i++)
		MUST(status.entry[i].leg < FRAME_LEGS);
	MUST(status_encode(&status, out) == n && memcmp(in, out, n) == 0);
}

static void
try_heartbeat(const uint8_t *in, size_t n, uint8_t *out)
{
	struct heartbeat h;

	if (heartbeat_decode(&h, in, n) == NULL)
		MUST(heartbeat_encode(&h, out) == n && memcmp(in, out, n) == 0);
}

static void
try_done(const uint8_t *in, size_t n, uint8_t *out)
{
	struct done done;

	if (done_decode(&done, in, n) == NULL)
		MUST(done_encode(&done, out) == n && memcmp(in, out, n) == 0);
}

static void
try_fail(const uint8_t *in, size_t n, uint8_t *out)
{
	static struct fail fail;
	size_t m;

	if (fail_decode(&fail, in, n) != NULL)
		return;
	MUST(failure_text(fail.reason) != failure_text((enum failure)0));
	/* Here, too, a text ends at its first zero. */
	m = fail_encode(&fail, out);
	MUST(m <= n && memcmp(in, out, m) == 0 && (m == n || in[m] == 0));
}

/* A frame as it comes: a header, and the payload that it announces. */
static void
try_frame(const uint8_t *in, size_t n, uint8_t *out)
{
	uint8_t header[FRAME_HEADER];
	const uint8_t *payload = in + FRAME_HEADER;
	struct frame frame, again;

	if (n < FRAME_HEADER || frame_decode(&frame, in) != NULL ||
	    frame.length > n - FRAME_HEADER)
		return;
	again = frame;
	frame_encode_checked(&again, payload, header);
	MUST(frame_payload_good(&again, payload));
	MUST((memcmp(header, in, FRAME_HEADER) == 0) ==
	    (frame_payload_good(&frame, payload) && (frame.flags & FRAME_CHECKED) != 0));
	if (frame.type == FRAME_STATUS)
		try_status(payload, frame.length, out);
	else if (frame.type == FRAME_FAIL)
		try_fail(payload, frame.length, out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[FRAME_CONTROL_MAX];
	uint8_t in[FRAME_GREETING];
	struct fuzz_input input = { data, size };
	uint8_t kind = fuzz_byte(&input);

	switch ((kind & ~REPAIR) % KINDS) {
	case 0:
	case 1:
		fuzz_take(&input, in, FRAME_GREETING);
		if ((kind & REPAIR) != 0)
			put_check(in, FRAME_GREETING - 4);
		try_greeting(in);
		break;
	case 2:
		fuzz_take(&input, in, FRAME_HEADER);
		if ((kind & REPAIR) != 0)
			put_check(in, FRAME_HEADER - 4);
		try_header(in);
		break;
	case 3:
		try_fin(input.data, input.size, out);
		break;
	case 4:
		try_status(input.data, input.size, out);
		break;
	case 5:
		try_heartbeat(input.data, input.size, out);
		break;
	case 6:
		try_done(input.data, input.size, out);
		break;
	case 7:
		try_fail(input.data, input.size, out);
		break;
	case 8:
		try_frame(input.data, input.size, out);
		break;
	case 9:
		if (input.size > 0 && input.size <= FRAME_GREETING)
			greeting_possible(input.data, input.size);
		break;
	}
	return 0;
}
