/*
 * What is not known to be right changes nothing.
 *
 * Both halves, in the world of fuzz_world.h, with a key, with checks and in
 * clear, are taken to several moments of a session.  There somebody between the
 * two puts a frame into one leg: of each type, with each of its fields changed
 * in turn, and made good as far as who lacks the key can make it good; or only
 * its header, or half of it.  With a key also behind a header that is right, as if
 * the peer had sent that and somebody had changed what follows.  Then the leg's
 * connection ends.  All that is known
 * of the stream, of the session and of the legs must then be what it is when that
 * connection has just ended at that moment; and the genuine rest of the stream
 * must come to its end.
 *
 * In the same world are shown a few things that are told of the session as a
 * whole: what one leaves to the next, and what a leg does that cannot speak.
 *
 * That bytes came is all that a leg may believe before they are judged: it says
 * when something was heard last, which is left out here, as all times are.
 */
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

#define LEGS		2
#define CONN_SIZE	(64u << 10)
#define TOTAL		4000u
#define MOMENTS		6u
#define BOOKS		512

enum kind { CLEAR, CHECKED, KEYED, KINDS };
enum part { HEADER, HALF, BARE, WHOLE, PARTS };	/* BARE: but for the tag */

static struct session session;
static struct options options;
static struct leg *legs[LEGS];
static struct channel_pair *peer[LEGS];	/* with a key: the other end of each leg */
static uint32_t incarnations[LEGS];
static uint8_t stream[64u << 10];
static uint64_t written;
static enum kind kind;
static uint8_t who;			/* the session */
static unsigned long forgeries;

static struct forgery {
	struct frame frame;
	uint8_t payload[FRAME_CONTROL_MAX];
	enum part part;
} forgery;

static void
judge_written(const uint8_t *bytes, size_t n)
{
	MUST(memcmp(bytes, stream + written, n) == 0);
	written += n;
}

static void
read_source(uint8_t *to, uint64_t at, size_t n)
{
	memcpy(to, stream + at, n);
}

/* No time passes while somebody waits; who reads takes what there is. */
static bool
meanwhile(int ms)
{
	(void)ms;
	world.untaken = 0;
	return true;
}

/* Legs */

static bool
is_up(unsigned n)
{
	return legs[n]->fd != -1;
}

static void
rounds(unsigned n)
{
	unsigned i;

	for (i = 0; i < 6; i++)
		if (is_up(n))
			inside_leg_round(legs[n]);
	if (session.sends)
		world_run("viamillipede-r");
	if (session.receives)
		world_run("viamillipede-w");
}

static bool
connect_leg(unsigned n)
{
	int fd = world_connect(CONN_SIZE);
	struct admission admission;
	struct hello h;

	memset(&h, 0, sizeof(h));
	h.role = session_peer_role(&session);
	memset(h.session, who, FRAME_ID);
	h.leg = (uint16_t)n;
	h.incarnation = ++incarnations[n];
	h.required = kind == CHECKED ? FEATURE_CHECKSUM : 0;
	h.known = FEATURES_KNOWN;
	memcpy(h.phrase, options.phrase, 4);
	h.window = 4u << 20;
	h.frame = 1u << 20;
	h.heartbeat_ms = 10000;
	h.timeout_ms = 60000;
	admission = (struct admission){ .hello = &h, .fd = fd, .name = "caller" };
	channel_pair_free(peer[n]);
	peer[n] = NULL;
	if (kind == KEYED)
		inside_keys(&session, &peer[n], &admission.keys);
	if (!admit_hello(&session, &admission)) {
		channel_pair_free(admission.keys);
		world_at(fd)->open = false;
		return false;
	}
	MUST(inside_leg_serve(legs[n]));
	rounds(n);
	return true;
}

/* What the peer says */

static size_t
encode(struct frame f, const uint8_t *payload, uint32_t spoil, uint8_t *out)
{
	f.check = 0;
	if (f.type != FRAME_DATA || kind == CHECKED)
		f.flags |= FRAME_CHECKED;
	if ((f.flags & FRAME_CHECKED) != 0)
		f.check = crc32c(0, payload, f.length) ^ spoil;
	frame_encode(&f, out);
	memcpy(out + FRAME_HEADER, payload, f.length);
	return FRAME_HEADER + f.length;
}

static void
say(unsigned n, struct frame f, const uint8_t *payload)
{
	static uint8_t bytes[FRAME_HEAD_SEALED + CONN_SIZE + FRAME_TAG];
	size_t size = kind == KEYED ? inside_seal(&peer[n]->send, &f, payload, bytes) :
	    encode(f, payload, 0, bytes);

	MUST(world_push(legs[n]->fd, bytes, size));
}

