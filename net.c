/*
 * net: sockets, and in what systems differ about them.  See net.h; runs in
 * whichever thread calls it, without shared state.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "net.h"

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
#include <unistd.h>
#ifdef __has_include
#if __has_include(<linux/sockios.h>)
#include <linux/sockios.h>
#endif
#endif

#include "lock.h"
#include "child.h"

#define NEXT_ADDRESS_MS	250	/* RFC 8305: Connection Attempt Delay */
#define ATTEMPTS	16	/* connections that may be under way in one dial */

static void
name_address(const struct sockaddr *sa, socklen_t len, char name[NET_NAME])
{
	char host[64], port[8];

	if (getnameinfo(sa, len, host, sizeof(host), port, sizeof(port),
	    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(name, NET_NAME, "unknown");
	else if (strncmp(host, "::ffff:", 7) == 0 && strchr(host, '.') != NULL)
		snprintf(name, NET_NAME, "%s:%s", host + 7, port);
	else
		snprintf(name, NET_NAME, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s",
		    host, port);
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

/* What has just been made, under child_hold; -1 with errno, and then it is closed. */
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

	child_hold();
	fd = owned(socket(family, SOCK_STREAM, 0));
	child_release();
	return fd;
}

/* The address of a family that an interface has, as the source to bind to. */
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
/* Keeps a path on its interface whatever the routes say; needs no success. */
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

static int
bind_source(int fd, const char *from, int family)
{
	struct lookup_address list[LOOKUP_ADDRESSES];
	unsigned count, i;
	char why[NET_WHY];

	if (if_nametoindex(from) != 0) {
		if (interface_address(from, family, &list[0]) == -1)
			return -1;
		bind_interface(fd, from);
		return bind(fd, (struct sockaddr *)&list[0].sa, list[0].len);
	}
	if (lookup_now(from, "0", false, list, &count, why) == -1) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	for (i = 0; i < count; i++)
		if (list[i].family == family)
			return bind(fd, (struct sockaddr *)&list[i].sa, list[i].len);
	errno = EADDRNOTAVAIL;
	return -1;
}

/* Options of a connection */

#ifdef TCP_CONGESTION
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
		snprintf(why, NET_WHY, "the system does not list its names");
}
#else
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

bool
net_congestion_known(const char *name, char why[NET_WHY])
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool known;

	if (fd == -1)
		fd = socket(AF_INET6, SOCK_STREAM, 0);
	known = fd != -1 && net_congestion(fd, name) == 0;
	if (!known)
		congestion_list(why);
	if (fd != -1)
		close(fd);
	return known;
}

void
net_prepare(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

#ifdef TCP_USER_TIMEOUT
void
net_patience(int fd, unsigned ms)
{
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}
#else
void
net_patience(int fd, unsigned ms)
{
	(void)fd;
	(void)ms;
}
#endif

#ifdef TCP_NOTSENT_LOWAT
void
net_unsent(int fd, unsigned octets)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &octets, sizeof(octets));
}
#else
/* A send buffer of that size is the next best thing. */
void
net_unsent(int fd, unsigned octets)
{
	if (octets < (4u << 20))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &octets, sizeof(octets));
}
#endif

void
net_abort(int fd)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

#ifdef TCP_INFO
static void
info_of(int fd, struct net_info *info)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);

	memset(&ti, 0, sizeof(ti));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len) == -1)
		return;
	info->rtt_us = ti.tcpi_rtt;
	info->retransmissions = ti.tcpi_total_retrans;
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
	unsigned started;	/* in all */
	int error;		/* of the last that failed */
	uint64_t next_ns;	/* when the next is due */
	uint64_t end_ns;
};

static void
dial_next(struct dial *d, uint64_t now)
{
	unsigned wait_ms = d->started < d->addresses ? NEXT_ADDRESS_MS : d->target->again_ms;

	d->next_ns = now + (uint64_t)wait_ms * 1000000;
}

