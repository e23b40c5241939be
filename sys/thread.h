/*
 * thread: starting threads.  Any thread may call.  What can only fail through a
 * bug of ours ends the process (see die.h).
 */
#ifndef THREAD_H
#define THREAD_H

#include <pthread.h>

/*
 * Starts a thread that nobody waits for, with all signals blocked but those of its
 * own faults and of the terminal, so that signals reach the threads that wait for
 * them.  name is what top -H shows, cut to 15 characters, where the system supports
 * names; it is copied.  Returns 0, or an errno value (EAGAIN: the system has no more
 * threads) that the caller reports.
 */
int thread_start_detached(const char *name, void *(*start)(void *), void *argument);

/* Runs act once for each once (PTHREAD_ONCE_INIT), before any such call returns. */
void thread_once(pthread_once_t *once, void (*act)(void));

#endif
