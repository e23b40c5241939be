/*
 * What is made of counters: rates and shares between two looks, states, texts
 * of sizes and times; the table and the summary, also with values that do not
 * fit.
 */
#include "report/stats.h"

#include <string.h>

#include "check.h"
#include "report/summary.h"
#include "sys/clock.h"

static struct stats now, before;
static struct options options;

static void
clear(void)
{
	memset(&now, 0, sizeof(now));
	memset(&before, 0, sizeof(before));
	memset(&options, 0, sizeof(options));
}

static void
test_rates(void)
{
	clear();
	CHECK(stats_rate(&now, &before) == 0 && stats_mean(&now) == 0);
	before.at_ns = 5 * SECOND;
	now.at_ns = 7 * SECOND;
	before.bytes = 1000;
	now.bytes = 5000;
	now.elapsed_ns = 4 * SECOND;
	before.leg[63].bytes = 10;
	now.leg[63].bytes = 30;
	CHECK(stats_rate(&now, &before) == 2000 && stats_mean(&now) == 1250);
	CHECK(stats_leg_rate(&now, &before, 63) == 10 && stats_leg_rate(&now, &before, 0) == 0);
	/* Another session was adopted, or looks are in the wrong order. */
	CHECK(stats_rate(&before, &now) == 0 && stats_leg_rate(&before, &now, 63) == 0);
	now.bytes = UINT64_MAX;
	before.bytes = 0;
	now.at_ns = before.at_ns + SECOND;
	CHECK(stats_rate(&now, &before) > UINT64_MAX / 2);
}

static void
test_states(void)
{
	clear();
	CHECK(strcmp(stats_state(&now, &before), "no contact yet") == 0);
	now.state = SESSION_RUNNING;
	CHECK(strcmp(stats_state(&now, &before), "running") == 0);
	now.waited_ns[BOTTLENECK_SOURCE] = 95;
	now.waited_ns[BOTTLENECK_NETWORK] = 5;
	CHECK(strcmp(stats_state(&now, &before), "waiting for source") == 0);
	before.waited_ns[BOTTLENECK_SOURCE] = 90;
	CHECK(strcmp(stats_state(&now, &before), "running") == 0);
	now.waited_ns[BOTTLENECK_CONSUMER] = 1000;
	CHECK(strcmp(stats_state(&now, &before), "waiting for consumer") == 0);
	now.state = SESSION_SUSPENDED;
	CHECK(strcmp(stats_state(&now, &before), "suspended") == 0);
	now.state = SESSION_OVER;
	now.outcome = OUTCOME_DONE;
	CHECK(strcmp(stats_state(&now, &before), "done") == 0);
}

static void
size_is(uint64_t bytes, const char *want)
{
	char text[STATS_TEXT];

	if (strcmp(stats_size_text(bytes, text), want) != 0) {
		fprintf(stderr, "%s is not %s\n", text, want);
		exit(1);
	}
}

static void
time_is(uint64_t ns, const char *want)
{
	char text[STATS_TEXT];

	if (strcmp(stats_time_text(ns, text), want) != 0) {
		fprintf(stderr, "%s is not %s\n", text, want);
		exit(1);
	}
}

static void
test_texts(void)
{
	char text[STATS_TEXT];
	uint64_t n;

	size_is(0, "0 B");
	size_is(999, "999 B");
	size_is(1000, "0.98 KiB");
	size_is(1024, "1.00 KiB");
	size_is(10229, "9.99 KiB");
	size_is(10240, "10.0 KiB");
	size_is(102400, "100 KiB");
	size_is(1022975, "999 KiB");
	size_is(1023590, "0.98 MiB");
	size_is(1299227607, "1.21 GiB");
	size_is(UINT64_MAX, "16.0 EiB");
	for (n = 1; n < UINT64_MAX / 3; n *= 3)
		CHECK(strlen(stats_size_text(n, text)) <= 8);
	time_is(0, "0:00:00");
	time_is(2 * SECOND + 999000000, "0:00:03");
	time_is(86399 * SECOND, "23:59:59");
	time_is(7 * 86400 * SECOND + 3661 * SECOND, "7d 01:01:01");
	time_is(UINT64_MAX - SECOND, "213503d 23:34:33");
	stats_moment_text(clock_now_ns(), text);
	CHECK(strlen(text) == strlen("2024-02-29T12:00:00.000Z") && text[23] == 'Z');
	CHECK(strncmp(text, "20", 2) == 0 && text[4] == '-' && text[10] == 'T');
	stats_moment_text(0, text);
	CHECK(text[strlen(text) - 1] == 'Z');
}

