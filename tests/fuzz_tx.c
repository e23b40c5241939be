/*
 * tx.c, and what it keeps.
 */
#include "../tx.c"

#include "fuzz_inside.h"

const struct window *
inside_tx_window(const struct tx *tx)
{
	return &tx->window;
}

void
inside_tx_free(struct tx *tx)
{
	window_free(&tx->window);
	free(tx);
}
