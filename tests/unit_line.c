/*
 * unit_line: two lines over two pipes: what one leg writes the other reads, whatever else
 * passes; a connection that begins anew; output, its credit and its end; and bytes that
 * the other side cannot have written.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "ssh/line.h"
#include "sys/child.h"
#include "sys/log.h"
#include "sys/net.h"

static uint64_t random_state;

/* Both sides, and what they are connected by. */
struct world {
	struct line local, remote;
	int command;		/* the command's end of its output */
	int reader;		/* where the local side passes that on */
	int near, far;		/* the ends of the connection */
};

/* Waits for it; false: nothing for five seconds. */
static bool
readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 5000) == 1;
}

static int
accepted(struct line *l)
{
	return readable(line_calls(l)) ? line_accept(l) : -1;
}

static void
make(struct world *w)
{
	int there[2], back[2], out[2], printed[2];

	CHECK(line_init(&w->local, false) == 0 && line_init(&w->remote, true) == 0);
	CHECK(child_pipe(there) == 0 && child_pipe(back) == 0);
	CHECK(child_pipe(out) == 0 && child_pipe(printed) == 0);
	CHECK(net_own(there[1]) == 0 && net_own(back[1]) == 0);
	CHECK(net_own(out[0]) == 0 && net_own(printed[1]) == 0);
	CHECK(line_start(&w->remote, there[0], back[1], out[0]) == 0);
	CHECK(line_start(&w->local, back[0], there[1], printed[1]) == 0);
	w->command = out[1];
	w->reader = printed[0];
	w->near = line_call(&w->local);
	w->far = accepted(&w->remote);
	CHECK(w->near != -1 && w->far != -1);
}

/* Reads n bytes; false: they do not come. */
static bool
get(int fd, uint8_t *to, size_t n)
{
	ssize_t got;

	while (n > 0) {
		if (!readable(fd) || (got = read(fd, to, n)) <= 0)
			return false;
		to += got;
		n -= (size_t)got;
	}
	return true;
}

static bool
at_end(int fd)
{
	uint8_t byte;
	ssize_t n;

	if (!readable(fd))
		return false;
	n = read(fd, &byte, 1);
	return n == 0 || (n == -1 && errno == ECONNRESET);
}

/* Writes and reads at once, as neither takes everything. */
static bool
carried(int from, int to, size_t n)
{
	static uint8_t out[1 << 16], in[1 << 16];
	uint64_t wrote = 0, seen = 0, i;
	ssize_t k;

	while (seen < n) {
		for (i = 0; i < sizeof(out); i++)
			out[i] = (uint8_t)((wrote + i) * 2654435761u >> 13);
		k = wrote < n ? (ssize_t)(1 + check_below(&random_state, sizeof(out) - 1)) : 0;
		if ((uint64_t)k > n - wrote)
			k = (ssize_t)(n - wrote);
		k = k > 0 ? write(from, out, (size_t)k) : 0;
		wrote += k > 0 ? (uint64_t)k : 0;
		if (k <= 0 && !readable(to))
			return false;
		k = read(to, in, sizeof(in));
		if (k == 0)
			return false;
		for (i = 0; k > 0 && i < (uint64_t)k; i++)
			if (in[i] != (uint8_t)((seen + i) * 2654435761u >> 13))
				return false;
		seen += k > 0 ? (uint64_t)k : 0;
	}
	return true;
}

static void
test_both_ways(void)
{
	static struct world w;
	uint8_t text[8];

	make(&w);
	CHECK(carried(w.near, w.far, 5000000));
	CHECK(carried(w.far, w.near, 5000000));
	/* One direction ends, the other goes on. */
	CHECK(write(w.near, "last", 4) == 4);
	shutdown(w.near, SHUT_WR);
	CHECK(get(w.far, text, 4) && memcmp(text, "last", 4) == 0 && at_end(w.far));
	CHECK(carried(w.far, w.near, 100000));
	close(w.far);
	CHECK(at_end(w.near));
	close(w.near);
}

/* A connection is lost, with bytes under way in both directions, and another begins. */
static void
test_anew(void)
{
	static struct world w;
	static uint8_t junk[70000];
	unsigned i;

	make(&w);
	for (i = 0; i < 300; i++) {
		CHECK(write(w.near, junk, sizeof(junk)) > 0);
		CHECK(write(w.far, junk, sizeof(junk)) > 0);
		if (i % 2 == 0)
			close(w.near);
		else
			close(w.far);
		if (i % 2 != 0)
			close(w.near);
		w.near = line_call(&w.local);
		if (i % 2 == 0)
			close(w.far);
		w.far = accepted(&w.remote);
		CHECK(w.near != -1 && w.far != -1);
		CHECK(carried(w.near, w.far, 1000) && carried(w.far, w.near, 1000));
	}
}

/* The command prints until it is held up for that long, or has printed `most' bytes. */
static size_t
print_until_held(int command, size_t most, int patience_ms)
{
	static const uint8_t junk[4096];
	struct pollfd p = { .fd = command, .events = POLLOUT };
	size_t put = 0;
	ssize_t n;

	fcntl(command, F_SETFL, O_NONBLOCK);
	do {
		n = write(command, junk, sizeof(junk));
		put += n > 0 ? (size_t)n : 0;
	} while (put < most && (n > 0 || poll(&p, 1, patience_ms) == 1));
	return put;
}

