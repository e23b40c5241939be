/*
 * worker: one leg's thread.  See worker.h and, for its states, leg.h.  All of
 * this file runs in the thread of the leg that it is given, but worker_new and
 * worker_start.
 */
#ifdef __linux__
#define _GNU_SOURCE	/* POLLRDHUP */
#endif
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "entropy.h"
#include "lock.h"
#include "log.h"
#include "rx.h"
#include "session.h"
#include "tx.h"

#define SECOND		1000000000ULL
#define MS		1000000ULL
#define PART_NS		SECOND		/* last words must be read within this */
#define TUNE_NS		(SECOND / 4)
#define CONTROL_MOST	50000u		/* control frames in a second; a fast leg needs a tenth */
#define FAST		(100u << 20)	/* octets a second: no need to bound what is unsent */

struct leg *
worker_new(struct session *session, unsigned number)
{
	struct leg *leg = calloc(1, sizeof(*leg));

	if (leg == NULL)
		return NULL;
	if (wake_init(&leg->wake) == -1) {
		free(leg);
		return NULL;
	}
	leg->session = session;
	leg->tx = session->tx;
	leg->rx = session->rx;
	leg->number = number;
	leg->pending_fd = leg->fd = -1;
	leg->random = (number + 1) * 0x9e3779b97f4a7c15ULL ^ session->start_ns;
	if (session->caller)
		leg->home = leg->path = paths_home(&session->paths, number);
	atomic_init(&leg->state, LEG_PARKED);
	return leg;
}

static void
state_move(struct leg *leg, enum leg_state to)
{
	static const char *const name[] = {
		"parked", "dialling", "greeting", "up", "parting", "over"
	};

	if (log_wants(LOG_LEG + 2) && atomic_load(&leg->state) != (int)to)
		log_line(LOG_LEG + 2, "leg %u %s -> %s", leg->number,
		    name[atomic_load(&leg->state)], name[to]);
	atomic_store(&leg->state, to);
}

/* Jitter: Marsaglia's xorshift, "Xorshift RNGs", 2003. */
static void
stir(struct leg *leg)
{
	leg->random ^= leg->random << 13;
	leg->random ^= leg->random >> 7;
	leg->random ^= leg->random << 17;
}

/* Milliseconds for poll(2), rounded up. */
static int
poll_ms(uint64_t until, uint64_t now)
{
	if (until == UINT64_MAX)
		return -1;
	if (until <= now)
		return 0;
	return until - now > 3600 * SECOND ? 3600 * 1000 : (int)((until - now + MS - 1) / MS);
}

/* Heartbeats and other control frames */

static void
say_heartbeat(struct leg *leg, bool reply, uint64_t now)
{
	uint8_t payload[FRAME_HEARTBEAT_SIZE];
	struct heartbeat h = { .seen = leg->in.taken };
	struct tx_state state;

	if (leg->tx != NULL) {
		tx_state(leg->tx, &state);
		h.next = state.next;
		h.idle = state.starved;
	}
	pulse_beat(&leg->pulse, &h, reply, now);
	outflow_control(leg, FRAME_HEARTBEAT, reply ? FRAME_REPLY : 0, 0, payload,
	    heartbeat_encode(&h, payload));
}

static void
say_status(struct leg *leg, bool all)
{
	uint8_t payload[FRAME_CONTROL_MAX];
	struct status status;

	rx_status(leg->rx, leg, all, &status);
	outflow_control(leg, FRAME_STATUS, 0, 0, payload, status_encode(&status, payload));
}

static void
say_verdict(struct leg *leg, unsigned due)
{
	uint8_t payload[FRAME_CONTROL_MAX];
	struct done done = { 0 };

	/* The session wrote these before it set the bits, and never again. */
	if ((due & DUE_DONE) != 0) {
		done.total = leg->session->total;
		outflow_control(leg, FRAME_DONE, 0, 0, payload,
		    done_encode(&done, payload));
	}
	if ((due & DUE_FAIL) != 0)
		outflow_control(leg, FRAME_FAIL, 0, 0, payload,
		    fail_encode(&leg->session->fail, payload));
	if ((due & DUE_BYE) != 0)
		outflow_control(leg, FRAME_BYE, 0, 0, NULL, 0);
}

