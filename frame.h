/*
 * frame: the wire format and its codec.
 *
 * Pure functions over bytes: no I/O, no state, no allocation; any thread may
 * call them.  All integers are unsigned, big-endian and of fixed width.
 * Encoding cannot fail.  Decoding never trusts a field: it returns a reason
 * in words, or NULL when every field is legal; reserved bytes must be zero.
 *
 * A connection (a leg) begins with one greeting in each direction, 128 bytes
 * each; after that both directions carry frames.
 *
 *	bytes	HELLO (the caller's) and WELCOME (the listener's answer)
 *	0-3	magic: "VMhe" for HELLO, "VMwe" for WELCOME
 *	4	version, 2
 *	5	role of the speaker: 1 sends a stream, 2 receives one, 3 both; 4 both,
 *		and the streams are records of many others (core/record.h)
 *	6-7	length of this greeting, 128; of a HELLO with a key 172
 *	8-23	session id, chosen at random by the caller
 *	24-39	name: without a key the first 16 bytes of the SHA-256 of the
 *		transfer's name, zero if it has none; with a key reserved, 0
 *	40-55	instance id of the listener; zero in a session's first HELLO
 *	56-57	number of the leg, 0-127
 *	58-59	number of the caller's path, 0-63
 *	60-63	incarnation of the leg, from 1; each dial has a higher one
 *	64-67	features that are required (WELCOME: that are in use)
 *	68-71	features that are known
 *	72-75	checkphrase
 *	76-83	window that the speaker requests, bytes
 *	84-87	largest payload of a frame that the speaker requests, bytes
 *	88-91	heartbeat, milliseconds
 *	92-99	timeout, milliseconds, 0 = never
 *	100-107	linger, milliseconds
 *	108-115	delivered: how far the receiver has written the stream; from who
 *		only sends 0
 *	116-123	stream bytes that the receiver has from the leg's previous
 *		incarnation; from who only sends 0
 *	124-127	CRC-32C of bytes 0-123
 *
 *	bytes	REFUSE (the listener's other answer)
 *	0-3	magic "VMno"
 *	4	version, 2
 *	5	reason, enum refusal
 *	6-7	length of this greeting, 128
 *	8-23	session id of the HELLO that is refused
 *	24-31	milliseconds: for how long the other session had no leg
 *	32-123	text, UTF-8, padded with zeros
 *	124-127	CRC-32C of bytes 0-123
 *
 * The smaller window of both holds, and is the first credit: the sender may send
 * the stream's bytes below it before any STATUS.
 *
 * With a key the greetings are the two messages of a Noise handshake (handshake.h),
 * and what is not in clear here is their payload: of HELLO bytes 40-123, of an
 * answer all but its check.  A listener that has no key, or another one, answers
 * with a REFUSE in clear.
 *
 *	bytes	sealed HELLO
 *	0-39	as in HELLO; the length is 172
 *	40-71	the caller's public number
 *	72-155	bytes 40-123 of HELLO, encrypted
 *	156-171	tag
 *
 *	bytes	ANSWER
 *	0-3	magic "VMan"
 *	4	version, 2
 *	5	reserved, 0
 *	6-7	length of this greeting, 180
 *	8-39	the listener's public number
 *	40-163	bytes 0-123 of WELCOME or REFUSE, encrypted
 *	164-179	tag
 *
 *	bytes	header of every frame
 *	0	type, enum frame_type
 *	1	flags: bit 0 payload has a check, bit 1 heartbeat is a reply
 *	2-3	reserved, 0
 *	4-7	length of the payload, bytes
 *	8-11	number of the stream, 0
 *	12-19	sequence number: DATA and FIN the stream offset, others 0
 *	20-23	CRC-32C of the payload if bit 0 is set, otherwise 0
 *	24-27	CRC-32C of bytes 0-23
 *
 *	bytes	payload of DATA: bytes of the stream from the sequence number on
 *
 *	bytes	payload of FIN (the sequence number is the stream's length)
 *	0-7	digest of the whole stream (XXH64), 0 when there is none
 *	8-11	milliseconds for which the sender has waited for its source, in all
 *	12-15	reserved, 0
 *
 *	bytes	payload of STATUS (from the stream's receiver)
 *	0-7	delivered: every byte below it was written to the consumer
 *	8-15	limit: no byte at or above it may be sent
 *	16	1 while the receiver waits for its consumer, otherwise 0
 *	17	reserved, 0
 *	18-21	milliseconds for which the receiver has waited for its consumer so far
 *	22-23	number of entries that follow, 0-128
 *	24-	entries of 16 bytes:
 *		0-1	leg
 *		2-3	reserved, 0
 *		4-7	incarnation
 *		8-15	stream bytes received on that incarnation, in its order
 *
 *	bytes	payload of HEARTBEAT
 *	0-3	counter of the speaker on this leg
 *	4-7	echo: the highest counter received on this leg
 *	8-15	seen: bytes taken from this leg's connection, greeting excepted
 *	16-23	next: how far the speaker has sent the stream (sender), or 0
 *	24	1 while the sender waits for its source, otherwise 0
 *	25	legs that the sender wants on this leg's path, 0-128; 0 = it does
 *		not say
 *	26-27	reserved, 0
 *	28-31	milliseconds for which the sender has waited for its source so far, or 0
 *
 *	bytes	payload of DONE
 *	0-7	length of the stream that was written, drained and closed
 *	8-11	exit status of the command of run, 0-255; otherwise 0
 *	12-15	milliseconds for which the receiver has waited for its consumer, in all
 *
 *	bytes	payload of FAIL
 *	0-1	reason, enum failure
 *	2-3	reserved, 0
 *	4-	text, at most 4608 bytes; for a command how it ended, and after a
 *		newline the end of its standard error
 *
 *	A longer wait than 2^32 - 1 milliseconds is sent as that.
 *
 *	BYE, LEAVE and CONFIRM have no payload.  With LEAVE the sender says that it has
 *	nothing in flight on this leg and sends no more on it: the leg is closed on
 *	purpose, not lost.  With LEAVE the receiver asks the sender for that.  Where
 *	both ends send, each says so, and then the leg is closed.  CONFIRM
 *	is the caller's first frame, only with a key: see handshake.h.
 *
 *	Payloads other than DATA's always have a check.
 *
 *	With a key no frame has a check.  Bytes 0-19 of the header are encrypted and
 *	followed by a tag of 16 bytes, and so is the payload if there is one
 *	(crypto/channel.h).  No length above includes the tags.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_VERSION		2
#define FRAME_GREETING		128	/* bytes of HELLO, WELCOME, REFUSE */
#define FRAME_CLEAR		40	/* bytes of a sealed HELLO that are in clear */
#define FRAME_HELLO_SEALED	172
#define FRAME_ANSWER		180
#define FRAME_ANSWER_CLEAR	8	/* bytes of ANSWER that are in clear */
#define FRAME_GREETING_MAX	180	/* bytes of any greeting */
#define FRAME_HEADER		28	/* bytes of a frame's header */
#define FRAME_HEAD		20	/* bytes of it that are no checks */
#define FRAME_TAG		16
#define FRAME_HEAD_SEALED	36	/* with its tag */
#define FRAME_DATA_MAX		(16u << 20)	/* bytes of a payload */
#define FRAME_CONTROL_MAX	4612	/* bytes of any other payload */
#define FRAME_LEGS		128	/* leg numbers are below this */
#define FRAME_PATHS		64	/* path numbers are below this */
#define FRAME_ID		16	/* bytes of a session or instance id */
#define FRAME_NAME		16	/* bytes of a name's hash */
#define FRAME_SESSION		8	/* where the session id is in HELLO */
#define FRAME_FIN_SIZE		16
#define FRAME_STATUS_SIZE	24	/* without entries */
#define FRAME_STATUS_ENTRY	16
#define FRAME_HEARTBEAT_SIZE	32
#define FRAME_DONE_SIZE		16
#define FRAME_FAIL_SIZE		4	/* without text */
#define FRAME_TEXT_MAX		4608	/* bytes of a FAIL's text */
#define FRAME_REFUSE_TEXT	92	/* bytes of a REFUSE's text */

