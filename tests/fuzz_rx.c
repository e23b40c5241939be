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
