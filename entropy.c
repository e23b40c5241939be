/*
 * entropy: random octets from the system's own device, which every system that
 * this runs on has.  See entropy.h.
 */
#include "entropy.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int
entropy_fill(void *to, size_t n)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC), error = 0;
	char *p = to;
	ssize_t got;

	if (fd == -1)
		return -1;
	while (n > 0 && error == 0) {
		got = read(fd, p, n);
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		} else if (got == 0)
			error = EIO;
		else if (errno != EINTR)
			error = errno;
	}
	close(fd);
	errno = error;
	return error == 0 ? 0 : -1;
}
