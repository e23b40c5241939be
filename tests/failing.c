/*
 * failing: a library to be preloaded (LD_PRELOAD) that makes one chosen call of
 * the program fail, or move less than it was asked to.  See t_failing.py.
 *
 *	FAILING_CALL	name of the call, as "recvmsg"; or of one thing that it is
 *			asked for, as "setsockopt TCP" or "fcntl F_SETPIPE_SZ"
 *	FAILING_AT	which of those calls, from 1; 0 = each of them; 2+ = each
 *			but the first, and so on
 *	FAILING_WITH	the errno (of getaddrinfo and getnameinfo: the code that
 *			they return, with its sign), or "short": one byte is moved
 *			(of "getsockopt TCP_INFO": the system is an old one)
 *	FAILING_NOTE	file to which "failed" is written when that happened
 *
 * Calls count when they come from the program itself, not from libraries that
 * work for it, and could fail in this way: an eventfd is never short, for
 * instance.  Runs in whichever thread calls; the count is the process's.
 *
 * What fails did not happen, as far as the system is concerned, with two
 * exceptions that are the system's own: a close(2) that fails has closed all
 * the same, and a connect(2) that is interrupted goes on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define INFO_OLD	104	/* bytes of struct tcp_info */

/* What glibc calls its own, so that finding others need not allocate. */
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

static const char *wanted;	/* before main: NULL = nothing fails */
static unsigned long at;
static bool onwards;		/* and each later one */
static int with;
static bool cut_short;
static uintptr_t begin, end;	/* the program's own text */
static const char *note;
static atomic_ulong count;

static int
find_program(struct dl_phdr_info *info, size_t size, void *cookie)
{
	unsigned i;

	(void)size;
	(void)cookie;
	/* The first object is the program. */
	for (i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD &&
		    (info->dlpi_phdr[i].p_flags & PF_X) != 0) {
			begin = (uintptr_t)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
			end = begin + (uintptr_t)info->dlpi_phdr[i].p_memsz;
		}
	return 1;
}

__attribute__((constructor)) static void
prepare(void)
{
	const char *how = getenv("FAILING_WITH"), *when = getenv("FAILING_AT");

	if (how == NULL || when == NULL)
		return;
	cut_short = strcmp(how, "short") == 0;
	with = cut_short ? 0 : atoi(how);
	at = strtoul(when, NULL, 10);
	onwards = when[0] != '\0' && when[strlen(when) - 1] == '+';
	dl_iterate_phdr(find_program, NULL);
	note = getenv("FAILING_NOTE");
	/* The commands that it starts are not tested. */
	unsetenv("LD_PRELOAD");
	wanted = getenv("FAILING_CALL");
}

static void
tell(void)
{
	long fd;

	if (note == NULL)
		return;
	fd = syscall(SYS_openat, AT_FDCWD, note, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd == -1)
		return;
	syscall(SYS_write, fd, "failed\n", (size_t)7);
	syscall(SYS_close, fd);
}

/* Is this the one? */
static bool
now(const char *name, const void *from, bool possible)
{
	uintptr_t where = (uintptr_t)from;
	int error = errno;

	unsigned long before;

	if (wanted == NULL || !possible || where < begin || where >= end ||
	    strcmp(name, wanted) != 0)
		return false;
	before = atomic_fetch_add(&count, 1);
	if (at != 0 && before + 1 != at && !(onwards && before + 1 > at))
		return false;
	if (before + 1 == at || (at == 0 && before == 0))
		tell();
	errno = error;
	return true;
}

/*
 * Neither an eventfd nor one byte can be short; an eventfd has few errors; and
 * what makes random bytes never asks anybody to come again.
 */
static bool
can(int fd, size_t n)
{
	struct stat st;
	int error = errno;
	bool known = fstat(fd, &st) == 0;

	errno = error;
	if (known && (st.st_mode & S_IFMT) == 0)
		return with == EINTR;
	if (known && S_ISCHR(st.st_mode) && with == EAGAIN)
		return false;
	return !cut_short || n > 1;
}

