/*
 * lock: locks and conditions.  A failure that only a bug of ours can cause (a lock
 * taken twice, released by a thread that does not hold it, destroyed while held)
 * ends the process with a line that names the call; nothing here returns an error.
 *
 * Locks are not recursive.  Any thread may call anything.  Objects belong to
 * the caller, stay where they were initialised, and outlive their last use.
 */
#ifndef LOCK_H
#define LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "sys/clock.h"

struct lock {
	pthread_mutex_t mutex;
};

/* A condition variable; each declaration of one states its predicate. */
struct lock_cond {
	pthread_cond_t cond;
};

/* For static locks, which need no lock_init; misuse of them is not detected. */
#define LOCK_INITIALIZER	{ PTHREAD_MUTEX_INITIALIZER }

void	lock_init(struct lock *l);
void	lock_free(struct lock *l);
void	lock_acquire(struct lock *l);
void	lock_release(struct lock *l);

void	lock_cond_init(struct lock_cond *c);

/*
 * Wait with l held; it is released meanwhile. Both may return without a wake-up:
 * test the predicate in a loop. The deadline is absolute, in nanoseconds of
 * clock_now_ns. lock_wait_until returns false once the deadline has passed,
 * otherwise true.
 */
void	lock_wait(struct lock_cond *c, struct lock *l);
bool	lock_wait_until(struct lock_cond *c, struct lock *l,
	    uint64_t deadline_ns);

void	lock_wake(struct lock_cond *c);		/* at least one waiter */
void	lock_wake_all(struct lock_cond *c);

#endif