/*
 * What is said again and again waits while much of it is still unsent, so that
 * there is always room for a verdict.
 */
static bool
crowded(const struct leg *leg)
{
	return leg->out.control_end - leg->out.control_begin > OUTFLOW_CONTROL / 4;
}

/* After the last words. */
static void
part(struct leg *leg, uint64_t now)
{
	state_move(leg, LEG_PARTING);
	leg->part_ns = now + PART_NS;
	inflow_drain(leg);
}

/* To leave: the sender gives the leg nothing more, the receiver asks for that. */
static void
take_leave(struct leg *leg)
{
	leg->leaving = true;
	if (leg->tx != NULL)
		tx_leave(leg->tx, leg);
	else
		outflow_control(leg, FRAME_LEAVE, 0, 0, NULL, 0);
}

/* Say what other threads want to be said.  NULL, or why the leg ends. */
static const char *
react(struct leg *leg, uint64_t now)
{
	unsigned due = atomic_exchange(&leg->due, 0);

	if ((due & DUE_CLOSE) != 0)
		return "replaced by its newer self";
	if (atomic_load(&leg->state) != LEG_UP)
		return NULL;
	if ((due & (DUE_STATUS | DUE_STATUS_ALL)) != 0 && leg->rx != NULL && !crowded(leg))
		say_status(leg, (due & DUE_STATUS_ALL) != 0);
	if ((due & DUE_REPLY) != 0 && !crowded(leg))
		say_heartbeat(leg, true, now);
	say_verdict(leg, due);
	if ((due & DUE_PART) != 0)
		part(leg, now);
	else if ((due & DUE_HOME) != 0 && !leg->leaving)
		take_leave(leg);
	return NULL;
}

/* A leg that is to go home does when all that it carried has arrived. */
static void
leave(struct leg *leg, uint64_t now)
{
	struct tx_leg_state state;

	if (!leg->leaving || leg->tx == NULL || leg->out.active ||
	    atomic_load(&leg->state) != LEG_UP)
		return;
	tx_leg_state(leg->tx, leg, &state);
	if (state.in_flight > 0)
		return;
	outflow_control(leg, FRAME_LEAVE, 0, 0, NULL, 0);
	part(leg, now);
}

static const char *
take_heartbeat(struct leg *leg, const struct frame *frame, const uint8_t *payload)
{
	bool reply = (frame->flags & FRAME_REPLY) != 0;
	struct heartbeat h;
	const char *why = heartbeat_decode(&h, payload, frame->length);

	if (why == NULL)
		why = pulse_take(&leg->pulse, &h, reply, leg->out.sent, clock_now_ns());
	if (why != NULL)
		return why;
	if (!reply)
		atomic_fetch_or(&leg->due, DUE_REPLY);
	if (leg->tx != NULL && reply)
		tx_rtt(leg->tx, leg, leg->pulse.least_rtt_ns);
	if (leg->rx != NULL)
		rx_heard(leg->rx, h.next, h.idle);
	if (leg->rx != NULL && !rx_owed(leg->rx, h.next))
		session_progress(leg->session);
	return NULL;
}

static const char *
take_status(struct leg *leg, const struct frame *frame, const uint8_t *payload)
{
	struct status status;
	const char *why = status_decode(&status, payload, frame->length);
	unsigned i;

	if (why == NULL)
		why = tx_status(leg->tx, leg, &status);
	for (i = 0; why == NULL && i < status.count && !leg->carried; i++)
		leg->carried = status.entry[i].leg == leg->number &&
		    status.entry[i].incarnation == leg->incarnation &&
		    status.entry[i].received > 0;
	return why;
}

static const char *
take_verdict(struct leg *leg, const struct frame *frame, const uint8_t *payload)
{
	const char *why = NULL;
	struct done done;
	struct fail fail;

	if (frame->type == FRAME_BYE)
		session_peer_bye(leg->session);
	else if (frame->type == FRAME_DONE) {
		why = done_decode(&done, payload, frame->length);
		if (why == NULL)
			session_peer_done(leg->session, &done);
	} else {
		why = fail_decode(&fail, payload, frame->length);
		if (why == NULL)
			session_peer_fail(leg->session, &fail);
	}
	return why;
}

