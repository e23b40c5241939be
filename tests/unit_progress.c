/*
 * The progress line: at every width it fits, keeps the more important parts,
 * and nothing that the counters can hold breaks it.
 */
#define _POSIX_C_SOURCE 200809L

#include "core/time.h"
#include "report/progress.h"

#include <string.h>

#include "check.h"

static struct stats now, before;
static char text[LOG_SHOW_SIZE];

static void
make_typical(void)
{
	memset(&now, 0, sizeof(now));
	memset(&before, 0, sizeof(before));
	now.sends = true;
	now.receives = false;
	now.state = SESSION_RUNNING;
	now.contact_ns = 1;
	now.at_ns = 100 * SECOND;
	before.at_ns = 99 * SECOND;
	now.elapsed_ns = 99 * SECOND;
	now.bytes = 990u << 20;
	before.bytes = 970u << 20;
	now.up = 3;
	now.waited_ns[BOTTLENECK_CONSUMER] = 7;
}

static size_t
make(bool size_given, uint64_t size, size_t columns, bool colours)
{
	struct progress_view v = { &now, &before, size_given, size };

	return progress_make(&v, columns, colours, text);
}

static size_t
visible(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++) {
		if (*s == '\033')
			while (*s != 'm')
				s++;
		else
			n++;
	}
	return n;
}

static void
test_typical(void)
{
	make_typical();
	CHECK(make(false, 0, 79, false) == strlen(text));
	CHECK(strcmp(text, "tx   990 MiB  20.0 MiB/s  mean 10.0 MiB/s  0:01:39  3 legs  "
	    "waits for consumer") == 0);
	make(true, 1980u << 20, 120, false);
	CHECK(strncmp(text, "tx   50%  [", 11) == 0);
	CHECK(strstr(text, "0:01:39 left") != NULL && strstr(text, "=>") != NULL);
	/* More than was promised, and nothing promised. */
	make(true, 1, 120, false);
	CHECK(strstr(text, "100%") != NULL && strstr(text, "0:00:00 left") != NULL);
	make(true, 0, 120, false);
	CHECK(strstr(text, "100%") != NULL && strstr(text, "=]") != NULL);
	/* What is wrong comes before the rates. */
	now.state = SESSION_SUSPENDED;
	now.down_ns = now.at_ns - 7 * SECOND;
	make(false, 0, 28, true);
	CHECK(strstr(text, "\033[31msuspended for 7 s\033[m") != NULL);
	CHECK(strstr(text, "990 MiB") != NULL && strstr(text, "/s") == NULL);
	make(true, 1980u << 20, 120, false);
	CHECK(strstr(text, "-:--:-- left") != NULL);
}

static void
fits(bool size_given, uint64_t size)
{
	size_t columns, used;
	int colours;

	for (columns = 0; columns < 300; columns++)
		for (colours = 0; colours < 2; colours++) {
			memset(text, 'x', sizeof(text));
			used = make(size_given, size, columns, colours == 1);
			CHECK(memchr(text, '\0', sizeof(text)) != NULL);
			CHECK(used <= columns && used <= PROGRESS_WIDEST);
			CHECK(visible(text) == used);
			CHECK(strpbrk(text, "\r\n") == NULL);
		}
}

static void
test_widths(void)
{
	static const enum session_state states[] = {
		SESSION_CONTACT, SESSION_RUNNING, SESSION_SUSPENDED, SESSION_OVER
	};
	size_t i;

	for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		make_typical();
		now.state = states[i];
		fits(false, 0);
		fits(true, 1u << 30);
		fits(true, UINT64_MAX);
		memset(&now, 0xff, sizeof(now));
		now.sends = now.many = true;
		now.receives = i % 2 == 1;
		now.state = states[i];
		now.outcome = OUTCOME_FAILED;
		fits(true, 0);
		fits(true, UINT64_MAX);
		now.outcome = OUTCOME_NONE;
		now.bytes = 1;
		fits(true, UINT64_MAX);
	}
}

int
main(void)
{
	test_typical();
	test_widths();
	return check_done();
}
