/*
 * tx.c, and what it keeps.
 */
#include "../tx.c"

#include "../outcome.h"
#include "fuzz_inside.h"
#include "fuzz_world.h"

struct tx *
inside_tx_new(struct session *s)
{
	struct tx_setup setup = {
		.fd = WORLD_SOURCE, .window = s->direction.window, .all = true,
		.frame = s->direction.frame,
		.digest = s->direction.checked, .legs = s->caller ? s->paths.legs : FRAME_LEGS,
		.options = s->options
	};

	outcome_of_halves(s, &setup.owner);
	return tx_new(&setup);
}

const struct window *
inside_tx_window(const struct tx *tx)
{
	return &tx->window;
}

static size_t
range_books(const struct ranges *r, uint64_t *to)
{
	size_t n = 0, i;

	to[n++] = r->n;
	for (i = 0; i < r->n; i++) {
		to[n++] = r->v[r->head + i].lo;
		to[n++] = r->v[r->head + i].hi;
	}
	return n;
}

size_t
inside_tx_books(const struct tx *tx, uint64_t *to)
{
	const struct window *w = &tx->window;
	const uint64_t fixed[] = {
		w->window, w->send_limit, w->frame, w->agreed, w->base, w->next, w->end,
		    w->delivered,
		w->limit, w->eof, w->digest, w->cost_total, w->copies, w->resent, w->copied,
		tx->blocked, tx->starved, tx->ranked, tx->path[0].bytes
	};
	size_t n = sizeof(fixed) / sizeof(fixed[0]), i;

	memcpy(to, fixed, sizeof(fixed));
	for (i = 0; i < FRAME_LEGS; i++)
		if (w->leg[i].ring != NULL) {
			to[n++] = i;
			to[n++] = w->leg[i].up;
			to[n++] = w->leg[i].incarnation;
			to[n++] = w->leg[i].sent;
			to[n++] = w->leg[i].received;
			to[n++] = w->leg[i].count;
			to[n++] = tx->delivery_rate[i].rtt_ns;
			to[n++] = tx->leaving[i];
		}
	n += range_books(&w->acked, to + n);
	return n + range_books(&w->lost, to + n);
}

void
inside_tx_free(struct tx *tx)
{
	window_free(&tx->window);
	free(tx->record);
	free(tx);
}
