/*
 * rx.c, and what it keeps.
 */
#include "../rx.c"

#include "fuzz_inside.h"

const struct order *
inside_rx_order(const struct rx *rx)
{
	return &rx->order;
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

void
inside_rx_free(struct rx *rx)
{
	order_free(&rx->order);
	sluice_free(&rx->sluice);
	while (rx->pooled > 0)
		pooled_free(rx->pool[--rx->pooled]);
	free(rx);
}
