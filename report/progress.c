/*
 * progress: the line on a terminal.  See progress.h; runs in the monitor's
 * thread.
 */
#include "report/progress.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "sys/clock.h"

#define COLUMNS		80
#define BAR		2		/* its place among the parts */
#define BAR_MIN		12
#define BAR_MAX		40
#define PARTS		10

/*
 * The parts stand in the order of the line.  Those with the lowest rank are chosen
 * first, while there is room.
 */
struct part {
	char text[48];
	unsigned rank;
	const char *colour;	/* or NULL */
	bool chosen;
};

static void
part_set(struct part *p, unsigned rank, const char *colour, const char *format, ...)
    LOG_FORMAT(4, 5);

static void
part_set(struct part *p, unsigned rank, const char *colour, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(p->text, sizeof(p->text), format, arguments);
	va_end(arguments);
	p->rank = rank;
	p->colour = colour;
}

/* 0 to 1, even if the stream is longer than `size'. */
static double
share(uint64_t bytes, uint64_t size)
{
	return bytes >= size ? 1 : (double)bytes / (double)size;
}

static void
part_left(struct part *p, const struct stats *now, uint64_t size)
{
	uint64_t mean = stats_mean(now);
	char left[STATS_TEXT];
	double seconds;

	if (now->bytes >= size)
		part_set(p, 3, NULL, "0:00:00 left");
	else if (mean == 0 || now->state != SESSION_RUNNING)
		part_set(p, 3, NULL, "-:--:-- left");
	else {
		seconds = (double)(size - now->bytes) / (double)mean;
		if (seconds > 1e9)
			seconds = 1e9;
		part_set(p, 3, NULL, "%s left",
		    stats_time_text((uint64_t)seconds * SECOND, left));
	}
}

#define GREEN	"\033[32m"
#define RED	"\033[31m"
#define PLAIN	"\033[m"

/* What is wrong, or what the transfer waits for. */
static void
part_state(struct part *p, const struct stats *now, const struct stats *before)
{
	uint64_t waited[BOTTLENECK_KINDS];
	unsigned long long down_s;

	if (now->state == SESSION_CONTACT)
		part_set(p, 1, NULL, "no contact yet");
	else if (now->state == SESSION_SUSPENDED) {
		down_s = (now->at_ns - now->down_ns) / SECOND;
		part_set(p, 1, RED, "suspended for %llu s", down_s);
	} else if (now->outcome == OUTCOME_FAILED)
		part_set(p, 1, RED, "failed");
	else if (now->outcome == OUTCOME_DONE)
		part_set(p, 1, GREEN, "done");
	else {
		stats_waited(now, before, waited);
		part_set(p, 5, NULL, "waits for %s", bottleneck_name(bottleneck_largest(waited)));
	}
}

/* Where both ends send, each direction's. */
static void
part_rate(struct part *p, const struct stats *now, const struct stats *before)
{
	char a[STATS_TEXT], b[STATS_TEXT];

	if (now->sends && now->receives)
		part_set(p, 2, NULL, "%8s/s out %8s/s in",
		    stats_size_text(stats_rate_sent(now, before), a),
		    stats_size_text(stats_rate_received(now, before), b));
	else
		part_set(p, 2, NULL, "%8s/s", stats_size_text(stats_rate(now, before), a));
}

static void
parts_make(struct part part[PARTS], const struct progress_view *v)
{
	const struct stats *now = v->now, *before = v->before;
	char text[STATS_TEXT];

	memset(part, 0, PARTS * sizeof(part[0]));
	part_set(&part[0], 8, NULL, "%s", stats_role(now));
	if (v->size_given)
		part_set(&part[1], 2, NULL, "%3d%%", (int)(100 * share(now->bytes, v->size)));
	/* part[BAR] is made last, from the columns that are left. */
	part_set(&part[3], 0, NULL, "%8s", stats_size_text(now->bytes, text));
	part_rate(&part[4], now, before);
	part_set(&part[5], 6, NULL, "mean %s/s", stats_size_text(stats_mean(now), text));
	part_set(&part[6], 4, NULL, "%s", stats_time_text(now->elapsed_ns, text));
	if (v->size_given)
		part_left(&part[7], now, v->size);
	part_set(&part[8], 7, NULL, "%u leg%s", now->up, now->up == 1 ? "" : "s");
	if (now->many)
		part_set(&part[7], 3, NULL, "%u of %llu streams", now->streams.open,
		    now->streams.opened);
	part_state(&part[9], now, before);
}

