/*
 * events: what happens to legs, kept until the report tells it.
 *
 * A queue with a bound and a leaf lock of its own: those who add never wait
 * for those who write files, and what finds no room is counted instead.  Any
 * thread may call anything.  Nothing is kept before events_open.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock.h"
#include "net.h"

#define EVENT_WHY	96

enum event_kind {
	EVENT_UP,		/* a leg is up */
	EVENT_DOWN,		/* a leg was lost, or the session ends */
	EVENT_OUTAGE		/* a leg is up after a time without any */
};

struct event {
	enum event_kind kind;
	uint64_t at_ns;
	uint64_t lasted_ns;	/* EVENT_OUTAGE */
	unsigned leg;
	unsigned path;		/* caller */
	uint32_t incarnation;
	char name[NET_NAME];	/* the peer's address */
	char why[EVENT_WHY];	/* EVENT_DOWN */
};

struct events {
	struct lock lock;
	struct event *ring;	/* NULL = nobody wants to know */
	size_t size;
	size_t head;
	size_t count;
	uint64_t missed;	/* found no room */
};

void events_init(struct events *e);
/* From now on so many are kept.  0, or -1 with errno. */
int events_open(struct events *e, size_t size);
void events_add(struct events *e, const struct event *event);
/* The oldest, if there is one. */
bool events_take(struct events *e, struct event *event);
uint64_t events_missed(struct events *e);

#endif
