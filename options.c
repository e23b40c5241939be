/*
 * options: the command line. words[] below has everything about a word; a new word
 * is a new row, with one of the kinds below if one fits. Runs in the main thread
 * before it starts others.
 *
 * Words may come in any order, so two passes are made: the first finds out
 * which words there are, and from them whether this is tx or rx; the second
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
#include "sys/net.h"

/* The sides that a word is for: either side may be the one that calls. */
#define TX_CALLS	1u
#define RX_LISTENS	2u
#define TX_LISTENS	4u
#define RX_CALLS	8u
#define SSH		16u	/* the side that starts the other one through ssh */
#define SERVE		32u	/* what ssh starts */
#define DUPLEX_CALLS	64u
#define DUPLEX_LISTENS	128u
#define TX		(TX_CALLS | TX_LISTENS)
#define RX		(RX_LISTENS | RX_CALLS)
#define DUPLEX		(DUPLEX_CALLS | DUPLEX_LISTENS)
#define SENDS		(TX | DUPLEX)
#define RECEIVES	(RX | DUPLEX)
#define CALLS		(TX_CALLS | RX_CALLS | DUPLEX_CALLS)
#define LISTENS		(RX_LISTENS | TX_LISTENS | DUPLEX_LISTENS)
#define ALL		(TX | RX | DUPLEX)

#define LOOPBACK	"127.0.0.1"
#define REMOTE_WAIT_MIN	60	/* seconds that a remote side waits at least */

#define NAME_WIDTH	22	/* of the usage text's left column */
#define LINE_WIDTH	79

#define FIELD(name)	.field = offsetof(struct options, name)

/* How the arguments of a word are parsed, and what they set: a field (FIELD), or what it says. */
enum kind {
	KIND_NONE,		/* not by itself */
	KIND_PATH,		/* HOST PORT: the side that calls */
	KIND_FROM,		/* source of the path before it */
	KIND_PORT,		/* the side that listens: its port, or FIRST-LAST */
	KIND_LOGIN,		/* [USER@]HOST for ssh */
	KIND_WAY,		/* one more address of ssh's host */
	KIND_COMMAND,		/* a command and its arguments */
	KIND_ACCEPT,		/* [ADDRESS:]PORT, or a UNIX socket: connections come from there */
	KIND_CONNECT,		/* HOST PORT, or a UNIX socket: they go there */
	KIND_PHRASE,		/* the checkphrase */
	KIND_COUNT,		/* a number, into an unsigned */
	KIND_SIZE,		/* a number with a suffix, into an uint64_t */
	KIND_SECONDS,		/* likewise, kept in milliseconds */
	KIND_FLAG,		/* no argument, into a bool */
	KIND_TEXT,		/* no spaces, OPTIONS_TEXT_SIZE */
	KIND_ADDRESS,		/* a name or an address, OPTIONS_TEXT_SIZE */
	KIND_FILE,		/* any name, OPTIONS_FILE_SIZE */
	KIND_PORTS,		/* a port, or FIRST-LAST, OPTIONS_PORTS_SIZE */
	KIND_LINE		/* one line, OPTIONS_TEXT_SIZE */
};

struct word {
	const char *word;
	const char *old;	/* its old name; accepted, but not documented */
	const char *also;	/* another spelling */
	const char *arguments;	/* one name for each, "" = none */
	const char *shown;	/* in the usage text instead; or NULL */
	unsigned who;		/* for whom, see above */
	bool repeats;		/* may be given more than once */
	bool rest;		/* everything after it is its argument; but not with ssh */
	bool local;		/* with ssh, not for the remote side */
	enum kind kind;
	size_t field;		/* where in struct options, for some kinds */
	const char *range;	/* for numbers, LOWEST-HIGHEST: limits, too */
	const char *initial;	/* the default, a legal argument */
	const char *otherwise;	/* or a text that says what holds without the word */
	const char *help;	/* NULL: another row has it */
};

