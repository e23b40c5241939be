/*
 * The staging pipe between a socket and a pipe: what comes is shown, passed on,
 * taken back or forgotten, each byte once; pieces so small that the pipe does
 * not hold a frame spill, and a reader that has gone is told.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../sys/staging.h"
#include "check.h"

#define ROOM	(1u << 20)

static uint8_t bytes[ROOM], back[ROOM];
static int from[2], to[2];

static void
make_ends(void)
{
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, from) == 0);
	CHECK(pipe(to) == 0);
	CHECK(fcntl(from[0], F_SETFL, O_NONBLOCK) == 0);
	CHECK(fcntl(to[0], F_SETFL, O_NONBLOCK) == 0);
}

static void
close_ends(void)
{
	close(from[0]);
	close(from[1]);
	close(to[0]);
	close(to[1]);
}

/* n bytes from `at' on come in; what is shown is what they are. */
static void
come(struct staging *s, size_t at, size_t n)
{
	ssize_t got;

	CHECK(write(from[1], bytes + at, n) == (ssize_t)n);
	while (n > 0) {
		got = staging_fill(s, from[0], n);
		CHECK(got > 0);
		CHECK(memcmp(s->bytes, bytes + at, (size_t)got) == 0);
		at += (size_t)got;
		n -= (size_t)got;
	}
	errno = 0;
	CHECK(staging_fill(s, from[0], 1) == -1 && errno == EAGAIN);
}

/* They come out at the other end. */
static void
leave(struct staging *s, size_t at, size_t n)
{
	ssize_t put;

	for (; n > 0; n -= (size_t)put, at += (size_t)put) {
		put = staging_pass(s, to[1]);
		CHECK(put > 0);
		CHECK(read(to[0], back, (size_t)put) == put);
		CHECK(memcmp(back, bytes + at, (size_t)put) == 0);
	}
	CHECK(s->held == 0);
}

static void
test_ways(struct staging *s)
{
	come(s, 0, 30000);
	CHECK(s->held == 30000 && s->spilt == 0);
	leave(s, 0, 30000);
	come(s, 7, 20000);
	come(s, 20007, 333);
	CHECK(staging_take(s, back) && s->held == 0);
	CHECK(memcmp(back, bytes + 7, 20333) == 0);
	come(s, 50, 9999);
	staging_drop(s);
	CHECK(s->held == 0 && s->open);
	/* Nothing of that is left behind. */
	come(s, 5, 100);
	leave(s, 5, 100);
}

/* The consumer takes some and no more: the rest can be taken back. */
static void
test_full(struct staging *s)
{
	size_t all = 0, n;
	ssize_t put;

#ifdef F_SETPIPE_SZ
	CHECK(fcntl(to[1], F_SETPIPE_SZ, 4096) == 4096);
#endif
	while (all < 150000) {
		n = 50000;
		come(s, all, n);
		all += n;
	}
	for (n = 0; (put = staging_pass(s, to[1])) > 0; n += (size_t)put)
		;
	CHECK(put == -1 && errno == EAGAIN && n > 0 && n < all);
	CHECK(staging_take(s, back));
	CHECK(memcmp(back, bytes + n, all - n) == 0);
	for (all = 0; all < n; all += (size_t)put) {
		put = read(to[0], back, sizeof(back));
		CHECK(put > 0 && memcmp(back, bytes + all, (size_t)put) == 0);
	}
}

/* Each single byte takes a place of its own. */
static void
test_spilt(struct staging *s)
{
	size_t all = 0;

	while (s->spilt == 0) {
		CHECK(write(from[1], bytes + all, 1) == 1);
		CHECK(staging_fill(s, from[0], 5) == 1);
		CHECK(s->bytes[0] == bytes[all]);
		all++;
		CHECK(all < ROOM);
	}
	CHECK(all > 16 && s->held == all - 1 && s->spilt == 1);
	CHECK(staging_take(s, back) && memcmp(back, bytes, all) == 0);
	come(s, 3, 1000);
	leave(s, 3, 1000);
}

static void
test_ends(struct staging *s)
{
	come(s, 0, 10);
	close(to[0]);
	errno = 0;
	CHECK(staging_pass(s, to[1]) == -1 && errno == EPIPE);
	CHECK(staging_take(s, back) && memcmp(back, bytes, 10) == 0);
	close(from[1]);
	CHECK(staging_fill(s, from[0], 10) == 0);
	close(from[0]);
	errno = 0;
	CHECK(staging_fill(s, from[0], 10) == -1 && errno == EBADF);
	close(to[1]);
}

/* Without descriptors there is none, and it is not asked for again. */
static void
test_none(void)
{
	struct rlimit limit;
	struct staging s;

	CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 5;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	staging_init(&s);
	CHECK(!staging_open(&s) && s.broken && !s.open);
	limit.rlim_cur = 50;
	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	CHECK(!staging_open(&s));
	staging_free(&s);
}

int
main(int argc, char **argv)
{
	uint64_t random = check_seed(argc, argv, 1791);
	struct staging s;
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < ROOM; i++)
		bytes[i] = (uint8_t)check_random(&random);
	staging_init(&s);
	if (!staging_open(&s)) {
		printf("there is no staging pipe here\n");
		return 77;
	}
	CHECK(staging_open(&s));
	make_ends();
	test_ways(&s);
	test_full(&s);
	test_spilt(&s);
	close_ends();
	make_ends();
	test_ends(&s);
	staging_free(&s);
	CHECK(!s.open);
	test_none();
	return check_done();
}
