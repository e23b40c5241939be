/*
 * inflow: the octets that a leg receives.
 *
 * Cuts them into frames and gives the payload of a frame of the stream the way
 * that rx.c grants: straight to the consumer, into a buffer, or nowhere (see
 * order.h).  Control frames go to worker_control.  With a key both happen after
 * the frame's MAC was found right, so what is of the stream is always buffered;
 * with checks it may wait for that in the sluice (sluice.h) instead.
 * All of it is done by the leg's thread with no lock held; nothing blocks.
 *
 * A socket is never left unread for the consumer's sake: when the consumer
 * takes nothing for INFLOW_FULL_NS, the rest of the frame goes into a buffer,
 * for which credit guarantees room.
 */
#ifndef INFLOW_H
#define INFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "order.h"
#include "siphash.h"

#define INFLOW_SOON_NS	1000000ULL	/* wait for the turn: 1 ms */
#define INFLOW_FULL_NS	20000000ULL	/* wait for the consumer: 20 ms */

struct leg;

enum inflow_stage { INFLOW_HEADER, INFLOW_CONTROL, INFLOW_DATA, INFLOW_MAC, INFLOW_DRAIN };

struct inflow {
	enum inflow_stage stage;
	uint8_t header[FRAME_HEADER];
	size_t have;			/* octets of the header, or of the control payload */
	struct frame frame;
	struct siphash sum;		/* with a key: the MAC of the frame so far */
	uint32_t check;			/* with checks: of the payload so far */
	uint8_t mac[FRAME_MAC];		/* what a frame of the stream says it is */
	size_t mac_have;		/* octets of that */
	uint8_t control[FRAME_CONTROL_MAX + FRAME_MAC];
	enum order_way way;
	uint64_t seq;			/* stream offset of the next octet */
	uint64_t end;			/* of this frame */
	uint64_t skip;			/* ORDER_TURN: octets to throw away first */
	struct sluice *sluice;		/* ORDER_TURN: the frame waits there for its check */
	bool right;			/* it was found right, and passes on */
	bool narrow;			/* the sluice does not hold this leg's frames */
	struct order_buffer *buffer;	/* ORDER_KEEP: owned */
	uint64_t begin;			/* stream offset of buffer->data */
	uint64_t soon_ns;		/* ORDER_SOON: until when */
	uint64_t full_ns;		/* consumer full since; 0 = it is not */
	uint64_t taken;			/* octets read, greeting excepted */
	uint64_t told;			/* rx: the receiver's count when it was told last */
};

enum inflow_result {
	INFLOW_EMPTY,		/* wait until the socket is readable */
	INFLOW_MORE,		/* there may be more, but others want their turn */
	INFLOW_TURN,		/* wait to be woken, or for soon_ns */
	INFLOW_OUTPUT,		/* wait until the consumer takes octets */
	INFLOW_END,		/* end of file */
	INFLOW_FAILED,		/* errno */
	INFLOW_BROKEN		/* *why: the peer broke the rules, or a check differs */
};

void inflow_init(struct inflow *in);
/* The connection is gone: what has arrived of a frame is kept, the turn is left. */
void inflow_stop(struct leg *leg);
/* From now on everything that comes is read and thrown away. */
void inflow_drain(struct leg *leg);

enum inflow_result inflow_read(struct leg *leg, const char **why);

#endif