/* A peer that speaks without end keeps us from everything else. */
static bool
flooded(struct leg *leg)
{
	uint64_t now = clock_now_ns();

	if (now - leg->control_ns >= SECOND) {
		leg->control_ns = now;
		leg->controls = 0;
	}
	return ++leg->controls > CONTROL_MOST;
}

const char *
worker_control(struct leg *leg, const struct frame *frame, const uint8_t *payload)
{
	const char *why = NULL;
	struct fin fin;

	if (flooded(leg))
		return "a flood of control frames";

	switch (frame->type) {
	case FRAME_DATA:
		return "DATA among control frames";
	case FRAME_HEARTBEAT:
		return take_heartbeat(leg, frame, payload);
	case FRAME_STATUS:
		return leg->tx == NULL ? "STATUS to a receiver" :
		    take_status(leg, frame, payload);
	case FRAME_FIN:
		if (leg->rx == NULL)
			return "FIN to a sender";
		why = fin_decode(&fin, payload, frame->length);
		return why != NULL ? why : rx_fin(leg->rx, frame->seq, &fin);
	case FRAME_DONE:
		if (leg->tx == NULL)
			return "DONE to a receiver";
		return take_verdict(leg, frame, payload);
	case FRAME_FAIL:
	case FRAME_BYE:
		return take_verdict(leg, frame, payload);
	case FRAME_LEAVE:
		if (leg->tx != NULL && !leg->leaving)
			take_leave(leg);
		leg->leaving = true;
		return NULL;
	}
	return why;
}

/* Chaos */

void
worker_chaos(struct leg *leg)
{
	if (leg->chaos.spec != NULL && leg->chaos_now == 0)
		leg->chaos_now = chaos_frame(&leg->chaos);
}

/* Neither read nor write until the peer has given up, or all is over. */
static void
stall(struct leg *leg)
{
#ifdef POLLRDHUP
	short events = POLLRDHUP;
#else
	short events = 0;
#endif
	struct pollfd p[2] = {
		{ .fd = leg->fd, .events = events },
		{ .fd = wake_fd(&leg->wake), .events = POLLIN }
	};
	uint64_t end = clock_now_ns() + 20 * leg->session->heartbeat_ns, now;

	if (leg->rx != NULL)
		rx_leave(leg->rx, leg);
	while ((now = clock_now_ns()) < end && (atomic_load(&leg->due) & DUE_CLOSE) == 0 &&
	    !session_over(leg->session)) {
		poll(p, 2, poll_ms(end, now));
		if (p[0].revents != 0)
			break;
		if (p[1].revents != 0)
			wake_clear(&leg->wake);
	}
}

static const char *
chaos_act(struct leg *leg)
{
	unsigned kind = leg->chaos_now;
	struct timespec ts = { 0 };

	leg->chaos_now = 0;
	switch (kind) {
	case CHAOS_RESET:
		net_abort(leg->fd);
		return "chaos: reset";
	case CHAOS_CLOSE:
		return "chaos: closed";
	case CHAOS_STALL:
		stall(leg);
		return "chaos: stalled";
	case CHAOS_DELAY:
		ts.tv_nsec = (long)chaos_delay_ms(&leg->chaos) * 1000000;
		nanosleep(&ts, NULL);
		return NULL;
	default:
		return NULL;
	}
}

/* Carrying */

/* What follows from how fast the leg turned out to be. */
static void
tune(struct leg *leg, uint64_t rate, uint64_t queued, uint64_t now)
{
	uint64_t unsent = rate == 0 ? 128u << 10 : rate / 64;
	struct net_info info;

	if (leg->tuned_ns != 0 && now - leg->tuned_ns < TUNE_NS)
		return;
	leg->tuned_ns = now;
	/* Twice, because the kernel does not count a window that opens a little as progress. */
	net_patience(leg->fd, (unsigned)(2 * pulse_patience(&leg->pulse, queued, rate) / MS));
	net_info(leg->fd, &info);
	atomic_store_explicit(&leg->rtt_us, info.rtt_us, memory_order_relaxed);
	atomic_store_explicit(&leg->retransmissions, info.retransmissions, memory_order_relaxed);
	if (leg->tx == NULL)
		return;
	if (rate > FAST)
		unsent = 1u << 30;
	else if (unsent < 16u << 10)
		unsent = 16u << 10;
	if (unsent > 2 * (uint64_t)leg->out.unsent || unsent < leg->out.unsent / 2) {
		leg->out.unsent = (unsigned)unsent;
		net_unsent(leg->fd, leg->out.unsent);
	}
}

