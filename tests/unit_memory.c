/*
 * The least of all limits of memory, as files in a directory of ours tell of
 * control groups, and as the system tells of this process.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../sys/memory.h"
#include "check.h"

#define MIB	(UINT64_C(1) << 20)

static char root[256];

/* With the directories above it. */
static void
file(const char *name, const char *text)
{
	char path[1024], *p;
	FILE *f;

	snprintf(path, sizeof(path), "%s%s", root, name);
	for (p = path + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	f = fopen(path, "w");
	CHECK(f != NULL);
	if (f == NULL)
		exit(1);
	fputs(text, f);
	fclose(f);
}

static void
empty(void)
{
	char command[512];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	CHECK(system(command) == 0);
	CHECK(mkdir(root, 0700) == 0);
}

static void
version_2(void)
{
	empty();
	CHECK(memory_of_groups(root) == UINT64_MAX);
	file("/proc/self/cgroup", "0::/a/b/c\n");
	CHECK(memory_of_groups(root) == UINT64_MAX);
	file("/sys/fs/cgroup/a/b/c/memory.max", "max\n");
	file("/sys/fs/cgroup/a/b/memory.max", "max\n");
	CHECK(memory_of_groups(root) == UINT64_MAX);
	/* Of a group above. */
	file("/sys/fs/cgroup/a/memory.max", "134217728\n");
	CHECK(memory_of_groups(root) == 128 * MIB);
	file("/sys/fs/cgroup/a/b/c/memory.max", "268435456\n");
	CHECK(memory_of_groups(root) == 128 * MIB);
	file("/sys/fs/cgroup/a/b/c/memory.high", "67108864\n");
	CHECK(memory_of_groups(root) == 64 * MIB);
	/* Not of a brother. */
	file("/sys/fs/cgroup/a/x/memory.max", "1048576\n");
	CHECK(memory_of_groups(root) == 64 * MIB);
}

/* What is mounted is the container's own group. */
static void
containers(void)
{
	empty();
	file("/proc/self/cgroup", "0::/\n");
	file("/sys/fs/cgroup/memory.max", "33554432\n");
	CHECK(memory_of_groups(root) == 32 * MIB);
	empty();
	file("/proc/self/cgroup", "9:name=systemd:/docker/0f\n4:memory:/docker/0f\n0::/\n");
	file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "50331648\n");
	CHECK(memory_of_groups(root) == 48 * MIB);
}

static void
version_1(void)
{
	empty();
	file("/proc/self/cgroup",
	    "9:name=systemd:/\n5:cpu,cpuacct:/a\n4:hugetlb,memory:/a/b\n0::/\n");
	file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	CHECK(memory_of_groups(root) > UINT64_C(1) << 60);
	file("/sys/fs/cgroup/memory/a/memory.limit_in_bytes", "134217728\n");
	file("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "67108864\n");
	CHECK(memory_of_groups(root) == 64 * MIB);
	file("/sys/fs/cgroup/unified/memory.max", "16777216\n");
	CHECK(memory_of_groups(root) == 16 * MIB);
	/* What is no line, no number or no memory is passed over. */
	file("/proc/self/cgroup", "\n:\nx\n4:memory\n4:memoryless,xmemory:/a/b\n::");
	file("/sys/fs/cgroup/unified/memory.max", "many\n");
	CHECK(memory_of_groups(root) == UINT64_MAX);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_ALLOCATOR	1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR	1
#endif

static void
limits(void)
{
#ifndef OWN_ALLOCATOR
	struct rlimit before, limit;
#endif
	uint64_t all = memory_limit();

	CHECK(all > 0);
#if defined(RLIMIT_AS) && !defined(OWN_ALLOCATOR)
	CHECK(getrlimit(RLIMIT_AS, &before) == 0);
	limit = before;
	limit.rlim_cur = 3u << 30;
	if (all > limit.rlim_cur && setrlimit(RLIMIT_AS, &limit) == 0) {
		CHECK(memory_limit() == limit.rlim_cur);
		CHECK(setrlimit(RLIMIT_AS, &before) == 0);
		CHECK(memory_limit() == all);
	}
#endif
	/* A sanitizer has mapped far more than this. */
#ifndef OWN_ALLOCATOR
	CHECK(getrlimit(RLIMIT_DATA, &before) == 0);
	limit = before;
	limit.rlim_cur = 256u << 20;
	CHECK(setrlimit(RLIMIT_DATA, &limit) == 0);
	CHECK(memory_limit() <= 256 * MIB);
	CHECK(setrlimit(RLIMIT_DATA, &before) == 0);
#endif
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(root, sizeof(root), "%s/unit_memory.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(root) == NULL) {
		perror(root);
		return 1;
	}
	version_2();
	containers();
	version_1();
	limits();
	empty();
	CHECK(rmdir(root) == 0);
	return check_done();
}
