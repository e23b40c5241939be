/*
 * target: where terminate connects to.  See target.h.
 */
#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sys/clock.h"
#include "sys/net.h"
#include "sys/thread.h"

#define FRESH_NS	(5 * SECOND)	/* an answer is used so long without another question */

void
target_init(struct target *t, const char *host, const char *port, struct wake *wake)
{
	memset(t, 0, sizeof(*t));
	t->host = host;
	t->port = port;
	t->wake = wake;
	lock_init(&t->lock);
	if (port == NULL) {
		net_unix_address(host, &t->use.list[0]);
		t->use.count = 1;
	}
	t->fixed = port == NULL || lookup_numeric(host, port, &t->use) == 0;
}

static void *
ask(void *argument)
{
	struct target *t = argument;
	struct lookup_answer answer;
	char why[LOOKUP_WHY] = "";
	int result = lookup_now(t->host, t->port, false, &answer, why);

	lock_acquire(&t->lock);
	t->answer = answer;
	memcpy(t->why, why, sizeof(why));
	t->result = result;
	t->asks = false;
	t->news = true;
	lock_release(&t->lock);
	wake_signal(t->wake);
	return NULL;
}

/* An answer that came; whether it was an error. */
static bool
take_answer(struct target *t)
{
	bool failed;

	lock_acquire(&t->lock);
	failed = t->news && t->result != 0;
	if (t->news && !failed)
		t->use = t->answer;
	if (t->news)
		t->asked_ns = clock_now_ns();
	t->news = false;
	lock_release(&t->lock);
	return failed;
}

enum target_state
target_look(struct target *t)
{
	bool failed, asks;
	int error;

	if (t->fixed)
		return TARGET_KNOWN;
	failed = take_answer(t);
	/* The earlier answer may still hold when there is no new one. */
	if (t->use.count > 0 && (failed || clock_now_ns() - t->asked_ns < FRESH_NS))
		return TARGET_KNOWN;
	if (failed)
		return TARGET_UNKNOWN;
	lock_acquire(&t->lock);
	asks = t->asks;
	t->asks = true;
	lock_release(&t->lock);
	if (!asks && (error = thread_start_detached("viamillipede-n", ask, t)) != 0) {
		lock_acquire(&t->lock);
		t->asks = false;
		snprintf(t->why, sizeof(t->why), "%s", strerror(error));
		lock_release(&t->lock);
		return t->use.count > 0 ? TARGET_KNOWN : TARGET_UNKNOWN;
	}
	return TARGET_ASKING;
}
