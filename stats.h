/*
 * stats: one look at everything that is counted, for the table, the progress
 * line, the summary and the report.
 *
 * stats_take gathers it under the session's lock and tx's or rx's, one after
 * the other and none for long; any thread may call it once the halves and legs
 * exist.  A struct stats is its owner's alone, and the rest are functions over
 * one or two of them.  Octets, nanoseconds of clock_now_ns, octets a second.
 */
#ifndef STATS_H
#define STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blame.h"
#include "frame.h"
#include "leg.h"
#include "net.h"
#include "session.h"

struct stats_leg {
	bool known;		/* it was up at least once, or tries to be */
	enum leg_state state;
	unsigned path;		/* caller: index of its path */
	char peer[NET_NAME];	/* receiver: who called */
	uint64_t frames;	/* of the stream: sent, or received */
	uint64_t octets;
	unsigned resent;	/* sender: of them sent again; receiver: come again */
	unsigned redials;	/* connections after the first */
	unsigned rtt_us;	/* the system's estimate; 0 = unknown */
	unsigned retransmissions;	/* the system's, of this connection */
};

struct stats {
	uint64_t at_ns;
	bool sender;
	bool caller;
	enum session_state state;
	enum session_verdict verdict;
	uint64_t total;		/* VERDICT_DONE: of the stream */
	int status;		/* with a verdict */
	int signal;		/* that ended it, or 0 */
	bool checked;
	uint64_t contact_ns;	/* the first leg was up; 0 = none yet */
	uint64_t elapsed_ns;	/* from then until now or the verdict */
	uint64_t down_ns;	/* SESSION_SUSPENDED: since when */
	uint64_t bytes;		/* delivered to the consumer */
	uint64_t window;
	uint64_t used;		/* octets in it */
	unsigned up;		/* legs */
	unsigned carriers;	/* legs that carried some of the stream */
	uint64_t frames;
	uint64_t resent;	/* frames, as of legs */
	uint64_t resent_octets;
	uint64_t spoilt;	/* receiver: payloads whose check differed */
	uint64_t losses;	/* legs that were lost */
	unsigned outages;
	uint64_t longest_ns;	/* outage; includes one that is not over */
	uint64_t waited_ns[BLAME_KINDS];
	uint64_t digest;	/* with checked, when done */
	struct stats_leg leg[FRAME_LEGS];
};

void stats_take(struct session *s, struct stats *out);

/* Between two looks; 0 where no time lies between them. */
uint64_t stats_rate(const struct stats *now, const struct stats *before);
uint64_t stats_leg_rate(const struct stats *now, const struct stats *before, unsigned leg);
/* Since the first contact. */
uint64_t stats_mean(const struct stats *now);
void stats_waited(const struct stats *now, const struct stats *before,
    uint64_t waited_ns[BLAME_KINDS]);

/* "waiting for source" and so on, by what was waited for between the two looks. */
const char *stats_state(const struct stats *now, const struct stats *before);

#define STATS_TEXT	32

/* "1.21 GiB"; "0:12:03", days before that where there are any. */
const char *stats_size_text(uint64_t octets, char text[STATS_TEXT]);
const char *stats_time_text(uint64_t ns, char text[STATS_TEXT]);
/* UTC of a moment of clock_now_ns: "2024-02-29T12:00:00.000Z". */
const char *stats_moment_text(uint64_t at_ns, char text[STATS_TEXT]);

#endif
