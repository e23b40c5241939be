/*
 * staging: a pair of pipes in which a frame waits until its check is verified, so
 * that it is copied once, to be checked, and not again to be written.
 *
 *	socket	-splice->  front  -tee->  back  -splice->  consumer
 *			     |
 *			   read: the bytes to be checked
 *
 * The front is empty between calls.  The back holds the frame; the bytes that were
 * read are a copy of the same pages.  Pages from the network do not change, but a
 * sender on this machine could change its own: so staging is for checks against
 * accidents (CRC-32C), not for a MAC.  It needs splice and tee, and pipes that hold
 * a whole frame; elsewhere staging_open returns false, and frames are buffered.
 *
 * A struct staging belongs to one thread at a time.  No call blocks.
 */
#ifndef STAGING_H
#define STAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "crypto/digest.h"

#define STAGING_PIECE	(128u << 10)	/* most bytes in one call */
#define STAGING_MAX	(1u << 20)	/* most bytes of a frame */

struct staging {
	bool open;
	bool broken;		/* not available here, or has failed: for good */
	int front[2];		/* owned */
	int back[2];		/* owned */
	size_t held;		/* bytes in the back */
	size_t last;		/* bytes of the last staging_fill */
	size_t spilt;		/* at the end of these: what the back could not take */
	uint8_t *bytes;		/* owned: the bytes of the last staging_fill */
	struct digest digest;	/* kept by the caller: of the stream up to these bytes */
};

void staging_init(struct staging *s);
void staging_free(struct staging *s);
/* false: not available, and never will be.  May be called again. */
bool staging_open(struct staging *s);

/* No more frames: staging_open is false from now on.  What is held can still be taken. */
void staging_refuse(struct staging *s);

/*
 * Receives at most n bytes from a socket; they are at s->bytes until the next call.
 * Returns their number, 0 at end of file, or -1 with errno, EAGAIN when there are
 * none.  If s->open is false after -1, what was held is lost.  If s->spilt is not 0,
 * the back took no more, and staging_take must follow.
 */
ssize_t staging_fill(struct staging *s, int fd, size_t n);
/* Moves what is held to a pipe: the number of bytes that it took, or -1 with errno. */
ssize_t staging_pass(struct staging *s, int fd);
/* Copies out all that came and was not passed on; false: it is lost. */
bool staging_take(struct staging *s, uint8_t *to);
/* Discards all that came and was not passed on. */
void staging_drop(struct staging *s);

#endif
