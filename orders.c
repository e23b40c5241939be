/*
 * orders: the text of what is said through ssh.  See orders.h; runs in whichever
 * thread calls it.
 */
#include "orders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sha256.h"

static const char orders_head[] = "viamillipede orders 1 ";
static const char answer_any[] = "viamillipede answer ";
static const char answer_head[] = "viamillipede answer 1 ";

static const char malformed[] = "the orders are not well formed";

/* Hexadecimal */

static void
to_hex(const uint8_t *octets, size_t n, char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		text[2 * i] = digits[octets[i] >> 4];
		text[2 * i + 1] = digits[octets[i] & 15];
	}
	text[2 * n] = '\0';
}

static bool
from_hex(const char *text, uint8_t *octets, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const char *high, *low;
	size_t i;

	for (i = 0; i < n; i++) {
		if (text[2 * i] == '\0' || text[2 * i + 1] == '\0')
			return false;
		high = strchr(digits, text[2 * i]);
		low = strchr(digits, text[2 * i + 1]);
		if (high == NULL || low == NULL)
			return false;
		octets[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return text[2 * n] == '\0';
}

void
orders_token(const uint8_t octets[ORDERS_TOKEN / 2], char token[ORDERS_TOKEN + 1])
{
	to_hex(octets, ORDERS_TOKEN / 2, token);
}

/* Orders, written */

char *
orders_write(const char *token, const uint8_t key[ORDERS_KEY], const char *const *words,
    size_t n, size_t *length)
{
	char hex[2 * ORDERS_KEY + 1], *text;
	size_t size = ORDERS_LINE, i, at, put;

	for (i = 0; i < n; i++)
		size += strlen(words[i]) + 32;
	/* At once: what is enlarged leaves copies of the key behind. */
	text = malloc(size + 1);
	if (text == NULL)
		return NULL;
	to_hex(key, ORDERS_KEY, hex);
	at = (size_t)snprintf(text, size, "%s%s %s %zu\n", orders_head, token, hex, n);
	sha256_wipe(hex, sizeof(hex));
	for (i = 0; i < n; i++) {
		put = strlen(words[i]);
		at += (size_t)snprintf(text + at, size - at, "%zu\n", put);
		memcpy(text + at, words[i], put);
		text[at + put] = '\n';
		at += put + 1;
	}
	text[at] = '\0';
	*length = at;
	return text;
}

void
orders_forget(char *text, size_t length)
{
	if (text != NULL)
		sha256_wipe(text, length);
	free(text);
}

/* Orders, read */

static int
read_number(const char *text, size_t most, size_t *value)
{
	*value = 0;
	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		*value = *value * 10 + (size_t)(*text - '0');
		if (*value > most)
			return -1;
	}
	return 0;
}

/* The words of a line, each one blank after the one before. */
static size_t
split(char *line, char *word[], size_t most)
{
	size_t n = 0;
	char *blank;

	for (;;) {
		if (n == most)
			return 0;
		word[n++] = line;
		if ((blank = strchr(line, ' ')) == NULL)
			return n;
		*blank = '\0';
		line = blank + 1;
	}
}

static const char *
take_head(struct orders *o)
{
	const size_t head = sizeof(orders_head) - 1;
	uint8_t octets[ORDERS_TOKEN / 2];
	char *word[3];

	if (strncmp(o->line, orders_head, head) != 0 ||
	    split(o->line + head, word, 3) != 3 ||
	    !from_hex(word[0], octets, sizeof(octets)) ||
	    !from_hex(word[1], o->key, ORDERS_KEY) ||
	    read_number(word[2], ORDERS_WORDS, &o->count) == -1)
		return "what came on standard input is no order of this version";
	memcpy(o->token, word[0], sizeof(o->token));
	o->state = o->count > 0 ? ORDERS_LENGTH : ORDERS_COMPLETE;
	return NULL;
}

static const char *
take_length(struct orders *o)
{
	if (read_number(o->line, ORDERS_MOST, &o->length) == -1 ||
	    (o->sum += o->length) > ORDERS_MOST)
		return malformed;
	o->word[o->words] = malloc(o->length + 1);
	if (o->word[o->words] == NULL)
		return "no memory for the orders";
	o->state = ORDERS_WORD;
	return NULL;
}

static const char *
take_line(struct orders *o, char c)
{
	const char *why;

	if (c != '\n') {
		if (c == '\0' || o->have == sizeof(o->line) - 1)
			return o->state == ORDERS_HEAD ?
			    "what came on standard input is no order of this version" :
			    malformed;
		o->line[o->have++] = c;
		return NULL;
	}
	o->line[o->have] = '\0';
	o->have = 0;
	why = o->state == ORDERS_HEAD ? take_head(o) : take_length(o);
	sha256_wipe(o->line, sizeof(o->line));
	return why;
}

/* As many of its octets as are here, and its newline. */
static const char *
take_word(struct orders *o, const char *octets, size_t n, size_t *taken)
{
	char *word = o->word[o->words];
	size_t more = o->length - o->have;

	*taken = more < n ? more : n;
	memcpy(word + o->have, octets, *taken);
	o->have += *taken;
	if (*taken == n)
		return NULL;
	++*taken;
	word[o->length] = '\0';
	if (octets[more] != '\n' || strlen(word) != o->length)
		return malformed;
	o->have = 0;
	o->state = ++o->words < o->count ? ORDERS_LENGTH : ORDERS_COMPLETE;
	return NULL;
}

const char *
orders_take(struct orders *o, const char *octets, size_t n)
{
	const char *why = NULL;
	size_t taken;

	while (n > 0 && why == NULL && o->state != ORDERS_COMPLETE) {
		taken = 1;
		if (o->state == ORDERS_WORD)
			why = take_word(o, octets, n, &taken);
		else
			why = take_line(o, *octets);
		octets += taken;
		n -= taken;
	}
	return why;
}

/* The answer */

size_t
orders_answer(char text[ORDERS_ANSWER], const char *token, const char *port, const char *address)
{
	return (size_t)snprintf(text, ORDERS_ANSWER, "\n%s%.*s %.*s %.*s\n", answer_head,
	    ORDERS_TOKEN, token, ORDERS_PORT - 1, port, ORDERS_ADDRESS - 1, address);
}

static bool
is_address(const char *text)
{
	return text[0] != '\0' && strlen(text) < ORDERS_ADDRESS &&
	    text[strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    ".:%-_")] == '\0' && (text[0] != '-' || text[1] == '\0');
}

