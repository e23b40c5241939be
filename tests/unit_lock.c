/*
 * Locks, conditions, the clock and threads: that they do what they are for,
 * and that misuse ends the process with a line and status 1.
 */
#define _POSIX_C_SOURCE 200809L

#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "check.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "sys/thread.h"

static void *
join(pthread_t thread)
{
	void *result;

	CHECK(pthread_join(thread, &result) == 0);
	return result;
}

/* One datum handed to and fro between two threads: turn says whose it is. */
static struct {
	struct lock lock;
	struct lock_cond turned;	/* turn has changed */
	int turn;
	long count;
} table;

#define TURNS	20000L

static void *
play(void *argument)
{
	int me = *(int *)argument;

	lock_acquire(&table.lock);
	while (table.count < TURNS) {
		if (table.turn != me) {
			lock_wait(&table.turned, &table.lock);
			continue;
		}
		table.count++;
		table.turn = !me;
		lock_wake(&table.turned);
	}
	lock_wake_all(&table.turned);
	lock_release(&table.lock);
	return argument;
}

static void
test_turns(void)
{
	pthread_t threads[2];
	int names[2] = { 0, 1 };

	lock_init(&table.lock);
	lock_cond_init(&table.turned);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], NULL, play, &names[i])
		    == 0);
	for (int i = 0; i < 2; i++)
		CHECK(join(threads[i]) == &names[i]);
	CHECK(table.count == TURNS);
	lock_free(&table.lock);
}

/* Four threads add without a condition; static locks need no lock_init. */
static struct lock sum_lock = LOCK_INITIALIZER;
static long sum;

static void *
add(void *argument)
{
	for (int i = 0; i < 50000; i++) {
		lock_acquire(&sum_lock);
		sum++;
		lock_release(&sum_lock);
	}
	return argument;
}

static void
test_exclusion(void)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, add, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(join(threads[i]) == NULL);
	CHECK(sum == 200000);
}

static void
test_deadlines(void)
{
	uint64_t now, before = clock_now_ns(), deadline;
	struct lock_cond cond;
	struct lock lock;
	int wakes = 0;

	for (int i = 0; i < 100000; i++, before = now)
		CHECK((now = clock_now_ns()) >= before);

	lock_init(&lock);
	lock_cond_init(&cond);
	lock_acquire(&lock);
	CHECK(!lock_wait_until(&cond, &lock, 0));
	CHECK(!lock_wait_until(&cond, &lock, clock_now_ns()));
	CHECK(clock_now_ns() - before < 10000 * MS);
	deadline = clock_now_ns() + 50 * MS;
	while (lock_wait_until(&cond, &lock, deadline))
		CHECK(clock_now_ns() < deadline);
	CHECK(clock_now_ns() >= deadline);
	CHECK(clock_now_ns() < deadline + 5000 * MS);
	/* Longer than the slices in which some systems wait. */
	deadline = clock_now_ns() + 1200 * MS;
	while (lock_wait_until(&cond, &lock, deadline)) {
		CHECK(clock_now_ns() < deadline);
		wakes++;
	}
	CHECK(clock_now_ns() >= deadline);
	CHECK(wakes < 100);	/* it slept */
	lock_release(&lock);
	lock_free(&lock);
}

/* Woken long before a deadline, whichever; also by one that never comes. */
static struct {
	struct lock lock;
	struct lock_cond rung;		/* waiting or rings has changed */
	int waiting, rings;
} bell;

static void *
listen_for_it(void *argument)
{
	uint64_t deadline = *(uint64_t *)argument;

	lock_acquire(&bell.lock);
	bell.waiting++;
	lock_wake_all(&bell.rung);
	while (bell.rings == 0)
		CHECK(lock_wait_until(&bell.rung, &bell.lock, deadline));
	lock_release(&bell.lock);
	return NULL;
}

static void
test_woken(void)
{
	uint64_t deadlines[3] = { CLOCK_NEVER, CLOCK_NEVER - 1,
	    clock_now_ns() + 600000 * MS };
	pthread_t threads[3];

	lock_init(&bell.lock);
	lock_cond_init(&bell.rung);
	for (int i = 0; i < 3; i++)
		CHECK(pthread_create(&threads[i], NULL, listen_for_it,
		    &deadlines[i]) == 0);
	lock_acquire(&bell.lock);
	while (bell.waiting < 3)
		lock_wait(&bell.rung, &bell.lock);
	bell.rings++;
	lock_wake_all(&bell.rung);
	lock_release(&bell.lock);
	for (int i = 0; i < 3; i++)
		CHECK(join(threads[i]) == NULL);
	lock_free(&bell.lock);
}

