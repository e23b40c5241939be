/*
 * frame: encodes and decodes what crosses the wire, byte by byte.
 * See frame.h for the tables.  Runs in whichever thread calls it.
 */
#include "frame.h"

#include <string.h>

#include "crypto/crc32c.h"

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static void
put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)(v >> 32));
	put32(p + 4, (uint32_t)v);
}

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)((unsigned)p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint64_t
get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	while (n > 0 && *p == 0)
		p++, n--;
	return n == 0;
}

/* Greetings */

static const uint8_t magic[][4] = {
	[GREETING_HELLO] = { 'V', 'M', 'h', 'e' },
	[GREETING_WELCOME] = { 'V', 'M', 'w', 'e' },
	[GREETING_REFUSE] = { 'V', 'M', 'n', 'o' },
	[GREETING_SEALED] = { 'V', 'M', 'h', 'e' },
	[GREETING_ANSWER] = { 'V', 'M', 'a', 'n' }
};

#define KINDS	(sizeof(magic) / sizeof(magic[0]))

/*
 * The kind of greeting that begins with these n bytes; KINDS: none does.  Whether a
 * HELLO is sealed is known by its length alone.
 */
static size_t
which(const uint8_t *in, size_t n)
{
	size_t i = 0;

	while (i < KINDS && memcmp(in, magic[i], n < 4 ? n : 4) != 0)
		i++;
	if (i == GREETING_HELLO && n >= FRAME_ANSWER_CLEAR && get16(in + 6) == FRAME_HELLO_SEALED)
		return GREETING_SEALED;
	return i;
}

bool
greeting_possible(const uint8_t *in, size_t n)
{
	return which(in, n) < KINDS;
}

static size_t
length_of(size_t kind)
{
	return kind == GREETING_SEALED ? FRAME_HELLO_SEALED :
	    kind == GREETING_ANSWER ? FRAME_ANSWER : FRAME_GREETING;
}

size_t
greeting_length(const uint8_t *in, size_t n)
{
	if (n < FRAME_ANSWER_CLEAR)
		return FRAME_ANSWER_CLEAR;
	return in[4] != FRAME_VERSION ? FRAME_GREETING : length_of(which(in, n));
}

enum greeting
greeting_kind(const uint8_t *in)
{
	size_t kind = which(in, FRAME_GREETING);

	if (kind == KINDS)
		return GREETING_ALIEN;
	if (in[4] != FRAME_VERSION)
		return GREETING_VERSION;
	if (get16(in + 6) != length_of(kind))
		return GREETING_ALIEN;
	if (kind == GREETING_ANSWER)
		return in[5] == 0 ? GREETING_ANSWER : GREETING_ALIEN;
	if (kind == GREETING_SEALED)
		return all_zero(in + 24, FRAME_NAME) ? GREETING_SEALED : GREETING_ALIEN;
	return get32(in + 124) == crc32c(0, in, 124) ? (enum greeting)kind : GREETING_ALIEN;
}

static void
begin(uint8_t *out, enum greeting kind)
{
	memset(out, 0, kind == GREETING_ANSWER ? FRAME_ANSWER_CLEAR : FRAME_GREETING);
	memcpy(out, magic[kind], 4);
	out[4] = FRAME_VERSION;
	put16(out + 6, (unsigned)length_of(kind));
}

void
greeting_check(uint8_t greeting[FRAME_GREETING])
{
	put32(greeting + 124, crc32c(0, greeting, 124));
}

void
greeting_seal(uint8_t hello[FRAME_GREETING])
{
	put16(hello + 6, FRAME_HELLO_SEALED);
}

void
greeting_unseal(uint8_t hello[FRAME_GREETING])
{
	put16(hello + 6, FRAME_GREETING);
	greeting_check(hello);
}

void
answer_begin(uint8_t out[FRAME_ANSWER_CLEAR])
{
	begin(out, GREETING_ANSWER);
}