/* A word that differs between the two sides has a row for each. */
static const struct word words[] = {
	{ .word = "tx", .arguments = "HOST PORT", .who = TX_CALLS, .repeats = true,
	  .kind = KIND_PATH, .range = "1-65535",
	  .help = "send standard input to the receiver at this name or address; "
	    "given up to 64 times: several paths, the preferred one first" },
	{ .word = "rx", .arguments = "PORT", .who = RX_LISTENS,
	  .kind = KIND_PORT, .range = "0-65535",
	  .help = "receive on this port and write to standard output; "
	    "FIRST-LAST = the first that is free, 0 = any free port, which is "
	    "printed" },
	{ .word = "offer", .arguments = "PORT", .who = TX_LISTENS,
	  .kind = KIND_PORT, .range = "0-65535",
	  .help = "send standard input to the receiver that fetches it from "
	    "this port; FIRST-LAST or 0 as with rx" },
	{ .word = "fetch", .arguments = "HOST PORT", .who = RX_CALLS, .repeats = true,
	  .kind = KIND_PATH, .range = "1-65535",
	  .help = "receive what the sender at this name or address offers and "
	    "write it to standard output; may be given up to 64 times, as tx" },

	/* With one argument, a port, it listens: the second row. */
	{ .word = "duplex", .arguments = "HOST PORT", .shown = "[HOST] PORT",
	  .who = DUPLEX_CALLS, .repeats = true, .kind = KIND_PATH, .range = "1-65535",
	  .help = "both at once: send standard input to the duplex at this name or "
	    "address, and write what it sends to standard output; may be given up to "
	    "64 times, as tx; without HOST, listen on this port, as rx" },
	{ .word = "duplex", .arguments = "PORT", .who = DUPLEX_LISTENS,
	  .kind = KIND_PORT, .range = "0-65535" },

	{ .word = "ssh", .arguments = "[USER@]HOST", .who = SSH, .kind = KIND_LOGIN,
	  .help = "start the other side on that host through ssh: with exec COMMAND, "
	    "send standard input to that command; with source COMMAND, fetch "
	    "what that command writes; with both, send what the source command "
	    "writes, which runs here; each COMMAND is one argument" },
	{ .word = "serve", .arguments = "", .who = SERVE,
	  .help = "what ssh starts there; reads its orders from standard input" },
	{ .word = "allow", .arguments = "FILTER ...", .who = SERVE, .rest = true,
	  .kind = KIND_COMMAND, .otherwise = "the shell runs what is ordered",
	  .help = "after serve, the rest of the line, for a forced command of sshd: "
	    "run this command instead, with the one in the orders in "
	    "SSH_ORIGINAL_COMMAND" },

	{ .word = "path", .arguments = "ADDRESS", .who = SSH, .repeats = true,
	  .kind = KIND_WAY, .otherwise = "none but the host's own",
	  .help = "one more address of the host, before its own; up to 61, the "
	    "preferred one first" },
	{ .word = "ports", .arguments = "FIRST-LAST", .who = SSH,
	  .kind = KIND_PORTS, FIELD(ports), .initial = "0",
	  .range = "0-65535",
	  .help = "ports to listen on there, the first that is free; 0 = any" },
	{ .word = "tunnel", .arguments = "", .who = SSH, .kind = KIND_FLAG,
	  FIELD(tunnel), .otherwise = "only when the port cannot be reached",
	  .help = "carry all legs through ssh, so that nothing else crosses the "
	    "network" },
	{ .word = "remote-program", .old = "remote", .arguments = "PATH", .who = SSH,
	    .kind = KIND_LINE,
	  FIELD(remote), .initial = "viamillipede",
	  .help = "where this program is on the other side" },
	{ .word = "ssh-command", .old = "sshcommand", .arguments = "LINE", .who = SSH,
	  .kind = KIND_LINE, FIELD(ssh), .initial = "ssh",
	  .help = "the shell command to run instead of ssh; ssh's arguments are "
	    "appended" },

	{ .word = "from", .arguments = "ADDRESS", .who = CALLS, .repeats = true,
	  .kind = KIND_FROM, .otherwise = "the system's choice",
	  .help = "after a tx, fetch or path: source address or interface of "
	    "that path" },
	{ .word = "legs", .old = "threads", .arguments = "N", .who = CALLS,
	  .kind = KIND_COUNT, FIELD(legs), .range = "1-64", .initial = "64",
	  .help = "most legs (connections) at once; only as many as help are used" },
	{ .word = "wait", .arguments = "SECONDS", .who = CALLS,
	  .kind = KIND_SECONDS, FIELD(wait_ms), .range = "0-31536000",
	  .initial = "60",
	  .help = "give up after this long without contact; 0 = never" },

	{ .word = "bind", .arguments = "ADDRESS", .who = LISTENS,
	  .kind = KIND_ADDRESS, FIELD(bind), .otherwise = "all, IPv4 and IPv6",
	  .help = "address to listen on" },
	{ .word = "wait", .arguments = "SECONDS", .who = LISTENS,
	  .kind = KIND_SECONDS, FIELD(wait_ms), .range = "0-31536000",
	  .initial = "0",
	  .help = "give up after this long without a caller; 0 = never" },

	{ .word = "checksum", .also = "checksums", .arguments = "", .who = SENDS,
	  .kind = KIND_FLAG, FIELD(checksum), .otherwise = "off",
	  .help = "check each frame with CRC-32C and the stream with a digest" },
	{ .word = "frame", .arguments = "SIZE", .who = SENDS,
	  .kind = KIND_SIZE, FIELD(frame_bytes), .range = "4K-1M",
	  .otherwise = "chosen by the program",
	  .help = "largest payload of a frame, at most a quarter of the window" },
	{ .word = "congestion", .arguments = "NAME", .who = SENDS,
	  .kind = KIND_TEXT, FIELD(congestion), .initial = "auto",
	  .help = "TCP congestion control of the legs; auto: the system's default, "
	    "or bbr where loss limits a path; system: the system's default" },

	{ .word = "source", .arguments = "COMMAND ...", .who = TX, .rest = true,
	  .kind = KIND_COMMAND, .otherwise = "standard input is sent",
	  .help = "the rest of the line: send what this command writes, and "
	    "succeed only if it does; run by the shell if it is one argument" },

	{ .word = "exec", .arguments = "COMMAND ...", .who = RECEIVES, .rest = true,
	  .kind = KIND_COMMAND, .otherwise = "standard output is written to",
	  .help = "the rest of the line: the stream is the input of this "
	    "command, and the transfer succeeds only if it does; run by the shell "
	    "if it is one argument" },

	{ .word = "run", .arguments = "COMMAND", .who = DUPLEX_LISTENS, .rest = true,
	  .kind = KIND_COMMAND, .otherwise = "none",
	  .help = "with ssh: run this command there with our standard input, output "
	    "and error, and exit with its status, as ssh does; 255 is a failure of the "
	    "connection; what it leaves unread is none" },

	{ .word = "initiate", .arguments = "[ADDRESS:]PORT", .who = DUPLEX,
	  .kind = KIND_ACCEPT, .range = "0-65535",
	  .otherwise = "standard input and output",
	  .help = "instead of standard input and output: connections to this port are "
	    "opened where the other side's terminate says, any number at once; without "
	    "ADDRESS only from this machine, * = from everywhere; a path with a / in it is "
	    "a UNIX socket" },
	{ .word = "terminate", .arguments = "HOST PORT", .who = DUPLEX,
	  .kind = KIND_CONNECT, .range = "1-65535",
	  .otherwise = "standard input and output",
	  .help = "instead of standard input and output: connections that the other side's "
	    "initiate accepted are opened to this name or address; with ssh, of initiate "
	    "and terminate the first is for here and the second for there" },

	{ .word = "checkphrase", .arguments = "WORD", .who = ALL,
	  .kind = KIND_PHRASE, .range = "exactly 4", .initial = OPTIONS_PHRASE,
	  .help = "characters that both sides must share: a guard against the "
	    "wrong receiver, not a secret" },
	{ .word = "name", .arguments = "TEXT", .who = ALL,
	  .kind = KIND_LINE, FIELD(name), .otherwise = "none",
	  .help = "which transfer this is, up to 255 bytes, for both sides alike: part "
	    "of the key if there is one" },
	{ .word = "key", .arguments = "FILE", .who = ALL,
	  .kind = KIND_FILE, FIELD(key), .otherwise = "none",
	  .help = "encrypt and authenticate everything with what is in this file, "
	    "32 bytes or more, which both sides have" },
	{ .word = "window", .arguments = "SIZE", .who = ALL,
	  .kind = KIND_SIZE, FIELD(window_bytes), .range = "1M-64G",
	  .otherwise = "an eighth of the memory",
	  .help = "most bytes unconfirmed or out of order; the smaller of both "
	    "sides' values holds" },
	{ .word = "timeout", .arguments = "SECONDS", .who = ALL,
	  .kind = KIND_SECONDS, FIELD(timeout_ms), .range = "0-31536000",
	  .initial = "604800",
	  .help = "in a session, give up after this long without progress; "
	    "0 = never; the smaller of both sides' values holds" },
	{ .word = "linger", .arguments = "SECONDS", .who = ALL,
	  .kind = KIND_SECONDS, FIELD(linger_ms), .range = "0-31536000",
	  .initial = "300",
	  .help = "how long to wait for a peer that closed all connections, and to "
	    "keep the outcome for it; at most timeout; the smaller of both sides' "
	    "values holds" },
	{ .word = "heartbeat", .arguments = "SECONDS", .who = ALL,
	  .kind = KIND_SECONDS, FIELD(heartbeat_ms), .range = "3-300",
	  .initial = "5",
	  .help = "a leg without progress for this long is dead" },
	{ .word = "verbose", .arguments = "N", .who = ALL,
	  .kind = KIND_COUNT, FIELD(verbose), .range = "0-20", .initial = "1",
	  .help = "what to print on standard error: 0 errors, 1 losses, 2 start "
	    "and end, 3-9 decisions, 10-20 frames" },
	{ .word = "progress", .arguments = "", .who = ALL,
	  .local = true,
	  .kind = KIND_FLAG, FIELD(progress),
	  .otherwise = "where standard error is a terminal",
	  .help = "show a line with bytes, rate and time, rewritten each second" },
	{ .word = "quiet", .arguments = "", .who = ALL,
	  .local = true,
	  .kind = KIND_FLAG, FIELD(quiet), .otherwise = "off",
	  .help = "no progress and no summary because of a terminal" },
	{ .word = "size", .arguments = "BYTES", .who = ALL,
	  .local = true,
	  .kind = KIND_SIZE, FIELD(size_bytes), .range = "0-8388607T",
	  .otherwise = "unknown",
	  .help = "the length of the stream, so that progress can show the "
	    "percentage and the time left" },
	{ .word = "report", .arguments = "FILE", .who = ALL,
	  .local = true,
	  .kind = KIND_FILE, FIELD(report), .otherwise = "off",
	  .help = "write statistics to this file, one JSON object in each line; "
	    "- = standard error" },
	{ .word = "interval", .arguments = "SECONDS", .who = ALL,
	  .local = true,
	  .kind = KIND_SECONDS, FIELD(interval_ms), .range = "1-86400",
	  .initial = "1",
	  .help = "how often the report gets a line of statistics" },
	{ .word = "chaos", .arguments = "WHAT", .who = ALL,
	  .local = true,
	  .kind = KIND_TEXT, FIELD(chaos), .otherwise = "off",
	  .help = "inject faults, for tests: N or N:KIND[,KIND...][:SEED], one "
	    "after every N frames of a leg" },
};

