/*
 * bootstrap: the text that is exchanged through ssh.  See bootstrap.h; runs in
 * whichever thread calls it.
 */
#include "ssh/bootstrap.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "crypto/sha256.h"

static const char bootstrap_head[] = "viamillipede orders 2 ";
static const char answer_any[] = "viamillipede answer ";
static const char answer_head[] = "viamillipede answer 2 ";

static const char malformed[] = "the orders are malformed";

/* Hexadecimal */

static void
to_hex(const uint8_t *bytes, size_t n, char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * n] = '\0';
}

static bool
from_hex(const char *text, uint8_t *bytes, size_t n)
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
		bytes[i] = (uint8_t)((high - digits) << 4 | (low - digits));
	}
	return text[2 * n] == '\0';
}

void
bootstrap_token(const uint8_t bytes[BOOTSTRAP_TOKEN / 2], char token[BOOTSTRAP_TOKEN + 1])
{
	to_hex(bytes, BOOTSTRAP_TOKEN / 2, token);
}

/* Orders, written */

char *
bootstrap_write(const char *token, const uint8_t key[BOOTSTRAP_KEY], const char *const *words,
    size_t n, size_t *length)
{
	char hex[2 * BOOTSTRAP_KEY + 1], *text;
	size_t size = BOOTSTRAP_LINE, i, at, put;

	for (i = 0; i < n; i++)
		size += strlen(words[i]) + 32;
	/* Allocated once: realloc could leave copies of the key behind. */
	text = malloc(size + 1);
	if (text == NULL)
		return NULL;
	to_hex(key, BOOTSTRAP_KEY, hex);
	at = (size_t)snprintf(text, size, "%s%s %s %zu\n", bootstrap_head, token, hex, n);
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
bootstrap_forget(char *text, size_t length)
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

/* Splits a line at single blanks; returns the number of words, 0 if more than `most'. */
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
take_head(struct bootstrap *o)
{
	const size_t head = sizeof(bootstrap_head) - 1;
	uint8_t bytes[BOOTSTRAP_TOKEN / 2];
	char *word[3];

	if (strncmp(o->line, bootstrap_head, head) != 0 ||
	    split(o->line + head, word, 3) != 3 ||
	    !from_hex(word[0], bytes, sizeof(bytes)) ||
	    !from_hex(word[1], o->key, BOOTSTRAP_KEY) ||
	    read_number(word[2], BOOTSTRAP_WORDS, &o->count) == -1)
		return "standard input has no orders of this version";
	memcpy(o->token, word[0], sizeof(o->token));
	o->state = o->count > 0 ? BOOTSTRAP_LENGTH : BOOTSTRAP_COMPLETE;
	return NULL;
}

static const char *
take_length(struct bootstrap *o)
{
	if (read_number(o->line, BOOTSTRAP_MAX, &o->length) == -1 ||
	    (o->sum += o->length) > BOOTSTRAP_MAX)
		return malformed;
	o->word[o->words] = malloc(o->length + 1);
	if (o->word[o->words] == NULL)
		return "no memory for the orders";
	o->state = BOOTSTRAP_WORD;
	return NULL;
}

static const char *
take_line(struct bootstrap *o, char c)
{
	const char *why;

	if (c != '\n') {
		if (c == '\0' || o->have == sizeof(o->line) - 1)
			return o->state == BOOTSTRAP_HEAD ?
			    "standard input has no orders of this version" :
			    malformed;
		o->line[o->have++] = c;
		return NULL;
	}
	o->line[o->have] = '\0';
	o->have = 0;
	why = o->state == BOOTSTRAP_HEAD ? take_head(o) : take_length(o);
	sha256_wipe(o->line, sizeof(o->line));
	return why;
}

/* Takes as many bytes of a word as there are, and the newline that follows it. */
static const char *
take_word(struct bootstrap *o, const char *bytes, size_t n, size_t *taken)
{
	char *word = o->word[o->words];
	size_t more = o->length - o->have;

	*taken = more < n ? more : n;
	memcpy(word + o->have, bytes, *taken);
	o->have += *taken;
	if (*taken == n)
		return NULL;
	++*taken;
	word[o->length] = '\0';
	if (bytes[more] != '\n' || strlen(word) != o->length)
		return malformed;
	o->have = 0;
	o->state = ++o->words < o->count ? BOOTSTRAP_LENGTH : BOOTSTRAP_COMPLETE;
	return NULL;
}

const char *
bootstrap_take(struct bootstrap *o, const char *bytes, size_t n, size_t *all)
{
	const char *why = NULL;
	size_t taken;

	*all = 0;
	while (n > 0 && why == NULL && o->state != BOOTSTRAP_COMPLETE) {
		taken = 1;
		if (o->state == BOOTSTRAP_WORD)
			why = take_word(o, bytes, n, &taken);
		else
			why = take_line(o, *bytes);
		bytes += taken;
		n -= taken;
		*all += taken;
	}
	return why;
}

/* The answer */

size_t
bootstrap_answer(char text[BOOTSTRAP_ANSWER], const char *token, const char *port,
    const char *address)
{
	return (size_t)snprintf(text, BOOTSTRAP_ANSWER, "\n%s%.*s %.*s %.*s\n", answer_head,
	    BOOTSTRAP_TOKEN, token, BOOTSTRAP_PORT - 1, port, BOOTSTRAP_ADDRESS - 1, address);
}

/* Numeric only: a name from the remote side must not be looked up. */
static bool
is_address(const char *text)
{
	char number[BOOTSTRAP_ADDRESS];
	size_t n = strcspn(text, "%");
	uint8_t binary[16];

	if (strcmp(text, "-") == 0)
		return true;
	if (strlen(text) >= BOOTSTRAP_ADDRESS || text[n + strspn(text + n, "%0123456789"
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_")] != '\0')
		return false;
	memcpy(number, text, n);
	number[n] = '\0';
	return inet_pton(AF_INET6, number, binary) == 1 ||
	    (text[n] == '\0' && inet_pton(AF_INET, number, binary) == 1);
}

bool
bootstrap_loopback(const char *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }, none[15];
	uint8_t b[16];

	if (inet_pton(AF_INET, address, b) == 1)
		return b[0] == 127 || b[0] == 0;
	if (inet_pton(AF_INET6, address, b) != 1)
		return false;
	if (memcmp(b, mapped, sizeof(mapped)) == 0)
		return b[12] == 127 || b[12] == 0;
	/* These include :: and ::1. */
	return memcmp(b, none, sizeof(none)) == 0;
}

enum answer
bootstrap_read_answer(const char *line, const char *token, char port[BOOTSTRAP_PORT],
    char address[BOOTSTRAP_ADDRESS])
{
	char copy[BOOTSTRAP_ANSWER], *word[3];
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
	snprintf(port, BOOTSTRAP_PORT, "%u", (unsigned)(number & 0xffff));
	memcpy(address, word[2], strlen(word[2]) + 1);
	return ANSWER_GOOD;
}

/* The remote side's shell */

int
bootstrap_quote(const char *text, char *to, size_t size)
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
