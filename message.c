/*
 * message: the control frames of a leg.  See message.h; runs in the leg's thread.
 */
#include "message.h"

#include "leg.h"
#include "outcome.h"
#include "rx.h"
#include "session.h"
#include "sys/clock.h"
#include "tx.h"

#define CONTROL_MAX	50000u		/* control frames in a second; a fast leg needs a tenth */

/* Sending */

void
message_heartbeat(struct leg *leg, bool reply, uint64_t now)
{
	uint8_t payload[FRAME_HEARTBEAT_SIZE];
	struct heartbeat h = { .seen = leg->in.taken };
	struct tx_state state;

	if (leg->tx != NULL) {
		tx_state(leg->tx, &state);
		h.next = state.next;
		h.idle = state.starved;
		h.waited_ms = state.waited_ms;
		h.legs = tx_wanted(leg->tx, leg);
	}
	liveness_beat(&leg->liveness, &h, reply, now);
	outflow_control(leg, FRAME_HEARTBEAT, reply ? FRAME_REPLY : 0, 0, payload,
	    heartbeat_encode(&h, payload));
}

void
message_status(struct leg *leg)
{
	uint8_t payload[FRAME_CONTROL_MAX];
	struct status status;

	rx_status(leg->rx, leg, &status);
	outflow_control(leg, FRAME_STATUS, 0, 0, payload, status_encode(&status, payload));
}

void
message_outcome(struct leg *leg, unsigned pending)
{
	uint8_t payload[FRAME_CONTROL_MAX];
	struct done done = { 0 };

	/* The session set these before the bits, and never changes them. */
	if ((pending & PENDING_DONE) != 0) {
		done.total = leg->session->came;
		done.waited_ms = rx_waited_ms(leg->rx, leg->session->taken_ns);
		if (leg->session->command != NULL)
			done.status = (uint32_t)leg->session->command_status;
		outflow_control(leg, FRAME_DONE, 0, 0, payload,
		    done_encode(&done, payload));
	}
	if ((pending & PENDING_FAIL) != 0)
		outflow_control(leg, FRAME_FAIL, 0, 0, payload,
		    fail_encode(&leg->session->fail, payload));
	if ((pending & PENDING_BYE) != 0)
		outflow_control(leg, FRAME_BYE, 0, 0, NULL, 0);
}

bool
message_room(const struct leg *leg)
{
	size_t waits = leg->out.control_end - leg->out.control_begin;

	return leg->prompt ? waits == 0 && net_sent(leg->fd) : waits <= OUTFLOW_CONTROL / 4;
}

void
message_leave(struct leg *leg)
{
	leg->leaving = true;
	if (leg->tx != NULL)
		tx_leave(leg->tx, leg);
	else
		outflow_control(leg, FRAME_LEAVE, 0, 0, NULL, 0);
}

/* Receiving */

static const char *
take_heartbeat(struct leg *leg, const struct frame *frame, const uint8_t *payload)
{
	bool reply = (frame->flags & FRAME_REPLY) != 0;
	struct heartbeat h;
	const char *why = heartbeat_decode(&h, payload, frame->length);

	if (why == NULL)
		why = liveness_take(&leg->liveness, &h, reply, leg->out.sent, clock_now_ns());
	if (why != NULL)
		return why;
	if (!reply)
		atomic_fetch_or(&leg->pending, PENDING_REPLY);
	if (leg->tx != NULL && leg->liveness.sample_ns != 0)
		tx_rtt(leg->tx, leg, leg->liveness.sample_ns, leg->liveness.sample_asked_ns);
	if (leg->rx != NULL) {
		rx_heard(leg->rx, &h);
		leg_wanted(leg->session, leg, h.legs);
	}
	/* While nothing is due, that the peer is there is all that can be expected of it. */
	if ((leg->rx == NULL || !rx_owed(leg->rx, h.next)) &&
	    (leg->tx == NULL || tx_settled(leg->tx)))
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
		why = tx_status(leg->tx, &status);
	for (i = 0; why == NULL && i < status.count && !leg->carried; i++)
		leg->carried = status.entry[i].leg == leg->number &&
		    status.entry[i].incarnation == leg->incarnation &&
		    status.entry[i].received > 0;
	return why;
}

static const char *
take_outcome(struct leg *leg, const struct frame *frame, const uint8_t *payload)
{
	const char *why = NULL;
	struct done done;
	struct fail fail;

	if (frame->type == FRAME_BYE)
		outcome_peer_bye(leg->session);
	else if (frame->type == FRAME_DONE) {
		why = done_decode(&done, payload, frame->length);
		if (why == NULL)
			outcome_peer_done(leg->session, &done);
	} else {
		why = fail_decode(&fail, payload, frame->length);
		if (why == NULL)
			outcome_peer_fail(leg->session, &fail);
	}
	return why;
}

/* A peer that sends control frames without end would keep the leg from its other work. */
static bool
flooded(struct leg *leg)
{
	uint64_t now = clock_now_ns();

	if (now - leg->control_ns >= SECOND) {
		leg->control_ns = now;
		leg->controls = 0;
	}
	return ++leg->controls > CONTROL_MAX;
}

const char *
message_take(struct leg *leg, const struct frame *frame, const uint8_t *payload)
{
	const char *why = NULL;
	struct fin fin;

	if (flooded(leg))
		return "a flood of control frames";

	switch (frame->type) {
	case FRAME_DATA:
		return "DATA among control frames";
	case FRAME_CONFIRM:
		if (!leg->early)
			return "CONFIRM after the handshake";
		leg->early = false;
		leg_confirmed(leg->session);
		return NULL;
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
		return take_outcome(leg, frame, payload);
	case FRAME_FAIL:
	case FRAME_BYE:
		return take_outcome(leg, frame, payload);
	case FRAME_LEAVE:
		if (leg->tx != NULL && !leg->leaving)
			message_leave(leg);
		leg->leaving = leg->left = true;
		return NULL;
	}
	return why;
}
