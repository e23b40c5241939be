/*
 * listener: the open port.  See listener.h; everything except listener_open and
 * listener_start runs in the listener's thread.
 */
#include "listener.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admit.h"
#include "crypto/channel.h"
#include "crypto/entropy.h"
#include "frame.h"
#include "greeting.h"
#include "handshake.h"
#include "session.h"
#include "ssh/ssh.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/thread.h"

/*
 * Callers without a valid HELLO, or without CONFIRM.  Of so many one stays for a round
 * trip of 100 ms with a chance of about a half while 2000 strangers call in a second.
 */
#define ROOM		256
#define HELLO_NS	(5 * SECOND)	/* for all of that, however slowly it arrives */
/*
 * For the CONFIRM of a caller that names the session; or that is at ssh's own pipe, where
 * nobody else can be, and which cannot be called again.
 */
#define KNOWN_NS	(40 * SECOND)
#define LEAVE_NS	SECOND		/* the caller must read a refusal within this */
#define SPARE		4		/* descriptors for short use */
#define BACKLOG		128
#define PAUSE_MS	100		/* after an accept that failed for lack of resources */
#define LOOK_MS		500		/* how often to check whether the session is over */

enum caller_state { CALLER_NONE, CALLER_SAYING, CALLER_CONFIRMING, CALLER_LEAVING };

/*
 *	from		to		when
 *	NONE		SAYING		accepted
 *	SAYING		NONE		HELLO was valid: a leg has the connection now
 *	SAYING		CONFIRMING	with a key: HELLO was right, ANSWER is sent
 *	CONFIRMING	NONE		CONFIRM was right: a leg has the connection now
 *	SAYING		LEAVING		refused: the answer is sent; wait until the caller closes
 *	either		NONE		no valid greeting, end of file, out of time or places
 *	LEAVING		NONE		end of file, or out of time
 */
struct caller {
	enum caller_state state;
	int fd;
	uint64_t since_ns;
	size_t have;
	uint8_t bytes[FRAME_GREETING_MAX];
	struct hello hello;		/* CONFIRMING: its HELLO */
	struct channel_pair *keys;	/* CONFIRMING: of this connection; otherwise NULL */
	bool known;			/* CONFIRMING: it names the session that is bound */
	char name[NET_NAME];
	uint64_t origin;		/* of that address, as net_origin has it */
	bool piped;			/* it came through ssh's own pipe */
	bool early;			/* it is admitted before its CONFIRM */
};

struct room {
	struct session *session;
	struct handshake *handshake;	/* with a key: of one caller after the other */
	unsigned places;		/* how many of the callers below are used */
	uint64_t random;		/* state of the choice among equals */
	struct caller caller[ROOM];
};

static struct log_limit strangers = LOG_LIMIT("strangers");

/* Listens on the first free port of the range. */
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
	channel_pair_free(c->keys);
	c->keys = NULL;
	c->state = CALLER_NONE;
}

/* What is sent is the last word: waits for the caller to close, so that it arrives. */
static void
see_out(struct caller *c, const uint8_t *bytes, size_t n, uint64_t now)
{
	if (send(c->fd, bytes, n, MSG_NOSIGNAL) == -1) {
		dismiss(c, NULL);
		return;
	}
	shutdown(c->fd, SHUT_WR);
	c->state = CALLER_LEAVING;
	c->since_ns = now;
}

/* Refuses.  With a handshake: it was heard, and the refusal is sealed, as our own word. */
static void
answer_no(struct caller *c, const struct refuse *refuse, struct handshake *h, uint64_t now)
{
	uint8_t bytes[FRAME_GREETING], answer[FRAME_ANSWER];

	if (refuse->reason == 0) {
		dismiss(c, NULL);
		return;
	}
	log_limited(&strangers, LOG_LOSS, "refused %s: %s%s%s", c->name,
	    refusal_text(refuse->reason), refuse->text[0] != '\0' ? "; " : "", refuse->text);
	refuse_encode(refuse, bytes);
	if (h == NULL)
		see_out(c, bytes, sizeof(bytes), now);
	else if (handshake_answer(h, bytes, answer))
		see_out(c, answer, sizeof(answer), now);
	else
		dismiss(c, NULL);
}

/* Only here does a HELLO change the session. */
static void
admit(struct room *room, struct caller *c, uint64_t now)
{
	struct admission a = {
		.hello = &c->hello, .keys = c->keys, .fd = c->fd, .name = c->name,
		.piped = c->piped, .early = c->early
	};
	bool sealed = c->keys != NULL;

	if (admit_hello(room->session, &a)) {
		c->keys = NULL;
		c->state = CALLER_NONE;
	} else if (!sealed)
		answer_no(c, &a.refuse, NULL, now);
	else
		/* It was welcome when it called; it calls again, and hears why not. */
		dismiss(c, a.refuse.reason != 0 ? refusal_text(a.refuse.reason) : NULL);
}

