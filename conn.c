/*
 * conn: one connection of a program.  See conn.h; runs in mux's thread.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/net.h"

#define BLOCK_MIN	1024u
#define BLOCK_MAX	(64u << 10)

struct conn_block {
	struct conn_block *next;
	size_t at, end, size;
	uint8_t bytes[];
};

struct conn *
conn_new(int fd)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->fd = fd;
	c->phase = CONN_WAITS;
	if (fd != -1)
		conn_begin(c);
	return c;
}

void
conn_begin(struct conn *c)
{
	net_abort(c->fd);
	net_keepalive(c->fd);
	c->phase = CONN_OPEN;
}

static void
drop_first(struct conn *c)
{
	struct conn_block *b = c->first;

	c->first = b->next;
	if (c->first == NULL)
		c->last = NULL;
	free(b);
}

void
conn_close(struct conn *c, bool well)
{
	while (c->first != NULL)
		drop_first(c);
	if (c->fd != -1) {
		if (well)
			net_part(c->fd);
		close(c->fd);
	}
	c->fd = -1;
	c->phase = CONN_CLOSED;
}

void
conn_free(struct conn *c)
{
	conn_close(c, false);
	free(c);
}

bool
conn_keeps(const struct conn *c)
{
	return c->first != NULL;
}

ssize_t
conn_keep(struct conn *c, int fd, size_t n)
{
	struct conn_block *b = c->last;
	size_t size = n < BLOCK_MIN ? BLOCK_MIN : n > BLOCK_MAX ? BLOCK_MAX : n;
	ssize_t got;

	if (b == NULL || b->end == b->size) {
		b = malloc(sizeof(*b) + size);
		if (b == NULL) {
			errno = ENOMEM;
			return -1;
		}
		b->next = NULL;
		b->at = b->end = 0;
		b->size = size;
		*(c->last != NULL ? &c->last->next : &c->first) = b;
		c->last = b;
	}
	if (n > b->size - b->end)
		n = b->size - b->end;
	got = read(fd, b->bytes + b->end, n);
	if (got > 0)
		b->end += (size_t)got;
	return got;
}

#ifdef SPLICE_F_MOVE
ssize_t
conn_pass(struct conn *c, int fd, size_t n)
{
	ssize_t got = splice(fd, NULL, c->fd, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	int waiting = 0;

	if (got != -1 || (errno != EAGAIN && errno != EWOULDBLOCK))
		return got;
	/* Which of the two was it? */
	if (ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0)
		c->full = true;
	errno = EAGAIN;
	return -1;
}
#else
ssize_t
conn_pass(struct conn *c, int fd, size_t n)
{
	(void)c, (void)fd, (void)n;
	errno = EINVAL;
	return -1;
}
#endif

ssize_t
conn_flush(struct conn *c)
{
	ssize_t n, sum = 0;

	c->full = false;
	while (c->first != NULL) {
		if (c->first->at == c->first->end) {
			drop_first(c);
			continue;
		}
		n = send(c->fd, c->first->bytes + c->first->at, c->first->end - c->first->at,
		    MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		c->full = n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK);
		if (n == -1)
			return c->full ? sum : -1;
		sum += n;
		c->first->at += (size_t)n;
	}
	return sum;
}

bool
conn_finish(struct conn *c)
{
	c->whole = shutdown(c->fd, SHUT_WR) == 0;
	return c->whole;
}
