/*
 * command: a program at one end of the stream.  See command.h.  This file has two
 * threads: one starts it, reads its standard error and keeps the time; the other
 * only waits for it to end.
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <time.h>
#include <unistd.h>

#include "sys/child.h"
#include "sys/clock.h"
#include "sys/guardian.h"
#include "sys/lock.h"
#include "sys/log.h"
#include "sys/thread.h"
#include "sys/wake.h"

#define GRACE_NS	(5 * SECOND)	/* between SIGTERM and SIGKILL */
#define HANGUP_NS	SECOND		/* between SIGHUP and SIGTERM */
#define REAP_NS		(2 * SECOND)	/* after SIGKILL, until the group is empty */
#define ASK_NS		SECOND
/* our standard error must take the command's last output within this */
#define LAST_NS		SECOND
#define LAST_BYTES	(1u << 20)	/* most of it, if a process left behind goes on writing */
#define PASS		4096		/* bytes passed on at once */
#define SHELL		"/bin/sh"

enum command_state { COMMAND_NEW, COMMAND_STARTED, COMMAND_ENDED, COMMAND_GONE };

/* [I] immutable once it is started, [c] under lock, [t] the command's own thread only. */
struct command {
	char *const *argv;		/* [I] */
	const char *side;		/* [I] whose it is */
	bool consumer;			/* [I] it reads the stream */
	bool hangs_up;			/* [I] see command_hangs_up */
	/* [I] our ends of its input and output, not owned; -1 = it has ours */
	int input;
	int output;
	int theirs[2];			/* [t] the other ends of these pipes; owned; or -1 */
	/* [t] its standard error, to be read; owned, -1 = at its end */
	int errors;
	int errors_theirs;		/* [t] to be written; owned */
	void (*tell)(void *cookie);	/* [I] */
	void *cookie;			/* [I] */
	struct wake wake;		/* something that [t] looks at has changed */
	struct lock lock;
	/* The state changed; signalled by [t], or by the thread that ends it before [t] exists. */
	struct lock_cond changed;
	enum command_state state;	/* [c] */
	pid_t pid;			/* [c] of the process and its group, unless it is 0 */
	bool dead;			/* [c] the process has ended, but not its output */
	int code;			/* [c] its exit status, where signal is 0 */
	int signal;			/* [c] */
	uint64_t ask_ns;		/* [c] command_ask was called then; 0 = not */
	uint64_t stop_ns;		/* [c] command_stop */
	bool hurry;			/* [c] */
	bool finish;			/* [c] */
	char tail[COMMAND_TAIL];	/* [c] */
	size_t tail_length;		/* [c] */
	bool cut;			/* [c] there was more before it */
	uint64_t last_ns;		/* [t] when the rest is dropped; 0 = never */
	bool terminated;		/* [t] with hangs_up: SIGTERM was sent */
	bool killed;			/* [t] */
	bool answered;			/* [t] `tell' was called for command_ask */
};

static void
close_pipe(const int end[2])
{
	if (end[0] != -1)
		close(end[0]);
	if (end[1] != -1)
		close(end[1]);
}

struct command *
command_new(char *const *argv, const char *side, bool source, bool consumer)
{
	struct command *c = calloc(1, sizeof(*c));
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, errors[2], error;

	if (c == NULL)
		return NULL;
	if (wake_init(&c->wake) == -1)
		goto err0;
	if ((consumer && child_pipe(in) == -1) || (source && child_pipe(out) == -1))
		goto err1;
	if (child_pipe(errors) == -1 || fcntl(errors[0], F_SETFL, O_NONBLOCK) == -1)
		goto err1;
	/* Now, as the stream may be complete before the command runs. */
	if (consumer && guardian_hold(in[1]) == -1)
		goto err2;
	c->argv = argv;
	c->side = side;
	c->consumer = consumer;
	c->input = in[1];
	c->output = out[0];
	c->theirs[0] = in[0];
	c->theirs[1] = out[1];
	c->errors = errors[0];
	c->errors_theirs = errors[1];
	lock_init(&c->lock);
	lock_cond_init(&c->changed);
	/* A process that ignores SIGCHLD cannot wait for its children. */
	signal(SIGCHLD, SIG_DFL);
	return c;
err2:
	error = errno;
	close_pipe(errors);
	errno = error;
err1:
	error = errno;
	close_pipe(in);
	close_pipe(out);
	wake_free(&c->wake);
	errno = error;
err0:
	error = errno;
	free(c);
	errno = error;
	return NULL;
}

int
command_input(const struct command *c)
{
	return c->input;
}

