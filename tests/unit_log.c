/*
 * Messages: what a line looks like, that lines stay whole, that nobody who
 * logs is held up for long by a standard error that takes nothing, and that
 * repeated events are summed up. Each test runs in a process of its own,
 * because the writer is one for the process and has a memory.
 */
#define _XOPEN_SOURCE 700

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "sys/clock.h"
#include "sys/die.h"
#include "sys/lock.h"
#include "sys/log.h"
#include "sys/thread.h"

#define PREFIX	"viamillipede: "

static void *
join(pthread_t thread)
{
	void *result;

	CHECK(pthread_join(thread, &result) == 0);
	return result;
}

/* What the child logs goes to descriptor 2; this is where CHECK belongs. */
static int true_stderr;

static void
swap_in(int fd)
{
	CHECK(dup2(fd, STDERR_FILENO) == STDERR_FILENO);
}

static void
swap_back(void)
{
	(void)dup2(true_stderr, STDERR_FILENO);
}

static void
apart(const char *name, void (*test)(void))
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	CHECK(pid != -1);
	if (pid == 0) {
		(void)alarm(60);
		test();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	if (status != 0)
		fprintf(stderr, "%s: %s %d\n", name, WIFSIGNALED(status) ?
		    "killed by signal" : "ended with", WIFSIGNALED(status) ?
		    WTERMSIG(status) : WEXITSTATUS(status));
	CHECK(status == 0);
}

/* What is in the pipe now, as text. */
static size_t
drain(int fd, char *text, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n < size - 1 && poll(&p, 1, 0) == 1) {
		ssize_t got = read(fd, text + n, size - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	text[n] = '\0';
	return n;
}

/* Log one line into a socket that keeps the bounds of each write. */
static char line[4096];
static int catch[2];

static void
catch_begin(void)
{
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, catch) == 0);
	swap_in(catch[1]);
}

/* The next write, as text in line; its length, or -1 if there is none. */
static ssize_t
catch_write(void)
{
	ssize_t n = recv(catch[0], line, sizeof(line) - 1, MSG_DONTWAIT);

	line[n > 0 ? n : 0] = '\0';
	return n;
}

static void
test_line(void)
{
	catch_begin();
	log_set(1);
	log_line(0, "cannot connect to %s:%d: %s", "b", 12323, "refused");
	log_line(1, "level 1");
	log_line(2, "level 2");
	log_line(1, "%s", "");
	errno = EXDEV;
	log_line(1, "last");
	CHECK(errno == EXDEV);
	swap_back();
	CHECK(catch_write() > 0);
	CHECK(strcmp(line, PREFIX "cannot connect to b:12323: refused\n") == 0);
	CHECK(catch_write() > 0);
	CHECK(strcmp(line, PREFIX "level 1\n") == 0);
	CHECK(catch_write() > 0);
	CHECK(strcmp(line, PREFIX "\n") == 0);
	CHECK(catch_write() > 0);
	CHECK(strcmp(line, PREFIX "last\n") == 0);
	CHECK(catch_write() == -1);
}

static void
test_levels(void)
{
	CHECK(atomic_load(&log_level) == 1);
	CHECK(log_wants(0) && log_wants(1) && !log_wants(2));
	log_set(0);
	CHECK(log_wants(0) && !log_wants(1));
	for (int level = 1; level <= LOG_LEVEL_MAX; level++) {
		CHECK(log_raise() == level);
		CHECK(log_wants(level) && !log_wants(level + 1));
	}
	CHECK(log_raise() == 0);
	CHECK(log_raise() == 1);
	log_set(LOG_LEVEL_MAX);
	CHECK(log_wants(20));
}

