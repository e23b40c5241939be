/*
 * Fuzz target: the state of a session, on both sides, fed with whatever a peer
 * may say on several legs.
 *
 * Byte 0 says which side this is and how things are; the rest are acts, each
 * an byte that says which and on which leg, and arguments.  Most acts are
 * something that the peer says: frames whose headers are right but whose
 * meaning need not be, frames of whatever the input says, with a right check,
 * and plain bytes.  They lie on a connection until the leg's own code reads
 * them, in pieces of any size.  Legs run worker.c's own rounds; the reader and
 * the writer are the product's own threads, and while the writer is held up in
 * a write the next acts happen.
 *
 * The stream's bytes follow from their offset in six of eight bits; the other
 * two say which of several frames with that offset they came in.  What must
 * hold after every act:
 *
 * at the receiver
 *  1. what is written is the stream from its begin, each byte once, as some
 *     frame that the peer sent had it, and nothing after it was stopped;
 *  2. reassembly_audit finds nothing, the cursor is where writing is, and buffers
 *     are bounded by the window;
 *  3. it says nothing that is not so: no byte is told as delivered or received
 *     before it was, and DONE only when all was written, taken and closed;
 * at the sender
 *  4. window_audit finds nothing; every frame that it sends is legal, has the
 *     stream's bytes, and lies below the credit that was ever given;
 *  5. it believes DONE only of a source that has ended, of which it has sent
 *     everything, with the right length;
 * with a key, on both sides
 *  6. each frame that is said has its tag, and nothing of one with another is
 *     heeded;
 * and on both, the exit status is 0 only with that outcome, and whatever
 * happened, every leg comes to its end when its connection does.
 */
#include <errno.h>
#include <limits.h>

#include "fuzz.h"
#include "fuzz_world.h"

#include "../admit.h"
#include "../crypto/crc32c.h"
#include "../crypto/digest.h"
#include "../leg.h"
#include "../options.h"
#include "../outcome.h"
#include "../rx.h"
#include "../session.h"
#include "../tx.h"
#include "fuzz_inside.h"

#define LEGS		3
#define CONN_SIZE	(12u << 10)
#define ACTS		300
#define PERIOD		(64u << 10)	/* of the stream's bytes */
#define SOURCE_MAX	(48u << 10)
#define MEANING		0x3f		/* the bits that follow from the offset */
#define ROUNDS_MAX	2000

/* What the peer hears on one connection. */
struct hearer {
	size_t greeting;	/* bytes of it that are still to come */
	uint8_t header[FRAME_HEAD_SEALED];
	size_t have;
	bool inside;		/* of a payload */
	struct frame frame;
	size_t at;
	uint8_t payload[FRAME_CONTROL_MAX];
	uint64_t received;	/* bytes of the stream that came this way */
	uint64_t delivered;	/* as it was told last */
	uint64_t pushed;	/* bytes of the stream that we said this way */
	uint32_t incarnation;
	unsigned leg;
	struct channel_pair *keys;	/* the peer's, with a key */
	uint8_t tag[FRAME_TAG];
	size_t tag_have;
	uint64_t frames;
};

static struct session session;
static struct options options;
static struct leg *legs[LEGS];
static uint32_t incarnation[LEGS];
static struct hearer hearer[WORLD_CONNS];
static struct fuzz_input input;
static unsigned acts;
static bool rounding, writing, ending;
static bool by_hand;		/* reader and writer run only when an act says so */
static unsigned scale;

static uint8_t pattern[4][2 * PERIOD];
static uint8_t variants[PERIOD];	/* which of them were sent, by offset */
static uint8_t got[PERIOD];		/* bytes that the peer of a sender has */
static uint64_t got_to;
static uint64_t top;			/* end of the highest frame that we sent */
static uint64_t written;
static uint64_t granted;
static bool fin_said;
static bool keyed;

static void act(void);

static void
make_pattern(void)
{
	unsigned v;
	size_t i;

	for (v = 0; v < 4; v++)
		for (i = 0; i < 2 * PERIOD; i++)
			pattern[v][i] = (uint8_t)(v << 6 |
			    ((uint32_t)(i % PERIOD) * 2654435761u >> 26));
}

/* What the product says */

