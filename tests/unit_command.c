/*
 * Commands: how they are started, what is said of their end, that they and
 * their groups are gone when they are to be, and that they are told by SIGTERM
 * before their input ends.  Each test makes real processes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "command.h"
#include "core/time.h"
#include "frame.h"
#include "sys/clock.h"
#include "sys/lock.h"

static char text[FRAME_TEXT_MAX + 1];
static struct lock lock;
static struct lock_cond changed;
static unsigned told;			/* under lock */

static void
tell(void *cookie)
{
	CHECK(cookie == &told);
	lock_acquire(&lock);
	told++;
	lock_wake_all(&changed);
	lock_release(&lock);
}

static unsigned
times_told(void)
{
	unsigned n;

	lock_acquire(&lock);
	n = told;
	lock_release(&lock);
	return n;
}

static void
wait_told(unsigned n)
{
	uint64_t until = clock_now_ns() + 20 * SECOND;

	lock_acquire(&lock);
	while (told < n && lock_wait_until(&changed, &lock, until))
		;
	CHECK(told == n);
	lock_release(&lock);
}

/* They live as long as the process; here they are all known to the end. */
static struct command *made[100];
static size_t makes;

/* Our end of its only pipe. */
static int
stream_of(const struct command *c)
{
	return command_input(c) != -1 ? command_input(c) : command_output(c);
}

static struct command *
make(char *const *argv, bool consumer)
{
	struct command *c = command_new(argv, consumer ? "receiver" : "sender", !consumer,
	    consumer);

	CHECK(c != NULL && makes < sizeof(made) / sizeof(made[0]));
	made[makes++] = c;
	lock_acquire(&lock);
	told = 0;
	lock_release(&lock);
	command_watch(c, tell, &told);
	CHECK(command_end(c) == COMMAND_RUNS);
	return c;
}

/* A script is one argument. */
static struct command *
script(const char *line, bool consumer)
{
	static char *argv[64][2];	/* they are kept by their commands */
	static unsigned n;
	struct command *c;

	CHECK(n < 64);
	argv[n][0] = (char *)(uintptr_t)line;
	c = make(argv[n++], consumer);
	command_start(c);
	return c;
}

static bool
said(struct command *c, const char *want)
{
	command_text(c, text, sizeof(text));
	return strcmp(text, want) == 0;
}

static void
finish(struct command *c)
{
	uint64_t began = clock_now_ns();

	command_finish(c);
	CHECK(clock_now_ns() - began < 4 * SECOND);
	close(stream_of(c));
}

/* What a source wrote, up to its end. */
static size_t
read_all(struct command *c, char *to, size_t size)
{
	size_t n = 0;
	ssize_t got;

	while (n < size - 1 && (got = read(stream_of(c), to + n, size - 1 - n)) != 0) {
		CHECK(got > 0 || errno == EINTR);
		n += got > 0 ? (size_t)got : 0;
	}
	to[n] = '\0';
	return n;
}

static void
test_ends(void)
{
	static const struct {
		const char *line;
		const char *consumer, *source;
		bool well;
	} ends[] = {
		{ "exit 0", "the receiver's command exited 0 before the end of the stream",
		    "the sender's command exited 0 before the end of the stream", true },
		{ "exit 1", "the receiver's command exited 1",
		    "the sender's command exited 1", false },
		{ "exit 255", "the receiver's command exited 255",
		    "the sender's command exited 255", false },
		{ "kill -TERM $$", "the receiver's command was ended by signal 15 (Terminated)",
		    "the sender's command was ended by signal 15 (Terminated)", false },
		{ "kill -KILL $$", "the receiver's command was ended by signal 9 (Killed)",
		    "the sender's command was ended by signal 9 (Killed)", false },
	};
	struct command *c;
	unsigned i, k;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		for (k = 0; k < 2; k++) {
			c = script(ends[i].line, k == 0);
			command_start(c);	/* once only */
			CHECK(command_wait(c) == ends[i].well);
			CHECK(command_end(c) == (ends[i].well ? COMMAND_WELL : COMMAND_ILL));
			CHECK(said(c, k == 0 ? ends[i].consumer : ends[i].source));
			wait_told(1);
			finish(c);
			CHECK(command_wait(c) == ends[i].well);
			CHECK(times_told() == 1);
		}
}

