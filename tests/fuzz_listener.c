/*
 * listener.c, one round of its thread at a time.
 */
#include "../listener.c"

#include "fuzz_inside.h"

static struct room inside;

void
inside_listener_begin(struct session *s)
{
	struct caller *c;

	inside.session = s;
	if (inside.handshake == NULL)
		inside.handshake = handshake_new();
	inside.places = ROOM;
	for (c = inside.caller; c < inside.caller + ROOM; c++)
		c->state = CALLER_NONE;
}

void
inside_listener_accept(void)
{
	let_in(&inside, 0, clock_now_ns());
}

void
inside_listener_serve(void)
{
	struct pollfd p[ROOM];
	unsigned i, here = 0;

	for (i = 0; i < ROOM; i++) {
		p[i] = (struct pollfd){ .fd = inside.caller[i].state == CALLER_NONE ? -1 :
		    inside.caller[i].fd, .events = POLLIN };
		here += p[i].fd != -1;
	}
	if (here == 0)
		return;
	poll(p, ROOM, 0);
	serve(&inside, p, clock_now_ns());
	expire(&inside, clock_now_ns());
}

void
inside_listener_end(void)
{
	struct caller *c;

	for (c = inside.caller; c < inside.caller + ROOM; c++)
		if (c->state != CALLER_NONE)
			dismiss(c, NULL);
}