/* No time below threshold 3, one from there on, whatever the line's level. */
static void
test_time(void)
{
	struct timespec before, after;
	struct tm tm = { 0 };
	int ms, used = 0;

	CHECK(setenv("TZ", "FAR11", 1) == 0);	/* shown is UTC all the same */
	tzset();
	catch_begin();
	log_set(2);
	log_line(2, "x");
	log_set(3);
	CHECK(clock_gettime(CLOCK_REALTIME, &before) == 0);
	log_line(0, "y");
	CHECK(clock_gettime(CLOCK_REALTIME, &after) == 0);
	swap_back();
	CHECK(catch_write() > 0);
	CHECK(strcmp(line, PREFIX "x\n") == 0);
	CHECK(catch_write() > 0);
	CHECK(sscanf(line, PREFIX "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ y\n%n",
	    &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
	    &tm.tm_sec, &ms, &used) == 7);
	CHECK((size_t)used == strlen(line));
	CHECK(strlen(line) == strlen(PREFIX "2000-01-01T00:00:00.000Z y\n"));
	tm.tm_year -= 1900;
	tm.tm_mon--;
	CHECK(setenv("TZ", "UTC0", 1) == 0);
	tzset();
	CHECK(mktime(&tm) >= before.tv_sec && mktime(&tm) <= after.tv_sec);
}

static void
test_harmless(void)
{
	char all[256], expected[2048] = PREFIX;
	size_t n = strlen(expected);

	for (int c = 1; c < 256; c++) {
		all[c - 1] = (char)c;
		n += (size_t)snprintf(expected + n, sizeof(expected) - n,
		    c >= 32 && c < 127 ? "%c" : "\\x%02x", c);
	}
	all[255] = '\0';
	expected[n++] = '\n';
	expected[n] = '\0';
	catch_begin();
	log_line(0, "%s", all);
	log_line(0, "a\nviamillipede: forged\033[2J\r");
	swap_back();
	CHECK(catch_write() == (ssize_t)n && n < LOG_LINE_SIZE);
	CHECK(strcmp(line, expected) == 0);
	CHECK(catch_write() > 0);
	CHECK(strcmp(line, PREFIX "a\\x0aviamillipede: forged\\x1b[2J\\x0d\n")
	    == 0);
	CHECK(catch_write() == -1);
}

/* The ellipsis comes exactly when something is missing. */
static void
test_truncation(void)
{
	static char text[5000];
	const size_t room = LOG_LINE_SIZE - strlen(PREFIX) - strlen("...\n");
	size_t length;

	for (length = room - 8; length < sizeof(text) - 1;
	    length += length < room + 8 ? 1 : 397) {
		memset(text, 'x', length);
		text[length] = '\0';
		catch_begin();
		log_line(0, "%s", text);
		swap_back();
		CHECK(catch_write() > 0 && strlen(line) <= LOG_LINE_SIZE);
		(void)close(catch[0]);
		(void)close(catch[1]);
		CHECK(strchr(line, '\n') == line + strlen(line) - 1);
		if (length <= room) {
			CHECK(strlen(line) == strlen(PREFIX) + length + 1);
			CHECK(strstr(line, "...") == NULL);
		} else {
			CHECK(strlen(line) == LOG_LINE_SIZE);
			CHECK(strcmp(line + LOG_LINE_SIZE - 4, "...\n") == 0);
		}
	}
	/* What is made harmless is never cut in its middle. */
	for (size_t plain = 0; plain < 4; plain++) {
		memset(text, '\033', 1500);
		memset(text, 'x', plain);
		text[1500] = '\0';
		catch_begin();
		log_line(0, "%s", text);
		swap_back();
		CHECK(catch_write() > 0 && strlen(line) <= LOG_LINE_SIZE);
		CHECK(strlen(line) > LOG_LINE_SIZE - 4);
		(void)close(catch[0]);
		(void)close(catch[1]);
		CHECK(strcmp(line + strlen(line) - 8, "\\x1b...\n") == 0);
	}
}

/*
 * Many threads at once. Each line must be whole and each thread's in their
 * order; what is missing must have been told of, because a machine under load
 * may keep the reader waiting for longer than the timeout.
 */
#define WRITERS	8
#define LINES	1000

static struct {
	int next[WRITERS];
	unsigned long received, lost;
	unsigned long ends;	/* lines "end" that were lost before the one that came */
	bool torn;		/* the line before was not whole */
} counts;

static atomic_bool ended;	/* the reader has seen the end */

