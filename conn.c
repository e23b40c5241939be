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

/* The block for the next of n bytes; NULL: no memory. */
static struct conn_block *
last_block(struct conn *c, size_t n)
{
	struct conn_block *b = c->last;
	size_t size = n < BLOCK_MIN ? BLOCK_MIN : n > BLOCK_MAX ? BLOCK_MAX : n;

	if (b != NULL && b->end < b->size)
		return b;
	b = malloc(sizeof(*b) + size);
	if (b == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	b->next = NULL;
	b->at = b->end = 0;
	b->size = size;
	*(c->last != NULL ? &c->last->next : &c->first) = b;
	c->last = b;
	return b;
}

ssize_t
conn_keep(struct conn *c, int fd, size_t n)
{
	struct conn_block *b = last_block(c, n);
	ssize_t got;

	if (b == NULL)
		return -1;
	if (n > b->size - b->end)
		n = b->size - b->end;
	got = read(fd, b->bytes + b->end, n);
	if (got > 0)
		b->end += (size_t)got;
	return got;
}

bool
conn_store(struct conn *c, const uint8_t *bytes, size_t n)
{
	struct conn_block *b;
	size_t some;

	for (; n > 0; n -= some, bytes += some) {
		if ((b = last_block(c, n)) == NULL)
			return false;
		some = n < b->size - b->end ? n : b->size - b->end;
		memcpy(b->bytes + b->end, bytes, some);
		b->end += some;
	}
	return true;
}

ssize_t
conn_give(struct conn *c, const uint8_t *bytes, size_t n)
{
	size_t sent = 0;
	ssize_t some;

	c->full = false;
	while (sent < n) {
		some = send(c->fd, bytes + sent, n - sent, MSG_NOSIGNAL);
		if (some == -1 && errno == EINTR)
			continue;
		c->full = some == -1 && (errno == EAGAIN || errno == EWOULDBLOCK);
		if (some == -1)
			return c->full ? (ssize_t)sent : -1;
		sent += (size_t)some;
	}
	return (ssize_t)sent;
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
	struct conn_block *b;
	ssize_t n, sum = 0;

	c->full = false;
	while ((b = c->first) != NULL && !c->full) {
		n = conn_give(c, b->bytes + b->at, b->end - b->at);
		if (n == -1)
			return -1;
		sum += n;
		b->at += (size_t)n;
		if (b->at == b->end)
			drop_first(c);
	}
	return sum;
}

bool
conn_finish(struct conn *c)
{
	return shutdown(c->fd, SHUT_WR) == 0;
}
