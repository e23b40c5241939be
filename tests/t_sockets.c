/*
 * t_sockets: what TCP sockets a process has, from /proc, one in a line.
 *
 *	t_sockets listening PID		the ports it listens on
 *	t_sockets connected PID		the local ports of its established connections
 *	t_sockets addresses PID		the local IPv4 addresses of those
 *
 * Tests ask this until the answer is the right one, which is why it is in C.  A process
 * that has gone has none.  Each line is printed once, and ports in their order.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKETS		4096
#define LISTEN		0x0A
#define ESTABLISHED	0x01

static unsigned long inode[SOCKETS];
static unsigned inodes;
static uint32_t found[SOCKETS];		/* ports, or addresses as they are on the wire */
static unsigned founds;

/* What of its descriptors are sockets. */
static void
sockets_of(const char *pid)
{
	char name[300], to[64];
	struct dirent *entry;
	ssize_t n;
	DIR *d;

	snprintf(name, sizeof(name), "/proc/%s/fd", pid);
	d = opendir(name);
	while (d != NULL && (entry = readdir(d)) != NULL && inodes < SOCKETS) {
		snprintf(name, sizeof(name), "/proc/%s/fd/%s", pid, entry->d_name);
		n = readlink(name, to, sizeof(to) - 1);
		to[n < 0 ? 0 : n] = '\0';
		if (sscanf(to, "socket:[%lu]", &inode[inodes]) == 1)
			inodes++;
	}
	if (d != NULL)
		closedir(d);
}

static bool
is_its(unsigned long number)
{
	unsigned i;

	for (i = 0; i < inodes && inode[i] != number; i++)
		;
	return i < inodes;
}

static void
note(uint32_t value)
{
	unsigned i;

	for (i = 0; i < founds && found[i] != value; i++)
		;
	if (i == founds && founds < SOCKETS)
		found[founds++] = value;
}

/* A table of the kernel's for the network that the process is in. */
static void
look(const char *pid, const char *table, unsigned wanted, bool addresses)
{
	char name[300], line[512], local[40];
	unsigned port, state, last;
	unsigned long number;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%s/net/%s", pid, table);
	f = fopen(name, "r");
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, " %*d: %39[0-9A-F]:%x %*s %x %*s %*s %*s %*s %*s %lu", local,
		    &port, &state, &number) != 4 || state != wanted || !is_its(number))
			continue;
		/* The last word of the address, in this machine's order. */
		if (sscanf(local + strlen(local) - 8, "%x", &last) == 1)
			note(addresses ? last : port);
	}
	fclose(f);
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int
main(int argc, char **argv)
{
	char text[INET_ADDRSTRLEN];
	bool addresses;
	unsigned i;

	if (argc != 3) {
		fprintf(stderr, "usage: t_sockets listening|connected|addresses PID\n");
		return 2;
	}
	addresses = strcmp(argv[1], "addresses") == 0;
	i = strcmp(argv[1], "listening") == 0 ? LISTEN : ESTABLISHED;
	sockets_of(argv[2]);
	look(argv[2], "tcp", i, addresses);
	look(argv[2], "tcp6", i, addresses);
	qsort(found, founds, sizeof(found[0]), by_number);
	for (i = 0; i < founds; i++)
		puts(addresses ? inet_ntop(AF_INET, &found[i], text, sizeof(text)) :
		    (snprintf(text, sizeof(text), "%" PRIu32, found[i]), text));
	return 0;
}
