/*
 * lookup: the addresses of a name.  See lookup.h.  `ask' runs in a thread of
 * its own, everything else in the thread that dials.
 */
#include "lookup.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lock.h"
#include "wake.h"

/* [I] immutable, [j] under lock, [t] the asking thread's until `over'. */
struct lookup_job {
	char host[256];			/* [I] */
	char port[8];			/* [I] */
	struct wake wake;		/* signalled once, when it is over */
	struct lock lock;
	bool over;			/* [j] */
	bool alone;			/* [j] nobody waits for it any more */
	int result;			/* [t] */
	struct lookup_address list[LOOKUP_ADDRESSES];	/* [t] */
	unsigned count;			/* [t] */
	char why[LOOKUP_WHY];		/* [t] */
};

static int
resolve(const char *host, const char *port, int flags,
    struct lookup_address list[LOOKUP_ADDRESSES], unsigned *count, char why[LOOKUP_WHY])
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
		.ai_flags = flags | AI_NUMERICSERV
	}, *all, *ai;
	int error = getaddrinfo(host, port, &hints, &all);

	*count = 0;
	if (error != 0) {
		snprintf(why, LOOKUP_WHY, "%s", error == EAI_SYSTEM ? strerror(errno) :
		    gai_strerror(error));
		return -1;
	}
	for (ai = all; ai != NULL && *count < LOOKUP_ADDRESSES; ai = ai->ai_next) {
		if (ai->ai_addrlen > sizeof(list->sa))
			continue;
		memset(&list[*count], 0, sizeof(*list));
		memcpy(&list[*count].sa, ai->ai_addr, ai->ai_addrlen);
		list[*count].len = ai->ai_addrlen;
		list[*count].family = ai->ai_family;
		(*count)++;
	}
	freeaddrinfo(all);
	if (*count == 0)
		snprintf(why, LOOKUP_WHY, "no usable address");
	return *count == 0 ? -1 : 0;
}

int
lookup_now(const char *host, const char *port, bool passive,
    struct lookup_address list[LOOKUP_ADDRESSES], unsigned *count, char why[LOOKUP_WHY])
{
	return resolve(host, port, passive ? AI_PASSIVE : 0, list, count, why);
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

	job->result = resolve(job->host, job->port, 0, job->list, &job->count, job->why);
	lock_take(&job->lock);
	job->over = true;
	alone = job->alone;
	/* Under the lock: after it the waiter may free all of this. */
	if (!alone)
		wake_signal(&job->wake);
	lock_drop(&job->lock);
	if (alone)
		job_free(job);
	return NULL;
}

static struct lookup_job *
job_start(const char *host, const char *port)
{
	struct lookup_job *job = calloc(1, sizeof(*job));
	pthread_t thread;
	int error;

	if (job == NULL)
		return NULL;
	snprintf(job->host, sizeof(job->host), "%s", host);
	snprintf(job->port, sizeof(job->port), "%s", port);
	if (wake_init(&job->wake) == -1)
		goto err0;
	lock_init(&job->lock);
	error = thread_start(&thread, "viamillipede-n", ask, job);
	if (error != 0)
		goto err1;
	thread_detach(thread);
	return job;
err1:
	job_free(job);
	errno = error;
	return NULL;
err0:
	free(job);
	return NULL;
}

/* It asks for what is wanted now; another question is left to its thread. */
static bool
job_fits(struct lookup *l, const char *host, const char *port)
{
	struct lookup_job *job = l->job;
	bool over;

	if (job == NULL)
		return false;
	if (strcmp(job->host, host) == 0 && strcmp(job->port, port) == 0)
		return true;
	lock_take(&job->lock);
	job->alone = true;
	over = job->over;
	lock_drop(&job->lock);
	if (over)
		job_free(job);
	l->job = NULL;
	return false;
}

/* 0 when it is over, or an errno. */
static int
job_wait(struct lookup_job *job, unsigned patience_ms, int cancel)
{
	struct pollfd p[2] = {
		{ .fd = wake_fd(&job->wake), .events = POLLIN },
		{ .fd = cancel, .events = POLLIN }
	};
	uint64_t until = clock_now_ns() + patience_ms * UINT64_C(1000000), now;

	while ((now = clock_now_ns()) < until) {
		if (poll(p, 2, (int)((until - now) / 1000000 + 1)) == -1)
			continue;
		if (p[0].revents != 0)
			return 0;
		if (p[1].revents != 0)
			return ECANCELED;
	}
	return ETIMEDOUT;
}

/* The answer, which the lock makes ours. */
static void
job_take(struct lookup *l, char why[LOOKUP_WHY])
{
	struct lookup_job *job = l->job;
	int result;

	lock_take(&job->lock);
	result = job->result;
	lock_drop(&job->lock);
	l->job = NULL;
	if (result == 0) {
		l->count = job->count;
		memcpy(l->list, job->list, sizeof(l->list));
	} else
		snprintf(why, LOOKUP_WHY, "%s", job->why);
	job_free(job);
}

/* An address needs no question, and what is known of it stays. */
static bool
numeric(struct lookup *l)
{
	struct lookup_address list[LOOKUP_ADDRESSES];
	char why[LOOKUP_WHY];
	unsigned count;

	if (resolve(l->host, l->port, AI_NUMERICHOST, list, &count, why) == -1)
		return false;
	memcpy(l->list, list, sizeof(l->list));
	l->count = count;
	return true;
}

int
lookup(struct lookup *l, const char *host, const char *port, unsigned patience_ms, int cancel,
    char why[LOOKUP_WHY])
{
	int error;

	if (l->host != host || l->port != port) {
		l->host = host;
		l->port = port;
		l->count = 0;
	}
	if (numeric(l))
		return 0;
	if (!job_fits(l, host, port) && (l->job = job_start(host, port)) == NULL) {
		snprintf(why, LOOKUP_WHY, "%s", strerror(errno));
		errno = EHOSTUNREACH;
		return -1;
	}
	if (l->count > 0 && patience_ms > LOOKUP_PATIENCE_MS)
		patience_ms = LOOKUP_PATIENCE_MS;
	error = job_wait(l->job, patience_ms, cancel);
	if (error == 0) {
		job_take(l, why);
		error = EHOSTUNREACH;
	} else
		snprintf(why, LOOKUP_WHY, "its name is being looked up");
	if (error != ECANCELED && l->count > 0)
		return 0;
	errno = error;
	return -1;
}
