/*
 * net: sockets, and what differs about them between systems.  See net.h; runs in
 * whichever thread calls it, without shared state.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "sys/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#ifdef __has_include
#if __has_include(<linux/sockios.h>)
#include <linux/sockios.h>
#endif
#endif

#include "sys/child.h"
#include "sys/clock.h"

#define NEXT_ADDRESS_MS	250	/* RFC 8305: Connection Attempt Delay */
#define ATTEMPTS	16	/* most attempts under way in one dial */
#define SEND_BUFFER_MIN	(16u << 10)	/* a smaller one would slow down any connection */

static void
name_address(const struct sockaddr *sa, socklen_t len, char name[NET_NAME])
{
	char host[64], port[8];

	if (sa->sa_family == AF_UNIX)
		snprintf(name, NET_NAME, "a local process");
	else if (getnameinfo(sa, len, host, sizeof(host), port, sizeof(port),
	    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(name, NET_NAME, "unknown");
	else if (strncmp(host, "::ffff:", 7) == 0 && strchr(host, '.') != NULL)
		snprintf(name, NET_NAME, "%s:%s", host + 7, port);
	else
		snprintf(name, NET_NAME, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s",
		    host, port);
}

unsigned
net_descriptors(void)
{
	struct rlimit limit;
	int lowest = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);

	if (lowest == -1)
		return 0;
	close(lowest);
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur > (1u << 20))
		return 1u << 20;
	return limit.rlim_cur > (rlim_t)lowest ? (unsigned)limit.rlim_cur - (unsigned)lowest : 0;
}

int
net_close_on_exec(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int
net_own(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		return -1;
	return net_close_on_exec(fd);
}

/* Under fork_lock: net_own for a new descriptor; closes it on failure, -1 with errno. */
static int
owned(int fd)
{
	int error;

	if (fd == -1 || net_own(fd) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int
socket_new(int family)
{
	int fd;

	fork_lock();
	fd = owned(socket(family, SOCK_STREAM, 0));
	fork_unlock();
	return fd;
}

/* An interface's first address of a family, as the source to bind to. */
static int
interface_address(const char *interface, int family, struct lookup_address *out)
{
	struct ifaddrs *all, *i;
	int found = -1;

	if (getifaddrs(&all) == -1)
		return -1;
	for (i = all; i != NULL && found == -1; i = i->ifa_next) {
		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != family ||
		    strcmp(i->ifa_name, interface) != 0)
			continue;
		out->len = family == AF_INET ? sizeof(struct sockaddr_in) :
		    sizeof(struct sockaddr_in6);
		memcpy(&out->sa, i->ifa_addr, out->len);
		found = 0;
	}
	freeifaddrs(all);
	if (found == -1)
		errno = EADDRNOTAVAIL;
	return found;
}

#ifdef SO_BINDTODEVICE
/* Keeps a path on its interface whatever the routes say; may fail without harm. */
static void
bind_interface(int fd, const char *interface)
{
	setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
	    (socklen_t)strlen(interface));
}
#else
static void
bind_interface(int fd, const char *interface)
{
	(void)fd;
	(void)interface;
}
#endif

/*
 * If the system can, it chooses the local port in connect and not in bind, so that
 * connections to different destinations can share one.
 */
#ifdef IP_BIND_ADDRESS_NO_PORT
static void
leave_port(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
}
#else
static void
leave_port(int fd)
{
	(void)fd;
}
#endif

/*
 * Binds to a source: an address, or that of an interface, which may be missing now.
 * It is not looked up as a name: that could take as long as the network is down.
 */
static int
bind_source(int fd, const char *from, int family)
{
	struct lookup_answer a;
	unsigned i;

	leave_port(fd);
	if (if_nametoindex(from) != 0) {
		if (interface_address(from, family, &a.list[0]) == -1)
			return -1;
		bind_interface(fd, from);
		return bind(fd, (struct sockaddr *)&a.list[0].sa, a.list[0].len);
	}
	if (lookup_numeric(from, "0", &a) == -1) {
		errno = ENODEV;
		return -1;
	}
	for (i = 0; i < a.count; i++)
		if (a.list[i].family == family)
			return bind(fd, (struct sockaddr *)&a.list[i].sa, a.list[i].len);
	errno = EADDRNOTAVAIL;
	return -1;
}

/* Options of a connection */

#ifdef TCP_CONGESTION
bool
net_congestion_of(int fd, char name[NET_CONGESTION])
{
	socklen_t len = NET_CONGESTION - 1;

	memset(name, 0, NET_CONGESTION);
	return getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0;
}

int
net_congestion(int fd, const char *name)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
}

