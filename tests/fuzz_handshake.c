/*
 * Fuzz target: the handshake, on both sides.
 *
 * Byte 0 says which side this is; the rest are acts, each a byte that says
 * which and arguments.  The listener's side is listener.c with all who call it,
 * admit_hello, and the threads of the legs that connections are handed to;
 * the caller's side is the threads of legs that dial, whose calls are answered
 * with what the input says.  Threads are the product's own functions; while
 * one sleeps or waits for bytes the next acts happen, so that legs greet at
 * the same time in every order.
 *
 * Greetings are made from a good one: the input says in which bytes it differs and
 * whether the check is put right afterwards; with a key whether it differs before it
 * is sealed, as if the peer did so, or after that, as if somebody between did.
 *
 * What must hold: a connection is admitted, or a leg goes up, only by greetings
 * that are good by a second opinion (below), with a key only if they were sealed
 * with it, and a connection is admitted only by a right CONFIRM; until then nothing
 * of the session has changed;
 * each refusal says a reason that its reader can decode; with a key no refusal
 * in clear ends a session that stands; every descriptor is closed once;
 * when all is over no leg is counted as up, busy or dialling, or has a key.
 */
#include <errno.h>

#include "fuzz.h"
#include "fuzz_world.h"

#include "../admit.h"
#include "../crypto/chacha20poly1305.h"
#include "../crypto/crc32c.h"
#include "../handshake.h"
#include "../leg.h"
#include "../options.h"
#include "../outcome.h"
#include "../rx.h"
#include "../session.h"
#include "../tx.h"
#include "fuzz_inside.h"

#define DEPTH		6		/* threads within one another's sleep */
#define ACTS		400
#define CALLER_LEGS	4
#define CALL_SIZE	1024		/* bytes that can be on their way */
#define CROWD		24

/* A connection of ours, by its index in world.conn. */
struct call {
	uint8_t said[3 * FRAME_GREETING];	/* by us, first of all */
	size_t have;
	/* With a key: */
	struct handshake *shake;	/* our side of it */
	struct channel_pair *keys;	/* after ANSWER */
	uint8_t plain[FRAME_GREETING];	/* our greeting before it was sealed */
	uint8_t theirs[FRAME_GREETING];	/* what their greeting holds */
	bool sealed;			/* ours was said as it was sealed */
	bool confirmed;			/* and so was CONFIRM, if we call */
};

static struct session session;
static struct options options;
static struct call call[WORLD_CONNS];
static struct fuzz_input input;
static unsigned depth, acts;
static bool on_stack[FRAME_LEGS];	/* its thread is in the middle of something */
static bool used[FRAME_LEGS];		/* made new for this input */
static int accepted;			/* what the next accept returns */
static int taken[CALLER_LEGS];		/* the connection that was handed over last */
static uint32_t newest[CALLER_LEGS];	/* and its incarnation, in this session: */
static uint8_t bound[FRAME_ID];
static uint8_t dial_plan;
static bool keyed;
static bool stood, ended, proven_refusal;	/* see audit_end */
static bool confirmed;			/* any CONFIRM of ours was right */

static void act(void);
static void finish(void);
static void renew(unsigned n);

/* Greetings */