/* What was agreed on is the credit at the begin. */
static uint64_t
credit(void)
{
	return granted > session.direction.window ? granted : session.direction.window;
}

static void
judge_data(const struct hearer *h)
{
	const struct frame *f = &h->frame;

	MUST(session.tx != NULL);
	MUST(f->seq + f->length <= credit() && f->seq + f->length <= world.source_at);
	MUST(f->length <= session.direction.frame);
	MUST(((f->flags & FRAME_CHECKED) != 0) == (session.direction.checked && !keyed));
	MUST((f->flags & FRAME_CHECKED) == 0 ||
	    crc32c(0, pattern[0] + f->seq, f->length) == f->check);
}

static void
judge_status(struct hearer *h, size_t n)
{
	static struct status s;
	const struct hearer *other;
	unsigned i, k;

	MUST(session.rx != NULL);
	MUST_FIND_NOTHING(status_decode(&s, h->payload, n));
	MUST(s.delivered <= written && s.delivered >= h->delivered);
	MUST(s.limit == s.delivered + session.direction.window);
	h->delivered = s.delivered;
	for (i = 0; i < s.count; i++)
		for (k = 0; k < world.conns; k++) {
			other = &hearer[k];
			if (other->leg == s.entry[i].leg &&
			    other->incarnation == s.entry[i].incarnation)
				MUST(s.entry[i].received <= other->pushed);
		}
}

static void
judge_outcome(const struct hearer *h, size_t n)
{
	static struct fail fail;
	struct done done;

	MUST(session.direction.outcome != OUTCOME_NONE);
	if (h->frame.type == FRAME_FAIL) {
		MUST_FIND_NOTHING(fail_decode(&fail, h->payload, n));
		MUST(session.direction.outcome == OUTCOME_FAILED);
	} else if (h->frame.type == FRAME_DONE) {
		MUST_FIND_NOTHING(done_decode(&done, h->payload, n));
		MUST(session.rx != NULL && session.direction.outcome == OUTCOME_DONE);
		MUST(done.total == written && !world.output_open);
	}
}

static void
judge_control(struct hearer *h)
{
	struct heartbeat beat;
	struct fin fin;
	size_t n = h->frame.length;

	MUST(frame_payload_good(&h->frame, h->payload));
	switch (h->frame.type) {
	case FRAME_DATA:
		break;
	case FRAME_FIN:
		MUST_FIND_NOTHING(fin_decode(&fin, h->payload, n));
		MUST(session.tx != NULL && world.source_end);
		MUST(h->frame.seq == world.source_have);
		break;
	case FRAME_STATUS:
		judge_status(h, n);
		break;
	case FRAME_HEARTBEAT:
		MUST_FIND_NOTHING(heartbeat_decode(&beat, h->payload, n));
		MUST(session.tx != NULL ? beat.next <= world.source_at : beat.next == 0);
		break;
	case FRAME_DONE:
	case FRAME_FAIL:
	case FRAME_BYE:
		judge_outcome(h, n);
		break;
	case FRAME_LEAVE:
	case FRAME_CONFIRM:
		break;
	}
}

/* Bytes of a payload; returns how many of them belong to it. */
static size_t
hear_payload(struct hearer *h, const uint8_t *bytes, size_t n)
{
	uint64_t seq = h->frame.seq + h->at;

	if (n > h->frame.length - h->at)
		n = h->frame.length - h->at;
	if (h->frame.type == FRAME_DATA) {
		MUST(memcmp(bytes, pattern[0] + seq, n) == 0);
		memset(got + seq, 1, n);
		while (got_to < PERIOD && got[got_to] != 0)
			got_to++;
		h->received += n;
	} else
		memcpy(h->payload + h->at, bytes, n);
	h->at += n;
	return n;
}

static void
hear_header(struct hearer *h)
{
	uint8_t head[FRAME_HEAD];

	if (keyed) {
		MUST(channel_open_head(&h->keys->receive, head, h->header, FRAME_HEAD));
		MUST_FIND_NOTHING(frame_head_decode(&h->frame, head));
		if (h->frame.length > 0)
			MUST(channel_body(&h->keys->receive, h->frame.length));
	} else
		MUST_FIND_NOTHING(frame_decode(&h->frame, h->header));
	MUST((h->frames++ == 0 && keyed && session.caller) == (h->frame.type == FRAME_CONFIRM));
	if (h->frame.type == FRAME_DATA)
		judge_data(h);
	h->inside = true;
	h->at = h->tag_have = 0;
}