static int
make_expected(char *text, size_t size, int me, int i)
{
	return snprintf(text, size, PREFIX "%d %d %0*d.\n", me, i,
	    1 + (i * 7 + me) % 900, 0);
}

static void *
write_many(void *argument)
{
	int me = *(int *)argument;

	for (int i = 0; i < LINES; i++)
		log_line(0, "%d %d %0*d.", me, i, 1 + (i * 7 + me) % 900, 0);
	return NULL;
}

/* For the reader, while descriptor 2 is what it reads from. */
#define JUDGE(cond) do {						\
	if (!(cond)) {							\
		swap_back();						\
		CHECK(cond);						\
	}								\
} while (0)

/* One line of what was written; false at its end. */
static bool
judge(void)
{
	char expected[LOG_LINE_SIZE + 1];
	unsigned long lost;
	char last;
	int me, i;

	if (sscanf(line, PREFIX "%lu ", &lost) == 1 &&
	    strstr(line, " mess") != NULL) {
		(void)snprintf(expected, sizeof(expected), PREFIX "%lu message%s"
		    " lost here: standard error did not take them\n", lost,
		    lost == 1 ? "" : "s");
		counts.torn = strcmp(line, expected) != 0;
		if (!counts.torn)
			counts.lost += lost;
		return true;
	}
	if (sscanf(line, PREFIX "end %lu%c", &counts.ends, &last) == 2 && last == '.') {
		JUDGE(!counts.torn);
		return false;
	}
	if (sscanf(line, PREFIX "%d %d ", &me, &i) != 2 || me < 0 ||
	    me >= WRITERS || i < counts.next[me] ||
	    make_expected(expected, sizeof(expected), me, i) < 0 ||
	    strcmp(line, expected) != 0) {
		counts.torn = true;
		return true;
	}
	JUDGE(!counts.torn);
	counts.next[me] = i + 1;
	counts.received++;
	return true;
}

static void
check_counts(unsigned writers)
{
	CHECK(counts.received + counts.lost == (unsigned long)writers * LINES + counts.ends);
	CHECK(counts.received > LINES / 2);
}

/* Reads slowly, in small pieces: what is written has to wait for room. */
static void *
read_all(void *argument)
{
	int fd = *(int *)argument;
	char piece[64];
	size_t used = 0;

	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));

		JUDGE(n > 0);
		for (ssize_t i = 0; i < n; i++) {
			JUDGE(used < sizeof(line) - 1);
			line[used++] = piece[i];
			if (piece[i] != '\n')
				continue;
			line[used] = '\0';
			used = 0;
			if (!judge()) {
				atomic_store(&ended, true);
				return NULL;
			}
		}
	}
}

static void
write_threads(void)
{
	pthread_t threads[WRITERS];
	int names[WRITERS];

	for (int i = 0; i < WRITERS; i++) {
		names[i] = i;
		CHECK(pthread_create(&threads[i], NULL, write_many,
		    &names[i]) == 0);
	}
	for (int i = 0; i < WRITERS; i++)
		CHECK(join(threads[i]) == NULL);
}

static void
threads_into(int out, int in, bool open)
{
	pthread_t reader;

	swap_in(out);
	if (open)
		log_open();
	CHECK(pthread_create(&reader, NULL, read_all, &in) == 0);
	write_threads();
	for (unsigned long ends = 0; !atomic_load(&ended); ends++) {
		log_line(0, "end %lu.", ends);
		(void)poll(NULL, 0, 10);
	}
	CHECK(join(reader) == NULL);
	swap_back();
	check_counts(WRITERS);
}

static void
test_threads_pipe(void)
{
	int fds[2];

	CHECK(pipe(fds) == 0);
	threads_into(fds[1], fds[0], false);
}

static void
test_threads_prompt(void)
{
	int fds[2];

	CHECK(pipe(fds) == 0);
	threads_into(fds[1], fds[0], true);
}

