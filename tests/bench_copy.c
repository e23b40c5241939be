/*
 * bench_copy: the reference for a plain copy over one connection: read(2)
 * from standard input, write(2) to a socket, and on the other side read(2)
 * from the socket and write(2) to standard output.  Pipes on either end are
 * enlarged to 1 MiB where the system allows it.  One thread, one buffer.
 *
 * usage: bench_copy [-b BYTES] -l ADDRESS PORT	receive; PORT 0 picks a free
 *						one, and "listening on
 *						ADDRESS:PORT" is printed on
 *						standard error
 *        bench_copy [-b BYTES] ADDRESS PORT	send
 *
 * -b is the length of each read, 131072 unless told.  ADDRESS is IPv4.
 * Exit: 0 end of file came through, 1 anything failed, 2 usage.
 */

#define _GNU_SOURCE

#include <sys/socket.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIPE_SIZE	(1 << 20)

static struct sockaddr_in
address(const char *host, const char *port)
{
	struct sockaddr_in sin;
	unsigned long n = strtoul(port, NULL, 10);

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons((uint16_t)n);
	if (n > 65535 || inet_pton(AF_INET, host, &sin.sin_addr) != 1)
		errx(2, "bad address: %s %s", host, port);
	return sin;
}

static int
accept_one(const char *host, const char *port)
{
	struct sockaddr_in sin = address(host, port);
	socklen_t len = sizeof(sin);
	int one = 1, listener, s;

	listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener == -1)
		err(1, "socket");
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(listener, 1) == -1 ||
	    getsockname(listener, (struct sockaddr *)&sin, &len) == -1)
		err(1, "%s:%s", host, port);
	fprintf(stderr, "listening on %s:%d\n", host, ntohs(sin.sin_port));
	s = accept(listener, NULL, NULL);
	if (s == -1)
		err(1, "accept");
	close(listener);
	return s;
}

static int
connect_to(const char *host, const char *port)
{
	struct sockaddr_in sin = address(host, port);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (s == -1 || connect(s, (struct sockaddr *)&sin, sizeof(sin)) == -1)
		err(1, "%s:%s", host, port);
	return s;
}

static void
pipe_enlarge(int fd)
{
#ifdef F_SETPIPE_SZ
	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
#else
	(void)fd;
#endif
}

static void
copy_to_end(int from, int to, size_t piece)
{
	char *buf;
	ssize_t n;

	if (posix_memalign((void **)&buf, 4096, piece) != 0)
		errx(1, "no memory");
	for (;;) {
		n = read(from, buf, piece);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			err(1, "read");
		if (n == 0)
			break;
		for (ssize_t done = 0, w; done < n; done += w) {
			w = write(to, buf + done, (size_t)(n - done));
			if (w == -1 && errno == EINTR)
				w = 0;
			if (w == -1)
				err(1, "write");
		}
	}
	free(buf);
}

static int
usage(void)
{
	fprintf(stderr, "usage: bench_copy [-b BYTES] [-l] ADDRESS PORT\n");
	return 2;
}

int
main(int argc, char **argv)
{
	size_t piece = 131072;
	int c, listening = 0, s;
	char end;

	while ((c = getopt(argc, argv, "b:l")) != -1) {
		switch (c) {
		case 'b':
			piece = strtoul(optarg, NULL, 10);
			break;
		case 'l':
			listening = 1;
			break;
		default:
			return usage();
		}
	}
	if (argc - optind != 2 || piece == 0 || piece > (1U << 30))
		return usage();
	signal(SIGPIPE, SIG_IGN);
	if (listening) {
		s = accept_one(argv[optind], argv[optind + 1]);
		pipe_enlarge(STDOUT_FILENO);
		copy_to_end(s, STDOUT_FILENO, piece);
		return 0;
	}
	s = connect_to(argv[optind], argv[optind + 1]);
	pipe_enlarge(STDIN_FILENO);
	copy_to_end(STDIN_FILENO, s, piece);
	/* Ends when the other side has, as the programs do it is put beside. */
	if (shutdown(s, SHUT_WR) == -1 || read(s, &end, 1) != 0)
		err(1, "the other side went away");
	return 0;
}
