/*
 * The command line. words[] below is all there is to know about a word; a new
 * one is a new row, with a parser of those that exist if one fits. Runs in the
 * main thread, before any other exists.
 *
 * Words may come in any order, so two passes are made: the first finds out
 * which words there are, and with them whether this is tx or rx; the second
 * takes their arguments.
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <sys/socket.h>

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "options.h"

/* Who a word is for: each side may be the one that calls. */
#define TX_CALLS	1u
#define RX_LISTENS	2u
#define TX_LISTENS	4u
#define RX_CALLS	8u
#define TX		(TX_CALLS | TX_LISTENS)
#define RX		(RX_LISTENS | RX_CALLS)
#define CALLS		(TX_CALLS | RX_CALLS)
#define LISTENS		(RX_LISTENS | TX_LISTENS)
#define BOTH		(TX | RX)
#define SSH		16u	/* who starts the other side through ssh */
#define SERVE		32u	/* what ssh starts */

#define LOOPBACK	"127.0.0.1"
#define PATIENCE	60	/* seconds that a far side waits at least */

#define NAME_WIDTH	22	/* of the usage text's left column */
#define LINE_WIDTH	79

#define FIELD(name)	.field = offsetof(struct options, name)

struct parse;

struct word {
	const char *word;
	const char *also;	/* another spelling */
	const char *arguments;	/* one name for each, "" = none */
	unsigned who;		/* for whom, see above */
	bool repeats;		/* may be given more than once */
	bool rest;		/* everything after it is its argument; but not with ssh */
	bool near;		/* with ssh, not for the far side */
	int (*take)(struct parse *p, const struct word *w,
	    char *const *arguments);
	size_t field;		/* where in struct options, for some parsers */
	const char *range;	/* for numbers, LOWEST-HIGHEST: limits, too */
	const char *initial;	/* the default, an argument that take takes */
	const char *otherwise;	/* or what holds without the word, in words */
	const char *help;
};

static int	take_path(struct parse *, const struct word *, char *const *);
static int	take_from(struct parse *, const struct word *, char *const *);
static int	take_port(struct parse *, const struct word *, char *const *);
static int	take_count(struct parse *, const struct word *, char *const *);
static int	take_size(struct parse *, const struct word *, char *const *);
static int	take_seconds(struct parse *, const struct word *,
		    char *const *);
static int	take_flag(struct parse *, const struct word *, char *const *);
static int	take_text(struct parse *, const struct word *, char *const *);
static int	take_address(struct parse *, const struct word *,
		    char *const *);
static int	take_phrase(struct parse *, const struct word *, char *const *);
static int	take_file(struct parse *, const struct word *, char *const *);
static int	take_command(struct parse *, const struct word *,
		    char *const *);
static int	take_login(struct parse *, const struct word *, char *const *);
static int	take_way(struct parse *, const struct word *, char *const *);
static int	take_ports(struct parse *, const struct word *, char *const *);
static int	take_line(struct parse *, const struct word *, char *const *);

