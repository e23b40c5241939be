/*
 * Memory for keys: zero, writable as a whole, and, where the system says so in
 * /proc/self/smaps, locked, left out of core dumps and wiped in children.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "crypto/secret.h"

/* What smaps says of the mapping that begins at p, or false. */
static bool
flags_of(const void *p, char *flags, size_t room)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	char line[512], begin[32];
	bool there = false;

	if (file == NULL)
		return false;
	snprintf(begin, sizeof(begin), "%lx-", (unsigned long)(uintptr_t)p);
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strchr(line, '-') != NULL && strchr(line, ':') != NULL &&
		    strncmp(line, "VmFlags", 7) != 0)
			there = strncmp(line, begin, strlen(begin)) == 0;
		if (there && strncmp(line, "VmFlags:", 8) == 0) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(flags, room, "%.200s ", line + 8);
			fclose(file);
			return true;
		}
	}
	fclose(file);
	return false;
}

/*
 * Whether smaps tells of a page what was done with it here: not where the kernel
 * is emulated, nor of a lock where a sanitizer makes nothing of it.
 */
static bool
tells(const char *flag)
{
	char flags[256];
	void *p = mmap(NULL, 1, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool told;

	CHECK(p != MAP_FAILED);
	(void)mlock(p, 1);
#ifdef MADV_DONTDUMP
	CHECK(madvise(p, 1, MADV_DONTDUMP) == 0);
#endif
	told = flags_of(p, flags, sizeof(flags)) && strstr(flags, flag) != NULL;
	munmap(p, 1);
	return told;
}

static void
test_flags(void)
{
	char flags[256];
	void *p;

	if (!tells(" dd ")) {
		printf("the system does not tell: part skipped\n");
		return;
	}
	p = secret_new(1);
	CHECK(p != NULL && flags_of(p, flags, sizeof(flags)));
	printf("flags:%s\n", flags);
	if (tells(" lo "))
		CHECK(strstr(flags, " lo ") != NULL);
	CHECK(strstr(flags, " dd ") != NULL);
#ifdef MADV_WIPEONFORK
	CHECK(strstr(flags, " wf ") != NULL);
#endif
	secret_free(p, 1);
	/* The page may be another's by now, but not one of ours. */
	CHECK(!flags_of(p, flags, sizeof(flags)) ||
	    strstr(flags, " lo ") == NULL);
}

static void
test_memory(void)
{
	static const size_t sizes[] = { 1, 4096, 4097, 100000 };
	uint8_t *p;
	size_t i, j;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		p = secret_new(sizes[i]);
		CHECK(p != NULL && (uintptr_t)p % 64 == 0);
		for (j = 0; j < sizes[i]; j++)
			CHECK(p[j] == 0);
		memset(p, 0xff, sizes[i]);
		secret_free(p, sizes[i]);
	}
	CHECK(secret_new(0) == NULL);
	CHECK(secret_new(SIZE_MAX) == NULL);
	secret_free(NULL, 1);
}

/* What may not be locked is there all the same. */
static void
test_limit(void)
{
	struct rlimit none = { 0, 0 };
	uint8_t *p;

	CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	p = secret_new(10000);
	CHECK(p != NULL);
	p[9999] = 1;
	secret_free(p, 10000);
}

#ifdef MADV_WIPEONFORK
static void
test_fork(void)
{
	uint8_t *p = secret_new(100);
	int status;
	pid_t child;

	CHECK(p != NULL);
	memset(p, 0xff, 100);
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		_exit(p[0] == 0 && p[99] == 0 ? 0 : 1);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(p[0] == 0xff && p[99] == 0xff);
	secret_free(p, 100);
}
#endif

int
main(void)
{
	test_flags();
	test_memory();
#ifdef MADV_WIPEONFORK
	if (tells(" dd "))
		test_fork();
#endif
	test_limit();
	return check_done();
}