enum answer
orders_read_answer(const char *line, const char *token, char port[ORDERS_PORT],
    char address[ORDERS_ADDRESS])
{
	char copy[ORDERS_ANSWER], *word[3];
	const char *at = strstr(line, answer_any);
	size_t number;

	if (at == NULL || strstr(at, token) == NULL)
		return ANSWER_NONE;
	if (strncmp(at, answer_head, sizeof(answer_head) - 1) != 0)
		return ANSWER_OTHER;
	at += sizeof(answer_head) - 1;
	if (strlen(at) >= sizeof(copy))
		return ANSWER_BAD;
	memcpy(copy, at, strlen(at) + 1);
	if (split(copy, word, 3) != 3 || strcmp(word[0], token) != 0 ||
	    read_number(word[1], 65535, &number) == -1 || number == 0 || !is_address(word[2]))
		return ANSWER_BAD;
	snprintf(port, ORDERS_PORT, "%u", (unsigned)(number & 0xffff));
	memcpy(address, word[2], strlen(word[2]) + 1);
	return ANSWER_GOOD;
}

/* The far side's shell */

int
orders_quote(const char *text, char *to, size_t size)
{
	size_t n = 0;

	if (text[0] != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+@%,")] == '\0')
		return snprintf(to, size, "%s", text) < (int)size ? 0 : -1;
	if (size < 3)
		return -1;
	to[n++] = '\'';
	for (; *text != '\0'; text++) {
		if (n + 6 > size)
			return -1;
		if (*text == '\'') {
			memcpy(to + n, "'\\''", 4);
			n += 4;
		} else
			to[n++] = *text;
	}
	to[n++] = '\'';
	to[n] = '\0';
	return 0;
}
