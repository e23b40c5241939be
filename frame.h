/*
 * frame: the wire format and its codec.
 *
 * Pure functions over octets: no I/O, no state, no allocation; any thread may
 * call them.  All integers are unsigned, big-endian and of fixed width.
 * Encoding cannot fail.  Decoding never trusts a field: it returns a reason
 * in words, or NULL when every field is legal; reserved octets must be zero.
 *
 * A connection (a leg) begins with one greeting in each direction, 128 octets
 * each; after that both directions carry frames.
 *
 *	octets	HELLO (the caller's) and WELCOME (the listener's answer)
 *	0-3	magic: "VMhe" for HELLO, "VMwe" for WELCOME
 *	4	version, 1
 *	5	role of the speaker: 1 sends the stream, 2 receives it
 *	6-7	length of this greeting, 128
 *	8-23	session id, chosen at random by the caller
 *	24-39	instance id of the listener; zero in a session's first HELLO
 *	40-41	number of the leg, 0-127
 *	42-43	number of the caller's path, 0-63
 *	44-47	incarnation of the leg, from 1; each dial has a higher one
 *	48-51	features that are required (WELCOME: that are in use)
 *	52-55	features that are known
 *	56-59	checkphrase
 *	60-67	window that the speaker wishes, octets
 *	68-71	largest payload of a frame that the speaker wishes, octets
 *	72-75	heartbeat, milliseconds
 *	76-83	timeout, milliseconds, 0 = never
 *	84-91	WELCOME: how far the stream was delivered; HELLO: 0
 *	92-107	nonce, random for each dial
 *	108-123	reserved, 0
 *	124-127	CRC-32C of octets 0-123
 *
 *	octets	REFUSE (the listener's other answer)
 *	0-3	magic "VMno"
 *	4	version, 1
 *	5	reason, enum refusal
 *	6-7	length of this greeting, 128
 *	8-23	session id of the HELLO that is refused
 *	24-31	milliseconds: for how long the other session had no leg
 *	32-123	text, UTF-8, padded with zeros
 *	124-127	CRC-32C of octets 0-123
 *
 * The smaller window of both holds, and is the credit at the begin: the sender
 * may send the stream's octets below it without a STATUS.
 *
 * If HELLO requires a key, the listener answers with a CHALLENGE, the caller with
 * a PROOF, and only then comes WELCOME or REFUSE, followed by the listener's own
 * PROOF; auth.h tells what is proven.  A REFUSE instead of CHALLENGE or because
 * of the caller's PROOF comes alone.
 *
 *	octets	CHALLENGE (the listener's)
 *	0-3	magic "VMch"
 *	4	version, 1
 *	5	reserved, 0
 *	6-7	length of this greeting, 128
 *	8-23	session id of the HELLO
 *	24-39	nonce, random for each
 *	40-123	reserved, 0
 *	124-127	CRC-32C of octets 0-123
 *
 *	octets	PROOF
 *	0-3	magic "VMpr"
 *	4	version, 1
 *	5	reserved, 0
 *	6-7	length of this greeting, 128
 *	8-23	session id of the HELLO
 *	24-55	HMAC-SHA-256
 *	56-123	reserved, 0
 *	124-127	CRC-32C of octets 0-123
 *
 *	octets	header of every frame
 *	0	type, enum frame_type
 *	1	flags: bit 0 payload has a check, bit 1 heartbeat is a reply
 *	2-3	reserved, 0
 *	4-7	length of the payload, octets
 *	8-15	sequence number: DATA and FIN the stream offset, others 0
 *	16-19	CRC-32C of the payload if bit 0 is set, otherwise 0
 *	20-23	CRC-32C of octets 0-19
 *
 *	octets	payload of DATA: octets of the stream from the sequence number on
 *
 *	octets	payload of FIN (the sequence number is the stream's length)
 *	0-7	digest of the whole stream (XXH64), 0 when there is none
 *	8-15	reserved, 0
 *
 *	octets	payload of STATUS (from the stream's receiver)
 *	0-7	delivered: every octet below was written to the consumer
 *	8-15	limit: no octet at or above it may be sent
 *	16	1 while the consumer is what is waited for, otherwise 0
 *	17-21	reserved, 0
 *	22-23	number of entries that follow, 0-128
 *	24-	entries of 16 octets:
 *		0-1	leg
 *		2-3	reserved, 0
 *		4-7	incarnation
 *		8-15	stream octets received on that incarnation, in its order
 *
 *	octets	payload of HEARTBEAT
 *	0-3	counter of the speaker on this leg
 *	4-7	echo: the highest counter heard on this leg
 *	8-15	seen: octets taken from this leg's connection, greeting excepted
 *	16-23	next: how far the speaker has sent the stream (sender), or 0
 *	24	1 while the speaker's sending waits for its source, otherwise 0
 *	25-31	reserved, 0
 *
 *	octets	payload of DONE
 *	0-7	length of the stream that was written, drained and closed
 *	8-11	status, 0
 *	12-15	reserved, 0
 *
 *	octets	payload of FAIL
 *	0-1	reason, enum failure
 *	2-3	reserved, 0
 *	4-	text, at most 4608 octets; of a command the verdict, and after a
 *		newline what it said last on its standard error
 *
 *	BYE and LEAVE have no payload.  A sender's LEAVE: nothing of its is under
 *	way on this leg and nothing more comes; it closes on purpose, and is not a
 *	loss.  A receiver's asks for that.
 *
 *	Payloads other than DATA's always have a check.
 *
 *	With a key every frame is followed by 16 octets, its MAC (see auth.h), which
 *	are part of no length above.  Nothing of a frame is heeded before its MAC
 *	was found right, but the length, to know where it ends.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_VERSION		1
#define FRAME_GREETING		128	/* octets of HELLO, WELCOME, REFUSE */
#define FRAME_HEADER		24	/* octets of a frame's header */
#define FRAME_MAC		16	/* octets behind a frame, with a key */
#define FRAME_NONCE		16
#define FRAME_PROOF		32	/* octets of a PROOF's HMAC */
#define FRAME_DATA_MAX		(16u << 20)	/* octets of a payload */
#define FRAME_CONTROL_MAX	4612	/* octets of any other payload */
#define FRAME_LEGS		128	/* leg numbers are below this */
#define FRAME_PATHS		64	/* path numbers are below this */
#define FRAME_ID		16	/* octets of a session or instance id */
#define FRAME_FIN_SIZE		16
#define FRAME_STATUS_SIZE	24	/* without entries */
#define FRAME_STATUS_ENTRY	16
#define FRAME_HEARTBEAT_SIZE	32
#define FRAME_DONE_SIZE		16
#define FRAME_FAIL_SIZE		4	/* without text */
#define FRAME_TEXT_MAX		4608	/* octets of a FAIL's text */
#define FRAME_REFUSE_TEXT	92	/* octets of a REFUSE's text */

