/*
 * lock: the pthread calls for locks and conditions, each checked.  Nothing here has
 * state of its own; it runs in whichever thread calls.
 */
#include "sys/lock.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/die.h"

/*
 * A condition waits on CLOCK_MONOTONIC where that can be chosen. Elsewhere it
 * waits on the time of day, which may be set meanwhile: then in slices so short
 * that a step of the clock delays it by one slice at most. Slices are bounded in
 * any case, so that no deadline is too far away for a time_t.
 */
#if defined(_POSIX_CLOCK_SELECTION) && _POSIX_CLOCK_SELECTION > 0
#define SLICE_NS	(3600 * SECOND)
#define COND_CLOCK	CLOCK_MONOTONIC
#else
#define SLICE_NS	SECOND
#define COND_CLOCK	CLOCK_REALTIME
#endif

void
lock_init(struct lock *l)
{
	pthread_mutexattr_t how;

	die_on(pthread_mutexattr_init(&how), "pthread_mutexattr_init");
	die_on(pthread_mutexattr_settype(&how, PTHREAD_MUTEX_ERRORCHECK),
	    "pthread_mutexattr_settype");
	die_on(pthread_mutex_init(&l->mutex, &how), "pthread_mutex_init");
	die_on(pthread_mutexattr_destroy(&how), "pthread_mutexattr_destroy");
}

void
lock_free(struct lock *l)
{
	die_on(pthread_mutex_destroy(&l->mutex), "pthread_mutex_destroy");
}

void
lock_acquire(struct lock *l)
{
	die_on(pthread_mutex_lock(&l->mutex), "pthread_mutex_lock");
}

void
lock_release(struct lock *l)
{
	die_on(pthread_mutex_unlock(&l->mutex), "pthread_mutex_unlock");
}

void
lock_cond_init(struct lock_cond *c)
{
	pthread_condattr_t how;

	die_on(pthread_condattr_init(&how), "pthread_condattr_init");
#if defined(_POSIX_CLOCK_SELECTION) && _POSIX_CLOCK_SELECTION > 0
	die_on(pthread_condattr_setclock(&how, COND_CLOCK),
	    "pthread_condattr_setclock");
#endif
	die_on(pthread_cond_init(&c->cond, &how), "pthread_cond_init");
	die_on(pthread_condattr_destroy(&how), "pthread_condattr_destroy");
}

void
lock_wait(struct lock_cond *c, struct lock *l)
{
	die_on(pthread_cond_wait(&c->cond, &l->mutex), "pthread_cond_wait");
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
	until += COND_CLOCK == CLOCK_MONOTONIC ? now : clock_day_ns();
	t.tv_sec = (time_t)(until / SECOND);
	t.tv_nsec = (long)(until % SECOND);
	error = pthread_cond_timedwait(&c->cond, &l->mutex, &t);
	if (error != ETIMEDOUT)
		die_on(error, "pthread_cond_timedwait");
	return clock_now_ns() < deadline_ns;
}

void
lock_wake(struct lock_cond *c)
{
	die_on(pthread_cond_signal(&c->cond), "pthread_cond_signal");
}

void
lock_wake_all(struct lock_cond *c)
{
	die_on(pthread_cond_broadcast(&c->cond), "pthread_cond_broadcast");
}
