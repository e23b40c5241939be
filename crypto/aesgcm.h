/*
 * AES-256-GCM (NIST SP 800-38D, FIPS 197), only where the processor has
 * instructions for it: the levels of aead.h.  AES in plain C would tell of its
 * key by the time that its tables take, and is not here.
 */
#ifndef AESGCM_H
#define AESGCM_H

#include "aead.h"

/* The best first, NULL after the last; there may be none at all. */
extern const struct aead_level *const aesgcm_levels[];

/* The best that is usable here, or NULL. */
const struct aead_level	*aesgcm_best(void);

#endif
