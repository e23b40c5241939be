/*
 * orders: what the two sides say to each other through ssh before there is a
 * session: the text of it, and nothing else.
 *
 * The near side gives orders on the far side's standard input: a key for this
 * session alone and the words of a command line.  They are text and octets:
 *	viamillipede orders 1 TOKEN KEY N	a line; 32 and 64 hexadecimal digits
 *	LENGTH					N times: a line, then so many octets
 *	OCTETS					and a newline
 * The answer is one line on its standard output:
 *	viamillipede answer 1 TOKEN PORT ADDRESS	ADDRESS is - if it is not known
 * Whatever else comes before it (a banner, a login script's noise) is passed over;
 * the far side says a newline first, for noise that does not end in one.
 *
 * Pure functions over text; they block for nothing but memory.
 */
#ifndef ORDERS_H
#define ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORDERS_KEY	32		/* octets */
#define ORDERS_TOKEN	32		/* hexadecimal digits */
#define ORDERS_MOST	(1u << 20)	/* octets of all words */
#define ORDERS_WORDS	256
#define ORDERS_LINE	256
#define ORDERS_PORT	6		/* room for a port and its NUL */
#define ORDERS_ADDRESS	64
#define ORDERS_ANSWER	192		/* room for an answer and its NUL */

enum orders_state { ORDERS_HEAD, ORDERS_LENGTH, ORDERS_WORD, ORDERS_COMPLETE };

/* As far as they have come.  All zero at first. */
struct orders {
	enum orders_state state;
	char line[ORDERS_LINE];		/* unfinished */
	size_t have;			/* of the line or the word */
	size_t length;			/* of the word, and of all of them */
	size_t sum;
	size_t words;			/* complete, of so many */
	size_t count;
	char token[ORDERS_TOKEN + 1];
	uint8_t key[ORDERS_KEY];
	char *word[ORDERS_WORDS + 1];	/* to free, or to keep */
};

/* A token of so many random octets. */
void orders_token(const uint8_t octets[ORDERS_TOKEN / 2], char token[ORDERS_TOKEN + 1]);

/* The orders' text, to be freed with orders_forget; NULL with errno. */
char *orders_write(const char *token, const uint8_t key[ORDERS_KEY], const char *const *words,
    size_t n, size_t *length);
/* The key was in it. */
void orders_forget(char *text, size_t length);

/* What has come of them; NULL, or why these are none.  What follows them is not looked at. */
const char *orders_take(struct orders *o, const char *octets, size_t n);

/* Its length. */
size_t orders_answer(char text[ORDERS_ANSWER], const char *token, const char *port,
    const char *address);

enum answer {
	ANSWER_NONE,		/* something else */
	ANSWER_GOOD,
	ANSWER_BAD,		/* to this token, but not what an answer should be */
	ANSWER_OTHER		/* of another version */
};

/* What a line is, without its newline. */
enum answer orders_read_answer(const char *line, const char *token, char port[ORDERS_PORT],
    char address[ORDERS_ADDRESS]);

/*
 * One word for whatever shell a user has: nothing in it means anything.  0, or -1
 * if it does not fit.
 */
int orders_quote(const char *text, char *to, size_t size);

#endif