/* One that turns newlines into two characters, or one that does not. */
static int
open_terminal(int *master, bool cooked)
{
	struct termios raw;
	int slave;

	*master = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(*master != -1 && grantpt(*master) == 0 && unlockpt(*master) == 0);
	slave = open(ptsname(*master), O_RDWR | O_NOCTTY);
	CHECK(slave != -1);
	CHECK(tcgetattr(slave, &raw) == 0);
	if (!cooked)
		raw.c_oflag &= ~(tcflag_t)OPOST;
	CHECK(tcsetattr(slave, TCSANOW, &raw) == 0);
	return slave;
}

/* A terminal takes parts of lines; others must not come in between. */
static void
test_threads_terminal(void)
{
	int master, slave = open_terminal(&master, false);

	threads_into(slave, master, true);
}

/* A file keeps one offset for all who have it as standard error. */
static void
test_threads_file(void)
{
	FILE *f = tmpfile();

	CHECK(f != NULL);
	CHECK(write(fileno(f), "first\n", 6) == 6);
	swap_in(fileno(f));
	log_open();
	write_threads();
	log_line(0, "end 0.");
	swap_back();
	CHECK(write(fileno(f), "last\n", 5) == 5);
	rewind(f);
	CHECK(fgets(line, sizeof(line), f) != NULL);
	CHECK(strcmp(line, "first\n") == 0);
	do
		CHECK(fgets(line, sizeof(line), f) != NULL);
	while (judge());
	CHECK(fgets(line, sizeof(line), f) != NULL);
	CHECK(strcmp(line, "last\n") == 0);
	CHECK(counts.received == (unsigned long)WRITERS * LINES);
	CHECK(counts.lost == 0 && !counts.torn);
	(void)fclose(f);
}

/*
 * Nobody reads: the first line that does not fit costs the timeout, the others
 * nothing; afterwards the log tells how many are missing, and goes on.
 */
static void
nobody_reads(int out, int in, bool open)
{
	static char text[1 << 20];
	const int flags = fcntl(out, F_GETFL);
	unsigned long lost;
	uint64_t began, after;
	char *note, *end;
	int sent = 0, whole = 0;

	swap_in(out);
	if (open)
		log_open();
	CHECK(fcntl(STDERR_FILENO, F_GETFL) == flags);
	began = clock_now_ns();
	for (; sent < 20000; sent++)
		log_line(0, "line %d", sent);
	after = clock_now_ns();
	swap_back();
	CHECK(after - began >= (LOG_TIMEOUT_MS - 1) * MS);
	CHECK(after - began < 100 * LOG_TIMEOUT_MS * MS);
	swap_in(out);

	(void)drain(in, text, sizeof(text));
	log_line(0, "the end");
	log_line(0, "the very end");	/* nothing is told twice */
	swap_back();
	(void)drain(in, text + strlen(text), sizeof(text) - strlen(text));
	note = strstr(text, " messages lost here");
	CHECK(note != NULL && strstr(note + 2, "messages lost") == NULL);
	*note = '\0';
	while (note[-1] >= '0' && note[-1] <= '9')
		note--;
	lost = strtoul(note, &end, 10);
	*note = '\0';
	CHECK(strstr(end + 1, PREFIX "the very end") != NULL);
	CHECK(note - text > (ptrdiff_t)strlen("\n" PREFIX));
	CHECK(strcmp(note - strlen("\n" PREFIX), "\n" PREFIX) == 0);

	/* What came before is whole lines, but for a last one that was torn. */
	for (char *s = text; (end = strchr(s, '\n')) != NULL; s = end + 1) {
		char expected[64];

		*end = '\0';
		if (end > s && end[-1] == '\r')	/* a terminal's */
			end[-1] = '\0';
		(void)snprintf(expected, sizeof(expected), PREFIX "line %d",
		    whole);
		if (strcmp(s, expected) != 0) {
			CHECK(strncmp(s, expected, strlen(s)) == 0);
			CHECK(strcmp(end + 1, PREFIX) == 0);
		} else
			whole++;
	}
	CHECK(whole > 100 && lost > 0);
	CHECK((unsigned long)whole + lost == (unsigned long)sent);
	CHECK(fcntl(out, F_GETFL) == flags);
}

static void
test_full_pipe(void)
{
	int fds[2];

	CHECK(pipe(fds) == 0);
	nobody_reads(fds[1], fds[0], false);
}

