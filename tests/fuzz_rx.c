/*
 * rx.c, and what it keeps.
 */
#include "../rx.c"

#include "../outcome.h"
#include "fuzz_inside.h"
#include "fuzz_world.h"

struct rx *
inside_rx_new(struct session *s)
{
	struct half_owner owner;

	outcome_of_halves(s, &owner);
	return rx_new(&owner, NULL, WORLD_OUTPUT);
}

const struct reassembly *
inside_rx_reassembly(const struct rx *rx)
{
	return &rx->reassembly;
}

size_t
inside_rx_live(const struct rx *rx)
{
	return rx->live;
}

bool
inside_rx_stopped(const struct rx *rx)
{
	return rx->stopped;
}

static size_t
reassembly_books(const struct reassembly *o, uint64_t *to)
{
	const uint64_t fixed[] = {
		o->window, o->cursor, o->stored, o->total_known, o->total,
		(uint64_t)(int64_t)o->turn, o->waiting, o->repeated, o->takeovers, o->count
	};
	size_t n = sizeof(fixed) / sizeof(fixed[0]), i;

	memcpy(to, fixed, sizeof(fixed));
	for (i = 0; i < o->count; i++) {
		to[n++] = o->piece[o->head + i].seq;
		to[n++] = o->piece[o->head + i].end;
	}
	return n;
}

size_t
inside_rx_books(const struct rx *rx, uint64_t *to)
{
	const uint64_t fixed[] = {
		rx->direct, rx->checked, rx->frame, rx->stopped, rx->closed, rx->broken,
		rx->digest_said, rx->told_delivered, rx->full, rx->idle, rx->live, rx->slack,
		rx->staged != NULL, rx->digested, digest_value(&rx->digest),
		rx->last == NULL ? FRAME_LEGS : rx->last->number,
		rx->soon == NULL ? FRAME_LEGS : rx->soon->number
	};
	size_t n = sizeof(fixed) / sizeof(fixed[0]), i;

	memcpy(to, fixed, sizeof(fixed));
	for (i = 0; i < FRAME_LEGS; i++)
		if (rx->known[i]) {
			to[n++] = i;
			to[n++] = rx->leg[i].incarnation;
			to[n++] = rx->leg[i].received;
			to[n++] = rx->leg[i].told;
		}
	return n + reassembly_books(&rx->reassembly, to + n);
}

void
inside_rx_free(struct rx *rx)
{
	reassembly_free(&rx->reassembly);
	staging_free(&rx->staging);
	while (rx->pooled > 0)
		pooled_free(rx->pool[--rx->pooled]);
	free(rx);
}