static void
bar_make(char text[BAR_MAX + 1], size_t width, double filled)
{
	size_t full = (size_t)((double)(width - 2) * filled), i;

	text[0] = '[';
	for (i = 1; i < width - 1; i++)
		text[i] = i <= full ? '=' : ' ';
	if (filled < 1)
		text[full + 1 < width - 1 ? full + 1 : full] = '>';
	text[width - 1] = ']';
	text[width] = '\0';
}

/* Chooses parts by rank; returns their columns with two spaces between parts. */
static size_t
choose(struct part part[PARTS], size_t columns)
{
	size_t used = 0, n;
	unsigned rank, i;

	for (rank = 0; rank < 10; rank++)
		for (i = 0; i < PARTS; i++) {
			n = strlen(part[i].text);
			if (n == 0 || part[i].rank != rank || part[i].chosen)
				continue;
			n += used > 0 ? 2 : 0;
			if (used + n > columns)
				continue;
			part[i].chosen = true;
			used += n;
		}
	return used;
}

size_t
progress_make(const struct progress_view *v, size_t columns, bool colours,
    char text[LOG_SHOW_SIZE])
{
	struct part part[PARTS];
	size_t used, length = 0, width;
	bool colour;
	unsigned i;

	if (columns > PROGRESS_WIDEST)
		columns = PROGRESS_WIDEST;
	parts_make(part, v);
	used = choose(part, columns);
	if (v->size_given && columns - used >= BAR_MIN + 2) {
		width = columns - used - 2 < BAR_MAX ? columns - used - 2 : BAR_MAX;
		bar_make(part[BAR].text, width, share(v->now->bytes, v->size));
		part[BAR].chosen = true;
		part[BAR].colour = GREEN;
		used += width + 2;
	}
	text[0] = '\0';
	for (i = 0; i < PARTS; i++) {
		if (!part[i].chosen)
			continue;
		colour = colours && part[i].colour != NULL;
		length += (size_t)snprintf(text + length, LOG_SHOW_SIZE - length, "%s%s%s%s",
		    length > 0 ? "  " : "", colour ? part[i].colour : "", part[i].text,
		    colour ? PLAIN : "");
	}
	return used;
}

void
progress_open(struct progress *p, bool forced, bool quiet)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	memset(p, 0, sizeof(*p));
	p->terminal = isatty(STDERR_FILENO) == 1;
	p->wanted = forced || (p->terminal && !quiet);
	p->escapes = p->terminal && term != NULL && strcmp(term, "dumb") != 0;
	p->plain = !p->escapes || (no != NULL && no[0] != '\0');
}

#ifdef TIOCGWINSZ
static long
terminal_columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}
#else
static long
terminal_columns(void)
{
	return 0;
}
#endif

/* Columns that may be used: all but the last, which makes some terminals wrap. */
static size_t
columns(const struct progress *p)
{
	const char *said = getenv("COLUMNS");
	long n = p->terminal ? terminal_columns() : 0;

	if (n == 0 && said != NULL)
		n = strtol(said, NULL, 10);
	return n > 1 && n < 10000 ? (size_t)n - 1 : n == 1 ? 0 : COLUMNS - 1;
}

/* Another process group has the terminal. */
static bool
background(const struct progress *p)
{
	pid_t group = p->terminal ? tcgetpgrp(STDERR_FILENO) : -1;

	return group != -1 && group != getpgrp();
}

/* The text that erases a line of `used' columns. */
static void
erase_make(const struct progress *p, size_t used, char erase[LOG_SHOW_SIZE])
{
	if (p->escapes)
		snprintf(erase, LOG_SHOW_SIZE, "\r\033[K");
	else
		snprintf(erase, LOG_SHOW_SIZE, "\r%*s\r", (int)used, "");
}

void
progress_draw(struct progress *p, const struct progress_view *v)
{
	char text[LOG_SHOW_SIZE], erase[LOG_SHOW_SIZE];
	size_t used;

	if (!p->wanted || background(p))
		return;
	used = progress_make(v, columns(p), !p->plain, text);
	if (used == 0)
		return;
	erase_make(p, used, erase);
	log_show(text, erase);
	p->shown = used;
}

void
progress_close(struct progress *p, bool keep)
{
	if (p->wanted && p->shown > 0)
		log_show("", keep ? "\n" : "");
	p->wanted = false;
}