/* How much the reader gets until nothing more comes. */
static size_t
read_rest(int reader)
{
	static uint8_t junk[4096];
	size_t seen = 0;
	ssize_t n;

	while (readable(reader) && (n = read(reader, junk, sizeof(junk))) > 0)
		seen += (size_t)n;
	return seen;
}

/* Output that nobody reads holds up neither the connection nor, later, its own rest. */
static void
test_output(void)
{
	static struct world w;
	static const uint8_t junk[4096];
	size_t put;

	make(&w);
	/* The credit, and what the pipes hold. */
	put = print_until_held(w.command, 2 * LINE_OUTPUT, 2000);
	CHECK(put >= LINE_OUTPUT && put < 2 * LINE_OUTPUT);
	CHECK(carried(w.near, w.far, 100000) && carried(w.far, w.near, 100000));
	line_output_over(&w.remote);
	CHECK(read_rest(w.reader) == put && at_end(w.reader));
	/* What a process prints that the command left behind is dropped. */
	CHECK(write(w.command, junk, sizeof(junk)) == (ssize_t)sizeof(junk));
	CHECK(carried(w.near, w.far, 1000));
	close(w.command);
	line_finish(&w.local);
	CHECK(readable(line_over(&w.local)) && at_end(w.far));
	CHECK(!line_open(&w.remote) && line_call(&w.local) == -1);
}

/* More output than the local side has reported passes after its end, if it is read late. */
static void
test_rest(void)
{
	static struct world w;
	size_t put;

	make(&w);
	put = print_until_held(w.command, SIZE_MAX, 500);
	line_output_over(&w.remote);
	close(w.near);
	line_finish(&w.local);
	CHECK(readable(line_over(&w.local)) && at_end(w.far));
	while (atomic_load(&w.remote.gone_ns) == 0)
		poll(NULL, 0, 10);
	CHECK(atomic_load(&w.remote.stays));
	CHECK(put > LINE_OUTPUT && read_rest(w.reader) == put && at_end(w.reader));
	line_finish(&w.remote);
	CHECK(readable(line_over(&w.remote)));
}

/* What a leg has written before the end reaches the other side. */
static void
test_finish(void)
{
	static struct world w;
	uint8_t text[8];

	make(&w);
	CHECK(write(w.near, "bye", 3) == 3);
	line_finish(&w.local);
	CHECK(readable(line_over(&w.local)));
	CHECK(get(w.far, text, 3) && memcmp(text, "bye", 3) == 0 && at_end(w.far));
	CHECK(atomic_load(&w.remote.gone_ns) != 0);
}

/* What no side may write ends the line at once, and nothing of it reaches a leg. */
static void
test_forged(void)
{
	static const struct {
		bool remote;		/* which side gets it */
		char bytes[8];
		size_t n;
	} bad[] = {
		{ true, "\0\0\0\0", 4 }, { true, "\7\0\0\0", 4 }, { true, "\1\0\0\1", 4 },
		{ true, "\2\0\0\0", 4 }, { true, "\3\0\0\1", 4 }, { true, "\4\0\0\1x", 5 },
		{ true, "\5\0\0\1\1", 5 }, { true, "\6\0\0\3xxx", 7 }, { true, "motd", 4 },
		{ false, "\1\0\0\0", 4 }, { false, "\2\0\0\0", 4 }, { false, "\4\0\0\0", 4 },
		{ false, "\5\0\0\2", 4 }, { false, "\6\0\0\4", 4 }, { false, "$ ls", 4 }
	};
	/* One for each, as their threads may end a little later. */
	static struct line lines[sizeof(bad) / sizeof(bad[0])];
	struct line *l;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int in[2], out[2], printed[2], end;

		CHECK(child_pipe(in) == 0 && child_pipe(out) == 0 && child_pipe(printed) == 0);
		net_own(out[1]);
		net_own(printed[0]);
		net_own(printed[1]);
		l = &lines[i];
		CHECK(line_init(l, bad[i].remote) == 0);
		if (bad[i].remote)
			CHECK(write(in[1], "\1\1\0\0", 4) == 4);
		CHECK(line_start(l, in[0], out[1], bad[i].remote ? printed[0] : printed[1]) == 0);
		end = bad[i].remote ? accepted(l) : line_call(l);
		CHECK(end != -1);
		CHECK(write(in[1], bad[i].bytes, bad[i].n) == (ssize_t)bad[i].n);
		CHECK(readable(line_over(l)) && at_end(end) && !line_open(l));
		close(end);
		close(in[1]);
		close(out[0]);
		close(printed[bad[i].remote ? 1 : 0]);
	}
}

int
main(int argc, char **argv)
{
	random_state = check_seed(argc, argv, 20261130);
	signal(SIGPIPE, SIG_IGN);
	log_set(-1);
	test_both_ways();
	test_anew();
	test_output();
	test_rest();
	test_finish();
	test_forged();
	return check_done();
}
