/*
 * frame: encodes and decodes what crosses the wire, octet by octet.
 * See frame.h for the tables.  Runs in whichever thread calls it.
 */
#include "frame.h"

#include <string.h>

#include "crc32c.h"

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
	[GREETING_CHALLENGE] = { 'V', 'M', 'c', 'h' },
	[GREETING_PROOF] = { 'V', 'M', 'p', 'r' }
};

#define KINDS	(sizeof(magic) / sizeof(magic[0]))

/* Which of them these n octets can become; KINDS: none. */
static size_t
which(const uint8_t *in, size_t n)
{
	size_t i = 0;

	while (i < KINDS && memcmp(in, magic[i], n < 4 ? n : 4) != 0)
		i++;
	return i;
}

bool
greeting_possible(const uint8_t *in, size_t n)
{
	return which(in, n) < KINDS;
}

enum greeting
greeting_kind(const uint8_t in[FRAME_GREETING])
{
	size_t kind = which(in, FRAME_GREETING);

	if (kind == KINDS)
		return GREETING_ALIEN;
	if (in[4] != FRAME_VERSION)
		return GREETING_VERSION;
	if (get16(in + 6) != FRAME_GREETING || get32(in + 124) != crc32c(0, in, 124))
		return GREETING_ALIEN;
	return (enum greeting)kind;
}

static void
begin(uint8_t out[FRAME_GREETING], enum greeting kind)
{
	memset(out, 0, FRAME_GREETING);
	memcpy(out, magic[kind], 4);
	out[4] = FRAME_VERSION;
	put16(out + 6, FRAME_GREETING);
}

static void
end(uint8_t out[FRAME_GREETING])
{
	put32(out + 124, crc32c(0, out, 124));
}

void
hello_encode(const struct hello *hello, uint8_t out[FRAME_GREETING])
{
	begin(out, hello->welcome ? GREETING_WELCOME : GREETING_HELLO);
	out[5] = (uint8_t)hello->role;
	memcpy(out + 8, hello->session, FRAME_ID);
	memcpy(out + 24, hello->instance, FRAME_ID);
	put16(out + 40, hello->leg);
	put16(out + 42, hello->path);
	put32(out + 44, hello->incarnation);
	put32(out + 48, hello->required);
	put32(out + 52, hello->known);
	memcpy(out + 56, hello->phrase, 4);
	put64(out + 60, hello->window);
	put32(out + 68, hello->frame);
	put32(out + 72, hello->heartbeat_ms);
	put64(out + 76, hello->timeout_ms);
	put64(out + 84, hello->delivered);
	memcpy(out + 92, hello->nonce, sizeof(hello->nonce));
	end(out);
}

/* The limits here are those of the options; see the manual. */
static const char *
hello_judge(const struct hello *hello)
{
	if (hello->role != ROLE_SENDER && hello->role != ROLE_RECEIVER)
		return "unknown role";
	if (hello->leg >= FRAME_LEGS)
		return "leg number out of range";
	if (hello->path >= FRAME_PATHS)
		return "path number out of range";
	if (hello->incarnation == 0)
		return "incarnation is zero";
	if ((hello->required & ~hello->known) != 0)
		return "requires what it does not know";
	if (hello->window < (1u << 20) || hello->window > (uint64_t)64 << 30)
		return "window out of range";
	if (hello->frame < 4096 || hello->frame > FRAME_DATA_MAX)
		return "frame size out of range";
	if (hello->heartbeat_ms < 1000 || hello->heartbeat_ms > 3600 * 1000)
		return "heartbeat out of range";
	if (hello->timeout_ms > (uint64_t)1 << 50)
		return "timeout out of range";
	if (!hello->welcome && hello->delivered != 0)
		return "delivered before it begins";
	return NULL;
}

const char *
hello_decode(struct hello *hello, const uint8_t in[FRAME_GREETING])
{
	enum greeting kind = greeting_kind(in);

	memset(hello, 0, sizeof(*hello));
	if (kind != GREETING_HELLO && kind != GREETING_WELCOME)
		return "not a greeting of this kind";
	if (!all_zero(in + 108, 16))
		return "reserved octets are not zero";
	hello->welcome = kind == GREETING_WELCOME;
	hello->role = (enum role)in[5];
	memcpy(hello->session, in + 8, FRAME_ID);
	memcpy(hello->instance, in + 24, FRAME_ID);
	hello->leg = get16(in + 40);
	hello->path = get16(in + 42);
	hello->incarnation = get32(in + 44);
	hello->required = get32(in + 48);
	hello->known = get32(in + 52);
	memcpy(hello->phrase, in + 56, 4);
	hello->window = get64(in + 60);
	hello->frame = get32(in + 68);
	hello->heartbeat_ms = get32(in + 72);
	hello->timeout_ms = get64(in + 76);
	hello->delivered = get64(in + 84);
	memcpy(hello->nonce, in + 92, sizeof(hello->nonce));
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
	end(out);
}

