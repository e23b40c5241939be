/*
 * supervise: the main thread while the session lasts.  Every second, and ten times a
 * second while data flows, it checks whether the peer has been absent for too long, how
 * many legs are wanted, and whether the session is over.
 */
#ifndef SUPERVISE_H
#define SUPERVISE_H

struct session;

/*
 * Blocks until the session is over.  Then s->status is the exit status, and s->signal
 * the signal that ended it, or 0.
 */
void supervise(struct session *s);

#endif