int
command_output(const struct command *c)
{
	return c->output;
}

void
command_hangs_up(struct command *c)
{
	c->hangs_up = true;
}

void
command_watch(struct command *c, void (*tell)(void *cookie), void *cookie)
{
	c->tell = tell;
	c->cookie = cookie;
}

/* Its standard error */

/* Keeps the end of it. */
static void
keep(struct command *c, const char *bytes, size_t n)
{
	lock_acquire(&c->lock);
	if (n > COMMAND_TAIL) {
		bytes += n - COMMAND_TAIL;
		n = COMMAND_TAIL;
		c->cut = true;
	}
	if (c->tail_length + n > COMMAND_TAIL) {
		size_t rest = COMMAND_TAIL - n;

		memmove(c->tail, c->tail + c->tail_length - rest, rest);
		c->tail_length = rest;
		c->cut = true;
	}
	memcpy(c->tail + c->tail_length, bytes, n);
	c->tail_length += n;
	lock_release(&c->lock);
}

/* The rest is dropped: our standard error did not take it in time. */
static bool
dropped(struct command *c)
{
	uint64_t now = clock_now_ns();
	bool ending;

	lock_acquire(&c->lock);
	ending = c->dead || c->stop_ns != 0;
	lock_release(&c->lock);
	if (ending && c->last_ns == 0)
		c->last_ns = now + LAST_NS;
	return c->last_ns != 0 && now >= c->last_ns;
}

/*
 * Onto our standard error.  While that takes nothing nothing more is read, and
 * the command waits, as it would if it wrote there itself.
 */
static void
pass(struct command *c, const char *bytes, size_t n)
{
	struct timespec ts = { .tv_nsec = 10 * 1000000 };
	size_t taken;

	while (n > 0) {
		taken = log_pass(bytes, n < PASS ? n : PASS);
		bytes += taken;
		n -= taken;
		if (taken > 0)
			continue;
		if (dropped(c))
			return;
		nanosleep(&ts, NULL);
	}
}

/* false: there is nothing to read now, or nothing more to come. */
static bool
listen_once(struct command *c, size_t *sum)
{
	char bytes[4 * PASS];
	ssize_t n;

	if (c->errors == -1)
		return false;
	n = read(c->errors, bytes, sizeof(bytes));
	if (n == -1 && errno == EINTR)
		return true;
	if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return false;
	if (n <= 0) {
		close(c->errors);
		c->errors = -1;
		return false;
	}
	keep(c, bytes, (size_t)n);
	pass(c, bytes, (size_t)n);
	*sum += (size_t)n;
	return true;
}

/* Reads all there is now, even if another process still has it open. */
static void
listen_last(struct command *c)
{
	size_t sum = 0;

	while (sum < LAST_BYTES && listen_once(c, &sum))
		;
}

static const char *
signal_name(int number)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		{ SIGHUP, "Hangup" }, { SIGINT, "Interrupt" }, { SIGQUIT, "Quit" },
		{ SIGILL, "Illegal instruction" }, { SIGABRT, "Aborted" },
		{ SIGBUS, "Bus error" }, { SIGFPE, "Arithmetic error" },
		{ SIGKILL, "Killed" }, { SIGSEGV, "Segmentation fault" },
		{ SIGPIPE, "Broken pipe" }, { SIGALRM, "Alarm clock" },
		{ SIGTERM, "Terminated" }, { SIGUSR1, "User signal 1" },
		{ SIGUSR2, "User signal 2" }, { SIGXCPU, "CPU time limit" },
		{ SIGXFSZ, "File size limit" }, { SIGSYS, "Bad system call" }
	};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == number)
			return names[i].name;
	return "another one";
}

static void
outcome_locked(const struct command *c, char text[COMMAND_OUTCOME])
{
	if (c->state != COMMAND_ENDED && c->state != COMMAND_GONE)
		snprintf(text, COMMAND_OUTCOME, "the %s's command closed its input", c->side);
	else if (c->signal != 0)
		snprintf(text, COMMAND_OUTCOME, "the %s's command was ended by signal %d (%s)",
		    c->side, c->signal, signal_name(c->signal));
	else if (c->code != 0)
		snprintf(text, COMMAND_OUTCOME, "the %s's command exited %d", c->side, c->code);
	else
		snprintf(text, COMMAND_OUTCOME,
		    "the %s's command exited 0 before the end of the stream", c->side);
}

