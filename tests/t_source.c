/*
 * t_source: seeded random bytes on standard output, as fast as they are taken or not.
 *
 *	t_source BYTES SEED [rate=BYTES_PER_SECOND] [hold=OFFSET:FILE ...]
 *
 * The bytes depend on SEED only.  hold: at that offset, which is above that of the hold
 * before, wait until the file exists, as long as it takes.  rate: not faster than that.
 * Ends with status 0 when all were taken, by SIGPIPE when nobody takes them any more.
 *
 * The generator is splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", 2014).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	65536u
#define HOLDS	16

struct hold {
	uint64_t at;
	const char *file;
};

static struct hold hold[HOLDS];
static unsigned holds;
static uint64_t rate, state, began_ns;

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t
takes_ns(uint64_t bytes)
{
	return rate == 0 ? 0 : (uint64_t)((double)bytes / (double)rate * 1e9);
}

static uint64_t
next(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Always a whole block, so that the bytes are the same however they are cut and held. */
static void
fill(uint8_t block[BLOCK])
{
	uint64_t word;
	unsigned i;

	for (i = 0; i < BLOCK; i += 8) {
		word = next();
		memcpy(block + i, &word, 8);
	}
}

/* Waits where it has to at this offset.  How many bytes may go at once then. */
static uint64_t
may_go(uint64_t sent)
{
	static unsigned held;
	uint64_t step = rate == 0 || rate / 50 > BLOCK ? BLOCK : rate / 50 + 1, due, now;

	while (held < holds && hold[held].at == sent) {
		while (access(hold[held].file, F_OK) == -1)
			poll(NULL, 0, 20);
		held++;
		began_ns = now_ns() - takes_ns(sent);
	}
	if (held < holds && hold[held].at - sent < step)
		step = hold[held].at - sent;
	if (rate != 0) {
		due = began_ns + takes_ns(sent);
		/* The clock is read once a round: it may pass `due' between two readings. */
		while ((now = now_ns()) < due)
			poll(NULL, 0, (int)((due - now) / 1000000) + 1);
	}
	return step;
}

static void
write_all(const uint8_t *bytes, uint64_t n)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };
	ssize_t put;

	for (; n > 0; bytes += put, n -= (uint64_t)put) {
		put = write(STDOUT_FILENO, bytes, n);
		if (put == -1 && errno != EAGAIN && errno != EINTR) {
			perror("t_source");
			exit(1);
		}
		if (put == -1) {
			poll(&p, 1, -1);
			put = 0;
		}
	}
}

static void
take(char *word)
{
	char *file = strchr(word, ':');

	if (strncmp(word, "rate=", 5) == 0)
		rate = strtoull(word + 5, NULL, 10);
	else if (strncmp(word, "hold=", 5) == 0 && file != NULL && holds < HOLDS)
		hold[holds++] = (struct hold){ strtoull(word + 5, NULL, 10), file + 1 };
	else {
		fprintf(stderr, "t_source: %s\n", word);
		exit(2);
	}
}

int
main(int argc, char *argv[])
{
	static uint8_t block[BLOCK];
	uint64_t total, sent = 0, at, n;
	int i;

	signal(SIGPIPE, SIG_DFL);
	if (argc < 3)
		return 2;
	total = strtoull(argv[1], NULL, 10);
	state = strtoull(argv[2], NULL, 10);
	for (i = 3; i < argc; i++)
		take(argv[i]);
	began_ns = now_ns();
	while (sent < total) {
		fill(block);
		for (at = 0; at < BLOCK && sent < total; at += n, sent += n) {
			n = may_go(sent);
			if (n > BLOCK - at)
				n = BLOCK - at;
			if (n > total - sent)
				n = total - sent;
			write_all(block + at, n);
		}
	}
	may_go(sent);
	return 0;
}
