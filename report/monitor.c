/*
 * monitor: the thread that prints how the session goes.  See monitor.h; every
 * function that is not exported runs in that thread.
 */
#include "report/monitor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "report/summary.h"
#include "sys/clock.h"
#include "sys/log.h"
#include "sys/thread.h"

#define TABLE_NS	(200 * MS)	/* least time between two tables */
#define FINISH_NS	(3 * SECOND)
#define EVENTS		1024		/* of legs in one second */

int
monitor_open(struct monitor *m, struct session *s, const char *version, int payload)
{
	const struct options *o = s->options;
	char why[REPORT_WHY];

	m->session = s;
	m->options = o;
	lock_init(&m->lock);
	lock_cond_init(&m->changed);
	if (o->report[0] != '\0') {
		if (report_open(&m->report, o->report, payload, why) == -1) {
			log_line(LOG_ERROR, "cannot write the report \"%.200s\": %s", o->report,
			    why);
			return -1;
		}
		if (events_open(&s->events, EVENTS) == -1) {
			log_line(LOG_ERROR, "cannot keep events for the report: %s",
			    strerror(errno));
			return -1;
		}
	}
	progress_open(&m->progress, o->progress, o->quiet || o->verbose == 0);
	report_start(&m->report, o, version);
	return 0;
}

/* Printing */

/* Rates are over at least half a second: since the tick before the last, if needed. */
static const struct stats *
basis(const struct monitor *m)
{
	return m->now.at_ns - m->tick.at_ns >= SECOND / 2 ? &m->tick : &m->before;
}

static void
tell_events(struct monitor *m)
{
	struct event e;

	while (events_take(&m->session->events, &e))
		report_event(&m->report, &e, m->session->caller, m->now.contact_ns);
}

static void
tell_table(struct monitor *m)
{
	static char text[SUMMARY_TABLE];

	stats_take(m->session, &m->now);
	log_text(text, summary_table(&m->now, basis(m), m->options, text, sizeof(text)));
}

static void
tell_verbose(void)
{
	log_line(LOG_ERROR, "verbose %d", atomic_load(&log_level));
}

static void
draw(struct monitor *m, const struct stats *before)
{
	struct progress_view v = {
		.now = &m->now, .before = before, .size_given = m->options->size_given,
		.size = m->options->size_bytes
	};

	progress_draw(&m->progress, &v);
}

/* Once a second. */
static void
tick(struct monitor *m)
{
	stats_take(m->session, &m->now);
	tell_events(m);
	draw(m, &m->tick);
	/* Intervals are rounded to the nearest tick. */
	if (m->now.contact_ns == 0)
		m->reported = m->now;
	else if (m->now.at_ns - m->reported.at_ns + SECOND / 2 >= m->options->interval_ms * MS) {
		report_interval(&m->report, &m->now, &m->reported);
		m->reported = m->now;
	}
	m->before = m->tick;
	m->tick = m->now;
}

static void
tell_summary(struct monitor *m)
{
	const struct options *o = m->options;
	bool show = m->progress.terminal && !o->quiet && log_wants(LOG_LOSS);
	char text[SUMMARY_LINE];

	show = m->now.contact_ns != 0 && (show || log_wants(LOG_RUN));
	progress_close(&m->progress, !show);
	if (!show)
		return;
	summary_line(&m->now, text, sizeof(text));
	log_line(LOG_ERROR, "%s", text);
}

/* The session is over, and nothing in it changes any more. */
static void
tell_end(struct monitor *m)
{
	const struct fail *fail = &m->session->fail;
	char reason[256];

	/* A command's failure without the lines of its standard error. */
	snprintf(reason, sizeof(reason), "%.*s", (int)strcspn(fail->text, "\n"), fail->text);
	stats_take(m->session, &m->now);
	tell_events(m);
	if (m->now.contact_ns != 0 && m->now.at_ns > m->reported.at_ns)
		report_interval(&m->report, &m->now, &m->reported);
	report_outage(&m->report, &m->now);
	report_end(&m->report, &m->now, reason[0] != '\0' ? reason :
	    failure_text(fail->reason), events_missed(&m->session->events));
	report_close(&m->report);
	draw(m, basis(m));
	log_settle(true);
	tell_summary(m);
}

/* The thread */

/* When the next tick is; ticks missed while the machine was suspended are skipped. */
static uint64_t
next_tick(uint64_t last, uint64_t now)
{
	return last + SECOND > now ? last + SECOND : now + SECOND;
}

static void *
monitor(void *argument)
{
	struct monitor *m = argument;
	uint64_t now = clock_now_ns(), next = now + SECOND, table = 0, until;
	bool asked, raised, due;

	lock_acquire(&m->lock);
	while (!m->over) {
		until = m->asked || m->raised ? (table < next ? table : next) : next;
		now = clock_now_ns();
		if (now < until) {
			lock_wait_until(&m->changed, &m->lock, until);
			continue;
		}
		due = now >= next;
		asked = m->asked && now >= table;
		raised = m->raised && now >= table;
		m->asked = m->asked && !asked;
		m->raised = m->raised && !raised;
		lock_release(&m->lock);
		if (due) {
			tick(m);
			next = next_tick(next, clock_now_ns());
		}
		if (raised)
			tell_verbose();
		if (asked)
			tell_table(m);
		if (asked || raised)
			table = clock_now_ns() + TABLE_NS;
		lock_acquire(&m->lock);
	}
	lock_release(&m->lock);
	tell_end(m);
	lock_acquire(&m->lock);
	m->done = true;
	lock_wake_all(&m->changed);
	lock_release(&m->lock);
	return NULL;
}

int
monitor_start(struct monitor *m)
{
	int error;

	stats_take(m->session, &m->tick);
	m->before = m->reported = m->tick;
	lock_acquire(&m->lock);
	error = thread_start_detached("viamillipede-m", monitor, m);
	m->started = error == 0;
	lock_release(&m->lock);
	return error;
}

void
monitor_ask(struct monitor *m)
{
	lock_acquire(&m->lock);
	m->asked = true;
	lock_wake_all(&m->changed);
	lock_release(&m->lock);
}

void
monitor_raised(struct monitor *m)
{
	lock_acquire(&m->lock);
	m->raised = true;
	lock_wake_all(&m->changed);
	lock_release(&m->lock);
}

void
monitor_finish(struct monitor *m)
{
	uint64_t until = clock_now_ns() + FINISH_NS;

	lock_acquire(&m->lock);
	m->over = true;
	lock_wake_all(&m->changed);
	while (m->started && !m->done && lock_wait_until(&m->changed, &m->lock, until))
		;
	lock_release(&m->lock);
}
