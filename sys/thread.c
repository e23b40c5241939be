/*
 * thread: how a thread starts.  See thread.h; runs in whichever thread calls it.
 */
#include "sys/thread.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "sys/die.h"

#define NAME_SIZE	16	/* what the kernel keeps, with its NUL */

/*
 * Our own deepest calls need some 100 KiB, and the resolver's modules less than
 * 128 KiB, which is all that some systems give a thread.  The default is often 8 MiB
 * of address space for each thread, too much under a limit.
 */
#define STACK_SIZE	(512u << 10)

/* What a new thread needs to know; allocated by its parent, freed by the thread. */
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

/*
 * Signals go to the threads that wait for them, those of a fault to the faulting
 * thread.  In the background a thread that reads from or writes to the terminal must
 * stop the process: with the signal blocked, the read would fail instead.
 */
static void
signals_of_threads(sigset_t *blocked)
{
	static const int open[] = { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV,
	    SIGSYS, SIGTRAP, SIGTTIN, SIGTTOU, SIGTSTP };

	sigfillset(blocked);
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		sigdelset(blocked, open[i]);
}

static int
create(struct birth *birth)
{
	pthread_attr_t how;
	pthread_t thread;
	int error;

	if ((error = pthread_attr_init(&how)) != 0)
		return error;
	die_on(pthread_attr_setdetachstate(&how, PTHREAD_CREATE_DETACHED),
	    "pthread_attr_setdetachstate");
	/* A system that needs larger stacks keeps its default. */
	(void)pthread_attr_setstacksize(&how, STACK_SIZE);
	error = pthread_create(&thread, &how, run, birth);
	(void)pthread_attr_destroy(&how);
	return error;
}

int
thread_start_detached(const char *name, void *(*start)(void *), void *argument)
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

	/* A thread inherits its mask, so no signal reaches it before it runs. */
	signals_of_threads(&blocked);
	die_on(pthread_sigmask(SIG_SETMASK, &blocked, &before),
	    "pthread_sigmask");
	error = create(birth);
	die_on(pthread_sigmask(SIG_SETMASK, &before, NULL), "pthread_sigmask");
	if (error != 0)
		free(birth);
	return error;
}

void
thread_once(pthread_once_t *once, void (*act)(void))
{
	die_on(pthread_once(once, act), "pthread_once");
}