enum frame_type {
	FRAME_DATA = 1,
	FRAME_FIN = 2,
	FRAME_STATUS = 3,
	FRAME_HEARTBEAT = 4,
	FRAME_DONE = 5,
	FRAME_FAIL = 6,
	FRAME_BYE = 7,
	FRAME_LEAVE = 8,
	FRAME_CONFIRM = 9
};

#define FRAME_CHECKED	0x01	/* flags: the payload's check is set */
#define FRAME_REPLY	0x02	/* flags: a heartbeat that answers one */

#define FEATURE_CHECKSUM	0x00000001u	/* CRC-32C on payloads, digest */
#define FEATURE_AES		0x00000002u	/* known: this machine has AES instructions */
#define FEATURES_KNOWN		FEATURE_CHECKSUM	/* those that may be required */

enum role { ROLE_SENDER = 1, ROLE_RECEIVER = 2, ROLE_BOTH = 3, ROLE_STREAMS = 4 };

/* Why a greeting was refused. */
enum refusal {
	REFUSE_PHRASE = 1,	/* another checkphrase */
	REFUSE_VERSION = 2,	/* another version of the protocol */
	REFUSE_BUSY = 3,	/* another session has this receiver */
	REFUSE_RECEIVER = 4,	/* not the receiver of this session */
	REFUSE_FEATURE = 5,	/* a required feature is not known */
	REFUSE_ROLE = 6,	/* the roles do not fit: 1 needs 2, 3 and 4 themselves */
	REFUSE_STALE = 7,	/* an older incarnation than the leg in place */
	REFUSE_KEY = 8,		/* another key, or only one side has one */
	REFUSE_NAME = 9		/* another name of the transfer */
};

