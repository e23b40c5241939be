/*
 * What the fuzz targets share: the bytes of an input, taken one after the
 * other, and MUST, which ends the process at the first condition that does not
 * hold.  An input that is used up gives zeros for ever.
 *
 * A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput.  Linked with
 * libFuzzer it is build/fuzz_NAME (`make fuzz`); linked with fuzz_main.c it is
 * build/corpus_NAME, which replays what tests/corpus/NAME keeps (`make test`).
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(cond) do {							\
	if (!(cond)) {							\
		fprintf(stderr, "%s:%d: not true: %s\n", __FILE__,	\
		    __LINE__, #cond);					\
		abort();						\
	}								\
} while (0)

/* For functions that return NULL, or what is wrong. */
#define MUST_FIND_NOTHING(call) do {					\
	const char *found_ = (call);					\
	if (found_ != NULL) {						\
		fprintf(stderr, "%s:%d: %s: %s\n", __FILE__,		\
		    __LINE__, #call, found_);				\
		abort();						\
	}								\
} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
	const uint8_t *data;
	size_t size;
};

static inline bool
fuzz_more(const struct fuzz_input *in)
{
	return in->size > 0;
}

static inline uint8_t
fuzz_byte(struct fuzz_input *in)
{
	if (in->size == 0)
		return 0;
	in->size--;
	return *in->data++;
}

/* n bytes of it, padded with zeros. */
static inline void
fuzz_take(struct fuzz_input *in, uint8_t *to, size_t n)
{
	size_t have = n < in->size ? n : in->size;

	if (have > 0)
		memcpy(to, in->data, have);
	memset(to + have, 0, n - have);
	in->data += have;
	in->size -= have;
}

static inline uint64_t
fuzz_number(struct fuzz_input *in, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | fuzz_byte(in);
	return v;
}

#endif
