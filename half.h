/*
 * half: how tx and rx, the two halves of a stream, report to their owner.
 *
 * They know nothing of a session: the maker of a half gives it the functions to call
 * when the stream moves on, ends or fails.  The halves' own threads and the legs' call
 * them, with no lock held; they may take locks but must not block otherwise.
 */
#ifndef HALF_H
#define HALF_H

#include <stdint.h>

#include "frame.h"
#include "sys/log.h"

struct half_owner {
	void *cookie;
	/* The stream made progress, or none is due. */
	void (*progress)(void *cookie);
	/* tx: the source has ended. */
	void (*ended)(void *cookie);
	/* rx: the consumer has taken everything. */
	void (*done)(void *cookie, uint64_t total, uint64_t digest);
	/* The stream has failed.  With FAIL_COMMAND the text is command_text's. */
	void (*failed)(void *cookie, enum failure reason, const char *text);
};

void half_fail(const struct half_owner *owner, enum failure reason, const char *format, ...)
    LOG_FORMAT(3, 4);
void half_fail_errno(const struct half_owner *owner, enum failure reason, const char *what,
    int error);

#endif