/* The end of it as text: whole lines if there are any, without NUL or final newline. */
static size_t
tail_locked(const struct command *c, char text[COMMAND_TAIL])
{
	const char *from = c->tail, *line;
	size_t n = c->tail_length, i;

	line = c->cut ? memchr(from, '\n', n) : NULL;
	if (line != NULL && line + 1 < from + n) {
		n -= (size_t)(line + 1 - from);
		from = line + 1;
	}
	for (i = 0; i < n; i++)
		text[i] = from[i] != '\0' ? from[i] : '?';
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	return n;
}

void
command_text(struct command *c, char *text, size_t size)
{
	char outcome[COMMAND_OUTCOME], tail[COMMAND_TAIL];
	size_t n;

	lock_acquire(&c->lock);
	outcome_locked(c, outcome);
	n = tail_locked(c, tail);
	lock_release(&c->lock);
	snprintf(text, size, "%s%s%.*s", outcome, n > 0 ? "\n" : "", (int)n, tail);
}

/* Its life */

static void
move_locked(struct command *c, enum command_state to)
{
	c->state = to;
	lock_wake_all(&c->changed);
}

/* It will never run: a thread that waits for it learns that it failed. */
static void
never_locked(struct command *c)
{
	c->code = 126;
	move_locked(c, COMMAND_GONE);
}

/* The process id, or -1 with errno. */
static pid_t
run(const struct command *c)
{
	char *script[] = { (char *)(uintptr_t)SHELL, (char *)(uintptr_t)"-c",
	    (char *)(uintptr_t)"--", c->argv[0], NULL };

	const int fd[3] = {
		c->theirs[0] != -1 ? c->theirs[0] : STDIN_FILENO,
		c->theirs[1] != -1 ? c->theirs[1] : STDOUT_FILENO,
		c->errors_theirs
	};

	/* The guardian knows its group from the start, in case this process dies. */
	return child_start_group(c->argv[1] != NULL ? c->argv : script, fd,
	    guardian_tell_group);
}

/* It could not be started: logs that, and ends it with the exit status of a shell. */
static void
not_started(struct command *c, int error)
{
	const char *name = c->argv[1] != NULL ? c->argv[0] : SHELL;
	char text[COMMAND_OUTCOME];

	snprintf(text, sizeof(text), "cannot run %.200s: %s", name, strerror(error));
	log_line(LOG_ERROR, "%s", text);
	keep(c, text, strlen(text));
	lock_acquire(&c->lock);
	c->code = error == ENOENT || error == ENOTDIR ? 127 : 126;
	move_locked(c, COMMAND_ENDED);
	lock_release(&c->lock);
	guardian_done();
	c->tell(c->cookie);
	lock_acquire(&c->lock);
	move_locked(c, COMMAND_GONE);
	lock_release(&c->lock);
}

/*
 * If there is a terminal whose foreground group is `from', makes it `to'.  Blocks
 * SIGTTOU, which a process in the background would get for this.
 */
static bool
pass_terminal(pid_t from, pid_t to)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	sigset_t set, before;
	bool passed;

	if (fd == -1)
		return false;
	sigemptyset(&set);
	sigaddset(&set, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &set, &before);
	passed = tcgetpgrp(fd) == from && tcsetpgrp(fd, to) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(fd);
	return passed;
}

/*
 * The system stops a program that reads from the terminal, as for a password, because
 * its group is not the terminal's foreground group.  If ours is, we make its group the
 * foreground, as a shell does, for good, and continue it.  Suspended by a key, it is
 * continued at once.
 */
static void
stopped(struct command *c, int number)
{
	siginfo_t info;
	bool go;

	/* Consume this state change. */
	waitid(P_PID, (id_t)c->pid, &info, WSTOPPED | WNOHANG);
	if (number == SIGTTIN || number == SIGTTOU) {
		go = pass_terminal(getpgrp(), c->pid);
		if (!go)
			log_line(LOG_ERROR, "the command waits for the terminal, "
			    "which another program uses");
	} else
		go = number == SIGTSTP && pass_terminal(c->pid, c->pid);
	if (go)
		kill(-c->pid, SIGCONT);
}

/* Waits until it has ended, and leaves it to be reaped later. */
static void *
await(void *argument)
{
	struct command *c = argument;
	siginfo_t info;
	int result;

	do {
		memset(&info, 0, sizeof(info));
		result = waitid(P_PID, (id_t)c->pid, &info, WEXITED | WSTOPPED | WNOWAIT);
		if (result == 0 && info.si_code == CLD_STOPPED)
			stopped(c, info.si_status);
	} while (result == -1 ? errno == EINTR : info.si_code == CLD_STOPPED);
	pass_terminal(c->pid, getpgrp());
	lock_acquire(&c->lock);
	c->dead = true;
	if (info.si_code == CLD_EXITED)
		c->code = info.si_status;
	else if (info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED)
		c->signal = info.si_status;
	else
		c->code = 126;	/* its status is lost: it was reaped elsewhere */
	lock_release(&c->lock);
	wake_signal(&c->wake);
	return NULL;
}