const char *
refuse_decode(struct refuse *refuse, const uint8_t in[FRAME_GREETING])
{
	memset(refuse, 0, sizeof(*refuse));
	if (greeting_kind(in) != GREETING_REFUSE)
		return "not a refusal";
	if (in[5] < REFUSE_PHRASE || in[5] > REFUSE_KEY)
		return "unknown reason";
	refuse->reason = (enum refusal)in[5];
	memcpy(refuse->session, in + 8, FRAME_ID);
	refuse->no_leg_ms = get64(in + 24);
	memcpy(refuse->text, in + 32, FRAME_REFUSE_TEXT);
	return NULL;
}

void
challenge_encode(const struct challenge *challenge, uint8_t out[FRAME_GREETING])
{
	begin(out, GREETING_CHALLENGE);
	memcpy(out + 8, challenge->session, FRAME_ID);
	memcpy(out + 24, challenge->nonce, FRAME_NONCE);
	end(out);
}

const char *
challenge_decode(struct challenge *challenge, const uint8_t in[FRAME_GREETING])
{
	memset(challenge, 0, sizeof(*challenge));
	if (greeting_kind(in) != GREETING_CHALLENGE)
		return "not a challenge";
	if (in[5] != 0 || !all_zero(in + 40, 84))
		return "reserved octets are not zero";
	memcpy(challenge->session, in + 8, FRAME_ID);
	memcpy(challenge->nonce, in + 24, FRAME_NONCE);
	return NULL;
}

void
proof_encode(const struct proof *proof, uint8_t out[FRAME_GREETING])
{
	begin(out, GREETING_PROOF);
	memcpy(out + 8, proof->session, FRAME_ID);
	memcpy(out + 24, proof->hmac, FRAME_PROOF);
	end(out);
}

const char *
proof_decode(struct proof *proof, const uint8_t in[FRAME_GREETING])
{
	memset(proof, 0, sizeof(*proof));
	if (greeting_kind(in) != GREETING_PROOF)
		return "not a proof";
	if (in[5] != 0 || !all_zero(in + 56, 68))
		return "reserved octets are not zero";
	memcpy(proof->session, in + 8, FRAME_ID);
	memcpy(proof->hmac, in + 24, FRAME_PROOF);
	return NULL;
}

/* Headers */

void
frame_encode(const struct frame *frame, uint8_t out[FRAME_HEADER])
{
	out[0] = (uint8_t)frame->type;
	out[1] = frame->flags;
	put16(out + 2, 0);
	put32(out + 4, frame->length);
	put64(out + 8, frame->seq);
	put32(out + 16, frame->check);
	put32(out + 20, crc32c(0, out, 20));
}

void
frame_encode_checked(struct frame *frame, const uint8_t *payload, uint8_t out[FRAME_HEADER])
{
	frame->flags |= FRAME_CHECKED;
	frame->check = crc32c(0, payload, frame->length);
	frame_encode(frame, out);
}

static const char *
length_judge(const struct frame *frame)
{
	uint32_t n = frame->length;
	bool good = false;

	switch (frame->type) {
	case FRAME_DATA:
		good = n >= 1 && n <= FRAME_DATA_MAX;
		break;
	case FRAME_FIN:
		good = n == FRAME_FIN_SIZE;
		break;
	case FRAME_STATUS:
		good = n >= FRAME_STATUS_SIZE &&
		    n <= FRAME_STATUS_SIZE + FRAME_LEGS * FRAME_STATUS_ENTRY &&
		    (n - FRAME_STATUS_SIZE) % FRAME_STATUS_ENTRY == 0;
		break;
	case FRAME_HEARTBEAT:
		good = n == FRAME_HEARTBEAT_SIZE;
		break;
	case FRAME_DONE:
		good = n == FRAME_DONE_SIZE;
		break;
	case FRAME_FAIL:
		good = n >= FRAME_FAIL_SIZE && n <= FRAME_FAIL_SIZE + FRAME_TEXT_MAX;
		break;
	case FRAME_BYE:
	case FRAME_LEAVE:
		good = n == 0;
		break;
	}
	return good ? NULL : "length is not one of this type";
}