static void
congestion_list(char why[NET_WHY])
{
	FILE *f = fopen("/proc/sys/net/ipv4/tcp_available_congestion_control", "re");

	why[0] = '\0';
	if (f != NULL) {
		if (fgets(why, NET_WHY, f) == NULL)
			why[0] = '\0';
		fclose(f);
	}
	why[strcspn(why, "\n")] = '\0';
	if (why[0] == '\0')
		snprintf(why, NET_WHY, "the system does not list them");
}
#else
bool
net_congestion_of(int fd, char name[NET_CONGESTION])
{
	(void)fd;
	name[0] = '\0';
	return false;
}

int
net_congestion(int fd, const char *name)
{
	(void)fd;
	(void)name;
	errno = ENOPROTOOPT;
	return -1;
}

static void
congestion_list(char why[NET_WHY])
{
	snprintf(why, NET_WHY, "this system offers no choice");
}
#endif

/* A socket to ask; -1 with errno. */
static int
any_socket(void)
{
	int fd = socket_new(AF_INET);

	return fd != -1 ? fd : socket_new(AF_INET6);
}

bool
net_congestion_usual(const char *other, char name[NET_CONGESTION])
{
	int fd = any_socket();
	bool allowed;

	name[0] = '\0';
	allowed = fd != -1 && net_congestion_of(fd, name) && strcmp(name, other) != 0 &&
	    net_congestion(fd, other) == 0;
	if (fd != -1)
		close(fd);
	return allowed;
}

bool
net_congestion_known(const char *name, char why[NET_WHY])
{
	int fd = any_socket();
	bool known;

	known = fd != -1 && net_congestion(fd, name) == 0;
	if (!known)
		congestion_list(why);
	if (fd != -1)
		close(fd);
	return known;
}

/* For every connection: small frames are sent without delay. */
static void
prepare(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

#ifdef TCP_USER_TIMEOUT
void
net_timeout(int fd, unsigned ms)
{
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}
#else
void
net_timeout(int fd, unsigned ms)
{
	(void)fd;
	(void)ms;
}
#endif

#ifdef TCP_NOTSENT_LOWAT
bool
net_unsent(int fd, unsigned bytes)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes)) == 0;
}
#else
/* A send buffer of that size comes nearest to it. */
bool
net_unsent(int fd, unsigned bytes)
{
	if (bytes >= SEND_BUFFER_MIN && bytes < (4u << 20))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return false;
}
#endif

#ifdef SIOCOUTQNSD
bool
net_sent(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCOUTQNSD, &n) == -1 || n == 0;
}
#else
bool
net_sent(int fd)
{
	(void)fd;
	return true;
}
#endif

void
net_abort(int fd)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

void
net_part(int fd)
{
	struct linger soft = { .l_onoff = 0, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &soft, sizeof(soft));
}

void
net_keepalive(int fd)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

#if defined(TCP_INFO) && defined(__linux__)
/*
 * Linux's tcp_info only ever grew at its end, so an old kernel's is a shorter
 * one, and a C library's declaration may be shorter than the kernel's.  Offsets
 * from linux/tcp.h; what the kernel does not have stays zero.
 */
#define INFO_MSS	16
#define INFO_RTT	68
#define INFO_THRESHOLD	76
#define INFO_WINDOW	80
#define INFO_RETRANS	100
#define INFO_MIN_RTT	148
#define INFO_SENT	156
#define INFO_BUSY	168
#define INFO_RECEIVER	176
#define INFO_BUFFER	184
#define INFO_SIZE	192

static uint32_t
info_32(const uint8_t *at)
{
	uint32_t n;

	memcpy(&n, at, sizeof(n));
	return n;
}

static uint64_t
info_64(const uint8_t *at)
{
	uint64_t n;

	memcpy(&n, at, sizeof(n));
	return n;
}

static void
info_of(int fd, struct net_info *info)
{
	uint8_t ti[INFO_SIZE] = { 0 };
	socklen_t len = sizeof(ti);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, ti, &len) == -1)
		return;
	info->mss = info_32(ti + INFO_MSS);
	info->rtt_us = info_32(ti + INFO_RTT);
	info->least_rtt_us = info_32(ti + INFO_MIN_RTT);
	/* The kernel's value for "none yet". */
	if (info->least_rtt_us == UINT32_MAX)
		info->least_rtt_us = 0;
	info->window = info_32(ti + INFO_WINDOW);
	info->slow_start = info->window < info_32(ti + INFO_THRESHOLD);
	info->retransmissions = info_32(ti + INFO_RETRANS);
	info->sent = info_32(ti + INFO_SENT);
	info->busy_us = info_64(ti + INFO_BUSY);
	info->receiver_us = info_64(ti + INFO_RECEIVER);
	info->buffer_us = info_64(ti + INFO_BUFFER);
}
#elif defined(TCP_INFO)
static void
info_of(int fd, struct net_info *info)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);

	memset(&ti, 0, sizeof(ti));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len) == -1)
		return;
	info->rtt_us = ti.tcpi_rtt;
}
#else
static void
info_of(int fd, struct net_info *info)
{
	(void)fd;
	(void)info;
}
#endif

