/*
 * worker: one leg's thread.  Dials (the caller's side) or takes connections
 * that the listener hands over (the receiver's), greets, carries frames and
 * heartbeats until the leg is dead or the session over, and begins again.
 */
#ifndef WORKER_H
#define WORKER_H

#include "frame.h"
#include "leg.h"

/* A leg that is parked; owned by the session, for the life of the process. */
struct leg *worker_new(struct session *session, unsigned number);
/* Starts its thread; 0, or an errno. */
int worker_start(struct leg *leg);

/* For inflow.c: a control frame came.  NULL, or what the peer did wrong. */
const char *worker_control(struct leg *leg, const struct frame *frame, const uint8_t *payload);
/* For inflow.c and outflow.c: a frame of the stream is through. */
void worker_chaos(struct leg *leg);

#endif