static void
refuse_key(struct caller *c, const char *text, uint64_t now)
{
	struct refuse refuse = { .reason = REFUSE_KEY };

	memcpy(refuse.session, c->bytes + FRAME_SESSION, FRAME_ID);
	memcpy(refuse.text, text, strlen(text));
	answer_no(c, &refuse, NULL, now);
}

static void
judge_hello(struct room *room, struct caller *c, uint64_t now)
{
	const char *why = hello_decode(&c->hello, c->bytes);

	if (why != NULL)
		dismiss(c, why);
	else if (room->session->key.given)
		refuse_key(c, "the listener has one, the caller has none", now);
	else
		admit(room, c, now);
}

/* HELLO was right: sends ANSWER, then waits for CONFIRM. */
static void
welcome(struct room *room, struct caller *c, const struct hello *hello, uint64_t now)
{
	uint8_t bytes[FRAME_GREETING], answer[FRAME_ANSWER];
	struct handshake *h = room->handshake;

	hello_encode(hello, bytes);
	c->keys = channel_pair_new();
	if (c->keys == NULL || !handshake_answer(h, bytes, answer)) {
		dismiss(c, c->keys == NULL ? strerror(errno) : "its HELLO is of no use");
		return;
	}
	handshake_channels(h, c->keys);
	if (send(c->fd, answer, sizeof(answer), MSG_NOSIGNAL) != (ssize_t)sizeof(answer)) {
		dismiss(c, "it takes no answer");
		return;
	}
	c->known = session_knows(room->session, c->hello.session);
	c->state = CALLER_CONFIRMING;
	c->have = 0;
	/*
	 * An old HELLO cannot come this way: the key is new, and came this way, too.  So a
	 * sender begins at once; its first bytes go with ANSWER.
	 */
	c->early = c->piped && room->session->sends;
	if (c->early)
		admit(room, c, now);
}

static void
judge_sealed(struct room *room, struct caller *c, uint64_t now)
{
	struct admission a = { .hello = &c->hello, .name = c->name };
	uint8_t greeting[FRAME_GREETING];
	struct hello answer;
	const char *why;
	int error;

	if (!room->session->key.given) {
		refuse_key(c, "the caller has one, the listener has none", now);
		return;
	}
	error = greeting_prepare(room->session, room->handshake);
	if (error != 0)
		/* At the end the key is wiped, and no leg is needed. */
		dismiss(c, session_over(room->session) ? NULL : strerror(error));
	else if (!handshake_hear(room->handshake, c->bytes, greeting))
		refuse_key(c, "checkphrase and name are part of it", now);
	else if ((why = hello_decode(&c->hello, greeting)) != NULL)
		dismiss(c, why);
	else if (admit_judge(room->session, &a, &answer))
		welcome(room, c, &answer, now);
	else
		answer_no(c, &a.refuse, room->handshake, now);
}

/* The caller's first frame has come, as far as it says that it is this. */
static void
judge_confirm(struct room *room, struct caller *c, uint64_t now)
{
	uint8_t head[FRAME_HEAD];
	struct frame frame;

	if (!channel_open_head(&c->keys->receive, head, c->bytes, FRAME_HEAD))
		dismiss(c, "its HELLO was an old one, or its CONFIRM is wrong");
	else if (frame_head_decode(&frame, head) != NULL || frame.type != FRAME_CONFIRM)
		dismiss(c, "no CONFIRM after HELLO");
	else
		admit(room, c, now);
}

/* A whole greeting, or frame, has arrived. */
static void
judge(struct room *room, struct caller *c, uint64_t now)
{
	struct refuse refuse = { .reason = REFUSE_VERSION };

	if (c->state == CALLER_CONFIRMING) {
		judge_confirm(room, c, now);
		return;
	}
	switch (greeting_kind(c->bytes)) {
	case GREETING_HELLO:
		judge_hello(room, c, now);
		break;
	case GREETING_SEALED:
		judge_sealed(room, c, now);
		break;
	case GREETING_VERSION:
		answer_no(c, &refuse, NULL, now);
		break;
	case GREETING_WELCOME:
	case GREETING_REFUSE:
	case GREETING_ANSWER:
	case GREETING_ALIEN:
		dismiss(c, "not a viamillipede sender");
		break;
	}
}

/* How many bytes are needed, as far as it is known.  Not one of what follows is read. */
static size_t
wanted(const struct caller *c)
{
	return c->state == CALLER_CONFIRMING ? FRAME_HEAD_SEALED :
	    greeting_length(c->bytes, c->have);
}

