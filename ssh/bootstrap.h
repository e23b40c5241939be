/*
 * bootstrap: the text that the two sides exchange through ssh before there is a
 * session.
 *
 * The local side writes the orders to the remote side's standard input: a key for
 * this session alone and the words of a command line:
 *	viamillipede orders 2 TOKEN KEY N	a line; 32 and 64 hexadecimal digits
 *	LENGTH					N times: a line, then LENGTH bytes
 *	BYTES					and a newline
 * The remote side writes the answer, one line, to its standard output:
 *	viamillipede answer 2 TOKEN PORT ADDRESS	numeric, or - if not known
 * The local side skips whatever comes before it (a banner, the output of a login
 * script); the remote side writes a newline first, in case that does not end in one.
 *
 * Pure functions over text; no call blocks.
 */
#ifndef BOOTSTRAP_H
#define BOOTSTRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOTSTRAP_KEY	32		/* bytes */
#define BOOTSTRAP_TOKEN	32		/* hexadecimal digits */
#define BOOTSTRAP_MAX	(1u << 20)	/* bytes of all words */
#define BOOTSTRAP_WORDS	256
#define BOOTSTRAP_LINE	256
#define BOOTSTRAP_PORT	6		/* room for a port and its NUL */
#define BOOTSTRAP_ADDRESS	64
#define BOOTSTRAP_ANSWER	192	/* room for an answer and its NUL */

enum bootstrap_state { BOOTSTRAP_HEAD, BOOTSTRAP_LENGTH, BOOTSTRAP_WORD, BOOTSTRAP_COMPLETE };

/* The orders as far as they have been received.  All zeros at first. */
struct bootstrap {
	enum bootstrap_state state;
	char line[BOOTSTRAP_LINE];	/* the incomplete line */
	size_t have;			/* bytes of the line or the word */
	size_t length;			/* of the word */
	size_t sum;			/* of the lengths of all words */
	size_t words;			/* complete words */
	size_t count;			/* words that are announced */
	char token[BOOTSTRAP_TOKEN + 1];
	uint8_t key[BOOTSTRAP_KEY];
	char *word[BOOTSTRAP_WORDS + 1];	/* to free, or to keep */
};

/* Makes a token from random bytes. */
void bootstrap_token(const uint8_t bytes[BOOTSTRAP_TOKEN / 2], char token[BOOTSTRAP_TOKEN + 1]);

/* The text of the orders, which the caller frees with bootstrap_forget; NULL with errno. */
char *bootstrap_write(const char *token, const uint8_t key[BOOTSTRAP_KEY], const char *const *words,
    size_t n, size_t *length);
/* Wipes and frees the text, as it contains the key. */
void bootstrap_forget(char *text, size_t length);

/*
 * Takes the next n bytes received, or *taken of them if the orders end there.  NULL, or
 * what is wrong.
 */
const char *bootstrap_take(struct bootstrap *o, const char *bytes, size_t n, size_t *taken);

/* Makes the text of the answer and returns its length. */
size_t bootstrap_answer(char text[BOOTSTRAP_ANSWER], const char *token, const char *port,
    const char *address);

enum answer {
	ANSWER_NONE,		/* something else */
	ANSWER_GOOD,
	ANSWER_BAD,		/* an answer to this token, but malformed */
	ANSWER_OTHER		/* of another version */
};

/* What kind of line this is, given without its newline; port and address if ANSWER_GOOD. */
enum answer bootstrap_read_answer(const char *line, const char *token, char port[BOOTSTRAP_PORT],
    char address[BOOTSTRAP_ADDRESS]);

/* A numeric address by which every host means itself. */
bool bootstrap_loopback(const char *address);

/*
 * Quotes a text as one word for any shell, without special characters.  0, or -1 if
 * it does not fit.
 */
int bootstrap_quote(const char *text, char *to, size_t size);

#endif
