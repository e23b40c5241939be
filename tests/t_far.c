/*
 * t_far: what a test's own sshd has started, and what of ssh logs in to it, from /proc.
 *
 *	t_far T LIST	processes with FAR_OF=T in their environment, and their arguments,
 *			one in a line; no zombies
 *	t_far T SERVE	the processes of the remote sides among them
 *	t_far T SSH	processes of ssh with the configuration in T
 *	t_far T OPEN	of each remote side the number of its open descriptors
 *
 * Tests ask this until the answer is the right one, which is why it is in C.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM	(256u << 10)	/* more than an environment of these tests has */

/* A file of strings, each with its end; what there is of it in *n. */
static const char *
strings(const char *pid, const char *file, char *to, size_t *n)
{
	char name[300];
	ssize_t part = -1;
	int fd;

	snprintf(name, sizeof(name), "/proc/%s/%s", pid, file);
	*n = 0;
	fd = open(name, O_RDONLY | O_CLOEXEC);
	while (fd != -1 && *n < ROOM - 1 && (part = read(fd, to + *n, ROOM - 1 - *n)) > 0)
		*n += (size_t)part;
	if (fd != -1)
		close(fd);
	to[*n] = '\0';
	return to;
}

static const char *
next(const char *s)
{
	return s + strlen(s) + 1;
}

static bool
has(const char *s, size_t n, const char *wanted)
{
	const char *end = s + n;

	while (s < end && strcmp(s, wanted) != 0)
		s = next(s);
	return s < end;
}

static bool
runs_serve(const char *pid)
{
	static char room[ROOM];
	const char *word;
	size_t n;

	word = strings(pid, "cmdline", room, &n);
	return strlen(word) < n && strcmp(next(word), "serve") == 0;
}

/* The guardian of a command has the words of its parent. */
static bool
is_guardian(const char *pid)
{
	static char room[ROOM];
	char parent[16];
	const char *after;
	int number;
	size_t n;

	strings(pid, "stat", room, &n);
	after = strrchr(room, ')');
	if (after == NULL || sscanf(after, ") %*c %d", &number) != 1)
		return false;
	snprintf(parent, sizeof(parent), "%d", number);
	return runs_serve(parent);
}

static bool
is_ssh(const char *words, size_t n, const char *config)
{
	const char *name = strrchr(words, '/');

	return strcmp(name == NULL ? words : name + 1, "ssh") == 0 && has(words, n, config);
}

static void
print_open(const char *pid)
{
	char name[300];
	struct dirent *entry;
	int count = 0;
	DIR *d;

	snprintf(name, sizeof(name), "/proc/%s/fd", pid);
	d = opendir(name);
	if (d == NULL)
		return;
	while ((entry = readdir(d)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(d);
	printf("%d\n", count);
}

static void
print_words(const char *pid, const char *words, size_t n)
{
	const char *s;

	printf("%s", pid);
	for (s = words; s < words + n; s = next(s))
		printf(" %s", s);
	printf("\n");
}

static void
look(const char *pid, const char *scratch, const char *what)
{
	static char words[ROOM], environment[ROOM];
	char mark[4096], config[4096];
	bool serves;
	size_t n, m;

	snprintf(mark, sizeof(mark), "FAR_OF=%s", scratch);
	snprintf(config, sizeof(config), "%s/ssh_config", scratch);
	strings(pid, "cmdline", words, &n);
	if (strcmp(what, "SSH") == 0) {
		if (is_ssh(words, n, config))
			print_words(pid, words, n);
		return;
	}
	strings(pid, "environ", environment, &m);
	if (!has(environment, m, mark))
		return;
	serves = runs_serve(pid) && !is_guardian(pid);
	if (strcmp(what, "LIST") == 0)
		print_words(pid, words, n);
	else if (strcmp(what, "SERVE") == 0 && serves)
		printf("%s\n", pid);
	else if (strcmp(what, "OPEN") == 0 && serves)
		print_open(pid);
}

int
main(int argc, char **argv)
{
	struct dirent *entry;
	DIR *d;

	if (argc != 3 || (d = opendir("/proc")) == NULL) {
		fprintf(stderr, "usage: t_far T LIST|SERVE|SSH|OPEN\n");
		return 2;
	}
	while ((entry = readdir(d)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			look(entry->d_name, argv[1], argv[2]);
	closedir(d);
	return 0;
}