static const char *
hung_up(const struct caller *c)
{
	return c->state == CALLER_CONFIRMING ? "it hung up before it confirmed its HELLO" :
	    c->have == 0 ? "it said nothing" : "it hung up before the end of HELLO";
}

/* Reads once.  false: there is no more now, or the caller is gone. */
static bool
read_some(struct room *room, struct caller *c)
{
	ssize_t n = recv(c->fd, c->bytes + c->have, wanted(c) - c->have, 0);
	bool needless;

	if (n > 0) {
		c->have += (size_t)n;
		return true;
	}
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return false;
	/* When all is decided, or its caller has what it called for, the leg is not needed. */
	needless = session_decided(room->session) || (session_taken(room->session) &&
	    (room->session->options->runs || (c->state == CALLER_CONFIRMING && c->known)));
	dismiss(c, needless ? NULL : n == -1 ? strerror(errno) : hung_up(c));
	return false;
}

static void
listen_to(struct room *room, struct caller *c, uint64_t now)
{
	while ((c->state == CALLER_SAYING || c->state == CALLER_CONFIRMING) &&
	    read_some(room, c)) {
		if (c->state == CALLER_SAYING && !greeting_possible(c->bytes, c->have))
			dismiss(c, "not a viamillipede sender");
		else if (c->have == wanted(c))
			judge(room, c, now);
	}
}

/* Reads what a refused caller still sends: unread bytes would reset the connection. */
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
		else if (c->state == CALLER_CONFIRMING &&
		    now - c->since_ns > (c->known || c->piped ? KNOWN_NS : HELLO_NS))
			dismiss(c, "no CONFIRM in time");
		else if (c->state == CALLER_LEAVING && now - c->since_ns > LEAVE_NS)
			dismiss(c, NULL);
	}
}

/*
 * Which caller is dropped when all places are taken.  Of those from the address that
 * holds most places, those that sent nothing go before those without a whole HELLO,
 * and these before those that still have to confirm it.  Among equals chance
 * decides, so that an attacker that calls often cannot displace every other caller
 * before it could answer.  Callers that name the bound session stay, as long as they
 * hold no more than half of all places.
 */
static unsigned
standing(const struct caller *c)
{
	if (c->state == CALLER_CONFIRMING)
		return 2;
	return c->state == CALLER_SAYING && c->have > 0 ? 1 : 0;
}

static bool
names_session(const struct caller *c)
{
	return c->state == CALLER_CONFIRMING && c->known;
}

/* How many places the callers from an address hold. */
struct share {
	uint64_t origin;
	unsigned places;	/* 0 = this entry is free */
};

/* The entry of an address, in a table of which at least a half is free. */
static struct share *
share_of(struct share table[2 * ROOM], uint64_t origin)
{
	unsigned i = (unsigned)((origin * 0x9e3779b97f4a7c15ULL) >> 32) % (2 * ROOM);

	while (table[i].places != 0 && table[i].origin != origin)
		i = (i + 1) % (2 * ROOM);
	table[i].origin = origin;
	return &table[i];
}

static void
count_shares(const struct room *room, struct share table[2 * ROOM])
{
	const struct caller *c;

	memset(table, 0, 2 * ROOM * sizeof(table[0]));
	for (c = room->caller; c < room->caller + room->places; c++)
		if (c->state != CALLER_NONE)
			share_of(table, c->origin)->places++;
}

/* Marsaglia's xorshift, as in leg_stir. */
static uint64_t
chance(struct room *room)
{
	room->random ^= room->random << 13;
	room->random ^= room->random >> 7;
	room->random ^= room->random << 17;
	return room->random;
}

/* The caller to drop; NULL: there is none. */
static struct caller *
who_goes(struct room *room)
{
	struct caller *c, *end = room->caller + room->places, *out = NULL;
	unsigned named = 0, most = 0, least = 0, equals = 0, n;
	struct share table[2 * ROOM];

	count_shares(room, table);
	for (c = room->caller; c < end; c++)
		named += names_session(c);
	for (c = room->caller; c < end; c++) {
		if (c->state == CALLER_NONE || (names_session(c) && 2 * named <= room->places))
			continue;
		n = share_of(table, c->origin)->places;
		if (n < most || (n == most && out != NULL && standing(c) > least))
			continue;
		if (n > most || standing(c) < least)
			equals = 0;
		most = n;
		least = standing(c);
		if (chance(room) % ++equals == 0)
			out = c;
	}
	return out;
}

static void
evict(struct caller *c)
{
	dismiss(c, c->state != CALLER_LEAVING ? "no room for so many" : NULL);
}

