/*
 * inflow: the bytes that a leg receives.
 *
 * Splits them into frames and moves a frame's stream bytes the way that rx.c grants:
 * straight to the consumer, into a buffer, or nowhere (see reassembly.h).  Control
 * frames are returned to the caller.  With a key a header is used only after its tag
 * was verified, and so is a payload, so stream bytes are always buffered: they are
 * decrypted there as they come, and belong to the stream when the tag was right.  With
 * checks they may wait for the check in the staging pipe (staging.h) instead.  The leg's
 * thread does all of it, with no lock held; nothing blocks.
 *
 * A consumer that is slow never keeps a socket unread: when it takes nothing for
 * INFLOW_FULL_NS, the rest of the frame goes into a buffer, for which the credit
 * guarantees room.
 */
#ifndef INFLOW_H
#define INFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/reassembly.h"
#include "core/time.h"
#include "frame.h"
#include "sys/clock.h"

#define INFLOW_WAIT_NS	MS		/* wait for the turn */
#define INFLOW_BURST	64u		/* calls in a row before the leg looks at the rest */
#ifndef INFLOW_PIECE			/* tests build with less */
#define INFLOW_PIECE	(256u << 10)	/* with a key: bytes that are decrypted at a time */
#endif
#define INFLOW_FULL_NS	20000000ULL	/* wait for the consumer: 20 ms */

struct leg;

enum inflow_stage { INFLOW_HEADER, INFLOW_CONTROL, INFLOW_DATA, INFLOW_TAG, INFLOW_DRAIN };

struct inflow {
	enum inflow_stage stage;
	uint8_t header[FRAME_HEAD_SEALED];
	size_t have;			/* bytes of the header, or of the control payload */
	struct frame frame;
	uint32_t check;			/* with checks: of the payload so far */
	uint8_t tag[FRAME_TAG];		/* with a key: of a frame of the stream */
	size_t tag_have;		/* bytes of it */
	uint8_t control[FRAME_CONTROL_MAX + FRAME_TAG];
	enum reassembly_way way;
	uint64_t seq;			/* stream offset of the next byte */
	uint64_t end;			/* of this frame */
	uint64_t skip;			/* REASSEMBLY_DIRECT: bytes to discard first */
	bool waits;			/* REASSEMBLY_DIRECT: the turn may be lost, see rx_wait */
	struct staging *staging;	/* REASSEMBLY_DIRECT: the frame waits there for its check */
	bool right;			/* the check was right: the frame is passed on */
	bool narrow;			/* the staging pipe does not hold this leg's frames */
	struct reassembly_buffer *buffer;	/* REASSEMBLY_BUFFER: owned */
	uint64_t begin;			/* stream offset of buffer->data */
	uint64_t wait_until_ns;		/* REASSEMBLY_WAIT: until when */
	uint64_t full_ns;		/* since when the consumer is full; 0 = it is not */
	uint64_t taken;			/* bytes read, without the greeting */
	uint64_t told;			/* rx: the receiver's count that was last sent */
};

enum inflow_result {
	INFLOW_EMPTY,		/* wait until the socket is readable */
	INFLOW_MORE,		/* there may be more, but the leg has other work first */
	INFLOW_MESSAGE,		/* a control frame came, and is right */
	INFLOW_WAIT,		/* wait to be woken, or for wait_until_ns */
	INFLOW_OUTPUT,		/* wait until the consumer takes bytes */
	INFLOW_END,		/* end of file */
	INFLOW_FAILED,		/* errno */
	INFLOW_BROKEN		/* *why: the peer broke the protocol, or a check is wrong */
};

void inflow_init(struct inflow *in);
/* The connection is gone: keeps what has arrived of a frame, and gives up the turn. */
void inflow_stop(struct leg *leg);
/* From now on everything that arrives is read and discarded. */
void inflow_drain(struct leg *leg);

/*
 * Reads in up to *calls calls, which is counted down.  After INFLOW_MESSAGE
 * leg->in.frame and leg->in.control are valid until the next call.
 */
enum inflow_result inflow_read(struct leg *leg, unsigned *calls, const char **why);

#endif