void
hello_encode(const struct hello *hello, uint8_t out[FRAME_GREETING])
{
	begin(out, hello->welcome ? GREETING_WELCOME : GREETING_HELLO);
	out[5] = (uint8_t)hello->role;
	memcpy(out + 8, hello->session, FRAME_ID);
	memcpy(out + 24, hello->name, FRAME_NAME);
	memcpy(out + 40, hello->instance, FRAME_ID);
	put16(out + 56, hello->leg);
	put16(out + 58, hello->path);
	put32(out + 60, hello->incarnation);
	put32(out + 64, hello->required);
	put32(out + 68, hello->known);
	memcpy(out + 72, hello->phrase, 4);
	put64(out + 76, hello->window);
	put32(out + 84, hello->frame);
	put32(out + 88, hello->heartbeat_ms);
	put64(out + 92, hello->timeout_ms);
	put64(out + 100, hello->linger_ms);
	put64(out + 108, hello->delivered);
	put64(out + 116, hello->received);
	greeting_check(out);
}

/*
 * These limits belong to the wire.  They are at least as wide as those of the options,
 * so that a peer may offer values that our options do not.
 */
static const char *
hello_judge(const struct hello *hello)
{
	if (hello->role < ROLE_SENDER || hello->role > ROLE_STREAMS)
		return "unknown role";
	if (hello->leg >= FRAME_LEGS)
		return "leg number out of range";
	if (hello->path >= FRAME_PATHS)
		return "path number out of range";
	if (hello->incarnation == 0)
		return "incarnation is zero";
	if ((hello->required & ~hello->known) != 0)
		return "requires a feature that it does not know";
	if (hello->window < (1u << 20) || hello->window > (uint64_t)64 << 30)
		return "window out of range";
	if (hello->frame < 4096 || hello->frame > FRAME_DATA_MAX)
		return "frame size out of range";
	if (hello->heartbeat_ms < 1000 || hello->heartbeat_ms > 3600 * 1000)
		return "heartbeat out of range";
	if (hello->timeout_ms > (uint64_t)1 << 50)
		return "timeout out of range";
	if (hello->linger_ms > (uint64_t)1 << 50)
		return "linger out of range";
	if (hello->role == ROLE_SENDER && (hello->delivered != 0 || hello->received != 0))
		return "a sender claims to have received the stream";
	return NULL;
}

const char *
hello_decode(struct hello *hello, const uint8_t in[FRAME_GREETING])
{
	enum greeting kind = greeting_kind(in);

	memset(hello, 0, sizeof(*hello));
	if (kind != GREETING_HELLO && kind != GREETING_WELCOME)
		return "not a greeting of this kind";
	hello->welcome = kind == GREETING_WELCOME;
	hello->role = (enum role)in[5];
	memcpy(hello->session, in + 8, FRAME_ID);
	memcpy(hello->name, in + 24, FRAME_NAME);
	memcpy(hello->instance, in + 40, FRAME_ID);
	hello->leg = get16(in + 56);
	hello->path = get16(in + 58);
	hello->incarnation = get32(in + 60);
	hello->required = get32(in + 64);
	hello->known = get32(in + 68);
	memcpy(hello->phrase, in + 72, 4);
	hello->window = get64(in + 76);
	hello->frame = get32(in + 84);
	hello->heartbeat_ms = get32(in + 88);
	hello->timeout_ms = get64(in + 92);
	hello->linger_ms = get64(in + 100);
	hello->delivered = get64(in + 108);
	hello->received = get64(in + 116);
	return hello_judge(hello);
}

void
refuse_encode(const struct refuse *refuse, uint8_t out[FRAME_GREETING])
{
	size_t n = strlen(refuse->text);

	begin(out, GREETING_REFUSE);
	out[5] = (uint8_t)refuse->reason;
	memcpy(out + 8, refuse->session, FRAME_ID);
	put64(out + 24, refuse->no_leg_ms);
	memcpy(out + 32, refuse->text, n < FRAME_REFUSE_TEXT ? n : FRAME_REFUSE_TEXT);
	greeting_check(out);
}

