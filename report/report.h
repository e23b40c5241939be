/*
 * report: what happens, for programs to read: lines of JSON in a file.
 *
 * Each line is one object in pure ASCII, whatever the names of hosts contain, and
 * is written with one write(2).  The file is opened before anything is sent.  A line
 * that cannot be written later is counted and left out; the transfer is not
 * affected.  A line that could be written only in part is completed before the next
 * one.  viamillipede.1 describes the fields and their units.
 *
 * The main thread calls report_open and report_start; after that only the monitor's
 * thread calls.  On a struct report that is all zeros (no report is wanted) every
 * call does nothing.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "options.h"
#include "report/events.h"
#include "report/stats.h"

#define REPORT_WHY	256

struct report {
	bool wanted;
	bool standard_error;	/* written like messages; there is no file */
	int fd;			/* owned */
	char *line;		/* owned; the line under construction */
	size_t length;
	size_t size;
	bool failed;		/* no memory for this line */
	char *rest;		/* owned; the part of the last line not written yet */
	size_t rest_length;
	off_t rest_of;		/* length of that whole line */
	off_t whole;		/* length of all complete lines */
	uint64_t left_out;	/* lines that could not be written */
};

/*
 * `payload' is the descriptor that carries the stream; the report must be another
 * file.  0, or -1 and a reason in why.
 */
int report_open(struct report *r, const char *file, int payload, char why[REPORT_WHY]);

void report_start(struct report *r, const struct options *options, const char *version);
void report_interval(struct report *r, const struct stats *now, const struct stats *before);
void report_event(struct report *r, const struct event *event, bool caller, uint64_t contact_ns);
/* An outage that lasted until the end. */
void report_outage(struct report *r, const struct stats *now);
void report_end(struct report *r, const struct stats *now, const char *reason, uint64_t missed);
void report_close(struct report *r);

/*
 * Writes a text as a JSON string, with its quotes and a NUL.  Valid UTF-8 keeps its
 * meaning, any other byte becomes U+FFFD.  Returns the length, at most 6 times that
 * of the text plus 2, or 0 when there is not enough room.
 */
size_t report_quote(const char *text, char *to, size_t size);

#endif
