/*
 * t_wait: waits until a file is as a test wants it; status 0 when it is, 1 if it is not
 * within so long.
 *
 *	t_wait SECONDS exists FILE
 *	t_wait SECONDS has FILE BYTES		or more
 *	t_wait SECONDS says FILE REGEXP END	a line, as grep -i finds it; 1 also, soon,
 *						when END exists and FILE has no such line
 *
 * It looks every few milliseconds, and is in C because a shell that does so has to start
 * two processes each time.  Of what FILE says it reads only what is new.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MS	1000000L
#define ROOM	(1u << 16)	/* more than a line has */

static off_t read_to;		/* all before was read, and does not say it */
static off_t size_seen = -1;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool
exists(const char *file)
{
	struct stat s;

	return stat(file, &s) == 0;
}

static bool
has(const char *file, off_t bytes)
{
	struct stat s;

	return stat(file, &s) == 0 && s.st_size >= bytes;
}

/* From read_to, which goes to the begin of the last line that may go on. */
static bool
read_on(int fd, const regex_t *wanted)
{
	static char text[ROOM + 1];
	ssize_t n;
	char *last;
	size_t i;

	while ((n = pread(fd, text, ROOM, read_to)) > 0) {
		for (i = 0; i < (size_t)n; i++)
			if (text[i] == '\0')
				text[i] = ' ';
		text[n] = '\0';
		/* What ends in the middle of a line matches only what is there of it. */
		last = (size_t)n == ROOM ? strrchr(text, '\n') : NULL;
		if (last != NULL)
			*last = '\0';
		if (regexec(wanted, text, 0, NULL, 0) == 0)
			return true;
		if (last == NULL)
			last = strrchr(text, '\n');
		if (last == NULL && (size_t)n < ROOM)
			return false;
		read_to += last == NULL ? n : last + 1 - text;
		if ((size_t)n < ROOM)
			return false;
	}
	return false;
}

static bool
says(const char *file, const regex_t *wanted)
{
	struct stat s;
	bool found = false;
	int fd;

	if (stat(file, &s) == -1 || s.st_size == size_seen)
		return false;
	if (s.st_size < read_to)
		read_to = 0;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return false;
	size_seen = s.st_size;
	found = read_on(fd, wanted);
	close(fd);
	return found;
}

static int
usage(void)
{
	fprintf(stderr, "usage: t_wait SECONDS exists FILE | has FILE BYTES | "
	    "says FILE REGEXP END\n");
	return 2;
}

int
main(int argc, char **argv)
{
	struct timespec often = { 0, 2 * MS };
	double began = now(), until;
	char how = 'x';
	regex_t wanted;
	bool gone;

	if (argc == 4 && strcmp(argv[2], "exists") == 0)
		how = 'e';
	else if (argc == 5 && strcmp(argv[2], "has") == 0)
		how = 'h';
	else if (argc == 6 && strcmp(argv[2], "says") == 0 &&
	    regcomp(&wanted, argv[4], REG_ICASE | REG_NOSUB | REG_NEWLINE) == 0)
		how = 's';
	else
		return usage();
	until = began + atof(argv[1]);
	for (;;) {
		gone = how == 's' && exists(argv[5]);	/* before what it said last is read */
		if (how == 'e' ? exists(argv[3]) : how == 'h' ? has(argv[3], atoll(argv[4])) :
		    says(argv[3], &wanted))
			return 0;
		if (gone || now() >= until)
			return 1;
		nanosleep(&often, NULL);
		if (now() - began > 0.1)
			often.tv_nsec = 10 * MS;
	}
}