static const char *
flags_judge(const struct frame *frame)
{
	uint8_t legal = FRAME_CHECKED;

	if (frame->type == FRAME_HEARTBEAT)
		legal |= FRAME_REPLY;
	if ((frame->flags & ~legal) != 0)
		return "unknown flags";
	if ((frame->flags & FRAME_CHECKED) == 0 && frame->check != 0)
		return "a check that is not announced";
	if (frame->type != FRAME_DATA && (frame->flags & FRAME_CHECKED) == 0)
		return "no check on a control frame";
	return NULL;
}

const char *
frame_decode(struct frame *frame, const uint8_t in[FRAME_HEADER])
{
	const char *why;

	memset(frame, 0, sizeof(*frame));
	if (get32(in + 20) != crc32c(0, in, 20))
		return "the header's check differs";
	if (in[0] < FRAME_DATA || in[0] > FRAME_LEAVE)
		return "unknown type";
	if (get16(in + 2) != 0)
		return "reserved octets are not zero";
	frame->type = (enum frame_type)in[0];
	frame->flags = in[1];
	frame->length = get32(in + 4);
	frame->seq = get64(in + 8);
	frame->check = get32(in + 16);
	if ((why = length_judge(frame)) != NULL || (why = flags_judge(frame)) != NULL)
		return why;
	if (frame->type == FRAME_DATA || frame->type == FRAME_FIN) {
		/* Offsets stay far from wrapping, so sums need no care. */
		if (frame->seq > (uint64_t)1 << 62)
			return "sequence number out of range";
	} else if (frame->seq != 0)
		return "a sequence number where there is none";
	return NULL;
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
	return FRAME_FIN_SIZE;
}

const char *
fin_decode(struct fin *fin, const uint8_t *in, size_t n)
{
	if (n != FRAME_FIN_SIZE || !all_zero(in + 8, 8))
		return "FIN is malformed";
	fin->digest = get64(in);
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

	if (n < FRAME_STATUS_SIZE)
		return "STATUS is too short";
	status->delivered = get64(in);
	status->limit = get64(in + 8);
	status->blocked = in[16] == 1;
	status->count = get16(in + 22);
	if (in[16] > 1 || !all_zero(in + 17, 5))
		return "reserved octets are not zero";
	if (status->count > FRAME_LEGS ||
	    n != FRAME_STATUS_SIZE + (size_t)status->count * FRAME_STATUS_ENTRY)
		return "STATUS has another number of entries than it says";
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
	return FRAME_HEARTBEAT_SIZE;
}

const char *
heartbeat_decode(struct heartbeat *heartbeat, const uint8_t *in, size_t n)
{
	if (n != FRAME_HEARTBEAT_SIZE || in[24] > 1 || !all_zero(in + 25, 7))
		return "HEARTBEAT is malformed";
	heartbeat->counter = get32(in);
	heartbeat->echo = get32(in + 4);
	heartbeat->seen = get64(in + 8);
	heartbeat->next = get64(in + 16);
	heartbeat->idle = in[24] == 1;
	return NULL;
}

size_t
done_encode(const struct done *done, uint8_t *out)
{
	memset(out, 0, FRAME_DONE_SIZE);
	put64(out, done->total);
	put32(out + 8, done->status);
	return FRAME_DONE_SIZE;
}

const char *
done_decode(struct done *done, const uint8_t *in, size_t n)
{
	if (n != FRAME_DONE_SIZE || get32(in + 12) != 0)
		return "DONE is malformed";
	done->total = get64(in);
	done->status = get32(in + 8);
	return done->status == 0 ? NULL : "DONE with a status other than 0";
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
	if (n < FRAME_FAIL_SIZE || n > FRAME_FAIL_SIZE + FRAME_TEXT_MAX || get16(in + 2) != 0)
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
	static const char *const name[] = {
		"?", "DATA", "FIN", "STATUS", "HEARTBEAT", "DONE", "FAIL", "BYE",
		"LEAVE"
	};

	return name[type >= FRAME_DATA && type <= FRAME_LEAVE ? type : 0];
}

const char *
refusal_text(enum refusal reason)
{
	static const char *const text[] = {
		"no reason", "the checkphrase differs", "another version of the protocol",
		"busy with another session", "not the receiver of this session",
		"a feature that is required is not known", "both ends have the same role",
		"a newer incarnation of this leg is in place", "the key differs"
	};

	return text[reason >= REFUSE_PHRASE && reason <= REFUSE_KEY ? reason : 0];
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