/* A word that differs between the two sides has a row for each. */
static const struct word words[] = {
	{ .word = "tx", .arguments = "HOST PORT", .who = TX_CALLS, .repeats = true,
	  .take = take_path, .range = "1-65535",
	  .help = "send standard input to the receiver at this name or address; "
	    "given up to 64 times: several paths, the preferred one first" },
	{ .word = "rx", .arguments = "PORT", .who = RX_LISTENS,
	  .take = take_port, .range = "0-65535",
	  .help = "receive on this port and write to standard output; "
	    "FIRST-LAST = the first that is free, 0 = any free port, which is "
	    "told" },
	{ .word = "offer", .arguments = "PORT", .who = TX_LISTENS,
	  .take = take_port, .range = "0-65535",
	  .help = "send standard input to the receiver that fetches it from "
	    "this port; FIRST-LAST or 0 as with rx" },
	{ .word = "fetch", .arguments = "HOST PORT", .who = RX_CALLS, .repeats = true,
	  .take = take_path, .range = "1-65535",
	  .help = "receive what is offered at this name or address and write "
	    "to standard output; given up to 64 times, as tx" },

	{ .word = "ssh", .arguments = "[USER@]HOST", .who = SSH, .take = take_login,
	  .help = "start the other side there through ssh: with exec COMMAND, "
	    "send standard input to that command; with source COMMAND, fetch "
	    "what that command writes; here COMMAND is one argument" },
	{ .word = "serve", .arguments = "", .who = SERVE,
	  .help = "what ssh starts there: orders come on standard input" },

	{ .word = "path", .arguments = "ADDRESS", .who = SSH, .repeats = true,
	  .take = take_way, .otherwise = "none but the host's own",
	  .help = "one more address of the host, before its own; up to 62, the "
	    "preferred one first" },
	{ .word = "ports", .arguments = "FIRST-LAST", .who = SSH,
	  .take = take_ports, FIELD(ports), .initial = "0",
	  .range = "0-65535",
	  .help = "ports to listen on there, the first that is free; 0 = any" },
	{ .word = "tunnel", .arguments = "", .who = SSH, .take = take_flag,
	  FIELD(tunnel), .otherwise = "only when the port cannot be reached",
	  .help = "carry the legs through ssh, too: nothing else crosses the "
	    "network" },
	{ .word = "remote", .arguments = "PATH", .who = SSH, .take = take_line,
	  FIELD(remote), .initial = "viamillipede",
	  .help = "where this program is on the other side" },
	{ .word = "sshcommand", .arguments = "LINE", .who = SSH,
	  .take = take_line, FIELD(ssh), .initial = "ssh",
	  .help = "what to run instead of ssh, by the shell; its own arguments "
	    "are added" },

	{ .word = "from", .arguments = "ADDRESS", .who = CALLS, .repeats = true,
	  .take = take_from, .otherwise = "the system's choice",
	  .help = "after a tx, fetch or path: source address or interface of "
	    "that path" },
	{ .word = "threads", .arguments = "N", .who = CALLS,
	  .take = take_count, FIELD(threads), .range = "1-64", .initial = "16",
	  .help = "most legs (connections) at once" },
	{ .word = "wait", .arguments = "SECONDS", .who = CALLS,
	  .take = take_seconds, FIELD(wait_ms), .range = "0-31536000",
	  .initial = "60",
	  .help = "give up when nobody was reached for so long; 0 = never" },

	{ .word = "bind", .arguments = "ADDRESS", .who = LISTENS,
	  .take = take_address, FIELD(bind), .otherwise = "all, IPv4 and IPv6",
	  .help = "address to listen on" },
	{ .word = "wait", .arguments = "SECONDS", .who = LISTENS,
	  .take = take_seconds, FIELD(wait_ms), .range = "0-31536000",
	  .initial = "0",
	  .help = "give up when nobody has come for so long; 0 = never" },

	{ .word = "checksum", .also = "checksums", .arguments = "", .who = TX,
	  .take = take_flag, FIELD(checksum), .otherwise = "off",
	  .help = "check each frame with CRC-32C and the stream with a digest" },
	{ .word = "frame", .arguments = "SIZE", .who = TX,
	  .take = take_size, FIELD(frame_bytes), .range = "4K-16M",
	  .otherwise = "chosen by the program",
	  .help = "largest payload of a frame, at most a quarter of the window" },
	{ .word = "congestion", .arguments = "NAME", .who = TX,
	  .take = take_text, FIELD(congestion),
	  .otherwise = "the system's choice",
	  .help = "TCP congestion control of the legs" },

	{ .word = "source", .arguments = "COMMAND ...", .who = TX, .rest = true,
	  .take = take_command, .otherwise = "standard input is sent",
	  .help = "to the end of the line: send what this command writes, and "
	    "succeed only if it does; run by the shell if it is one argument" },

	{ .word = "exec", .arguments = "COMMAND ...", .who = RX, .rest = true,
	  .take = take_command, .otherwise = "standard output is written to",
	  .help = "to the end of the line: the stream is the input of this "
	    "command, and nothing succeeds unless it does; run by the shell if "
	    "it is one argument" },

	{ .word = "checkphrase", .arguments = "WORD", .who = BOTH,
	  .take = take_phrase, .range = "exactly 4", .initial = OPTIONS_PHRASE,
	  .help = "characters that both sides must share: a guard against the "
	    "wrong receiver, not a secret" },
	{ .word = "key", .arguments = "FILE", .who = BOTH,
	  .take = take_file, FIELD(key), .otherwise = "none",
	  .help = "both sides prove that they have what is in this file, 32 "
	    "bytes or more, and every frame carries a MAC; hides nothing" },
	{ .word = "window", .arguments = "SIZE", .who = BOTH,
	  .take = take_size, FIELD(window_bytes), .range = "1M-64G",
	  .initial = "64M",
	  .help = "most bytes unconfirmed or out of order; the smaller of both "
	    "sides' holds" },
	{ .word = "timeout", .arguments = "SECONDS", .who = BOTH,
	  .take = take_seconds, FIELD(timeout_ms), .range = "0-31536000",
	  .initial = "604800",
	  .help = "in a session, give up after so long without progress; "
	    "0 = never; the smaller of both sides' holds" },
	{ .word = "heartbeat", .arguments = "SECONDS", .who = BOTH,
	  .take = take_seconds, FIELD(heartbeat_ms), .range = "3-300",
	  .initial = "5",
	  .help = "a leg without progress for so long is dead" },
	{ .word = "verbose", .arguments = "N", .who = BOTH,
	  .take = take_count, FIELD(verbose), .range = "0-20", .initial = "1",
	  .help = "what is told on standard error: 0 errors, 1 losses, 2 start "
	    "and end, 3-9 decisions, 10-20 frames" },
	{ .word = "progress", .arguments = "", .who = BOTH,
	  .near = true,
	  .take = take_flag, FIELD(progress),
	  .otherwise = "where standard error is a terminal",
	  .help = "show a line with bytes, rate and time, rewritten each second" },
	{ .word = "quiet", .arguments = "", .who = BOTH,
	  .near = true,
	  .take = take_flag, FIELD(quiet), .otherwise = "off",
	  .help = "no progress and no summary because of a terminal" },
	{ .word = "size", .arguments = "BYTES", .who = BOTH,
	  .near = true,
	  .take = take_size, FIELD(size_bytes), .range = "0-8388607T",
	  .otherwise = "unknown",
	  .help = "how long the stream will be, so that progress can tell the "
	    "share and the time left" },
	{ .word = "report", .arguments = "FILE", .who = BOTH,
	  .near = true,
	  .take = take_file, FIELD(report), .otherwise = "off",
	  .help = "write statistics there, an object of JSON in each line; "
	    "- = standard error" },
	{ .word = "interval", .arguments = "SECONDS", .who = BOTH,
	  .near = true,
	  .take = take_seconds, FIELD(interval_ms), .range = "1-86400",
	  .initial = "1",
	  .help = "how often the report tells how far it is" },
	{ .word = "chaos", .arguments = "WHAT", .who = BOTH,
	  .near = true,
	  .take = take_text, FIELD(chaos), .otherwise = "off",
	  .help = "break things on purpose, for tests: N or "
	    "N:KIND[,KIND...][:SEED], after every N frames of a leg" },
};