/* Bytes of the tag behind a payload. */
static size_t
hear_tag(struct hearer *h, const uint8_t *bytes, size_t n)
{
	if (n > FRAME_TAG - h->tag_have)
		n = FRAME_TAG - h->tag_have;
	memcpy(h->tag + h->tag_have, bytes, n);
	h->tag_have += n;
	if (h->tag_have == FRAME_TAG)
		MUST(aead_verify(&h->keys->receive.body, h->tag));
	return n;
}

/* With a key: bytes of a sealed payload. */
static size_t
hear_sealed(struct hearer *h, const uint8_t *bytes, size_t n)
{
	static uint8_t plain[CONN_SIZE];

	if (n > h->frame.length - h->at)
		n = h->frame.length - h->at;
	if (n > sizeof(plain))
		n = sizeof(plain);
	aead_open(&h->keys->receive.body, plain, bytes, n);
	return hear_payload(h, plain, n);
}

static bool
whole(const struct hearer *h)
{
	return h->at == h->frame.length &&
	    (!keyed || h->frame.length == 0 || h->tag_have == FRAME_TAG);
}

static void
hear(int fd, const uint8_t *bytes, size_t n)
{
	struct hearer *h = &hearer[fd - WORLD_FIRST];
	const size_t size = keyed ? FRAME_HEAD_SEALED : FRAME_HEADER;
	size_t part;

	for (; n > 0; bytes += part, n -= part) {
		if (h->greeting > 0) {
			part = n < h->greeting ? n : h->greeting;
			h->greeting -= part;
			continue;
		}
		if (!h->inside) {
			part = size - h->have < n ? size - h->have : n;
			memcpy(h->header + h->have, bytes, part);
			h->have += part;
			if (h->have < size)
				continue;
			hear_header(h);
		} else if (h->at < h->frame.length)
			part = keyed ? hear_sealed(h, bytes, n) : hear_payload(h, bytes, n);
		else
			part = hear_tag(h, bytes, n);
		if (!whole(h))
			continue;
		if (h->frame.type != FRAME_DATA)
			judge_control(h);
		h->inside = false;
		h->have = 0;
	}
}

static void
judge_written(const uint8_t *bytes, size_t n)
{
	uint64_t at = written;
	size_t i;

	MUST(!inside_rx_stopped(session.rx) || world.writing);
	for (i = 0; i < n; i++) {
		MUST(((bytes[i] ^ pattern[0][(at + i) % PERIOD]) & MEANING) == 0);
		if (at + i < PERIOD)
			MUST((variants[at + i] >> (bytes[i] >> 6) & 1) != 0);
	}
	written += n;
}

static void
read_source(uint8_t *to, uint64_t at, size_t n)
{
	memcpy(to, pattern[0] + at, n);
}

/* What must hold after every act */

static void
audit_rx(void)
{
	const struct reassembly *o = inside_rx_reassembly(session.rx);

	MUST_FIND_NOTHING(reassembly_audit(o));
	MUST(o->cursor == written);
	MUST(o->count <= 2 * REASSEMBLY_PIECES(o->window));
	MUST(inside_rx_live(session.rx) <= 2 * o->window + 4096 * (o->count + LEGS) +
	    LEGS * 2 * (uint64_t)session.direction.frame);
	if (session.direction.outcome == OUTCOME_DONE)
		MUST(fin_said && o->total_known && written == o->total && !world.output_open &&
		    session.direction.total == written);
}

static void
audit_tx(void)
{
	const struct window *w = inside_tx_window(session.tx);

	MUST_FIND_NOTHING(window_audit(w));
	MUST(w->next <= credit());
	if (session.direction.outcome == OUTCOME_DONE)
		MUST(world.source_end && world.source_at == world.source_have && w->eof &&
		    w->next == w->end && session.direction.total == world.source_have);
}

static void
audit(void)
{
	if (session.rx != NULL)
		audit_rx();
	else
		audit_tx();
	MUST(session.direction.outcome != OUTCOME_NONE || session.status == 0);
	MUST(session.direction.outcome != OUTCOME_FAILED || session.status != 0);
	MUST(session.direction.outcome != OUTCOME_DONE || session.status == 0);
	MUST(session.up <= LEGS && session.up <= session.busy);
}