static struct caller *
place(struct room *room)
{
	struct caller *c;

	for (c = room->caller; c < room->caller + room->places; c++)
		if (c->state == CALLER_NONE)
			return c;
	/* No more than half of them may not be dropped, so there is one. */
	c = who_goes(room);
	assert(c != NULL);
	evict(c);
	return c;
}

/* There is no descriptor for another caller: drops one that is here. */
static bool
make_room(struct room *room)
{
	struct caller *out = who_goes(room);

	if (out != NULL)
		evict(out);
	return out != NULL;
}

/* accept failed for a reason that concerns only this caller. */
static bool
his_own(int error)
{
	return error == EINTR || error == EPROTO || net_lost(error);
}

static void
take_in(struct room *room, int fd, const char *name, bool piped, uint64_t now)
{
	struct caller *c = place(room);

	c->state = CALLER_SAYING;
	c->fd = fd;
	c->since_ns = now;
	c->have = 0;
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->origin = net_origin(name);
	c->piped = piped;
	c->early = false;
	/* The caller sends first, so its HELLO has often arrived already. */
	listen_to(room, c, now);
}

/* Takes the connections that came through ssh's own pipe. */
static void
let_in_piped(struct room *room, struct line *line, uint64_t now)
{
	static const char name[NET_NAME] = "ssh itself";
	int fd;

	while ((fd = line_accept(line)) != -1)
		take_in(room, fd, name, true, now);
}

/* Accepts a caller.  false: not possible now, for lack of descriptors or the like. */
static bool
let_in(struct room *room, int listener, uint64_t now)
{
	char name[NET_NAME];
	int fd, i;

	for (i = 0; i < ROOM; i++) {
		fd = net_accept(listener, name);
		if (fd == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (fd == -1 && (his_own(errno) || (errno == EMFILE && make_room(room))))
			continue;
		if (fd == -1)
			return false;
		take_in(room, fd, name, false, now);
	}
	return true;
}

static void
serve(struct room *room, const struct pollfd *p, uint64_t now)
{
	unsigned i;

	for (i = 0; i < room->places; i++) {
		if (p[i].fd == -1 || p[i].revents == 0)
			continue;
		if (room->caller[i].state == CALLER_SAYING ||
		    room->caller[i].state == CALLER_CONFIRMING)
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
	struct line *line = l->session->ssh != NULL ? &l->session->ssh->line : NULL;
	struct pollfd p[ROOM + NET_LISTENERS + 1];
	bool paused = false;
	uint64_t now;
	unsigned i;

	room.session = l->session;
	room.handshake = l->handshake;
	room.places = l->places;
	if (entropy_fill(&room.random, sizeof(room.random)) == -1 || room.random == 0)
		room.random = clock_now_ns();
	while (!session_over(l->session)) {
		/* Only those in use: the limit of descriptors limits poll, too. */
		for (i = 0; i < room.places; i++)
			p[i] = (struct pollfd){ .fd = room.caller[i].state == CALLER_NONE ? -1 :
			    room.caller[i].fd, .events = POLLIN };
		for (i = 0; i < l->net.count; i++)
			p[room.places + i] = (struct pollfd){ .fd = paused ? -1 : l->net.fd[i],
			    .events = POLLIN };
		p[room.places + i] = (struct pollfd){ .fd = line != NULL ? line_calls(line) : -1,
		    .events = POLLIN };
		poll(p, room.places + l->net.count + 1, paused ? PAUSE_MS : LOOK_MS);
		paused = false;
		now = clock_now_ns();
		serve(&room, p, now);
		expire(&room, now);
		if (line != NULL)
			let_in_piped(&room, line, now);
		for (i = 0; i < l->net.count; i++)
			if ((p[room.places + i].revents & POLLIN) != 0 &&
			    !let_in(&room, l->net.fd[i], now)) {
				paused = true;
				log_limited(&want, LOG_LOSS, "cannot accept: %s; trying again",
				    strerror(errno));
			}
	}
	handshake_free(l->handshake);
	net_unlisten(&l->net);
	return NULL;
}

/*
 * At most a quarter of the descriptors is for callers, the rest for the session's
 * legs, which need two each; a few are kept for short use.
 */
static void
share_out(struct listener *l)
{
	unsigned free = net_descriptors();

	l->places = free / 4 < ROOM ? free / 4 : ROOM;
	if (l->places < 2)
		l->places = 2;
	free = free > l->places + SPARE ? free - l->places - SPARE : 0;
	l->session->most = free / 2 > 1 ? free / 2 : 1;
}

int
listener_start(struct listener *l)
{
	share_out(l);
	l->handshake = handshake_new();
	if (l->handshake == NULL)
		return errno;
	return thread_start_detached("viamillipede-l", listener, l);
}