static void
test_not_found(void)
{
	static char *none[] = { (char *)(uintptr_t)"/no/such program", (char *)(uintptr_t)"a",
	    NULL };
	static char *directory[] = { (char *)(uintptr_t)"/", (char *)(uintptr_t)"a", NULL };
	struct command *c = make(none, true);

	command_start(c);
	CHECK(!command_wait(c));
	CHECK(said(c, "the receiver's command exited 127\n"
	    "cannot run /no/such program: No such file or directory"));
	wait_told(1);
	finish(c);
	c = make(directory, false);
	command_start(c);
	CHECK(!command_wait(c));
	CHECK(said(c, "the sender's command exited 126\ncannot run /: Permission denied"));
	finish(c);
	c = script("/no/such program", true);
	CHECK(!command_wait(c));
	command_text(c, text, sizeof(text));
	CHECK(strncmp(text, "the receiver's command exited 127\n", 34) == 0);
	finish(c);
}

/* What shells would do something to, and what looks like an option. */
static void
test_arguments(void)
{
	static char *argv[] = {
		(char *)(uintptr_t)"printf", (char *)(uintptr_t)"<%s>", (char *)(uintptr_t)"a b",
		(char *)(uintptr_t)"$HOME `x` 'q\" \\ *", (char *)(uintptr_t)"",
		    (char *)(uintptr_t)"-n\n",
		NULL
	};
	struct command *c = make(argv, false);
	char got[256];

	command_start(c);
	read_all(c, got, sizeof(got));
	CHECK(strcmp(got, "<a b><$HOME `x` 'q\" \\ *><><-n\n>") == 0);
	CHECK(command_wait(c));
	finish(c);
	c = script("printf 'a  b'\nprintf \" $((6 * 7))\"\n", false);
	read_all(c, got, sizeof(got));
	CHECK(strcmp(got, "a  b 42") == 0);
	CHECK(command_wait(c));
	finish(c);
	c = script("-c; printf x", false);
	read_all(c, got, sizeof(got));
	CHECK(strcmp(got, "x") == 0);
	finish(c);
}

/* Whatever it says: the last of it, in whole lines, as one text. */
static void
test_tail(void)
{
	struct command *c =
	    script("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i + 1)); done >&2; "
	    "printf 'a\\0b\\033[1m\\r\\n\\n' >&2; exit 4", true);
	const char *line;
	size_t n;

	CHECK(!command_wait(c));
	command_text(c, text, sizeof(text));
	n = strlen(text);
	CHECK(n <= FRAME_TEXT_MAX && n > COMMAND_TAIL - 16);
	line = strchr(text, '\n');
	CHECK(line != NULL && strncmp(line, "\nline 1", 7) == 0);
	CHECK(strcmp(text + n - 17, "line 1999\na?b\033[1m") == 0);
	finish(c);

	/* One line that is longer than what is kept. */
	c = script("head -c 10000 /dev/zero | tr '\\0' x >&2; exit 1", true);
	CHECK(!command_wait(c));
	command_text(c, text, sizeof(text));
	line = strchr(text, '\n');
	CHECK(line != NULL && strspn(line + 1, "x") == COMMAND_TAIL);
	CHECK(line[1 + COMMAND_TAIL] == '\0');
	finish(c);

	c = script("printf '\\n\\n' >&2; exit 1", true);
	CHECK(!command_wait(c));
	CHECK(said(c, "the receiver's command exited 1"));
	finish(c);
}

/* Somebody else who has its standard error open does not hold us up. */
static void
test_background(void)
{
	uint64_t began = clock_now_ns();
	struct command *c = script("echo last >&2; sleep 30 & exit 7", true);

	CHECK(!command_wait(c));
	CHECK(said(c, "the receiver's command exited 7\nlast"));
	command_stop(c);
	finish(c);
	CHECK(clock_now_ns() - began < 3 * SECOND);
}

/* Until it has said so on its standard error. */
static void
wait_said(struct command *c, const char *want)
{
	struct timespec ts = { .tv_nsec = 5000000 };

	do {
		nanosleep(&ts, NULL);
		command_text(c, text, sizeof(text));
	} while (strstr(text, want) == NULL);
}

/* SIGTERM comes first: the script never sees the end of its input. */
static void
test_stop(void)
{
	struct command *c = script("trap 'echo told >&2; exit 3' TERM; echo ready >&2; "
	    "while read x; do :; done; echo end of file >&2; exit 4", true);

	CHECK(write(stream_of(c), "a\n", 2) == 2);
	wait_said(c, "ready");
	command_stop(c);
	command_stop(c);
	finish(c);
	CHECK(said(c, "the receiver's command exited 3\nready\ntold"));
	CHECK(times_told() == 1);

	/* One that is stopped hears it, too. */
	c = script("echo ready >&2; kill -STOP $$; exit 4", true);
	wait_said(c, "ready");
	command_stop(c);
	finish(c);
	CHECK(said(c, "the receiver's command was ended by signal 15 (Terminated)\nready"));
}