static size_t
sum(const struct iovec *iov, size_t n)
{
	size_t bytes = 0;

	while (n > 0)
		bytes += iov[--n].iov_len;
	return bytes;
}

static struct iovec
first(const struct iovec *iov, size_t n)
{
	struct iovec one = { NULL, 0 };

	for (; n > 0; iov++, n--)
		if (iov->iov_len > 0) {
			one.iov_base = iov->iov_base;
			one.iov_len = 1;
			break;
		}
	return one;
}

#define HERE		__builtin_return_address(0)
#define REAL(name)	((__typeof__(&name))dlsym(RTLD_NEXT, #name))
/* How a call that is to fail, and is not to be short, does. */
#define FAIL(value)	do { errno = with; return value; } while (0)

/* Bytes */

ssize_t
read(int fd, void *to, size_t n)
{
	if (now("read", HERE, can(fd, n))) {
		if (!cut_short)
			FAIL(-1);
		n = 1;
	}
	return syscall(SYS_read, fd, to, n);
}

ssize_t
write(int fd, const void *from, size_t n)
{
	if (now("write", HERE, can(fd, n))) {
		if (!cut_short)
			FAIL(-1);
		n = 1;
	}
	return syscall(SYS_write, fd, from, n);
}

ssize_t
readv(int fd, const struct iovec *iov, int n)
{
	if (now("readv", HERE, can(fd, sum(iov, (size_t)n)))) {
		struct iovec one = first(iov, (size_t)n);

		if (!cut_short)
			FAIL(-1);
		return syscall(SYS_readv, fd, &one, 1L);
	}
	return syscall(SYS_readv, fd, iov, (long)n);
}

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	if (now("writev", HERE, can(fd, sum(iov, (size_t)n)))) {
		struct iovec one = first(iov, (size_t)n);

		if (!cut_short)
			FAIL(-1);
		return syscall(SYS_writev, fd, &one, 1L);
	}
	return syscall(SYS_writev, fd, iov, (long)n);
}

ssize_t
send(int fd, const void *from, size_t n, int flags)
{
	if (now("send", HERE, can(fd, n))) {
		if (!cut_short)
			FAIL(-1);
		n = 1;
	}
	return REAL(sendto)(fd, from, n, flags, NULL, 0);
}

ssize_t
recv(int fd, void *to, size_t n, int flags)
{
	if (now("recv", HERE, can(fd, n))) {
		if (!cut_short)
			FAIL(-1);
		n = 1;
	}
	return REAL(recvfrom)(fd, to, n, flags, NULL, NULL);
}

ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	if (now("sendmsg", HERE, can(fd, sum(msg->msg_iov, msg->msg_iovlen)))) {
		struct iovec one = first(msg->msg_iov, msg->msg_iovlen);
		struct msghdr less = *msg;

		if (!cut_short)
			FAIL(-1);
		less.msg_iov = &one;
		less.msg_iovlen = 1;
		return REAL(sendmsg)(fd, &less, flags);
	}
	return REAL(sendmsg)(fd, msg, flags);
}

ssize_t
recvmsg(int fd, struct msghdr *msg, int flags)
{
	if (now("recvmsg", HERE, can(fd, sum(msg->msg_iov, msg->msg_iovlen)))) {
		struct iovec one = first(msg->msg_iov, msg->msg_iovlen);
		struct msghdr less = *msg;

		if (!cut_short)
			FAIL(-1);
		less.msg_iov = &one;
		less.msg_iovlen = 1;
		return REAL(recvmsg)(fd, &less, flags);
	}
	return REAL(recvmsg)(fd, msg, flags);
}

ssize_t
splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t n, unsigned flags)
{
	if (now("splice", HERE, can(from, n))) {
		if (!cut_short)
			FAIL(-1);
		n = 1;
	}
	return REAL(splice)(from, from_at, to, to_at, n, flags);
}

