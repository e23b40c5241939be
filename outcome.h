/*
 * outcome: how a session ends, and telling the peer.
 *
 * Any thread may report an outcome; only the first counts, and it never changes.  The
 * sender learns "done" only from the receiver.  The functions block only for locks;
 * the caller must hold none.
 */
#ifndef OUTCOME_H
#define OUTCOME_H

#include <stdint.h>

#include "frame.h"
#include "sys/log.h"

struct half_owner;
struct session;

void outcome_fail(struct session *s, enum failure reason, const char *format, ...)
    LOG_FORMAT(3, 4);
/* With an exit status of its own. */
void outcome_fail_status(struct session *s, enum failure reason, int status, const char *text);
void outcome_signal(struct session *s, int signal);

/* The two halves, which are made next, report to this session. */
void outcome_of_halves(struct session *s, struct half_owner *owner);

/* The peer sent DONE, FAIL or BYE. */
void outcome_peer_done(struct session *s, const struct done *done);
void outcome_peer_fail(struct session *s, const struct fail *fail);
void outcome_peer_bye(struct session *s);

#endif