void
net_info(int fd, struct net_info *info)
{
	memset(info, 0, sizeof(*info));
	info_of(fd, info);
#ifdef SIOCOUTQ
	{
		int n = 0;

		if (ioctl(fd, SIOCOUTQ, &n) == 0 && n > 0)
			info->unacked = (uint64_t)n;
	}
#endif
}

bool
net_lost(int error)
{
	static const int lost[] = {
#ifdef EHOSTDOWN
		EHOSTDOWN,
#endif
		ECONNRESET, ETIMEDOUT, ECONNABORTED, ECONNREFUSED, ENOTCONN,
		EHOSTUNREACH, ENETUNREACH, ENETDOWN, ENETRESET
	};
	size_t i;

	for (i = 0; i < sizeof(lost) / sizeof(lost[0]); i++)
		if (error == lost[i])
			return true;
	return false;
}

uint64_t
net_origin(const char *name)
{
	uint8_t bytes[16] = { 0 };
	uint64_t origin = 0;
	char host[NET_NAME];
	unsigned i;

	snprintf(host, sizeof(host), "%s", name[0] == '[' ? name + 1 : name);
	host[strcspn(host, name[0] == '[' ? "]%" : ":")] = '\0';
	if (inet_pton(AF_INET6, host, bytes) != 1)
		inet_pton(AF_INET, host, bytes);
	for (i = 0; i < 8; i++)
		origin = origin << 8 | bytes[i];
	return origin;
}

bool
net_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* Dialling */

struct attempt {
	int fd;
	unsigned address;
};

struct dial {
	struct net_target *target;
	const struct lookup_address *list;
	unsigned addresses;
	struct attempt attempt[ATTEMPTS];
	unsigned attempts;	/* under way */
	unsigned started;	/* total */
	int error;		/* of the last that failed */
	uint64_t next_ns;	/* when to start the next */
	uint64_t end_ns;
};

/* Bounds the segments that this end sends and those that it asks for; may fail without harm. */
static void
bound_segments(int fd, unsigned bytes)
{
#ifdef TCP_MAXSEG
	if (bytes != 0)
		setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &bytes, sizeof(bytes));
#else
	(void)fd;
	(void)bytes;
#endif
}

static void
dial_next(struct dial *d, uint64_t now)
{
	unsigned wait_ms = d->started < d->addresses ? NEXT_ADDRESS_MS : d->target->again_ms;

	d->next_ns = now + (uint64_t)wait_ms * 1000000;
}

/* Starts an attempt; returns the descriptor if it is connected at once, otherwise -1. */
static int
dial_start(struct dial *d)
{
	unsigned i = (d->target->first + d->started++) % d->addresses;
	const struct lookup_address *a = &d->list[i];
	int fd;

	if (d->attempts == ATTEMPTS) {
		/* The oldest makes room. */
		d->target->silent = true;
		close(d->attempt[0].fd);
		memmove(d->attempt, d->attempt + 1, --d->attempts * sizeof(d->attempt[0]));
	}
	fd = socket_new(a->family);
	if (fd == -1)
		goto err0;
	bound_segments(fd, d->target->segment);
	prepare(fd);
	if (d->target->congestion[0] != '\0' && net_congestion(fd, d->target->congestion) == -1)
		goto err1;
	if (d->target->from[0] != '\0' && bind_source(fd, d->target->from, a->family) == -1)
		goto err1;
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) == 0) {
		d->target->used = i;
		return fd;
	}
	if (errno != EINPROGRESS && errno != EINTR)
		goto err1;
	d->attempt[d->attempts].fd = fd;
	d->attempt[d->attempts++].address = i;
	return -1;
err1:
	d->error = errno;
	if (errno == ECONNREFUSED)
		d->target->denied |= 1u << i;
	close(fd);
	return -1;
err0:
	d->error = errno;
	return -1;
}

