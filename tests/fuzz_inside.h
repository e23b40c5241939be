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

#include "core/reassembly.h"
#include "core/window.h"
#include "crypto/channel.h"
#include "frame.h"
#include "session.h"

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
/*
 * and hear the answer, which with a key was sealed; the keys belong to the leg.  false: it
 * is closed again.
 */
bool inside_leg_answered(struct leg *leg, const uint8_t answer[FRAME_GREETING],
    struct channel_pair *keys);
/* With a key: what the two sides of a connection come to by a handshake, always the same. */
void inside_keys(struct session *s, struct channel_pair **caller, struct channel_pair **listener);
/* A frame as it crosses the wire with a key; its bytes. */
size_t inside_seal(struct channel *c, const struct frame *frame, const uint8_t *payload,
    uint8_t *out);
/* One round; NULL, or the leg was closed for this reason. */
const char *inside_leg_round(struct leg *leg);

struct rx *inside_rx_new(struct session *s);
const struct reassembly *inside_rx_reassembly(const struct rx *rx);
size_t inside_rx_live(const struct rx *rx);
bool inside_rx_stopped(const struct rx *rx);
/* All that it knows and that is no time, as numbers; how many. */
size_t inside_rx_books(const struct rx *rx, uint64_t *to);
void inside_rx_free(struct rx *rx);

struct tx *inside_tx_new(struct session *s);
const struct window *inside_tx_window(const struct tx *tx);
size_t inside_tx_books(const struct tx *tx, uint64_t *to);
void inside_tx_free(struct tx *tx);

#endif
