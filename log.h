/*
 * Messages on standard error: one line, one write(2), never mixed with
 * another thread's line and never with anything on standard output.
 *
 * Every function may be called by any thread at any time (not by a signal
 * handler), with or without locks of the caller's held, although the house
 * rule is without. errno is preserved. SIGPIPE must be ignored by then.
 *
 * A call never waits longer than LOG_PATIENCE_MS, and once a line was dropped
 * for that reason the next ones do not wait at all until standard error takes
 * lines again; what was dropped is counted and told then. Where standard error
 * cannot be written without blocking (see log_open) at most one thread at a
 * time can be held up by it.
 *
 * Levels: 0 errors; 1 losses and recoveries; 2 start, end, summary;
 * 3-9 sessions, legs, decisions; 10-20 frames. A line is printed when its
 * level is at most the threshold; from threshold 3 up lines carry the time
 * (UTC, so that the logs of both ends compare).
 *
 * The format holds no newline, neither within nor at its end. Whatever is not
 * printable ASCII, also from a peer, is shown as \xNN; a line longer than
 * LOG_LINE_SIZE ends in "...".
 */

#ifndef LOG_H
#define LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock.h"

#define LOG_LINE_SIZE	1024	/* with prefix, time and newline */
#define LOG_PATIENCE_MS	100
#define LOG_LEVEL_MAX	20

#ifdef __GNUC__
#define LOG_FORMAT(f, a)	__attribute__((format(printf, f, a)))
#else
#define LOG_FORMAT(f, a)
#endif

enum log_named_level {
	LOG_ERROR = 0,
	LOG_LOSS = 1,		/* losses and recoveries */
	LOG_RUN = 2,		/* start, end, summary */
	LOG_SESSION = 3,
	LOG_LEG = 4,
	LOG_DECISION = 5,	/* tuning, with its reason */
	LOG_FRAME = 10
};

/* The threshold; starts at 1. Set it with log_set, read it with log_wants. */
extern atomic_int log_level;

/* Is a line of this level printed now? For hot paths, before any work. */
static inline bool
log_wants(int level)
{
	return level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/*
 * Optional, once, by the main thread before others start: opens a second
 * description of the pipe or terminal that standard error is, one that can be
 * written without blocking and shares no flags with other processes. Where
 * that cannot be had, poll(2) precedes each write to descriptor 2 itself.
 */
void	log_open(void);

/* Lines say where they come from; by the main thread, before others start. */
void	log_from(const char *where);

void	log_set(int level);

/* One more; past LOG_LEVEL_MAX it starts again at 0. Returns the new one. */
int	log_raise(void);

void	log_line(int level, const char *format, ...) LOG_FORMAT(2, 3);

/*
 * Text of the caller's making, whatever the threshold: whole lines, written at
 * once and not mixed with others. What is neither printable ASCII nor a
 * newline is shown as a question mark; text is changed accordingly.
 */
void	log_text(char *text, size_t length);

/*
 * Octets that are another program's standard error, as they are: written above
 * the line that is shown, if there is one, and ended by a newline only if a
 * message of ours comes next. Waits up to LOG_PATIENCE_MS, and returns how many
 * were taken: fewer than length where standard error takes no more for now; all
 * where it will never take any. For one thread.
 */
size_t	log_pass(const char *octets, size_t length);

/*
 * The line that stays below all others, for progress: draw writes it, without
 * a newline, and erase takes it away and leaves the cursor where it began.
 * Every message erases it, is written, and draws it again, in one call. It
 * waits for nobody: where it would have to, the old one stays. Both texts are
 * written as they are and hold at most LOG_SHOW_SIZE bytes. An empty draw
 * takes the old line away for good, with patience; with a newline for erase it
 * leaves it where it is, ended. For one thread.
 */
#define LOG_SHOW_SIZE	512

void	log_show(const char *draw, const char *erase);

/*
 * Print, whatever the threshold, and end the process with status 1 at once:
 * no locks taken, no exit handlers run. For what cannot happen (see lock.h).
 */
_Noreturn void	log_die(const char *format, ...) LOG_FORMAT(1, 2);

/*
 * Repeated events. In each period of LOG_LIMIT_PERIOD_S the first
 * LOG_LIMIT_LINES are printed and the others counted; the count is told as
 * "KEY: and 214 more like it in 10 s" when the next event comes after the
 * period, or by log_settle. A limit has static storage, one for each kind of
 * event:
 *
 *	static struct log_limit lost = LOG_LIMIT("legs lost");
 *	log_limited(&lost, LOG_LOSS, "leg %u lost: %s", leg, why);
 */
#define LOG_LIMIT_LINES		3
#define LOG_LIMIT_PERIOD_S	10

struct log_limit {
	const char *key;	/* [I] names the events in the summing-up */
	uint64_t since_ns;	/* [l] when this period began; 0 = never */
	uint64_t printed;	/* [l] lines in this period */
	uint64_t held;		/* [l] events not printed in this period */
	int level;		/* [l] of the last event held */
	bool listed;		/* [l] known to log_settle */
	struct log_limit *next;	/* [l] */
};				/* [l]: under the limits' lock in log.c */

#define LOG_LIMIT(key)	{ (key), 0, 0, 0, 0, false, NULL }

void	log_limited(struct log_limit *limit, int level, const char *format, ...)
	    LOG_FORMAT(3, 4);

/*
 * Tell the counts of all limits whose period is over; of all limits without
 * exception if final. For a thread that ticks, and for the end of the process.
 */
void	log_settle(bool final);

/*
 * The decision behind log_limited, without clock or output: may an event at
 * now_ns be printed? If a period has ended with events held, *held is their
 * number and *span_s the seconds they fell in; otherwise *held is 0.
 */
bool	log_limit_admit(struct log_limit *limit, int level, uint64_t now_ns,
	    uint64_t *held, uint64_t *span_s);

#endif
