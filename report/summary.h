/*
 * summary: the counters for people to read: the table that a signal asks for, and
 * the line at the end.
 *
 * Pure functions over struct stats; any thread may call.  What does not fit into the
 * caller's text is left out.
 */
#ifndef SUMMARY_H
#define SUMMARY_H

#include <stddef.h>

#include "options.h"
#include "report/stats.h"

#define SUMMARY_TABLE	32768	/* enough for every leg */
#define SUMMARY_LINE	640

/* Rates are between the two snapshots.  Returns the length; ends in a newline. */
size_t summary_table(const struct stats *now, const struct stats *before,
    const struct options *options, char *text, size_t size);

/* One line without a newline, for a session that has its outcome. */
void summary_line(const struct stats *now, char *text, size_t size);

#endif