static void
test_full_pipe_prompt(void)
{
	int fds[2];

	CHECK(pipe(fds) == 0);
	nobody_reads(fds[1], fds[0], true);
}

static void
test_full_pipe_nonblock(void)
{
	int fds[2];

	CHECK(pipe(fds) == 0);
	CHECK(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
	nobody_reads(fds[1], fds[0], false);
}

/* Where /dev/fd opens anew (Linux). Elsewhere a terminal can hold one up. */
static void
test_full_terminal(void)
{
	int master, slave = open_terminal(&master, true), again;

	swap_in(slave);
	again = open("/dev/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY);
	swap_back();
	if (again == -1 || !(fcntl(again, F_GETFL) & O_NONBLOCK)) {
		printf("not tested: /dev/fd/2 does not open terminals anew\n");
		fflush(stdout);
		return;
	}
	nobody_reads(slave, master, true);
}

/*
 * Without log_open a write to a terminal that takes nothing hangs. It holds up
 * the thread that is in it, and no other: of these three, two finish.
 */
#define FILLERS	3

static struct lock filled_lock = LOCK_INITIALIZER;
static int filled;		/* fillers that are through, under filled_lock */

static void *
fill(void *argument)
{
	(void)argument;
	for (int i = 0; i < 20000; i++)
		log_line(0, "fill %d", i);
	lock_acquire(&filled_lock);
	filled++;
	lock_release(&filled_lock);
	return NULL;
}

static void
test_hung_writer(void)
{
	int master, slave = open_terminal(&master, true), done = 0;
	uint64_t deadline = clock_now_ns() + 20 * SECOND;

	swap_in(slave);
	for (int i = 0; i < FILLERS; i++) {
		CHECK(thread_start_detached("filler", fill, NULL) == 0);
	}
	while (done < FILLERS - 1 && clock_now_ns() < deadline) {
		(void)poll(NULL, 0, 1);
		lock_acquire(&filled_lock);
		done = filled;
		lock_release(&filled_lock);
	}
	if (done >= FILLERS - 1)
		_exit(0);	/* without the one that hangs */
	swap_back();
	CHECK(done >= FILLERS - 1);
}

/* A pipe without reader, a closed descriptor; then somebody is there again. */
static void
test_gone(void)
{
	int fds[2];

	CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	CHECK(pipe(fds) == 0);
	(void)close(fds[0]);
	swap_in(fds[1]);
	errno = EXDEV;
	for (int i = 0; i < 1000; i++)
		log_line(0, "nobody");
	CHECK(errno == EXDEV);
	(void)close(STDERR_FILENO);
	for (int i = 0; i < 1000; i++)
		log_line(0, "nobody");
	log_open();
	CHECK(errno == EXDEV);
	swap_back();

	catch_begin();
	log_line(0, "back");
	swap_back();
	CHECK(catch_write() > 0);
	CHECK(strstr(line, "2000 messages lost here") != NULL);
	CHECK(catch_write() > 0);
	CHECK(strcmp(line, PREFIX "back\n") == 0);
	CHECK(catch_write() == -1);

	swap_in(fds[1]);
	errno = EXDEV;
	log_open();
	log_line(0, "nobody");
	CHECK(errno == EXDEV);
	swap_back();
}

/* Interrupted by signals all the time, it still says everything once. */
static atomic_bool quiet;
static atomic_long interruptions;

static void
count_interruption(int number)
{
	(void)number;
	atomic_fetch_add(&interruptions, 1);
}

static void *
interrupt(void *argument)
{
	pthread_t *target = argument;

	while (!atomic_load(&quiet)) {
		CHECK(pthread_kill(*target, SIGUSR1) == 0);
		(void)poll(NULL, 0, 1);
	}
	return NULL;
}

static void
test_interrupted(void)
{
	struct sigaction act = { .sa_handler = count_interruption };
	pthread_t self = pthread_self(), thread, reader;
	int fds[2];

	CHECK(sigaction(SIGUSR1, &act, NULL) == 0);
	CHECK(pipe(fds) == 0);
	CHECK(pthread_create(&reader, NULL, read_all, &fds[0]) == 0);
	CHECK(pthread_create(&thread, NULL, interrupt, &self) == 0);
	swap_in(fds[1]);
	for (int me = 0; me < WRITERS; me++)
		(void)write_many(&me);
	for (unsigned long ends = 0; !atomic_load(&ended); ends++) {
		log_line(0, "end %lu.", ends);
		(void)poll(NULL, 0, 10);
	}
	atomic_store(&quiet, true);
	CHECK(join(thread) == NULL);
	CHECK(join(reader) == NULL);
	swap_back();
	check_counts(WRITERS);
	CHECK(atomic_load(&interruptions) > 0);
}

static void
test_limit_admit(void)
{
	struct log_limit limit = LOG_LIMIT("events");
	uint64_t now = 5 * SECOND, held, span;
	int i;

	/* 217 in a bit over 4 s: three are printed, the others held. */
	for (i = 0; i < 217; i++) {
		bool admitted = log_limit_admit(&limit, 1,
		    now + (uint64_t)i * 20 * MS, &held, &span);

		CHECK(admitted == (i < LOG_LIMIT_LINES) && held == 0);
	}
	/* The last moment of the period, and the first after it. */
	CHECK(!log_limit_admit(&limit, 1, now + 10 * SECOND - 1, &held, &span));
	CHECK(held == 0);
	CHECK(log_limit_admit(&limit, 1, now + 10 * SECOND, &held, &span));
	CHECK(held == 215 && span == 10);
	now += 10 * SECOND;
	CHECK(log_limit_admit(&limit, 1, now, &held, &span) && held == 0);
	/* Times that seem to run backwards do not begin a period. */
	CHECK(log_limit_admit(&limit, 1, now - SECOND, &held, &span));
	CHECK(!log_limit_admit(&limit, 1, now - SECOND, &held, &span));
	/* After a long silence the count is still told, with its own span. */
	CHECK(log_limit_admit(&limit, 1, now + 3600 * SECOND, &held, &span));
	CHECK(held == 1 && span == 10);
	CHECK(log_limit_admit(&limit, 1, now + 7200 * SECOND, &held, &span));
	CHECK(held == 0);
}

static void
test_limited(void)
{
	static struct log_limit a = LOG_LIMIT("legs lost"),
	    b = LOG_LIMIT("strangers"), c = LOG_LIMIT("quiet");
	int lines = 0, seconds, used;

	catch_begin();
	for (int i = 0; i < 100; i++) {
		log_limited(&a, 1, "leg %d lost", i);
		if (i < 5)
			log_limited(&b, 0, "stranger %d", i);
		log_limited(&c, 2, "unheard");
	}
	log_settle(false);	/* no period is over */
	swap_back();
	while (catch_write() > 0) {
		CHECK(strstr(line, "lost\n") != NULL ||
		    strstr(line, "stranger") != NULL);
		lines++;
	}
	CHECK(lines == 2 * LOG_LIMIT_LINES);

	swap_in(catch[1]);
	errno = EXDEV;
	log_settle(true);
	CHECK(errno == EXDEV);
	log_settle(true);
	log_limited(&a, 1, "leg 100 lost");	/* a new period */
	log_settle(true);
	swap_back();
	CHECK(catch_write() > 0);
	CHECK(sscanf(line, PREFIX "strangers: and 2 more like it in %d s\n%n",
	    &seconds, &used) == 1);
	CHECK((size_t)used == strlen(line) && seconds >= 1 && seconds <= 10);
	CHECK(catch_write() > 0);
	CHECK(sscanf(line, PREFIX "legs lost: and 97 more like it in %d s\n%n",
	    &seconds, &used) == 1);
	CHECK((size_t)used == strlen(line) && seconds >= 1 && seconds <= 10);
	CHECK(catch_write() > 0);
	CHECK(strcmp(line, PREFIX "leg 100 lost\n") == 0);
	CHECK(catch_write() == -1);
}

/* All are printed or counted, however many threads have them. */
static struct log_limit many = LOG_LIMIT("many");

static void *
limit_many(void *argument)
{
	(void)argument;
	for (int i = 0; i < 10000; i++)
		log_limited(&many, 0, "one");
	return NULL;
}

static void
test_limited_threads(void)
{
	pthread_t threads[4];
	unsigned long sum = 0, held;

	catch_begin();
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, limit_many, NULL)
		    == 0);
	for (int i = 0; i < 4; i++)
		CHECK(join(threads[i]) == NULL);
	log_settle(true);
	swap_back();
	while (catch_write() > 0) {
		if (strcmp(line, PREFIX "one\n") == 0)
			sum++;
		else {
			CHECK(sscanf(line, PREFIX "many: and %lu more", &held)
			    == 1);
			sum += held;
		}
	}
	CHECK(sum == 40000);
}

