/*
 * memory: how much memory this process may use.
 *
 * Any thread may call.  The calls read a few small files of the system and keep
 * nothing.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdint.h>

/*
 * In bytes: the smallest of the machine's memory, the limits of this process's
 * control groups (Linux, both versions) and its own limits of address space and
 * data.  UINT64_MAX if none is known.
 */
uint64_t memory_limit(void);

/* The limit of the control groups alone, from the files below `root', "" for the system's. */
uint64_t memory_of_groups(const char *root);

#endif