static void
say_data(unsigned n, uint64_t seq, uint32_t length)
{
	say(n, (struct frame){ .type = FRAME_DATA, .seq = seq, .length = length }, stream + seq);
}

static void
say_fin(unsigned n)
{
	uint8_t payload[FRAME_FIN_SIZE];
	struct fin fin = { 0 };
	struct digest d;

	digest_init(&d);
	digest_add(&d, stream, TOTAL);
	if (kind == CHECKED)
		fin.digest = digest_value(&d);
	fin_encode(&fin, payload);
	say(n, (struct frame){ .type = FRAME_FIN, .seq = TOTAL, .length = FRAME_FIN_SIZE },
	    payload);
}

static void
say_status(unsigned n, uint64_t delivered)
{
	static uint8_t payload[FRAME_CONTROL_MAX];
	static struct status s;
	struct frame f = { .type = FRAME_STATUS };

	s.delivered = delivered;
	s.limit = delivered + session.direction.window;
	s.count = 0;
	f.length = (uint32_t)status_encode(&s, payload);
	say(n, f, payload);
}

/* Moments */

static void
receiver_at(unsigned moment)
{
	switch (moment) {
	case 1:
		say_data(0, 0, 1000);
		break;
	case 2:
		say_data(0, 2000, 1000);
		break;
	case 3:			/* the begin of a frame */
		say_data(0, 1000, 1000);
		world_at(legs[0]->fd)->hold = 500;
		break;
	case 4:
		world_at(legs[0]->fd)->hold = 0;
		break;
	case 5:
		say_fin(0);
		break;
	}
}

static void
sender_at(unsigned moment)
{
	switch (moment) {
	case 1:
		world.source_have = 3000;
		break;
	case 2:
		say_status(0, 1000);
		break;
	case 3:
		world.source_have = TOTAL;
		world.source_end = true;
		break;
	case 4:
		say_status(0, 2000);
		break;
	case 5:
		say_status(0, 3500);
		break;
	}
}

static void
at(unsigned moment)
{
	if (session.receives)
		receiver_at(moment);
	if (session.sends)
		sender_at(moment);
	rounds(0);
	rounds(0);
	rounds(1);
}

/* The genuine rest of it. */
static void
finish(void)
{
	uint8_t payload[FRAME_DONE_SIZE];
	struct done done = { .total = TOTAL };
	unsigned i;

	MUST(session.direction.outcome == OUTCOME_NONE);
	world_at(legs[0]->fd)->hold = 0;
	rounds(0);
	if (session.receives) {
		for (i = 0; i < TOTAL; i += 1000)
			say_data(0, i, 1000);
		say_fin(0);
		for (i = 0; i < 4; i++)
			rounds(0);
	}
	if (session.sends) {
		world.source_have = TOTAL;
		world.source_end = true;
		for (i = 0; i < 4; i++)
			rounds(0);
		done_encode(&done, payload);
		say_status(0, TOTAL);
		say(0, (struct frame){ .type = FRAME_DONE, .length = FRAME_DONE_SIZE }, payload);
	}
	for (i = 0; i < 4; i++)
		rounds(0);
	MUST(session.direction.outcome == OUTCOME_DONE && session.status == 0);
	MUST(!session.receives || written == TOTAL);
}

/* Books */

static size_t
leg_books(const struct leg *leg, uint64_t *to)
{
	const uint64_t fixed[] = {
		leg->incarnation, leg->newest, leg->carried, leg->leaving,
		    atomic_load(&leg->pending),
		atomic_load(&leg->bytes), atomic_load(&leg->frames), atomic_load(&leg->resent),
		leg->liveness.rtt_ns, leg->liveness.sample_ns, leg->liveness.sample_asked_ns,
		leg->liveness.echoed, leg->liveness.heard, leg->liveness.seen, leg->controls
	};

	memcpy(to, fixed, sizeof(fixed));
	return sizeof(fixed) / sizeof(fixed[0]);
}