#define NWORDS	(sizeof(words) / sizeof(words[0]))

static const char *const statuses[] = {
	[EXIT_DELIVERED] = "every byte was written and closed at the far end",
	[EXIT_FAILED] = "the transfer failed",
	[EXIT_USAGE] = "the command line is wrong",
	[EXIT_REFUSED] = "refused by the peer",
	[EXIT_UNREACHED] = "no contact within wait, or no leg for timeout",
	[EXIT_UNCONFIRMED] = "all data delivered, but never confirmed",
	[EXIT_COMMAND] = "the command at either end did not succeed",
};

#define NSTATUSES	(sizeof(statuses) / sizeof(statuses[0]))

struct parse {
	struct options *o;
	char *why;
	size_t why_size;
	bool given[NWORDS];
	unsigned who;		/* we are; 0 = not known yet */
	unsigned far;		/* with ssh, the other side is; otherwise 0 */
	char *script;		/* with ssh, its command */
};

static int	fail(struct parse *p, const char *format, ...)
		    __attribute__((format(printf, 2, 3)));

static int
fail(struct parse *p, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(p->why, p->why_size, format, arguments);
	va_end(arguments);
	return -1;
}

/* Values are quoted by this: enough of them to be recognised. */
#define QUOTED	"\"%.80s\""

static const char *
side_of(unsigned who)
{
	return (who & SSH) != 0 ? "ssh" : who == SERVE ? "serve" :
	    who == TX_CALLS ? "tx" : who == RX_LISTENS ? "rx" :
	    who == TX_LISTENS ? "offer" : who == RX_CALLS ? "fetch" :
	    who == TX ? "tx and offer" : who == RX ? "rx and fetch" :
	    who == CALLS ? "tx and fetch" : "rx and offer";
}

/* How many arguments a word takes of so many that are left; or at least wants. */
static int
count_arguments(const struct parse *p, const struct word *w, int left)
{
	int n = w->arguments[0] != '\0';

	if (w->rest && p->far == 0)
		return left > 0 ? left : 1;
	if (w->rest)
		return 1;
	for (const char *s = w->arguments; *s != '\0'; s++)
		n += *s == ' ';
	return n;
}

/* The row of a word as it is for these sides; otherwise any row of it. */
static const struct word *
find_word(const char *text, unsigned who)
{
	const struct word *found = NULL;

	for (size_t i = 0; i < NWORDS; i++) {
		const struct word *w = &words[i];

		if (strcmp(text, w->word) != 0 &&
		    (w->also == NULL || strcmp(text, w->also) != 0))
			continue;
		if (w->who & who)
			return w;
		found = w;
	}
	return found;
}

/*
 * Decimal digits, and one of the suffixes if there are any; nothing else, not
 * even a sign or a space. What is too large for the type becomes the largest
 * value, which no range includes. False: not a number at all.
 */
static bool
read_number(const char *text, size_t length, const char *suffixes,
    uint64_t *value)
{
	static const char powers[] = "kKMGT";
	static const unsigned shifts[] = { 10, 10, 20, 30, 40 };
	const char *power;
	unsigned shift;

	*value = 0;
	if (length > 1 && strchr(suffixes, text[length - 1]) != NULL &&
	    (power = strchr(powers, text[length - 1])) != NULL) {
		shift = shifts[power - powers];
		length--;
	} else
		shift = 0;
	if (length == 0)
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned digit = (unsigned)(text[i] - '0');

		if (text[i] < '0' || text[i] > '9')
			return false;
		if (*value > (UINT64_MAX - digit) / 10)
			*value = UINT64_MAX;
		else
			*value = *value * 10 + digit;
	}
	*value = *value > UINT64_MAX >> shift ? UINT64_MAX : *value << shift;
	return true;
}

#define PLAIN		""
#define SUFFIXES	"kKMGT"

