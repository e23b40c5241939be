/*
 * log: messages. See log.h. Each thread makes its line in a buffer of its own and
 * hands it to emit(), through which every message passes.
 */
#define _POSIX_C_SOURCE 200809L

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "sys/child.h"
#include "sys/clock.h"
#include "sys/die.h"
#include "sys/lock.h"
#include "sys/log.h"
#include "sys/thread.h"

#define ELLIPSIS	"..."
#define PERIOD_NS	(LOG_LIMIT_PERIOD_S * SECOND)
#define STAMP_LEVEL	3

static char prefix[80] = "viamillipede: ";	/* [I] once threads run */

struct line {
	char text[LOG_LINE_SIZE];
	size_t length;
};

/* The line that log_show left on the screen. */
struct shown {
	char draw[LOG_SHOW_SIZE];
	size_t draw_length;	/* 0 = there is none */
	char erase[LOG_SHOW_SIZE];
	size_t erase_length;
};

enum written {
	WRITTEN_ALL,
	WRITTEN_NOT_IN_TIME,
	WRITTEN_NEVER		/* the write failed: standard error is gone */
};

/*
 * The output. The thread that has set busy writes, without the lock. A thread that
 * finds it set waits, but not for ever: a terminal that takes nothing may block
 * the writer.
 *
 * While log_show's line is shown, standard error ends in it and not in a newline.
 *
 * Fields: [I] set before other threads start, [l] under lock, [b] only the thread
 * that has set busy.
 */
static struct {
	struct lock lock;
	struct lock_cond freed;	/* !busy; signalled by the thread that clears it */
	bool busy;		/* [l] */
	bool stalled;		/* [l] the last line was dropped: do not wait */
	uint64_t lost;		/* [l] lines dropped and not yet reported */
	size_t torn;		/* [b] bytes that the last line still lacks */
	struct shown shown;	/* [b] */
	int fd;			/* [I] */
	bool prompt;		/* [I] fd never blocks */
	bool syslog;		/* [I] lines go to the system's log instead of fd */
} out = { .lock = LOCK_INITIALIZER, .fd = STDERR_FILENO };

static pthread_once_t out_once = PTHREAD_ONCE_INIT;

/* A leaf lock, as is out.lock: no other lock is taken while either is held. */
static struct lock limits_lock = LOCK_INITIALIZER;
static struct log_limit *limits;	/* under limits_lock */

atomic_int log_level = LOG_LOSS;

void
log_set(int level)
{
	atomic_store(&log_level, level);
}

int
log_raise(void)
{
	int old = atomic_load(&log_level), new;

	do
		new = old < LOG_LEVEL_MAX ? old + 1 : 0;
	while (!atomic_compare_exchange_weak(&log_level, &old, new));
	return new;
}

static void
out_init(void)
{
	lock_cond_init(&out.freed);
}

static bool
same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 &&
	    x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Descriptor 2 becomes /dev/null, or at least one whose writes fail. */
static void
lead_nowhere(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC), fds[2];

	if (fd == -1 && child_pipe(fds) == 0) {
		(void)close(fds[0]);
		fd = fds[1];
	}
	if (fd == -1 || dup2(fd, STDERR_FILENO) == -1)
		(void)close(STDERR_FILENO);
	if (fd != -1)
		(void)close(fd);
}

void
log_avoid_stream(bool output)
{
	struct stat st;

	if (isatty(STDERR_FILENO) || fstat(STDERR_FILENO, &st) == -1 ||
	    (!same_file(STDERR_FILENO, STDIN_FILENO) &&
	    !(output && same_file(STDERR_FILENO, STDOUT_FILENO))))
		return;
	lead_nowhere();
	/* The user who chose /dev/null or the like wants no messages. */
	out.syslog = !S_ISCHR(st.st_mode);
	if (out.syslog)
		openlog("viamillipede", LOG_PID | LOG_NDELAY, LOG_DAEMON);
}

void
log_from(const char *where)
{
	(void)snprintf(prefix, sizeof(prefix), "viamillipede (%.60s): ", where);
}

static void	say_last(const char *why);