static size_t
books(uint64_t *to)
{
	const uint64_t fixed[] = {
		session.state, session.bound, session.direction.window,
		session.direction.frame, session.direction.checked,
		session.timeout_ns, session.up, session.busy, session.losses, session.pending,
		session.direction.outcome, (uint64_t)session.status,
		session.direction.total, session.released, session.confirmed,
		session.taken_ns, session.came, (uint64_t)session.command_status,
		atomic_load(&session.progress_ns), written
	};
	size_t n = sizeof(fixed) / sizeof(fixed[0]);
	unsigned i;

	memcpy(to, fixed, sizeof(fixed));
	for (i = 0; i < LEGS; i++)
		n += leg_books(legs[i], to + n);
	if (session.sends)
		n += inside_tx_books(session.tx, to + n);
	if (session.receives)
		n += inside_rx_books(session.rx, to + n);
	MUST(n <= BOOKS);
	return n;
}

/* Forgeries */

/* By somebody without the key: a header that is a guess, or one of the peer's and then not. */
static size_t
forge_sealed(uint8_t *bytes, const uint8_t *payload)
{
	struct channel copy = peer[1]->send;
	size_t size;

	if (forgery.part == HEADER) {
		frame_head_encode(&forgery.frame, bytes);
		memset(bytes + FRAME_HEAD, 0x5a, FRAME_TAG);
		return FRAME_HEAD_SEALED;
	}
	size = inside_seal(&copy, &forgery.frame, payload, bytes);
	memset(bytes + size - FRAME_TAG, 0x5a, FRAME_TAG);
	sha256_wipe(&copy, sizeof(copy));
	return forgery.part == WHOLE ? size : forgery.part == BARE ? size - FRAME_TAG :
	    FRAME_HEAD_SEALED + forgery.frame.length / 2;
}

static void
forge(void)
{
	static uint8_t bytes[FRAME_HEAD_SEALED + CONN_SIZE + FRAME_TAG];
	const uint8_t *payload = forgery.frame.type == FRAME_DATA ? stream : forgery.payload;
	size_t size;

	if (kind == KEYED)
		size = forge_sealed(bytes, payload);
	else
		size = encode(forgery.frame, payload, forgery.part == WHOLE, bytes);
	if (kind != KEYED && forgery.part == HEADER)
		size = FRAME_HEADER;
	else if (kind != KEYED && forgery.part == HALF)
		size = FRAME_HEADER + forgery.frame.length / 2;
	MUST(world_push(legs[1]->fd, bytes, size));
}

static void
begin(enum options_mode mode)
{
	char why[OPTIONS_WHY_SIZE];
	unsigned i;

	world_reset();
	world.wait = meanwhile;
	world.written = judge_written;
	world.read = read_source;
	written = 0;
	options.mode = mode;
	options.checksum = kind == CHECKED;
	MUST(session_init(&session, &options) == 0);
	if (kind == KEYED)
		MUST(key_take(&session.key, "the key of all these sessions, 32+", 34, why,
		    sizeof(why)) == 0);
	if (session.sends) {
		session.tx = inside_tx_new(&session);
		MUST(session.tx != NULL && tx_start(session.tx) == 0);
	}
	if (session.receives) {
		session.rx = inside_rx_new(&session);
		MUST(session.rx != NULL && rx_start(session.rx) == 0);
	}
	session.legs = LEGS;
	for (i = 0; i < LEGS; i++) {
		legs[i] = session.leg[i] = leg_new(&session, i);
		incarnations[i] = 0;
	}
}

static void
end(void)
{
	unsigned i;

	for (i = 0; i < LEGS; i++) {
		if (is_up(i))
			leg_pending(legs[i], PENDING_CLOSE);
		rounds(i);
		MUST(!is_up(i));
		free(legs[i]);
	}
	for (i = 0; i < LEGS; i++) {
		channel_pair_free(peer[i]);
		peer[i] = NULL;
	}
	key_close(&session.key);
	if (session.sends)
		inside_tx_free(session.tx);
	if (session.receives)
		inside_rx_free(session.rx);
}

/* One session up to a moment and beyond; its books then. */
static size_t
live(enum options_mode mode, unsigned moment, bool forged, uint64_t *to)
{
	unsigned i;
	size_t n;

	begin(mode);
	MUST(connect_leg(0) && connect_leg(1));
	for (i = 1; i <= moment; i++)
		at(i);
	if (forged)
		forge();
	rounds(1);
	rounds(1);
	if (is_up(1)) {
		world_at(legs[1]->fd)->end = true;
		rounds(1);
	}
	MUST(!is_up(1));
	n = books(to);
	finish();
	if (is_up(0))
		world_at(legs[0]->fd)->end = true;
	rounds(0);
	MUST(!is_up(0));
	end();
	return n;
}

