/*
 * staging: frames that wait for their check.  See staging.h; runs in the thread
 * of the leg whose frame it is.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "sys/staging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/child.h"

#define FRONT	((int)(4 * STAGING_PIECE))	/* capacities; small pieces waste room */
#define BACK	((int)STAGING_MAX)

void
staging_init(struct staging *s)
{
	memset(s, 0, sizeof(*s));
	s->front[0] = s->front[1] = s->back[0] = s->back[1] = -1;
}

static void
close_one(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void
staging_free(struct staging *s)
{
	close_one(&s->front[0]);
	close_one(&s->front[1]);
	close_one(&s->back[0]);
	close_one(&s->back[1]);
	free(s->bytes);
	s->bytes = NULL;
	s->held = s->spilt = 0;
	s->open = false;
}

void
staging_refuse(struct staging *s)
{
	s->broken = true;
}

#if defined(SPLICE_F_MOVE) && defined(F_SETPIPE_SZ)
static bool
make_pipe(int fd[2], int size)
{
	return child_pipe(fd) == 0 && fcntl(fd[1], F_SETPIPE_SZ, size) >= size;
}

bool
staging_open(struct staging *s)
{
	if (s->open || s->broken)
		return s->open && !s->broken;
	s->bytes = malloc(STAGING_PIECE);
	s->open = s->bytes != NULL && make_pipe(s->front, FRONT) && make_pipe(s->back, BACK);
	if (!s->open) {
		staging_free(s);
		s->broken = true;
	}
	return s->open;
}

/* What the pipes hold is unknown: gives them up. */
static ssize_t
fail(struct staging *s)
{
	int error = errno;

	staging_free(s);
	s->broken = true;
	errno = error == EAGAIN || error == 0 ? EIO : error;
	return -1;
}

/* Reads exactly n bytes that a pipe holds. */
static bool
read_all(int fd, uint8_t *to, size_t n)
{
	ssize_t got;

	for (; n > 0; to += got, n -= (size_t)got) {
		got = read(fd, to, n);
		if (got == -1 && errno == EINTR)
			got = 0;
		else if (got <= 0)
			return false;
	}
	return true;
}

/* Copies the first of the n bytes in the front to the back; returns how many. */
static size_t
keep(struct staging *s, size_t n)
{
	ssize_t kept;

	do
		kept = tee(s->front[0], s->back[1], n, SPLICE_F_NONBLOCK);
	while (kept == -1 && errno == EINTR);
	if (kept == -1 && errno != EAGAIN)
		staging_refuse(s);
	return kept > 0 ? (size_t)kept : 0;
}

ssize_t
staging_fill(struct staging *s, int fd, size_t n)
{
	ssize_t got;
	size_t kept;

	got = splice(fd, NULL, s->front[1], NULL, n < STAGING_PIECE ? n : STAGING_PIECE,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (got <= 0)
		return got;
	kept = keep(s, (size_t)got);
	if (!read_all(s->front[0], s->bytes, (size_t)got))
		return fail(s);
	s->held += kept;
	s->last = (size_t)got;
	s->spilt = s->last - kept;
	return got;
}

ssize_t
staging_pass(struct staging *s, int fd)
{
	ssize_t put = splice(s->back[0], NULL, fd, NULL, s->held,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (put > 0)
		s->held -= (size_t)put;
	return put;
}

bool
staging_take(struct staging *s, uint8_t *to)
{
	size_t held = s->held;

	if (!read_all(s->back[0], to, held)) {
		fail(s);
		return false;
	}
	memcpy(to + held, s->bytes + s->last - s->spilt, s->spilt);
	s->held = s->spilt = 0;
	return true;
}

void
staging_drop(struct staging *s)
{
	size_t n;

	s->spilt = 0;
	for (; s->held > 0; s->held -= n) {
		n = s->held < STAGING_PIECE ? s->held : STAGING_PIECE;
		if (!read_all(s->back[0], s->bytes, n)) {
			fail(s);
			return;
		}
	}
}
#else
/* Not available on this system. */
bool
staging_open(struct staging *s)
{
	s->broken = true;
	return false;
}

ssize_t
staging_fill(struct staging *s, int fd, size_t n)
{
	(void)s;
	(void)fd;
	(void)n;
	errno = ENOSYS;
	return -1;
}

ssize_t
staging_pass(struct staging *s, int fd)
{
	return staging_fill(s, fd, 0);
}

bool
staging_take(struct staging *s, uint8_t *to)
{
	(void)s;
	(void)to;
	return false;
}

void
staging_drop(struct staging *s)
{
	(void)s;
}
#endif