/* Connections */

static bool
is_up(unsigned n)
{
	return legs[n]->fd != -1;
}

static void
rounds(unsigned n)
{
	bool before = rounding;

	if (!is_up(n))
		return;
	rounding = true;
	inside_leg_round(legs[n]);
	rounding = before;
}

static int
new_connection(unsigned n)
{
	int fd = world_connect(CONN_SIZE);
	struct hearer *h;

	if (fd == -1)
		return -1;
	h = &hearer[fd - WORLD_FIRST];
	h->greeting = session.caller || keyed ? 0 : FRAME_GREETING;
	h->frames = 0;
	h->have = h->at = 0;
	h->inside = false;
	h->received = h->delivered = h->pushed = 0;
	h->leg = n;
	h->incarnation = 0;
	return fd;
}

static void
make_greeting(struct hello *h, unsigned n)
{
	memset(h, 0, sizeof(*h));
	h->welcome = session.caller;
	h->role = session.sends ? ROLE_RECEIVER : ROLE_SENDER;
	memset(h->session, 0xa0, FRAME_ID);
	memset(h->instance, session.caller ? 0xb0 : 0, FRAME_ID);
	h->leg = (uint16_t)n;
	h->required = options.checksum ? FEATURE_CHECKSUM : 0;
	h->known = FEATURES_KNOWN;
	memcpy(h->phrase, options.phrase, 4);
	h->window = 4u << 20;
	h->frame = 1u << 20;
	h->heartbeat_ms = 10000;
	h->timeout_ms = 60000;
	h->linger_ms = 30000;
}

/*
 * How far the peer says that it has the stream, which it may not say of what was
 * never sent.
 */
static bool
say_delivered(struct hello *h, bool lies)
{
	h->delivered = session.sends ? got_to : 0;
	h->received = session.sends ? h->incarnation % 2 : 0;
	if (session.sends && h->delivered + session.direction.window > granted)
		granted = h->delivered + session.direction.window;
	if (session.sends && lies)
		h->delivered = inside_tx_window(session.tx)->next + 1;
	return !session.sends || !lies;
}

/* The peer of a connection, and the product's end of it, have keys that fit. */
static struct channel_pair *
share_keys(int fd)
{
	struct hearer *h = &hearer[fd - WORLD_FIRST];
	struct channel_pair *ours = NULL;

	channel_pair_free(h->keys);
	h->keys = NULL;
	if (keyed && session.caller)
		inside_keys(&session, &ours, &h->keys);
	else if (keyed)
		inside_keys(&session, &h->keys, &ours);
	return ours;
}

static void
call_us(unsigned n)
{
	int fd = new_connection(n);
	struct admission admission;
	struct hello hello;
	bool honest;

	if (fd == -1)
		return;
	make_greeting(&hello, n);
	hello.incarnation = ++incarnation[n];
	honest = say_delivered(&hello, incarnation[n] % 8 == 0);
	hearer[fd - WORLD_FIRST].incarnation = hello.incarnation;
	admission = (struct admission){
		.hello = &hello, .keys = share_keys(fd), .fd = fd, .name = "caller"
	};
	if (!admit_hello(&session, &admission)) {
		channel_pair_free(admission.keys);
		world_at(fd)->open = false;
		return;
	}
	/* Its older self sees that it was replaced. */
	rounds(n);
	MUST(!is_up(n));
	MUST(!inside_leg_serve(legs[n]) || honest);
}

static void
call_them(unsigned n)
{
	uint8_t greeting[FRAME_GREETING];
	struct hello hello, welcome;
	bool honest;
	int fd;

	if (is_up(n) || (fd = new_connection(n)) == -1)
		return;
	if (!inside_leg_greet(legs[n], fd, &hello)) {
		world_at(fd)->open = false;
		return;
	}
	hearer[fd - WORLD_FIRST].incarnation = hello.incarnation;
	make_greeting(&welcome, n);
	memcpy(welcome.session, hello.session, FRAME_ID);
	welcome.incarnation = hello.incarnation;
	honest = say_delivered(&welcome, hello.incarnation % 8 == 0);
	hello_encode(&welcome, greeting);
	MUST(!inside_leg_answered(legs[n], greeting, share_keys(fd)) || honest);
}

