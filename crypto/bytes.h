/*
 * Integers from and to bytes, in either order, wherever they lie.  Written so
 * that compilers make one load or store of each where that is right.
 */
#ifndef BYTES_H
#define BYTES_H

#include <stdint.h>

static inline uint32_t
load_le32(const uint8_t *s)
{
	return (uint32_t)s[0] | (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16 |
	    (uint32_t)s[3] << 24;
}

static inline uint64_t
load_le64(const uint8_t *s)
{
	return (uint64_t)s[0] | (uint64_t)s[1] << 8 | (uint64_t)s[2] << 16 |
	    (uint64_t)s[3] << 24 | (uint64_t)s[4] << 32 |
	    (uint64_t)s[5] << 40 | (uint64_t)s[6] << 48 | (uint64_t)s[7] << 56;
}

static inline void
store_le32(uint8_t *s, uint32_t v)
{
	s[0] = (uint8_t)v;
	s[1] = (uint8_t)(v >> 8);
	s[2] = (uint8_t)(v >> 16);
	s[3] = (uint8_t)(v >> 24);
}

static inline void
store_le64(uint8_t *s, uint64_t v)
{
	store_le32(s, (uint32_t)v);
	store_le32(s + 4, (uint32_t)(v >> 32));
}

static inline void
store_be32(uint8_t *s, uint32_t v)
{
	s[0] = (uint8_t)(v >> 24);
	s[1] = (uint8_t)(v >> 16);
	s[2] = (uint8_t)(v >> 8);
	s[3] = (uint8_t)v;
}

static inline void
store_be64(uint8_t *s, uint64_t v)
{
	store_be32(s, (uint32_t)(v >> 32));
	store_be32(s + 4, (uint32_t)v);
}

#endif
