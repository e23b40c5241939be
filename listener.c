/*
 * listener: the receiver's open port.  See listener.h; all but listener_open
 * runs in the listener's thread.
 */
#include "listener.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth.h"
#include "entropy.h"
#include "frame.h"
#include "lock.h"
#include "log.h"
#include "session.h"

#define SECOND		1000000000ULL
#define ROOM		64		/* callers without a valid HELLO or a proof */
#define HELLO_NS	(5 * SECOND)	/* for all of that, however it trickles */
#define KNOWN_NS	(40 * SECOND)	/* for the proof, on a path as slow as that */
#define LEAVE_NS	SECOND		/* a refusal is read within this */
#define BACKLOG		128
#define PAUSE_MS	100		/* after an accept that failed for want of something */
#define LOOK_MS		500		/* is the session over? */

enum caller_state { CALLER_NONE, CALLER_SAYING, CALLER_PROVING, CALLER_LEAVING };

/*
 *	from	to	when
 *	NONE	SAYING	accepted
 *	SAYING	NONE	HELLO was valid: a leg has the connection now
 *	SAYING	PROVING	there is a key: the challenge is sent
 *	PROVING	NONE	the proof is right: a leg has the connection now
 *	either	LEAVING	refused; the answer is sent, its end is awaited
 *	either	NONE	nonsense, end of file, out of time or room
 *	LEAVING	NONE	end of file, or out of time
 */
struct caller {
	enum caller_state state;
	int fd;
	uint64_t since_ns;
	size_t have;
	uint8_t octets[FRAME_GREETING];
	struct hello hello;		/* PROVING: what is to be proven, */
	struct auth_talk talk;		/* and what was said so far */
	bool known;			/* PROVING: he names the session that is bound */
	char name[NET_NAME];
};

struct room {
	struct session *session;
	struct caller caller[ROOM];
};

static struct log_limit strangers = LOG_LIMIT("strangers");

/* On the first of the ports that is free. */
static int
listen_first(struct listener *l, const struct options *o, char why[NET_WHY])
{
	unsigned long port = strtoul(o->port, NULL, 10), last = port;
	const char *dash = strchr(o->port, '-');
	char text[8];

	if (dash != NULL)
		last = strtoul(dash + 1, NULL, 10);
	for (; port <= last; port++) {
		snprintf(text, sizeof(text), "%lu", port & 0xffff);
		if (net_listen(&l->net, o->bind, text, BACKLOG, why) == 0)
			return 0;
	}
	return -1;
}

int
listener_open(struct listener *l, struct session *session)
{
	const struct options *o = session->options;
	bool tell = (strcmp(o->port, "0") == 0 || strchr(o->port, '-') != NULL) && !o->served;
	char why[NET_WHY];
	unsigned i;

	l->session = session;
	if (listen_first(l, o, why) == -1) {
		log_line(LOG_ERROR, "cannot listen on %s port %s: %s",
		    o->bind[0] != '\0' ? o->bind : "any address", o->port, why);
		return -1;
	}
	for (i = 0; i < l->net.count; i++)
		log_line(tell ? LOG_ERROR : LOG_RUN, "listening on %s", l->net.name[i]);
	return 0;
}

static void
dismiss(struct caller *c, const char *why)
{
	if (why != NULL)
		log_limited(&strangers, LOG_LOSS, "turned away %s: %s", c->name, why);
	close(c->fd);
	c->state = CALLER_NONE;
}

/* What the caller said, and what he is answered, are parts of the talk. */
static size_t
prove_refusal(struct room *room, struct caller *c, const uint8_t refusal[FRAME_GREETING],
    uint8_t out[FRAME_GREETING])
{
	struct proof proof;

	auth_talk_add(&c->talk, refusal);
	memcpy(proof.session, c->hello.session, FRAME_ID);
	if (!auth_prove(&room->session->auth, &c->talk, AUTH_LISTENER, proof.hmac))
		return 0;
	proof_encode(&proof, out);
	return FRAME_GREETING;
}

/*
 * Say no; then wait for the caller to hang up, so that the answer arrives.
 * proven: the caller is, so he gets a proof that it is us who say so.
 */