static void *
look_at_self(void *argument)
{
	static const int theirs[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2,
	    SIGPIPE, SIGALRM, SIGCHLD, SIGWINCH };
	static const int ours[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	sigset_t mask;

	CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
		CHECK(sigismember(&mask, theirs[i]) == 1);
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		CHECK(sigismember(&mask, ours[i]) == 0);
#ifdef PR_GET_NAME
	char name[16];

	CHECK(prctl(PR_GET_NAME, name, 0, 0, 0) == 0);
	CHECK(strcmp(name, argument) == 0);
#endif
	return argument;
}

static sigset_t before;		/* main's mask when there was one thread */
static void *shown_by;		/* under the bell's lock: what look_at_self returned */

static void *
ring(void *argument)
{
	void *result = look_at_self(argument);

	lock_acquire(&bell.lock);
	bell.rings++;
	shown_by = result;
	lock_wake(&bell.rung);
	lock_release(&bell.lock);
	return NULL;
}

static void
test_threads(void)
{
	static char shown[] = "viamillipede 63", given[] = "viamillipede 63xyz";
	sigset_t after;

	lock_init(&bell.lock);
	lock_cond_init(&bell.rung);
	bell.rings = 0;
	CHECK(thread_start_detached(given, ring, shown) == 0);
	memset(given, 'x', sizeof(given) - 1);	/* the name was copied */
	lock_acquire(&bell.lock);
	while (bell.rings == 0)
		lock_wait(&bell.rung, &bell.lock);
	CHECK(shown_by == shown);
	lock_release(&bell.lock);
	CHECK(pthread_sigmask(SIG_SETMASK, NULL, &after) == 0);
	for (int i = 1; i < 32; i++)
		CHECK(sigismember(&before, i) == sigismember(&after, i));
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int acts;

static void
act(void)
{
	acts++;
}

static void *
act_once(void *argument)
{
	thread_once(&once, act);
	CHECK(acts == 1);
	return argument;
}

static void
test_once(void)
{
	pthread_t threads[8];

	for (int i = 0; i < 8; i++)
		CHECK(pthread_create(&threads[i], NULL, act_once, NULL) == 0);
	for (int i = 0; i < 8; i++)
		CHECK(join(threads[i]) == NULL);
	CHECK(acts == 1);
}

/* Each of these is a bug, and must not come back. */
static void
misuse_acquire_twice(void)
{
	struct lock lock;

	lock_init(&lock);
	lock_acquire(&lock);
	lock_acquire(&lock);
}

static void
misuse_release_free(void)
{
	struct lock lock;

	lock_init(&lock);
	lock_release(&lock);
}

static void *
drop_it(void *argument)
{
	lock_release(argument);
	return NULL;
}

static void
misuse_release_other(void)
{
	struct lock lock;
	pthread_t thread;

	lock_init(&lock);
	lock_acquire(&lock);
	if (pthread_create(&thread, NULL, drop_it, &lock) == 0)
		(void)join(thread);
}

static void
dies(void (*misuse)(void), const char *said)
{
	char text[1024];
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	fflush(stdout);
	CHECK(pipe(fds) == 0);
	CHECK((pid = fork()) != -1);
	if (pid == 0) {
		(void)dup2(fds[1], STDERR_FILENO);
		(void)alarm(20);
		misuse();
		_exit(42);
	}
	(void)close(fds[1]);
	CHECK(waitpid(pid, &status, 0) == pid);
	n = read(fds[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	(void)close(fds[0]);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	CHECK(strstr(text, "viamillipede: ") != NULL);
	CHECK(strstr(text, said) != NULL);
}

/* A sanitizer for threads has a word of its own for misuse. */
#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN	1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN	1
#endif
#endif

static void
test_misuse(void)
{
#ifdef UNDER_TSAN
	(void)dies;
	(void)misuse_acquire_twice;
	(void)misuse_release_free;
	(void)misuse_release_other;
	printf("not tested under this sanitizer: misuse\n");
#else
	dies(misuse_acquire_twice, "pthread_mutex_lock");
	dies(misuse_release_free, "pthread_mutex_unlock");
	dies(misuse_release_other, "pthread_mutex_unlock");
#endif
}

int
main(void)
{
	(void)alarm(120);
	CHECK(pthread_sigmask(SIG_SETMASK, NULL, &before) == 0);
	test_turns();
	test_exclusion();
	test_deadlines();
	test_woken();
	test_threads();
	test_once();
	test_misuse();
	return check_done();
}
