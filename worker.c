/*
 * worker: one leg's thread.  See worker.h and, for its states, leg.h.  Everything
 * in this file except worker_start runs in the thread of the leg that it is given.
 */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/control.h"
#include "dial.h"
#include "fault.h"
#include "greeting.h"
#include "leg.h"
#include "message.h"
#include "rx.h"
#include "session.h"
#include "ssh/ssh.h"
#include "sys/clock.h"
#include "sys/thread.h"
#include "tx.h"

#define DRAIN_NS	SECOND		/* the peer must read our last frames within this */
#define TUNE_NS		(SECOND / 10)
#define UNBOUNDED	(1u << 30)	/* bytes that may be unsent: no bound */
#define FAST		(100u << 20)	/* bytes a second: no need to bound what is unsent */

/* PENDING_ bits */

/* After the last frames are queued. */
static void
drain(struct leg *leg, uint64_t now)
{
	leg_move(leg, LEG_DRAINING);
	leg->drain_ns = now + DRAIN_NS;
	leg->owed = 0;
	inflow_drain(leg);
}

/* Acts on the PENDING_ bits that other threads set.  NULL, or why the leg ends. */
static const char *
react(struct leg *leg, uint64_t now)
{
	unsigned pending = atomic_exchange(&leg->pending, 0);

	if ((pending & PENDING_CLOSE) != 0)
		return "replaced by its next incarnation";
	if ((pending & PENDING_ROOM) != 0)
		return "more incomplete frames than the window allows";
	if (atomic_load(&leg->state) != LEG_UP)
		return NULL;
	leg->owed |= pending & (PENDING_STATUS | PENDING_REPLY | PENDING_BEAT);
	message_outcome(leg, pending);
	if ((pending & PENDING_DRAIN) != 0)
		drain(leg, now);
	else if ((pending & PENDING_FAILBACK) != 0 && !leg->leaving)
		message_leave(leg);
	return NULL;
}

/* A leg that should leave its path does so when all that it carried has arrived. */
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
	if (!leg->parting)
		outflow_control(leg, FRAME_LEAVE, 0, 0, NULL, 0);
	leg->parting = true;
	/* A peer that sends, too, says when all of its own has arrived. */
	if (leg->rx == NULL || leg->left)
		drain(leg, now);
}

/* Carrying */

/* Sets the congestion control that tx wants on this leg's path. */
static void
follow(struct leg *leg, bool other)
{
	const char *name = other ? CONTROL_OTHER : leg->control;

	if (other == leg->other || name[0] == '\0')
		return;
	if (net_congestion(leg->fd, name) == 0)
		leg->other = other;
	else if (other)
		tx_control_refused(leg->tx);
}

/* Passes the kernel's counters of this connection to tx. */
static void
count(struct leg *leg, const struct net_info *info)
{
	struct limit_counters c = {
		.rtt_us = info->rtt_us, .least_rtt_us = info->least_rtt_us, .sent = info->sent,
		.retransmitted = info->retransmissions,
		.window = (uint64_t)info->window * info->mss, .busy_us = info->busy_us,
		.receiver_us = info->receiver_us,
		/* Where we bound what is unsent, an empty buffer says little. */
		.buffer_us = leg->out.unsent >= UNBOUNDED ? info->buffer_us : 0,
		.slow_start = info->slow_start
	};
	bool other;

	tx_counters(leg->tx, leg, &c, &other);
	follow(leg, other);
}

/* Tells once that the leg has carried something. */
static void
show(struct leg *leg)
{
	if (leg->shown || !leg->session->caller || leg->piped)
		return;
	leg->shown = leg->carried || (leg->rx != NULL && rx_brought(leg->rx, leg));
	if (leg->shown)
		leg_carried(leg->session, leg);
}