#define NWORDS	(sizeof(words) / sizeof(words[0]))

static const char *const statuses[] = {
	[EXIT_DELIVERED] = "every byte was written, and the output closed",
	[EXIT_FAILED] = "the transfer failed",
	[EXIT_USAGE] = "the command line is wrong",
	[EXIT_REFUSED] = "refused by the peer",
	[EXIT_UNREACHED] = "no contact within wait, or no leg for timeout",
	[EXIT_UNCONFIRMED] = "all data delivered, but never confirmed",
	[EXIT_COMMAND] = "the command at either end failed",
	[EXIT_UNBEGUN] = "with ssh: nothing was begun, nothing was read",
};

#define NSTATUSES	(sizeof(statuses) / sizeof(statuses[0]))

struct parse {
	struct options *o;
	char *why;
	size_t why_size;
	bool given[NWORDS];
	unsigned who;		/* we are; 0 = not known yet */
	unsigned remote;	/* with ssh, the other side is; otherwise 0 */
	char *script;		/* with ssh, its command */
	bool bootstrap;		/* these words came through ssh */
	bool execs, sources, runs;	/* with ssh: exec, source, run is given */
	bool streams;			/* likewise initiate or terminate */
	const struct word *here;	/* of these, the one for the local side */
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
	    (who & DUPLEX) == who ? "duplex" :
	    who == SENDS ? "tx, offer and duplex" : who == RECEIVES ? "rx, fetch and duplex" :
	    who == CALLS ? "tx, fetch and duplex" : "rx, offer and duplex";
}