ssize_t
tee(int from, int to, size_t n, unsigned flags)
{
	if (now("tee", HERE, can(from, n))) {
		if (!cut_short)
			FAIL(-1);
		n = 1;
	}
	return REAL(tee)(from, to, n, flags);
}

/* Descriptors */

int
poll(struct pollfd *p, nfds_t n, int ms)
{
	if (now("poll", HERE, !cut_short))
		FAIL(-1);
	return REAL(poll)(p, n, ms);
}

int
socket(int family, int type, int protocol)
{
	if (now("socket", HERE, !cut_short) ||
	    (family == AF_INET6 && now("socket INET6", HERE, !cut_short)))
		FAIL(-1);
	return REAL(socket)(family, type, protocol);
}

int
connect(int fd, const struct sockaddr *to, socklen_t n)
{
	if (now("connect", HERE, !cut_short)) {
		if (with == EINTR)
			REAL(connect)(fd, to, n);
		FAIL(-1);
	}
	return REAL(connect)(fd, to, n);
}

int
accept(int fd, struct sockaddr *from, socklen_t *n)
{
	if (now("accept", HERE, !cut_short))
		FAIL(-1);
	return REAL(accept)(fd, from, n);
}

int
bind(int fd, const struct sockaddr *to, socklen_t n)
{
	if (now("bind", HERE, !cut_short))
		FAIL(-1);
	return REAL(bind)(fd, to, n);
}

int
listen(int fd, int backlog)
{
	if (now("listen", HERE, !cut_short))
		FAIL(-1);
	return REAL(listen)(fd, backlog);
}

int
setsockopt(int fd, int level, int option, const void *value, socklen_t n)
{
	if (now("setsockopt", HERE, !cut_short) ||
	    (level == IPPROTO_TCP && now("setsockopt TCP", HERE, !cut_short)) ||
	    (level == IPPROTO_TCP && option == TCP_CONGESTION &&
	    now("setsockopt TCP_CONGESTION", HERE, !cut_short)) ||
	    (level == IPPROTO_IPV6 && now("setsockopt IPV6", HERE, !cut_short)) ||
	    (level == SOL_SOCKET && now("setsockopt SOCKET", HERE, !cut_short)))
		FAIL(-1);
	return REAL(setsockopt)(fd, level, option, value, n);
}

int
getsockopt(int fd, int level, int option, void *value, socklen_t *n)
{
	if (now("getsockopt", HERE, !cut_short) ||
	    (level == IPPROTO_TCP && now("getsockopt TCP", HERE, !cut_short)))
		FAIL(-1);
	if (level == IPPROTO_TCP && option == TCP_INFO &&
	    now("getsockopt TCP_INFO", HERE, true)) {
		if (!cut_short)
			FAIL(-1);
		/* Linux 2.6's. */
		*n = *n < INFO_OLD ? *n : INFO_OLD;
	}
	return REAL(getsockopt)(fd, level, option, value, n);
}

int
getsockname(int fd, struct sockaddr *name, socklen_t *n)
{
	if (now("getsockname", HERE, !cut_short))
		FAIL(-1);
	return REAL(getsockname)(fd, name, n);
}

int
getpeername(int fd, struct sockaddr *name, socklen_t *n)
{
	if (now("getpeername", HERE, !cut_short))
		FAIL(-1);
	return REAL(getpeername)(fd, name, n);
}

int
getnameinfo(const struct sockaddr *sa, socklen_t length, char *host, socklen_t hosts,
    char *port, socklen_t ports, int flags)
{
	if (now("getnameinfo", HERE, !cut_short))
		return with;
	return REAL(getnameinfo)(sa, length, host, hosts, port, ports, flags);
}

int
ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *argument;

	va_start(ap, request);
	argument = va_arg(ap, void *);
	va_end(ap);
	if (now("ioctl", HERE, !cut_short))
		FAIL(-1);
	return REAL(ioctl)(fd, request, argument);
}