/* Ends with 1 and the line, also in a thread, also with the threshold at 0. */
static void *
die(void *argument)
{
	log_open();
	die_on(EPERM, argument);
	return NULL;
}

static void
test_die(void)
{
	int fds[2], status;
	pthread_t thread;
	pid_t pid;

	CHECK(pipe(fds) == 0);
	CHECK((pid = fork()) != -1);
	if (pid == 0) {
		swap_in(fds[1]);
		log_set(0);
		if (pthread_create(&thread, NULL, die, "pthread\nx") == 0)
			(void)join(thread);
		_exit(42);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	(void)drain(fds[0], line, sizeof(line));
	CHECK(strcmp(line, PREFIX "pthread\\x0ax: Operation not permitted\n") == 0);
}

/* Text of many lines in one write, harmless; longer than a line may be. */
static void
test_text(void)
{
	static char text[3001];

	catch_begin();
	log_set(0);
	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "a\n\033[2J\r\377 b\n", 11);
	log_text(text, 3000);
	swap_back();
	CHECK(catch_write() == 3000);
	CHECK(strncmp(line, "a\n?[2J?? b\nxxx", 14) == 0 && line[2999] == 'x');
}

/* What is shown stays below whatever is said, each time in one write. */
static void
test_show(void)
{
	static char text[2 * LOG_LINE_SIZE];

	catch_begin();
	log_set(1);
	log_show("", "");
	log_show("10 %", "\r\033[K");
	log_show("11 %", "<E>");
	log_line(1, "message");
	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	log_text(text, sizeof(text));
	log_show("", "");
	log_line(1, "after");
	log_show("99 %", "<E>");
	log_show("", "\n");
	log_line(1, "last");
	swap_back();
	CHECK(catch_write() > 0 && strcmp(line, "10 %") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "\r\033[K11 %") == 0);
	CHECK(catch_write() > 0);
	CHECK(strcmp(line, "<E>" PREFIX "message\n11 %") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "<E>") == 0);
	CHECK(catch_write() == (ssize_t)sizeof(text));
	CHECK(catch_write() > 0 && strcmp(line, "11 %") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "<E>") == 0);
	CHECK(catch_write() > 0 && strcmp(line, PREFIX "after\n") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "99 %") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "\n") == 0);
	CHECK(catch_write() > 0 && strcmp(line, PREFIX "last\n") == 0);
	CHECK(catch_write() == -1);
}