/*
 * Say what is due by the clock, and judge whether the leg lives.  *next_ns is
 * when to do it again.  NULL, or why the leg ends.
 */
static const char *
keep_time(struct leg *leg, uint64_t now, uint64_t *next_ns)
{
	struct tx_leg_state state = { 0 };
	enum pulse_verdict verdict;
	uint64_t due;

	if (leg->tx != NULL)
		tx_leg_state(leg->tx, leg, &state);
	tune(leg, state.rate, state.in_flight, now);
	due = pulse_due(&leg->pulse, state.rate);
	if (now >= due && !crowded(leg)) {
		if (leg->rx != NULL)
			say_status(leg, true);
		say_heartbeat(leg, false, now);
		due = pulse_due(&leg->pulse, state.rate);
	}
	verdict = pulse_judge(&leg->pulse,
	    pulse_patience(&leg->pulse, state.in_flight, state.rate), now, next_ns);
	if (verdict == PULSE_SILENT)
		return "silent for too long";
	if (verdict == PULSE_UNANSWERED)
		return "nothing of what was sent arrives";
	if (due < *next_ns)
		*next_ns = due;
	if (leg->rx != NULL) {
		due = rx_status_due(leg->rx, leg, now);
		if (due <= now && !crowded(leg)) {
			say_status(leg, false);
			due = UINT64_MAX;
		}
	} else
		due = tx_look_again(leg->tx, leg, now);
	if (due < *next_ns)
		*next_ns = due;
	return NULL;
}

/* Sleep until the socket, the consumer, another thread or the clock has something. */
static bool
sleep_until(struct leg *leg, bool full, enum inflow_result in, uint64_t until, uint64_t now)
{
	struct pollfd p[3] = {
		{ .fd = leg->fd, .events = full ? POLLOUT : 0 },
		{ .fd = wake_fd(&leg->wake), .events = POLLIN },
		{ .fd = -1, .events = POLLOUT }
	};

	if (in == INFLOW_TURN && leg->in.soon_ns < until)
		until = leg->in.soon_ns;
	else if (in == INFLOW_OUTPUT) {
		p[2].fd = rx_output(leg->rx);
		if (leg->in.full_ns + INFLOW_FULL_NS < until)
			until = leg->in.full_ns + INFLOW_FULL_NS;
	} else if (in == INFLOW_MORE)
		until = now;
	else if (in == INFLOW_EMPTY)
		p[0].events |= POLLIN;
	poll(p, 3, poll_ms(until, now));
	if (p[1].revents != 0)
		wake_clear(&leg->wake);
	return in != INFLOW_EMPTY || (p[0].revents & ~POLLOUT) != 0;
}

static const char *
end_text(enum inflow_result in, const char *why)
{
	switch (in) {
	case INFLOW_END:
		return "the peer closed it";
	case INFLOW_FAILED:
		return strerror(errno);
	case INFLOW_BROKEN:
		return why;
	default:
		return NULL;
	}
}

/* The session ends: last words, then to the end of file.  true: it is reached. */
static bool
parted(struct leg *leg, bool *shut, uint64_t now)
{
	if (now >= leg->part_ns)
		return true;
	if (!*shut && !outflow_pending(&leg->out)) {
		shutdown(leg->fd, SHUT_WR);
		*shut = true;
	}
	return false;
}

/* What a leg keeps from one round of its life to the next. */
struct round {
	enum inflow_result in;
	bool shut;		/* we have said all, and said so */
};

