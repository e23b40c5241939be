/*
 * outbox: the record that is on its way into the pipe from which tx reads.
 *
 * The bytes of DATA are taken from their socket before the head says how many they are;
 * where the system can, they stay pages that only move, from the socket to a pipe of the
 * outbox's own and from there to tx's.  One thread owns it; nothing blocks.
 */
#ifndef OUTBOX_H
#define OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/record.h"

#define OUTBOX_COPIED	(64u << 10)	/* most bytes of a record that are copied */

struct outbox {
	int to;				/* not owned */
	bool spliced;			/* the bytes are in `pipe', otherwise in `buffer' */
	bool unable;			/* this system, or a socket, cannot splice */
	/*
	 * The owner's wish: bytes are copied.  Pages that move take a place in tx's pipe
	 * however few of their bytes are used or however many they are, so what is in it
	 * cannot be bounded closely.
	 */
	bool copies;
	int pipe[2];
	uint8_t *buffer;		/* with room for a head before the bytes */
	uint8_t head[RECORD_HEAD];	/* of what is spliced, or has no bytes */
	unsigned head_left;		/* bytes of it to write */
	size_t left;			/* bytes after it to move; in `buffer' with their head */
	size_t at;			/* where they begin there */
};

/* `to' is non-blocking.  0, or -1 with errno. */
int outbox_init(struct outbox *o, int to);
/* Before it was used. */
void outbox_free(struct outbox *o);
/* Everything was moved on. */
bool outbox_empty(const struct outbox *o);
/* Of an empty one: the bytes of the record that follows.  As read(2). */
ssize_t outbox_fill(struct outbox *o, int fd, size_t n);
void outbox_head(struct outbox *o, const struct record *record);
/* Moves on what it can.  false: an error, and the pipe's reader is gone. */
bool outbox_flush(struct outbox *o);

#endif