const char *
refuse_decode(struct refuse *refuse, const uint8_t in[FRAME_GREETING])
{
	memset(refuse, 0, sizeof(*refuse));
	if (greeting_kind(in) != GREETING_REFUSE)
		return "not a refusal";
	if (in[5] < REFUSE_PHRASE || in[5] > REFUSE_NAME)
		return "unknown reason";
	refuse->reason = (enum refusal)in[5];
	memcpy(refuse->session, in + 8, FRAME_ID);
	refuse->no_leg_ms = get64(in + 24);
	memcpy(refuse->text, in + 32, FRAME_REFUSE_TEXT);
	return NULL;
}

/* Headers */

/*
 * The frame types: the legal lengths of the payload are from `least' to `most' bytes
 * in whole steps.  The first row stands for every unknown type; no length is legal.
 */
struct type {
	const char *name;
	uint32_t least, step, most;
};

static const struct type types[] = {
	{ "?", 1, 1, 0 },
	[FRAME_DATA] = { "DATA", 1, 1, FRAME_DATA_MAX },
	[FRAME_FIN] = { "FIN", FRAME_FIN_SIZE, 1, FRAME_FIN_SIZE },
	[FRAME_STATUS] = { "STATUS", FRAME_STATUS_SIZE, FRAME_STATUS_ENTRY,
	    FRAME_STATUS_SIZE + FRAME_LEGS * FRAME_STATUS_ENTRY },
	[FRAME_HEARTBEAT] = { "HEARTBEAT", FRAME_HEARTBEAT_SIZE, 1, FRAME_HEARTBEAT_SIZE },
	[FRAME_DONE] = { "DONE", FRAME_DONE_SIZE, 1, FRAME_DONE_SIZE },
	[FRAME_FAIL] = { "FAIL", FRAME_FAIL_SIZE, 1, FRAME_FAIL_SIZE + FRAME_TEXT_MAX },
	[FRAME_BYE] = { "BYE", 0, 1, 0 },
	[FRAME_LEAVE] = { "LEAVE", 0, 1, 0 },
	[FRAME_CONFIRM] = { "CONFIRM", 0, 1, 0 },
};

static const struct type *
type_of(unsigned number)
{
	return &types[number < sizeof(types) / sizeof(types[0]) ? number : 0];
}

static bool
length_good(enum frame_type number, size_t n)
{
	const struct type *t = type_of(number);

	return n >= t->least && n <= t->most && (n - t->least) % t->step == 0;
}

void
frame_head_encode(const struct frame *frame, uint8_t out[FRAME_HEAD])
{
	out[0] = (uint8_t)frame->type;
	out[1] = frame->flags;
	put16(out + 2, 0);
	put32(out + 4, frame->length);
	put32(out + 8, 0);
	put64(out + 12, frame->seq);
}

void
frame_encode(const struct frame *frame, uint8_t out[FRAME_HEADER])
{
	frame_head_encode(frame, out);
	put32(out + 20, frame->check);
	put32(out + 24, crc32c(0, out, 24));
}

void
frame_encode_checked(struct frame *frame, const uint8_t *payload, uint8_t out[FRAME_HEADER])
{
	frame->flags |= FRAME_CHECKED;
	frame->check = crc32c(0, payload, frame->length);
	frame_encode(frame, out);
}

static const char *
flags_judge(const struct frame *frame)
{
	uint8_t legal = FRAME_CHECKED;

	if (frame->type == FRAME_HEARTBEAT)
		legal |= FRAME_REPLY;
	return (frame->flags & ~legal) != 0 ? "unknown flags" : NULL;
}

/* What the header says, apart from its checks. */
static const char *
head_decode(struct frame *frame, const uint8_t *in)
{
	const char *why;

	if (type_of(in[0]) == types)
		return "unknown type";
	if (get16(in + 2) != 0)
		return "reserved bytes are not zero";
	if (get32(in + 8) != 0)
		return "a stream that is not open";
	frame->type = (enum frame_type)in[0];
	frame->flags = in[1];
	frame->length = get32(in + 4);
	frame->seq = get64(in + 12);
	if (!length_good(frame->type, frame->length))
		return "illegal length for this type";
	if ((why = flags_judge(frame)) != NULL)
		return why;
	if (frame->type == FRAME_DATA || frame->type == FRAME_FIN) {
		/* Offsets stay so small that sums of them cannot wrap. */
		if (frame->seq > (uint64_t)1 << 62)
			return "sequence number out of range";
	} else if (frame->seq != 0)
		return "a sequence number on a control frame";
	return NULL;
}