/* A port, or a range of them, rather than a host. */
static bool
is_port(const char *text)
{
	return text[0] != '\0' && text[strspn(text, "0123456789-")] == '\0';
}

/* A UNIX socket rather than a host. */
static bool
is_socket(const char *text)
{
	return strchr(text, '/') != NULL;
}

/*
 * How many of the `left' arguments at `next' a word takes, or how many it needs if that
 * is more.
 */
static int
count_arguments(const struct parse *p, const struct word *w, int left, char *const *next)
{
	int n = w->arguments[0] != '\0';

	if (w->kind == KIND_CONNECT && left > 0 && is_socket(next[0]))
		return 1;
	if (w->rest && p->remote == 0)
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
		    (w->also == NULL || strcmp(text, w->also) != 0) &&
		    (w->old == NULL || strcmp(text, w->old) != 0))
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
take_number(struct parse *p, const struct word *w, const char *what, const char *text,
    uint64_t *value)
{
	const char *suffixes = w->kind == KIND_SIZE ? SUFFIXES : PLAIN;
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

static int
take_count(struct parse *p, const struct word *w, char *const *arguments)
{
	uint64_t value;

	if (take_number(p, w, w->word, arguments[0], &value) == -1)
		return -1;
	*(unsigned *)field_of(p, w) = (unsigned)value;
	return 0;
}

static int
take_size(struct parse *p, const struct word *w, char *const *arguments)
{
	return take_number(p, w, w->word, arguments[0], field_of(p, w));
}

static int
take_seconds(struct parse *p, const struct word *w, char *const *arguments)
{
	uint64_t value;

	if (take_number(p, w, w->word, arguments[0], &value) == -1)
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
	return take_number(p, w, what, text, value);
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
		    "legal: one for each %s", arguments[0], side_of(p->who), path->host,
		    path->port, side_of(p->who));
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

	if (o->npaths == OPTIONS_PATHS_MAX - 3)
		return fail(p, "%s " QUOTED " is one path too many; legal: "
		    "1-%d of them", w->word, arguments[0], OPTIONS_PATHS_MAX - 3);
	return copy_host(p, w->word, arguments[0], o->paths[o->npaths++].host);
}

