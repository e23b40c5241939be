/*
 * bench_sink: the consumer that stands behind every program in the speed
 * comparison.  It reads 128 KiB at a time, counts, and checks what it reads
 * against what bench_source writes.  One thread.
 *
 * usage: bench_sink [-v LEVEL] [-n BYTES] [-p BYTES:MS] [-s MS]
 *
 *  -v LEVEL     0 count only; 1 (default) check the first 8 bytes of every
 *               4 KiB, which costs nothing to speak of and sees a page that
 *               is lost, repeated or out of place; 2 check every byte
 *  -n BYTES     stop after that many bytes instead of at end of file
 *  -p BYTES:MS  once BYTES have come, stop reading for MS milliseconds
 *  -s MS        print "sample ns=N bytes=N" about every MS milliseconds, and
 *               on both sides of any read that took longer than that
 *
 * When it ends it prints one line on standard error:
 *        sink bytes=N first_ns=N end_ns=N wrong=N
 * with CLOCK_MONOTONIC after the first read and at end of file (or after the
 * last byte of -n); wrong is the stream offset of the first wrong byte (of
 * the first wrong word at level 1), or "none".
 * Exit: 0 all right, 1 wrong bytes, 2 usage, 3 a read failed or -n fell short.
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	131072U
#define PAGE	4096U
#define NOZERO	UINT64_C(0x0101010101010101)
#define NONE	UINT64_MAX

struct pause {
	uint64_t at;		/* bytes */
	uint64_t ms;
};

static unsigned char buf[BLOCK];
static uint64_t expected[BLOCK / 8];	/* the block at expected_offset */
static uint64_t expected_offset = NONE;

static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (x ^ (x >> 31)) | NOZERO;
}

/* Also in bench_source.c; the two must agree. */
static uint64_t
word(uint64_t offset)
{
	return mix(offset % PAGE == 0 ? offset : offset % BLOCK);
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

/* Level 1.  A word that two reads share is left to level 2. */
static uint64_t
check_pages(const unsigned char *p, size_t len, uint64_t offset)
{
	uint64_t o = (offset + PAGE - 1) / PAGE * PAGE;

	for (; o + 8 <= offset + len; o += PAGE) {
		uint64_t want = word(o);

		if (memcmp(p + (o - offset), &want, 8) != 0)
			return o;
	}
	return NONE;
}

static void
expect_block(uint64_t offset)
{
	if (expected_offset == NONE)
		for (uint64_t i = 0; i < BLOCK; i += 8)
			expected[i / 8] = word(i);
	for (uint64_t i = 0; i < BLOCK; i += PAGE)
		expected[i / 8] = word(offset + i);
	expected_offset = offset;
}

/* Level 2. */
static uint64_t
check_bytes(const unsigned char *p, size_t len, uint64_t offset)
{
	while (len > 0) {
		size_t at = (size_t)(offset % BLOCK);
		size_t n = BLOCK - at < len ? BLOCK - at : len;
		const unsigned char *want = (unsigned char *)expected + at;

		if (expected_offset != offset - at)
			expect_block(offset - at);
		if (memcmp(p, want, n) != 0) {
			size_t i = 0;

			while (p[i] == want[i])
				i++;
			return offset + i;
		}
		p += n;
		len -= n;
		offset += n;
	}
	return NONE;
}

static uint64_t
check(int level, const unsigned char *p, size_t len, uint64_t offset)
{
	if (level == 2)
		return check_bytes(p, len, offset);
	if (level == 1)
		return check_pages(p, len, offset);
	return NONE;
}

/*
 * Samples go out while the stream runs, since whoever reads them may want to
 * act in the middle of it.  last is the time of the previous read's end.
 */
static void
sample(uint64_t interval, uint64_t now, uint64_t bytes, size_t came)
{
	static uint64_t printed, last;

	if (last != 0 && now - last > interval && last != printed)
		fprintf(stderr, "sample ns=%" PRIu64 " bytes=%" PRIu64 "\n",
		    last, bytes - came);
	if (now - printed >= interval) {
		fprintf(stderr, "sample ns=%" PRIu64 " bytes=%" PRIu64 "\n",
		    now, bytes);
		printed = now;
	}
	last = now;
}

static void
pause_ms(uint64_t ms)
{
	struct timespec ts;

	fprintf(stderr, "pause ns=%" PRIu64 "\n", now_ns());
	ts.tv_sec = (time_t)(ms / 1000);
	ts.tv_nsec = (long)(ms % 1000) * 1000000;
	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		;
	fprintf(stderr, "resume ns=%" PRIu64 "\n", now_ns());
}

static uint64_t
number(const char *s, char stop, char **rest)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(s, &end, 10);
	if (errno != 0 || end == s || *end != stop || *s == '-') {
		fprintf(stderr, "bench_sink: not a number: %s\n", s);
		exit(2);
	}
	if (rest != NULL)
		*rest = end + 1;
	return n;
}

static int
drain(int level, uint64_t limit, struct pause pause, uint64_t interval)
{
	uint64_t bytes = 0, first = 0, wrong = NONE, end;
	int status = 0;

	while (bytes < limit) {
		size_t want = limit - bytes < BLOCK ? (size_t)(limit - bytes) :
		    BLOCK;
		ssize_t n = read(STDIN_FILENO, buf, want);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			fprintf(stderr, "bench_sink: read: %s\n",
			    strerror(errno));
			status = 3;
		}
		if (n <= 0)
			break;
		if (first == 0)
			first = now_ns();
		if (wrong == NONE)
			wrong = check(level, buf, (size_t)n, bytes);
		bytes += (uint64_t)n;
		if (interval != 0)
			sample(interval, now_ns(), bytes, (size_t)n);
		if (bytes >= pause.at) {
			pause_ms(pause.ms);
			pause.at = NONE;
		}
	}
	end = now_ns();
	if (limit != NONE && bytes < limit && status == 0)
		status = 3;
	fprintf(stderr, "sink bytes=%" PRIu64 " first_ns=%" PRIu64
	    " end_ns=%" PRIu64 " wrong=", bytes, first, end);
	if (wrong == NONE) {
		fprintf(stderr, "none\n");
	} else {
		fprintf(stderr, "%" PRIu64 "\n", wrong);
		status = 1;
	}
	return status;
}

int
main(int argc, char **argv)
{
	uint64_t limit = NONE, interval = 0;
	struct pause pause = { NONE, 0 };
	int c, level = 1;
	char *rest;

	while ((c = getopt(argc, argv, "n:p:s:v:")) != -1) {
		switch (c) {
		case 'n':
			limit = number(optarg, '\0', NULL);
			break;
		case 'p':
			pause.at = number(optarg, ':', &rest);
			pause.ms = number(rest, '\0', NULL);
			break;
		case 's':
			interval = number(optarg, '\0', NULL) * 1000000U;
			break;
		case 'v':
			level = (int)number(optarg, '\0', NULL);
			break;
		default:
			optind = argc + 1;
		}
	}
	if (optind != argc || level > 2) {
		fprintf(stderr, "usage: bench_sink [-v LEVEL] [-n BYTES]"
		    " [-p BYTES:MS] [-s MS]\n");
		return 2;
	}
	return drain(level, limit, pause, interval);
}
