/*
 * CRC-32C (Castagnoli polynomial, as in iSCSI and SCTP): the check on frame
 * headers and payloads.  It finds line noise, not forgery.
 *
 * The check of no bytes is 0, and pieces chain:
 * crc32c(crc32c(0, a), b) is the check of a followed by b.
 *
 * Any thread, at any time, with no call before the first; never blocks for
 * longer than the tables' first filling, and cannot fail.
 */
#ifndef CRC32C_H
#define CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* By the processor's own instruction where it has one. */
uint32_t	 crc32c(uint32_t crc, const void *p, size_t n);

/* The same function by tables, on any machine; exported for comparison. */
uint32_t	 crc32c_portable(uint32_t crc, const void *p, size_t n);

/* Which way crc32c works here, for reports; a constant string. */
const char	*crc32c_method(void);

#endif