enum frame_type {
	FRAME_DATA = 1,
	FRAME_FIN = 2,
	FRAME_STATUS = 3,
	FRAME_HEARTBEAT = 4,
	FRAME_DONE = 5,
	FRAME_FAIL = 6,
	FRAME_BYE = 7,
	FRAME_LEAVE = 8
};

#define FRAME_CHECKED	0x01	/* flags: the payload's check is set */
#define FRAME_REPLY	0x02	/* flags: a heartbeat that answers one */

#define FEATURE_CHECKSUM	0x00000001u	/* CRC-32C on payloads, digest */
#define FEATURE_KEY		0x00000002u	/* proofs, and MACs on frames */
#define FEATURES_KNOWN		(FEATURE_CHECKSUM | FEATURE_KEY)

enum role { ROLE_SENDER = 1, ROLE_RECEIVER = 2 };

/* Why a greeting was refused. */
enum refusal {
	REFUSE_PHRASE = 1,	/* another checkphrase */
	REFUSE_VERSION = 2,	/* another version of the protocol */
	REFUSE_BUSY = 3,	/* another session has this receiver */
	REFUSE_RECEIVER = 4,	/* not the receiver of this session */
	REFUSE_FEATURE = 5,	/* a required feature is not known */
	REFUSE_ROLE = 6,	/* both want to send, or both to receive */
	REFUSE_STALE = 7,	/* an older incarnation than the leg in place */
	REFUSE_KEY = 8		/* another key, or only one side has one */
};

