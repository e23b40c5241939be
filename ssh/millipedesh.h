/*
 * millipedesh: this program under ssh's name or its own, with ssh's command line.  What
 * can be carried becomes words of ours (ssh HOST run COMMAND); the rest, and what has no
 * viamillipede on the other side, is left to the real ssh with nothing changed.
 *
 * Called by the main thread before any other thread exists.  Environment:
 *
 *	MILLIPEDESH_OPTIONS	words of ours, with blanks between them
 *	MILLIPEDESH_SSH		the real ssh; by default the next in PATH that is not us
 */
#ifndef MILLIPEDESH_H
#define MILLIPEDESH_H

#include <stdbool.h>
#include <stddef.h>

#define MILLIPEDESH_WORDS	64	/* most words of ours, with the NULL */

struct millipedesh {
	char *const *argv;		/* as we were called */
	const char *host;		/* in argv; NULL = there is none */
	char ssh[1024];			/* the real one's path */
	char line[4096];		/* what a shell runs for it, without host and command */
	char *command;			/* owned */
	char *options;			/* owned: MILLIPEDESH_OPTIONS, cut into words */
	char *word[MILLIPEDESH_WORDS];	/* ours, to a NULL; from word[0], the program's name */
	int words;
};

/* Is it this program's name? */
bool millipedesh_called(const char *name);

/*
 * The words.  false: this is for the real ssh, and `why' says why in a few words, ""
 * if nobody needs to know.  -n has been obeyed.
 */
bool millipedesh_words(struct millipedesh *m, int argc, char *const argv[], const char **why);

/*
 * Becomes the real ssh.  Once a host and day it says why, unless that is "".  Returns only
 * if it cannot, with the exit status.
 */
int millipedesh_leave(struct millipedesh *m, const char *why);

#endif
