/*
 * events: what happens to legs, queued until the report writes it.
 *
 * A bounded queue with a leaf lock of its own: a thread that adds an event never
 * waits for one that writes files, and an event that finds the queue full is
 * counted instead.  Any thread may call anything.  Before events_open nothing is
 * kept.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/lock.h"
#include "sys/net.h"

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
	struct event *ring;	/* NULL = there is no report */
	size_t size;
	size_t head;
	size_t count;
	uint64_t missed;	/* events that found the queue full */
};

void events_init(struct events *e);
/* From now on at most `size' events are kept.  0, or -1 with errno. */
int events_open(struct events *e, size_t size);
void events_add(struct events *e, const struct event *event);
/* Removes the oldest event; false if there is none. */
bool events_take(struct events *e, struct event *event);
uint64_t events_missed(struct events *e);

#endif
