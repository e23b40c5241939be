/*
 * entropy: random bytes from the system, for ids and nonces.  Any thread;
 * blocks only while the system has none yet, early after it was started.
 */
#ifndef ENTROPY_H
#define ENTROPY_H

#include <stddef.h>

/* 0, or -1 with errno when the system gives none. */
int entropy_fill(void *to, size_t n);

#endif
