/*
 * message: the control frames of a leg: makes this end's, and acts on the peer's.
 *
 * Called by the leg's thread while the leg is up; nothing blocks.  inflow.c and
 * outflow.c move the frames of the stream.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

struct frame;
struct leg;

void message_heartbeat(struct leg *leg, bool reply, uint64_t now);
void message_status(struct leg *leg);
/* Sends those of DONE, FAIL and BYE that are among the PENDING_ bits. */
void message_outcome(struct leg *leg, unsigned pending);
/* Sends LEAVE, or prepares it: the sender gives the leg no more, the receiver asks for that. */
void message_leave(struct leg *leg);
/*
 * Whether frames that repeat (STATUS, HEARTBEAT) may be made now: there must always be
 * room for an outcome, and a receiver's must not grow old while they wait to be sent.
 * Where this is false, the leg's socket becomes writable when it is true.
 */
bool message_room(const struct leg *leg);

/* Acts on a control frame of the peer's.  NULL, or what it did wrong. */
const char *message_take(struct leg *leg, const struct frame *frame, const uint8_t *payload);

#endif
