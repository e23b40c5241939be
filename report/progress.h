/*
 * progress: the line on a terminal that shows the progress of the transfer.
 *
 * progress_make is a pure function; the others use the terminal on standard
 * error, and only the monitor's thread calls them (progress_open: the main thread,
 * before that).
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/stats.h"
#include "sys/log.h"

#define PROGRESS_WIDEST	160	/* columns */

struct progress {
	bool wanted;
	bool terminal;		/* standard error was one at the start */
	bool plain;		/* no colours */
	bool escapes;		/* the terminal understands ECMA-48 */
	size_t shown;		/* columns of the last line */
};

/* `forced': show the line even if standard error is no terminal. */
void progress_open(struct progress *p, bool forced, bool quiet);
/* What the line shows. */
struct progress_view {
	const struct stats *now;
	const struct stats *before;
	bool size_given;	/* with percentage, bar and time left */
	uint64_t size;		/* then the length of the stream */
};

/* Draws the line again; does nothing while this process is in the background. */
void progress_draw(struct progress *p, const struct progress_view *v);
/* Removes the line; with `keep' leaves its last state, as no summary follows. */
void progress_close(struct progress *p, bool keep);

/*
 * Makes the line in at most `columns' columns, with as many parts as fit, the more
 * important ones first.  Returns the columns used.  `colours' adds sequences that take
 * no columns.
 */
size_t progress_make(const struct progress_view *v, size_t columns, bool colours,
    char text[LOG_SHOW_SIZE]);

#endif
