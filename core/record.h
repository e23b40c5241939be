/*
 * record: the wire format of many streams in one session, and its codec.
 *
 * With initiate and terminate the two byte streams of a duplex session carry records.
 * Each is a head, and for DATA the bytes that it announces.  Pure functions; any thread
 * may call.  All integers are unsigned, big-endian and of fixed width.
 *
 *	bytes	head of every record
 *	0	type, enum record_type
 *	1	of RESET: why, enum stream_reason; otherwise 0
 *	2-3	reserved, 0
 *	4-7	number of the stream, from 1; the caller opens odd ones, the listener even
 *		ones, each a higher one than before
 *	8-11	of DATA: bytes of the stream that follow, 1-1048576; of CREDIT: bytes that
 *		may be sent beyond what was allowed before, 1-16777216; otherwise 0
 *
 *	OPEN	a connection was accepted: connect it.  Either end may send STREAM_CREDIT
 *		bytes before any CREDIT.
 *	FIN	no more DATA of this stream
 *	RESET	the connection failed at this end, or was never made; nothing more of this
 *		stream comes, and what comes is discarded
 *	CLOSE	this end has said and heard FIN, and its program has all that came; or it
 *		has heard RESET.  Nothing more of this stream comes.
 *
 * Each end says one RESET or CLOSE of each stream, as its last record.
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdint.h>

#define RECORD_HEAD		12		/* bytes */
#define RECORD_DATA_MAX		(1u << 20)	/* bytes that follow */
#define RECORD_CREDIT_MAX	(16u << 20)
#define STREAM_CREDIT		(32u << 10)	/* bytes that an open stream begins with */

enum record_type {
	RECORD_OPEN = 1,
	RECORD_DATA = 2,
	RECORD_CREDIT = 3,
	RECORD_FIN = 4,
	RECORD_RESET = 5,
	RECORD_CLOSE = 6
};

/* Why a stream was reset. */
enum stream_reason {
	STREAM_LOST = 1,	/* its connection was reset */
	STREAM_REFUSED = 2,	/* nothing listens at the target */
	STREAM_UNREACHABLE = 3,	/* the target does not answer, or has no address */
	STREAM_NOWHERE = 4,	/* this end has no terminate */
	STREAM_RESOURCE = 5,	/* no memory or descriptors */
	STREAM_PROTOCOL = 6	/* the peer broke the protocol */
};

struct record {
	enum record_type type;
	enum stream_reason reason;	/* of RESET, otherwise 0 */
	uint32_t number;
	uint32_t value;
};

void record_encode(const struct record *record, uint8_t out[RECORD_HEAD]);
/* NULL, or what is wrong. */
const char *record_decode(struct record *record, const uint8_t in[RECORD_HEAD]);

/* As the end of a sentence: "nothing listens there". */
const char *record_reason(enum stream_reason reason);

#endif
