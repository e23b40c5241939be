/*
 * wake: wakes another thread from poll(2), by an eventfd where there is one,
 * elsewhere by a pipe.  See wake.h.
 */
#include "sys/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "sys/child.h"

#ifdef __linux__
#include <sys/eventfd.h>
#endif

#ifdef EFD_NONBLOCK
static bool
open_eventfd(struct wake *wake)
{
	wake->fd[0] = wake->fd[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return wake->fd[0] != -1;
}
#else
static bool
open_eventfd(struct wake *wake)
{
	(void)wake;
	return false;
}
#endif

void
wake_free(struct wake *wake)
{
	close(wake->fd[0]);
	if (wake->fd[1] != wake->fd[0])
		close(wake->fd[1]);
}

static int
open_pipe(struct wake *wake)
{
	int error;

	if (child_pipe(wake->fd) == -1)
		return -1;
	if (fcntl(wake->fd[0], F_SETFL, O_NONBLOCK) != -1 &&
	    fcntl(wake->fd[1], F_SETFL, O_NONBLOCK) != -1)
		return 0;
	error = errno;
	wake_free(wake);
	errno = error;
	return -1;
}

int
wake_init(struct wake *wake)
{
	atomic_init(&wake->unseen, false);
	return open_eventfd(wake) ? 0 : open_pipe(wake);
}

/* An eventfd takes exactly eight bytes; a pipe takes them as well. */
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
	 * still set and writes nothing, but its state change comes before the
	 * caller reads the state.
	 */
	while (read(wake->fd[0], sink, sizeof(sink)) == -1 && errno == EINTR)
		;
	atomic_exchange(&wake->unseen, false);
}