static void
connect_leg(unsigned n)
{
	if (session.caller)
		call_them(n);
	else
		call_us(n);
}

/* What the peer says */

static void
say_bytes(unsigned n, const uint8_t *bytes, size_t size)
{
	if (is_up(n))
		world_push(legs[n]->fd, bytes, size);
}

static struct channel *
channel_to(unsigned n)
{
	return &hearer[legs[n]->fd - WORLD_FIRST].keys->send;
}

/* seq and flags as they are given; check and tag are right unless `spoilt'. */
static void
say_frame(unsigned n, struct frame f, const uint8_t *payload, bool spoilt)
{
	static uint8_t bytes[FRAME_HEAD_SEALED + CONN_SIZE + FRAME_TAG];
	size_t size = FRAME_HEADER + f.length;

	if (!is_up(n))
		connect_leg(n);
	if (!is_up(n))
		return;
	if (!keyed && (f.type != FRAME_DATA || session.direction.checked))
		f.flags |= FRAME_CHECKED;
	if (keyed) {
		size = inside_seal(channel_to(n), &f, payload, bytes);
		bytes[size - 1] ^= spoilt;
	} else {
		if ((f.flags & FRAME_CHECKED) != 0)
			f.check = crc32c(0, payload, f.length) ^ spoilt;
		frame_encode(&f, bytes);
		memcpy(bytes + FRAME_HEADER, payload, f.length);
	}
	/* All of it or nothing, or what follows would be taken for the rest. */
	say_bytes(n, bytes, size);
}

static void
say_data(unsigned n, unsigned variant)
{
	uint8_t where = fuzz_byte(&input), much = fuzz_byte(&input);
	uint64_t length = 1 + (uint64_t)much * scale, seq, i;
	struct frame f = { .type = FRAME_DATA };
	bool spoilt = false;

	/* From where we are on, or around the cursor. */
	if (where < 128)
		seq = top + where / 2 * scale;
	else
		seq = written + (uint64_t)(where & 63) * scale;
	if (where >= 192)
		seq = seq > 64 * scale ? seq - 64 * scale : 0;
	if (where == 127) {
		seq += (uint64_t)1 << 61;
		length = 1;
	}
	if (where == 126)
		spoilt = true;
	f.seq = seq;
	f.length = (uint32_t)length;
	if (!is_up(n))
		connect_leg(n);
	if (!is_up(n))
		return;
	if (seq + length > top && seq < PERIOD)
		top = seq + length;
	/* Nobody may have seen what is not the peer's. */
	for (i = seq; i < seq + length && i < PERIOD && !(spoilt && keyed); i++)
		variants[i] |= (uint8_t)(1u << variant);
	hearer[legs[n]->fd - WORLD_FIRST].pushed += length;
	say_frame(n, f, pattern[variant] + seq % PERIOD, spoilt);
}

static void
say_fin(unsigned n)
{
	uint8_t payload[FRAME_FIN_SIZE], how = fuzz_byte(&input);
	struct frame f = { .type = FRAME_FIN, .length = FRAME_FIN_SIZE };
	struct fin fin = { 0 };
	struct digest d;
	uint64_t i;

	f.seq = how < 128 ? top : written + how % 64;
	if (session.direction.checked && (how & 64) == 0 && f.seq <= PERIOD) {
		/* As it will be if only the first variant comes. */
		digest_init(&d);
		digest_add(&d, pattern[0], (size_t)f.seq);
		fin.digest = digest_value(&d);
	}
	i = fin_encode(&fin, payload);
	MUST(i == FRAME_FIN_SIZE);
	fin_said = true;
	say_frame(n, f, payload, false);
}

static void
say_heartbeat(unsigned n)
{
	uint8_t payload[FRAME_HEARTBEAT_SIZE], how = fuzz_byte(&input);
	struct frame f = { .type = FRAME_HEARTBEAT, .length = FRAME_HEARTBEAT_SIZE };
	struct heartbeat h = { .idle = (how & 1) != 0 };

	if ((how & 2) != 0)
		f.flags = FRAME_REPLY;
	h.counter = fuzz_byte(&input);
	h.echo = how >> 6;
	h.seen = is_up(n) && (how & 4) != 0 ? world_at(legs[n]->fd)->sent : how >> 5;
	h.next = (how & 8) != 0 ? top : how >> 4;
	heartbeat_encode(&h, payload);
	say_frame(n, f, payload, false);
}