const char *
frame_head_decode(struct frame *frame, const uint8_t in[FRAME_HEAD])
{
	const char *why;

	memset(frame, 0, sizeof(*frame));
	why = head_decode(frame, in);
	if (why == NULL && (frame->flags & FRAME_CHECKED) != 0)
		return "a check on a sealed frame";
	return why;
}

const char *
frame_decode(struct frame *frame, const uint8_t in[FRAME_HEADER])
{
	const char *why;

	memset(frame, 0, sizeof(*frame));
	if (get32(in + 24) != crc32c(0, in, 24))
		return "the header's check is wrong";
	if ((why = head_decode(frame, in)) != NULL)
		return why;
	frame->check = get32(in + 20);
	if ((frame->flags & FRAME_CHECKED) == 0 && frame->check != 0)
		return "a payload check without its flag";
	if (frame->type != FRAME_DATA && (frame->flags & FRAME_CHECKED) == 0)
		return "a control frame without a check";
	return frame->type == FRAME_CONFIRM ? "CONFIRM without a key" : NULL;
}

bool
frame_payload_good(const struct frame *frame, const uint8_t *payload)
{
	return (frame->flags & FRAME_CHECKED) == 0 ||
	    crc32c(0, payload, frame->length) == frame->check;
}

/* Payloads */

size_t
fin_encode(const struct fin *fin, uint8_t *out)
{
	memset(out, 0, FRAME_FIN_SIZE);
	put64(out, fin->digest);
	put32(out + 8, fin->waited_ms);
	return FRAME_FIN_SIZE;
}

const char *
fin_decode(struct fin *fin, const uint8_t *in, size_t n)
{
	if (!length_good(FRAME_FIN, n) || !all_zero(in + 12, 4))
		return "FIN is malformed";
	fin->digest = get64(in);
	fin->waited_ms = get32(in + 8);
	return NULL;
}

size_t
status_encode(const struct status *status, uint8_t *out)
{
	unsigned i;

	memset(out, 0, FRAME_STATUS_SIZE);
	put64(out, status->delivered);
	put64(out + 8, status->limit);
	out[16] = status->blocked;
	put32(out + 18, status->waited_ms);
	put16(out + 22, status->count);
	out += FRAME_STATUS_SIZE;
	for (i = 0; i < status->count; i++, out += FRAME_STATUS_ENTRY) {
		put16(out, status->entry[i].leg);
		put16(out + 2, 0);
		put32(out + 4, status->entry[i].incarnation);
		put64(out + 8, status->entry[i].received);
	}
	return FRAME_STATUS_SIZE + (size_t)status->count * FRAME_STATUS_ENTRY;
}

const char *
status_decode(struct status *status, const uint8_t *in, size_t n)
{
	unsigned i;

	if (!length_good(FRAME_STATUS, n))
		return "STATUS has an illegal length";
	status->delivered = get64(in);
	status->limit = get64(in + 8);
	status->blocked = in[16] == 1;
	status->waited_ms = get32(in + 18);
	status->count = get16(in + 22);
	if (in[16] > 1 || in[17] != 0)
		return "reserved bytes are not zero";
	if (n != FRAME_STATUS_SIZE + (size_t)status->count * FRAME_STATUS_ENTRY)
		return "STATUS has a wrong number of entries";
	if (status->limit < status->delivered || status->limit > (uint64_t)1 << 62)
		return "limit out of range";
	in += FRAME_STATUS_SIZE;
	for (i = 0; i < status->count; i++, in += FRAME_STATUS_ENTRY) {
		status->entry[i].leg = get16(in);
		status->entry[i].incarnation = get32(in + 4);
		status->entry[i].received = get64(in + 8);
		if (status->entry[i].leg >= FRAME_LEGS || get16(in + 2) != 0)
			return "STATUS has an illegal entry";
	}
	return NULL;
}

