/*
 * tally: what is counted, for people to read: the table that a signal asks
 * for, and the summary at the end.
 *
 * Pure functions over struct stats; any thread.  Text is cut where there is no
 * room for it, a table only between lines.
 */
#ifndef TALLY_H
#define TALLY_H

#include <stddef.h>

#include "options.h"
#include "stats.h"

#define TALLY_TABLE	32768	/* enough for every leg */
#define TALLY_SUMMARY	640

/* Rates are those between the two looks.  Returns the length; ends in a newline. */
size_t tally_table(const struct stats *now, const struct stats *before,
    const struct options *options, char *text, size_t size);

/* One line without a newline, after there was a verdict. */
void tally_summary(const struct stats *now, char *text, size_t size);

#endif