static void
say_outcome(unsigned n)
{
	static struct fail fail;
	uint8_t payload[FRAME_CONTROL_MAX], how = fuzz_byte(&input);
	struct frame f = { .length = 0 };
	struct done done = { .total = world.source_have };

	switch (how >> 6) {
	case 0:
		f.type = FRAME_DONE;
		done.total += how & 3;
		f.length = (uint32_t)done_encode(&done, payload);
		break;
	case 1:
		f.type = FRAME_FAIL;
		fail.reason = (enum failure)(1 + how % 8);
		memset(fail.text, 'x', how & 63);
		fail.text[how & 63] = '\0';
		f.length = (uint32_t)fail_encode(&fail, payload);
		break;
	case 2:
		f.type = FRAME_BYE;
		break;
	default:
		f.type = FRAME_LEAVE;
		break;
	}
	say_frame(n, f, payload, false);
}

/* What a peer that has got what it has would say, and then changes of it. */
static void
say_status(unsigned n)
{
	static struct status s;
	static uint8_t payload[FRAME_CONTROL_MAX];
	struct frame f = { .type = FRAME_STATUS };
	uint8_t how = fuzz_byte(&input), credit = fuzz_byte(&input);
	const struct hearer *h;
	unsigned i;

	s.delivered = got_to > (how & 15) * 32u ? got_to - (how & 15) * 32u : 0;
	if ((how & 15) == 15)
		s.delivered = got_to + credit;
	s.limit = s.delivered + (credit < 250 ? credit * 64u : (uint64_t)1 << (12 + credit % 50));
	s.blocked = (how & 16) != 0;
	s.count = 0;
	for (i = 0; i < LEGS; i++) {
		if (!is_up(i) || (how >> 5 & 1 << i) != 0)
			continue;
		h = &hearer[legs[i]->fd - WORLD_FIRST];
		s.entry[s.count].leg = (uint16_t)i;
		s.entry[s.count].incarnation = h->incarnation;
		s.entry[s.count].received = h->received;
		if (credit % 16 == 1)
			s.entry[s.count].received += credit / 16 + 1u;
		else if (credit % 16 == 2)
			s.entry[s.count].received /= 2;
		else if (credit % 16 == 3)
			s.entry[s.count].leg = credit % FRAME_LEGS;
		s.count++;
	}
	if (s.limit > granted && s.limit <= (uint64_t)1 << 62)
		granted = s.limit;
	f.length = (uint32_t)status_encode(&s, payload);
	say_frame(n, f, payload, false);
}

/* With a key: seals a header as it is, and what is behind it; its bytes. */
static size_t
seal_header(struct channel *c, uint8_t *bytes, size_t behind)
{
	uint8_t plain[FRAME_HEADER + 64];

	memcpy(plain, bytes, sizeof(plain));
	MUST(channel_seal_head(c, bytes, plain, FRAME_HEAD));
	if (behind == 0)
		return FRAME_HEAD_SEALED;
	MUST(channel_body(c, behind));
	aead_seal(&c->body, bytes + FRAME_HEAD_SEALED, plain + FRAME_HEADER, behind);
	aead_tag(&c->body, bytes + FRAME_HEAD_SEALED + behind);
	return FRAME_HEAD_SEALED + behind + FRAME_TAG;
}

