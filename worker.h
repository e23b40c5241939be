/*
 * worker: one leg's thread.  The caller's side dials, the listener's takes
 * connections that the listener hands over.  Then it does the handshake, carries
 * frames and heartbeats until the leg is dead, and begins again, until the session is
 * over.
 */
#ifndef WORKER_H
#define WORKER_H

struct leg;

/* Starts its thread; 0, or an errno. */
int worker_start(struct leg *leg);

#endif
