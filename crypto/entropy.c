/*
 * entropy: random bytes from the system: by its call, where there is one and it is
 * not refused, or from its device.  See entropy.h.
 */
#include "crypto/entropy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>
#ifdef __has_include
#if __has_include(<sys/random.h>)
#include <sys/random.h>
#endif
#endif

/* How many bytes the call gives. */
#ifdef GRND_NONBLOCK
static size_t
ask(uint8_t *to, size_t n)
{
	size_t have = 0;
	ssize_t got;

	while (have < n) {
		got = getrandom(to + have, n - have, 0);
		if (got > 0)
			have += (size_t)got;
		else if (got == 0 || errno != EINTR)
			break;
	}
	return have;
}
#else
static size_t
ask(uint8_t *to, size_t n)
{
	(void)to;
	(void)n;
	return 0;
}
#endif

static int
read_device(uint8_t *p, size_t n)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC), error = 0;
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

int
entropy_fill(void *to, size_t n)
{
	size_t have = ask(to, n);

	return have == n ? 0 : read_device((uint8_t *)to + have, n - have);
}
