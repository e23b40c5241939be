/*
 * die: the last words of the process.  See die.h; runs in whichever thread calls
 * it.
 */
#include "sys/die.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
tell_plain(const char *why)
{
	char line[160];
	int n = snprintf(line, sizeof(line), "viamillipede: %.140s\n", why);

	if (n > 0)
		(void)!write(STDERR_FILENO, line, (size_t)n);
}

static void (*tell)(const char *why) = tell_plain;	/* [I] once threads run */

void
die_by(void (*teller)(const char *why))
{
	tell = teller;
}

void
die_on(int error, const char *call)
{
	char why[120];

	if (error == 0)
		return;
	(void)snprintf(why, sizeof(why), "%s: %s", call, strerror(error));
	tell(why);
	_exit(1);
}
