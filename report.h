/*
 * report: what happens, for programs to read: lines of JSON in a file.
 *
 * Each line is one object, pure ASCII, whatever the names of hosts contain, and
 * leaves in one write(2).  The file is opened before anything is sent; what
 * cannot be written later is counted and left out, and the transfer does not
 * notice.  A line of which only a part could be written is completed before
 * the next one.  viamillipede.1 has the fields and their units.
 *
 * Opened by the main thread; the rest is called by the monitor's thread only,
 * and by no other while that runs.  A struct report that is all zeros is one
 * that nobody wants: every call does nothing then.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "events.h"
#include "options.h"
#include "stats.h"

#define REPORT_WHY	256

struct report {
	bool wanted;
	bool standard_error;	/* written as messages are; no file then */
	int fd;			/* owned */
	char *line;		/* owned; the line that is made */
	size_t length;
	size_t size;
	bool failed;		/* no memory for this line */
	char *rest;		/* owned; what is missing of the last line */
	size_t rest_length;
	off_t rest_of;		/* octets of the whole line that it ends */
	off_t whole;		/* octets of all whole lines */
	uint64_t left_out;	/* lines */
};

/*
 * `payload' is a descriptor that the file must not be, as it carries the
 * stream.  0, or -1 with why.
 */
int report_open(struct report *r, const char *file, int payload, char why[REPORT_WHY]);

void report_start(struct report *r, const struct options *options, const char *version);
void report_interval(struct report *r, const struct stats *now, const struct stats *before);
void report_event(struct report *r, const struct event *event, bool caller, uint64_t contact_ns);
/* An outage that the end found. */
void report_outage(struct report *r, const struct stats *now);
void report_end(struct report *r, const struct stats *now, const char *reason, uint64_t missed);
void report_close(struct report *r);

/*
 * A text as a JSON string, with its quotes.  Valid UTF-8 keeps its meaning,
 * any other octet becomes U+FFFD.  Returns the length, at most 6 times that of
 * the text and 2, or 0 when there is no room for it and a NUL.
 */
size_t report_quote(const char *text, char *to, size_t size);

#endif
