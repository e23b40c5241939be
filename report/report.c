/*
 * report: lines of JSON.  See report.h.
 */
#include "report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/control.h"
#include "sys/clock.h"
#include "sys/log.h"

/* The file */

/* The report would overwrite the stream's file, or be written into its pipe. */
static bool
same_as_payload(const struct stat *file, int payload)
{
	struct stat st;

	return fstat(payload, &st) == 0 && st.st_dev == file->st_dev &&
	    st.st_ino == file->st_ino &&
	    (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/*
 * Opened non-blocking: a FIFO that no process reads is an error now, and one that is
 * full later loses lines and blocks nothing.
 */
int
report_open(struct report *r, const char *file, int payload, char why[REPORT_WHY])
{
	struct stat st;

	memset(r, 0, sizeof(*r));
	r->fd = -1;
	r->wanted = true;
	if (strcmp(file, "-") == 0) {
		r->standard_error = true;
		return 0;
	}
	r->fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	    0666);
	if (r->fd == -1 || fstat(r->fd, &st) == -1) {
		snprintf(why, REPORT_WHY, "%s", strerror(errno));
		goto err;
	}
	if (same_as_payload(&st, payload)) {
		snprintf(why, REPORT_WHY, "this file carries the stream");
		goto err;
	}
	if (S_ISREG(st.st_mode) && ftruncate(r->fd, 0) == -1) {
		snprintf(why, REPORT_WHY, "%s", strerror(errno));
		goto err;
	}
	return 0;
err:
	if (r->fd != -1)
		close(r->fd);
	memset(r, 0, sizeof(*r));
	return -1;
}

static void
left_out(struct report *r, const char *why)
{
	static struct log_limit lost = LOG_LIMIT("report lines left out");

	r->left_out++;
	log_limited(&lost, LOG_LOSS, "cannot write a line of the report: %s; the transfer "
	    "continues", why);
}

/* One write; returns the bytes written, which may be 0. */
static size_t
put(struct report *r, const char *text, size_t length)
{
	ssize_t n;

	do
		n = write(r->fd, text, length);
	while (n == -1 && errno == EINTR);
	return n > 0 ? (size_t)n : 0;
}

static bool
put_rest(struct report *r)
{
	size_t n;

	if (r->rest_length == 0)
		return true;
	n = put(r, r->rest, r->rest_length);
	r->rest_length -= n;
	memmove(r->rest, r->rest + n, r->rest_length);
	if (r->rest_length == 0)
		r->whole += r->rest_of;
	return r->rest_length == 0;
}

/* Writes the line that was made. */
static void
put_line(struct report *r)
{
	size_t n;

	if (r->failed) {
		left_out(r, strerror(ENOMEM));
		return;
	}
	if (r->standard_error) {
		log_text(r->line, r->length);
		return;
	}
	errno = 0;
	if (!put_rest(r) || (n = put(r, r->line, r->length)) == 0) {
		left_out(r, errno != 0 ? strerror(errno) : "there is no room");
		return;
	}
	if (n == r->length) {
		r->whole += (off_t)n;
		return;
	}
	/* The line's buffer becomes that of the rest, which must outlive this line. */
	memmove(r->line, r->line + n, r->length - n);
	free(r->rest);
	r->rest = r->line;
	r->rest_length = r->length - n;
	r->rest_of = (off_t)r->length;
	r->line = NULL;
	r->size = 0;
	put_rest(r);
}

/* Half a line at the end would not be JSON; in a regular file it can be removed. */
static void
take_back(const struct report *r)
{
	struct stat st;

	if (fstat(r->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > r->whole)
		(void)!ftruncate(r->fd, r->whole);
}

void
report_close(struct report *r)
{
	if (r->wanted && !r->standard_error) {
		if (!put_rest(r))
			take_back(r);
		close(r->fd);
	}
	free(r->line);
	free(r->rest);
	memset(r, 0, sizeof(*r));
}

/* JSON */

/*
 * The first character of a UTF-8 text, and its length; U+FFFD and 1 if it is not
 * UTF-8 by RFC 3629, which excludes overlong forms and surrogates.
 */
static uint32_t
character(const uint8_t *text, size_t *length)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t c = text[0];
	uint32_t value;
	size_t n, i;

	*length = 1;
	if (c < 0x80)
		return c;
	n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (c < 0xc0 || c > 0xf4)
		return 0xfffd;
	value = c & (0x7fu >> n);
	for (i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0xfffd;
		value = value << 6 | (text[i] & 0x3fu);
	}
	if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0xfffd;
	*length = n;
	return value;
}

static size_t
quote_character(uint32_t c, char to[13])
{
	if (c == '"' || c == '\\') {
		to[0] = '\\';
		to[1] = (char)c;
		return 2;
	}
	if (c >= ' ' && c <= '~') {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x10000)
		return (size_t)snprintf(to, 13, "\\u%04x", (unsigned)c);
	c -= 0x10000;
	return (size_t)snprintf(to, 13, "\\u%04x\\u%04x", 0xd800u + (unsigned)(c >> 10),
	    0xdc00u + (unsigned)(c & 0x3ff));
}

size_t
report_quote(const char *text, char *to, size_t size)
{
	const uint8_t *p = (const uint8_t *)text;
	size_t n = 0, step, took;
	char c[13];

	if (size < 3)
		return 0;
	to[n++] = '"';
	for (; *p != '\0'; p += step) {
		took = quote_character(character(p, &step), c);
		if (n + took + 2 > size)
			return 0;
		memcpy(to + n, c, took);
		n += took;
	}
	to[n++] = '"';
	to[n] = '\0';
	return n;
}

/* Making a line */

static bool
room(struct report *r, size_t n)
{
	size_t size = r->size != 0 ? r->size : 4096;
	char *line;

	while (!r->failed && size - r->length < n)
		size *= 2;
	if (r->failed || size == r->size)
		return !r->failed;
	line = realloc(r->line, size);
	r->failed = line == NULL;
	if (line != NULL) {
		r->line = line;
		r->size = size;
	}
	return !r->failed;
}

static void add(struct report *r, const char *format, ...) LOG_FORMAT(2, 3);

/* Adds at most 1023 bytes. */
static void
add(struct report *r, const char *format, ...)
{
	va_list arguments;
	int n;

	if (!room(r, 1024))
		return;
	va_start(arguments, format);
	n = vsnprintf(r->line + r->length, 1024, format, arguments);
	va_end(arguments);
	r->failed = n < 0 || n >= 1024;
	r->length += r->failed ? 0 : (size_t)n;
}

static void
add_text(struct report *r, const char *name, const char *text)
{
	add(r, ",\"%s\":", name);
	if (room(r, strlen(text) * 6 + 3))
		r->length += report_quote(text, r->line + r->length, r->size - r->length);
}

static void
add_number(struct report *r, const char *name, uint64_t value)
{
	add(r, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void
add_seconds(struct report *r, const char *name, uint64_t ns)
{
	add(r, ",\"%s\":%llu.%03u", name, (unsigned long long)(ns / SECOND),
	    (unsigned)(ns / MS % 1000));
}

static void
begin(struct report *r, const char *event, uint64_t at_ns, uint64_t elapsed_ns)
{
	char moment[STATS_TEXT];

	r->length = 0;
	r->failed = false;
	add(r, "{\"event\":\"%s\",\"time\":\"%s\"", event, stats_moment_text(at_ns, moment));
	add_seconds(r, "elapsed", elapsed_ns);
}

static void
finish(struct report *r)
{
	add(r, "}\n");
	put_line(r);
}

/* The shares of the time, with three decimals, and the largest of them. */
static void
add_waited(struct report *r, const uint64_t waited_ns[BOTTLENECK_KINDS])
{
	unsigned i;

	add(r, ",\"waited\":{");
	for (i = 0; i < BOTTLENECK_KINDS; i++)
		add(r, "%s\"%s\":%.3f", i > 0 ? "," : "", bottleneck_name((enum bottleneck_kind)i),
		    bottleneck_share(waited_ns, (enum bottleneck_kind)i));
	add(r, "},\"bottleneck\":\"%s\"", bottleneck_name(bottleneck_largest(waited_ns)));
}

/* The lines */

void
report_start(struct report *r, const struct options *o, const char *version)
{
	unsigned i;

	if (!r->wanted)
		return;
	begin(r, "start", clock_now_ns(), 0);
	add_text(r, "version", version);
	add_text(r, "role", o->mode == OPTIONS_TX ? "tx" : o->mode == OPTIONS_RX ? "rx" :
	    "duplex");
	add_seconds(r, "interval", o->interval_ms * (SECOND / 1000));
	add_number(r, "window", o->window_bytes);
	if (o->size_given)
		add_number(r, "size", o->size_bytes);
	if (o->mode != OPTIONS_RX)
		add(r, ",\"checksum\":%s", o->checksum ? "true" : "false");
	if (o->calls) {
		add_number(r, "threads", o->legs);
		add(r, ",\"paths\":[");
		for (i = 0; i < o->npaths; i++) {
			add(r, "%s{\"path\":%u", i > 0 ? "," : "", i);
			add_text(r, "host", o->paths[i].host);
			add_text(r, "port", o->paths[i].port);
			if (o->paths[i].from[0] != '\0')
				add_text(r, "from", o->paths[i].from);
			add(r, "}");
		}
		add(r, "]");
	} else {
		add_text(r, "port", o->port);
		if (o->bind[0] != '\0')
			add_text(r, "bind", o->bind);
	}
	finish(r);
}

static void
add_totals(struct report *r, const struct stats *s)
{
	add_number(r, "bytes", s->bytes);
	add_number(r, "mean", stats_mean(s));
	add_number(r, "frames", s->frames);
	add_number(r, "resent", s->resent);
	add_number(r, "resent_bytes", s->resent_bytes);
	if (s->receives)
		add_number(r, "corrupt", s->spoilt);
	if (s->sends && s->receives)
		add_number(r, "received", s->received);
	if (s->many)
		add(r, ",\"streams\":{\"open\":%u,\"opened\":%llu,\"failed\":%llu}",
		    s->streams.open, s->streams.opened, s->streams.failed);
	add_number(r, "losses", s->losses);
	add_number(r, "outages", s->outages);
}

static void
add_paths(struct report *r, const struct stats *now)
{
	unsigned i;

	add(r, ",\"paths\":[");
	for (i = 0; i < now->paths; i++)
		add(r, "%s{\"path\":%u,\"limit\":\"%s\",\"wanted\":%u,\"congestion\":\"%s\"}",
		    i > 0 ? "," : "", i, limit_word(now->path[i].limit), now->path[i].legs,
		    now->path[i].other ? CONTROL_OTHER : "system");
	add(r, "]");
}

static void
add_leg(struct report *r, const struct stats *now, const struct stats *before, unsigned i)
{
	const struct stats_leg *l = &now->leg[i];

	add(r, "{\"leg\":%u", i);
	if (now->caller)
		add_number(r, "path", l->path);
	else
		add_text(r, "peer", l->peer);
	add_text(r, "state", state_leg(l->state));
	add_number(r, "frames", l->frames);
	add_number(r, "bytes", l->bytes);
	add_number(r, "rate", stats_leg_rate(now, before, i));
	add_number(r, "resent", l->resent);
	add_number(r, "redials", l->redials);
	add_number(r, "rtt_us", l->rtt_us);
	add_number(r, "retransmissions", l->retransmissions);
	add(r, "}");
}

void
report_interval(struct report *r, const struct stats *now, const struct stats *before)
{
	uint64_t waited[BOTTLENECK_KINDS];
	const char *comma = "";
	unsigned i;

	if (!r->wanted)
		return;
	begin(r, "interval", now->at_ns, now->elapsed_ns);
	add_seconds(r, "seconds", now->at_ns - before->at_ns);
	add_text(r, "state", state_session(now->state));
	add_number(r, "rate", stats_rate(now, before));
	add_totals(r, now);
	add_number(r, "legs_up", now->up);
	add_number(r, "window", now->window);
	add_number(r, "window_used", now->used);
	stats_waited(now, before, waited);
	add_waited(r, waited);
	add_paths(r, now);
	add(r, ",\"legs\":[");
	for (i = 0; i < FRAME_LEGS; i++)
		if (now->leg[i].known) {
			add(r, "%s", comma);
			add_leg(r, now, before, i);
			comma = ",";
		}
	add(r, "]");
	finish(r);
}

static uint64_t
since(uint64_t at_ns, uint64_t begin_ns)
{
	return begin_ns != 0 && at_ns > begin_ns ? at_ns - begin_ns : 0;
}

static void
outage(struct report *r, uint64_t at_ns, uint64_t contact_ns, uint64_t lasted_ns, bool over)
{
	begin(r, "outage", at_ns, since(at_ns, contact_ns));
	add_seconds(r, "began", since(at_ns - lasted_ns, contact_ns));
	add_seconds(r, "seconds", lasted_ns);
	add(r, ",\"over\":%s", over ? "true" : "false");
	finish(r);
}

void
report_event(struct report *r, const struct event *e, bool caller, uint64_t contact_ns)
{
	if (!r->wanted)
		return;
	if (e->kind == EVENT_OUTAGE) {
		outage(r, e->at_ns, contact_ns, e->lasted_ns, true);
		return;
	}
	begin(r, "leg", e->at_ns, since(e->at_ns, contact_ns));
	add_number(r, "leg", e->leg);
	if (caller)
		add_number(r, "path", e->path);
	add_text(r, "peer", e->name);
	add_text(r, "state", e->kind == EVENT_UP ? "up" : "down");
	add_number(r, "incarnation", e->incarnation);
	if (e->kind == EVENT_DOWN)
		add_text(r, "reason", e->why);
	finish(r);
}

void
report_outage(struct report *r, const struct stats *now)
{
	uint64_t end = now->contact_ns + now->elapsed_ns;

	if (r->wanted && now->contact_ns != 0 && now->up == 0 &&
	    now->outcome != OUTCOME_DONE && end > now->down_ns)
		outage(r, end, now->contact_ns, end - now->down_ns, false);
}

void
report_end(struct report *r, const struct stats *now, const char *reason, uint64_t missed)
{
	if (!r->wanted)
		return;
	begin(r, "end", now->at_ns, now->elapsed_ns);
	add_text(r, "verdict", now->outcome == OUTCOME_DONE ? "done" : "failed");
	add_number(r, "status", (uint64_t)now->status);
	if (now->outcome != OUTCOME_DONE) {
		if (now->signal != 0)
			add_number(r, "signal", (uint64_t)now->signal);
		add_text(r, "reason", reason);
	}
	add_totals(r, now);
	add_number(r, "legs", now->carriers);
	add_seconds(r, "longest_outage", now->longest_ns);
	if (now->checked && now->outcome == OUTCOME_DONE)
		add(r, ",\"digest\":\"%016llx\"", (unsigned long long)now->digest);
	add_waited(r, now->waited_ns);
	add_number(r, "left_out", r->left_out + missed);
	finish(r);
}