int
shutdown(int fd, int how)
{
	if (now("shutdown", HERE, !cut_short))
		FAIL(-1);
	return REAL(shutdown)(fd, how);
}

int
eventfd(unsigned start, int flags)
{
	typedef int function(unsigned, int);

	if (now("eventfd", HERE, !cut_short))
		FAIL(-1);
	return ((function *)dlsym(RTLD_NEXT, "eventfd"))(start, flags);
}

ssize_t
getrandom(void *to, size_t n, unsigned flags)
{
	if (now("getrandom", HERE, !cut_short))
		FAIL(-1);
	return syscall(SYS_getrandom, to, n, flags);
}

int
prctl(int option, ...)
{
	unsigned long argument[4];
	va_list ap;
	size_t i;

	va_start(ap, option);
	for (i = 0; i < 4; i++)
		argument[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (now("prctl", HERE, !cut_short))
		FAIL(-1);
	return (int)syscall(SYS_prctl, (long)option, argument[0], argument[1], argument[2],
	    argument[3]);
}

int
pipe(int fd[2])
{
	if (now("pipe", HERE, !cut_short))
		FAIL(-1);
	return REAL(pipe)(fd);
}

pid_t
fork(void)
{
	if (now("fork", HERE, !cut_short))
		FAIL(-1);
	return REAL(fork)();
}

int
posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	if (now("posix_spawnp", HERE, !cut_short))
		return with;
	return REAL(posix_spawnp)(pid, file, actions, attributes, argv, envp);
}

int
waitid(idtype_t kind, id_t id, siginfo_t *info, int options)
{
	if (now("waitid", HERE, !cut_short))
		FAIL(-1);
	return REAL(waitid)(kind, id, info, options);
}

pid_t
waitpid(pid_t pid, int *status, int options)
{
	if (now("waitpid", HERE, !cut_short))
		FAIL(-1);
	return REAL(waitpid)(pid, status, options);
}

int
dup2(int from, int to)
{
	if (now("dup2", HERE, !cut_short))
		FAIL(-1);
	return REAL(dup2)(from, to);
}

int
close(int fd)
{
	if (now("close", HERE, !cut_short)) {
		syscall(SYS_close, fd);
		FAIL(-1);
	}
	return (int)syscall(SYS_close, fd);
}

int
fcntl(int fd, int command, ...)
{
	va_list ap;
	void *argument;

	va_start(ap, command);
	argument = va_arg(ap, void *);
	va_end(ap);
	if (now("fcntl", HERE, !cut_short) ||
	    (command == F_SETPIPE_SZ && now("fcntl F_SETPIPE_SZ", HERE, !cut_short)))
		FAIL(-1);
	return REAL(fcntl)(fd, command, argument);
}

int
open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode = 0;

	va_start(ap, flags);
	if ((flags & (O_CREAT | O_TMPFILE)) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (now("open", HERE, !cut_short))
		FAIL(-1);
	return REAL(open)(path, flags, mode);
}

int
getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
    struct addrinfo **all)
{
	if (now("getaddrinfo", HERE, !cut_short)) {
		errno = EMFILE;
		return with;
	}
	return REAL(getaddrinfo)(host, port, hints, all);
}

/* Memory and threads */

void *
malloc(size_t n)
{
	if (now("malloc", HERE, !cut_short))
		FAIL(NULL);
	return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	if (now("calloc", HERE, !cut_short))
		FAIL(NULL);
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	if (now("realloc", HERE, !cut_short))
		FAIL(NULL);
	return __libc_realloc(p, n);
}

void *
mmap(void *where, size_t n, int protection, int flags, int fd, off_t offset)
{
	if (now("mmap", HERE, !cut_short))
		FAIL(MAP_FAILED);
	return REAL(mmap)(where, n, protection, flags, fd, offset);
}

int
pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*start)(void *),
    void *argument)
{
	if (now("pthread_create", HERE, !cut_short))
		return with;
	return REAL(pthread_create)(thread, how, start, argument);
}