static void
read_range(const char *range, uint64_t *low, uint64_t *high)
{
	const char *dash = strchr(range, '-');
	bool good;

	assert(dash != NULL);
	good = read_number(range, (size_t)(dash - range), SUFFIXES, low) &&
	    read_number(dash + 1, strlen(dash + 1), SUFFIXES, high);
	assert(good && *low < *high && *high < UINT64_MAX);
	(void)good;
}

/* what: the word, or the word and the one of its arguments. */
static int
take_number(struct parse *p, const struct word *w, const char *what,
    const char *text, const char *suffixes, uint64_t *value)
{
	uint64_t low, high;

	read_range(w->range, &low, &high);
	if (!read_number(text, strlen(text), suffixes, value))
		return fail(p, "%s " QUOTED " is not %s; legal: %s", what, text,
		    suffixes[0] != '\0' ? "a size like 512K or 64M" :
		    "a plain decimal number", w->range);
	if (*value < low || *value > high)
		return fail(p, "%s " QUOTED " is out of range; legal: %s", what,
		    text, w->range);
	return 0;
}

static void *
field_of(struct parse *p, const struct word *w)
{
	return (char *)p->o + w->field;
}

/* Into an unsigned, or an int, which has the same place for small numbers. */
static int
take_count(struct parse *p, const struct word *w, char *const *arguments)
{
	uint64_t value;

	if (take_number(p, w, w->word, arguments[0], PLAIN, &value) == -1)
		return -1;
	*(unsigned *)field_of(p, w) = (unsigned)value;
	return 0;
}

static int
take_size(struct parse *p, const struct word *w, char *const *arguments)
{
	return take_number(p, w, w->word, arguments[0], SUFFIXES,
	    field_of(p, w));
}

static int
take_seconds(struct parse *p, const struct word *w, char *const *arguments)
{
	uint64_t value;

	if (take_number(p, w, w->word, arguments[0], PLAIN, &value) == -1)
		return -1;
	*(uint64_t *)field_of(p, w) = value * 1000;
	return 0;
}

static int
take_flag(struct parse *p, const struct word *w, char *const *arguments)
{
	(void)arguments;
	*(bool *)field_of(p, w) = true;
	return 0;
}

/* Names of all kinds: something, visible, and not longer than its field. */
static int
copy_text(struct parse *p, const char *what, const char *text, size_t length,
    char field[OPTIONS_TEXT_SIZE])
{
	if (length == 0)
		return fail(p, "%s \"\" is empty; legal: 1 to %d characters",
		    what, OPTIONS_TEXT_SIZE - 1);
	if (length >= OPTIONS_TEXT_SIZE)
		return fail(p, "%s \"%.40s...\" is too long; legal: 1 to %d "
		    "characters", what, text, OPTIONS_TEXT_SIZE - 1);
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == '\177')
			return fail(p, "%s " QUOTED " has spaces or control "
			    "characters in it; legal: none", what, text);
	memcpy(field, text, length);
	field[length] = '\0';
	return 0;
}

static int
take_text(struct parse *p, const struct word *w, char *const *arguments)
{
	return copy_text(p, w->word, arguments[0], strlen(arguments[0]),
	    field_of(p, w));
}

/* An IPv6 address, with or without the interface that it is valid on. */
static bool
is_ipv6(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr binary;
	size_t length = strcspn(text, "%");

	if (length >= sizeof(address) ||
	    (text[length] == '%' && text[length + 1] == '\0'))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	return inet_pton(AF_INET6, address, &binary) == 1;
}

/*
 * A name or an address. Nothing is resolved, but what cannot be either is
 * better refused now than looked up for as long as `wait` allows: above all
 * HOST:PORT in one word, and options in the manner of other programs.
 */
static int
copy_host(struct parse *p, const char *what, const char *text,
    char field[OPTIONS_TEXT_SIZE])
{
	size_t length = strlen(text);
	bool brackets = length > 0 && text[0] == '[';

	if (brackets && (length < 2 || text[length - 1] != ']'))
		return fail(p, "%s " QUOTED " has no closing bracket; legal: a "
		    "name, an IPv4 or an IPv6 address", what, text);
	if (copy_text(p, what, text + brackets, length - 2 * brackets,
	    field) == -1)
		return -1;
	if ((brackets || strchr(field, ':') != NULL) && !is_ipv6(field))
		return fail(p, "%s " QUOTED " is not an IPv6 address; legal: a "
		    "name, an IPv4 or an IPv6 address", what, text);
	if (field[0] == '-' || strpbrk(field, "[]/") != NULL)
		return fail(p, "%s " QUOTED " is not a host; legal: a name, an "
		    "IPv4 or an IPv6 address", what, text);
	return 0;
}

static int
take_number_of(struct parse *p, const struct word *w, const char *text,
    uint64_t *value)
{
	char what[32];

	(void)snprintf(what, sizeof(what), "%s: port", w->word);
	return take_number(p, w, what, text, PLAIN, value);
}

