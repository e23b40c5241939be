/*
 * sluice: two pipes in which a frame waits for its check, so that it need not
 * be copied twice, to be looked at and to be written.
 *
 *	socket	-splice->  front  -tee->  back  -splice->  consumer
 *			     |
 *			   read: the octets to be checked
 *
 * The front is empty between calls.  The back holds the frame; what was read
 * is a copy of the same pages.  Nobody writes to what came from the network, but
 * a sender on this machine could: so this is for checks against accidents, not
 * for what must withstand somebody.  Only on systems that have splice and tee,
 * and pipes that hold as much as a frame; elsewhere sluice_open says no, and
 * frames are buffered.
 *
 * A sluice belongs to one thread at a time.  Nothing here blocks.
 */
#ifndef SLUICE_H
#define SLUICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "digest.h"

#define SLUICE_PIECE	(128u << 10)	/* octets, at most, in one call */
#define SLUICE_MOST	(1u << 20)	/* octets of a frame, at most */

struct sluice {
	bool open;
	bool broken;		/* cannot be had here, or has failed: for good */
	int front[2];		/* owned */
	int back[2];		/* owned */
	size_t held;		/* octets in the back */
	size_t last;		/* octets of the last call */
	size_t spilt;		/* of these, the last, which the back could not take */
	uint8_t *octets;	/* owned: what came with the last call */
	struct digest digest;	/* of the stream to the end of what came */
};

void sluice_init(struct sluice *s);
void sluice_free(struct sluice *s);
/* false where there is none; asked again it answers the same. */
bool sluice_open(struct sluice *s);

/*
 * At most n octets from a socket; they are at s->octets until the next call.
 * 0 at its end, or -1 with errno: EAGAIN when nothing is there.  When s->spilt
 * is not 0, the back is full and sluice_take must follow.
 */
ssize_t sluice_fill(struct sluice *s, int fd, size_t n);
/* Moves what is held to a pipe: octets that it took, or -1 with errno. */
ssize_t sluice_pass(struct sluice *s, int fd);
/* Takes back all of a frame that came and was not passed on; false: it is lost. */
bool sluice_take(struct sluice *s, uint8_t *to);
/* All of that is forgotten. */
void sluice_drop(struct sluice *s);

#endif
