/*
 * streams: the books of the many streams of one session: which are open, what each may
 * send, what each still has to say, and whose turn it is.
 *
 * Plain state without I/O, lock or clock; one thread owns it (mux.c).  A struct stream is
 * part of its owner's struct for the connection, which may be freed when stream_over says
 * so and streams_remove was called.  Times are nanoseconds, the rest is bytes.
 *
 * Invariants:
 * 1. A number is used once; the end that opens it counts it.  Records of a number that is
 *    not in the table are discarded, and change nothing.
 * 2. Each end says OPEN first if it opened the stream, and RESET or CLOSE once and last;
 *    a stream is over when both have come, so both ends count the same streams as open.
 * 3. No end sends more than its credit.  What all streams may have sent that no consumer
 *    has taken is at most the window that the session agreed on: STREAM_CREDIT for each of
 *    2 * streams->most, and what is beyond that out of the budget.
 * 4. What a peer does wrong in a stream resets that stream alone.
 * 5. A stream with something to send gets its turn after at most one turn of each other.
 *
 * Turns are those of deficit round robin with two lists, as in FQ-CoDel (RFC 8290, section
 * 4.2): a stream that has sent little of late comes before those that send all the time.
 */
#ifndef STREAMS_H
#define STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/record.h"

#define STREAMS_WINDOW_MAX	(16u << 20)	/* of one stream */
#define STREAMS_BUCKETS		1024u

/* What a stream still has to say besides DATA. */
#define STREAM_SAY_OPEN		0x01u
#define STREAM_SAY_CREDIT	0x02u
#define STREAM_SAY_FIN		0x04u
#define STREAM_SAY_RESET	0x08u
#define STREAM_SAY_CLOSE	0x10u

struct stream_link {
	struct stream_link *next, *prev;	/* a ring with its list's head; NULL = in no list */
	struct stream *stream;			/* NULL: the head */
};

struct stream {
	uint32_t number;
	uint32_t sendable;		/* credit */
	uint32_t window;		/* most that may have come and is not taken */
	uint32_t expected;		/* what the peer may still send */
	uint32_t taken;			/* by the consumer, and not given back as credit */
	uint64_t grown_ns;		/* when its growth was last decided on */
	uint32_t passed;		/* taken since then, */
	uint32_t kept;			/* of it: had to wait for the consumer */
	int32_t deficit;		/* what it may send in this turn */
	unsigned say;			/* STREAM_SAY_ bits */
	enum stream_reason reason;	/* of the RESET to say */
	bool ended;			/* its source has ended: FIN is said or to be said */
	bool fin_said, fin_came;
	bool written;			/* the consumer has all that came, FIN too */
	bool reset;			/* RESET was said, is to be said, or came */
	bool last_said, last_came;	/* RESET or CLOSE */
	struct stream_link turn;	/* in one of the lists of those with data */
	struct stream_link urgent;	/* in the list of those with something to say */
	struct stream *same;		/* the next in its bucket */
};

struct streams {
	bool caller;
	uint32_t most;			/* streams that each end may have opened at once */
	uint32_t open, ours;		/* streams now; of them, those that this end opened */
	uint32_t last;			/* number of the last that this end opened */
	uint32_t last_came;		/* and the peer */
	uint64_t budget;		/* left for windows beyond STREAM_CREDIT */
	struct stream_link fresh, old;	/* streams with data: by FQ-CoDel's names */
	struct stream_link urgent;
	struct stream *bucket[STREAMS_BUCKETS];
};

void streams_init(struct streams *s, bool caller);
/* The session agreed on this window.  Until then a few streams may be opened. */
void streams_agree(struct streams *s, uint64_t window);
/* No more may be opened now. */
bool streams_full(const struct streams *s);

/* A connection was accepted; needs !streams_full. */
void streams_open(struct streams *s, struct stream *new);
/* OPEN came: the stream that streams_heard called for. */
void streams_accept(struct streams *s, struct stream *new, uint32_t number);
/* Takes a stream that is over out of the table. */
void streams_remove(struct streams *s, struct stream *st);

/* Both ends have said all: it can be removed. */
bool stream_over(const struct stream *st);

/* What is to be done after a record came. */
enum streams_event {
	STREAMS_NOTHING,	/* nothing */
	STREAMS_OPEN,		/* connect, and call streams_accept */
	STREAMS_DATA,		/* the bytes that follow are the stream's */
	STREAMS_SKIP,		/* the bytes that follow are nobody's */
	STREAMS_CREDIT,		/* it may send again */
	STREAMS_FIN,		/* its consumer gets no more */
	STREAMS_BROKEN		/* the peer opens more streams than were agreed on */
};

/*
 * *st: the stream, or NULL.  After any event its connection is to be reset if st->reset,
 * and it may be over.
 */
enum streams_event streams_heard(struct streams *s, const struct record *record,
    struct stream **st);

/* The stream's source may have something: it gets a turn if it has credit. */
void streams_ready(struct streams *s, struct stream *st);
/* It waits for its turn. */
bool stream_queued(const struct stream *st);
/* Its source has nothing now. */
void streams_idle(struct stream *st);
/* Its source has ended. */
void streams_ended(struct streams *s, struct stream *st);
/* Its connection failed; the caller drops it.  Later calls do nothing. */
void streams_reset(struct streams *s, struct stream *st, enum stream_reason reason);
/* The consumer has taken n bytes of what came; `late': only after they had to be kept. */
void streams_taken(struct streams *s, struct stream *st, uint32_t n, bool late,
    uint64_t now_ns);
/* The consumer has all, and knows that it was all. */
void streams_written(struct streams *s, struct stream *st);

/*
 * Whose turn it is; NULL: nobody has anything.  If record->type is RECORD_DATA, up to
 * record->value bytes may be read from its source, and one of streams_sent, streams_idle,
 * streams_ended and streams_reset follows; otherwise the record counts as said.  `most':
 * longest DATA; `quantum': of one turn.
 */
struct stream *streams_next(struct streams *s, uint32_t most, uint32_t quantum,
    struct record *record);
/* The stream whose turn it is has sent little of late, while another sends all the time. */
bool streams_sparse(const struct streams *s, const struct stream *st);
/* n bytes were read from its source, and count as sent. */
void streams_sent(struct streams *s, struct stream *st, uint32_t n);

#endif
