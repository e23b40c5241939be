/*
 * bench_source: the producer that stands in front of every program in the
 * speed comparison.  It writes a given number of bytes, or writes for a given
 * time, in 128 KiB write(2)s from one reused buffer, so that making the data
 * costs next to nothing.  One thread.
 *
 * No byte of the stream is zero.  The 8 bytes at stream offset o are
 * word(o), see below: the same block again and again, except that the first
 * word of every 4 KiB depends on its offset in the stream, so bench_sink sees
 * a page that is lost, repeated or out of place.
 *
 * usage: bench_source BYTES
 *        bench_source -t MILLISECONDS
 *
 * When it ends it prints one line on standard error:
 *        source bytes=N start_ns=N end_ns=N
 * with CLOCK_MONOTONIC just before the first write and after the last.
 * Exit: 0 all written, 2 usage, 3 a write failed (the line is printed then
 * too, with the bytes that were taken).
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	131072U
#define PAGE	4096U
#define NOZERO	UINT64_C(0x0101010101010101)

static uint64_t block[BLOCK / 8];

static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (x ^ (x >> 31)) | NOZERO;
}

/* Also in bench_sink.c; the two must agree. */
static uint64_t
word(uint64_t offset)
{
	return mix(offset % PAGE == 0 ? offset : offset % BLOCK);
}

static void
block_stamp(uint64_t offset)
{
	for (uint64_t i = 0; i < BLOCK; i += PAGE)
		block[i / 8] = word(offset + i);
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

/* Returns the number of bytes written, less than len after an error. */
static size_t
write_all(const void *buf, size_t len)
{
	const char *p = buf;
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(STDOUT_FILENO, p + done, len - done);

		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static uint64_t
number(const char *s)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(s, &end, 10);
	if (errno != 0 || end == s || *end != '\0' || *s == '-') {
		fprintf(stderr, "bench_source: not a number: %s\n", s);
		exit(2);
	}
	return n;
}

int
main(int argc, char **argv)
{
	uint64_t limit = UINT64_MAX, duration = UINT64_MAX;
	uint64_t offset = 0, start, end;
	int status = 0;

	if (argc == 3 && strcmp(argv[1], "-t") == 0) {
		duration = number(argv[2]) * 1000000U;
	} else if (argc == 2) {
		limit = number(argv[1]);
	} else {
		fprintf(stderr, "usage: bench_source BYTES | -t MILLISECONDS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	for (uint64_t i = 0; i < BLOCK; i += 8)
		block[i / 8] = word(i);

	start = end = now_ns();
	while (offset < limit && end - start < duration) {
		size_t len = BLOCK, done;

		if (limit - offset < len)
			len = (size_t)(limit - offset);
		block_stamp(offset);
		done = write_all(block, len);
		offset += done;
		if (done < len) {
			fprintf(stderr, "bench_source: write: %s\n",
			    strerror(errno));
			status = 3;
			break;
		}
		if (duration != UINT64_MAX)
			end = now_ns();
	}
	end = now_ns();
	fprintf(stderr,
	    "source bytes=%" PRIu64 " start_ns=%" PRIu64 " end_ns=%" PRIu64 "\n",
	    offset, start, end);
	return status;
}
