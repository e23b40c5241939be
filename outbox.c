/*
 * outbox: a record on its way into tx's pipe.  See outbox.h; runs in mux's thread.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/child.h"

#define PIPE	(1 << 20)

#ifdef SPLICE_F_MOVE
static ssize_t
move(int from, int to, size_t n)
{
	return splice(from, NULL, to, NULL, n, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}
#else
static ssize_t
move(int from, int to, size_t n)
{
	(void)from, (void)to, (void)n;
	errno = EINVAL;
	return -1;
}
#endif

int
outbox_init(struct outbox *o, int to)
{
	memset(o, 0, sizeof(*o));
	o->to = to;
	o->buffer = malloc(RECORD_HEAD + OUTBOX_COPIED);
	if (o->buffer == NULL || child_pipe(o->pipe) == -1)
		return -1;
#ifdef F_SETPIPE_SZ
	(void)fcntl(o->pipe[1], F_SETPIPE_SZ, PIPE);
#endif
	return 0;
}

void
outbox_free(struct outbox *o)
{
	free(o->buffer);
}

bool
outbox_empty(const struct outbox *o)
{
	return o->head_left == 0 && o->left == 0;
}

ssize_t
outbox_fill(struct outbox *o, int fd, size_t n)
{
	ssize_t got = -1;

	errno = EINVAL;
	if (!o->unable && !o->copies)
		got = move(fd, o->pipe[1], n);
	o->spliced = got > 0;
	if (got == -1 && (errno == EINVAL || errno == ENOSYS)) {
		o->unable = o->unable || !o->copies;
		got = read(fd, o->buffer + RECORD_HEAD, n < OUTBOX_COPIED ? n : OUTBOX_COPIED);
	}
	o->left = got > 0 ? (size_t)got : 0;
	return got;
}

void
outbox_head(struct outbox *o, const struct record *record)
{
	/* What is copied goes out with its head, in one write. */
	if (!o->spliced && o->left > 0) {
		record_encode(record, o->buffer);
		o->at = 0;
		o->left += RECORD_HEAD;
		return;
	}
	record_encode(record, o->head);
	o->head_left = RECORD_HEAD;
}

/* Whether the pipe just takes no more now, rather than never again. */
static bool
later(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

bool
outbox_flush(struct outbox *o)
{
	ssize_t n;

	while (o->head_left > 0) {
		n = write(o->to, o->head + RECORD_HEAD - o->head_left, o->head_left);
		if (n == -1)
			return later();
		o->head_left -= (unsigned)n;
	}
	while (o->left > 0) {
		n = o->spliced ? move(o->pipe[0], o->to, o->left) :
		    write(o->to, o->buffer + o->at, o->left);
		if (n == -1)
			return later();
		o->left -= (size_t)n;
		o->at += (size_t)n;
	}
	return true;
}
