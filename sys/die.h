/*
 * die: the end of the process where nothing can go on, for what can only fail
 * through a bug of ours or a system out of its senses.  Any thread may call; no
 * lock is taken, and no exit handler runs.
 */
#ifndef DIE_H
#define DIE_H

/* Unless error is 0, say which call failed and why, and end with status 1. */
void die_on(int error, const char *call);

/*
 * Who says it, instead of a line to standard error: `teller' may take no lock.
 * By the main thread, before others start.
 */
void die_by(void (*teller)(const char *why));

#endif
