/*
 * direction: one way of the stream, from the sender's source to the receiver's
 * consumer: what is agreed on for it, and how it ended.  Part of a session, which
 * has one so far, and under its lock.
 */
#ifndef DIRECTION_H
#define DIRECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "state.h"

struct direction {
	uint64_t requested;		/* [I] our window, before anything is agreed */
	uint64_t window;		/* bytes that may be unconfirmed or out of order */
	uint32_t frame;			/* the largest payload */
	bool checked;			/* payloads have checks, the whole a digest */
	enum session_outcome outcome;
	uint64_t total;			/* with OUTCOME_DONE: bytes */
	uint64_t digest;		/* likewise */
};

#endif