/* Why a transfer failed. */
enum failure {
	FAIL_SOURCE = 1,	/* the sender could not read its input */
	FAIL_OUTPUT = 2,	/* the receiver could not write its output */
	FAIL_CONSUMER = 3,	/* whoever read the output is gone */
	FAIL_SIGNAL = 4,	/* ended by a signal */
	FAIL_TIMEOUT = 5,	/* no progress for `timeout` */
	FAIL_DIGEST = 6,	/* the whole stream's digest differs */
	FAIL_RESOURCE = 7,	/* memory or a thread could not be had */
	FAIL_PROTOCOL = 8,	/* the peer broke the protocol's rules */
	FAIL_COMMAND = 9	/* the command at either end did not succeed */
};

/* HELLO and WELCOME alike; see the table. */
struct hello {
	bool welcome;
	enum role role;
	uint8_t session[FRAME_ID];
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
	uint64_t delivered;
	uint8_t nonce[FRAME_NONCE];
};

struct refuse {
	enum refusal reason;
	uint8_t session[FRAME_ID];
	uint64_t no_leg_ms;
	char text[FRAME_REFUSE_TEXT + 1];
};

struct challenge {
	uint8_t session[FRAME_ID];
	uint8_t nonce[FRAME_NONCE];
};

struct proof {
	uint8_t session[FRAME_ID];
	uint8_t hmac[FRAME_PROOF];
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
	unsigned count;
	struct status_entry entry[FRAME_LEGS];
};

struct heartbeat {
	uint32_t counter;
	uint32_t echo;
	uint64_t seen;
	uint64_t next;
	bool idle;
};

struct done {
	uint64_t total;
	uint32_t status;
};

struct fail {
	enum failure reason;
	char text[FRAME_TEXT_MAX + 1];
};

/* What the 128 octets of a greeting are. */
enum greeting {
	GREETING_HELLO,
	GREETING_WELCOME,
	GREETING_REFUSE,
	GREETING_CHALLENGE,
	GREETING_PROOF,
	GREETING_VERSION,	/* ours, but of another version */
	GREETING_ALIEN		/* not of this protocol, or damaged */
};

/* The first octets already tell whether these n (1-128) can become a greeting. */
bool greeting_possible(const uint8_t *in, size_t n);
enum greeting greeting_kind(const uint8_t in[FRAME_GREETING]);

void hello_encode(const struct hello *hello, uint8_t out[FRAME_GREETING]);
/* For GREETING_HELLO and GREETING_WELCOME.  NULL, or what is wrong. */
const char *hello_decode(struct hello *hello, const uint8_t in[FRAME_GREETING]);

void refuse_encode(const struct refuse *refuse, uint8_t out[FRAME_GREETING]);
const char *refuse_decode(struct refuse *refuse, const uint8_t in[FRAME_GREETING]);

void challenge_encode(const struct challenge *challenge, uint8_t out[FRAME_GREETING]);
const char *challenge_decode(struct challenge *challenge, const uint8_t in[FRAME_GREETING]);

void proof_encode(const struct proof *proof, uint8_t out[FRAME_GREETING]);
const char *proof_decode(struct proof *proof, const uint8_t in[FRAME_GREETING]);

void frame_encode(const struct frame *frame, uint8_t out[FRAME_HEADER]);
/* Length is legal for the type afterwards (STATUS: a whole number of entries). */
const char *frame_decode(struct frame *frame, const uint8_t in[FRAME_HEADER]);
/* Sets flags and check for a payload of frame->length octets, then encodes. */
void frame_encode_checked(struct frame *frame, const uint8_t *payload, uint8_t out[FRAME_HEADER]);
/* Whether a payload matches its check; true when it has none. */
bool frame_payload_good(const struct frame *frame, const uint8_t *payload);

/*
 * Payloads.  The encoders return the octets written; out has room for
 * FRAME_CONTROL_MAX.  The decoders get a payload of frame->length octets whose
 * check has been found good.
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
