/*
 * wake: ends another thread's poll(2), by an eventfd where there is one and by
 * a pipe elsewhere.  See wake.h.
 */
#include "wake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/eventfd.h>
#endif

static int
own(int fd)
{
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		return -1;
	return fcntl(fd, F_SETFL, O_NONBLOCK);
}

#ifdef EFD_NONBLOCK
static int
wake_open(struct wake *wake)
{
	wake->fd[0] = wake->fd[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return wake->fd[0] == -1 ? -1 : 0;
}
#else
static int
wake_open(struct wake *wake)
{
	int error;

	if (pipe(wake->fd) == -1)
		return -1;
	if (own(wake->fd[0]) == -1 || own(wake->fd[1]) == -1) {
		error = errno;
		close(wake->fd[0]);
		close(wake->fd[1]);
		errno = error;
		return -1;
	}
	return 0;
}
#endif

int
wake_init(struct wake *wake)
{
	(void)own;
	atomic_init(&wake->unseen, false);
	return wake_open(wake);
}

void
wake_free(struct wake *wake)
{
	close(wake->fd[0]);
	if (wake->fd[1] != wake->fd[0])
		close(wake->fd[1]);
}

/* An eventfd takes exactly eight octets; a pipe does not mind them. */
void
wake_signal(struct wake *wake)
{
	static const uint64_t one = 1;

	if (atomic_exchange(&wake->unseen, true))
		return;
	while (write(wake->fd[1], &one, sizeof(one)) == -1 && errno == EINTR)
		;
}

void
wake_clear(struct wake *wake)
{
	uint64_t sink[8];

	/*
	 * Read before the flag is reset: a signal in between finds the flag
	 * still set and writes nothing, but its state change is older than the
	 * look that follows.
	 */
	while (read(wake->fd[0], sink, sizeof(sink)) == -1 && errno == EINTR)
		;
	atomic_exchange(&wake->unseen, false);
}