/* For a shell, or a file's name: one line of whatever. */
static int
take_line(struct parse *p, const struct word *w, char *const *arguments)
{
	const char *text = arguments[0];
	size_t length = strlen(text), size = w->field == offsetof(struct options, ssh) ?
	    sizeof(p->o->ssh) : OPTIONS_TEXT_SIZE;
	bool good = text[strspn(text, " ")] != '\0' && length < size;

	for (size_t i = 0; good && i < length; i++)
		good = (unsigned char)text[i] >= ' ' && text[i] != '\177';
	if (!good)
		return fail(p, "%s " QUOTED " is not legal; legal: a line of 1 "
		    "to %zu characters", w->word, text, size - 1);
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
	bool script = p->remote != 0 || arguments[1] == NULL;

	if (p->bootstrap && !script)
		return fail(p, "%s has several arguments; legal: one", w->word);
	if (w->who == DUPLEX_LISTENS) {
		if (p->remote == 0 && !p->bootstrap)
			return fail(p, "%s is of no use without ssh; legal: ssh HOST %s COMMAND",
			    w->word, w->word);
		p->o->runs = true;
	}
	if (first[script ? strspn(first, " \t\n") : 0] == '\0')
		return fail(p, "%s " QUOTED " is empty; legal: a command for the "
		    "shell, or a program and its arguments", w->word, first);
	if (p->remote != 0 && (w->who & p->remote) != 0)
		p->script = arguments[0];
	else if (p->remote != 0) {
		p->o->source[0] = arguments[0];
		p->o->command = p->o->source;
	} else
		p->o->command = arguments;
	return 0;
}

static int
copy_socket(struct parse *p, const struct word *w, const char *text, char host[OPTIONS_TEXT_SIZE])
{
	if (strlen(text) > NET_UNIX_MAX)
		return fail(p, "%s \"%.40s...\" is too long; legal: 1 to %d characters", w->word,
		    text, NET_UNIX_MAX);
	return copy_text(p, w->word, text, strlen(text), host);
}

/* [ADDRESS:]PORT; an IPv6 address has brackets, * is all addresses. */
static int
take_accept(struct parse *p, const struct word *w, char *const *arguments)
{
	struct options *o = p->o;
	const char *text = arguments[0], *colon = strrchr(text, ':');
	char address[OPTIONS_TEXT_SIZE] = "localhost";
	int n;

	if (is_socket(text))
		return copy_socket(p, w, text, o->initiate);
	if (colon != NULL) {
		n = snprintf(address, sizeof(address), "%.*s", (int)(colon - text), text);
		if (n < 1 || (size_t)n >= sizeof(address))
			return fail(p, "%s " QUOTED " is no address and port; legal: "
			    "[ADDRESS:]PORT", w->word, text);
	}
	if (strcmp(address, "*") == 0)
		(void)snprintf(o->initiate, sizeof(o->initiate), "*");
	else if (copy_host(p, "initiate: address", address, o->initiate) == -1)
		return -1;
	return copy_port(p, w, colon != NULL ? colon + 1 : text, o->initiate_port);
}

static int
take_connect(struct parse *p, const struct word *w, char *const *arguments)
{
	struct options *o = p->o;

	if (is_socket(arguments[0]))
		return copy_socket(p, w, arguments[0], o->terminate);
	if (copy_host(p, "terminate: host", arguments[0], o->terminate) == -1)
		return -1;
	return copy_port(p, w, arguments[1], o->terminate_port);
}

/* Parses a word's arguments into p->o. */
static int
take(struct parse *p, const struct word *w, char *const *arguments)
{
	static int (*const parser[])(struct parse *, const struct word *, char *const *) = {
		[KIND_PATH] = take_path,
		[KIND_FROM] = take_from,
		[KIND_PORT] = take_port,
		[KIND_LOGIN] = take_login,
		[KIND_WAY] = take_way,
		[KIND_COMMAND] = take_command,
		[KIND_ACCEPT] = take_accept,
		[KIND_CONNECT] = take_connect,
		[KIND_PHRASE] = take_phrase,
		[KIND_COUNT] = take_count,
		[KIND_SIZE] = take_size,
		[KIND_SECONDS] = take_seconds,
		[KIND_FLAG] = take_flag,
		[KIND_TEXT] = take_text,
		[KIND_ADDRESS] = take_address,
		[KIND_FILE] = take_file,
		[KIND_PORTS] = take_ports,
		[KIND_LINE] = take_line,
	};

	return parser[w->kind](p, w, arguments);
}

/*
 * A word says who we are; with ssh, which command there is says it later: one of
 * the remote side's, or with both exec's, and source is ours.
 */