/* Bytes of others pass as they are; what is shown stays below whole lines. */
static void
test_pass(void)
{
	catch_begin();
	log_set(1);
	CHECK(log_pass("\033[1m\r\001\n", 7) == 7);
	log_show("10 %", "<E>");
	CHECK(log_pass("a\nb\n", 4) == 4);
	CHECK(log_pass("half", 4) == 4);
	log_show("11 %", "<F>");
	CHECK(log_pass(" a line", 7) == 7);
	log_line(1, "ours");
	CHECK(log_pass("x", 1) == 1);
	CHECK(log_pass("y\n", 2) == 2);
	CHECK(log_pass("z", 1) == 1);
	log_show("", "\n");
	log_line(1, "last");
	swap_back();
	CHECK(catch_write() == 7 && memcmp(line, "\033[1m\r\001\n", 7) == 0);
	CHECK(catch_write() > 0 && strcmp(line, "10 %") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "<E>") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "a\nb\n") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "10 %") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "<E>") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "half") == 0);
	CHECK(catch_write() > 0 && strcmp(line, " a line") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "\n") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "<E>" PREFIX "ours\n10 %") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "<E>") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "x") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "y\n") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "10 %") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "<E>") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "z") == 0);
	CHECK(catch_write() > 0 && strcmp(line, "\n") == 0);
	CHECK(catch_write() > 0 && strcmp(line, PREFIX "last\n") == 0);
	CHECK(catch_write() == -1);
}

