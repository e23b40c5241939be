/*
 * Threads, locks, conditions and the clock that their deadlines are on: the
 * one place where pthread calls are made. Whatever can only fail through a bug
 * of ours (a lock taken twice, dropped by a thread that does not hold it,
 * destroyed while held) ends the process with a line that names the call;
 * nothing here returns an error but thread_start.
 *
 * Locks are not recursive. Any thread may call anything. Objects belong to
 * the caller, stay where they were initialised, and outlive their last use.
 */

#ifndef LOCK_H
#define LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
	pthread_mutex_t mutex;
};

/* A condition variable; its predicate is said where it is declared. */
struct lock_cond {
	pthread_cond_t cond;
};

/* For locks of static storage, which need no lock_init; misuse goes unseen. */
#define LOCK_INITIALIZER	{ PTHREAD_MUTEX_INITIALIZER }

/* A deadline that never comes. */
#define LOCK_FOREVER		UINT64_MAX

void	lock_init(struct lock *l);
void	lock_free(struct lock *l);
void	lock_take(struct lock *l);
void	lock_drop(struct lock *l);

void	lock_cond_init(struct lock_cond *c);
void	lock_cond_free(struct lock_cond *c);

/*
 * Wait with l held, which is dropped meanwhile. Both may wake for no reason:
 * test the predicate in a loop. The deadline is absolute, in nanoseconds of
 * clock_now_ns. lock_wait_until returns false once it has passed, true when
 * woken before.
 */
void	lock_wait(struct lock_cond *c, struct lock *l);
bool	lock_wait_until(struct lock_cond *c, struct lock *l,
	    uint64_t deadline_ns);

void	lock_wake(struct lock_cond *c);		/* at least one that waits */
void	lock_wake_all(struct lock_cond *c);

/* Nanoseconds since some moment in the past; never steps. */
uint64_t	clock_now_ns(void);

/*
 * Start a thread with all signals blocked but those that a fault of its own
 * raises, so that signals reach the threads that ask for them. name is what
 * top -H shows, cut to 15 characters, where the system can; it is copied.
 * Returns 0, or an errno value (EAGAIN: no thread to be had) that the caller
 * reports. Every thread is joined with thread_join or let go with
 * thread_detach, once.
 */
int	thread_start(pthread_t *thread, const char *name,
	    void *(*start)(void *), void *argument);
void	*thread_join(pthread_t thread);
void	thread_detach(pthread_t thread);

/* Run act if nobody has before; return when it has been run. */
void	thread_once(pthread_once_t *once, void (*act)(void));

#endif