/* Adapts the socket to the leg's rate, and updates the statistics. */
static void
tune(struct leg *leg, uint64_t rate, uint64_t queued, uint64_t now)
{
	bool prompt = leg->tx != NULL && tx_ahead(leg->tx) != 0;
	uint64_t least = (prompt ? 8u : 16u) << 10, timeout_ms;
	uint64_t unsent = rate == 0 ? 128u << 10 : rate / (prompt ? 256 : 64);
	struct net_info info;

	if (leg->tuned_ns != 0 && now - leg->tuned_ns < TUNE_NS)
		return;
	leg->tuned_ns = now;
	show(leg);
	/*
	 * Twice, because the kernel does not count a window that opens a little as progress.
	 * What a receiver sends may be acknowledged behind all that queues on the way to it.
	 */
	timeout_ms = liveness_timeout(&leg->liveness, queued, rate) / MS;
	net_timeout(leg->fd, (unsigned)((leg->rx == NULL ? 2 : 6) * timeout_ms));
	net_info(leg->fd, &info);
	atomic_store_explicit(&leg->rtt_us, info.rtt_us, memory_order_relaxed);
	atomic_store_explicit(&leg->retransmissions, info.retransmissions, memory_order_relaxed);
	if (leg->rx != NULL)
		rx_pace(leg->rx, leg, info.rtt_us * 1000ULL, info.least_rtt_us * 1000ULL);
	if (leg->tx == NULL)
		return;
	count(leg, &info);
	if (rate > FAST)
		unsent = UNBOUNDED;
	else if (unsent < least)
		unsent = least;
	if (unsent > 2 * (uint64_t)leg->out.unsent || unsent < leg->out.unsent / 2) {
		leg->out.unsent = (unsigned)unsent;
		net_unsent(leg->fd, leg->out.unsent);
	}
}

/*
 * Sends the frames that repeat and are owed, if they can leave now.  Each is made at
 * that moment, so none is older than the connection's own queue.
 */
static void
speak(struct leg *leg, uint64_t now)
{
	if (leg->owed == 0 || !message_room(leg))
		return;
	if ((leg->owed & PENDING_STATUS) != 0 && leg->rx != NULL)
		message_status(leg);
	if ((leg->owed & PENDING_REPLY) != 0)
		message_heartbeat(leg, true, now);
	if ((leg->owed & PENDING_BEAT) != 0)
		message_heartbeat(leg, false, now);
	leg->owed = 0;
}

/*
 * Sends heartbeats and STATUS that are due.  Returns when the next one is; while one
 * is owed, the socket says when.
 */
static uint64_t
speak_in_time(struct leg *leg, const struct tx_leg_state *state, uint64_t now)
{
	bool seldom = leg->tx == NULL || state->in_flight == 0;
	uint64_t due, next = UINT64_MAX, told;

	if (now >= liveness_due(&leg->liveness, state->rate, seldom) || state->ask)
		leg->owed |= PENDING_BEAT |
		    (leg->rx != NULL && rx_has_news(leg->rx, leg) ? PENDING_STATUS : 0);
	if (leg->rx != NULL && rx_status_due(leg->rx, leg, now) <= now)
		leg->owed |= PENDING_STATUS;
	speak(leg, now);
	due = leg->owed != 0 ? UINT64_MAX : liveness_due(&leg->liveness, state->rate, seldom);
	if (leg->tx != NULL)
		next = tx_look_again(leg->tx, leg, now);
	told = leg->rx == NULL || leg->owed != 0 ? UINT64_MAX : rx_status_due(leg->rx, leg, now);
	if (told < next)
		next = told;
	return next < due ? next : due;
}

/*
 * Sends what is due, and judges whether the leg is alive.  *next_ns is when to do it
 * again.  NULL, or why the leg ends.
 */
static const char *
keep_time(struct leg *leg, uint64_t now, uint64_t *next_ns)
{
	struct tx_leg_state state = { 0 };
	enum liveness_state outcome;
	uint64_t due;

	if (leg->tx != NULL)
		tx_leg_state(leg->tx, leg, &state);
	tune(leg, state.rate, state.in_flight, now);
	due = speak_in_time(leg, &state, now);
	outcome = liveness_judge(&leg->liveness,
	    liveness_timeout(&leg->liveness, state.in_flight, state.rate), now, next_ns);
	/*
	 * Other legs send again what is unsent here; and behind that, the peer would not
	 * see the end of this connection.
	 */
	if (outcome != LIVENESS_ALIVE)
		net_abort(leg->fd);
	if (outcome == LIVENESS_SILENT)
		return "silent for too long";
	if (outcome == LIVENESS_UNANSWERED)
		return "nothing of what was sent arrives";
	if (due < *next_ns)
		*next_ns = due;
	return NULL;
}