/* The descriptor of an attempt that has succeeded, or -1. */
static int
dial_harvest(struct dial *d, const struct pollfd *p)
{
	unsigned i, kept = 0;
	int won = -1, error;

	for (i = 0; i < d->attempts; i++) {
		if (p[i].revents == 0 || won != -1) {
			d->attempt[kept++] = d->attempt[i];
			continue;
		}
		error = net_connected(p[i].fd);
		if (error == 0) {
			won = p[i].fd;
			d->target->used = d->attempt[i].address;
			continue;
		}
		d->error = error;
		if (error == ECONNREFUSED)
			d->target->denied |= 1u << d->attempt[i].address;
		else if (error != ECONNRESET)
			d->target->silent = true;
		close(p[i].fd);
	}
	d->attempts = kept;
	return won;
}

static int
dial_wait(struct dial *d, int cancel, uint64_t now)
{
	struct pollfd p[ATTEMPTS + 1];
	uint64_t until = d->next_ns < d->end_ns ? d->next_ns : d->end_ns;
	unsigned i;

	for (i = 0; i < d->attempts; i++)
		p[i] = (struct pollfd){ .fd = d->attempt[i].fd, .events = POLLOUT };
	p[i] = (struct pollfd){ .fd = cancel, .events = POLLIN };
	if (poll(p, d->attempts + 1, clock_poll_ms(until, now)) == -1 && errno != EINTR) {
		d->error = errno;
		d->end_ns = 0;
		return -1;
	}
	if (p[d->attempts].revents != 0) {
		d->error = ECANCELED;
		d->end_ns = 0;
		return -1;
	}
	return dial_harvest(d, p);
}

static int
dial_run(struct dial *d, int cancel)
{
	uint64_t now = clock_now_ns();
	int fd = -1;

	d->end_ns = now + (uint64_t)d->target->timeout_ms * 1000000;
	d->error = ETIMEDOUT;
	while (fd == -1 && now < d->end_ns) {
		if (now >= d->next_ns || (d->attempts == 0 && d->started < d->addresses)) {
			fd = dial_start(d);
			dial_next(d, now);
			if (fd != -1)
				break;
		}
		/* Every address has failed. */
		if (d->attempts == 0 && d->started >= d->addresses)
			break;
		if (d->attempts > 0)
			fd = dial_wait(d, cancel, now);
		now = clock_now_ns();
	}
	if (d->attempts > 0)
		d->target->silent = true;
	while (d->attempts > 0)
		close(d->attempt[--d->attempts].fd);
	/* A refusal says more than an address that cannot be used here. */
	if (d->error != ECANCELED && d->target->denied != 0 && !d->target->silent)
		d->error = ECONNREFUSED;
	return fd;
}

int
net_dial(struct net_target *target, int cancel, char name[NET_NAME], char why[NET_WHY])
{
	struct dial d;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int fd;

	memset(&d, 0, sizeof(d));
	d.target = target;
	target->silent = true;
	if (lookup(target->lookup, target->host, target->port, target->timeout_ms, cancel,
	    why) == -1)
		return -1;
	d.list = target->lookup->answer.list;
	d.addresses = target->lookup->answer.count;
	target->addresses = d.addresses;
	target->denied = 0;
	target->silent = false;
	fd = dial_run(&d, cancel);
	if (fd == -1) {
		snprintf(why, NET_WHY, "%s", strerror(d.error));
		errno = d.error;
		return -1;
	}
	if (getpeername(fd, (struct sockaddr *)&sa, &len) == -1)
		snprintf(name, NET_NAME, "unknown");
	else
		name_address((struct sockaddr *)&sa, len, name);
	return fd;
}

int
net_connect(const struct lookup_address *a)
{
	int fd = socket_new(a->family), error;

	if (fd == -1)
		return -1;
	prepare(fd);
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) == 0 || errno == EINPROGRESS ||
	    errno == EINTR)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
net_connected(int fd)
{
	int error;
	socklen_t len = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1 ? errno : error;
}

/* Listening */

/*
 * Sets whether an IPv6 socket also accepts IPv4, and returns whether it does; where
 * there is no choice, the system's default holds.
 */
static bool
hears_both(int fd, bool both)
{
	int only = !both;
	socklen_t len = sizeof(only);

	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) == 0)
		return both;
	return getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 && only == 0;
}

#define NO_FAMILY	(-2)	/* listen_one: the system has no such sockets */

