/*
 * stats: a snapshot of all counters, for the table, the progress line, the summary
 * and the report.
 *
 * stats_take reads them under the session's lock, then tx's or rx's, each for a
 * short time; any thread may call it once the halves (tx, rx) and the legs exist.
 * The other functions work on one or two snapshots of the caller's.  Units are bytes,
 * nanoseconds of clock_now_ns and bytes a second.
 */
#ifndef STATS_H
#define STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/bottleneck.h"
#include "frame.h"
#include "mux.h"
#include "state.h"
#include "sys/net.h"
#include "tx.h"

struct session;

struct stats_leg {
	bool known;		/* it was up at least once, or tries to come up */
	enum leg_state state;
	unsigned path;		/* caller: index of its path */
	char peer[NET_NAME];	/* listener: the caller's address */
	uint64_t frames;	/* of the stream: sent, or received */
	uint64_t bytes;
	unsigned resent;	/* frames among them that were sent, or came, again */
	unsigned redials;	/* connections after the first */
	unsigned rtt_us;	/* the system's estimate; 0 = unknown */
	unsigned retransmissions;	/* the system's, of this connection */
};

struct stats {
	uint64_t at_ns;
	bool sends;
	bool receives;
	bool caller;
	enum session_state state;
	enum session_outcome outcome;
	uint64_t total;		/* OUTCOME_DONE: of the stream, where both ends send that sent */
	int status;		/* the exit status, with an outcome */
	int signal;		/* the signal that ended the session, or 0 */
	bool checked;
	uint64_t contact_ns;	/* when the first leg came up; 0 = none has yet */
	uint64_t elapsed_ns;	/* from then until now or the outcome */
	uint64_t down_ns;	/* SESSION_SUSPENDED: since when */
	uint64_t bytes;		/* delivered to the consumer; where both ends send, to both */
	uint64_t received;	/* of these by this end, where both send */
	bool many;		/* the session carries many streams, */
	struct mux_state streams;	/* these */
	uint64_t window;
	uint64_t used;		/* bytes of the window in use */
	unsigned up;		/* legs that are up */
	unsigned carriers;	/* legs that carried some of the stream */
	uint64_t frames;	/* sums over the legs */
	uint64_t resent;
	uint64_t resent_bytes;
	uint64_t spoilt;	/* received: payloads whose check was wrong */
	uint64_t losses;	/* legs that were lost */
	unsigned outages;
	uint64_t longest_ns;	/* the longest outage, also one that still lasts */
	uint64_t waited_ns[BOTTLENECK_KINDS];
	uint64_t digest;	/* if checked, with OUTCOME_DONE */
	struct stats_leg leg[FRAME_LEGS];	/* by their numbers */
	unsigned paths;		/* sent: so many had a leg */
	struct tx_path_state path[FRAME_PATHS];
};

void stats_take(struct session *s, struct stats *out);

/* "tx", "rx" or "duplex". */
const char *stats_role(const struct stats *now);

/* Rates between two snapshots; 0 if no time lies between them. */
uint64_t stats_rate(const struct stats *now, const struct stats *before);
/* Where both ends send: what this end sent, and what it received. */
uint64_t stats_rate_sent(const struct stats *now, const struct stats *before);
uint64_t stats_rate_received(const struct stats *now, const struct stats *before);
uint64_t stats_leg_rate(const struct stats *now, const struct stats *before, unsigned leg);
/* The mean rate since the first contact. */
uint64_t stats_mean(const struct stats *now);
void stats_waited(const struct stats *now, const struct stats *before,
    uint64_t waited_ns[BOTTLENECK_KINDS]);

/* "waiting for source" and the like, by the waits between the two snapshots. */
const char *stats_state(const struct stats *now, const struct stats *before);

#define STATS_NETWORK	160

/*
 * What holds the paths down, now or (`whole') for most of the time, in words:
 * "loss on path 0, path 1 is full"; "" where that is not known.
 */
const char *stats_network(const struct stats *now, bool whole, char text[STATS_NETWORK]);

#define STATS_TEXT	32

/* "1.21 GiB"; "0:12:03", or "2d 00:12:03". */
const char *stats_size_text(uint64_t bytes, char text[STATS_TEXT]);
const char *stats_time_text(uint64_t ns, char text[STATS_TEXT]);
/* A time of clock_now_ns in UTC: "2024-02-29T12:00:00.000Z". */
const char *stats_moment_text(uint64_t at_ns, char text[STATS_TEXT]);

#endif