static int
copy_port(struct parse *p, const struct word *w, const char *text,
    char field[6])
{
	uint64_t value;

	if (take_number_of(p, w, text, &value) == -1)
		return -1;
	(void)snprintf(field, 6, "%u", (unsigned)value & 0xffffu);
	return 0;
}

/* One, or FIRST-LAST. */
static int
copy_ports(struct parse *p, const struct word *w, const char *text,
    char field[OPTIONS_PORTS_SIZE])
{
	const char *dash = strchr(text, '-');
	uint64_t first, last;
	char begin[6];

	if (dash == NULL || dash == text)
		return copy_port(p, w, text, field);
	if (dash - text < (ptrdiff_t)sizeof(begin)) {
		memcpy(begin, text, (size_t)(dash - text));
		begin[dash - text] = '\0';
		if (take_number_of(p, w, begin, &first) == -1 ||
		    take_number_of(p, w, dash + 1, &last) == -1)
			return -1;
		if (first > 0 && first <= last) {
			(void)snprintf(field, OPTIONS_PORTS_SIZE, "%u-%u",
			    (unsigned)first & 0xffffu, (unsigned)last & 0xffffu);
			return 0;
		}
	}
	return fail(p, "%s: ports " QUOTED " are no range; legal: FIRST-LAST, "
	    "1-65535", w->word, text);
}

static int
take_address(struct parse *p, const struct word *w, char *const *arguments)
{
	return copy_host(p, w->word, arguments[0], field_of(p, w));
}

static int
take_path(struct parse *p, const struct word *w, char *const *arguments)
{
	struct options *o = p->o;
	struct options_path *path;
	char what[32];

	if (o->npaths == OPTIONS_PATHS_MAX)
		return fail(p, "%s " QUOTED " is one path too many; legal: "
		    "1-%d of them", w->word, arguments[0], OPTIONS_PATHS_MAX);
	path = &o->paths[o->npaths++];
	(void)snprintf(what, sizeof(what), "%s: host", w->word);
	if (copy_host(p, what, arguments[0], path->host) == -1)
		return -1;
	return copy_port(p, w, arguments[1], path->port);
}

static int
take_from(struct parse *p, const struct word *w, char *const *arguments)
{
	struct options_path *path;

	if (p->o->npaths == 0)
		return fail(p, "from " QUOTED " stands before any path; legal: "
		    "after the HOST PORT that it is for", arguments[0]);
	path = &p->o->paths[p->o->npaths - 1];
	if (path->from[0] != '\0')
		return fail(p, "from " QUOTED " is the second for %s %.80s %s; "
		    "legal: one for each %s", arguments[0],
		    p->o->mode == OPTIONS_TX ? "tx" : "fetch", path->host,
		    path->port, p->o->mode == OPTIONS_TX ? "tx" : "fetch");
	return copy_host(p, w->word, arguments[0], path->from);
}

static int
take_port(struct parse *p, const struct word *w, char *const *arguments)
{
	return copy_ports(p, w, arguments[0], p->o->port);
}

static int
take_phrase(struct parse *p, const struct word *w, char *const *arguments)
{
	const char *text = arguments[0];
	size_t length = strlen(text);
	bool good = length == sizeof(p->o->phrase);

	for (size_t i = 0; good && i < length; i++)
		good = text[i] >= ' ' && text[i] <= '~';
	if (!good)
		return fail(p, "%s " QUOTED " is not legal; legal: %s printable "
		    "characters (ASCII)", w->word, text, w->range);
	memcpy(p->o->phrase, text, sizeof(p->o->phrase));
	return 0;
}

/* A file's name may hold anything. */
static int
take_file(struct parse *p, const struct word *w, char *const *arguments)
{
	size_t length = strlen(arguments[0]);

	if (length == 0 || length >= OPTIONS_FILE_SIZE)
		return fail(p, "%s \"%.40s%s\" is %s; legal: 1 to %d "
		    "characters", w->word, arguments[0], length > 40 ? "..." :
		    "", length == 0 ? "empty" : "too long",
		    OPTIONS_FILE_SIZE - 1);
	memcpy(field_of(p, w), arguments[0], length + 1);
	return 0;
}

static int
take_ports(struct parse *p, const struct word *w, char *const *arguments)
{
	return copy_ports(p, w, arguments[0], field_of(p, w));
}

/*
 * Where ssh logs in to. What begins with a dash would be taken for an option, by
 * it or by what it starts in turn.
 */
static int
take_login(struct parse *p, const struct word *w, char *const *arguments)
{
	const char *text = arguments[0], *at = strrchr(text, '@');

	if (copy_text(p, w->word, text, strlen(text), p->o->ssh_host) == -1)
		return -1;
	if (text[0] == '-' || (at != NULL && (at == text || at[1] == '\0' || at[1] == '-')))
		return fail(p, "%s " QUOTED " is not a host; legal: HOST or "
		    "USER@HOST", w->word, text);
	return 0;
}