size_t
heartbeat_encode(const struct heartbeat *heartbeat, uint8_t *out)
{
	memset(out, 0, FRAME_HEARTBEAT_SIZE);
	put32(out, heartbeat->counter);
	put32(out + 4, heartbeat->echo);
	put64(out + 8, heartbeat->seen);
	put64(out + 16, heartbeat->next);
	out[24] = heartbeat->idle;
	out[25] = (uint8_t)heartbeat->legs;
	put32(out + 28, heartbeat->waited_ms);
	return FRAME_HEARTBEAT_SIZE;
}

const char *
heartbeat_decode(struct heartbeat *heartbeat, const uint8_t *in, size_t n)
{
	if (!length_good(FRAME_HEARTBEAT, n) || in[24] > 1 || in[25] > FRAME_LEGS ||
	    !all_zero(in + 26, 2))
		return "HEARTBEAT is malformed";
	heartbeat->counter = get32(in);
	heartbeat->echo = get32(in + 4);
	heartbeat->seen = get64(in + 8);
	heartbeat->next = get64(in + 16);
	heartbeat->idle = in[24] == 1;
	heartbeat->legs = in[25];
	heartbeat->waited_ms = get32(in + 28);
	return NULL;
}

size_t
done_encode(const struct done *done, uint8_t *out)
{
	memset(out, 0, FRAME_DONE_SIZE);
	put64(out, done->total);
	put32(out + 8, done->status);
	put32(out + 12, done->waited_ms);
	return FRAME_DONE_SIZE;
}

const char *
done_decode(struct done *done, const uint8_t *in, size_t n)
{
	if (!length_good(FRAME_DONE, n))
		return "DONE is malformed";
	done->total = get64(in);
	done->status = get32(in + 8);
	done->waited_ms = get32(in + 12);
	return done->status <= 255 ? NULL : "DONE with a status that is none";
}

size_t
fail_encode(const struct fail *fail, uint8_t *out)
{
	size_t n = strlen(fail->text);

	if (n > FRAME_TEXT_MAX)
		n = FRAME_TEXT_MAX;
	put16(out, (unsigned)fail->reason);
	put16(out + 2, 0);
	memcpy(out + 4, fail->text, n);
	return FRAME_FAIL_SIZE + n;
}

const char *
fail_decode(struct fail *fail, const uint8_t *in, size_t n)
{
	if (!length_good(FRAME_FAIL, n) || get16(in + 2) != 0)
		return "FAIL is malformed";
	if (get16(in) < FAIL_SOURCE || get16(in) > FAIL_COMMAND)
		return "FAIL with an unknown reason";
	fail->reason = (enum failure)get16(in);
	memcpy(fail->text, in + FRAME_FAIL_SIZE, n - FRAME_FAIL_SIZE);
	fail->text[n - FRAME_FAIL_SIZE] = '\0';
	return NULL;
}

/* Names */

const char *
frame_name(enum frame_type type)
{
	return type_of(type)->name;
}

const char *
refusal_text(enum refusal reason)
{
	static const char *const text[] = {
		"no reason", "the checkphrase differs", "another version of the protocol",
		"busy with another session", "not the receiver of this session",
		"a feature that is required is not known", "the roles of the two ends do not fit",
		"a newer incarnation of this leg is in place", "the key differs",
		"the name of the transfer differs"
	};

	return text[reason >= REFUSE_PHRASE && reason <= REFUSE_NAME ? reason : 0];
}

const char *
failure_text(enum failure reason)
{
	static const char *const text[] = {
		"no reason", "the source failed", "the output failed", "the consumer is gone",
		"ended by a signal", "no progress for too long", "the digest differs",
		"out of resources", "the protocol was broken", "the command failed"
	};

	return text[reason >= FAIL_SOURCE && reason <= FAIL_COMMAND ? reason : 0];
}