/* Why a transfer failed. */
enum failure {
	FAIL_SOURCE = 1,	/* the sender could not read its input */
	FAIL_OUTPUT = 2,	/* the receiver could not write its output */
	FAIL_CONSUMER = 3,	/* the program that read the output is gone */
	FAIL_SIGNAL = 4,	/* ended by a signal */
	FAIL_TIMEOUT = 5,	/* no progress for `timeout` */
	FAIL_DIGEST = 6,	/* the digest of the whole stream differs */
	FAIL_RESOURCE = 7,	/* no memory, or no thread could be started */
	FAIL_PROTOCOL = 8,	/* the peer broke the protocol */
	FAIL_COMMAND = 9	/* the command at either end failed */
};

/* HELLO and WELCOME alike; see the table. */
struct hello {
	bool welcome;
	enum role role;
	uint8_t session[FRAME_ID];
	uint8_t name[FRAME_NAME];
	uint8_t instance[FRAME_ID];
	uint16_t leg;
	uint16_t path;
	uint32_t incarnation;
	uint32_t required;
	uint32_t known;
	uint8_t phrase[4];
	uint64_t window;
	uint32_t frame;
	uint32_t heartbeat_ms;
	uint64_t timeout_ms;
	uint64_t linger_ms;
	uint64_t delivered;
	uint64_t received;
};

struct refuse {
	enum refusal reason;
	uint8_t session[FRAME_ID];
	uint64_t no_leg_ms;
	char text[FRAME_REFUSE_TEXT + 1];
};

struct frame {
	enum frame_type type;
	uint8_t flags;
	uint32_t length;
	uint64_t seq;
	uint32_t check;
};

struct fin {
	uint64_t digest;
	uint32_t waited_ms;
};

struct status_entry {
	uint16_t leg;
	uint32_t incarnation;
	uint64_t received;
};

struct status {
	uint64_t delivered;
	uint64_t limit;
	bool blocked;
	uint32_t waited_ms;
	unsigned count;
	struct status_entry entry[FRAME_LEGS];
};

struct heartbeat {
	uint32_t counter;
	uint32_t echo;
	uint64_t seen;
	uint64_t next;
	bool idle;
	unsigned legs;		/* wanted on this leg's path; 0 = not said */
	uint32_t waited_ms;
};

