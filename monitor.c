/*
 * monitor: the thread that tells how the session does.  See monitor.h;
 * everything that is not exported runs in that thread.
 */
#include "monitor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "tally.h"

#define SECOND		1000000000ULL
#define MS		1000000ULL
#define TABLE_NS	(200 * MS)	/* no two tables come closer than this */
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
			log_line(LOG_ERROR, "cannot write the report \"%.200s\": %s", o->report, why);
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

/* Looking and telling */

/* Rates are of a second at least: since the last tick but one, if need be. */
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
	static char text[TALLY_TABLE];

	stats_take(m->session, &m->now);
	log_text(text, tally_table(&m->now, basis(m), m->options, text, sizeof(text)));
}

static void
tell_verbose(void)
{
	log_line(LOG_ERROR, "verbose %d", atomic_load(&log_level));
}

/* Once a second. */
static void
tick(struct monitor *m)
{
	stats_take(m->session, &m->now);
	tell_events(m);
	progress_draw(&m->progress, &m->now, &m->tick, m->options->size_given,
	    m->options->size_bytes);
	/* Half a second too early is nearer than half a second too late. */
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
	char text[TALLY_SUMMARY];

	show = m->now.contact_ns != 0 && (show || log_wants(LOG_RUN));
	progress_close(&m->progress, !show);
	if (!show)
		return;
	tally_summary(&m->now, text, sizeof(text));
	log_line(LOG_ERROR, "%s", text);
}

/* The session is over, and nothing in it changes any more. */
static void
tell_end(struct monitor *m)
{
	const struct fail *fail = &m->session->fail;
	char reason[256];

	/* Of a command without what it said last. */
	snprintf(reason, sizeof(reason), "%.*s", (int)strcspn(fail->text, "\n"), fail->text);
	stats_take(m->session, &m->now);
	tell_events(m);
	if (m->now.contact_ns != 0 && m->now.at_ns > m->reported.at_ns)
		report_interval(&m->report, &m->now, &m->reported);
	report_outage(&m->report, &m->now);
	report_end(&m->report, &m->now, reason[0] != '\0' ? reason :
	    failure_text(fail->reason), events_missed(&m->session->events));
	report_close(&m->report);
	progress_draw(&m->progress, &m->now, basis(m), m->options->size_given,
	    m->options->size_bytes);
	log_settle(true);
	tell_summary(m);
}

/* The thread */

/* When the next full second is; what was missed in a sleep of the machine is left out. */
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

	lock_take(&m->lock);
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
		lock_drop(&m->lock);
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
		lock_take(&m->lock);
	}
	lock_drop(&m->lock);
	tell_end(m);
	lock_take(&m->lock);
	m->done = true;
	lock_wake_all(&m->changed);
	lock_drop(&m->lock);
	return NULL;
}

int
monitor_start(struct monitor *m)
{
	pthread_t thread;
	int error;

	stats_take(m->session, &m->tick);
	m->before = m->reported = m->tick;
	lock_take(&m->lock);
	error = thread_start(&thread, "viamillipede-m", monitor, m);
	m->started = error == 0;
	lock_drop(&m->lock);
	if (error == 0)
		thread_detach(thread);
	return error;
}

void
monitor_ask(struct monitor *m)
{
	lock_take(&m->lock);
	m->asked = true;
	lock_wake_all(&m->changed);
	lock_drop(&m->lock);
}

void
monitor_raised(struct monitor *m)
{
	lock_take(&m->lock);
	m->raised = true;
	lock_wake_all(&m->changed);
	lock_drop(&m->lock);
}

void
monitor_finish(struct monitor *m)
{
	uint64_t until = clock_now_ns() + FINISH_NS;

	lock_take(&m->lock);
	m->over = true;
	lock_wake_all(&m->changed);
	while (m->started && !m->done && lock_wait_until(&m->changed, &m->lock, until))
		;
	lock_drop(&m->lock);
}
