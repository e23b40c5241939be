/*
 * progress: the line on a terminal that tells how far it is.
 *
 * progress_make is a pure function; the others know the terminal that standard
 * error is, and are called by the monitor's thread.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log.h"
#include "stats.h"

#define PROGRESS_WIDEST	160	/* columns */

struct progress {
	bool wanted;
	bool terminal;		/* standard error was one at the start */
	bool plain;		/* no colours */
	bool escapes;		/* the terminal understands ECMA-48 */
	size_t shown;		/* columns of the last line */
};

/* `forced': also where there is no terminal. */
void progress_open(struct progress *p, bool forced, bool quiet);
/* Draw it anew; nothing while others have the terminal. */
void progress_draw(struct progress *p, const struct stats *now, const struct stats *before,
    bool size_given, uint64_t size);
/* Take it away; or leave the last state of it, when nothing else will tell. */
void progress_close(struct progress *p, bool keep);

/*
 * The line in at most so many columns, as many parts of it as fit, the more
 * important first; size_given: with share, bar and time left.  Returns the
 * columns used.  `colours' adds sequences that take no columns.
 */
size_t progress_make(const struct stats *now, const struct stats *before, bool size_given,
    uint64_t size, size_t columns, bool colours, char text[LOG_SHOW_SIZE]);

#endif