static void
answer_no(struct room *room, struct caller *c, const struct refuse *refuse, bool proven,
    uint64_t now)
{
	uint8_t octets[2 * FRAME_GREETING];
	size_t n = FRAME_GREETING;

	log_limited(&strangers, LOG_LOSS, "refused %s: %s%s%s", c->name,
	    refusal_text(refuse->reason), refuse->text[0] != '\0' ? "; " : "", refuse->text);
	refuse_encode(refuse, octets);
	if (proven)
		n += prove_refusal(room, c, octets, octets + FRAME_GREETING);
	if (send(c->fd, octets, n, MSG_NOSIGNAL) == -1) {
		dismiss(c, NULL);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	c->state = CALLER_LEAVING;
	c->since_ns = now;
}

/* The HELLO is valid: let him show that he has the key. */
static void
challenge(struct room *room, struct caller *c)
{
	uint8_t octets[FRAME_GREETING];
	struct challenge challenge;

	memcpy(challenge.session, c->hello.session, FRAME_ID);
	if (entropy_fill(challenge.nonce, sizeof(challenge.nonce)) == -1) {
		dismiss(c, strerror(errno));
		return;
	}
	challenge_encode(&challenge, octets);
	auth_talk_add(&c->talk, c->octets);
	auth_talk_add(&c->talk, octets);
	if (send(c->fd, octets, sizeof(octets), MSG_NOSIGNAL) != (ssize_t)sizeof(octets)) {
		dismiss(c, "it takes no challenge");
		return;
	}
	c->known = session_knows(room->session, c->hello.session);
	c->state = CALLER_PROVING;
	c->have = 0;
}

/* Nothing of the session hears of a HELLO before this. */
static void
admit(struct room *room, struct caller *c, uint64_t now)
{
	struct refuse refuse;

	if (session_admit(room->session, &c->hello, &c->talk, c->fd, c->name, &refuse))
		c->state = CALLER_NONE;
	else
		answer_no(room, c, &refuse, room->session->auth.given, now);
}

static void
refuse_key(struct room *room, struct caller *c, const char *text, uint64_t now)
{
	struct refuse refuse = { .reason = REFUSE_KEY };

	memcpy(refuse.session, c->hello.session, FRAME_ID);
	memcpy(refuse.text, text, strlen(text));
	answer_no(room, c, &refuse, false, now);
}

static void
judge_hello(struct room *room, struct caller *c, uint64_t now)
{
	const char *why = hello_decode(&c->hello, c->octets);
	bool here = room->session->auth.given;
	bool there = (c->hello.required & FEATURE_KEY) != 0;

	auth_talk_init(&c->talk);
	if (why != NULL)
		dismiss(c, why);
	else if (there && !here)
		refuse_key(room, c, "the caller has one, the listener has none", now);
	else if (here && !there)
		refuse_key(room, c, "the listener has one, the caller has none", now);
	else if (here)
		challenge(room, c);
	else
		admit(room, c, now);
}

static void
judge_proof(struct room *room, struct caller *c, uint64_t now)
{
	struct proof proof;
	const char *why = proof_decode(&proof, c->octets);

	if (why != NULL)
		dismiss(c, why);
	else if (!auth_proven(&room->session->auth, &c->talk, AUTH_CALLER, proof.hmac)) {
		/* At the very end there is no key any more, and no need of a leg. */
		if (session_over(room->session))
			dismiss(c, NULL);
		else
			refuse_key(room, c, "", now);
	} else {
		auth_talk_add(&c->talk, c->octets);
		admit(room, c, now);
	}
}

/* All of a greeting is here. */
static void
judge(struct room *room, struct caller *c, uint64_t now)
{
	struct refuse refuse = { .reason = REFUSE_VERSION };

	switch (greeting_kind(c->octets)) {
	case GREETING_HELLO:
		if (c->state == CALLER_SAYING)
			judge_hello(room, c, now);
		else
			dismiss(c, "a HELLO instead of a proof");
		break;
	case GREETING_PROOF:
		if (c->state == CALLER_PROVING)
			judge_proof(room, c, now);
		else
			dismiss(c, "a proof that nobody asked for");
		break;
	case GREETING_VERSION:
		answer_no(room, c, &refuse, false, now);
		break;
	case GREETING_WELCOME:
	case GREETING_REFUSE:
	case GREETING_CHALLENGE:
	case GREETING_ALIEN:
		dismiss(c, "not a viamillipede sender");
		break;
	}
}

static void
listen_to(struct room *room, struct caller *c, uint64_t now)
{
	ssize_t n = recv(c->fd, c->octets + c->have, FRAME_GREETING - c->have, 0);

	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0 && session_decided(room->session)) {
		/* A leg that is not needed any more. */
		dismiss(c, NULL);
		return;
	}
	if (n == -1) {
		dismiss(c, strerror(errno));
		return;
	}
	if (n == 0) {
		dismiss(c, c->state == CALLER_PROVING ? "it hung up before it proved anything" :
		    c->have == 0 ? "it said nothing" : "it hung up before the end of HELLO");
		return;
	}
	c->have += (size_t)n;
	if (!greeting_possible(c->octets, c->have))
		dismiss(c, "not a viamillipede sender");
	else if (c->have == FRAME_GREETING)
		judge(room, c, now);
}

