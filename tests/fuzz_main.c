/*
 * Runs a fuzz target over files, without libFuzzer:
 *
 *	corpus_NAME FILE ...
 *
 * prints how many there were.  A finding aborts, so the exit status is not 0.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

#define MOST	(1u << 20)

static int
replay(const char *name)
{
	static uint8_t data[MOST];
	FILE *f = fopen(name, "rb");
	uint8_t *exact;
	size_t n;
	int error;

	if (f == NULL)
		return -1;
	n = fread(data, 1, MOST, f);
	error = ferror(f);
	fclose(f);
	/* Of its exact size, so that a sanitizer sees who reads beyond. */
	if (error != 0 || n == MOST || (exact = malloc(n > 0 ? n : 1)) == NULL)
		return -1;
	memcpy(exact, data, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 0;
}

int
main(int argc, char *argv[])
{
	int i;

	for (i = 1; i < argc; i++) {
		/* The last line before an abort says which it was. */
		printf("%s\n", argv[i]);
		fflush(stdout);
		if (replay(argv[i]) == -1) {
			fprintf(stderr, "%s: cannot read it, or it is too large\n", argv[i]);
			return 1;
		}
	}
	printf("%d inputs\n", argc - 1);
	return 0;
}
