/*
 * bench_splice: the reference for what the kernel can do at most with one
 * connection.  Bytes are spliced from a pipe on standard input to a socket,
 * and on the other side from the socket to a pipe on standard output; no
 * byte is ever seen, kept or confirmed.  Both pipes are enlarged to 1 MiB
 * where the system allows it.  One thread.
 *
 * usage: bench_splice -l ADDRESS PORT	receive; PORT 0 picks a free one, and
 *					"listening on ADDRESS:PORT" is printed
 *					on standard error
 *        bench_splice ADDRESS PORT	send
 *
 * ADDRESS is IPv4.  Exit: 0 end of file came through, 1 anything failed,
 * 2 usage.
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

#ifdef SPLICE_F_MOVE

#define PIECE	(1U << 20)

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
splice_to_end(int from, int to)
{
	ssize_t n;

	do {
		n = splice(from, NULL, to, NULL, PIECE, SPLICE_F_MOVE);
	} while (n > 0 || (n == -1 && errno == EINTR));
	if (n == -1)
		err(1, "splice");
}

int
main(int argc, char **argv)
{
	char end;
	int s;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 4 && strcmp(argv[1], "-l") == 0) {
		s = accept_one(argv[2], argv[3]);
		(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIECE);
		splice_to_end(s, STDOUT_FILENO);
		return 0;
	}
	if (argc != 3) {
		fprintf(stderr, "usage: bench_splice [-l] ADDRESS PORT\n");
		return 2;
	}
	s = connect_to(argv[1], argv[2]);
	(void)fcntl(STDIN_FILENO, F_SETPIPE_SZ, PIECE);
	splice_to_end(STDIN_FILENO, s);
	/* Ends when the other side has, as the programs do it is put beside. */
	if (shutdown(s, SHUT_WR) == -1 || read(s, &end, 1) != 0)
		err(1, "the other side went away");
	return 0;
}

#else

int
main(void)
{
	fprintf(stderr, "bench_splice: this system has no splice(2)\n");
	return 1;
}

#endif
