/*
 * Fuzz target: the handshake, on both sides.
 *
 * Octet 0 says which side this is; the rest are acts, each an octet that says
 * which and arguments.  The listener's side is listener.c with all who call it,
 * session_admit, and the threads of the legs that connections are handed to;
 * the caller's side is the threads of legs that dial, whose calls are answered
 * with what the input says.  Threads are the product's own functions; while
 * one sleeps or waits for octets the next acts happen, so that legs greet at
 * the same time in every order.
 *
 * Greetings, also those with which a key is proven, are made from a good one:
 * the input says in which octets it differs and whether the check is put right
 * afterwards.
 *
 * What must hold: a connection is admitted, or a leg goes up, only by greetings
 * that are good by a second opinion (below), with a key only by a proof of it;
 * each refusal says a reason that its reader can decode; with a key no refusal
 * without a proof ends a session that stands; every descriptor is closed once;
 * when all is over no leg is counted as up, busy or dialling, or has a key.
 */
#include <errno.h>

#include "fuzz.h"
#include "fuzz_world.h"

#include "../auth.h"
#include "../crc32c.h"
#include "../options.h"
#include "../rx.h"
#include "../session.h"
#include "../tx.h"
#include "../worker.h"
#include "fuzz_inside.h"

#define DEPTH		6		/* threads within one another's sleep */
#define ACTS		400
#define CALLER_LEGS	4
#define CALL_SIZE	1024		/* octets that can be on their way */
#define CROWD		24

