/*
 * AES-256-GCM: which levels there are.
 */
#include <stddef.h>

#include "aesgcm.h"
#include "aesgcm_part.h"

const struct aead_level *const aesgcm_levels[] = {
#if defined(__x86_64__)
	&aesgcm_vaes4,
	&aesgcm_vaes2,
	&aesgcm_aesni,
#elif defined(__aarch64__)
	&aesgcm_arm,
#endif
	NULL
};

const struct aead_level *
aesgcm_best(void)
{
	const struct aead_level *const *level = aesgcm_levels;

	while (*level != NULL && !(*level)->usable())
		level++;
	return *level;
}
