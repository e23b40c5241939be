/*
 * A place for keys: memory that is not swapped out, not written to core dumps,
 * and empty in children, each as far as the system allows it, and wiped when
 * given back.
 *
 * Secrets on the stack are wiped by who put them there (sha256_wipe).
 */
#ifndef SECRET_H
#define SECRET_H

#include <stddef.h>

/*
 * n zero bytes, which begin at a page, or NULL with errno.  The caller gives
 * them back with secret_free, with the same n.  From any thread.
 */
void	*secret_new(size_t n);
void	 secret_free(void *p, size_t n);

/*
 * Says that what an attacker may learn by time is told here on purpose: whether
 * a tag was right, not by how much.  tests/constant-time.c marks secrets as
 * undefined and these values as defined again; otherwise this is nothing.
 */
#ifdef CONSTANT_TIME_TEST
void	secret_told(const void *p, size_t n);
#define SECRET_TOLD(p, n)	secret_told(p, n)
#else
#define SECRET_TOLD(p, n)	((void)(p), (void)(n))
#endif

#endif