/* A header of the input's own, and some bytes behind it. */
static void
say_header(unsigned n)
{
	uint8_t bytes[FRAME_HEAD_SEALED + 64 + FRAME_TAG];
	uint32_t crc;
	size_t behind;
	unsigned i;

	memset(bytes, 0, sizeof(bytes));
	bytes[0] = fuzz_byte(&input);
	bytes[1] = fuzz_byte(&input);
	bytes[7] = fuzz_byte(&input);
	fuzz_take(&input, bytes + 18, 2);
	behind = fuzz_byte(&input);
	if ((behind & 0x80) != 0)
		fuzz_take(&input, bytes + 2, 10);
	behind &= 63;
	crc = crc32c(0, bytes, 24);
	for (i = 0; i < 4; i++)
		bytes[24 + i] = (uint8_t)(crc >> (24 - 8 * i));
	/* It must not be a DATA frame whose bytes we did not account for. */
	if (bytes[0] == FRAME_DATA)
		return;
	if (bytes[0] == FRAME_FIN)
		fin_said = true;
	if (bytes[0] == FRAME_STATUS)
		granted = (uint64_t)1 << 62;
	fuzz_take(&input, bytes + FRAME_HEADER, behind);
	if (!is_up(n))
		connect_leg(n);
	if (!is_up(n))
		return;
	say_bytes(n, bytes, keyed ? seal_header(channel_to(n), bytes, behind) :
	    FRAME_HEADER + behind);
}

static void
say_raw(unsigned n)
{
	uint8_t bytes[64];
	size_t size = fuzz_byte(&input) & 63;

	fuzz_take(&input, bytes, size);
	say_bytes(n, bytes, size);
}

/* What else happens */

static void
run_half(void)
{
	bool before = writing, round = rounding;

	if (writing)
		return;
	writing = true;
	rounding = false;
	world_run(session.sends ? "viamillipede-r" : "viamillipede-w");
	writing = before;
	rounding = round;
}

static void
cut(unsigned n)
{
	uint8_t how = fuzz_byte(&input);
	struct world_conn *c;

	if (!is_up(n))
		return;
	c = world_at(legs[n]->fd);
	switch (how & 3) {
	case 0:
		c->end = true;
		c->hold = 0;
		break;
	case 1:
		c->error = ECONNRESET;
		break;
	case 2:
		c->piece = how >> 2;
		c->hold = 0;
		break;
	case 3:
		c->hold = how >> 2;
		break;
	}
}

static void
consumer(void)
{
	uint8_t how = fuzz_byte(&input);

	if (session.sends) {
		if (how == 255)
			world.source_error = EIO;
		else if (how >= 224)
			world.source_end = true;
		else if (!world.source_end && world.source_have < SOURCE_MAX)
			world.source_have += how * scale;
		return;
	}
	if (how < 32)
		world.output_room = how;
	else if (how < 128)
		world.output_room = SIZE_MAX;
	else if (how < 192)
		world.output_piece = how == 128 ? SIZE_MAX : how - 127u;
	else if (how < 250)
		world.untaken = 0;
	else if (how < 253)
		world.gone = true;
	else
		world.output_error = ENOSPC;
}

static void
own_end(void)
{
	uint8_t how = fuzz_byte(&input);

	if (how < 200 && session.rx != NULL)
		rx_look(session.rx, session.state == SESSION_RUNNING);
	else if (how < 225)
		outcome_fail(&session, FAIL_RESOURCE, "a failure of ours");
	else if (how < 240)
		outcome_signal(&session, 15);
}

static void
congest(unsigned n)
{
	uint8_t how = fuzz_byte(&input);

	if (is_up(n))
		world_at(legs[n]->fd)->room = how < 200 ? how * 8u : SIZE_MAX;
}

static void
pass_time(void)
{
	uint64_t n = fuzz_byte(&input);

	world.now_ns += n * n * 500000;
}

static void
act_on(unsigned what, unsigned n, unsigned variant)
{
	switch (what) {
	case 0:
	case 1:
		if (session.rx != NULL)
			say_data(n, variant);
		else
			say_status(n);
		break;
	case 2:
		if (session.rx != NULL)
			say_fin(n);
		else
			consumer();
		break;
	case 3:
		say_heartbeat(n);
		break;
	case 4:
		say_outcome(n);
		break;
	case 5:
		say_raw(n);
		break;
	case 6:
		say_header(n);
		break;
	case 7:
	case 8:
		cut(n);
		break;
	case 9:
		connect_leg(n);
		break;
	case 10:
		pass_time();
		break;
	case 11:
		run_half();
		break;
	case 12:
		consumer();
		break;
	case 13:
		own_end();
		break;
	case 14:
		congest(n);
		break;
	case 15:
		break;
	}
}