/* Under the lock, so that the process id is still its own. */
static int
signal_locked(const struct command *c, int number)
{
	return c->pid != 0 && kill(-c->pid, number) == -1 && errno != ESRCH ? errno : 0;
}

/* false: it ended before it was started. */
static bool
begin(struct command *c)
{
	pid_t pid;
	int error;
	bool stop;

	lock_acquire(&c->lock);
	stop = c->stop_ns != 0;
	if (stop)
		never_locked(c);
	lock_release(&c->lock);
	if (stop)
		return false;
	pid = run(c);
	error = errno;
	close_pipe(c->theirs);
	close(c->errors_theirs);
	if (pid == -1) {
		not_started(c, error);
		return false;
	}
	lock_acquire(&c->lock);
	c->pid = pid;
	if (c->stop_ns != 0)
		signal_locked(c, c->hurry ? SIGKILL : SIGTERM);
	lock_release(&c->lock);
	log_line(LOG_RUN, "the command runs as process %ld", (long)pid);
	error = thread_start_detached("viamillipede-e", await, c);
	if (error != 0) {
		kill(-pid, SIGKILL);
		await(c);
	}
	return true;
}

/* Sleeps until it writes something, another thread wants something, or `until'. */
static void
rest(struct command *c, uint64_t until)
{
	struct pollfd p[2] = {
		{ .fd = wake_fd(&c->wake), .events = POLLIN },
		{ .fd = c->errors, .events = POLLIN }
	};
	uint64_t now = clock_now_ns();
	size_t sum = 0;
	int ms = -1;

	if (until != UINT64_MAX)
		ms = until > now ? (int)((until - now + MS - 1) / MS) : 0;
	poll(p, 2, ms);
	if (p[0].revents != 0)
		wake_clear(&c->wake);
	if (p[1].revents != 0)
		listen_once(c, &sum);
}

/* It has ended: reads the rest of its standard error, then sets the state. */
static void
end(struct command *c)
{
	listen_last(c);
	lock_acquire(&c->lock);
	move_locked(c, COMMAND_ENDED);
	lock_release(&c->lock);
	c->tell(c->cookie);
}

/* Does what is due by now (kill it, answer command_ask); returns when to call again. */
static uint64_t
keep_time(struct command *c, uint64_t now)
{
	uint64_t ask, kill_ns = UINT64_MAX, term_ns = UINT64_MAX;

	lock_acquire(&c->lock);
	if (c->stop_ns != 0 && c->hangs_up && !c->terminated)
		term_ns = c->stop_ns + HANGUP_NS;
	if (term_ns <= now) {
		signal_locked(c, SIGTERM);
		c->terminated = true;
		term_ns = UINT64_MAX;
	}
	ask = c->ask_ns == 0 || c->answered ? UINT64_MAX :
	    c->state == COMMAND_ENDED ? now : c->ask_ns + ASK_NS;
	if (c->stop_ns != 0 && !c->killed)
		kill_ns = c->hurry ? now : c->stop_ns + GRACE_NS;
	if (kill_ns <= now) {
		signal_locked(c, SIGKILL);
		c->killed = true;
		kill_ns = UINT64_MAX;
	}
	lock_release(&c->lock);
	if (ask <= now) {
		c->answered = true;
		c->tell(c->cookie);
		ask = UINT64_MAX;
	}
	if (term_ns < ask)
		ask = term_ns;
	return ask < kill_ns ? ask : kill_ns;
}

/*
 * Reaps the process.  After command_stop its group may have other processes, which
 * were signalled, too.  No system can wait until a group is empty, so this polls for as
 * long as they have time; the number of a group that is not empty is not used again.
 */
static void
leave(struct command *c)
{
	uint64_t now, pause = MS, until = UINT64_MAX;
	bool stop, empty = false;

	lock_acquire(&c->lock);
	stop = c->stop_ns != 0;
	lock_release(&c->lock);
	if (!stop)
		guardian_done();
	while (waitpid(c->pid, NULL, 0) == -1 && errno == EINTR)
		;
	while (stop && !empty && (now = clock_now_ns()) < until) {
		keep_time(c, now);
		if (c->killed && until == UINT64_MAX)
			until = now + REAP_NS / 2;
		rest(c, now + pause);
		if (pause < 50 * MS)
			pause += pause / 2;
		while (waitpid(-c->pid, NULL, WNOHANG) > 0)
			;
		empty = kill(-c->pid, 0) == -1 && errno == ESRCH;
	}
	/* The guardian ends what could not be ended here. */
	if (empty)
		guardian_done();
	lock_acquire(&c->lock);
	c->pid = 0;
	move_locked(c, COMMAND_GONE);
	lock_release(&c->lock);
}