static void
put(uint8_t *p, uint64_t v, unsigned bytes)
{
	while (bytes-- > 0) {
		p[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

static void
put_check(uint8_t greeting[FRAME_GREETING])
{
	put(greeting + 124, crc32c(0, greeting, 124), 4);
}

/* The input's changes: an offset and a value each. */
static void
change_some(uint8_t *greeting, size_t size, unsigned n)
{
	uint8_t at;

	for (; n > 0; n--) {
		at = fuzz_byte(&input);
		greeting[at % size] = fuzz_byte(&input);
	}
}

static void
change(uint8_t greeting[FRAME_GREETING], uint8_t how)
{
	change_some(greeting, FRAME_GREETING, how & 7);
	if ((how & 0x80) == 0)
		put_check(greeting);
}

static struct call *
call_of(int fd)
{
	return &call[fd - WORLD_FIRST];
}

static struct handshake *
fresh(struct call *c)
{
	if (c->shake == NULL)
		c->shake = handshake_new();
	MUST(c->shake != NULL && key_psk(&session.key, c->shake->psk));
	memset(c->shake->once, 0x41 + (int)(c - call), sizeof(c->shake->once));
	return c->shake;
}

static void
forget_call(struct call *c)
{
	handshake_free(c->shake);
	channel_pair_free(c->keys);
	memset(c, 0, sizeof(*c));
}

/* One of three sessions. */
static void
session_id(uint8_t id[FRAME_ID], unsigned which)
{
	memset(id, (int)(0xa0 + which % 3), FRAME_ID);
}

/* A good HELLO to our listener, from the sender or receiver that it lacks. */
static void
make_hello(struct hello *h, uint8_t which)
{
	memset(h, 0, sizeof(*h));
	h->role = session.sends ? ROLE_RECEIVER : ROLE_SENDER;
	session_id(h->session, which & 3);
	if ((which & 4) != 0)
		memcpy(h->instance, session.instance, FRAME_ID);
	h->leg = which >> 3 & 3;
	h->path = which >> 5 & 3;
	h->incarnation = 1 + fuzz_byte(&input) % 16;
	h->required = (which & 0x80) != 0 ? FEATURE_CHECKSUM : 0;
	h->known = FEATURES_KNOWN;
	memcpy(h->phrase, options.phrase, 4);
	h->window = 4u << 20;
	h->frame = 1u << 20;
	h->heartbeat_ms = 10000;
	h->timeout_ms = 60000;
	h->linger_ms = 30000;
}

static uint64_t
get(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* A second opinion on what HELLO and WELCOME share, from the table in frame.h. */
static bool
good_greeting(const uint8_t g[FRAME_GREETING], const char *magic)
{
	return memcmp(g, magic, 4) == 0 && g[4] == FRAME_VERSION && get(g + 6, 2) == 128 &&
	    g[5] == (session.sends ? ROLE_RECEIVER : ROLE_SENDER) &&
	    get(g + 24, 8) == 0 && get(g + 32, 8) == 0 &&
	    get(g + 56, 2) < FRAME_LEGS && get(g + 58, 2) < FRAME_PATHS &&
	    get(g + 60, 4) > 0 && (get(g + 64, 4) & ~get(g + 68, 4)) == 0 &&
	    get(g + 76, 8) >= 1u << 20 && get(g + 76, 8) <= (uint64_t)64 << 30 &&
	    get(g + 84, 4) >= 4096 && get(g + 84, 4) <= FRAME_DATA_MAX &&
	    get(g + 88, 4) >= 1000 && get(g + 88, 4) <= 3600 * 1000 &&
	    get(g + 92, 8) <= (uint64_t)1 << 50 && get(g + 100, 8) <= (uint64_t)1 << 50 &&
	    (g[5] == ROLE_RECEIVER || (get(g + 108, 8) == 0 && get(g + 116, 8) == 0)) &&
	    get(g + 124, 4) == crc32c(0, g, 124);
}

/* What we said, and they did, as it is without a key. */
static const uint8_t *
ours(int fd)
{
	return keyed ? call_of(fd)->plain : call_of(fd)->said;
}

static const uint8_t *
theirs(int fd)
{
	return keyed ? call_of(fd)->theirs : world_at(fd)->said;
}

static bool
good_hello(const uint8_t g[FRAME_GREETING])
{
	static const uint8_t none[FRAME_ID];

	return good_greeting(g, "VMhe") && memcmp(g + 72, options.phrase, 4) == 0 &&
	    (get(g + 64, 4) & ~(uint64_t)FEATURES_KNOWN) == 0 &&
	    (memcmp(g + 40, none, FRAME_ID) == 0 ||
	    memcmp(g + 40, session.instance, FRAME_ID) == 0);
}

/* A HELLO that the listener may welcome; and all that a leg of it needs. */
static bool
good_call(int fd)
{
	const struct call *c = call_of(fd);

	return c->have >= FRAME_GREETING && good_hello(ours(fd)) && (!keyed || c->sealed);
}

static bool
good_caller(int fd)
{
	return good_call(fd) && (!keyed || call_of(fd)->confirmed);
}

/* A WELCOME to the HELLO that was said on that connection. */
static bool
good_welcome(int fd)
{
	const uint8_t *g = ours(fd), *hello = theirs(fd);

	return good_greeting(g, "VMwe") && (!keyed || call_of(fd)->sealed) &&
	    memcmp(g + 8, hello + 8, FRAME_ID) == 0 && memcmp(g + 56, hello + 56, 2) == 0 &&
	    memcmp(g + 60, hello + 60, 4) == 0;
}

/* What the product says */

/* The listener's answer is whole: it must be one that a caller can use. */
static void
judge_answer(const uint8_t answer[FRAME_GREETING], int fd)
{
	const uint8_t *hello = ours(fd);
	struct refuse refuse;
	struct hello welcome;

	/* A sender before the first byte may have made room for another, and that for it. */
	if (memcmp(hello + 8, bound, FRAME_ID) != 0)
		memset(bound, 0, sizeof(bound));
	switch (greeting_kind(answer)) {
	case GREETING_WELCOME:
		MUST_FIND_NOTHING(hello_decode(&welcome, answer));
		MUST(good_call(fd));
		MUST(memcmp(welcome.session, hello + 8, FRAME_ID) == 0);
		MUST(memcmp(welcome.instance, session.instance, FRAME_ID) == 0);
		MUST(welcome.role == (session.sends ? ROLE_SENDER : ROLE_RECEIVER));
		MUST(welcome.window <= options.window_bytes);
		break;
	case GREETING_REFUSE:
		MUST(call_of(fd)->have >= FRAME_GREETING);
		MUST_FIND_NOTHING(refuse_decode(&refuse, answer));
		MUST(refuse.reason == REFUSE_VERSION ||
		    memcmp(refuse.session, call_of(fd)->said + 8, FRAME_ID) == 0);
		break;
	default:
		MUST(greeting_kind(answer) == GREETING_WELCOME);
	}
}

/* The caller's HELLO is whole. */
static void
judge_hello(const uint8_t greeting[FRAME_GREETING])
{
	struct hello hello;

	MUST_FIND_NOTHING(hello_decode(&hello, greeting));
	MUST(!hello.welcome && memcmp(hello.session, session.id, FRAME_ID) == 0);
	MUST(hello.role == (session.sends ? ROLE_SENDER : ROLE_RECEIVER));
	MUST(hello.leg < session.legs && hello.path < options.npaths);
}

/* What we say, and what of it are greetings. */
static void
say(int fd, const uint8_t *bytes, size_t n)
{
	struct call *c = call_of(fd);
	size_t before = c->have;
	size_t first = sizeof(c->said) - c->have < n ? sizeof(c->said) - c->have : n;

	if (!world_push(fd, bytes, n))
		return;
	memcpy(c->said + c->have, bytes, first);
	c->have += first;
	if (!session.caller && before < FRAME_GREETING && c->have >= FRAME_GREETING)
		renew((unsigned)get(ours(fd) + 56, 2));
}

static void
say_raw(int fd)
{
	uint8_t bytes[256];
	size_t n = fuzz_byte(&input);

	fuzz_take(&input, bytes, n);
	say(fd, bytes, n);
}

/* Our HELLO, of these bytes: sealed, if there is a key. */
static void
say_hello(int fd, uint8_t greeting[FRAME_GREETING])
{
	struct call *c = call_of(fd);
	uint8_t bytes[FRAME_HELLO_SEALED] = { 0 }, right[FRAME_HELLO_SEALED];
	uint8_t how = fuzz_byte(&input);
	struct noise_setup setup = {
		.level = chacha20poly1305_best(), .initiator = true, .prologue = bytes,
		.prologue_bytes = FRAME_CLEAR
	};
	struct hello hello;

	/* Only the first one may be taken for one. */
	if (keyed && c->have > 0) {
		say_raw(fd);
		return;
	}
	if (keyed == ((how & 0x70) == 0x70)) {
		change(greeting, how);
		if (!keyed && (how & 8) != 0)
			greeting_seal(greeting);
		say(fd, greeting, FRAME_GREETING);
		return;
	}
	if ((how & 0x80) == 0)
		change(greeting, how);
	memcpy(bytes, greeting, FRAME_CLEAR);
	greeting_seal(bytes);
	if (!keyed) {
		say(fd, bytes, sizeof(bytes));
		return;
	}
	setup.psk = fresh(c)->psk;
	setup.secret = c->shake->once;
	noise_start(&c->shake->noise, &setup);
	MUST(noise_write(&c->shake->noise, bytes + FRAME_CLEAR, greeting + FRAME_CLEAR,
	    FRAME_GREETING - 4 - FRAME_CLEAR));
	c->shake->known = hello_decode(&hello, greeting) == NULL ? hello.known : 0;
	/* The length is not sealed. */
	memcpy(c->plain, greeting, FRAME_GREETING);
	put(c->plain + 6, FRAME_GREETING, 2);
	put_check(c->plain);
	memcpy(right, bytes, sizeof(bytes));
	if ((how & 0x80) != 0)
		change_some(bytes, sizeof(bytes), how & 7);
	c->sealed = memcmp(right, bytes, sizeof(bytes)) == 0;
	say(fd, bytes, sizeof(bytes));
}

/* Our CONFIRM: right, with changes, or of another type. */
static void
say_confirm(int fd)
{
	struct call *c = call_of(fd);
	uint8_t bytes[FRAME_HEAD_SEALED], right[FRAME_HEAD_SEALED], how = fuzz_byte(&input);
	struct frame frame = { .type = (how & 8) != 0 ? FRAME_BYE : FRAME_CONFIRM };

	if ((how & 0x70) == 0x70)
		return;
	MUST(inside_seal(&c->keys->send, &frame, NULL, bytes) == sizeof(bytes));
	memcpy(right, bytes, sizeof(bytes));
	if ((how & 0x80) != 0)
		change_some(bytes, sizeof(bytes), how & 7);
	c->confirmed = c->have == FRAME_HELLO_SEALED && frame.type == FRAME_CONFIRM &&
	    memcmp(right, bytes, sizeof(bytes)) == 0;
	confirmed = confirmed || c->confirmed;
	say(fd, bytes, sizeof(bytes));
}

/*
 * A second opinion on which answers may end a session if they are proven: a refusal of this
 * session, except that of a stale incarnation; and whatever is of another version.
 */
static bool
may_end(const uint8_t g[FRAME_GREETING])
{
	static const char magic[][5] = { "VMhe", "VMwe", "VMno", "VMan" };
	unsigned i = 0;

	while (i < 4 && memcmp(g, magic[i], 4) != 0)
		i++;
	if (i == 4 || g[4] != FRAME_VERSION)
		return i < 4;
	return i == 2 && get(g + 6, 2) == FRAME_GREETING && g[5] >= REFUSE_PHRASE &&
	    g[5] <= REFUSE_NAME && g[5] != REFUSE_STALE &&
	    memcmp(g + 8, session.id, FRAME_ID) == 0;
}

/* The answer of us who listen, of these bytes: sealed, if there is a key. */
static void
say_answer(int fd, uint8_t greeting[FRAME_GREETING])
{
	struct call *c = call_of(fd);
	uint8_t bytes[FRAME_ANSWER], right[FRAME_ANSWER], how = fuzz_byte(&input);

	if (keyed && c->have > 0) {
		say_raw(fd);
		return;
	}
	if (!keyed || (how & 0x70) == 0x70 ||
	    !handshake_hear(fresh(c), world_at(fd)->said, c->theirs)) {
		change(greeting, how);
		say(fd, greeting, FRAME_GREETING);
		return;
	}
	if ((how & 0x80) == 0)
		change(greeting, how);
	MUST(handshake_answer(c->shake, greeting, bytes));
	memcpy(c->plain, greeting, FRAME_GREETING);
	put_check(c->plain);
	memcpy(right, bytes, sizeof(bytes));
	if ((how & 0x80) != 0)
		change_some(bytes, sizeof(bytes), how & 7);
	c->sealed = memcmp(right, bytes, sizeof(bytes)) == 0;
	proven_refusal = proven_refusal || (c->sealed && may_end(greeting));
	say(fd, bytes, sizeof(bytes));
}

static void
say_refuse(int fd)
{
	struct refuse r = { .reason = (enum refusal)(1 + fuzz_byte(&input) % REFUSE_NAME) };
	uint8_t greeting[FRAME_GREETING];

	memcpy(r.session, session.id, FRAME_ID);
	snprintf(r.text, sizeof(r.text), "no");
	refuse_encode(&r, greeting);
	say_answer(fd, greeting);
}

static void
say_welcome(int fd)
{
	uint8_t greeting[FRAME_GREETING], which = fuzz_byte(&input);

	memcpy(greeting, theirs(fd), FRAME_GREETING);
	memcpy(greeting, "VMwe", 4);
	greeting[5] = session.sends ? ROLE_RECEIVER : ROLE_SENDER;
	/* One of two listeners, and of two opinions on checks. */
	memset(greeting + 40, (which & 1) != 0 ? 0xb1 : 0xb0, FRAME_ID);
	if ((which & 2) != 0)
		greeting[67] ^= FEATURE_CHECKSUM;
	say_answer(fd, greeting);
}

/* How the other end of a call to us behaves: one byte of the input. */
static void
manner(int fd)
{
	struct world_conn *c = world_at(fd);
	uint8_t how = fuzz_byte(&input);

	c->piece = how & 7;
	c->hold = (how & 8) != 0 ? how >> 4 : 0;
	if ((how & 0x30) == 0x30 && (how & 8) == 0)
		c->end = true;
	if ((how & 0xc0) == 0xc0)
		c->error = ECONNRESET;
}

/* The caller has said HELLO: what is the answer? */
static void
answer(int fd, uint8_t plan)
{
	switch (plan & 3) {
	case 0:
	case 1:
		say_welcome(fd);
		break;
	case 2:
		say_refuse(fd);
		break;
	case 3:
		say_raw(fd);
		break;
	}
	manner(fd);
}

/* Our listener's answer is whole. */
static void
answered_us(int fd)
{
	const uint8_t *bytes = world_at(fd)->said;
	struct call *c = call_of(fd);
	struct handshake kept;

	if (greeting_kind(bytes) != GREETING_ANSWER) {
		MUST(!keyed || greeting_kind(bytes) == GREETING_REFUSE);
		judge_answer(bytes, fd);
		return;
	}
	MUST(keyed && c->sealed);
	kept = *c->shake;
	MUST(handshake_heard(&kept, bytes, c->theirs));
	judge_answer(c->theirs, fd);
	if (greeting_kind(c->theirs) != GREETING_WELCOME)
		return;
	c->keys = channel_pair_new();
	MUST(c->keys != NULL);
	handshake_channels(&kept, c->keys);
	say_confirm(fd);
}

/* The first greeting of the product's is whole. */
static void
greeted(int fd)
{
	struct call *c = call_of(fd);

	if (!session.caller) {
		answered_us(fd);
		return;
	}
	if (keyed)
		MUST(handshake_hear(fresh(c), world_at(fd)->said, c->theirs));
	judge_hello(theirs(fd));
	if ((dial_plan & 0x80) == 0)
		answer(fd, dial_plan);
}

static void
sent(int fd, const uint8_t *bytes, size_t n)
{
	uint64_t now = world_at(fd)->sent;
	size_t size = greeting_length(world_at(fd)->said, (size_t)now);

	(void)bytes;
	if (now - n < size && now >= size)
		greeted(fd);
}

/* What must hold whenever somebody sleeps */

/* Whatever is handed to a leg is newer than what it had. */
static void
audit_pending(unsigned n)
{
	int fd = session.leg[n]->handed.fd;
	uint32_t incarnation;

	if (memcmp(bound, session.id, FRAME_ID) != 0) {
		memcpy(bound, session.id, FRAME_ID);
		memset(newest, 0, sizeof(newest));
	}
	if (fd == -1 || fd == taken[n])
		return;
	incarnation = (uint32_t)get(ours(fd) + 60, 4);
	MUST(incarnation > newest[n]);
	newest[n] = incarnation;
	taken[n] = fd;
}

/* With a key a session that stands does not fail by anybody's word but the peer's. */
static void
audit_end(void)
{
	if (keyed && stood && session.direction.outcome == OUTCOME_FAILED)
		MUST(ended || proven_refusal);
	stood = session.bound && session.direction.outcome == OUTCOME_NONE;
}

static void
audit(void)
{
	const uint8_t *g;
	const struct leg *leg;
	unsigned i, up = 0;

	for (i = 0; i < CALLER_LEGS; i++) {
		leg = session.leg[i];
		if (!session.caller)
			audit_pending(i);
		if (!used[i] || atomic_load(&leg->state) != LEG_UP)
			continue;
		up++;
		MUST(leg->fd != -1 && session.bound);
		MUST((leg->keys != NULL) == keyed);
		g = ours(leg->fd);
		if (session.caller) {
			MUST(good_welcome(leg->fd));
			MUST(memcmp(g + 40, session.instance, FRAME_ID) == 0);
		} else
			MUST(good_caller(leg->fd) && get(g + 56, 2) == i &&
			    memcmp(g + 8, session.id, FRAME_ID) == 0 &&
			    get(g + 60, 4) == leg->incarnation);
	}
	audit_end();
	MUST(session.caller || !keyed || !session.bound || confirmed);
	MUST(up <= session.up && session.up <= session.busy);
	MUST(session.direction.window <= options.window_bytes);
}

/* Acts */

/* A descriptor of ours that is open, or -1. */
static int
some_call(void)
{
	unsigned which = fuzz_byte(&input), i, n = world.conns;

	for (i = 0; i < n; i++)
		if (world.conn[(which + i) % n].open)
			return WORLD_FIRST + (int)((which + i) % n);
	return -1;
}

static int
take_accepted(void)
{
	int fd = accepted;

	accepted = -1;
	if (fd == -1)
		errno = EAGAIN;
	return fd;
}

static int
ring_up(void)
{
	int fd = world_connect(CALL_SIZE);

	if (fd != -1)
		forget_call(call_of(fd));
	return fd;
}

static int
dialled(struct net_target *target)
{
	static const int reason[4] = { ECONNREFUSED, ETIMEDOUT, ECANCELED, ENETUNREACH };
	uint8_t plan = fuzz_byte(&input);
	int fd = -1;

	target->addresses = 1 + (plan >> 2 & 3);
	target->used = target->first % target->addresses;
	if (!fuzz_more(&input))
		finish();
	else if ((plan & 0x40) == 0)
		fd = ring_up();
	if (fd == -1) {
		target->denied = 1u << target->used;
		errno = fuzz_more(&input) ? reason[plan & 3] : ECANCELED;
	}
	dial_plan = plan;
	return fd;
}

static void
act_hello(int fd)
{
	uint8_t greeting[FRAME_GREETING];
	struct hello hello;

	make_hello(&hello, fuzz_byte(&input));
	hello_encode(&hello, greeting);
	say_hello(fd, greeting);
}

static void
act_call(bool hello)
{
	int fd = ring_up();

	if (fd == -1)
		return;
	if (hello) {
		act_hello(fd);
		manner(fd);
	}
	accepted = fd;
	inside_listener_accept();
	/* It may have been of no use to anybody. */
	if (accepted != -1)
		world_at(fd)->open = false;
	accepted = -1;
}

static void
act_crowd(void)
{
	unsigned n = fuzz_byte(&input) % CROWD;

	while (n-- > 0)
		act_call(false);
}

static void
act_leg(void)
{
	unsigned n = fuzz_byte(&input) % CALLER_LEGS;

	if (on_stack[n] || depth >= DEPTH)
		return;
	depth++;
	on_stack[n] = true;
	world_run_function(inside_leg_thread, session.leg[n]);
	on_stack[n] = false;
	depth--;
}

static void
act_time(void)
{
	uint64_t n = fuzz_byte(&input);

	world.now_ns += n * n * 200000;
}

static void
act_end(void)
{
	uint8_t how = fuzz_byte(&input);

	ended = ended || how < 128;
	if (how < 64)
		outcome_fail(&session, FAIL_SOURCE, "a failure of ours");
	else if (how < 128)
		outcome_signal(&session, 15);
	else if (how < 192)
		world.no_thread = !world.no_thread;
	else
		world.no_entropy = !world.no_entropy;
}

static void
act(void)
{
	uint8_t what = fuzz_byte(&input);
	int fd;

	acts++;
	switch (what % 12) {
	case 0:
	case 1:
		if (!session.caller)
			act_call(true);
		else
			act_leg();
		break;
	case 2:
	case 3:
		act_leg();
		break;
	case 4:
		act_time();
		break;
	case 5:
		if (!session.caller)
			act_call(false);
		break;
	case 6:
		if ((fd = some_call()) != -1)
			say_raw(fd);
		break;
	case 7:
		if ((fd = some_call()) != -1)
			manner(fd);
		break;
	case 8:
		if ((fd = some_call()) == -1)
			break;
		if (!session.caller)
			act_hello(fd);
		else
			answer(fd, fuzz_byte(&input));
		break;
	case 9:
		if (!session.caller)
			act_crowd();
		break;
	case 10:
		act_end();
		break;
	case 11:
		session_progress(&session);
		break;
	}
	if (!session.caller)
		inside_listener_serve();
	audit();
}

/* The input is used up: whoever is in the middle of something comes to its end. */
static void
finish(void)
{
	unsigned i;

	session.state = SESSION_OVER;
	for (i = 0; i < world.conns; i++) {
		world.conn[i].end = true;
		world.conn[i].hold = 0;
	}
}

static bool
meanwhile(int ms)
{
	(void)ms;
	audit();
	if (fuzz_more(&input) && acts < ACTS) {
		act();
		return true;
	}
	finish();
	return false;
}

/* The whole */

static void
make_options(uint8_t how)
{
	unsigned i;

	memset(&options.phrase, 0, sizeof(options.phrase));
	memcpy(options.phrase, OPTIONS_PHRASE, 4);
	keyed = (how & 0x40) != 0;
	options.mode = (how & 2) != 0 ? OPTIONS_TX : OPTIONS_RX;
	options.calls = (how & 1) != 0;
	options.checksum = (how & 4) != 0;
	options.npaths = options.calls ? 1 + (how >> 3 & 1u) * 2 : 0;
	options.legs = CALLER_LEGS;
	for (i = 0; i < 3; i++) {
		snprintf(options.paths[i].host, OPTIONS_TEXT_SIZE, "host");
		snprintf(options.paths[i].port, sizeof(options.paths[i].port), "1");
	}
	options.window_bytes = 4u << 20;
	options.window_given = true;
	options.wait_ms = 60000;
	options.timeout_ms = 60000;
	options.linger_ms = 30000;
	options.heartbeat_ms = 10000;
	atomic_store(&log_level, (how & 0x30) == 0x30 ? LOG_LEVEL_MAX : LOG_ERROR);
}

/* Legs are many and large, and few are ever used: each is made new when it is first named. */
static void
renew(unsigned n)
{
	struct leg *l;

	if (n >= session.legs || used[n])
		return;
	used[n] = true;
	l = session.leg[n];
	memset(l, 0, sizeof(*l));
	l->session = &session;
	l->tx = session.tx;
	l->rx = session.rx;
	l->number = n;
	l->fd = l->handed.fd = -1;
	l->random = n + 1;
	l->preferred = l->path = session.caller ? paths_preferred(&session.paths, n) : 0;
	wake_init(&l->wake);
}

static void
make_legs(void)
{
	static struct leg *leg[FRAME_LEGS];
	unsigned i;

	session.legs = session.caller ? CALLER_LEGS : FRAME_LEGS;
	memset(used, 0, sizeof(used));
	for (i = 0; i < session.legs; i++) {
		if (leg[i] == NULL) {
			leg[i] = leg_new(&session, i);
			MUST(leg[i] != NULL);
		}
		session.leg[i] = leg[i];
	}
	for (i = 0; i < CALLER_LEGS; i++) {
		renew(i);
		taken[i] = -1;
		newest[i] = 0;
	}
	memset(bound, 0, sizeof(bound));
}

static void
settle(void)
{
	unsigned i;

	inside_listener_end();
	for (i = 0; i < session.legs; i++) {
		struct leg *leg = session.leg[i];

		if (!used[i])
			continue;
		MUST(leg->fd == -1 && !leg->dialling);
		MUST(leg->keys == NULL);
		if (leg->handed.fd != -1) {
			MUST(good_caller(leg->handed.fd) && (leg->handed.keys != NULL) == keyed);
			world_at(leg->handed.fd)->open = false;
			leg->handed.fd = -1;
			channel_pair_free(leg->handed.keys);
			leg->handed.keys = NULL;
			leg->newest = 0;
		}
	}
	for (i = 0; i < world.conns; i++) {
		MUST(!world.conn[i].open);
		forget_call(&call[i]);
	}
	MUST(session.up == 0 && session.busy == 0 && session.paths.up == 0);
	for (i = 0; i < session.paths.count; i++)
		MUST(session.paths.path[i].up == 0 && session.paths.path[i].dialling == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[OPTIONS_WHY_SIZE];

	input = (struct fuzz_input){ data, size };
	world_reset();
	world.wait = meanwhile;
	world.sent = sent;
	world.accept = take_accepted;
	world.dial = dialled;
	accepted = -1;
	depth = acts = 0;
	stood = ended = proven_refusal = confirmed = false;
	make_options(fuzz_byte(&input));
	MUST(session_init(&session, &options) == 0);
	if (keyed)
		MUST(key_take(&session.key, "the key of all these sessions, 32+", 34, why,
		    sizeof(why)) == 0);
	if (session.sends)
		session.tx = inside_tx_new(&session);
	else
		session.rx = inside_rx_new(&session);
	make_legs();
	inside_listener_begin(&session);
	while (fuzz_more(&input) && acts < ACTS)
		act();
	finish();
	settle();
	key_close(&session.key);
	if (session.tx != NULL)
		inside_tx_free(session.tx);
	if (session.rx != NULL)
		inside_rx_free(session.rx);
	return 0;
}
