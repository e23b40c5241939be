/*
 * log: messages on standard error, each one line and one write(2), never mixed
 * with another thread's line; nothing is written to standard output.
 *
 * Any thread may call every function at any time, but no signal handler may.
 * Callers should hold no lock; it is safe if they do. errno is preserved. The
 * process must ignore SIGPIPE.
 *
 * A call never waits longer than LOG_TIMEOUT_MS. Once a line was dropped for that
 * reason, later lines do not wait at all until standard error takes lines again;
 * then a line says how many were dropped. Where standard error cannot be written
 * without blocking (see log_open), at most one thread at a time is blocked by it.
 *
 * Levels: 0 errors; 1 losses and recoveries; 2 start, end, summary;
 * 3-9 sessions, legs, decisions; 10-20 frames. A line is printed when its
 * level is at most the threshold; from threshold 3 up lines carry the time
 * (UTC, so that the logs of both ends compare).
 *
 * A format contains no newline, not even at its end. Bytes that are not printable
 * ASCII, such as a peer may send, are shown as \xNN; a line longer than
 * LOG_LINE_SIZE ends in "...".
 */

#ifndef LOG_H
#define LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_SIZE	1024	/* with prefix, time and newline */
#define LOG_TIMEOUT_MS	100
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
	LOG_DECISION = 5,	/* tuning, with the reason */
	LOG_FRAME = 10
};

/* The threshold, 1 at the start. Set it with log_set, test it with log_wants. */
extern atomic_int log_level;

/* Would a line of this level be printed now? For hot paths, before any work. */
static inline bool
log_wants(int level)
{
	return level <= atomic_load_explicit(&log_level, memory_order_relaxed);
}

/*
 * Optional, once, by the main thread before others start: if standard error is a
 * pipe or a terminal, opens it a second time, so that it can be written without
 * blocking and without a change of flags that other processes share. Where that
 * fails, poll(2) precedes each write to descriptor 2 itself.
 */
void	log_open(void);

/*
 * Optional, once, by the main thread before others start: if descriptor 2 is the
 * same file as descriptor 0, or (with `output') as descriptor 1, a message would be
 * written into the stream. Then descriptor 2 becomes /dev/null, for our children
 * too, and messages go to the system's log. Not if it is a terminal, which is meant
 * for both.
 */
void	log_avoid_stream(bool output);

/* Every line names `where' in its prefix; called by the main thread before others start. */
void	log_from(const char *where);

void	log_set(int level);

/* Raises the threshold by one, from LOG_LEVEL_MAX to 0. Returns the new one. */
int	log_raise(void);

void	log_line(int level, const char *format, ...) LOG_FORMAT(2, 3);

/*
 * Prints text of whole lines, whatever the threshold, at once and not mixed with
 * other lines. Replaces in text every byte that is neither printable ASCII nor a
 * newline by a question mark.
 */
void	log_text(char *text, size_t length);

/* Nothing was written to standard error so far, neither a line nor what log_pass takes. */
bool	log_silent(void);

/*
 * Passes on bytes of another program's standard error, unchanged: written above
 * the line of log_show, if there is one, and ended by a newline only if a message
 * of ours follows. Waits up to LOG_TIMEOUT_MS. Returns how many bytes were taken:
 * fewer than length if standard error takes no more now; all if it will never
 * take any. Only one thread may call it.
 */
size_t	log_pass(const char *bytes, size_t length);

/*
 * Shows a line that stays below all others, for progress. `draw' is the text that
 * writes it, without a newline; `erase' is the text that removes it and leaves the
 * cursor where the line began. A message erases the line, is written and draws the
 * line again, in one write. log_show does not wait for another thread: if it would
 * have to, the old line stays. Both texts are written unchanged and have at most
 * LOG_SHOW_SIZE bytes. With an empty draw the old line is removed for good, and the
 * call waits up to LOG_TIMEOUT_MS; with a newline for erase the old line stays and is
 * ended. Only one thread may call it.
 */
#define LOG_SHOW_SIZE	512

void	log_show(const char *draw, const char *erase);

/*
 * Repeated events. In each period of LOG_LIMIT_PERIOD_S seconds the first
 * LOG_LIMIT_LINES are printed and the others counted; the count is printed as
 * "KEY: and 214 more like it in 10 s" when the first event after the period
 * comes, or by log_settle. There is one static limit for each kind of event:
 *
 *	static struct log_limit lost = LOG_LIMIT("legs lost");
 *	log_limited(&lost, LOG_LOSS, "leg %u lost: %s", leg, why);
 */
#define LOG_LIMIT_LINES		3
#define LOG_LIMIT_PERIOD_S	10

struct log_limit {
	const char *key;	/* [I] names the events in the line with the count */
	uint64_t since_ns;	/* [l] when this period began; 0 = never */
	uint64_t printed;	/* [l] lines printed in this period */
	uint64_t held;		/* [l] events not printed in this period */
	int level;		/* [l] of the last event that was not printed */
	bool listed;		/* [l] known to log_settle */
	struct log_limit *next;	/* [l] */
};				/* [l]: under the limits' lock in log.c */

#define LOG_LIMIT(key)	{ (key), 0, 0, 0, 0, false, NULL }

void	log_limited(struct log_limit *limit, int level, const char *format, ...)
	    LOG_FORMAT(3, 4);

/*
 * Prints the counts of all limits whose period is over; with `final', of all limits.
 * Called now and then, and at the end of the process.
 */
void	log_settle(bool final);

/*
 * The decision behind log_limited, without clock or output: may an event at
 * now_ns be printed? If a period has ended with events that were not printed, *held
 * is their number and *span_s the seconds in which they occurred; otherwise *held
 * is 0.
 */
bool	log_limit_admit(struct log_limit *limit, int level, uint64_t now_ns,
	    uint64_t *held, uint64_t *span_s);

#endif
