/*
 * monitor: the thread that prints how the session goes: the table when a signal
 * asks for it, the progress line, the report, the summary.
 *
 * It wakes when a signal asks and once a second, and only it reads the counters.
 * So many signals cost no more than a few tables a second, and slow output delays
 * neither the transfer nor the handling of signals.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "report/progress.h"
#include "report/report.h"
#include "report/stats.h"
#include "session.h"
#include "sys/lock.h"

/* [I] immutable after monitor_start, [m] under lock, [t] the monitor's thread only. */
struct monitor {
	struct session *session;	/* [I] */
	const struct options *options;	/* [I] */
	struct lock lock;
	/*
	 * The thread waits until asked, raised or over; monitor_finish until
	 * done.  The thread that sets one of them signals it.
	 */
	struct lock_cond changed;
	bool asked;			/* [m] the table is wanted */
	bool raised;			/* [m] verbose was raised: print its level */
	bool started;			/* [m] */
	bool over;			/* [m] print the end, then return */
	bool done;			/* [m] all was printed */
	struct report report;		/* [t] */
	struct progress progress;	/* [t] */
	struct stats now;		/* [t] */
	struct stats tick;		/* [t] at the last tick, once a second */
	struct stats before;		/* [t] at the tick before that */
	struct stats reported;		/* [t] at the last interval of the report */
};

/*
 * Opens the report, before anything is opened on the network; `payload' is the
 * descriptor that carries the stream.  0, or -1 after logging why.
 */
int monitor_open(struct monitor *m, struct session *s, const char *version, int payload);
/* Once the halves (tx, rx) and the legs exist.  0, or an errno. */
int monitor_start(struct monitor *m);

/* For the thread that receives signals.  A call before monitor_start takes effect then. */
void monitor_ask(struct monitor *m);
void monitor_raised(struct monitor *m);

/* The session is over: waits, a few seconds at most, until the rest is printed. */
void monitor_finish(struct monitor *m);

#endif
