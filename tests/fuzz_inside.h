/*
 * Ways into files of the product that have none from outside: each of
 * fuzz_listener.c, fuzz_worker.c, fuzz_rx.c and fuzz_tx.c is one of them with
 * a few functions added.
 */
#ifndef FUZZ_INSIDE_H
#define FUZZ_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "order.h"
#include "session.h"
#include "window.h"

/* listener.c: what its thread does in one round, and all that it keeps. */
void inside_listener_begin(struct session *s);
void inside_listener_accept(void);
void inside_listener_serve(void);
void inside_listener_end(void);

/* worker.c: the whole of a leg's thread, or its life in pieces. */
void *inside_leg_thread(void *leg);
/* The listener handed a connection over: answer it.  false: there was none. */
bool inside_leg_serve(struct leg *leg);
/* A connection stands: say HELLO, */
bool inside_leg_greet(struct leg *leg, int fd, struct hello *hello);
/* and hear the answer, which is proven where there is a key.  false: it is closed again. */
bool inside_leg_answered(struct leg *leg, const uint8_t answer[FRAME_GREETING]);
/* One round; NULL, or the leg was closed for this reason. */
const char *inside_leg_round(struct leg *leg);

const struct order *inside_rx_order(const struct rx *rx);
size_t inside_rx_live(const struct rx *rx);
bool inside_rx_stopped(const struct rx *rx);
void inside_rx_free(struct rx *rx);

const struct window *inside_tx_window(const struct tx *tx);
void inside_tx_free(struct tx *tx);

#endif