static void
attempt(enum options_mode mode, unsigned moment)
{
	uint64_t plain[BOOKS], after[BOOKS];
	size_t n, m, i;

	forgeries++;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	/* Up to forty times slower, and there is one thread only: a part shows that it runs. */
	if (forgeries % 8 != 0)
		return;
#endif
	n = live(mode, moment, false, plain);
	m = live(mode, moment, true, after);
	for (i = 0; i < n && i < m && plain[i] == after[i]; i++)
		;
	if (i < n || n != m) {
		fprintf(stderr, "%s, kind %d, moment %u: %s seq %llu length %u, part %d: "
		    "number %zu of the books is %llu, not %llu\n", mode == OPTIONS_TX ? "tx" :
		    mode == OPTIONS_RX ? "rx" : "duplex", kind,
		    moment, frame_name(forgery.frame.type),
		    (unsigned long long)forgery.frame.seq, forgery.frame.length, forgery.part, i,
		    (unsigned long long)after[i], (unsigned long long)plain[i]);
		abort();
	}
}

/* In as many parts and at as many moments as it is a forgery of. */
static void
attempt_all(void)
{
	const struct frame f = forgery.frame;
	unsigned part, moment;

	for (part = HEADER; part < PARTS; part++) {
		/* In clear what has come is what was said. */
		if (kind != KEYED && (part == BARE || (part == HEADER && f.length == 0)))
			continue;
		if (kind == CLEAR && f.type == FRAME_DATA && part != HEADER)
			continue;
		if (part == HALF && f.length < 2)
			continue;
		if (kind == KEYED && part != HEADER && f.length == 0)
			continue;
		forgery.part = (enum part)part;
		for (moment = 0; moment < MOMENTS; moment++) {
			attempt(OPTIONS_RX, moment);
			attempt(OPTIONS_TX, moment);
			attempt(OPTIONS_DUPLEX, moment);
		}
	}
}

static void
base(enum frame_type type)
{
	static struct status s = { .delivered = 3000, .limit = 60000, .count = 2, .entry = {
		{ .leg = 0, .incarnation = 1, .received = 3000 },
		{ .leg = 1, .incarnation = 1, .received = 1000 }
	} };
	struct heartbeat h = { .counter = 3, .echo = 1, .seen = 100, .next = 3500, .idle = true };
	struct fail fail = { .reason = FAIL_SOURCE, .text = "forged" };
	struct done done = { .total = TOTAL };
	struct fin fin = { .digest = 7 };
	struct frame *f = &forgery.frame;

	memset(&forgery, 0, sizeof(forgery));
	f->type = type;
	switch (type) {
	case FRAME_DATA:
		f->seq = 1000;
		f->length = 1000;
		break;
	case FRAME_FIN:
		f->seq = TOTAL;
		f->length = (uint32_t)fin_encode(&fin, forgery.payload);
		break;
	case FRAME_STATUS:
		f->length = (uint32_t)status_encode(&s, forgery.payload);
		break;
	case FRAME_HEARTBEAT:
		f->flags = FRAME_REPLY;
		f->length = (uint32_t)heartbeat_encode(&h, forgery.payload);
		break;
	case FRAME_DONE:
		f->length = (uint32_t)done_encode(&done, forgery.payload);
		break;
	case FRAME_FAIL:
		f->length = (uint32_t)fail_encode(&fail, forgery.payload);
		break;
	case FRAME_BYE:
	case FRAME_LEAVE:
	case FRAME_CONFIRM:
		break;
	}
}

static void
forge_headers(enum frame_type type)
{
	static const uint64_t seqs[] = {
		0, 1, 999, 1500, 2500, 3500, TOTAL - 1, TOTAL, TOTAL + 1, 50000,
		(uint64_t)1 << 40, (uint64_t)1 << 62, UINT64_MAX
	};
	static const uint32_t lengths[] = { 1, 500, 3000, 16u << 10 };
	uint8_t flags;
	size_t i, k;

	for (i = 0; i < sizeof(seqs) / sizeof(seqs[0]); i++) {
		base(type);
		forgery.frame.seq = seqs[i];
		attempt_all();
		for (k = 0; type == FRAME_DATA && k < sizeof(lengths) / sizeof(lengths[0]); k++) {
			forgery.frame.length = lengths[k];
			attempt_all();
		}
	}
	for (flags = 0; flags < 4; flags++) {
		base(type);
		forgery.frame.flags = flags;
		attempt_all();
	}
}

/* The session */