/* Read what a refused caller still says, so that no reset destroys the answer. */
static void
see_off(struct caller *c)
{
	uint8_t sink[4096];
	ssize_t n = recv(c->fd, sink, sizeof(sink), 0);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		dismiss(c, NULL);
}

static void
expire(struct room *room, uint64_t now)
{
	struct caller *c;

	for (c = room->caller; c < room->caller + ROOM; c++) {
		if (c->state == CALLER_SAYING && now - c->since_ns > HELLO_NS)
			dismiss(c, "no HELLO within 5 s");
		else if (c->state == CALLER_PROVING &&
		    now - c->since_ns > (c->known ? KNOWN_NS : HELLO_NS))
			dismiss(c, "no proof of the key in time");
		else if (c->state == CALLER_LEAVING && now - c->since_ns > LEAVE_NS)
			dismiss(c, NULL);
	}
}

/*
 * Who goes first when there is no room: those who said nothing, then those
 * without a HELLO, then those with one of another session; and of these the
 * oldest.
 */
static unsigned
standing(const struct caller *c)
{
	if (c->state == CALLER_PROVING)
		return c->known ? 3 : 2;
	return c->state == CALLER_SAYING && c->have > 0 ? 1 : 0;
}

static bool
goes_before(const struct caller *a, const struct caller *b)
{
	unsigned standing_a = standing(a), standing_b = standing(b);

	return standing_a != standing_b ? standing_a < standing_b : a->since_ns < b->since_ns;
}

static struct caller *
place(struct room *room)
{
	struct caller *c, *out = room->caller;

	for (c = room->caller; c < room->caller + ROOM; c++) {
		if (c->state == CALLER_NONE)
			return c;
		if (goes_before(c, out))
			out = c;
	}
	dismiss(out, out->state != CALLER_LEAVING ? "no room for so many" : NULL);
	return out;
}

/* false: no descriptor or memory is to be had just now. */
static bool
let_in(struct room *room, int listener, uint64_t now)
{
	char name[NET_NAME];
	struct caller *c;
	int fd, i;

	for (i = 0; i < ROOM; i++) {
		fd = net_accept(listener, name);
		if (fd == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (fd == -1 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM))
			return false;
		if (fd == -1)
			continue;
		c = place(room);
		c->state = CALLER_SAYING;
		c->fd = fd;
		c->since_ns = now;
		c->have = 0;
		memcpy(c->name, name, sizeof(c->name));
		/* The caller speaks first, so mostly it is here already. */
		listen_to(room, c, now);
	}
	return true;
}

static void
serve(struct room *room, const struct pollfd *p, uint64_t now)
{
	unsigned i;

	for (i = 0; i < ROOM; i++) {
		if (p[i].fd == -1 || p[i].revents == 0)
			continue;
		if (room->caller[i].state == CALLER_SAYING ||
		    room->caller[i].state == CALLER_PROVING)
			listen_to(room, &room->caller[i], now);
		else if (room->caller[i].state == CALLER_LEAVING)
			see_off(&room->caller[i]);
	}
}

static void *
listener(void *argument)
{
	static struct log_limit want = LOG_LIMIT("accepts failed");
	struct listener *l = argument;
	static struct room room;	/* there is one listener */
	struct pollfd p[ROOM + NET_LISTENERS];
	bool paused = false;
	uint64_t now;
	unsigned i;

	room.session = l->session;
	while (!session_over(l->session)) {
		for (i = 0; i < ROOM; i++)
			p[i] = (struct pollfd){ .fd = room.caller[i].state == CALLER_NONE ? -1 :
			    room.caller[i].fd, .events = POLLIN };
		for (i = 0; i < l->net.count; i++)
			p[ROOM + i] = (struct pollfd){ .fd = paused ? -1 : l->net.fd[i],
			    .events = POLLIN };
		poll(p, ROOM + l->net.count, paused ? PAUSE_MS : LOOK_MS);
		paused = false;
		now = clock_now_ns();
		serve(&room, p, now);
		expire(&room, now);
		for (i = 0; i < l->net.count; i++)
			if ((p[ROOM + i].revents & POLLIN) != 0 &&
			    !let_in(&room, l->net.fd[i], now)) {
				paused = true;
				log_limited(&want, LOG_LOSS, "cannot accept: %s; trying again",
				    strerror(errno));
			}
	}
	net_unlisten(&l->net);
	return NULL;
}

int
listener_start(struct listener *l)
{
	pthread_t thread;
	int error = thread_start(&thread, "viamillipede-l", listener, l);

	if (error == 0)
		thread_detach(thread);
	return error;
}