/* Say what is to be said, sleep, hear what came.  NULL, or why the leg ended. */
static const char *
carry_round(struct leg *leg, struct round *r)
{
	enum outflow_result out;
	const char *why = NULL, *end;
	uint64_t now = clock_now_ns(), next = leg->part_ns;

	if ((end = react(leg, now)) != NULL)
		return end;
	leave(leg, now);
	if (atomic_load(&leg->state) == LEG_UP && (end = keep_time(leg, now, &next)) != NULL)
		return end;
	out = outflow_send(leg);
	if (out == OUTFLOW_FAILED)
		return strerror(errno);
	if (leg->chaos_now != 0 && (end = chaos_act(leg)) != NULL)
		return end;
	if (atomic_load(&leg->state) == LEG_PARTING) {
		if (parted(leg, &r->shut, now))
			return "the session is over";
		next = leg->part_ns;
	}
	if (atomic_load(&leg->due) != 0 || out == OUTFLOW_MORE)
		next = now;
	if (!sleep_until(leg, out == OUTFLOW_FULL, r->in, next, now))
		return NULL;
	r->in = inflow_read(leg, &why);
	if (r->in == INFLOW_END && r->shut && !leg->leaving)
		session_leg_parted(leg->session);
	return end_text(r->in, why);
}

/* From the first octet after the greeting to the leg's end; why it ended. */
static const char *
carry(struct leg *leg)
{
	struct round r = { .in = INFLOW_MORE };
	const char *end;

	do
		end = carry_round(leg, &r);
	while (end == NULL);
	return end;
}

/* The greeting is over.  false: this leg cannot be; the session was told. */
static bool
go_up(struct leg *leg, uint64_t rtt_ns)
{
	struct session *s = leg->session;

	leg->up_ns = clock_now_ns();
	leg->tuned_ns = 0;
	leg->chaos_now = 0;
	leg->carried = leg->leaving = false;
	pulse_init(&leg->pulse, s->heartbeat_ns, rtt_ns, leg->up_ns);
	inflow_init(&leg->in);
	atomic_store(&leg->path_shown, leg->path);
	if (leg->tx != NULL && !tx_join(leg->tx, leg, rtt_ns))
		return false;
	if (leg->rx != NULL) {
		rx_join(leg->rx, leg);
		atomic_fetch_or(&leg->due, DUE_STATUS_ALL);
	}
	state_move(leg, LEG_UP);
	atomic_fetch_or(&leg->due, session_leg_up(s, leg, rtt_ns));
	return true;
}

static void
go_down(struct leg *leg, const char *why)
{
	if (leg->leaving)
		why = "its own path is back";
	if (log_wants(LOG_LEG))
		log_line(LOG_LEG, "leg %u down: %s", leg->number, why);
	outflow_stop(leg);
	inflow_stop(leg);
	if (leg->rx != NULL)
		rx_part(leg->rx, leg);
	if (leg->tx != NULL)
		tx_part(leg->tx, leg);
	stir(leg);
	session_leg_down(leg->session, leg, why);
}

/* One connection, from the handshake on; leg->fd is closed at the end. */
static void
run(struct leg *leg, uint64_t rtt_ns)
{
	if (go_up(leg, rtt_ns))
		go_down(leg, carry(leg));
}

/* Dialling */

/* Wait for octets on the leg's connection.  0, or an errno. */
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
	poll(p, 2, poll_ms(until, now));
	if (p[1].revents != 0)
		wake_clear(&leg->wake);
	return 0;
}

/*
 * Say a greeting, if there is one to say, and read the next of the other side.
 * 0, or an errno: EPROTO when it is none.
 */