static int
listen_one(const struct lookup_address *a, bool both, int backlog, char name[NET_NAME])
{
	int fd = socket_new(a->family), on = 1, error;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (fd == -1)
		return NO_FAMILY;
	/* May fail: at worst the port stays in use for a minute longer. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	errno = EAFNOSUPPORT;
	if (a->family == AF_INET6 && !hears_both(fd, both) && both)
		goto err1;
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) == -1 ||
	    listen(fd, backlog) == -1 || getsockname(fd, (struct sockaddr *)&sa, &len) == -1)
		goto err1;
	name_address((struct sockaddr *)&sa, len, name);
	return fd;
err1:
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void
set_port(struct lookup_address *a, const char *name)
{
	unsigned port = (unsigned)strtoul(strrchr(name, ':') + 1, NULL, 10);

	if (a->family == AF_INET)
		((struct sockaddr_in *)&a->sa)->sin_port = htons((uint16_t)port);
	else
		((struct sockaddr_in6 *)&a->sa)->sin6_port = htons((uint16_t)port);
}

/* One socket for IPv6 and IPv4, if the system can. */
static bool
listen_both(struct net_listener *l, const char *port, int backlog)
{
	struct lookup_address any;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&any.sa;

	memset(&any, 0, sizeof(any));
	in6->sin6_family = AF_INET6;
	in6->sin6_addr = in6addr_any;
	in6->sin6_port = htons((uint16_t)strtoul(port, NULL, 10));
	any.family = AF_INET6;
	any.len = sizeof(*in6);
	l->fd[0] = listen_one(&any, true, backlog, l->name[0]);
	l->count = l->fd[0] >= 0;
	return l->count == 1;
}

/*
 * Whether an IPv6 address that was asked for includes IPv4: a mapped or an
 * unspecified one does.  Otherwise IPv4 gets a socket of its own.
 */
static bool
means_both(const struct lookup_address *a, bool asked)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->sa;

	return asked && a->family == AF_INET6 && (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ||
	    IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr));
}

int
net_listen(struct net_listener *l, const char *bind_to, const char *port, int backlog,
    char why[NET_WHY])
{
	struct lookup_answer a;
	unsigned i;
	int error = EADDRNOTAVAIL, fd;

	l->count = 0;
	if (bind_to[0] == '\0' && listen_both(l, port, backlog))
		return 0;
	if (lookup_now(bind_to[0] == '\0' ? NULL : bind_to, port, true, &a, why) == -1)
		return -1;
	for (i = 0; i < a.count && l->count < NET_LISTENERS; i++) {
		if (l->count > 0)
			set_port(&a.list[i], l->name[0]);
		fd = listen_one(&a.list[i], means_both(&a.list[i], bind_to[0] != '\0'),
		    backlog, l->name[l->count]);
		if (fd >= 0) {
			l->fd[l->count++] = fd;
			continue;
		}
		error = errno;
		/* A family that this host does not have is skipped; a port in use is an error. */
		if (fd == NO_FAMILY || error == EADDRNOTAVAIL)
			continue;
		net_unlisten(l);
		break;
	}
	if (l->count == 0)
		snprintf(why, NET_WHY, "%s", strerror(error));
	return l->count == 0 ? -1 : 0;
}

void
net_unix_address(const char *path, struct lookup_address *a)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&a->sa;

	memset(a, 0, sizeof(*a));
	un->sun_family = AF_UNIX;
	snprintf(un->sun_path, sizeof(un->sun_path), "%.*s", NET_UNIX_MAX, path);
	a->family = AF_UNIX;
	a->len = sizeof(*un);
}

/* A socket whose process is gone stays behind as a file, in the way of the next. */
static void
unlink_stale(const struct lookup_address *a, const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return;
	fd = net_connect(a);
	if (fd != -1)
		close(fd);
	else if (errno == ECONNREFUSED)
		unlink(path);
}

int
net_unix_listen(struct net_listener *l, const char *path, int backlog, char why[NET_WHY])
{
	struct lookup_address a;
	int fd = socket_new(AF_UNIX);
	mode_t mask;
	bool good;

	l->count = 0;
	net_unix_address(path, &a);
	unlink_stale(&a, path);
	mask = umask(0177);
	good = fd != -1 && bind(fd, (const struct sockaddr *)&a.sa, a.len) == 0 &&
	    listen(fd, backlog) == 0;
	if (!good)
		snprintf(why, NET_WHY, "%s", strerror(errno));
	umask(mask);
	if (!good && fd != -1)
		close(fd);
	if (!good)
		return -1;
	l->fd[0] = fd;
	snprintf(l->name[0], NET_NAME, "%s", path);
	l->count = 1;
	return 0;
}

void
net_unlisten(struct net_listener *l)
{
	while (l->count > 0)
		close(l->fd[--l->count]);
}

int
net_accept(int listener, char name[NET_NAME])
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int fd;

	fork_lock();
	fd = owned(accept(listener, (struct sockaddr *)&sa, &len));
	fork_unlock();
	if (fd == -1)
		return -1;
	prepare(fd);
	name_address((struct sockaddr *)&sa, len, name);
	return fd;
}