static void
recognise(struct parse *p, const struct word *w)
{
	if (p->who == 0 && w->who == SSH && w->kind == KIND_LOGIN)
		p->who = p->remote = SSH;
	else if (p->who == 0 && (w->kind == KIND_PATH || w->kind == KIND_PORT))
		p->who = w->who;
	else if ((p->who & SSH) != 0 && w->kind == KIND_COMMAND && w->who == DUPLEX_LISTENS) {
		p->runs = true;
		p->who = SSH | DUPLEX_CALLS;
		p->remote = SSH | DUPLEX_LISTENS;
	} else if (w->kind == KIND_ACCEPT || w->kind == KIND_CONNECT) {
		p->streams = true;
		if (p->here == NULL)
			p->here = w;
		if ((p->who & SSH) != 0) {
			p->who = SSH | DUPLEX_CALLS;
			p->remote = SSH | DUPLEX_LISTENS;
		}
	} else if ((p->who & SSH) != 0 && w->kind == KIND_COMMAND) {
		*((w->who & RX) != 0 ? &p->execs : &p->sources) = true;
		p->who = SSH | (p->execs ? TX_CALLS : RX_CALLS);
		p->remote = SSH | (p->execs ? RX_LISTENS : TX_LISTENS);
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

/* `serve' has no other words than a filter: the orders come on standard input. */
static int
survey_serve(struct parse *p, int argc, char *const argv[])
{
	if (strcmp(argv[1], "serve") != 0)
		return fail(p, "\"allow\" is a word of serve; legal: see --help");
	if (argc > 2 && (argc == 3 || strcmp(argv[2], "allow") != 0))
		return fail(p, QUOTED " stands alone; legal: no other word, or allow "
		    "FILTER ...", argv[1]);
	p->o->mode = OPTIONS_SERVE;
	return argc == 2 ? 0 : take_command(p, find_word("allow", SERVE), argv + 3);
}

/* What a session is for: some words exclude others, and with ssh it must be said. */
static int
survey_uses(struct parse *p)
{
	if (p->runs && (p->execs || p->sources))
		return fail(p, "\"run\" excludes \"exec\" and \"source\"; legal: one of them");
	if (p->streams && (p->runs || p->execs || p->sources))
		return fail(p, "\"initiate\" and \"terminate\" exclude \"exec\", \"source\" "
		    "and \"run\"; legal: one or the other");
	if ((p->who & SSH) != 0 && !p->execs && !p->sources && !p->runs && !p->streams)
		return fail(p, "ssh needs to know what to do there; legal: "
		    "exec COMMAND or source COMMAND, or both, or run COMMAND, or initiate and "
		    "terminate");
	return 0;
}

/*
 * First pass: are these words, and all their arguments there? Finds the mode,
 * by the first of those that say who we are or of the words that ask for help.
 */
static int
survey(struct parse *p, int argc, char *const argv[])
{
	p->o->mode = OPTIONS_TX;
	if (argc == 2 && strcmp(argv[1], "key") == 0) {
		p->o->mode = OPTIONS_KEY;
		return 0;
	}
	for (int i = 1; i < argc; i++) {
		const struct word *w = find_word(argv[i], p->who != 0 ? p->who : ALL);
		int left = argc - i - 1, needed;

		if (asks(p, argv[i]))
			return 0;
		if (w == NULL)
			return fail(p, QUOTED " is not a word of the command "
			    "line; legal: see --help", argv[i]);
		if (p->who == 0 && w->who == DUPLEX_CALLS && left > 0 && is_port(argv[i + 1]))
			w = find_word(argv[i], DUPLEX_LISTENS);
		if (w->who == SERVE)
			return survey_serve(p, argc, argv);
		needed = count_arguments(p, w, left, argv + i + 1);
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
	if (survey_uses(p) == -1)
		return -1;
	p->o->mode = (p->who & TX) != 0 ? OPTIONS_TX :
	    (p->who & RX) != 0 ? OPTIONS_RX : OPTIONS_DUPLEX;
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
		taken = take(p, w, &argument);
		assert(taken == 0);
		(void)taken;
	}
}

/* Is it a word for us, or for the remote side? */
static bool
is_legal(const struct parse *p, const struct word *w)
{
	/* With ssh the local side calls, and the port is known later. */
	if (p->remote != 0 && (w->kind == KIND_PATH || w->kind == KIND_PORT))
		return false;
	/* Words that came through ssh must not name files. */
	if (p->bootstrap && (w->local || w->kind == KIND_FILE))
		return false;
	return (w->who & (p->who | p->remote)) != 0;
}

/* Each word is given at most once, so there is room for all. */
static void
add_remote(struct parse *p, char *const *word, int arguments)
{
	struct options *o = p->o;

	for (int i = 0; i <= arguments; i++) {
		assert(o->remote_count < OPTIONS_REMOTE_MAX);
		o->remote_words[o->remote_count++] = word[i];
	}
}

/* Passes a word on to the remote side, as it was given. */
static void
pass_on(struct parse *p, const struct word *w, char *const *word, int arguments)
{
	if (!w->local && (w->who & p->remote & ~SSH) != 0)
		add_remote(p, word, arguments);
}

/* A word that is for us sets an option; one for the remote side is only checked. */
static int
take_word(struct parse *p, const struct word *w, char *const *arguments, bool for_us)
{
	struct options *ours = p->o, others;
	int result;

	if (for_us)
		return take(p, w, arguments);
	others = *ours;
	p->o = &others;
	result = take(p, w, arguments);
	p->o = ours;
	return result;
}

/* With ssh: initiate or terminate. */
static int
take_end(struct parse *p, const struct word *w, char *const *word, int arguments)
{
	if (w != p->here)
		add_remote(p, word, arguments);
	return take_word(p, w, word + 1, w == p->here);
}

/* Second pass. */
static int
take_words(struct parse *p, int argc, char *const argv[])
{
	const struct word *w;
	int arguments;

	for (int i = 1; i < argc; i += 1 + arguments) {
		bool *given;

		w = find_word(argv[i], (p->who | p->remote) & ~SSH);
		arguments = count_arguments(p, w, argc - i - 1, argv + i + 1);
		given = &p->given[w - words];
		if (!is_legal(p, w))
			return fail(p, QUOTED " is a word of %s, and this is "
			    "%s; legal: see --help", argv[i], side_of(w->who),
			    side_of(p->who));
		if (*given && !w->repeats)
			return fail(p, QUOTED " is given twice; legal: once",
			    argv[i]);
		*given = true;
		if (w->kind == KIND_COMMAND && p->remote != 0) {
			if (take_command(p, w, argv + i + 1) == -1)
				return -1;
			continue;
		}
		/* One of these is for the local side, the other for the remote side. */
		if ((w->kind == KIND_ACCEPT || w->kind == KIND_CONNECT) && p->remote != 0) {
			if (take_end(p, w, argv + i, arguments) == -1)
				return -1;
			continue;
		}
		pass_on(p, w, argv + i, arguments);
		/* A tunnel has to connect to the address on which the remote side listens. */
		if (p->remote != 0 && w->kind == KIND_ADDRESS &&
		    copy_host(p, w->word, argv[i + 1], p->o->inner) == -1)
			return -1;
		if (take_word(p, w, argv + i + 1, (w->who & p->who) != 0) == -1)
			return -1;
	}
	return 0;
}

/*
 * The remote side's command line: rx or offer first, its command last.  It waits longer
 * than we do; with `tunnel' and no address given it listens only on loopback.
 */
static void
take_remote(struct parse *p)
{
	struct options *o = p->o;
	const char *head[] = {
		o->runs || p->streams ? "duplex" : (p->remote & RX) != 0 ? "rx" : "offer", o->ports,
		"wait", o->remote_wait,
		"bind", LOOPBACK
	};
	size_t n = sizeof(head) / sizeof(head[0]);

	(void)snprintf(o->remote_wait, sizeof(o->remote_wait), "%" PRIu64,
	    o->wait_ms == 0 ? 0 : o->wait_ms / 1000 < REMOTE_WAIT_MIN ? REMOTE_WAIT_MIN :
	    o->wait_ms / 1000);
	if (!o->tunnel || o->inner[0] != '\0')
		n -= 2;
	if (o->inner[0] == '\0')
		(void)snprintf(o->inner, sizeof(o->inner), "%s", LOOPBACK);
	assert(o->remote_count + n + 2 <= OPTIONS_REMOTE_MAX);
	memmove(o->remote_words + n, o->remote_words, o->remote_count * sizeof(o->remote_words[0]));
	memcpy(o->remote_words, head, n * sizeof(head[0]));
	o->remote_count += n;
	if (p->streams)
		return;
	o->remote_words[o->remote_count++] = o->runs ? "run" :
	    (p->remote & RX) != 0 ? "exec" : "source";
	o->remote_words[o->remote_count++] = p->script;
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

/* Checks that concern several words. */
static int
take_together(struct parse *p)
{
	const struct word *frame = find_word("frame", SENDS);
	struct options *o = p->o;

	o->frame_given = given_for_us(p, frame);
	o->window_given = given_for_us(p, find_word("window", ALL));
	o->size_given = given_for_us(p, find_word("size", ALL));
	if (p->remote != 0 && o->key[0] != '\0')
		return fail(p, "\"key\" is of no use with ssh, which makes one for each "
		    "session; legal: without it");
	if (p->remote != 0 && p->streams && (!p->given[find_word("initiate", DUPLEX) - words] ||
	    !p->given[find_word("terminate", DUPLEX) - words]))
		return fail(p, "with ssh, \"initiate\" and \"terminate\" are needed; legal: "
		    "the first of them is for here, the second for there");
	if (o->progress && o->quiet)
		return fail(p, "\"progress\" and \"quiet\" exclude each other; "
		    "legal: one of them");
	if (o->tunnel && o->npaths > 0)
		return fail(p, "\"tunnel\" and \"path\" exclude each other; "
		    "legal: one of them");
	if (p->given[find_word("interval", ALL) - words] &&
	    o->report[0] == '\0')
		return fail(p, "\"interval\" is of no use without a report; "
		    "legal: together with report FILE");
	if (o->timeout_ms != 0 && o->linger_ms > o->timeout_ms) {
		if (p->given[find_word("linger", ALL) - words])
			return fail(p, "linger \"%" PRIu64 "\" is more than timeout; legal: "
			    "at most %" PRIu64, o->linger_ms / 1000, o->timeout_ms / 1000);
		o->linger_ms = o->timeout_ms;
	}
	if (o->window_given && o->frame_bytes > o->window_bytes / 4) {
		char a[24], b[24], c[24];

		return fail(p, "frame \"%s\" is more than a quarter of the "
		    "window of %s; legal: %s, here at most %s",
		    size_text(o->frame_bytes, a), size_text(o->window_bytes, b),
		    frame->range, size_text(o->window_bytes / 4, c));
	}
	return 0;
}

static int
parse(struct parse *p, int argc, char *const argv[])
{
	struct options *o = p->o;

	memset(o, 0, sizeof(*o));
	if (survey(p, argc, argv) == -1)
		return -1;
	if (o->mode != OPTIONS_TX && o->mode != OPTIONS_RX && o->mode != OPTIONS_DUPLEX)
		return 0;
	take_defaults(p);
	if (take_words(p, argc, argv) == -1 || take_together(p) == -1)
		return -1;
	if (p->remote != 0)
		take_remote(p);
	/* Behind the host's own and the reserve, or behind the tunnel. */
	if (p->remote != 0)
		o->line = o->tunnel ? 1 : o->npaths + 2;
	return 0;
}

int
options_parse(struct options *o, int argc, char *const argv[], char *why,
    size_t why_size)
{
	struct parse p = { .o = o, .why = why, .why_size = why_size };

	return parse(&p, argc, argv);
}

int
options_parse_orders(struct options *o, int argc, char *const argv[],
    char *why, size_t why_size)
{
	struct parse p = {
		.o = o, .why = why, .why_size = why_size, .bootstrap = true
	};

	if (parse(&p, argc, argv) == -1)
		return -1;
	if (o->mode == OPTIONS_DUPLEX && !o->calls && options_streams(o))
		return 0;
	if ((o->mode != OPTIONS_TX && o->mode != OPTIONS_RX &&
	    (o->mode != OPTIONS_DUPLEX || !o->runs)) || o->calls || o->command == NULL)
		return fail(&p, "the orders are not for a side that listens and runs a command");
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
	const char *arguments = w->shown != NULL ? w->shown : w->arguments;
	int width;

	if (standard == NULL)
		standard = w->otherwise;
	width = fprintf(f, "  %s%s%s%s%s", w->word,
	    w->also != NULL ? ", " : "", w->also != NULL ? w->also : "",
	    arguments[0] != '\0' ? " " : "", arguments);
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
		if (words[i].who == who && words[i].kind != KIND_LOGIN)
			print_word(f, &words[i]);
}

static void
print_roles(FILE *f)
{
	print_words(f, TX_CALLS, "What to do");
	for (size_t i = 0; i < NWORDS; i++)
		if (words[i].who == RX_LISTENS || words[i].who == TX_LISTENS ||
		    words[i].who == RX_CALLS || words[i].who == DUPLEX_CALLS ||
		    words[i].kind == KIND_LOGIN ||
		    words[i].who == SERVE)
			print_word(f, &words[i]);
}

void
options_usage(FILE *f)
{
	(void)fputs(
	    "usage: viamillipede ssh [USER@]HOST exec COMMAND [source COMMAND] "
	    "[WORD ...]\n"
	    "       viamillipede ssh [USER@]HOST source COMMAND [WORD ...]\n"
	    "       viamillipede ssh [USER@]HOST run COMMAND [WORD ...]\n"
	    "       viamillipede ssh [USER@]HOST initiate PORT terminate HOST PORT "
	    "[WORD ...]\n"
	    "       viamillipede tx HOST PORT [from ADDRESS] [tx ...] [WORD ...]"
	    "\n                    [source COMMAND ...]\n"
	    "       viamillipede rx PORT [WORD ...] [exec COMMAND ...]\n"
	    "       viamillipede offer PORT [WORD ...] [source COMMAND ...]\n"
	    "       viamillipede fetch HOST PORT [from ADDRESS] [fetch ...] "
	    "[WORD ...]\n                    [exec COMMAND ...]\n"
	    "       viamillipede duplex HOST PORT [from ADDRESS] [duplex ...] "
	    "[WORD ...]\n                    [exec COMMAND ...]\n"
	    "       viamillipede duplex PORT [WORD ...] [exec COMMAND ...]\n"
	    "       viamillipede key\n"
	    "       viamillipede -h | --help | -V | --version\n\n"
	    "One pipe over many TCP connections. Words come in any order; "
	    "sizes take\nK, M, G, T (binary).\n", f);
	print_roles(f);
	print_words(f, SSH, "With ssh");
	print_word(f, find_word("run", DUPLEX_LISTENS));
	print_words(f, DUPLEX, "Instead of standard input and output (duplex, ssh)");
	print_words(f, CALLS, "Who calls (tx, fetch, duplex)");
	print_words(f, LISTENS, "Who listens (rx, offer, duplex)");
	print_words(f, SENDS, "Who sends (tx, offer, duplex)");
	print_words(f, TX, "Who only sends (tx, offer)");
	print_words(f, RECEIVES, "Who receives (rx, fetch, duplex)");
	print_words(f, ALL, "All");
	(void)fputs("\nExit status:\n", f);
	for (size_t i = 0; i < NSTATUSES; i++)
		(void)fprintf(f, "  %zu  %s\n", i, statuses[i]);
	(void)fprintf(f, "  %d  with run, which ends as its command: any other failure\n",
	    EXIT_RUN);
}
