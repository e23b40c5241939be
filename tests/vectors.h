/*
 * Reads the files of tests/vectors: cases apart by empty lines, each of lines
 * "name = value", values mostly hexadecimal, # before comments.
 *
 *	vectors_open(argv[0], "rfc5869.txt");
 *	while (vectors_next())
 *		n = vectors_bytes("key", key, sizeof(key));
 *
 * A file that is not there, a name that is missing or a value too long fails
 * the test.  One file at a time.
 */
#ifndef VECTORS_H
#define VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

#define VECTORS_LINES	32	/* of a case */
#define VECTORS_LINE	16384

struct vector_line {
	char	 text[VECTORS_LINE];
	char	*value;
};

static FILE *vectors_file;
static struct vector_line vectors_line[VECTORS_LINES];
static size_t vectors_lines;

/* The program lies in a directory beside tests. */
static inline void
vectors_open(const char *program, const char *name)
{
	const char *slash = strrchr(program, '/');
	char path[4096];

	snprintf(path, sizeof(path), "%.*s/../tests/vectors/%s",
	    slash == NULL ? 1 : (int)(slash - program),
	    slash == NULL ? "." : program, name);
	vectors_file = fopen(path, "r");
	if (vectors_file == NULL)
		fprintf(stderr, "no %s\n", path);
	CHECK(vectors_file != NULL);
}

static inline bool
vectors_next(void)
{
	struct vector_line *line;

	vectors_lines = 0;
	for (;;) {
		CHECK(vectors_lines < VECTORS_LINES);
		line = &vectors_line[vectors_lines];
		if (fgets(line->text, sizeof(line->text), vectors_file) == NULL)
			break;
		CHECK(strchr(line->text, '\n') != NULL);
		line->text[strcspn(line->text, "\n")] = '\0';
		if (line->text[0] == '\0' && vectors_lines > 0)
			return true;
		if (line->text[0] == '\0' || line->text[0] == '#')
			continue;
		line->value = strstr(line->text, " =");
		CHECK(line->value != NULL);
		*line->value = '\0';
		line->value += line->value[2] == ' ' ? 3 : 2;
		vectors_lines++;
	}
	if (vectors_lines == 0)
		fclose(vectors_file);
	return vectors_lines > 0;
}

/* The nth of that name, from 0 on, or NULL. */
static inline const char *
vectors_nth(const char *name, size_t nth)
{
	size_t i;

	for (i = 0; i < vectors_lines; i++)
		if (strcmp(vectors_line[i].text, name) == 0 && nth-- == 0)
			return vectors_line[i].value;
	return NULL;
}

static inline const char *
vectors_text(const char *name)
{
	const char *text = vectors_nth(name, 0);

	if (text == NULL)
		fprintf(stderr, "no value: %s\n", name);
	CHECK(text != NULL);
	return text;
}

static inline size_t
vectors_decode(const char *hex, uint8_t *out, size_t room)
{
	size_t i, n = strlen(hex) / 2;
	unsigned int v;

	CHECK(strlen(hex) % 2 == 0 && n <= room);
	for (i = 0; i < n; i++) {
		CHECK(sscanf(hex + 2 * i, "%2x", &v) == 1);
		out[i] = (uint8_t)v;
	}
	return n;
}

static inline size_t
vectors_bytes(const char *name, uint8_t *out, size_t room)
{
	return vectors_decode(vectors_text(name), out, room);
}

#endif
