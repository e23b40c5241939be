/*
 * poller: waits for many descriptors at once.  See poller.h.
 */
#include "sys/poller.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/epoll.h>
#endif

#define WAIT_MAX	256	/* events of one wait */

#ifdef EPOLL_CLOEXEC
static int
epoll_new(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

static struct epoll_event
event_of(unsigned events, void *cookie)
{
	struct epoll_event e;

	memset(&e, 0, sizeof(e));
	e.events = ((events & POLLER_IN) != 0 ? (unsigned)EPOLLIN : 0) |
	    ((events & POLLER_OUT) != 0 ? (unsigned)EPOLLOUT : 0);
	e.data.ptr = cookie;
	return e;
}

static int
epoll_set(const struct poller *p, int fd, unsigned events, void *cookie, bool new)
{
	struct epoll_event e = event_of(events, cookie);

	return epoll_ctl(p->epoll, new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e);
}

static void
epoll_unset(const struct poller *p, int fd)
{
	struct epoll_event none = { 0 };

	(void)epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, &none);
}

static int
epoll_take(const struct poller *p, struct poller_event *events, int most, int timeout_ms)
{
	struct epoll_event list[WAIT_MAX];
	int n, i;

	n = epoll_wait(p->epoll, list, most < WAIT_MAX ? most : WAIT_MAX, timeout_ms);
	for (i = 0; i < n; i++) {
		events[i].cookie = list[i].data.ptr;
		events[i].events = ((list[i].events & EPOLLIN) != 0 ? POLLER_IN : 0) |
		    ((list[i].events & EPOLLOUT) != 0 ? POLLER_OUT : 0) |
		    ((list[i].events & (EPOLLERR | EPOLLHUP)) != 0 ? POLLER_ERROR : 0);
	}
	return n > 0 ? n : 0;
}
#else
static int
epoll_new(void)
{
	return -1;
}

static int
epoll_set(const struct poller *p, int fd, unsigned events, void *cookie, bool new)
{
	(void)p, (void)fd, (void)events, (void)cookie, (void)new;
	return -1;
}

static void
epoll_unset(const struct poller *p, int fd)
{
	(void)p, (void)fd;
}

static int
epoll_take(const struct poller *p, struct poller_event *events, int most, int timeout_ms)
{
	(void)p, (void)events, (void)most, (void)timeout_ms;
	return 0;
}
#endif

int
poller_init(struct poller *p)
{
	memset(p, 0, sizeof(*p));
	p->epoll = epoll_new();
	return 0;
}

/* Room for one more, and for this descriptor; -1 with errno. */
static int
make_room(struct poller *p, int fd)
{
	int room = p->room == 0 ? 16 : 2 * p->room, places = p->places == 0 ? 64 : p->places;
	void *new;

	while (places <= fd)
		places *= 2;
	if (places > p->places) {
		if ((new = realloc(p->place, (size_t)places * sizeof(p->place[0]))) == NULL)
			return -1;
		p->place = new;
		while (p->places < places)
			p->place[p->places++] = -1;
	}
	if (p->count < p->room)
		return 0;
	if ((new = realloc(p->list, (size_t)room * sizeof(p->list[0]))) == NULL)
		return -1;
	p->list = new;
	if ((new = realloc(p->cookie, (size_t)room * sizeof(p->cookie[0]))) == NULL)
		return -1;
	p->cookie = new;
	p->room = room;
	return 0;
}

static void
set_list(struct poller *p, int i, unsigned events, void *cookie)
{
	p->list[i].events = (short)(((events & POLLER_IN) != 0 ? POLLIN : 0) |
	    ((events & POLLER_OUT) != 0 ? POLLOUT : 0));
	p->list[i].revents = 0;
	p->cookie[i] = cookie;
}

int
poller_add(struct poller *p, int fd, unsigned events, void *cookie)
{
	if (p->epoll != -1)
		return epoll_set(p, fd, events, cookie, true);
	if (make_room(p, fd) == -1)
		return -1;
	p->list[p->count].fd = fd;
	p->place[fd] = p->count;
	set_list(p, p->count++, events, cookie);
	return 0;
}

void
poller_change(struct poller *p, int fd, unsigned events, void *cookie)
{
	if (p->epoll != -1)
		(void)epoll_set(p, fd, events, cookie, false);
	else
		set_list(p, p->place[fd], events, cookie);
}

void
poller_drop(struct poller *p, int fd)
{
	int at;

	if (p->epoll != -1) {
		epoll_unset(p, fd);
		return;
	}
	at = p->place[fd];
	assert(at >= 0 && at < p->count);
	p->place[fd] = -1;
	p->list[at] = p->list[--p->count];
	p->cookie[at] = p->cookie[p->count];
	if (at < p->count)
		p->place[p->list[at].fd] = at;
}

int
poller_wait(struct poller *p, struct poller_event *events, int most, int timeout_ms)
{
	int n = 0, i, at;
	short got;

	if (p->epoll != -1)
		return epoll_take(p, events, most, timeout_ms);
	if (poll(p->list, (nfds_t)p->count, timeout_ms) <= 0)
		return 0;
	for (i = 0; i < p->count && n < most; i++) {
		at = (p->at + i) % p->count;
		got = p->list[at].revents;
		if (got == 0)
			continue;
		events[n].cookie = p->cookie[at];
		events[n++].events = ((got & POLLIN) != 0 ? POLLER_IN : 0) |
		    ((got & POLLOUT) != 0 ? POLLER_OUT : 0) |
		    ((got & (POLLERR | POLLHUP | POLLNVAL)) != 0 ? POLLER_ERROR : 0);
	}
	/* Whoever did not fit is first in the next. */
	p->at = p->count > 0 ? (p->at + i) % p->count : 0;
	return n;
}