/* Its port is not known yet. */
static int
take_way(struct parse *p, const struct word *w, char *const *arguments)
{
	struct options *o = p->o;

	if (o->npaths == OPTIONS_PATHS_MAX - 2)
		return fail(p, "%s " QUOTED " is one path too many; legal: "
		    "1-%d of them", w->word, arguments[0], OPTIONS_PATHS_MAX - 2);
	return copy_host(p, w->word, arguments[0], o->paths[o->npaths++].host);
}

/* For a shell, or a file's name: one line of whatever. */
static int
take_line(struct parse *p, const struct word *w, char *const *arguments)
{
	const char *text = arguments[0];
	size_t length = strlen(text);
	bool good = text[strspn(text, " ")] != '\0' && length < OPTIONS_TEXT_SIZE;

	for (size_t i = 0; good && i < length; i++)
		good = (unsigned char)text[i] >= ' ' && text[i] != '\177';
	if (!good)
		return fail(p, "%s " QUOTED " is not legal; legal: a line of 1 "
		    "to %d characters", w->word, text, OPTIONS_TEXT_SIZE - 1);
	memcpy(field_of(p, w), text, length + 1);
	return 0;
}

/*
 * The rest of the line, which options_parse has as its caller had it. What the
 * shell would run as nothing is a mistake, most often a variable that is unset.
 */
static int
take_command(struct parse *p, const struct word *w, char *const *arguments)
{
	const char *first = arguments[0];
	bool script = p->far != 0 || arguments[1] == NULL;

	if (first[script ? strspn(first, " \t\n") : 0] == '\0')
		return fail(p, "%s " QUOTED " is empty; legal: a command for the "
		    "shell, or a program and its arguments", w->word, first);
	if (p->far != 0)
		p->script = arguments[0];
	else
		p->o->command = arguments;
	return 0;
}

/* A word says who we are; with ssh, which command there is says it later. */
static void
recognise(struct parse *p, const struct word *w)
{
	if (p->who == 0 && w->who == SSH && w->take == take_login)
		p->who = p->far = SSH;
	else if (p->who == 0 && (w->take == take_path || w->take == take_port))
		p->who = w->who;
	else if ((p->who & SSH) != 0 && w->take == take_command) {
		p->who |= (w->who & RX) != 0 ? TX_CALLS : RX_CALLS;
		p->far |= (w->who & RX) != 0 ? RX_LISTENS : TX_LISTENS;
	}
}

static bool
asks(struct parse *p, const char *text)
{
	if (strcmp(text, "-h") == 0 || strcmp(text, "--help") == 0)
		p->o->mode = OPTIONS_HELP;
	else if (strcmp(text, "-V") == 0 || strcmp(text, "--version") == 0)
		p->o->mode = OPTIONS_VERSION;
	else
		return false;
	return true;
}

/*
 * First pass: are these words, and all their arguments there? Finds the mode,
 * by the first of those that say who we are or of the words that ask for help.
 */
static int
survey(struct parse *p, int argc, char *const argv[])
{
	p->o->mode = OPTIONS_TX;
	for (int i = 1; i < argc; i++) {
		const struct word *w = find_word(argv[i], p->who != 0 ? p->who : BOTH);
		int left = argc - i - 1, needed;

		if (asks(p, argv[i]))
			return 0;
		if (w == NULL)
			return fail(p, QUOTED " is not a word of the command "
			    "line; legal: see --help", argv[i]);
		if (w->who == SERVE && argc > 2)
			return fail(p, QUOTED " stands alone; legal: no other word", argv[i]);
		if (w->who == SERVE) {
			p->o->mode = OPTIONS_SERVE;
			return 0;
		}
		needed = count_arguments(p, w, left);
		if (left < needed)
			return fail(p, "\"%s%s%.80s\" ends too early; "
			    "legal: %s %s%s%s", argv[i], left > 0 ? " " : "",
			    left > 0 ? argv[i + 1] : "", w->word, w->arguments,
			    w->range != NULL ? ", " : "",
			    w->range != NULL ? w->range : "");
		recognise(p, w);
		i += needed;
	}
	if (p->who == 0)
		return fail(p, "neither \"tx\" nor \"rx\" is given; legal: "
		    "tx HOST PORT or rx PORT, see --help");
	if ((p->who & SSH) != 0 && (p->who & BOTH) != TX_CALLS && (p->who & BOTH) != RX_CALLS)
		return fail(p, "ssh needs to know what to do there; legal: "
		    "exec COMMAND or source COMMAND, one of them");
	p->o->mode = (p->who & TX) != 0 ? OPTIONS_TX : OPTIONS_RX;
	p->o->calls = (p->who & CALLS) != 0;
	return 0;
}

/* The defaults, from the same text that the usage shows. */
static void
take_defaults(struct parse *p)
{
	for (size_t i = 0; i < NWORDS; i++) {
		const struct word *w = &words[i];
		char text[OPTIONS_TEXT_SIZE];
		char *argument = text;
		int taken;

		if (w->initial == NULL || !(w->who & p->who))
			continue;
		(void)snprintf(text, sizeof(text), "%s", w->initial);
		taken = w->take(p, w, &argument);
		assert(taken == 0);
		(void)taken;
	}
}