/* A session that brought nothing but a right frame that nobody took leaves nothing of it. */
static void
test_makes_room(void)
{
	kind = CHECKED;
	begin(OPTIONS_RX);
	MUST(connect_leg(0));
	world.output_room = 0;
	say_data(0, 0, 1000);
	rounds(0);
	leg_pending(legs[0], PENDING_CLOSE);
	rounds(0);
	MUST(!is_up(0) && written == 0);
	world.output_room = SIZE_MAX;
	world.now_ns += 10000000000ULL;
	who++;
	MUST(connect_leg(0));
	finish();
	end();
}

/* Nor does one that could not begin stand in another's way, nor does the end come undone. */
static void
test_states(void)
{
	kind = CLEAR;
	begin(OPTIONS_RX);
	world.no_thread = true;
	MUST(!connect_leg(0) && !session.bound);
	world.no_thread = false;
	who++;
	MUST(connect_leg(0) && session.bound);
	finish();
	session.state = SESSION_OVER;
	outcome_peer_bye(&session);
	MUST(session.state == SESSION_OVER);
	end();
}

/* However many buffers there are: what delivery waits for is welcome, and another goes. */
static void
test_room(void)
{
	struct rx_grant next = { .seq = 0, .end = 100, .direct = RX_BUFFERED };
	struct rx_grant later = { .seq = 5000, .end = 5100, .direct = RX_BUFFERED };
	struct reassembly_buffer *b[17];
	unsigned i;

	kind = CLEAR;
	begin(OPTIONS_RX);
	MUST(connect_leg(0) && connect_leg(1));
	for (i = 0; i < 16; i++)
		b[i] = rx_buffer(session.rx, legs[1], 5000, 1u << 20);
	MUST(rx_admit(session.rx, legs[0], &later) != NULL);
	MUST(rx_admit(session.rx, legs[0], &next) == NULL && next.way == REASSEMBLY_BUFFER);
	MUST((atomic_load(&legs[1]->pending) & PENDING_ROOM) == 0);
	b[16] = rx_buffer(session.rx, legs[0], 0, 100);
	MUST((atomic_load(&legs[1]->pending) & PENDING_ROOM) != 0);
	for (i = 0; i < 16; i++)
		rx_buffer_drop(session.rx, legs[1], b[i]);
	rx_buffer_drop(session.rx, legs[0], b[16]);
	rounds(1);
	MUST(!is_up(1) && is_up(0));
	finish();
	end();
}

/* A leg that has much to say and no room for it sleeps until there is some. */
static void
test_mute(void)
{
	uint8_t payload[FRAME_HEARTBEAT_SIZE];
	struct heartbeat h = { .counter = 0 };
	struct frame f = { .type = FRAME_HEARTBEAT, .length = FRAME_HEARTBEAT_SIZE };
	uint64_t until;
	unsigned n = 0;

	kind = CLEAR;
	begin(OPTIONS_RX);
	MUST(connect_leg(0));
	world_at(legs[0]->fd)->room = 0;
	while (h.counter < 150) {
		h.counter++;
		heartbeat_encode(&h, payload);
		say(0, f, payload);
		inside_leg_round(legs[0]);
	}
	until = world.now_ns + 5000000000ULL;
	world.wait = NULL;
	for (; is_up(0) && world.now_ns < until; n++)
		inside_leg_round(legs[0]);
	MUST(is_up(0) && n < 1000);
	world.wait = meanwhile;
	end();
}

int
main(void)
{
	unsigned type, k;
	uint32_t i;

	for (i = 0; i < sizeof(stream); i++)
		stream[i] = (uint8_t)(i * 2654435761u >> 24);
	memcpy(options.phrase, OPTIONS_PHRASE, 4);
	options.window_bytes = 64u << 10;
	options.window_given = true;
	options.wait_ms = options.timeout_ms = 60000;
	options.heartbeat_ms = 10000;
	atomic_store(&log_level, LOG_ERROR);
	test_makes_room();
	test_states();
	test_room();
	test_mute();
	for (k = 0; k < KINDS; k++) {
		kind = (enum kind)k;
		for (type = FRAME_DATA; type <= FRAME_CONFIRM; type++) {
			forge_headers((enum frame_type)type);
			for (i = 0; base((enum frame_type)type), type != FRAME_DATA &&
			    i < forgery.frame.length; i++) {
				forgery.payload[i] ^= 1;
				attempt_all();
				forgery.payload[i] ^= 0xfe;
				attempt_all();
			}
		}
	}
	printf("ok %lu forgeries\n", forgeries);
	return 0;
}