struct done {
	uint64_t total;
	uint32_t status;	/* of the command of run */
	uint32_t waited_ms;
};

struct fail {
	enum failure reason;
	char text[FRAME_TEXT_MAX + 1];
};

/* What the bytes of a greeting are. */
enum greeting {
	GREETING_HELLO,
	GREETING_WELCOME,
	GREETING_REFUSE,
	GREETING_SEALED,	/* HELLO with a key */
	GREETING_ANSWER,	/* WELCOME or REFUSE with a key */
	GREETING_VERSION,	/* ours, but of another version */
	GREETING_ALIEN		/* not of this protocol, or damaged */
};

/* Whether the first n bytes (1-180) can be those of a greeting. */
bool greeting_possible(const uint8_t *in, size_t n);
/*
 * How many bytes the greeting has of which the first n are known, and are possible;
 * as long as that is not known, how many are needed to know it.
 */
size_t greeting_length(const uint8_t *in, size_t n);
/* Of a whole greeting.  What the tag of a sealed one says is not known here. */
enum greeting greeting_kind(const uint8_t *in);

void hello_encode(const struct hello *hello, uint8_t out[FRAME_GREETING]);
/* For GREETING_HELLO and GREETING_WELCOME.  NULL, or what is wrong. */
const char *hello_decode(struct hello *hello, const uint8_t in[FRAME_GREETING]);

void refuse_encode(const struct refuse *refuse, uint8_t out[FRAME_GREETING]);
const char *refuse_decode(struct refuse *refuse, const uint8_t in[FRAME_GREETING]);

/* What of a sealed HELLO and of ANSWER is in clear, and the way back to HELLO. */
void greeting_seal(uint8_t hello[FRAME_GREETING]);
void greeting_unseal(uint8_t hello[FRAME_GREETING]);
void answer_begin(uint8_t out[FRAME_ANSWER_CLEAR]);
/* Makes the check of a greeting whose other bytes are right. */
void greeting_check(uint8_t greeting[FRAME_GREETING]);

void frame_encode(const struct frame *frame, uint8_t out[FRAME_HEADER]);
/* NULL means, too, that the length is legal for the type (STATUS: whole entries). */
const char *frame_decode(struct frame *frame, const uint8_t in[FRAME_HEADER]);
/* Likewise, of a header without checks; the frame has none. */
void frame_head_encode(const struct frame *frame, uint8_t out[FRAME_HEAD]);
const char *frame_head_decode(struct frame *frame, const uint8_t in[FRAME_HEAD]);
/* Sets flags and check for a payload of frame->length bytes, then encodes. */
void frame_encode_checked(struct frame *frame, const uint8_t *payload, uint8_t out[FRAME_HEADER]);
/* Whether a payload matches its check; true when the frame has none. */
bool frame_payload_good(const struct frame *frame, const uint8_t *payload);

/*
 * Payloads.  The encoders return the bytes written; out has room for
 * FRAME_CONTROL_MAX.  The decoders get a payload of n = frame->length bytes after
 * frame_payload_good.
 */
size_t fin_encode(const struct fin *fin, uint8_t *out);
const char *fin_decode(struct fin *fin, const uint8_t *in, size_t n);
size_t status_encode(const struct status *status, uint8_t *out);
const char *status_decode(struct status *status, const uint8_t *in, size_t n);
size_t heartbeat_encode(const struct heartbeat *heartbeat, uint8_t *out);
const char *heartbeat_decode(struct heartbeat *heartbeat, const uint8_t *in, size_t n);
size_t done_encode(const struct done *done, uint8_t *out);
const char *done_decode(struct done *done, const uint8_t *in, size_t n);
size_t fail_encode(const struct fail *fail, uint8_t *out);
const char *fail_decode(struct fail *fail, const uint8_t *in, size_t n);

const char *frame_name(enum frame_type type);
const char *refusal_text(enum refusal reason);
const char *failure_text(enum failure reason);

#endif