/* Is it a word for us, or for the far side? */
static bool
is_legal(const struct parse *p, const struct word *w)
{
	/* With ssh it is known who calls whom. */
	if (p->far != 0 && (w->take == take_path || w->take == take_port))
		return false;
	return (w->who & (p->who | p->far)) != 0;
}

/* For the far side, as it was given. */
static void
pass_on(struct parse *p, const struct word *w, char *const *word, int arguments)
{
	struct options *o = p->o;

	if (w->near || (w->who & p->far & ~SSH) == 0)
		return;
	/* Each is given once, and there is room for all that there are. */
	for (int i = 0; i <= arguments; i++) {
		assert(o->nfar < OPTIONS_FAR_MAX);
		o->far[o->nfar++] = word[i];
	}
}

/* What is for the far side only is judged, and no option of ours. */
static int
take(struct parse *p, const struct word *w, char *const *arguments)
{
	struct options *ours = p->o, others;
	int result;

	if ((w->who & p->who) != 0)
		return w->take(p, w, arguments);
	others = *ours;
	p->o = &others;
	result = w->take(p, w, arguments);
	p->o = ours;
	return result;
}

/* Second pass. */
static int
take_words(struct parse *p, int argc, char *const argv[])
{
	const struct word *w;
	int arguments;

	for (int i = 1; i < argc; i += 1 + arguments) {
		bool *given;

		w = find_word(argv[i], (p->who | p->far) & ~SSH);
		arguments = count_arguments(p, w, argc - i - 1);
		given = &p->given[w - words];
		if (!is_legal(p, w))
			return fail(p, QUOTED " is a word of %s, and this is "
			    "%s; legal: see --help", argv[i], side_of(w->who),
			    side_of(p->who));
		if (*given && !w->repeats)
			return fail(p, QUOTED " is given twice; legal: once",
			    argv[i]);
		*given = true;
		if (w->take == take_command && p->far != 0) {
			if (take_command(p, w, argv + i + 1) == -1)
				return -1;
			continue;
		}
		pass_on(p, w, argv + i, arguments);
		/* Where the far side listens, a tunnel has to lead. */
		if (p->far != 0 && w->take == take_address &&
		    copy_host(p, w->word, argv[i + 1], p->o->inner) == -1)
			return -1;
		if (take(p, w, argv + i + 1) == -1)
			return -1;
	}
	return 0;
}

/*
 * The far side's command line: what it is comes first, its command last.  It
 * waits longer than we do, and if only ssh is to reach it nothing else does.
 */
static void
take_far(struct parse *p)
{
	struct options *o = p->o;
	const char *head[] = {
		(p->far & RX) != 0 ? "rx" : "offer", o->ports, "wait", o->patience,
		"bind", LOOPBACK
	};
	size_t n = sizeof(head) / sizeof(head[0]);

	(void)snprintf(o->patience, sizeof(o->patience), "%" PRIu64,
	    o->wait_ms == 0 ? 0 : o->wait_ms / 1000 < PATIENCE ? PATIENCE : o->wait_ms / 1000);
	if (!o->tunnel || o->inner[0] != '\0')
		n -= 2;
	if (o->inner[0] == '\0')
		(void)snprintf(o->inner, sizeof(o->inner), "%s", LOOPBACK);
	assert(o->nfar + n + 2 <= OPTIONS_FAR_MAX);
	memmove(o->far + n, o->far, o->nfar * sizeof(o->far[0]));
	memcpy(o->far, head, n * sizeof(head[0]));
	o->nfar += n;
	o->far[o->nfar++] = (p->far & RX) != 0 ? "exec" : "source";
	o->far[o->nfar++] = p->script;
}

/* In the largest unit that divides it. */
static const char *
size_text(uint64_t bytes, char text[24])
{
	static const char *const units[] = { "", "K", "M", "G", "T" };
	size_t unit = 0;

	while (bytes != 0 && bytes % 1024 == 0 && unit < 4) {
		bytes /= 1024;
		unit++;
	}
	(void)snprintf(text, 24, "%" PRIu64 "%s", bytes, units[unit]);
	return text;
}

static bool
given_for_us(const struct parse *p, const struct word *w)
{
	return p->given[w - words] && (w->who & p->who) != 0;
}

/* What no word can know by itself. */
static int
take_together(struct parse *p)
{
	const struct word *frame = find_word("frame", TX);
	struct options *o = p->o;

	o->frame_given = given_for_us(p, frame);
	o->window_given = given_for_us(p, find_word("window", BOTH));
	o->size_given = given_for_us(p, find_word("size", BOTH));
	if (p->far != 0 && o->key[0] != '\0')
		return fail(p, "\"key\" is of no use with ssh, which makes one for each "
		    "session; legal: without it");
	if (o->progress && o->quiet)
		return fail(p, "\"progress\" and \"quiet\" exclude each other; "
		    "legal: one of them");
	if (o->tunnel && o->npaths > 0)
		return fail(p, "\"tunnel\" and \"path\" exclude each other; "
		    "legal: one of them");
	if (p->given[find_word("interval", BOTH) - words] &&
	    o->report[0] == '\0')
		return fail(p, "\"interval\" is of no use without a report; "
		    "legal: together with report FILE");
	if (o->frame_bytes > o->window_bytes / 4) {
		char a[24], b[24], c[24];

		return fail(p, "frame \"%s\" is more than a quarter of the "
		    "window of %s; legal: %s, here at most %s",
		    size_text(o->frame_bytes, a), size_text(o->window_bytes, b),
		    frame->range, size_text(o->window_bytes / 4, c));
	}
	return 0;
}

