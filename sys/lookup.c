/*
 * lookup: the addresses of a name.  See lookup.h.  `ask' runs in a thread of
 * its own, everything else in the thread that dials.
 */
#include "sys/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/thread.h"
#include "sys/wake.h"

/* [I] immutable, [j] under lock, [t] the ask thread's until `over'. */
struct lookup_job {
	char host[256];			/* [I] */
	char port[8];			/* [I] */
	struct wake wake;		/* signalled once, when it is over */
	struct lock lock;
	bool over;			/* [j] */
	bool alone;			/* [j] given up: its thread frees it */
	int result;			/* [t] */
	struct lookup_answer answer;	/* [t] */
	char why[LOOKUP_WHY];		/* [t] */
};

static int
resolve(const char *host, const char *port, int flags, struct lookup_answer *answer,
    char why[LOOKUP_WHY])
{
	struct lookup_address *next = answer->list;
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
		.ai_flags = flags | AI_NUMERICSERV
	}, *all, *ai;
	int error = getaddrinfo(host, port, &hints, &all);

	answer->count = 0;
	if (error != 0) {
		snprintf(why, LOOKUP_WHY, "%s", error == EAI_SYSTEM ? strerror(errno) :
		    gai_strerror(error));
		return -1;
	}
	for (ai = all; ai != NULL && answer->count < LOOKUP_ADDRESSES; ai = ai->ai_next) {
		if (ai->ai_addrlen > sizeof(next->sa))
			continue;
		memset(next, 0, sizeof(*next));
		memcpy(&next->sa, ai->ai_addr, ai->ai_addrlen);
		next->len = ai->ai_addrlen;
		next++->family = ai->ai_family;
		answer->count++;
	}
	freeaddrinfo(all);
	if (answer->count == 0)
		snprintf(why, LOOKUP_WHY, "no usable address");
	return answer->count == 0 ? -1 : 0;
}

int
lookup_now(const char *host, const char *port, bool passive, struct lookup_answer *answer,
    char why[LOOKUP_WHY])
{
	return resolve(host, port, passive ? AI_PASSIVE : 0, answer, why);
}

int
lookup_numeric(const char *host, const char *port, struct lookup_answer *answer)
{
	char why[LOOKUP_WHY];

	return resolve(host, port, AI_NUMERICHOST, answer, why);
}

/* Jobs */

static void
job_free(struct lookup_job *job)
{
	wake_free(&job->wake);
	lock_free(&job->lock);
	free(job);
}

static void *
ask(void *argument)
{
	struct lookup_job *job = argument;
	bool alone;

	job->result = resolve(job->host, job->port, 0, &job->answer, job->why);
	lock_acquire(&job->lock);
	job->over = true;
	alone = job->alone;
	/* Under the lock: after its release the waiter may free the job. */
	if (!alone)
		wake_signal(&job->wake);
	lock_release(&job->lock);
	if (alone)
		job_free(job);
	return NULL;
}

static struct lookup_job *
job_start(const char *host, const char *port)
{
	struct lookup_job *job = calloc(1, sizeof(*job));
	int error;

	if (job == NULL)
		return NULL;
	snprintf(job->host, sizeof(job->host), "%s", host);
	snprintf(job->port, sizeof(job->port), "%s", port);
	if (wake_init(&job->wake) == -1)
		goto err0;
	lock_init(&job->lock);
	error = thread_start_detached("viamillipede-n", ask, job);
	if (error != 0)
		goto err1;
	return job;
err1:
	job_free(job);
	errno = error;
	return NULL;
err0:
	free(job);
	return NULL;
}

/* The job under way asks for this name; one that asks for another is given up. */
static bool
job_fits(struct lookup *l, const char *host, const char *port)
{
	struct lookup_job *job = l->job;
	bool over;

	if (job == NULL)
		return false;
	if (strcmp(job->host, host) == 0 && strcmp(job->port, port) == 0)
		return true;
	lock_acquire(&job->lock);
	job->alone = true;
	over = job->over;
	lock_release(&job->lock);
	if (over)
		job_free(job);
	l->job = NULL;
	return false;
}

/* 0 when it is over, or an errno. */
static int
job_wait(struct lookup_job *job, unsigned timeout_ms, int cancel)
{
	struct pollfd p[2] = {
		{ .fd = wake_fd(&job->wake), .events = POLLIN },
		{ .fd = cancel, .events = POLLIN }
	};
	uint64_t until = clock_now_ns() + timeout_ms * MS, now;

	while ((now = clock_now_ns()) < until) {
		if (poll(p, 2, clock_poll_ms(until, now)) == -1)
			continue;
		if (p[0].revents != 0)
			return 0;
		if (p[1].revents != 0)
			return ECANCELED;
	}
	return ETIMEDOUT;
}

/* Takes the answer; the lock orders it after what the thread wrote. */
static void
job_take(struct lookup *l, char why[LOOKUP_WHY])
{
	struct lookup_job *job = l->job;
	int result;

	lock_acquire(&job->lock);
	result = job->result;
	lock_release(&job->lock);
	l->job = NULL;
	if (result == 0)
		l->answer = job->answer;
	else
		snprintf(why, LOOKUP_WHY, "%s", job->why);
	job_free(job);
}

/* A numeric host needs no job. */
static bool
numeric(struct lookup *l)
{
	struct lookup_answer answer;

	if (lookup_numeric(l->host, l->port, &answer) == -1)
		return false;
	l->answer = answer;
	return true;
}

int
lookup(struct lookup *l, const char *host, const char *port, unsigned timeout_ms, int cancel,
    char why[LOOKUP_WHY])
{
	int error;

	if (l->host != host || l->port != port) {
		l->host = host;
		l->port = port;
		l->answer.count = 0;
	}
	if (numeric(l))
		return 0;
	if (!job_fits(l, host, port) && (l->job = job_start(host, port)) == NULL) {
		snprintf(why, LOOKUP_WHY, "%s", strerror(errno));
		errno = EHOSTUNREACH;
		return -1;
	}
	if (l->answer.count > 0 && timeout_ms > LOOKUP_TIMEOUT_MS)
		timeout_ms = LOOKUP_TIMEOUT_MS;
	error = job_wait(l->job, timeout_ms, cancel);
	if (error == 0) {
		job_take(l, why);
		error = EHOSTUNREACH;
	} else
		snprintf(why, LOOKUP_WHY, "its name is being looked up");
	if (error != ECANCELED && l->answer.count > 0)
		return 0;
	errno = error;
	return -1;
}