static void *
attend(void *argument)
{
	struct command *c = argument;
	bool dead, ended, over;
	uint64_t next;

	if (!begin(c))
		return NULL;
	for (;;) {
		lock_acquire(&c->lock);
		dead = c->dead;
		ended = c->state == COMMAND_ENDED;
		over = ended && (c->stop_ns != 0 || c->finish);
		lock_release(&c->lock);
		if (over)
			break;
		if (dead && !ended) {
			end(c);
			continue;
		}
		next = keep_time(c, clock_now_ns());
		rest(c, next);
	}
	leave(c);
	return NULL;
}

void
command_start(struct command *c)
{
	bool first;
	int error;

	lock_acquire(&c->lock);
	first = c->state == COMMAND_NEW;
	if (first)
		move_locked(c, COMMAND_STARTED);
	lock_release(&c->lock);
	if (!first)
		return;
	error = thread_start_detached("viamillipede-c", attend, c);
	if (error != 0)
		not_started(c, error);
}

enum command_end
command_end(struct command *c)
{
	enum command_end end = COMMAND_RUNS;

	lock_acquire(&c->lock);
	if (c->state == COMMAND_ENDED || c->state == COMMAND_GONE)
		end = c->code == 0 && c->signal == 0 ? COMMAND_WELL : COMMAND_ILL;
	lock_release(&c->lock);
	return end;
}

int
command_status(struct command *c)
{
	int status;

	lock_acquire(&c->lock);
	status = c->signal != 0 ? 255 : c->code;
	lock_release(&c->lock);
	return status;
}

void
command_ask(struct command *c)
{
	lock_acquire(&c->lock);
	if (c->ask_ns == 0)
		c->ask_ns = clock_now_ns();
	lock_release(&c->lock);
	wake_signal(&c->wake);
}

bool
command_wait(struct command *c)
{
	bool well;

	lock_acquire(&c->lock);
	while (c->state != COMMAND_ENDED && c->state != COMMAND_GONE)
		lock_wait(&c->changed, &c->lock);
	well = c->code == 0 && c->signal == 0;
	lock_release(&c->lock);
	/* Processes that it has left behind may go on. */
	if (well)
		guardian_done();
	return well;
}

/*
 * From command_stop on we adopt the orphans of its group, to reap them without waiting
 * for init.  Not before that, as we would have to wait for all of a command's orphans.
 */
#ifdef PR_SET_CHILD_SUBREAPER
static void
adopt(bool yes)
{
	prctl(PR_SET_CHILD_SUBREAPER, yes ? 1L : 0L);
}
#else
static void
adopt(bool yes)
{
	(void)yes;
}
#endif

void
command_whole(struct command *c)
{
	if (c->consumer)
		guardian_release();
}

void
command_stop(struct command *c)
{
	int error = 0;

	adopt(true);
	lock_acquire(&c->lock);
	if (c->stop_ns == 0) {
		c->stop_ns = clock_now_ns();
		if (c->state == COMMAND_NEW)
			never_locked(c);
		error = signal_locked(c, c->hangs_up ? SIGHUP : SIGTERM);
		/* A stopped process has to run to receive it. */
		signal_locked(c, SIGCONT);
	}
	lock_release(&c->lock);
	if (error != 0)
		log_line(LOG_ERROR, "cannot end the command: %s", strerror(error));
	wake_signal(&c->wake);
}

void
command_hurry(struct command *c)
{
	lock_acquire(&c->lock);
	c->hurry = true;
	lock_release(&c->lock);
	wake_signal(&c->wake);
}

void
command_finish(struct command *c)
{
	uint64_t until = clock_now_ns() + GRACE_NS + REAP_NS;

	lock_acquire(&c->lock);
	c->finish = true;
	if (c->state == COMMAND_NEW)
		never_locked(c);
	lock_release(&c->lock);
	wake_signal(&c->wake);
	lock_acquire(&c->lock);
	while (c->state != COMMAND_GONE && lock_wait_until(&c->changed, &c->lock, until))
		;
	lock_release(&c->lock);
}