static void
fill_leg(struct stats_leg *l)
{
	l->known = true;
	l->state = LEG_DIALLING;
	l->frames = l->bytes = UINT64_MAX;
	l->resent = l->redials = l->rtt_us = l->retransmissions = UINT32_MAX;
	memset(l->peer, 'p', sizeof(l->peer) - 1);
}

static void
test_table(void)
{
	static char text[SUMMARY_TABLE], small[200];
	size_t n, i, lines = 0;

	clear();
	now.sends = true;
	n = summary_table(&now, &before, &options, text, sizeof(text));
	CHECK(n == strlen(text) && text[n - 1] == '\n' && strstr(text, "path") == NULL);
	/* The largest there is, on both sides. */
	memset(&now, 0xff, sizeof(now));
	now.state = SESSION_SUSPENDED;
	now.sends = now.receives = now.caller = now.checked = now.many = true;
	for (i = 0; i < OPTIONS_PATHS_MAX; i++) {
		memset(options.paths[i].host, 'h', sizeof(options.paths[i].host) - 1);
		memcpy(options.paths[i].port, "65535", 6);
	}
	for (i = 0; i < FRAME_LEGS; i++) {
		fill_leg(&now.leg[i]);
		now.leg[i].path = (unsigned)i % OPTIONS_PATHS_MAX;
	}
	for (i = 0; i < 2; i++) {
		n = summary_table(&now, &before, &options, text, sizeof(text));
		CHECK(n == strlen(text) && n < sizeof(text) - 200 && text[n - 1] == '\n');
		CHECK(strstr(text, "\n  127 ") != NULL && strstr(text, "suspended since") != NULL);
		now.sends = now.caller = false;
		now.receives = true;
	}
	for (i = 0; i < n; i++)
		lines += text[i] == '\n';
	CHECK(lines == 4 + 1 + FRAME_LEGS);
	/* No room: cut, and whole as far as it goes. */
	n = summary_table(&now, &before, &options, small, sizeof(small));
	CHECK(n == strlen(small) && n < sizeof(small));
}

static void
test_summary(void)
{
	char text[SUMMARY_LINE];

	clear();
	now.sends = true;
	now.outcome = OUTCOME_DONE;
	now.bytes = 1048576;
	now.elapsed_ns = 2 * SECOND;
	now.carriers = 1;
	now.losses = 2;
	now.resent_bytes = 5;
	now.longest_ns = SECOND * 3 / 2;
	now.digest = 0xabcULL;
	now.waited_ns[BOTTLENECK_SOURCE] = 1;
	summary_line(&now, text, sizeof(text));
	CHECK(strcmp(text, "sent 1048576 bytes (1.00 MiB) in 2.000 s, 512 KiB/s; 1 leg, "
	    "2 losses survived, 5 B sent again, longest outage 1.5 s; waited for source "
	    "100 %, network 0 %, consumer 0 %: the source was the bottleneck") == 0);
	now.checked = true;
	now.sends = false;
	now.receives = true;
	summary_line(&now, text, sizeof(text));
	CHECK(strstr(text, "received 1048576 ") != NULL);
	CHECK(strstr(text, "; digest 0000000000000abc; ") != NULL);
	now.sends = true;
	summary_line(&now, text, sizeof(text));
	CHECK(strstr(text, "sent and received 1048576 ") == text);
	CHECK(strstr(text, "5 B sent again or came twice") != NULL);
	now.sends = false;
	now.outcome = OUTCOME_FAILED;
	summary_line(&now, text, sizeof(text));
	CHECK(strstr(text, "before it failed") != NULL && strstr(text, "digest") == NULL);
	memset(&now, 0xff, sizeof(now));
	now.sends = now.checked = true;
	now.receives = false;
	now.outcome = OUTCOME_DONE;
	summary_line(&now, text, sizeof(text));
	CHECK(strlen(text) < sizeof(text) - 100);
}

int
main(void)
{
	test_rates();
	test_states();
	test_texts();
	test_table();
	test_summary();
	return check_done();
}
