/*
 * The report: texts as JSON strings; each line in one write; a line of which
 * only a part was taken is completed before the next, and lines that find no
 * room are counted.
 */
#define _XOPEN_SOURCE 700

#include "report/report.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "sys/log.h"

static void
quoted(const char *text, const char *want)
{
	char to[512];
	size_t n = report_quote(text, to, sizeof(to));

	if (n != strlen(want) || strcmp(to, want) != 0) {
		fprintf(stderr, "%s is not %s\n", to, want);
		exit(1);
	}
}

static void
test_quote(void)
{
	char all[256], to[2048];
	size_t i, n;

	quoted("", "\"\"");
	quoted("a \"b\" \\ /", "\"a \\\"b\\\" \\\\ /\"");
	quoted("\001\n\177", "\"\\u0001\\u000a\\u007f\"");
	quoted("\303\251\342\202\254", "\"\\u00e9\\u20ac\"");
	quoted("\360\237\220\233", "\"\\ud83d\\udc1b\"");
	quoted("\364\217\277\277", "\"\\udbff\\udfff\"");
	/* Overlong, a surrogate, too high, cut, alone. */
	quoted("\300\200", "\"\\ufffd\\ufffd\"");
	quoted("\340\200\200", "\"\\ufffd\\ufffd\\ufffd\"");
	quoted("\355\240\200", "\"\\ufffd\\ufffd\\ufffd\"");
	quoted("\364\220\200\200", "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	quoted("\360\237\220", "\"\\ufffd\\ufffd\\ufffd\"");
	quoted("\342\202x\377", "\"\\ufffd\\ufffdx\\ufffd\"");
	for (i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	all[255] = '\0';
	n = report_quote(all, to, sizeof(to));
	CHECK(n > 0 && n <= 255 * 6 + 2);
	for (i = 0; i < n; i++)
		CHECK(to[i] >= ' ' && to[i] <= '~');
	for (i = 0; i < n + 1; i++)
		CHECK(report_quote(all, to, i) == 0);
	CHECK(report_quote(all, to, n + 1) == n);
}

static void
make_stats(struct stats *s, unsigned legs)
{
	unsigned i;

	memset(s, 0, sizeof(*s));
	s->sends = false;
	s->contact_ns = 1;
	for (i = 0; i < legs; i++) {
		s->leg[i].known = true;
		s->leg[i].bytes = UINT64_MAX;
		memset(s->leg[i].peer, '\377', sizeof(s->leg[i].peer) - 1);
	}
}

/* Every call makes one datagram, which is one line. */
static void
test_one_write(void)
{
	static struct stats now, before;
	static struct options options;
	static char line[200000];
	struct event e = { .kind = EVENT_DOWN, .name = "\"", .why = "\\\r\n" };
	struct report r = { .wanted = true };
	int pair[2], count = 0, most = 300000;
	ssize_t n;

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
	r.fd = pair[0];
	options.mode = OPTIONS_TX;
	options.calls = true;
	options.npaths = OPTIONS_PATHS_MAX;
	for (unsigned i = 0; i < OPTIONS_PATHS_MAX; i++)
		memset(options.paths[i].host, '\303', OPTIONS_TEXT_SIZE - 1);
	make_stats(&now, FRAME_LEGS);
	now.outcome = OUTCOME_FAILED;
	report_start(&r, &options, "\"1\"");
	report_interval(&r, &now, &before);
	report_event(&r, &e, true, 1);
	e.kind = EVENT_OUTAGE;
	report_event(&r, &e, true, 1);
	report_end(&r, &now, "why\n", 5);
	while ((n = recv(pair[1], line, sizeof(line), MSG_DONTWAIT)) > 0) {
		count++;
		CHECK(line[0] == '{' && line[n - 2] == '}' && line[n - 1] == '\n');
		CHECK(memchr(line, '\n', (size_t)n) == line + n - 1);
		CHECK(count != 1 || n > 90000);
	}
	CHECK(count == 5 && r.left_out == 0);
	CHECK(strstr(line, "\"left_out\":5}") != NULL);
	report_close(&r);
	close(pair[1]);
}

/* A pipe that is almost full: what is read in the end is whole lines. */
static void
test_rest(void)
{
	static struct stats now, before;
	static char text[1 << 20];
	struct report r = { .wanted = true };
	int ends[2], lines = 0, written = 0;
	size_t have = 0, i;
	uint64_t left;
	ssize_t n;

	log_set(0);
	CHECK(pipe(ends) == 0);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	r.fd = ends[1];
	make_stats(&now, 40);
	for (int round = 0; round < 60; round++) {
		left = r.left_out;
		report_interval(&r, &now, &before);
		written += left == r.left_out;
		/* Read in pieces that are no lines. */
		if (round % 3 == 2 && (n = read(ends[0], text + have, 17777)) > 0)
			have += (size_t)n;
	}
	CHECK(r.left_out > 5 && written > 5 && written + (int)r.left_out == 60);
	while ((n = read(ends[0], text + have, sizeof(text) - have)) > 0)
		have += (size_t)n;
	report_close(&r);
	while ((n = read(ends[0], text + have, sizeof(text) - have)) > 0)
		have += (size_t)n;
	for (i = 0; i < have; i++)
		if (text[i] == '\n') {
			lines++;
			CHECK(text[i - 1] == '}' && (i + 1 == have || text[i + 1] == '{'));
		}
	CHECK(lines == written && text[have - 1] == '\n');
	close(ends[0]);
}

static void
test_open(void)
{
	char name[] = "/tmp/unit_report.XXXXXX", why[REPORT_WHY];
	int fd = mkstemp(name);
	struct report r;

	CHECK(fd != -1 && write(fd, "old", 3) == 3);
	CHECK(report_open(&r, name, fd, why) == -1 && strstr(why, "stream") != NULL);
	CHECK(lseek(fd, 0, SEEK_END) == 3 && !r.wanted);
	CHECK(report_open(&r, name, STDIN_FILENO, why) == 0);
	CHECK(lseek(fd, 0, SEEK_END) == 0);
	report_close(&r);
	CHECK(unlink(name) == 0 && !r.wanted);
	close(fd);
	CHECK(report_open(&r, "/no/such/file", STDIN_FILENO, why) == -1 && why[0] != '\0');
	/* Nobody wants it. */
	report_interval(&r, NULL, NULL);
	report_close(&r);
	CHECK(report_open(&r, "-", STDIN_FILENO, why) == 0 && r.standard_error);
	report_close(&r);
}

int
main(void)
{
	test_quote();
	test_one_write();
	test_rest();
	test_open();
	return check_done();
}