/* Sleeps until there is work: from the socket, the consumer, another thread or the clock. */
static bool
sleep_until(struct leg *leg, bool full, enum inflow_result in, uint64_t until, uint64_t now)
{
	struct pollfd p[3] = {
		{ .fd = leg->fd, .events = full ? POLLOUT : 0 },
		{ .fd = wake_fd(&leg->wake), .events = POLLIN },
		{ .fd = -1, .events = POLLOUT }
	};

	if (in == INFLOW_WAIT && leg->in.wait_until_ns < until)
		until = leg->in.wait_until_ns;
	else if (in == INFLOW_OUTPUT) {
		p[2].fd = rx_output(leg->rx);
		if (leg->in.full_ns + INFLOW_FULL_NS < until)
			until = leg->in.full_ns + INFLOW_FULL_NS;
	} else if (in == INFLOW_MORE)
		until = now;
	else if (in == INFLOW_EMPTY)
		p[0].events |= POLLIN;
	poll(p, 3, clock_poll_ms(until, now));
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

/* DRAINING: shuts down writing when all was sent.  true: end of file or time is up. */
static bool
parted(struct leg *leg, bool *shut, uint64_t now)
{
	if (now >= leg->drain_ns)
		return true;
	if (!*shut && !outflow_pending(&leg->out)) {
		shutdown(leg->fd, SHUT_WR);
		*shut = true;
		if (leg->piped && !leg->leaving)
			leg_given(leg->session);
	}
	return false;
}

/* What came: frames of the stream take their way, and control frames are heeded. */
static enum inflow_result
hear(struct leg *leg, const char **why)
{
	unsigned calls = INFLOW_BURST;
	enum inflow_result result;

	while ((result = inflow_read(leg, &calls, why)) == INFLOW_MESSAGE) {
		*why = message_take(leg, &leg->in.frame, leg->in.control);
		if (*why != NULL)
			return INFLOW_BROKEN;
	}
	return result;
}

/* What a leg keeps from one round of its life to the next. */
struct round {
	enum inflow_result in;
	bool shut;		/* all was sent, and writing is shut down */
};

/* One round: send, sleep, receive.  NULL, or why the leg ended. */
static const char *
carry_round(struct leg *leg, struct round *r)
{
	enum outflow_result out;
	const char *why = NULL, *end;
	uint64_t now = clock_now_ns(), next = leg->drain_ns;

	if ((end = react(leg, now)) != NULL)
		return end;
	leave(leg, now);
	if (atomic_load(&leg->state) == LEG_UP && (end = keep_time(leg, now, &next)) != NULL) {
		leg->end = LEG_END_SILENT;
		return end;
	}
	out = outflow_send(leg);
	if (out == OUTFLOW_FAILED) {
		leg->end = leg_end_by(errno);
		return strerror(errno);
	}
	if (leg->chaos.pending != 0 && (end = fault_act(leg)) != NULL)
		return end;
	if (atomic_load(&leg->state) == LEG_DRAINING) {
		if (parted(leg, &r->shut, now))
			return "the session is over";
		next = leg->drain_ns;
	}
	if (atomic_load(&leg->pending) != 0 || out == OUTFLOW_MORE ||
	    (leg->owed != 0 && message_room(leg)))
		next = now;
	if (!sleep_until(leg, out == OUTFLOW_FULL || leg->owed != 0, r->in, next, now))
		return NULL;
	r->in = hear(leg, &why);
	if (r->in == INFLOW_END || r->in == INFLOW_FAILED)
		leg->end = r->in == INFLOW_END ? LEG_END_CLOSED : leg_end_by(errno);
	if (r->in == INFLOW_END && r->shut && !leg->leaving)
		leg_drained(leg->session);
	return end_text(r->in, why);
}

/* From the first byte after the greeting to the leg's end; why it ended. */
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

/* The handshake is over.  false: the leg cannot come up; the session was told. */
static bool
go_up(struct leg *leg, uint64_t rtt_ns)
{
	struct session *s = leg->session;

	leg->up_ns = clock_now_ns();
	leg->tuned_ns = 0;
	leg->chaos.pending = 0;
	/* If this incarnation is lost at once, the greeting of the next says what it brought. */
	leg->carried = leg->brought;
	leg->leaving = leg->left = leg->parting = false;
	leg->end = LEG_END_OURS;
	leg->owed = 0;
	leg->shown = leg->barren = false;
	leg->prompt = leg->tx == NULL && net_unsent(leg->fd, 1);
	liveness_init(&leg->liveness, s->heartbeat_ns, rtt_ns, leg->up_ns);
	inflow_init(&leg->in);
	atomic_fetch_and(&leg->pending, ~PENDING_ROOM);
	atomic_store(&leg->path_shown, leg->path);
	leg->other = false;
	net_congestion_of(leg->fd, leg->control);
	if (leg->tx != NULL && !tx_join(leg->tx, leg, rtt_ns))
		return false;
	if (leg->rx != NULL)
		rx_join(leg->rx, leg);
	leg_move(leg, LEG_UP);
	atomic_fetch_or(&leg->pending, leg_up(s, leg, rtt_ns));
	return true;
}

/*
 * The leg has carried nothing of what was due, and heard or was answered nothing for long:
 * greetings pass on its path, and larger packets do not.
 */
static bool
barren(struct leg *leg)
{
	const struct liveness *l = &leg->liveness;
	uint64_t last = l->heard_ns < l->answered_ns ? l->heard_ns : l->answered_ns;
	struct tx_leg_state state;

	if (!leg->session->caller || leg->carried || leg->leaving ||
	    clock_now_ns() < last + l->heartbeat_ns / 2)
		return false;
	if (leg->tx == NULL)
		return rx_lacks(leg->rx);
	tx_leg_state(leg->tx, leg, &state);
	return state.in_flight > 0;
}

static void
go_down(struct leg *leg, const char *why)
{
	if (leg->leaving)
		why = "it is not needed there any more";
	if (log_wants(LOG_LEG))
		log_line(LOG_LEG, "leg %u down: %s", leg->number, why);
	outflow_stop(leg);
	inflow_stop(leg);
	if (leg->rx != NULL && rx_part(leg->rx, leg))
		leg->carried = true;
	leg->barren = barren(leg);
	if (leg->tx != NULL)
		tx_part(leg->tx, leg);
	leg_stir(leg);
	leg_down(leg->session, leg, why);
}

/* One connection, from the handshake on; leg->fd is closed at the end. */
static void
run(struct leg *leg, uint64_t rtt_ns)
{
	if (go_up(leg, rtt_ns))
		go_down(leg, carry(leg));
}

/* Dialling */

static int
open_tunnel(struct leg *leg, const struct options_path *path, char why[NET_WHY])
{
	const struct options *o = leg->session->options;
	struct tunnel_target target = {
		.command = o->ssh, .host = path->host, .address = o->inner, .port = path->port,
		.share = dial_shares(leg->session)
	};

	snprintf(leg->name, sizeof(leg->name), "%.80s through ssh", path->host);
	return tunnel_open(&leg->tunnel, &target, why);
}

/* The connection of ssh itself. */
static int
call_line(struct leg *leg, const struct options_path *path, char why[NET_WHY])
{
	int fd = leg->said != NULL ? leg->fd : line_call(&leg->session->ssh->line);

	snprintf(leg->name, sizeof(leg->name), "%.70s through ssh itself", path->host);
	if (fd == -1)
		snprintf(why, NET_WHY, "%s", strerror(errno));
	return fd;
}

static void
dial(struct leg *leg, unsigned timeout_ms, unsigned again_ms)
{
	const struct options_path *path = &leg->session->options->paths[leg->path];
	struct net_target target = {
		.lookup = &leg->lookup, .host = path->host, .port = path->port, .from = path->from,
		.congestion = options_congestion(leg->session->options),
		.timeout_ms = timeout_ms, .again_ms = again_ms, .segment = leg->segment,
		.first = leg->address
	};
	char why[NET_WHY];
	uint64_t rtt_ns;

	leg_move(leg, LEG_DIALLING);
	leg_stir(leg);
	/* Wake-ups so far meant: ask whether to dial.  From now on they mean: stop dialling. */
	wake_clear(&leg->wake);
	if (session_needless(leg->session)) {
		dial_over(leg->session, leg);
		return;
	}
	if (leg->piped || path->tunnel) {
		leg->fd = leg->piped ? call_line(leg, path, why) : open_tunnel(leg, path, why);
		target.addresses = 1;
	} else
		leg->fd = net_dial(&target, wake_fd(&leg->wake), leg->name, why);
	leg->addresses = target.addresses;
	leg->denied = target.denied;
	leg->unanswered = target.silent;
	if (leg->fd == -1) {
		if (errno == ECANCELED)
			dial_over(leg->session, leg);
		else
			dial_failed(leg->session, leg, why, errno == ETIMEDOUT ?
			    DIAL_SLOW : errno == ECONNREFUSED ? DIAL_DENIED :
			    errno == ECONNRESET ? DIAL_CLOSED : DIAL_FAILED);
		return;
	}
	leg->address = target.used;
	leg_busy(leg->session, true);
	if (greeting_call(leg, timeout_ms, &rtt_ns))
		run(leg, rtt_ns);
	greeting_forget(leg);
	close(leg->fd);
	leg->fd = -1;
	tunnel_close(&leg->tunnel, why);
	leg_busy(leg->session, false);
	atomic_fetch_add(&leg->redials, 1);
}

static void
park(struct leg *leg, uint64_t until)
{
	struct pollfd p = { .fd = wake_fd(&leg->wake), .events = POLLIN };

	poll(&p, 1, clock_poll_ms(until, clock_now_ns()));
}

static void *
dialler(void *argument)
{
	struct leg *leg = argument;
	unsigned timeout_ms, again_ms;
	uint64_t again_ns;

	for (;;) {
		/* Before dial_choose: a change after that wakes every parked leg. */
		leg_move(leg, LEG_PARKED);
		wake_clear(&leg->wake);
		if (dial_choose(leg->session, leg, &timeout_ms, &again_ms, &again_ns))
			dial(leg, timeout_ms, again_ms);
		else if (again_ns == 0)
			break;
		else
			park(leg, again_ns);
	}
	leg_move(leg, LEG_OVER);
	return NULL;
}

/* The listener's side */

static void
serve(struct leg *leg, const struct hello *hello)
{
	struct net_info info;

	leg_move(leg, LEG_GREETING);
	leg->incarnation = hello->incarnation;
	leg->path = hello->path;
	if (leg->tx != NULL && options_congestion(leg->session->options)[0] != '\0')
		net_congestion(leg->fd, options_congestion(leg->session->options));
	net_info(leg->fd, &info);
	if (greeting_answer(leg, hello)) {
		/* In a packet of its own: a larger one may vanish where this one passes. */
		if (leg->tx != NULL)
			outflow_send(leg);
		run(leg, info.rtt_us * 1000ULL);
	}
	greeting_forget(leg);
	close(leg->fd);
	leg->fd = -1;
	leg_busy(leg->session, false);
}

static void *
called(void *argument)
{
	struct leg *leg = argument;
	struct hello hello;

	while (!session_over(leg->session)) {
		leg_move(leg, LEG_PARKED);
		wake_clear(&leg->wake);
		if (leg_handed(leg->session, leg, &hello))
			serve(leg, &hello);
		else
			park(leg, UINT64_MAX);
	}
	leg_move(leg, LEG_OVER);
	return NULL;
}

int
worker_start(struct leg *leg)
{
	char name[32];
	int error;

	if (wake_fd(&leg->wake) == -1 && wake_init(&leg->wake) == -1) {
		error = errno;
		wake_none(&leg->wake);
		return error;
	}
	snprintf(name, sizeof(name), "viamillipede-%u", leg->number);
	chaos_leg_init(&leg->chaos, leg->session->chaos.every != 0 ? &leg->session->chaos : NULL,
	    leg->number);
	return thread_start_detached(name, leg->session->caller ? dialler : called, leg);
}
