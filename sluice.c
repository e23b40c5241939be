/*
 * sluice: frames that wait for their check.  See sluice.h; runs in the thread
 * of the leg whose frame it is.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "sluice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "child.h"
#include "net.h"

#define FRONT	((int)(4 * SLUICE_PIECE))	/* capacities: small pieces waste some */
#define BACK	((int)SLUICE_MOST)

void
sluice_init(struct sluice *s)
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
sluice_free(struct sluice *s)
{
	close_one(&s->front[0]);
	close_one(&s->front[1]);
	close_one(&s->back[0]);
	close_one(&s->back[1]);
	free(s->octets);
	s->octets = NULL;
	s->held = s->spilt = 0;
	s->open = false;
}

#if defined(SPLICE_F_MOVE) && defined(F_SETPIPE_SZ)
static bool
make_pipe(int fd[2], int size)
{
	bool made;

	child_hold();
	made = pipe(fd) == 0 && net_close_on_exec(fd[0]) != -1 &&
	    net_close_on_exec(fd[1]) != -1;
	child_release();
	return made && fcntl(fd[1], F_SETPIPE_SZ, size) >= size;
}

bool
sluice_open(struct sluice *s)
{
	if (s->open || s->broken)
		return s->open;
	s->octets = malloc(SLUICE_PIECE);
	s->open = s->octets != NULL && make_pipe(s->front, FRONT) && make_pipe(s->back, BACK);
	if (!s->open) {
		sluice_free(s);
		s->broken = true;
	}
	return s->open;
}

/* What the pipes hold is not what the books say any more. */
static ssize_t
fail(struct sluice *s)
{
	int error = errno;

	sluice_free(s);
	s->broken = true;
	errno = error == EAGAIN || error == 0 ? EIO : error;
	return -1;
}

/* Exactly n octets that are in a pipe. */
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

/* So many of the n octets in the front are in the back now, too. */
static size_t
keep(struct sluice *s, size_t n)
{
	ssize_t kept;

	do
		kept = tee(s->front[0], s->back[1], n, SPLICE_F_NONBLOCK);
	while (kept == -1 && errno == EINTR);
	return kept > 0 ? (size_t)kept : 0;
}

ssize_t
sluice_fill(struct sluice *s, int fd, size_t n)
{
	ssize_t got;
	size_t kept;

	got = splice(fd, NULL, s->front[1], NULL, n < SLUICE_PIECE ? n : SLUICE_PIECE,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (got <= 0)
		return got;
	kept = keep(s, (size_t)got);
	if (!read_all(s->front[0], s->octets, (size_t)got))
		return fail(s);
	s->held += kept;
	s->last = (size_t)got;
	s->spilt = s->last - kept;
	return got;
}

ssize_t
sluice_pass(struct sluice *s, int fd)
{
	ssize_t put = splice(s->back[0], NULL, fd, NULL, s->held,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

	if (put > 0)
		s->held -= (size_t)put;
	return put;
}

bool
sluice_take(struct sluice *s, uint8_t *to)
{
	size_t held = s->held;

	if (!read_all(s->back[0], to, held)) {
		fail(s);
		return false;
	}
	memcpy(to + held, s->octets + s->last - s->spilt, s->spilt);
	s->held = s->spilt = 0;
	return true;
}

void
sluice_drop(struct sluice *s)
{
	size_t n;

	s->spilt = 0;
	for (; s->held > 0; s->held -= n) {
		n = s->held < SLUICE_PIECE ? s->held : SLUICE_PIECE;
		if (!read_all(s->back[0], s->octets, n)) {
			fail(s);
			return;
		}
	}
}
#else
/* Nothing is ever open here. */
bool
sluice_open(struct sluice *s)
{
	s->broken = true;
	return false;
}

ssize_t
sluice_fill(struct sluice *s, int fd, size_t n)
{
	(void)s;
	(void)fd;
	(void)n;
	errno = ENOSYS;
	return -1;
}

ssize_t
sluice_pass(struct sluice *s, int fd)
{
	return sluice_fill(s, fd, 0);
}

bool
sluice_take(struct sluice *s, uint8_t *to)
{
	(void)s;
	(void)to;
	return false;
}

void
sluice_drop(struct sluice *s)
{
	(void)s;
}
#endif