/*
 * Poll reports a terminal as writable when it has room for one byte, and a
 * blocking write of more then waits for ever; and another process may fill a
 * pipe first. O_NONBLOCK on descriptor 2 itself would affect every process that
 * shares it. So the same object is opened again. Not a file: there the second
 * descriptor would have an offset of its own. Where opening /dev/fd/2 only
 * duplicates, O_NONBLOCK is not set, as the flags show.
 */
void
log_open(void)
{
	int fd, flags, saved = errno;
	struct stat st;

	die_by(say_last);
	if (fstat(STDERR_FILENO, &st) != 0 ||
	    (!S_ISFIFO(st.st_mode) && !isatty(STDERR_FILENO)))
		goto out0;
	fd = open("/dev/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1)
		goto out0;
	flags = fcntl(fd, F_GETFL);
	if (fd <= STDERR_FILENO || flags == -1 || !(flags & O_NONBLOCK) ||
	    !same_file(fd, STDERR_FILENO))
		goto out1;
	out.fd = fd;
	out.prompt = true;
	goto out0;
out1:
	(void)close(fd);
out0:
	errno = saved;
}

/* Waits until the deadline for out.fd to become writable or to have an error. */
static bool
ready(uint64_t deadline_ns)
{
	struct pollfd p = { .fd = out.fd, .events = POLLOUT };

	for (;;) {
		uint64_t now = clock_now_ns();
		uint64_t left = now < deadline_ns ? deadline_ns - now : 0;
		int n = poll(&p, 1, (int)((left + MS - 1) / MS));

		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
}

static atomic_bool spoken;	/* something was written */

bool
log_silent(void)
{
	return !atomic_load_explicit(&spoken, memory_order_relaxed);
}

/*
 * Writes all of text, in one call unless the system takes only a part. The
 * deadline holds even if poll reports the descriptor as writable: a terminal that
 * has room for one byte, but needs two for a newline, stays so.
 */
static enum written
put(const char *text, size_t length, uint64_t deadline_ns)
{
	bool ask = !out.prompt;

	while (length > 0) {
		ssize_t n;

		if (ask && !ready(deadline_ns))
			return WRITTEN_NOT_IN_TIME;
		ask = true;
		atomic_store_explicit(&spoken, true, memory_order_relaxed);
		n = write(out.fd, text, length);
		if (n > 0) {
			text += n;
			length -= (size_t)n;
			out.torn = length;
		} else if (n == -1 && (errno == EAGAIN ||
		    errno == EWOULDBLOCK)) {
			if (clock_now_ns() >= deadline_ns)
				return WRITTEN_NOT_IN_TIME;
		} else if (n == 0 || errno != EINTR)
			return WRITTEN_NEVER;
	}
	return WRITTEN_ALL;
}

/* As put_above, for a text of any length, in three writes. */
static enum written
put_long(const char *text, size_t length, uint64_t deadline_ns)
{
	const struct shown *s = &out.shown;
	enum written done = put(s->erase, s->erase_length, deadline_ns);

	if (done == WRITTEN_ALL)
		done = put(text, length, deadline_ns);
	if (done == WRITTEN_ALL) {
		(void)put(s->draw, s->draw_length, deadline_ns);
		out.torn = 0;
	}
	return done;
}

/*
 * Writes a text that ends in a newline above the line that is shown. Once the
 * text is written, it does not matter whether that line is complete.
 */
static enum written
put_above(const char *text, size_t length, uint64_t deadline_ns)
{
	const struct shown *s = &out.shown;
	char whole[2 * LOG_SHOW_SIZE + LOG_LINE_SIZE];
	enum written done;
	size_t n = s->erase_length;

	if (s->draw_length == 0)
		return put(text, length, deadline_ns);
	if (length > LOG_LINE_SIZE)
		return put_long(text, length, deadline_ns);
	memcpy(whole, s->erase, n);
	memcpy(whole + n, text, length);
	n += length;
	memcpy(whole + n, s->draw, s->draw_length);
	n += s->draw_length;
	done = put(whole, n, deadline_ns);
	if (out.torn == 0)
		return done;
	/* Only the shown line is incomplete: the text was written. */
	if (out.torn <= s->draw_length) {
		out.torn = 0;
		return WRITTEN_ALL;
	}
	out.torn -= s->draw_length;
	return done;
}

static enum written
put_note(uint64_t lost, uint64_t deadline_ns)
{
	char note[160];
	int n = snprintf(note, sizeof(note), "%s%" PRIu64 " message%s lost "
	    "here: standard error did not take them\n", prefix, lost,
	    lost == 1 ? "" : "s");

	return put_above(note, (size_t)n, deadline_ns);
}

/*
 * Called by the thread that has set busy: ends an incomplete line, reports lost
 * lines, then writes the line. *lost is the number of lines lost before; on return
 * the number still to report. A line that lacks only its newline is not lost: the
 * next line brings that.
 */
static enum written
put_after(const char *text, size_t length, uint64_t *lost, uint64_t deadline_ns)
{
	enum written done = WRITTEN_ALL;

	if (out.torn > 0)
		done = put("\n", 1, deadline_ns);
	if (done == WRITTEN_ALL && *lost > 0) {
		done = put_note(*lost, deadline_ns);
		if (done == WRITTEN_ALL || out.torn == 1)
			*lost = 0;
	}
	if (done != WRITTEN_ALL) {
		++*lost;
		return done;
	}
	done = put_above(text, length, deadline_ns);
	if (done != WRITTEN_ALL && out.torn != 1)
		++*lost;
	return done;
}

/*
 * Sets busy, or fails at the deadline; out.lock is held. Only the first line that
 * standard error does not take waits for the timeout; later ones find stalled set
 * and try once.
 */
static bool
begin_locked(uint64_t *deadline_ns)
{
	if (!out.stalled)
		*deadline_ns += LOG_TIMEOUT_MS * MS;
	while (out.busy)
		if (!lock_wait_until(&out.freed, &out.lock, *deadline_ns) &&
		    out.busy)
			return false;
	return out.busy = true;
}

static void
end_locked(void)
{
	out.busy = false;
	lock_wake(&out.freed);
}

/* Whole lines, without our name at the beginning: the system's log adds it. */
static void
tell_system(const char *text, size_t length)
{
	size_t name, n;

	for (; length > 0; text += n, length -= n) {
		const char *end = memchr(text, '\n', length);

		n = end != NULL ? (size_t)(end - text) : length;
		name = n > strlen(prefix) && strncmp(text, prefix, strlen(prefix)) == 0 ?
		    strlen(prefix) : 0;
		if (n > 0)
			syslog(LOG_NOTICE, "%.*s", (int)(n - name), text + name);
		n += n < length;
	}
}

/* Writes whole lines, or counts them as lost. */
static void
emit(const char *text, size_t length)
{
	uint64_t deadline = clock_now_ns(), lost;
	enum written done;

	if (out.syslog) {
		tell_system(text, length);
		return;
	}
	thread_once(&out_once, out_init);
	lock_acquire(&out.lock);
	if (!begin_locked(&deadline)) {
		out.stalled = true;
		out.lost++;
		lock_release(&out.lock);
		return;
	}
	lost = out.lost;
	out.lost = 0;		/* others may be lost meanwhile */
	lock_release(&out.lock);

	done = put_after(text, length, &lost, deadline);

	lock_acquire(&out.lock);
	out.stalled = done == WRITTEN_NOT_IN_TIME;
	out.lost += lost;
	end_locked();
	lock_release(&out.lock);
}

void
log_text(char *text, size_t length)
{
	int saved = errno;

	for (size_t i = 0; i < length; i++)
		if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~'))
			text[i] = '?';
	emit(text, length);
	errno = saved;
}

/*
 * Called by the thread that has set busy. Bytes that do not end in a newline leave
 * an incomplete line, which our next message ends first; the shown line is not
 * drawn until then.
 */
static size_t
put_bytes(const char *bytes, size_t length)
{
	const struct shown *s = &out.shown;
	uint64_t now = clock_now_ns();
	size_t torn = out.torn, taken;
	enum written done = WRITTEN_ALL;

	if (torn == 0)
		done = put(s->erase, s->erase_length, now);
	if (done != WRITTEN_ALL)
		return done == WRITTEN_NEVER ? length : 0;
	out.torn = length;
	done = put(bytes, length, now);
	taken = length - out.torn;
	if (taken == 0)
		out.torn = torn;
	else
		out.torn = bytes[taken - 1] != '\n';
	if (out.torn == 0) {
		(void)put(s->draw, s->draw_length, now);
		out.torn = 0;
	}
	return done == WRITTEN_NEVER ? length : taken;
}

size_t
log_pass(const char *bytes, size_t length)
{
	uint64_t deadline = clock_now_ns();
	size_t taken = 0;
	int saved = errno;

	thread_once(&out_once, out_init);
	/* Wait before busy is set, so that no other thread has to wait. */
	if (ready(deadline + LOG_TIMEOUT_MS * MS)) {
		lock_acquire(&out.lock);
		if (begin_locked(&deadline)) {
			lock_release(&out.lock);
			taken = put_bytes(bytes, length);
			lock_acquire(&out.lock);
			end_locked();
		}
		lock_release(&out.lock);
	}
	errno = saved;
	return taken;
}

/* Called by the thread that has set busy: replaces the shown line. */
static void
put_shown(const char *draw, const char *erase, uint64_t deadline_ns)
{
	struct shown *s = &out.shown;
	size_t draws = strlen(draw), erases = strlen(erase), n = 0;
	char whole[2 * LOG_SHOW_SIZE];

	/* Below an incomplete line nothing is shown, so there is nothing to remove. */
	if (out.torn > 0 && draws == 0)
		s->draw_length = s->erase_length = 0;
	if (out.torn > 0 || draws > LOG_SHOW_SIZE || erases > LOG_SHOW_SIZE ||
	    (draws == 0 && s->draw_length == 0))
		return;
	if (draws == 0 && erases > 0) {
		memcpy(whole, erase, n = erases);
	} else if (s->draw_length > 0) {
		memcpy(whole, s->erase, n = s->erase_length);
	}
	memcpy(whole + n, draw, draws);
	memcpy(s->draw, draw, draws);
	memcpy(s->erase, erase, erases);
	s->draw_length = draws;
	s->erase_length = erases;
	(void)put(whole, n + draws, deadline_ns);
	out.torn = 0;
}

void
log_show(const char *draw, const char *erase)
{
	uint64_t deadline = clock_now_ns();
	int saved = errno;

	thread_once(&out_once, out_init);
	lock_acquire(&out.lock);
	if (draw[0] != '\0' && (out.busy || out.stalled)) {
		lock_release(&out.lock);
		return;
	}
	if (begin_locked(&deadline)) {
		lock_release(&out.lock);
		put_shown(draw, erase, draw[0] != '\0' ? clock_now_ns() :
		    deadline);
		lock_acquire(&out.lock);
		end_locked();
	}
	lock_release(&out.lock);
	errno = saved;
}

/* Date and time with milliseconds. */
static void
line_add_time(struct line *line)
{
	struct timespec now;
	struct tm utc;
	int n;

	if (clock_gettime(CLOCK_REALTIME, &now) != 0 ||
	    gmtime_r(&now.tv_sec, &utc) == NULL)
		return;
	line->length += strftime(line->text + line->length,
	    sizeof(line->text) - line->length, "%Y-%m-%dT%H:%M:%S", &utc);
	n = snprintf(line->text + line->length,
	    sizeof(line->text) - line->length, ".%03dZ ",
	    (int)(now.tv_nsec / 1000000));
	line->length += (size_t)n;
}

/*
 * Adds text, escaped, and ends the line; room is kept for the ellipsis and the
 * newline. Everything outside ASCII is escaped, too: UTF-8 has control characters of
 * terminals and characters that reverse the direction of writing.
 */
static void
line_add_text(struct line *line, const char *text)
{
	const size_t room = sizeof(line->text) - sizeof(ELLIPSIS "\n") + 1;
	static const char digits[] = "0123456789abcdef";
	bool cut = false;

	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = c >= ' ' && c <= '~';

		if (line->length + (plain ? 1 : 4) > room) {
			cut = true;
			break;
		}
		if (plain) {
			line->text[line->length++] = (char)c;
			continue;
		}
		line->text[line->length++] = '\\';
		line->text[line->length++] = 'x';
		line->text[line->length++] = digits[c >> 4];
		line->text[line->length++] = digits[c & 15];
	}
	if (cut) {
		memcpy(line->text + line->length, ELLIPSIS,
		    sizeof(ELLIPSIS) - 1);
		line->length += sizeof(ELLIPSIS) - 1;
	}
	line->text[line->length++] = '\n';
}

static void
line_make(struct line *line, const char *text)
{
	line->length = strlen(prefix);
	memcpy(line->text, prefix, line->length);
	if (log_wants(STAMP_LEVEL))
		line_add_time(line);
	line_add_text(line, text);
}

static void	say(const char *format, va_list arguments) LOG_FORMAT(1, 0);

static void
say(const char *format, va_list arguments)
{
	char text[LOG_LINE_SIZE];	/* more than fits behind the prefix */
	struct line line;
	int saved = errno;

	line_make(&line, vsnprintf(text, sizeof(text), format, arguments) < 0 ? format : text);
	emit(line.text, line.length);
	errno = saved;
}

/* For die.h.  Not through emit(): its lock may be what failed. */
static void
say_last(const char *why)
{
	struct line line;

	line_make(&line, why);
	if (out.syslog)
		tell_system(line.text, line.length);
	(void)put(line.text, line.length, clock_now_ns() + LOG_TIMEOUT_MS * MS);
}

void
log_line(int level, const char *format, ...)
{
	va_list arguments;

	if (!log_wants(level))
		return;
	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
}

/* The seconds of a period in which events occurred: rounded up, never 0. */
static uint64_t
limit_span_s(const struct log_limit *limit, uint64_t now_ns)
{
	uint64_t span = now_ns > limit->since_ns ? now_ns - limit->since_ns : 0;

	if (span >= PERIOD_NS)
		return LOG_LIMIT_PERIOD_S;
	return span / SECOND + 1;
}

static bool
limit_is_over(const struct log_limit *limit, uint64_t now_ns)
{
	return limit->printed == 0 || (now_ns > limit->since_ns &&
	    now_ns - limit->since_ns >= PERIOD_NS);
}

static void
limit_restart(struct log_limit *limit, uint64_t now_ns)
{
	limit->since_ns = now_ns;
	limit->printed = 0;
	limit->held = 0;
}

bool
log_limit_admit(struct log_limit *limit, int level, uint64_t now_ns,
    uint64_t *held, uint64_t *span_s)
{
	*held = *span_s = 0;
	if (limit_is_over(limit, now_ns)) {
		*held = limit->held;
		*span_s = limit_span_s(limit, now_ns);
		limit_restart(limit, now_ns);
	}
	if (limit->printed < LOG_LIMIT_LINES) {
		limit->printed++;
		return true;
	}
	limit->held++;
	limit->level = level;
	return false;
}

static void
tell_held(const char *key, int level, uint64_t held, uint64_t span_s)
{
	log_line(level, "%s: and %" PRIu64 " more like it in %" PRIu64 " s",
	    key, held, span_s);
}

void
log_limited(struct log_limit *limit, int level, const char *format, ...)
{
	uint64_t held, span_s;
	va_list arguments;
	int held_level;
	bool admitted;

	if (!log_wants(level))
		return;
	lock_acquire(&limits_lock);
	if (!limit->listed) {
		limit->listed = true;
		limit->next = limits;
		limits = limit;
	}
	held_level = limit->level;
	admitted = log_limit_admit(limit, level, clock_now_ns(), &held, &span_s);
	lock_release(&limits_lock);

	if (held > 0)
		tell_held(limit->key, held_level, held, span_s);
	if (!admitted)
		return;
	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
}

/* Prints and clears the count of one limit whose period is over; false if none is. */
static bool
settle_one(bool final)
{
	uint64_t now, held = 0, span_s = 0;
	struct log_limit *limit;
	int level = 0;

	lock_acquire(&limits_lock);
	now = clock_now_ns();
	for (limit = limits; limit != NULL; limit = limit->next) {
		if (limit->held == 0 || (!final && !limit_is_over(limit, now)))
			continue;
		held = limit->held;
		span_s = limit_span_s(limit, now);
		level = limit->level;
		limit_restart(limit, now);
		break;
	}
	lock_release(&limits_lock);
	if (limit == NULL)
		return false;
	tell_held(limit->key, level, held, span_s);
	return true;
}

void
log_settle(bool final)
{
	while (settle_one(final))
		;
}
