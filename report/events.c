/*
 * events: the queue of what happens to legs.  See events.h; the legs' threads add,
 * the monitor's thread takes.
 */
#include "report/events.h"

#include <stdlib.h>

void
events_init(struct events *e)
{
	lock_init(&e->lock);
	e->ring = NULL;
	e->size = e->head = e->count = 0;
	e->missed = 0;
}

int
events_open(struct events *e, size_t size)
{
	struct event *ring = calloc(size, sizeof(*ring));

	if (ring == NULL)
		return -1;
	lock_acquire(&e->lock);
	e->ring = ring;
	e->size = size;
	lock_release(&e->lock);
	return 0;
}

void
events_add(struct events *e, const struct event *event)
{
	lock_acquire(&e->lock);
	if (e->count < e->size)
		e->ring[(e->head + e->count++) % e->size] = *event;
	else if (e->ring != NULL)
		e->missed++;
	lock_release(&e->lock);
}

bool
events_take(struct events *e, struct event *event)
{
	bool there;

	lock_acquire(&e->lock);
	there = e->count > 0;
	if (there) {
		*event = e->ring[e->head];
		e->head = (e->head + 1) % e->size;
		e->count--;
	}
	lock_release(&e->lock);
	return there;
}

uint64_t
events_missed(struct events *e)
{
	uint64_t missed;

	lock_acquire(&e->lock);
	missed = e->missed;
	lock_release(&e->lock);
	return missed;
}
