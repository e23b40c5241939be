/*
 * line: what the two pipes of ssh carry once the remote side has answered.
 *
 * Both sides write records.  They carry one connection at a time, which is a leg's, and
 * what the remote side's command prints:
 *
 *	bytes	header of a record
 *	0	kind, enum line_kind
 *	1	number of the connection (OPEN, DATA, SHUT), otherwise 0; see TAKEN
 *	2-3	length of what follows, big-endian
 *
 *	kind	from	what follows
 *	OPEN	local	nothing: a new connection, in place of the one before
 *	DATA	both	bytes of the connection
 *	SHUT	both	nothing: the speaker sends no more on the connection
 *	OUTPUT	remote	bytes that the command has printed
 *	END	remote	a byte: no more is printed; 1 = and this side wrote nothing to
 *			its standard error; 0 = it did, and ssh may still bring some
 *	TAKEN	local	4 bytes: so much more of the output was passed on; number 1:
 *			or has room, and nothing follows, but this side awaits END
 *
 * At most LINE_OUTPUT bytes of output are sent that are not TAKEN, so that a slow
 * reader of it never holds up the connection.
 *
 * A leg has one end of a pair of sockets, and a thread of this file the other.  So a leg
 * that was lost in the middle of a frame begins anew over the same two pipes, with the
 * next number: what still comes of the old connection is discarded.
 *
 * Between line_init and line_start only the main thread calls.  After that any thread
 * may call what has no other rule.  Nothing here blocks.
 */
#ifndef LINE_H
#define LINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/lock.h"
#include "sys/wake.h"

#define LINE_HEADER	4
#define LINE_MAX	(60u << 10)	/* bytes that this program puts into a record */
#define LINE_OUTPUT	(1u << 20)

enum line_kind {
	LINE_OPEN = 1,
	LINE_DATA = 2,
	LINE_SHUT = 3,
	LINE_PRINTED = 4,	/* OUTPUT */
	LINE_END = 5,
	LINE_TAKEN = 6
};

/* Bytes on their way: those from begin to end. */
struct line_queue {
	uint8_t *bytes;
	size_t size;
	size_t begin;
	size_t end;
};

/* [I] immutable once the thread runs, [t] only its thread's, [l] under lock, [a] atomic. */
struct line {
	bool remote;			/* [I] which side this is */
	struct wake wake;		/* to the thread */
	int calls[2];			/* [I] remote: a pipe with the ends of new connections */
	int over[2];			/* [I] a pipe; the thread closes its write end at the end */
	struct lock lock;
	int next;			/* [l] local: an end of a new connection; -1 = none */
	bool printed_all;		/* [l] remote: line_output_over was called */
	bool finish;			/* [l] line_finish was called */
	atomic_bool open;		/* [a] it carries connections */
	atomic_bool quiet;		/* [a] local: END says that standard error is empty */
	atomic_bool passing;		/* [a] output waits for ssh, or for its reader */
	atomic_ullong moved_ns;		/* [a] when bytes were last written to ssh */
	atomic_ullong gone_ns;		/* [a] since when the other side is gone; 0 = it is not */
	atomic_bool stays;		/* [a] remote: but it awaits the rest of the output */
	int in, out;			/* [t] ssh's pipes; -1 = at their end */
	int output;			/* [t] remote: from the command; local: to its reader */
	int conn;			/* [t] our end of the connection; -1 = none */
	uint8_t number;			/* [t] of the connection */
	bool spoken;			/* [t] the leg has said its last byte */
	bool deaf;			/* [t] the leg reads no more */
	bool opens, shuts, ends;	/* [t] OPEN, SHUT, END have to be sent */
	bool ended;			/* [t] END was made, or has come */
	bool last;			/* [t] local: the last TAKEN was made */
	uint32_t credit;		/* [t] bytes of output that may still be sent */
	uint32_t taken;			/* [t] local: output passed on and not reported */
	enum line_kind kind;		/* [t] of the record whose bytes are coming */
	uint8_t whose;			/* [t] its number */
	size_t left;			/* [t] bytes of it that were not passed on */
	struct line_queue sent;		/* [t] to ssh */
	struct line_queue heard;	/* [t] from ssh */
	struct line_queue printed;	/* [t] local: output for its reader */
};

/* 0, or -1 with errno. */
int line_init(struct line *l, bool remote);

/* Before line_start: */

/* Text that is sent before any record; false: there is no room. */
bool line_say(struct line *l, const char *text, size_t n);
/* Bytes that were received already; false: there is no room. */
bool line_heard(struct line *l, const char *bytes, size_t n);
/* Makes records of what was written to the connection so far, whatever `in' and `out' are. */
void line_prepare(struct line *l);
/* Writes to fd what waits, as far as that does not block.  false: fd takes no more. */
bool line_push(struct line *l, int fd);
static inline bool
line_waits(const struct line *l)
{
	return l->sent.begin < l->sent.end;
}

/*
 * Starts the thread, which owns the descriptors from then on: ssh's two, and the
 * output's, which the local side writes and the remote side reads.  All but `in' do
 * not block.  0, or an errno.
 */
int line_start(struct line *l, int in, int out, int output);

/* Connections */

/* Whether it carries one. */
static inline bool
line_open(const struct line *l)
{
	return atomic_load(&l->open);
}
/* The local side: begins one.  The caller's end of it, or -1 with errno. */
int line_call(struct line *l);
/* The remote side: the same for the next that was begun; -1: none was. */
int line_accept(struct line *l);
/* Readable when there is one for line_accept. */
static inline int
line_calls(const struct line *l)
{
	return l->calls[0];
}

/* The end */

/* The remote side: the command has ended, so what it has printed by now is all. */
void line_output_over(struct line *l);
/* No leg writes any more.  When all was passed to ssh, the line ends in this direction. */
void line_finish(struct line *l);
/* Readable when it has ended in this direction. */
static inline int
line_over(const struct line *l)
{
	return l->over[0];
}

#endif
