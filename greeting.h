/*
 * greeting: the greetings of a leg on a new connection: HELLO and WELCOME, or, with a
 * key, sealed HELLO, ANSWER and CONFIRM (handshake.h).
 *
 * Called by the leg's thread, but for greeting_prepare and greeting_say.  greeting_call
 * waits for the answer, up to its timeout; greeting_answer does not block.
 */
#ifndef GREETING_H
#define GREETING_H

#include <stdbool.h>
#include <stdint.h>

struct handshake;
struct hello;
struct leg;
struct session;

/*
 * The caller's side: sends HELLO, reads the answer and queues CONFIRM.  true: the answer
 * is WELCOME; *rtt_ns is how long it took.  false: the failure was reported to the session.
 */
bool greeting_call(struct leg *leg, unsigned timeout_ms, uint64_t *rtt_ns);

/*
 * Main thread, before the leg's runs: sends HELLO over a connection that the leg has
 * already, so that greeting_call only awaits the answer.  0, or an errno.
 */
int greeting_say(struct leg *leg);

/*
 * The listener's side: takes what HELLO says; without a key queues WELCOME as the first
 * bytes of the leg's outflow.  false: the leg cannot come up.
 */
bool greeting_answer(struct leg *leg, const struct hello *hello);

/* The connection has ended: wipes its keys. */
void greeting_forget(struct leg *leg);

/*
 * Either side, any thread: puts the session's psk and random bytes into h.  0, or an
 * errno: ECANCELED when the psk was wiped at the end.
 */
int greeting_prepare(struct session *s, struct handshake *h);

#endif