/* A connection of ours, by its index in world.conn. */
struct call {
	uint8_t said[3 * FRAME_GREETING];	/* by us, first of all */
	size_t have;
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

static void act(void);
static void finish(void);
static void renew(unsigned n);

/* Greetings */

static void
put(uint8_t *p, uint64_t v, unsigned octets)
{
	while (octets-- > 0) {
		p[octets] = (uint8_t)v;
		v >>= 8;
	}
}

static void
put_check(uint8_t greeting[FRAME_GREETING])
{
	put(greeting + 124, crc32c(0, greeting, 124), 4);
}

/* The input's changes: how many, then each an offset and a value. */
static void
change(uint8_t greeting[FRAME_GREETING])
{
	uint8_t n = fuzz_octet(&input), at;
	bool repair = (n & 0x80) == 0;

	for (n &= 7; n > 0; n--) {
		at = fuzz_octet(&input) % FRAME_GREETING;
		greeting[at] = fuzz_octet(&input);
	}
	if (repair)
		put_check(greeting);
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
	h->role = session.sender ? ROLE_RECEIVER : ROLE_SENDER;
	session_id(h->session, which & 3);
	if ((which & 4) != 0)
		memcpy(h->instance, session.instance, FRAME_ID);
	h->leg = which >> 3 & 3;
	h->path = which >> 5 & 3;
	h->incarnation = 1 + fuzz_octet(&input) % 16;
	h->required = ((which & 0x80) != 0 ? FEATURE_CHECKSUM : 0) | (keyed ? FEATURE_KEY : 0);
	h->known = FEATURES_KNOWN;
	memcpy(h->phrase, options.phrase, 4);
	h->window = 4u << 20;
	h->frame = 1u << 20;
	h->heartbeat_ms = 10000;
	h->timeout_ms = 60000;
}

static uint64_t
get(const uint8_t *p, unsigned octets)
{
	uint64_t v = 0;

	while (octets-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* A second opinion on what HELLO and WELCOME share, from the table in frame.h. */
static bool
good_greeting(const uint8_t g[FRAME_GREETING], const char *magic)
{
	static const uint8_t zero[16];

	return memcmp(g, magic, 4) == 0 && g[4] == FRAME_VERSION && get(g + 6, 2) == 128 &&
	    g[5] == (session.sender ? ROLE_RECEIVER : ROLE_SENDER) &&
	    get(g + 40, 2) < FRAME_LEGS && get(g + 42, 2) < FRAME_PATHS &&
	    get(g + 44, 4) > 0 && (get(g + 48, 4) & ~get(g + 52, 4)) == 0 &&
	    get(g + 60, 8) >= 1u << 20 && get(g + 60, 8) <= (uint64_t)64 << 30 &&
	    get(g + 68, 4) >= 4096 && get(g + 68, 4) <= FRAME_DATA_MAX &&
	    get(g + 72, 4) >= 1000 && get(g + 72, 4) <= 3600 * 1000 &&
	    get(g + 76, 8) <= (uint64_t)1 << 50 && memcmp(g + 108, zero, 16) == 0 &&
	    get(g + 124, 4) == crc32c(0, g, 124);
}

/* With a key: what the one who has it would say on this connection now. */
static void
make_proof(uint8_t greeting[FRAME_GREETING], int fd)
{
	const uint8_t *theirs = world_at(fd)->said, *ours = call[fd - WORLD_FIRST].said;
	struct auth_talk talk;
	struct proof proof;

	auth_talk_init(&talk);
	auth_talk_add(&talk, session.caller ? theirs : ours);
	auth_talk_add(&talk, session.caller ? ours : theirs);
	if (session.caller) {
		auth_talk_add(&talk, theirs + FRAME_GREETING);
		auth_talk_add(&talk, ours + FRAME_GREETING);
	}
	memcpy(proof.session, (session.caller ? theirs : ours) + 8, FRAME_ID);
	MUST(auth_prove(&session.auth, &talk, session.caller ? AUTH_LISTENER : AUTH_CALLER,
	    proof.hmac));
	proof_encode(&proof, greeting);
}

static bool
said_proof(int fd, size_t at)
{
	const struct call *c = &call[fd - WORLD_FIRST];
	uint8_t greeting[FRAME_GREETING];
	struct proof right, said;

	if (c->have < at + FRAME_GREETING)
		return false;
	make_proof(greeting, fd);
	MUST(proof_decode(&right, greeting) == NULL);
	return proof_decode(&said, c->said + at) == NULL &&
	    memcmp(right.hmac, said.hmac, FRAME_PROOF) == 0;
}

static bool
good_hello(const uint8_t g[FRAME_GREETING])
{
	static const uint8_t none[FRAME_ID];

	return good_greeting(g, "VMhe") && ((get(g + 48, 4) & FEATURE_KEY) != 0) == keyed &&
	    memcmp(g + 56, options.phrase, 4) == 0 &&
	    (get(g + 48, 4) & ~(uint64_t)FEATURES_KNOWN) == 0 && get(g + 84, 8) == 0 &&
	    (memcmp(g + 24, none, FRAME_ID) == 0 ||
	    memcmp(g + 24, session.instance, FRAME_ID) == 0);
}

/* All that a leg of the listener's needs. */
static bool
good_caller(int fd)
{
	const struct call *c = &call[fd - WORLD_FIRST];

	return c->have >= FRAME_GREETING && good_hello(c->said) &&
	    (!keyed || said_proof(fd, FRAME_GREETING));
}

/* A WELCOME to the HELLO that was said on that connection. */
static const uint8_t *
welcome_of(int fd)
{
	return call[fd - WORLD_FIRST].said + (keyed ? FRAME_GREETING : 0);
}

static bool
good_welcome(int fd)
{
	const uint8_t *g = welcome_of(fd), *hello = world_at(fd)->said;

	return good_greeting(g, "VMwe") && ((get(g + 48, 4) & FEATURE_KEY) != 0) == keyed &&
	    (!keyed || said_proof(fd, 2 * FRAME_GREETING)) && memcmp(g + 8, hello + 8, FRAME_ID) == 0 &&
	    memcmp(g + 40, hello + 40, 2) == 0 && memcmp(g + 44, hello + 44, 4) == 0;
}

/* What the product says */

static struct call *
call_of(int fd)
{
	return &call[fd - WORLD_FIRST];
}

/* The listener's answer is whole: it must be one that a caller can use. */
static void
judge_answer(const uint8_t answer[FRAME_GREETING], int fd)
{
	const struct call *c = call_of(fd);
	struct refuse refuse;
	struct hello welcome;

	/* A sender before the first octet may have made room for another, and that for it. */
	if (memcmp(c->said + 8, bound, FRAME_ID) != 0)
		memset(bound, 0, sizeof(bound));
	switch (greeting_kind(answer)) {
	case GREETING_WELCOME:
		MUST_FIND_NOTHING(hello_decode(&welcome, answer));
		MUST(good_caller(fd));
		MUST(memcmp(welcome.session, c->said + 8, FRAME_ID) == 0);
		MUST(memcmp(welcome.instance, session.instance, FRAME_ID) == 0);
		MUST(welcome.role == (session.sender ? ROLE_SENDER : ROLE_RECEIVER));
		MUST(((welcome.required & FEATURE_KEY) != 0) == keyed);
		MUST(welcome.window <= options.window_bytes);
		break;
	case GREETING_REFUSE:
		MUST(c->have >= FRAME_GREETING);
		MUST_FIND_NOTHING(refuse_decode(&refuse, answer));
		MUST(refuse.reason == REFUSE_VERSION ||
		    memcmp(refuse.session, c->said + 8, FRAME_ID) == 0);
		break;
	default:
		MUST(greeting_kind(answer) == GREETING_WELCOME);
	}
}

/* The listener's proof: its words are those of one who has the key. */
static void
judge_proof(int fd)
{
	const uint8_t *theirs = world_at(fd)->said;
	struct auth_talk talk;
	struct proof proof;

	MUST(keyed && said_proof(fd, FRAME_GREETING));
	auth_talk_init(&talk);
	auth_talk_add(&talk, call_of(fd)->said);
	auth_talk_add(&talk, theirs);
	auth_talk_add(&talk, call_of(fd)->said + FRAME_GREETING);
	auth_talk_add(&talk, theirs + FRAME_GREETING);
	MUST_FIND_NOTHING(proof_decode(&proof, theirs + 2 * FRAME_GREETING));
	MUST(auth_proven(&session.auth, &talk, AUTH_LISTENER, proof.hmac));
}

/* The caller's HELLO is whole. */
static void
judge_hello(const uint8_t greeting[FRAME_GREETING])
{
	struct hello hello;

	MUST_FIND_NOTHING(hello_decode(&hello, greeting));
	MUST(!hello.welcome && memcmp(hello.session, session.id, FRAME_ID) == 0);
	MUST(hello.role == (session.sender ? ROLE_SENDER : ROLE_RECEIVER));
	MUST(hello.leg < session.legs && hello.path < options.npaths);
}

/* What we say, and what of it are greetings. */
static void
say(int fd, const uint8_t *octets, size_t n)
{
	struct call *c = call_of(fd);
	size_t before = c->have;
	size_t first = sizeof(c->said) - c->have < n ? sizeof(c->said) - c->have : n;

	if (!world_push(fd, octets, n))
		return;
	memcpy(c->said + c->have, octets, first);
	c->have += first;
	if (!session.caller && before < FRAME_GREETING && c->have >= FRAME_GREETING)
		renew((unsigned)get(c->said + 40, 2));
}

static void
say_raw(int fd)
{
	uint8_t octets[256];
	size_t n = fuzz_octet(&input);

	fuzz_take(&input, octets, n);
	say(fd, octets, n);
}

static void
say_refuse(int fd)
{
	struct refuse r = { .reason = (enum refusal)(1 + fuzz_octet(&input) % 8) };
	uint8_t greeting[FRAME_GREETING];

	memcpy(r.session, session.id, FRAME_ID);
	snprintf(r.text, sizeof(r.text), "no");
	refuse_encode(&r, greeting);
	change(greeting);
	say(fd, greeting, FRAME_GREETING);
}

static void
say_welcome(int fd)
{
	const uint8_t *hello = world_at(fd)->said;
	uint8_t greeting[FRAME_GREETING], which = fuzz_octet(&input);

	memcpy(greeting, hello, FRAME_GREETING);
	memcpy(greeting, "VMwe", 4);
	greeting[5] = session.sender ? ROLE_RECEIVER : ROLE_SENDER;
	/* One of two listeners, and of two opinions on checks. */
	memset(greeting + 24, (which & 1) != 0 ? 0xb1 : 0xb0, FRAME_ID);
	if ((which & 2) != 0)
		greeting[51] ^= FEATURE_CHECKSUM;
	change(greeting);
	say(fd, greeting, FRAME_GREETING);
}

static void
say_challenge(int fd)
{
	struct challenge challenge;
	uint8_t greeting[FRAME_GREETING];

	memcpy(challenge.session, world_at(fd)->said + 8, FRAME_ID);
	memset(challenge.nonce, 0xc0, FRAME_NONCE);
	challenge_encode(&challenge, greeting);
	change(greeting);
	say(fd, greeting, FRAME_GREETING);
}

/* Two bits say whether there is one at all, and one that is as it should be. */
static void
say_proof(int fd, unsigned how)
{
	uint8_t greeting[FRAME_GREETING];

	if (how == 3)
		return;
	make_proof(greeting, fd);
	if (how == 2)
		change(greeting);
	say(fd, greeting, FRAME_GREETING);
}

/* How the other end of a call to us behaves: one octet of the input. */
static void
manner(int fd)
{
	struct world_conn *c = world_at(fd);
	uint8_t how = fuzz_octet(&input);

	c->piece = how & 7;
	c->hold = (how & 8) != 0 ? how >> 4 : 0;
	if ((how & 0x30) == 0x30 && (how & 8) == 0)
		c->end = true;
	if ((how & 0xc0) == 0xc0)
		c->error = ECONNRESET;
}

/* The caller has said HELLO, or its proof: what is the answer? */
static void
answer(int fd, uint8_t plan, bool proven)
{
	size_t before = call_of(fd)->have;

	switch (plan & 3) {
	case 0:
	case 1:
		if (keyed && !proven)
			say_challenge(fd);
		else
			say_welcome(fd);
		break;
	case 2:
		say_refuse(fd);
		break;
	case 3:
		say_raw(fd);
		break;
	}
	if (proven && before == FRAME_GREETING && call_of(fd)->have == 2 * FRAME_GREETING) {
		say_proof(fd, plan >> 4 & 3);
		if ((plan & 3) == 2 && said_proof(fd, 2 * FRAME_GREETING))
			proven_refusal = true;
	}
	manner(fd);
}

/* One more greeting of the product's is whole, its n'th. */
static void
greeted(int fd, unsigned n)
{
	const uint8_t *octets = world_at(fd)->said + n * FRAME_GREETING;

	if (session.caller) {
		if (n == 0)
			judge_hello(octets);
		else
			MUST(greeting_kind(octets) == GREETING_PROOF);
		if (n == 1)
			answer(fd, fuzz_octet(&input), true);
		else if ((dial_plan & 0x80) == 0)
			answer(fd, dial_plan, false);
	} else if (n == 0 && keyed && greeting_kind(octets) == GREETING_CHALLENGE) {
		MUST(memcmp(call_of(fd)->said, "VMhe", 4) == 0);
		say_proof(fd, fuzz_octet(&input) & 3);
	} else if (n == 2)
		judge_proof(fd);
	else
		judge_answer(octets, fd);
}

static void
sent(int fd, const uint8_t *octets, size_t n)
{
	uint64_t now = world_at(fd)->sent;
	unsigned i, most = !keyed ? 1 : session.caller ? 2 : 3;

	(void)octets;
	for (i = 0; i < most; i++)
		if (now - n < (i + 1) * FRAME_GREETING && now >= (i + 1) * FRAME_GREETING)
			greeted(fd, i);
}

/* What must hold whenever somebody sleeps */

/* Whatever is handed to a leg is newer than what it had. */
static void
audit_pending(unsigned n)
{
	int fd = session.leg[n]->pending_fd;
	uint32_t incarnation;

	if (memcmp(bound, session.id, FRAME_ID) != 0) {
		memcpy(bound, session.id, FRAME_ID);
		memset(newest, 0, sizeof(newest));
	}
	if (fd == -1 || fd == taken[n])
		return;
	incarnation = (uint32_t)get(call_of(fd)->said + 44, 4);
	MUST(incarnation > newest[n]);
	newest[n] = incarnation;
	taken[n] = fd;
}

/* With a key a session that stands does not fail by anybody's word but the peer's. */
static void
audit_end(void)
{
	if (keyed && stood && session.verdict == VERDICT_FAILED)
		MUST(ended || proven_refusal);
	stood = session.bound && session.verdict == VERDICT_NONE;
}

static void
audit(void)
{
	const struct call *c;
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
		c = call_of(leg->fd);
		MUST(leg->keyed == keyed);
		if (session.caller) {
			MUST(good_welcome(leg->fd));
			MUST(memcmp(welcome_of(leg->fd) + 24, session.instance, FRAME_ID) == 0);
		} else
			MUST(good_caller(leg->fd) && get(c->said + 40, 2) == i &&
			    memcmp(c->said + 8, session.id, FRAME_ID) == 0 &&
			    get(c->said + 44, 4) == leg->incarnation);
	}
	audit_end();
	MUST(up <= session.up && session.up <= session.busy);
	MUST(session.window <= options.window_bytes);
}

/* Acts */

/* A descriptor of ours that is open, or -1. */
static int
some_call(void)
{
	unsigned which = fuzz_octet(&input), i, n = world.conns;

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
		call_of(fd)->have = 0;
	return fd;
}

static int
dialled(struct net_target *target)
{
	static const int reason[4] = { ECONNREFUSED, ETIMEDOUT, ECANCELED, ENETUNREACH };
	uint8_t plan = fuzz_octet(&input);
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

	make_hello(&hello, fuzz_octet(&input));
	hello_encode(&hello, greeting);
	change(greeting);
	say(fd, greeting, FRAME_GREETING);
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
	unsigned n = fuzz_octet(&input) % CROWD;

	while (n-- > 0)
		act_call(false);
}

static void
act_leg(void)
{
	unsigned n = fuzz_octet(&input) % CALLER_LEGS;

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
	uint64_t n = fuzz_octet(&input);

	world.now_ns += n * n * 200000;
}

static void
act_end(void)
{
	uint8_t how = fuzz_octet(&input);

	ended = ended || how < 128;
	if (how < 64)
		session_fail(&session, FAIL_SOURCE, "a failure of ours");
	else if (how < 128)
		session_signal(&session, 15);
	else if (how < 192)
		world.no_thread = !world.no_thread;
	else
		world.no_entropy = !world.no_entropy;
}

static void
act(void)
{
	uint8_t what = fuzz_octet(&input);
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
			answer(fd, fuzz_octet(&input), keyed);
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
	options.threads = CALLER_LEGS;
	for (i = 0; i < 3; i++) {
		snprintf(options.paths[i].host, OPTIONS_TEXT_SIZE, "host");
		snprintf(options.paths[i].port, sizeof(options.paths[i].port), "1");
	}
	options.window_bytes = 4u << 20;
	options.window_given = true;
	options.wait_ms = 60000;
	options.timeout_ms = 60000;
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
	l->fd = l->pending_fd = -1;
	l->random = n + 1;
	l->home = l->path = session.caller ? paths_home(&session.paths, n) : 0;
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
			leg[i] = worker_new(&session, i);
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
	static const uint8_t none[SIPHASH_KEY];
	unsigned i;

	inside_listener_end();
	for (i = 0; i < session.legs; i++) {
		struct leg *leg = session.leg[i];

		if (!used[i])
			continue;
		MUST(leg->fd == -1 && !leg->dialling);
		MUST(memcmp(leg->says.key, none, SIPHASH_KEY) == 0 &&
		    memcmp(leg->hears.key, none, SIPHASH_KEY) == 0);
		if (leg->pending_fd != -1) {
			MUST(good_caller(leg->pending_fd));
			world_at(leg->pending_fd)->open = false;
			leg->pending_fd = -1;
			leg->newest = 0;
		}
	}
	for (i = 0; i < world.conns; i++)
		MUST(!world.conn[i].open);
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
	stood = ended = proven_refusal = false;
	make_options(fuzz_octet(&input));
	MUST(session_init(&session, &options) == 0);
	if (keyed)
		MUST(auth_take(&session.auth, "the key of all these sessions, 32+", 34, why,
		    sizeof(why)) == 0);
	if (session.sender)
		session.tx = tx_new(&session, WORLD_SOURCE, session.window, true, session.frame,
		    session.checked);
	else
		session.rx = rx_new(&session, WORLD_OUTPUT);
	make_legs();
	inside_listener_begin(&session);
	while (fuzz_more(&input) && acts < ACTS)
		act();
	finish();
	settle();
	if (session.tx != NULL)
		inside_tx_free(session.tx);
	if (session.rx != NULL)
		inside_rx_free(session.rx);
	return 0;
}