/* Returns the descriptor if it is connected at once, otherwise -1. */
static int
dial_start(struct dial *d)
{
	unsigned i = (d->target->first + d->started++) % d->addresses;
	const struct lookup_address *a = &d->list[i];
	int fd;

	if (d->attempts == ATTEMPTS) {
		/* The oldest has had its time. */
		close(d->attempt[0].fd);
		memmove(d->attempt, d->attempt + 1, --d->attempts * sizeof(d->attempt[0]));
	}
	fd = socket_new(a->family);
	if (fd == -1)
		goto err0;
	net_prepare(fd);
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
	socklen_t len;

	for (i = 0; i < d->attempts; i++) {
		if (p[i].revents == 0 || won != -1) {
			d->attempt[kept++] = d->attempt[i];
			continue;
		}
		len = sizeof(error);
		if (getsockopt(p[i].fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
			error = errno;
		if (error == 0) {
			won = p[i].fd;
			d->target->used = d->attempt[i].address;
			continue;
		}
		d->error = error;
		if (error == ECONNREFUSED)
			d->target->denied |= 1u << d->attempt[i].address;
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
	int ms = until > now ? (int)((until - now) / 1000000) + 1 : 0;
	unsigned i;

	for (i = 0; i < d->attempts; i++)
		p[i] = (struct pollfd){ .fd = d->attempt[i].fd, .events = POLLOUT };
	p[i] = (struct pollfd){ .fd = cancel, .events = POLLIN };
	if (poll(p, d->attempts + 1, ms) == -1 && errno != EINTR) {
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

	d->end_ns = now + (uint64_t)d->target->patience_ms * 1000000;
	d->error = ETIMEDOUT;
	while (fd == -1 && now < d->end_ns) {
		if (now >= d->next_ns || (d->attempts == 0 && d->started < d->addresses)) {
			fd = dial_start(d);
			dial_next(d, now);
			if (fd != -1)
				break;
		}
		/* All have failed: there is nothing to wait for. */
		if (d->attempts == 0 && d->started >= d->addresses)
			break;
		if (d->attempts > 0)
			fd = dial_wait(d, cancel, now);
		now = clock_now_ns();
	}
	while (d->attempts > 0)
		close(d->attempt[--d->attempts].fd);
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
	if (lookup(target->lookup, target->host, target->port, target->patience_ms, cancel,
	    why) == -1)
		return -1;
	d.list = target->lookup->list;
	d.addresses = target->lookup->count;
	target->addresses = d.addresses;
	target->denied = 0;
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

/* Listening */

static int
listen_one(const struct lookup_address *a, bool both, int backlog, char name[NET_NAME])
{
	int fd = socket_new(a->family), on = 1, only = !both, error;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (fd == -1)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1)
		goto err1;
	if (a->family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) == -1)
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

/* One socket for IPv6 and IPv4, where the system can. */
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
	l->count = l->fd[0] != -1;
	return l->count == 1;
}

int
net_listen(struct net_listener *l, const char *bind_to, const char *port, int backlog,
    char why[NET_WHY])
{
	struct lookup_address list[LOOKUP_ADDRESSES];
	unsigned count, i;
	int error = EADDRNOTAVAIL, fd;

	l->count = 0;
	if (bind_to[0] == '\0' && listen_both(l, port, backlog))
		return 0;
	if (lookup_now(bind_to[0] == '\0' ? NULL : bind_to, port, true, list, &count, why) == -1)
		return -1;
	for (i = 0; i < count && l->count < NET_LISTENERS; i++) {
		if (l->count > 0)
			set_port(&list[i], l->name[0]);
		fd = listen_one(&list[i], false, backlog, l->name[l->count]);
		if (fd != -1) {
			l->fd[l->count++] = fd;
			continue;
		}
		error = errno;
		/* A family that is not in use here does not matter; a port that is taken does. */
		if (error != EAFNOSUPPORT && error != EADDRNOTAVAIL)
			net_unlisten(l);
		if (error != EAFNOSUPPORT && error != EADDRNOTAVAIL)
			break;
	}
	if (l->count == 0)
		snprintf(why, NET_WHY, "%s", strerror(error));
	return l->count == 0 ? -1 : 0;
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

	child_hold();
	fd = owned(accept(listener, (struct sockaddr *)&sa, &len));
	child_release();
	if (fd == -1)
		return -1;
	net_prepare(fd);
	name_address((struct sockaddr *)&sa, len, name);
	return fd;
}