/* None of them is lost where there is no room, and no message because of them. */
static void
test_pass_full(void)
{
	static char text[200000], bytes[4096];
	size_t sum = 0, taken, n;
	int fds[2];

	CHECK(pipe(fds) == 0);
	swap_in(fds[1]);
	log_open();
	log_set(1);
	memset(bytes, 'm', sizeof(bytes) - 1);
	bytes[sizeof(bytes) - 1] = '\n';
	while ((taken = log_pass(bytes, sizeof(bytes))) == sizeof(bytes))
		sum += taken;
	sum += taken;
	CHECK(log_pass(bytes, sizeof(bytes)) == 0);
	n = drain(fds[0], text, sizeof(text));
	CHECK(n == sum && n > 30000);
	log_line(1, "kept");
	n = drain(fds[0], text, sizeof(text));
	text[n] = '\0';
	CHECK(strcmp(text, PREFIX "kept\n") == 0 || strcmp(text, "\n" PREFIX "kept\n") == 0);
	/* Who will never take any more is not waited for. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)close(fds[0]);
	CHECK(log_pass(bytes, sizeof(bytes)) == sizeof(bytes));
	swap_back();
}

/* Standard error takes nothing for a while: the line waits for nobody. */
static void
test_show_full(void)
{
	static char text[100000];
	struct timespec begin, end;
	int fds[2], i;
	size_t n;

	CHECK(pipe(fds) == 0);
	swap_in(fds[1]);
	log_open();
	log_set(1);
	log_show("shown", "<E>");
	CHECK(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
	while (write(fds[1], "#", 1) == 1)
		;
	CHECK(fcntl(fds[1], F_SETFL, 0) == 0);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &begin) == 0);
	for (i = 0; i < 1000; i++)
		log_show("newer", "<F>");
	CHECK(clock_gettime(CLOCK_MONOTONIC, &end) == 0);
	CHECK((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) /
	    1000000 < 500);
	log_line(1, "lost");
	n = drain(fds[0], text, sizeof(text));
	CHECK(n > 60000 && strstr(text, "lost") == NULL);
	log_line(1, "kept");
	(void)drain(fds[0], text, sizeof(text));
	swap_back();
	CHECK(strstr(text, PREFIX "1 message lost here") != NULL);
	CHECK(strstr(text, PREFIX "kept\nnewer") != NULL);
}

int
main(void)
{
	true_stderr = dup(STDERR_FILENO);
	CHECK(true_stderr != -1);
	(void)fcntl(true_stderr, F_SETFD, FD_CLOEXEC);

	apart("line", test_line);
	apart("levels", test_levels);
	apart("time", test_time);
	apart("harmless", test_harmless);
	apart("truncation", test_truncation);
	apart("threads, pipe", test_threads_pipe);
	apart("threads, file", test_threads_file);
	apart("threads, prompt", test_threads_prompt);
	apart("threads, terminal", test_threads_terminal);
	apart("full pipe", test_full_pipe);
	apart("full pipe, prompt", test_full_pipe_prompt);
	apart("full pipe, O_NONBLOCK", test_full_pipe_nonblock);
	apart("full terminal", test_full_terminal);
	apart("hung writer", test_hung_writer);
	apart("gone", test_gone);
	apart("interrupted", test_interrupted);
	apart("limit, admit", test_limit_admit);
	apart("limited", test_limited);
	apart("limited, threads", test_limited_threads);
	apart("die", test_die);
	apart("text", test_text);
	apart("show", test_show);
	apart("show, full pipe", test_show_full);
	apart("pass", test_pass);
	apart("pass, full pipe", test_pass_full);
	return check_done();
}
