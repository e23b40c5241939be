/*
 * conn: one connection of a program, at either end of a stream: its socket, and the bytes
 * that came for it and that it has not taken yet.
 *
 * One thread owns all of them (mux.c); nothing blocks.  A connection that is closed before
 * its stream has ended well is reset, whatever ends this process, so that no program takes
 * a part of its stream for the whole.
 */
#ifndef CONN_H
#define CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/streams.h"

enum conn_phase {
	CONN_WAITS,		/* for the addresses of the target */
	CONN_CONNECTING,
	CONN_OPEN,
	CONN_CLOSED,		/* fd is -1; the stream waits for the peer's last word */
	CONN_DEAD		/* to be freed: it is in no table and no list */
};

struct conn_block;

struct conn {
	struct stream stream;
	enum conn_phase phase;
	int fd;				/* owned; -1 while there is none */
	bool watched;			/* the poller has it, */
	unsigned events;		/* with these events */
	bool full;			/* it takes no more now */
	unsigned address;		/* which of the target's is tried */
	uint64_t until_ns;		/* and for how long */
	struct conn_block *first, *last;	/* what it has not taken */
	struct conn *next, *prev;	/* in a list of those in the same phase */
};

/* For a connection that was accepted, or -1.  NULL with errno. */
struct conn *conn_new(int fd);
/* A connection that was accepted or is connected. */
void conn_begin(struct conn *c);
/* Resets it; or, if `well', closes it. */
void conn_close(struct conn *c, bool well);
void conn_free(struct conn *c);

/* It has something that it has not taken. */
bool conn_keeps(const struct conn *c);
/* Reads up to n bytes from fd and keeps them.  As read(2). */
ssize_t conn_keep(struct conn *c, int fd, size_t n);
/* Likewise, of bytes in memory, and all of them; false: no memory. */
bool conn_store(struct conn *c, const uint8_t *bytes, size_t n);
/* Gives it n bytes, as many as it takes; sets c->full.  The number, or -1 with errno. */
ssize_t conn_give(struct conn *c, const uint8_t *bytes, size_t n);
/* Moves up to n bytes from fd, a pipe, to it.  As splice(2), and sets c->full. */
ssize_t conn_pass(struct conn *c, int fd, size_t n);
/* Gives it what was kept; sets c->full.  The number of bytes, or -1 with errno. */
ssize_t conn_flush(struct conn *c);
/* It gets no more.  false: it is lost. */
bool conn_finish(struct conn *c);

#endif
