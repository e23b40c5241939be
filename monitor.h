/*
 * monitor: the thread that tells how the session does: the table when a signal
 * asks for it, the progress line, the report, the summary.
 *
 * It waits until somebody asks or the second is over, and is the only one that
 * looks at the counters, so that no number of signals costs more than a few
 * tables a second and nothing that is slow to print holds up a transfer or
 * another signal.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "lock.h"
#include "options.h"
#include "progress.h"
#include "report.h"
#include "session.h"
#include "stats.h"

/* [I] immutable after monitor_start, [m] under lock, [t] the monitor's thread only. */
struct monitor {
	struct session *session;	/* [I] */
	const struct options *options;	/* [I] */
	struct lock lock;
	/*
	 * The thread waits until asked, raised or over; monitor_finish until
	 * done.  Signalled by whoever sets one.
	 */
	struct lock_cond changed;
	bool asked;			/* [m] for the table */
	bool raised;			/* [m] verbose was, and is to be told */
	bool started;			/* [m] */
	bool over;			/* [m] one last look, then end */
	bool done;			/* [m] all was told */
	struct report report;		/* [t] */
	struct progress progress;	/* [t] */
	struct stats now;		/* [t] */
	struct stats tick;		/* [t] at the last full second */
	struct stats before;		/* [t] and at the one before that */
	struct stats reported;		/* [t] at the last interval of the report */
};

/*
 * Before anything is opened on the network: opens the report; `payload' is the
 * descriptor that carries the stream.  0, or -1 after saying why not.
 */
int monitor_open(struct monitor *m, struct session *s, const char *version, int payload);
/* Once halves and legs exist.  0, or an errno. */
int monitor_start(struct monitor *m);

/* For the thread that receives signals; before monitor_start, it is remembered. */
void monitor_ask(struct monitor *m);
void monitor_raised(struct monitor *m);

/* The session is over: wait, for a few seconds at most, until the rest is told. */
void monitor_finish(struct monitor *m);

#endif