/* It, and what it started, take their time, and have it; or not. */
static void
test_kill(void)
{
	struct timespec ts = { .tv_nsec = 10000000 };
	struct command *c = script("sh -c 'trap \"sleep 1; exit 0\" TERM; echo ready >&2; "
	    "while :; do sleep 0.1; done' & wait", true);
	uint64_t began;
	long one, two;

	wait_said(c, "ready");
	began = clock_now_ns();
	command_stop(c);
	finish(c);
	CHECK(clock_now_ns() - began >= SECOND);

	c = script("trap '' TERM; sh -c 'echo $$ one >&2; while :; do sleep 1; done' & "
	    "echo $$ two >&2; wait; while :; do sleep 1; done", true);
	wait_said(c, "one");
	wait_said(c, "two");
	CHECK(sscanf(strchr(text, '\n'), "%ld %*s\n%ld", &one, &two) == 2);
	CHECK(kill((pid_t)one, 0) == 0 && kill((pid_t)two, 0) == 0);
	command_stop(c);
	command_hurry(c);
	finish(c);
	command_text(c, text, sizeof(text));
	CHECK(strncmp(text, "the receiver's command was ended by signal 9 (Killed)\n", 54) == 0);
	/* The other one is no child of ours: whoever reaps it does so when it can. */
	while (kill((pid_t)one, 0) == 0 || kill((pid_t)two, 0) == 0)
		nanosleep(&ts, NULL);
}

static void
test_never_started(void)
{
	static char *argv[] = { (char *)(uintptr_t)"exit 0", NULL };
	struct command *c = make(argv, true);

	command_stop(c);
	command_start(c);
	CHECK(!command_wait(c));
	finish(c);
	CHECK(times_told() == 0);
	c = make(argv, true);
	finish(c);
	CHECK(!command_wait(c));
}

/* One that has closed its input is told of after a second; one that ends, then. */
static void
test_ask(void)
{
	struct command *c = script("exec <&-; echo x >&2; sleep 30", true);
	uint64_t began = clock_now_ns();

	command_ask(c);
	wait_told(1);
	CHECK(clock_now_ns() - began >= SECOND / 2);
	CHECK(said(c, "the receiver's command closed its input\nx"));
	command_stop(c);
	finish(c);

	c = script("exit 0", true);
	CHECK(command_wait(c));
	wait_told(1);
	command_ask(c);
	wait_told(2);
	finish(c);
}

/* It has what a program expects, and nothing of ours. */
static void
test_inheritance(void)
{
	struct command *c, *other;
	char got[4096], want[64];
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	CHECK(fd != -1);
	if (access("/proc/self/status", R_OK) == 0) {
		unsigned long long blocked, ignored, usual = 0;
		static const int numbers[] = { SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGCHLD };
		unsigned i;

		for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
			usual |= 1ULL << (numbers[i] - 1);
		c = script("exec grep -E '^Sig(Blk|Ign):' /proc/self/status", false);
		read_all(c, got, sizeof(got));
		CHECK(sscanf(got, "SigBlk: %llx SigIgn: %llx", &blocked, &ignored) == 2);
		CHECK(blocked == 0 && (ignored & usual) == 0);
		/* What our parent ignores, and we do not know, stays so. */
		CHECK((ignored & 1ULL << (SIGHUP - 1)) != 0);
		finish(c);
	}
	if (access("/proc/self/fd", X_OK) == 0) {
		snprintf(want, sizeof(want), "test ! -e /proc/$$/fd/%d && echo none", fd);
		c = script(want, false);
		read_all(c, got, sizeof(got));
		CHECK(strcmp(got, "none\n") == 0);
		CHECK(command_wait(c));
		finish(c);
		/* Those of another command: or its input would have no end. */
		other = script("cat", true);
		snprintf(want, sizeof(want), "test ! -e /proc/$$/fd/%d && echo none",
		    stream_of(other));
		c = script(want, false);
		read_all(c, got, sizeof(got));
		CHECK(strcmp(got, "none\n") == 0);
		finish(c);
		close(stream_of(other));
		CHECK(command_wait(other));
		command_finish(other);
	}
	/* The shell's own group is its number. */
	c = script("ps -o pgid= -p $$ | tr -d ' '; echo $$", false);
	read_all(c, got, sizeof(got));
	if (strchr(got, '\n') != strrchr(got, '\n')) {
		snprintf(want, sizeof(want), "%s", strchr(got, '\n') + 1);
		CHECK(strncmp(got, want, strlen(want)) == 0);
	}
	finish(c);
	close(fd);
}

int
main(void)
{
	lock_init(&lock);
	lock_cond_init(&changed);
	/* As the program does, and as a parent may. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	alarm(120);

	test_ends();
	test_not_found();
	test_arguments();
	test_tail();
	test_background();
	test_stop();
	test_kill();
	test_never_started();
	test_ask();
	test_inheritance();
	return check_done();
}
