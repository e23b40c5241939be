/*
 * greeting: the handshake of a leg.  See greeting.h; runs in the leg's thread.
 */
#include "greeting.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "crypto/channel.h"
#include "crypto/entropy.h"
#include "dial.h"
#include "handshake.h"
#include "leg.h"
#include "session.h"
#include "sys/clock.h"
#include "tx.h"

#define THIN_US		10000u	/* 120 bytes take so long at 96 kbit/s */
#define THIN_LESS	8u	/* the headers of the first packet are so much longer */

/* Waits for bytes on the leg's connection.  0, or an errno. */
static int
await(struct leg *leg, uint64_t until)
{
	struct pollfd p[2] = {
		{ .fd = leg->fd, .events = POLLIN },
		{ .fd = wake_fd(&leg->wake), .events = POLLIN }
	};
	uint64_t now = clock_now_ns();

	if (now >= until)
		return ETIMEDOUT;
	if (session_needless(leg->session))
		return ECANCELED;
	poll(p, 2, clock_poll_ms(until, now));
	if (p[1].revents != 0)
		wake_clear(&leg->wake);
	return 0;
}

/* Sends a greeting, for which the send buffer of a new connection has room.  0, or an errno. */
static int
say(const struct leg *leg, const uint8_t *greeting)
{
	size_t size = greeting_length(greeting, FRAME_ANSWER_CLEAR);

	if (send(leg->fd, greeting, size, MSG_NOSIGNAL) != (ssize_t)size)
		return errno != 0 ? errno : EIO;
	return 0;
}

/* Reads a greeting.  0, or an errno: EPROTO when it is none. */
static int
hear_greeting(struct leg *leg, uint64_t until, uint8_t answer[FRAME_GREETING_MAX])
{
	size_t have = 0, size;
	ssize_t n;
	int error;

	while (have < (size = greeting_length(answer, have))) {
		n = recv(leg->fd, answer + have, size - have, 0);
		if (n > 0)
			have += (size_t)n;
		else if (n == 0)
			return ECONNRESET;
		else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			return errno;
		else if ((error = await(leg, until)) != 0)
			return error;
		if (have > 0 && !greeting_possible(answer, have))
			return EPROTO;
	}
	return 0;
}

int
greeting_prepare(struct session *s, struct handshake *h)
{
	if (!key_psk(&s->key, h->psk))
		return ECANCELED;
	return entropy_fill(h->once, sizeof(h->once)) == -1 ? errno : 0;
}

void
greeting_forget(struct leg *leg)
{
	channel_pair_free(leg->keys);
	leg->keys = NULL;
}

/* Takes what the receiver's greeting says about the stream.  NULL, or what is wrong. */
static const char *
heed_greeting(struct leg *leg, const struct hello *hello)
{
	leg->brought = hello->received > 0;
	return leg->tx == NULL ? NULL : tx_greeted(leg->tx, hello->delivered);
}

/* The caller's side */

static const char unproven[] = "it does not prove that it has the key";

/* The caller's handshake. */
struct dialogue {
	uint8_t answer[FRAME_GREETING_MAX];	/* as it would be without a key */
	bool proven;			/* the answer is one of who has the key */
	uint64_t rtt_ns;		/* how long it took */
};

/* With a key: takes the greeting out of ANSWER, and the keys if it is WELCOME. */
static int
unseal(struct leg *leg, struct handshake *h, struct dialogue *d)
{
	uint8_t greeting[FRAME_GREETING];

	/* Anything else is as without a key, and judged as such. */
	if (greeting_kind(d->answer) != GREETING_ANSWER)
		return 0;
	if (!handshake_heard(h, d->answer, greeting))
		return EBADMSG;
	memcpy(d->answer, greeting, sizeof(greeting));
	d->proven = true;
	if (greeting_kind(greeting) != GREETING_WELCOME)
		return 0;
	leg->keys = channel_pair_new();
	if (leg->keys == NULL)
		return ENOMEM;
	handshake_channels(h, leg->keys);
	return 0;
}

/* Sends a sealed HELLO; the handshake goes on in leg->said. */
static int
say_sealed(struct leg *leg, const struct hello *hello)
{
	uint8_t bytes[FRAME_HELLO_SEALED];
	int error;

	leg->said = handshake_new();
	if (leg->said == NULL)
		return errno;
	error = greeting_prepare(leg->session, leg->said);
	if (error == 0 && !handshake_call(leg->said, hello, bytes))
		error = EPROTO;
	return error != 0 ? error : say(leg, bytes);
}

/* Sends a sealed HELLO, unless that was done, and reads the answer. */
static int
introduce_sealed(struct leg *leg, const struct hello *hello, struct dialogue *d, uint64_t until)
{
	int error = leg->said != NULL ? 0 : say_sealed(leg, hello);

	if (error == 0)
		error = hear_greeting(leg, until, d->answer);
	if (error == 0)
		error = unseal(leg, leg->said, d);
	handshake_free(leg->said);
	leg->said = NULL;
	return error;
}

int
greeting_say(struct leg *leg)
{
	struct hello hello;

	return dial_hello(leg->session, leg, &hello) ? say_sealed(leg, &hello) : ECANCELED;
}

/*
 * How much longer the system's packet with HELLO took than the smaller one that opened
 * the connection, in microseconds.  The system takes an eighth of each round trip into
 * its smoothed one, and the peer's system acknowledges the first packet at once.
 */
static uint64_t
longer_us(const struct net_info *opened, const struct net_info *greeted)
{
	return opened->rtt_us == 0 || greeted->rtt_us < opened->rtt_us ? 0 :
	    8 * (uint64_t)(greeted->rtt_us - opened->rtt_us);
}

