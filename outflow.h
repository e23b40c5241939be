/*
 * outflow: the octets that a leg sends.
 *
 * Control frames are collected in a small buffer, a frame of the stream is sent
 * from where tx.c keeps it; header, payload and what control waits leave in one
 * call.  Their order is that in which they were made, because with a key each
 * frame's MAC has its number in it.  All of it is done by the leg's thread;
 * nothing blocks.
 */
#ifndef OUTFLOW_H
#define OUTFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "window.h"

#define OUTFLOW_CONTROL	(16u << 10)	/* room for every control frame at once */

struct leg;

struct outflow {
	uint8_t control[OUTFLOW_CONTROL];
	size_t control_begin;
	size_t control_end;
	bool active;			/* a frame of the stream is under way */
	size_t ahead;			/* octets of control that go before it */
	uint8_t header[FRAME_HEADER];
	uint8_t mac[FRAME_MAC];		/* with a key */
	struct window_frame data;
	uint8_t *spoilt;		/* chaos: a private copy with an error */
	size_t size;			/* octets of header, payload and MAC */
	size_t at;			/* of them are out */
	uint64_t sent;			/* octets written, greeting excepted */
	unsigned unsent;		/* last value told to net_unsent */
};

enum outflow_result {
	OUTFLOW_EMPTY,		/* all is out, and there is no more for this leg */
	OUTFLOW_MORE,		/* there may be more, but others want their turn */
	OUTFLOW_FULL,		/* wait until the socket is writable */
	OUTFLOW_FAILED		/* errno */
};

void outflow_init(struct outflow *o);
/* The connection is gone: what was under way is released. */
void outflow_stop(struct leg *leg);

/* Append a control frame; there is always room (see OUTFLOW_CONTROL). */
void outflow_control(struct leg *leg, enum frame_type type, uint8_t flags, uint64_t seq,
    const uint8_t *payload, size_t n);
/* Append a greeting. */
void outflow_greeting(struct leg *leg, const uint8_t greeting[FRAME_GREETING]);

/* Send what there is, and frames of the stream as long as tx.c has some for this leg. */
enum outflow_result outflow_send(struct leg *leg);

static inline bool
outflow_pending(const struct outflow *o)
{
	return o->active || o->control_begin < o->control_end;
}

#endif
