/*
 * outflow: the bytes that a leg sends.
 *
 * Control frames are collected in a small buffer; a frame of the stream is sent
 * from where tx.c keeps it.  Header, payload and waiting control frames leave in one
 * call.  With a key a payload is sealed piece by piece into a buffer, from which it
 * is sent while it is in the processor's cache.  Frames are sent in the order in which
 * they were made, because their numbers are part of what seals them.  The leg's thread
 * does all of it; nothing blocks.
 */
#ifndef OUTFLOW_H
#define OUTFLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/window.h"
#include "frame.h"

#define OUTFLOW_CONTROL	(16u << 10)	/* room for every control frame at once */
#ifndef OUTFLOW_PIECE			/* tests build with less */
#define OUTFLOW_PIECE	(128u << 10)	/* bytes that are sealed at a time */
#endif

struct leg;

struct outflow {
	uint8_t control[OUTFLOW_CONTROL];
	size_t control_begin;
	size_t control_end;
	bool active;			/* a frame of the stream is being sent */
	size_t ahead;			/* bytes of control frames that go before it */
	uint8_t header[FRAME_HEAD_SEALED];
	size_t header_size;
	struct window_frame data;
	uint8_t *sealed;		/* with a key: room for a piece and a tag, or NULL */
	size_t sealed_from;		/* the first byte of the frame that is there */
	uint8_t *spoilt;		/* chaos: a private copy with a flipped bit */
	size_t flip;			/* chaos, with a key: this bit of the payload */
	size_t size;			/* bytes of header, payload and tag */
	size_t ready;			/* how many of them can be written: are sealed */
	size_t at;			/* how many of them were written */
	bool worn;			/* with a key: there are no numbers left */
	uint64_t sent;			/* bytes written, without the greeting */
	unsigned unsent;		/* last value given to net_unsent */
};

enum outflow_result {
	OUTFLOW_EMPTY,		/* all was written, and there is no more for this leg */
	OUTFLOW_MORE,		/* there may be more, but the leg has other work first */
	OUTFLOW_FULL,		/* wait until the socket is writable */
	OUTFLOW_FAILED		/* errno */
};

void outflow_init(struct outflow *o);
/* The connection is gone: releases the frame that was being sent. */
void outflow_stop(struct leg *leg);

/* Appends a control frame; there is always room (see OUTFLOW_CONTROL). */
void outflow_control(struct leg *leg, enum frame_type type, uint8_t flags, uint64_t seq,
    const uint8_t *payload, size_t n);
/* Appends a greeting. */
void outflow_greeting(struct leg *leg, const uint8_t greeting[FRAME_GREETING]);

/* Sends what waits, and frames of the stream as long as tx.c has some for this leg. */
enum outflow_result outflow_send(struct leg *leg);

static inline bool
outflow_pending(const struct outflow *o)
{
	return o->active || o->control_begin < o->control_end;
}

#endif
