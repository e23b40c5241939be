/*
 * Whole pages for each caller: few and small, so that what the kernel is told
 * of them concerns nothing else.  A lock that the limit (RLIMIT_MEMLOCK) does
 * not allow is done without; the same with advice that a system does not know.
 */
#include <sys/mman.h>

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include "sha256.h"
#include "secret.h"

static size_t
whole_pages(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n + page - 1) / page * page;
}

void *
secret_new(size_t n)
{
	size_t length = whole_pages(n);
	void *p;

	if (n == 0 || length < n) {
		errno = ENOMEM;
		return NULL;
	}
	p = mmap(NULL, length, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	(void)mlock(p, length);
#ifdef MADV_DONTDUMP
	(void)madvise(p, length, MADV_DONTDUMP);
#elif defined(MADV_NOCORE)
	(void)madvise(p, length, MADV_NOCORE);
#endif
#ifdef MADV_WIPEONFORK
	(void)madvise(p, length, MADV_WIPEONFORK);
#endif
	return p;
}

void
secret_free(void *p, size_t n)
{
	if (p == NULL)
		return;
	sha256_wipe(p, n);
	(void)munmap(p, whole_pages(n));
}