static int
converse(struct leg *leg, const uint8_t *say, uint64_t until, uint8_t answer[FRAME_GREETING])
{
	size_t have = 0;
	ssize_t n;
	int error;

	/* The send buffer of a new connection has room for it. */
	if (say != NULL &&
	    send(leg->fd, say, FRAME_GREETING, MSG_NOSIGNAL) != (ssize_t)FRAME_GREETING)
		return errno != 0 ? errno : EIO;
	while (have < FRAME_GREETING) {
		n = recv(leg->fd, answer + have, FRAME_GREETING - have, 0);
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

/* How a dial goes, as the caller sees it. */
struct dialogue {
	struct auth_talk talk;		/* with a key: what was said so far */
	uint8_t answer[FRAME_GREETING];	/* the last one, but proofs */
	bool proven;			/* it is the other end's that has the key */
	uint64_t rtt_ns;		/* of the last exchange */
};

/* The proof that follows an answer; *proven: there is one and it is right. */
static int
hear_proof(struct leg *leg, struct dialogue *d, uint64_t until)
{
	struct auth *auth = &leg->session->auth;
	uint8_t octets[FRAME_GREETING];
	struct proof proof;
	int error = converse(leg, NULL, until, octets);

	/* A refusal comes alone when it is our proof that is not liked. */
	if (error != 0)
		return greeting_kind(d->answer) == GREETING_REFUSE ? 0 : error;
	auth_talk_add(&d->talk, d->answer);
	d->proven = proof_decode(&proof, octets) == NULL &&
	    auth_proven(auth, &d->talk, AUTH_LISTENER, proof.hmac);
	auth_talk_add(&d->talk, octets);
	return 0;
}

/* The answer was a challenge: prove that we have the key, and hear the real answer. */
static int
prove(struct leg *leg, struct dialogue *d, unsigned patience_ms)
{
	uint64_t began = clock_now_ns();
	uint8_t octets[FRAME_GREETING];
	struct challenge challenge;
	struct proof proof;
	int error;

	if (challenge_decode(&challenge, d->answer) != NULL ||
	    memcmp(challenge.session, leg->session->id, FRAME_ID) != 0)
		return EPROTO;
	auth_talk_add(&d->talk, d->answer);
	memcpy(proof.session, challenge.session, FRAME_ID);
	if (!auth_prove(&leg->session->auth, &d->talk, AUTH_CALLER, proof.hmac))
		return ECANCELED;
	proof_encode(&proof, octets);
	auth_talk_add(&d->talk, octets);
	error = converse(leg, octets, began + patience_ms * MS, d->answer);
	d->rtt_ns = clock_now_ns() - began;
	if (error != 0 || greeting_kind(d->answer) == GREETING_VERSION)
		return error;
	return hear_proof(leg, d, began + patience_ms * MS);
}

/* Say HELLO and hear the answer. */
static int
introduce(struct leg *leg, const struct hello *hello, struct dialogue *d, unsigned patience_ms)
{
	uint64_t began = clock_now_ns();
	uint8_t octets[FRAME_GREETING];
	int error;

	hello_encode(hello, octets);
	auth_talk_init(&d->talk);
	auth_talk_add(&d->talk, octets);
	d->proven = false;
	error = converse(leg, octets, began + patience_ms * MS, d->answer);
	d->rtt_ns = clock_now_ns() - began;
	if (error == 0 && leg->session->auth.given &&
	    greeting_kind(d->answer) == GREETING_CHALLENGE)
		error = prove(leg, d, patience_ms);
	return error;
}

/* NULL: welcome.  Otherwise why not; the session was told. */
static const char *
answered(struct leg *leg, const struct dialogue *d)
{
	const char *why = "not a viamillipede that listens";
	bool proven = d->proven || !leg->session->auth.given;
	struct refuse refuse;
	struct hello welcome;

	switch (greeting_kind(d->answer)) {
	case GREETING_WELCOME:
		why = hello_decode(&welcome, d->answer);
		if (why == NULL && !proven)
			why = "it does not prove that it has the key";
		if (why == NULL)
			why = session_welcome(leg->session, leg, &welcome);
		break;
	case GREETING_REFUSE:
		why = refuse_decode(&refuse, d->answer);
		if (why == NULL && memcmp(refuse.session, leg->session->id, FRAME_ID) != 0)
			why = "a refusal of another session";
		if (why == NULL)
			return session_refused(leg->session, leg, &refuse, proven);
		break;
	case GREETING_VERSION:
		memset(&refuse, 0, sizeof(refuse));
		refuse.reason = REFUSE_VERSION;
		return session_refused(leg->session, leg, &refuse, proven);
	case GREETING_HELLO:
	case GREETING_CHALLENGE:
	case GREETING_PROOF:
	case GREETING_ALIEN:
		break;
	}
	if (why != NULL) {
		leg->address++;
		session_dial_failed(leg->session, leg, why, DIAL_FAILED);
	}
	return why;
}

/* The keys of this connection; false when the process ends just now. */
static bool
take_keys(struct leg *leg, const struct auth_talk *talk, enum auth_side side)
{
	leg->keyed = leg->session->auth.given;
	return !leg->keyed ||
	    auth_ways(&leg->session->auth, talk, side, &leg->says, &leg->hears);
}

static void
wipe_keys(struct leg *leg)
{
	auth_way_wipe(&leg->says);
	auth_way_wipe(&leg->hears);
}

/* The connection stands: greet, and carry if welcome. */
static void
greet(struct leg *leg, unsigned patience_ms)
{
	struct session *s = leg->session;
	struct dialogue d;
	struct hello hello;
	char said[NET_WHY];
	const char *why;
	bool alone;
	int error;

	state_move(leg, LEG_GREETING);
	if (!session_hello(s, leg, &hello)) {
		session_unwelcome(s, leg);
		return;
	}
	if (entropy_fill(hello.nonce, sizeof(hello.nonce)) == -1) {
		session_dial_failed(s, leg, strerror(errno), DIAL_FAILED);
		return;
	}
	error = introduce(leg, &hello, &d, patience_ms);
	if (error == 0) {
		if (answered(leg, &d) != NULL)
			return;
		outflow_init(&leg->out);
		leg->checked = session_checked(s);
		if (take_keys(leg, &d.talk, AUTH_CALLER))
			run(leg, d.rtt_ns);
		else
			session_unwelcome(s, leg);
		wipe_keys(leg);
		return;
	}
	/* What accepts and hangs up is a tunnel with nothing behind it. */
	leg->address++;
	why = error == ECONNRESET ? "it hung up before it said anything" :
	    error == EPROTO ? "not a viamillipede that listens" : strerror(error);
	alone = tunnel_close(&leg->tunnel, said);
	leg->denied = alone;
	session_dial_failed(s, leg, said[0] != '\0' ? said : why, alone ? DIAL_DENIED :
	    error == ETIMEDOUT ? DIAL_SLOW : DIAL_FAILED);
}

static void
dial(struct leg *leg, unsigned patience_ms, unsigned again_ms)
{
	const struct options_path *path = &leg->session->options->paths[leg->path];
	struct net_target target = {
		.lookup = &leg->lookup, .host = path->host, .port = path->port, .from = path->from,
		.congestion = leg->session->options->congestion,
		.patience_ms = patience_ms, .again_ms = again_ms, .first = leg->address
	};
	char why[NET_WHY];

	state_move(leg, LEG_DIALLING);
	stir(leg);
	/* What woke us so far meant to look whether to dial; from now on it means not to. */
	wake_clear(&leg->wake);
	if (session_needless(leg->session)) {
		session_unwelcome(leg->session, leg);
		return;
	}
	if (path->tunnel) {
		leg->fd = tunnel_open(&leg->tunnel, leg->session->options->ssh, path->host,
		    leg->session->options->inner, path->port, why);
		snprintf(leg->name, sizeof(leg->name), "%.80s through ssh", path->host);
		target.used = 0;
		target.addresses = 1;
		target.denied = 0;
	} else
		leg->fd = net_dial(&target, wake_fd(&leg->wake), leg->name, why);
	leg->addresses = target.addresses;
	leg->denied = target.denied;
	if (leg->fd == -1) {
		if (errno == ECANCELED)
			session_unwelcome(leg->session, leg);
		else
			session_dial_failed(leg->session, leg, why, errno == ETIMEDOUT ?
			    DIAL_SLOW : errno == ECONNREFUSED ? DIAL_DENIED : DIAL_FAILED);
		return;
	}
	leg->address = target.used;
	session_leg_busy(leg->session, true);
	greet(leg, patience_ms);
	close(leg->fd);
	leg->fd = -1;
	tunnel_close(&leg->tunnel, why);
	session_leg_busy(leg->session, false);
	atomic_fetch_add(&leg->redials, 1);
}

static void
park(struct leg *leg, uint64_t until)
{
	struct pollfd p = { .fd = wake_fd(&leg->wake), .events = POLLIN };

	poll(&p, 1, poll_ms(until, clock_now_ns()));
}

static void *
dialler(void *argument)
{
	struct leg *leg = argument;
	unsigned patience_ms, again_ms;
	uint64_t again_ns;

	for (;;) {
		/* Before the look: whoever changes something after it wakes the parked. */
		state_move(leg, LEG_PARKED);
		wake_clear(&leg->wake);
		if (session_place(leg->session, leg, &patience_ms, &again_ms, &again_ns))
			dial(leg, patience_ms, again_ms);
		else if (again_ns == 0)
			break;
		else
			park(leg, again_ns);
	}
	state_move(leg, LEG_OVER);
	return NULL;
}

/* Being called */

/* The connection that the listener handed over, if there is one. */
static bool
take_pending(struct leg *leg, struct hello *hello, struct auth_talk *talk)
{
	struct session *s = leg->session;
	bool there;

	lock_take(&s->lock);
	there = leg->pending_fd != -1;
	if (there) {
		leg->fd = leg->pending_fd;
		leg->pending_fd = -1;
		*hello = leg->pending;
		*talk = leg->pending_talk;
		memcpy(leg->name, leg->pending_name, sizeof(leg->name));
		atomic_fetch_and(&leg->due, ~DUE_CLOSE);
		/* Under the same lock: at no moment does the session look at rest. */
		s->busy++;
	}
	lock_drop(&s->lock);
	return there;
}

/* WELCOME, and with a key the proof that it is ours. */
static bool
welcome(struct leg *leg, const struct hello *hello, struct auth_talk *talk)
{
	uint8_t greeting[FRAME_GREETING];
	struct hello answer;
	struct proof proof;

	session_make_welcome(leg->session, hello, &answer);
	hello_encode(&answer, greeting);
	outflow_init(&leg->out);
	outflow_greeting(leg, greeting);
	if (leg->session->auth.given) {
		auth_talk_add(talk, greeting);
		memcpy(proof.session, hello->session, FRAME_ID);
		if (!auth_prove(&leg->session->auth, talk, AUTH_LISTENER, proof.hmac))
			return false;
		proof_encode(&proof, greeting);
		auth_talk_add(talk, greeting);
		outflow_greeting(leg, greeting);
	}
	return take_keys(leg, talk, AUTH_LISTENER);
}

static void
serve(struct leg *leg, const struct hello *hello, struct auth_talk *talk)
{
	struct net_info info;

	state_move(leg, LEG_GREETING);
	leg->incarnation = hello->incarnation;
	leg->path = hello->path;
	leg->checked = session_checked(leg->session);
	if (leg->tx != NULL && leg->session->options->congestion[0] != '\0')
		net_congestion(leg->fd, leg->session->options->congestion);
	net_info(leg->fd, &info);
	if (welcome(leg, hello, talk))
		run(leg, info.rtt_us * 1000ULL);
	wipe_keys(leg);
	close(leg->fd);
	leg->fd = -1;
	session_leg_busy(leg->session, false);
}

static void *
called(void *argument)
{
	struct leg *leg = argument;
	struct auth_talk talk;
	struct hello hello;

	while (!session_over(leg->session)) {
		state_move(leg, LEG_PARKED);
		wake_clear(&leg->wake);
		if (take_pending(leg, &hello, &talk))
			serve(leg, &hello, &talk);
		else
			park(leg, UINT64_MAX);
	}
	state_move(leg, LEG_OVER);
	return NULL;
}

int
worker_start(struct leg *leg)
{
	pthread_t thread;
	char name[32];
	int error;

	snprintf(name, sizeof(name), "viamillipede-%u", leg->number);
	chaos_leg_init(&leg->chaos, leg->session->chaos.every != 0 ? &leg->session->chaos : NULL,
	    leg->number);
	error = thread_start(&thread, name, leg->session->caller ? dialler : called, leg);
	if (error == 0)
		thread_detach(thread);
	return error;
}
