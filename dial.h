/*
 * dial: the caller's side of a session: where a leg dials, which leg does the first
 * handshake, and what an answer or a failed dial means for the session.
 *
 * The legs' threads call, each for its own leg.  The functions block only for the
 * session's lock, except dial_hello, which waits until the leg may send its HELLO.
 */
#ifndef DIAL_H
#define DIAL_H

#include <stdbool.h>
#include <stdint.h>

struct hello;
struct leg;
struct refuse;
struct session;

/* How a dial failed. */
enum dial_end {
	DIAL_FAILED,
	DIAL_SLOW,		/* no answer in time */
	DIAL_DENIED,		/* nothing listens at the leg's `denied' addresses */
	DIAL_BARRED,		/* the login of its tunnel was refused */
	DIAL_CLOSED		/* accepted, then closed, as by a tunnel that leads nowhere */
};

/*
 * Where this leg should dial: as paths_choose; false with *again_ns = 0 when the
 * session is over.
 */
bool dial_choose(struct session *s, struct leg *leg, unsigned *timeout_ms, unsigned *again_ms,
    uint64_t *again_ns);
void dial_failed(struct session *s, struct leg *leg, const char *why, enum dial_end end);
/* Waits until this leg may send its HELLO, and fills it in.  false: it must not send one. */
bool dial_hello(struct session *s, struct leg *leg, struct hello *hello);
/* The answer.  dial_welcome returns NULL if the leg may come up; otherwise both say why not. */
const char *dial_welcome(struct session *s, struct leg *leg, const struct hello *welcome);
/* proven: the peer has proven the key, or there is none. */
const char *dial_refused(struct session *s, struct leg *leg, const struct refuse *refuse,
    bool proven);
/*
 * Whether a tunnel may use an ssh connection that is open already: only the first may,
 * which saves it a login; a second one would share its rate.
 */
bool dial_shares(struct session *s);
/* The dial or the handshake was given up; that does not count as a failure. */
void dial_over(struct session *s, struct leg *leg);

#endif
