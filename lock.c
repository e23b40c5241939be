/*
 * The pthread calls, each checked. Nothing here has state of its own; it runs
 * in whichever thread calls. A failure is a bug of ours or a system out of its
 * senses, and goes through log_die, which takes no lock.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "lock.h"
#include "log.h"

#define SECOND_NS	UINT64_C(1000000000)
#define NAME_SIZE	16	/* what the kernel keeps, with its NUL */

/*
 * A condition waits on CLOCK_MONOTONIC where that can be chosen. Elsewhere it
 * waits on the clock of the day, which may be set meanwhile: then in slices
 * short enough that a step costs no more than one of them. Slices are bounded
 * in any case, so that no deadline is too far away for a time_t.
 */
#if defined(_POSIX_CLOCK_SELECTION) && _POSIX_CLOCK_SELECTION > 0
#define SLICE_NS	(3600 * SECOND_NS)
#define COND_CLOCK	CLOCK_MONOTONIC
#else
#define SLICE_NS	SECOND_NS
#define COND_CLOCK	CLOCK_REALTIME
#endif

static void
must(int error, const char *call)
{
	if (error != 0)
		log_die("%s: %s", call, strerror(error));
}

void
lock_init(struct lock *l)
{
	pthread_mutexattr_t how;

	must(pthread_mutexattr_init(&how), "pthread_mutexattr_init");
	must(pthread_mutexattr_settype(&how, PTHREAD_MUTEX_ERRORCHECK),
	    "pthread_mutexattr_settype");
	must(pthread_mutex_init(&l->mutex, &how), "pthread_mutex_init");
	must(pthread_mutexattr_destroy(&how), "pthread_mutexattr_destroy");
}

void
lock_free(struct lock *l)
{
	must(pthread_mutex_destroy(&l->mutex), "pthread_mutex_destroy");
}

void
lock_take(struct lock *l)
{
	must(pthread_mutex_lock(&l->mutex), "pthread_mutex_lock");
}

void
lock_drop(struct lock *l)
{
	must(pthread_mutex_unlock(&l->mutex), "pthread_mutex_unlock");
}

void
lock_cond_init(struct lock_cond *c)
{
	pthread_condattr_t how;

	must(pthread_condattr_init(&how), "pthread_condattr_init");
#if defined(_POSIX_CLOCK_SELECTION) && _POSIX_CLOCK_SELECTION > 0
	must(pthread_condattr_setclock(&how, COND_CLOCK),
	    "pthread_condattr_setclock");
#endif
	must(pthread_cond_init(&c->cond, &how), "pthread_cond_init");
	must(pthread_condattr_destroy(&how), "pthread_condattr_destroy");
}

void
lock_cond_free(struct lock_cond *c)
{
	must(pthread_cond_destroy(&c->cond), "pthread_cond_destroy");
}

void
lock_wait(struct lock_cond *c, struct lock *l)
{
	must(pthread_cond_wait(&c->cond, &l->mutex), "pthread_cond_wait");
}

static uint64_t
clock_read_ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		must(errno, "clock_gettime");
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

uint64_t
clock_now_ns(void)
{
	return clock_read_ns(CLOCK_MONOTONIC);
}

bool
lock_wait_until(struct lock_cond *c, struct lock *l, uint64_t deadline_ns)
{
	uint64_t now = clock_now_ns(), until;
	struct timespec t;
	int error;

	if (now >= deadline_ns)
		return false;
	until = deadline_ns - now;
	if (until > SLICE_NS)
		until = SLICE_NS;
	until += COND_CLOCK == CLOCK_MONOTONIC ? now :
	    clock_read_ns(COND_CLOCK);
	t.tv_sec = (time_t)(until / SECOND_NS);
	t.tv_nsec = (long)(until % SECOND_NS);
	error = pthread_cond_timedwait(&c->cond, &l->mutex, &t);
	if (error != ETIMEDOUT)
		must(error, "pthread_cond_timedwait");
	return clock_now_ns() < deadline_ns;
}

void
lock_wake(struct lock_cond *c)
{
	must(pthread_cond_signal(&c->cond), "pthread_cond_signal");
}

void
lock_wake_all(struct lock_cond *c)
{
	must(pthread_cond_broadcast(&c->cond), "pthread_cond_broadcast");
}

/* What a new thread needs to know; allocated by its parent, freed by it. */
struct birth {
	void *(*start)(void *);
	void *argument;
	char name[NAME_SIZE];
};

static void
name_self(const char *name)
{
#ifdef PR_SET_NAME
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
#else
	(void)name;
#endif
}

static void *
run(void *argument)
{
	struct birth birth = *(struct birth *)argument;

	free(argument);
	name_self(birth.name);
	return birth.start(birth.argument);
}

/* Signals are for the threads that ask for them, faults for whoever errs. */
static void
signals_of_threads(sigset_t *blocked)
{
	static const int faults[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV,
	    SIGSYS, SIGTRAP };

	sigfillset(blocked);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(blocked, faults[i]);
}

int
thread_start(pthread_t *thread, const char *name, void *(*start)(void *),
    void *argument)
{
	struct birth *birth;
	sigset_t blocked, before;
	size_t length = strlen(name);
	int error;

	if ((birth = malloc(sizeof(*birth))) == NULL)
		return ENOMEM;
	birth->start = start;
	birth->argument = argument;
	if (length >= NAME_SIZE)
		length = NAME_SIZE - 1;
	memcpy(birth->name, name, length);
	birth->name[length] = '\0';

	/* A thread inherits its mask: so no signal can come in between. */
	signals_of_threads(&blocked);
	must(pthread_sigmask(SIG_SETMASK, &blocked, &before),
	    "pthread_sigmask");
	error = pthread_create(thread, NULL, run, birth);
	must(pthread_sigmask(SIG_SETMASK, &before, NULL), "pthread_sigmask");
	if (error != 0)
		free(birth);
	return error;
}

void *
thread_join(pthread_t thread)
{
	void *result;

	must(pthread_join(thread, &result), "pthread_join");
	return result;
}

void
thread_detach(pthread_t thread)
{
	must(pthread_detach(thread), "pthread_detach");
}

void
thread_once(pthread_once_t *once, void (*act)(void))
{
	must(pthread_once(once, act), "pthread_once");
}