/*
 * The rate of a thin path, bytes a second; 0: it is not thin.  If it is, the smaller
 * packet took half as long, too: what took longer by chance is no evidence.
 */
static uint64_t
thin_rate(const struct net_info *opened, const struct net_info *greeted, unsigned hello)
{
	uint64_t us = longer_us(opened, greeted);

	return us >= THIN_US && opened->rtt_us >= us / 2 ?
	    (hello - THIN_LESS) * 1000000ULL / us : 0;
}

/* Sends HELLO and reads the answer. */
static int
introduce(struct leg *leg, const struct hello *hello, struct dialogue *d, unsigned timeout_ms)
{
	uint64_t began = clock_now_ns(), until = began + timeout_ms * MS;
	uint8_t bytes[FRAME_GREETING];
	struct net_info opened, greeted;
	int error;

	d->proven = false;
	net_info(leg->fd, &opened);
	if (leg->session->key.given)
		error = introduce_sealed(leg, hello, d, until);
	else {
		hello_encode(hello, bytes);
		error = say(leg, bytes);
		if (error == 0)
			error = hear_greeting(leg, until, d->answer);
	}
	d->rtt_ns = clock_now_ns() - began;
	net_info(leg->fd, &greeted);
	leg->thin_rate = thin_rate(&opened, &greeted, leg->session->key.given ?
	    FRAME_HELLO_SEALED : FRAME_GREETING);
	return error;
}

/* NULL: the answer is WELCOME.  Otherwise why not; it was reported to the session. */
static const char *
answered(struct leg *leg, const struct dialogue *d)
{
	const char *why = "not a viamillipede that listens";
	bool proven = d->proven || !leg->session->key.given;
	struct refuse refuse;
	struct hello welcome;

	switch (greeting_kind(d->answer)) {
	case GREETING_WELCOME:
		why = hello_decode(&welcome, d->answer);
		if (why == NULL && !proven)
			why = unproven;
		if (why == NULL)
			why = dial_welcome(leg->session, leg, &welcome);
		if (why == NULL)
			why = heed_greeting(leg, &welcome);
		break;
	case GREETING_REFUSE:
		why = refuse_decode(&refuse, d->answer);
		if (why == NULL && memcmp(refuse.session, leg->session->id, FRAME_ID) != 0)
			why = "a refusal of another session";
		if (why == NULL)
			return dial_refused(leg->session, leg, &refuse, proven);
		break;
	case GREETING_VERSION:
		memset(&refuse, 0, sizeof(refuse));
		refuse.reason = REFUSE_VERSION;
		return dial_refused(leg->session, leg, &refuse, proven);
	case GREETING_HELLO:
	case GREETING_SEALED:
	case GREETING_ANSWER:
	case GREETING_ALIEN:
		break;
	}
	if (why != NULL) {
		leg->address++;
		dial_failed(leg->session, leg, why, DIAL_FAILED);
	}
	return why;
}

/* The caller may send: its first frame is CONFIRM. */
static void
begin(struct leg *leg)
{
	outflow_init(&leg->out);
	leg->checked = leg->keys == NULL && session_checked(leg->session);
	if (leg->keys != NULL)
		outflow_control(leg, FRAME_CONFIRM, 0, 0, NULL, 0);
}

/* There was no answer. */
static void
report(struct leg *leg, int error)
{
	bool tunnelled = leg->session->options->paths[leg->path].tunnel || leg->piped;
	char said[NET_WHY];
	const char *why = error == ECONNRESET ? "it hung up before it said anything" :
	    error == EPROTO ? "not a viamillipede that listens" :
	    error == EBADMSG ? unproven : strerror(error);
	enum tunnel_end end;

	/* A tunnel whose far end nothing listens at accepts, then closes. */
	leg->address++;
	end = tunnel_close(&leg->tunnel, said);
	leg->denied = end == TUNNEL_DENIED;
	leg->unanswered = false;
	dial_failed(leg->session, leg, said[0] != '\0' ? said : why, end == TUNNEL_DENIED ?
	    DIAL_DENIED : end == TUNNEL_BARRED ? DIAL_BARRED :
	    error == ETIMEDOUT ? DIAL_SLOW :
	    !tunnelled && leg_end_by(error) == LEG_END_CLOSED ? DIAL_CLOSED : DIAL_FAILED);
}

bool
greeting_call(struct leg *leg, unsigned timeout_ms, uint64_t *rtt_ns)
{
	bool said = leg->said != NULL;
	struct dialogue d;
	struct hello hello;
	int error;

	leg_move(leg, LEG_GREETING);
	if (!said && !dial_hello(leg->session, leg, &hello)) {
		dial_over(leg->session, leg);
		return false;
	}
	error = introduce(leg, &hello, &d, timeout_ms);
	if (error != 0) {
		report(leg, error);
		return false;
	}
	*rtt_ns = said ? 0 : d.rtt_ns;
	if (answered(leg, &d) != NULL)
		return false;
	begin(leg);
	return true;
}

/* The listener's side */

bool
greeting_answer(struct leg *leg, const struct hello *hello)
{
	struct session *s = leg->session;
	uint8_t greeting[FRAME_GREETING];
	struct hello answer;
	const char *why = heed_greeting(leg, hello);

	if (why != NULL) {
		log_line(LOG_LEG, "leg %u down: %s", leg->number, why);
		return false;
	}
	leg->checked = leg->keys == NULL && session_checked(s);
	outflow_init(&leg->out);
	if (leg->keys != NULL)
		return true;
	session_lock(s);
	session_welcome_locked(s, &s->direction, hello, &answer);
	session_unlock(s);
	hello_encode(&answer, greeting);
	outflow_greeting(leg, greeting);
	return true;
}