/* Four bits say what, two on which leg (3: nobody's round follows), two which variant. */
static void
act(void)
{
	uint8_t o = fuzz_byte(&input);
	unsigned n = o >> 4 & 3;

	acts++;
	act_on(o & 15, n % LEGS, o >> 6);
	if (n < LEGS)
		rounds(n);
	if (!by_hand)
		run_half();
	audit();
}

static bool
meanwhile(int ms)
{
	(void)ms;
	if (ending)
		return false;
	if (rounding)
		return true;
	if (!writing || !fuzz_more(&input) || acts >= ACTS)
		return false;
	act();
	return true;
}

/* The whole */

static void
make_options(uint8_t how)
{
	options.mode = (how & 2) != 0 ? OPTIONS_TX : OPTIONS_RX;
	options.calls = (how & 1) != 0;
	options.checksum = (how & 4) != 0;
	options.npaths = options.calls ? 1 : 0;
	options.legs = LEGS;
	memcpy(options.phrase, OPTIONS_PHRASE, 4);
	options.window_bytes = (how & 0x20) != 0 ? 16u << 10 : 64u << 10;
	options.window_given = true;
	options.wait_ms = options.timeout_ms = 60000;
	options.linger_ms = 30000;
	options.heartbeat_ms = 10000;
	world.pipe = (how & 8) != 0;
	atomic_store(&log_level, (how & 0x1c) == 0x1c ? LOG_LEVEL_MAX : LOG_ERROR);
	scale = (how & 0x40) != 0 ? 8 : 1;
	by_hand = (how & 0x80) != 0;
	keyed = (how & 0x30) == 0x30;
}

static void
make_session(void)
{
	char why[OPTIONS_WHY_SIZE];
	unsigned i;

	MUST(session_init(&session, &options) == 0);
	if (keyed)
		MUST(key_take(&session.key, "the key of all these sessions, 32+", 34, why,
		    sizeof(why)) == 0);
	if (session.sends) {
		session.tx = inside_tx_new(&session);
		MUST(session.tx != NULL && tx_start(session.tx) == 0);
	} else {
		session.rx = inside_rx_new(&session);
		MUST(session.rx != NULL && rx_start(session.rx) == 0);
	}
	session.legs = LEGS;
	for (i = 0; i < LEGS; i++) {
		legs[i] = session.leg[i] = leg_new(&session, i);
		MUST(legs[i] != NULL);
		incarnation[i] = 0;
	}
}

static void
forget(void)
{
	acts = 0;
	rounding = writing = ending = fin_said = false;
	if (written > top)
		top = written;
	memset(variants, 0, top < PERIOD ? top : PERIOD);
	memset(got, 0, world.source_have < PERIOD ? world.source_have : PERIOD);
	got_to = top = written = granted = 0;
}

/* Every connection ends now, so every leg must. */
static void
end_legs(void)
{
	unsigned i, k;

	ending = true;
	world.output_room = SIZE_MAX;
	for (i = 0; i < LEGS; i++) {
		if (!is_up(i))
			continue;
		world_at(legs[i]->fd)->end = true;
		world_at(legs[i]->fd)->hold = 0;
		world_at(legs[i]->fd)->room = SIZE_MAX;
		for (k = 0; k < ROUNDS_MAX && is_up(i); k++)
			inside_leg_round(legs[i]);
		MUST(!is_up(i));
	}
	run_half();
	audit();
	MUST(session.up == 0 && session.busy == 0);
	for (i = 0; i < world.conns; i++) {
		MUST(!world.conn[i].open);
		channel_pair_free(hearer[i].keys);
		hearer[i].keys = NULL;
	}
	for (i = 0; i < LEGS; i++)
		MUST(legs[i]->keys == NULL && legs[i]->handed.keys == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned i;

	if (pattern[3][0] == 0)
		make_pattern();
	input = (struct fuzz_input){ data, size };
	forget();
	world_reset();
	world.wait = meanwhile;
	world.sent = hear;
	world.written = judge_written;
	world.read = read_source;
	make_options(fuzz_byte(&input));
	make_session();
	while (fuzz_more(&input) && acts < ACTS)
		act();
	end_legs();
	key_close(&session.key);
	for (i = 0; i < LEGS; i++)
		free(legs[i]);
	if (session.tx != NULL)
		inside_tx_free(session.tx);
	if (session.rx != NULL)
		inside_rx_free(session.rx);
	return 0;
}