int
options_parse(struct options *o, int argc, char *const argv[], char *why,
    size_t why_size)
{
	struct parse p = { .o = o, .why = why, .why_size = why_size };

	memset(o, 0, sizeof(*o));
	if (survey(&p, argc, argv) == -1)
		return -1;
	if (o->mode != OPTIONS_TX && o->mode != OPTIONS_RX)
		return 0;
	take_defaults(&p);
	if (take_words(&p, argc, argv) == -1 || take_together(&p) == -1)
		return -1;
	if (p.far != 0)
		take_far(&p);
	return 0;
}

/* Words of text in lines that begin at NAME_WIDTH; the first is begun. */
static void
print_wrapped(FILE *f, const char *text)
{
	size_t column = NAME_WIDTH;

	while (*text != '\0') {
		size_t length = strcspn(text, " ");

		if (column > NAME_WIDTH && column + 1 + length > LINE_WIDTH) {
			(void)fprintf(f, "\n%*s", NAME_WIDTH, "");
			column = NAME_WIDTH;
		}
		if (column > NAME_WIDTH) {
			(void)fputc(' ', f);
			column++;
		}
		(void)fprintf(f, "%.*s", (int)length, text);
		column += length;
		text += length;
		text += strspn(text, " ");
	}
	(void)fputc('\n', f);
}

static void
print_word(FILE *f, const struct word *w)
{
	const char *range = w->range, *standard = w->initial;
	int width;

	if (standard == NULL)
		standard = w->otherwise;
	width = fprintf(f, "  %s%s%s%s%s", w->word,
	    w->also != NULL ? ", " : "", w->also != NULL ? w->also : "",
	    w->arguments[0] != '\0' ? " " : "", w->arguments);
	if (width > NAME_WIDTH - 2) {
		(void)fputc('\n', f);
		width = 0;
	}
	(void)fprintf(f, "%*s", NAME_WIDTH - width, "");
	print_wrapped(f, w->help);
	(void)fprintf(f, "%*s[%s%s%s%s%s]\n", NAME_WIDTH, "",
	    range != NULL ? "range: " : "", range != NULL ? range : "",
	    range != NULL && standard != NULL ? "; " : "",
	    standard != NULL ? "default: " : "",
	    standard != NULL ? standard : "");
}

static void
print_words(FILE *f, unsigned who, const char *heading)
{
	(void)fprintf(f, "\n%s:\n", heading);
	for (size_t i = 0; i < NWORDS; i++)
		if (words[i].who == who && words[i].take != take_login)
			print_word(f, &words[i]);
}

static void
print_roles(FILE *f)
{
	print_words(f, TX_CALLS, "What to do");
	for (size_t i = 0; i < NWORDS; i++)
		if (words[i].who == RX_LISTENS || words[i].who == TX_LISTENS ||
		    words[i].who == RX_CALLS || words[i].take == take_login ||
		    words[i].who == SERVE)
			print_word(f, &words[i]);
}

void
options_usage(FILE *f)
{
	(void)fputs(
	    "usage: viamillipede ssh [USER@]HOST exec COMMAND [WORD ...]\n"
	    "       viamillipede ssh [USER@]HOST source COMMAND [WORD ...]\n"
	    "       viamillipede tx HOST PORT [from ADDRESS] [tx ...] [WORD ...]"
	    "\n                    [source COMMAND ...]\n"
	    "       viamillipede rx PORT [WORD ...] [exec COMMAND ...]\n"
	    "       viamillipede offer PORT [WORD ...] [source COMMAND ...]\n"
	    "       viamillipede fetch HOST PORT [from ADDRESS] [fetch ...] "
	    "[WORD ...]\n                    [exec COMMAND ...]\n"
	    "       viamillipede -h | --help | -V | --version\n\n"
	    "One pipe over many TCP connections. Words come in any order; "
	    "sizes take\nK, M, G, T (binary).\n", f);
	print_roles(f);
	print_words(f, SSH, "With ssh");
	print_words(f, CALLS, "Who calls (tx, fetch)");
	print_words(f, LISTENS, "Who listens (rx, offer)");
	print_words(f, TX, "Who sends (tx, offer)");
	print_words(f, RX, "Who receives (rx, fetch)");
	print_words(f, BOTH, "All");
	(void)fputs("\nExit status:\n", f);
	for (size_t i = 0; i < NSTATUSES; i++)
		(void)fprintf(f, "  %zu  %s\n", i, statuses[i]);
}
