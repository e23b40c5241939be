/*
 * memory: how much memory this process may use.  See memory.h.
 */
#include "sys/memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define PATH	1024	/* bytes of a file's name; a group with a longer name is skipped */

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The number in a file; UINT64_MAX if there is no file or it says "max". */
static uint64_t
number_in(const char *file)
{
	uint64_t number = UINT64_MAX;
	unsigned long long n;
	FILE *f = fopen(file, "re");

	if (f == NULL)
		return number;
	if (fscanf(f, "%llu", &n) == 1)
		number = n;
	fclose(f);
	return number;
}

/*
 * The smallest number in the files `name' of a group and of all groups above it.
 * In a container the group itself may be the root of the mount: then the last file,
 * at the mount, is the group's.
 */
static uint64_t
least_above(const char *root, const char *mount, const char *group, const char *name)
{
	uint64_t number = UINT64_MAX;
	char file[PATH];
	size_t length = strlen(group);

	for (;;) {
		while (length > 0 && group[length - 1] == '/')
			length--;
		if (snprintf(file, sizeof(file), "%s%s%.*s/%s", root, mount, (int)length, group,
		    name) < (int)sizeof(file))
			number = least(number, number_in(file));
		if (length == 0)
			return number;
		while (length > 0 && group[length - 1] != '/')
			length--;
	}
}

/* Is `name' in a list of words separated by commas? */
static bool
lists(const char *list, const char *name)
{
	size_t n = strlen(name);
	const char *p;

	for (p = list; p != NULL; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, name, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	}
	return false;
}

/* For a line of /proc/self/cgroup: NUMBER:CONTROLLERS:GROUP, CONTROLLERS empty in version 2. */
static uint64_t
of_line(const char *root, char *line)
{
	char *controllers = strchr(line, ':'), *group;
	uint64_t number = UINT64_MAX;

	if (controllers == NULL || (group = strchr(++controllers, ':')) == NULL)
		return number;
	*group++ = '\0';
	group[strcspn(group, "\n")] = '\0';
	if (lists(controllers, "memory"))
		return least_above(root, "/sys/fs/cgroup/memory", group,
		    "memory.limit_in_bytes");
	if (controllers[0] == '\0') {
		static const char *const mounts[] = {
			"/sys/fs/cgroup", "/sys/fs/cgroup/unified"
		};
		unsigned i;

		for (i = 0; i < 2; i++) {
			number = least(number, least_above(root, mounts[i], group, "memory.max"));
			number = least(number, least_above(root, mounts[i], group, "memory.high"));
		}
	}
	return number;
}

uint64_t
memory_of_groups(const char *root)
{
	uint64_t number = UINT64_MAX;
	char line[PATH];
	FILE *f;

	if (snprintf(line, sizeof(line), "%s/proc/self/cgroup", root) >= (int)sizeof(line) ||
	    (f = fopen(line, "re")) == NULL)
		return number;
	while (fgets(line, sizeof(line), f) != NULL)
		number = least(number, of_line(root, line));
	fclose(f);
	return number;
}

#ifdef _SC_PHYS_PAGES
static uint64_t
of_machine(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
}
#else
static uint64_t
of_machine(void)
{
	return UINT64_MAX;
}
#endif

/* RLIM_INFINITY is not the largest number on every system. */
static uint64_t
of_limit(int resource)
{
	struct rlimit limit;

	return getrlimit(resource, &limit) == -1 || limit.rlim_cur == RLIM_INFINITY ?
	    UINT64_MAX : (uint64_t)limit.rlim_cur;
}

uint64_t
memory_limit(void)
{
	uint64_t number = least(of_machine(), memory_of_groups(""));

#ifdef RLIMIT_AS
	number = least(number, of_limit(RLIMIT_AS));
#endif
	return least(number, of_limit(RLIMIT_DATA));
}
