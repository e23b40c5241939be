/*
 * options: the command line.  One table of words from which the command line is
 * parsed and the usage text is printed, and with which README.md and viamillipede.1
 * are compared (tests/check-docs.py).
 *
 * Called by the main thread before any other thread exists. A struct options
 * is filled once by options_parse and is immutable from then on, so every
 * thread may read it. It owns all of its text except the command and the remote
 * words, which point into argv and live as long as the process.
 * Nothing is resolved or opened here; only options_usage prints.
 *
 * Units are in the names: _ms milliseconds, _bytes bytes. Zero in wait_ms and
 * timeout_ms means "for ever".
 */

#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <stdio.h>

#define OPTIONS_PATHS_MAX	64
#define OPTIONS_LEGS_MAX	64
#define OPTIONS_PORTS_SIZE	12	/* of a port or two, with its NUL */
#define OPTIONS_REMOTE_MAX	64	/* words for the remote side */
#define OPTIONS_TEXT_SIZE	256	/* of any text below, with its NUL */
#define OPTIONS_FILE_SIZE	4096	/* of a file's name, with its NUL */
#define OPTIONS_WHY_SIZE	512	/* enough for any reason, with its NUL */

#define OPTIONS_PHRASE		"legs"	/* the built-in checkphrase */

/* The exit status; documented by --help, README.md and viamillipede.1. */
enum exit_status {
	EXIT_DELIVERED = 0,	/* every byte written and closed at the far end */
	EXIT_FAILED = 1,	/* local I/O error, consumer gone, peer gave up */
	EXIT_USAGE = 2,
	EXIT_REFUSED = 3,	/* by the peer: checkphrase, version, busy */
	EXIT_UNREACHED = 4,	/* no contact within wait, no leg for timeout */
	EXIT_UNCONFIRMED = 5,	/* all delivered, the confirmation never came */
	EXIT_COMMAND = 6,	/* the command at either end failed */
	EXIT_UNBEGUN = 7,	/* through ssh: nothing of standard input was read */
	EXIT_RUN = 255		/* run: there is no exit status of the command */
};

enum options_mode {
	OPTIONS_TX,		/* sends: tx, offer */
	OPTIONS_RX,		/* receives: rx, fetch */
	OPTIONS_DUPLEX,		/* both */
	OPTIONS_SERVE,		/* nothing else is meaningful but command: the filter */
	OPTIONS_KEY,		/* prints a key; nothing else in the struct is meaningful */
	OPTIONS_HELP,		/* likewise */
	OPTIONS_VERSION		/* likewise */
};

/* One `HOST PORT [from ADDRESS]` of tx, fetch or duplex, in the order of the command line. */
struct options_path {
	char host[OPTIONS_TEXT_SIZE];	/* name or address, without brackets */
	char port[6];			/* decimal, 1 to 65535 */
	char from[OPTIONS_TEXT_SIZE];	/* address or interface; "" = any */
	bool tunnel;			/* through ssh, to that port there */
};

struct options {
	enum options_mode mode;

	bool calls;			/* otherwise it listens */

	/* the side that calls */
	struct options_path paths[OPTIONS_PATHS_MAX];
	unsigned npaths;		/* 0 when it listens */
	bool reserve;			/* one more follows: the reserve, see path.h */
	unsigned line;			/* the last: the connection of ssh itself; 0 = none */
	unsigned legs;			/* most legs at once */

	bool served;			/* ssh started this side, which answers through it */
	/* duplex with many streams: connections instead of standard input and output */
	char initiate[OPTIONS_TEXT_SIZE];	/* address, or a UNIX socket; "" = none */
	char initiate_port[6];		/* "" = it is a UNIX socket */
	char terminate[OPTIONS_TEXT_SIZE];	/* where to connect to, likewise */
	char terminate_port[6];

	bool runs;			/* the command's end is the stream's, its status ours */
	bool yields;			/* where it has no viamillipede, ssh does it alone */

	/* the side that starts the other one through ssh */
	char ssh_host[OPTIONS_TEXT_SIZE];	/* "" = without ssh */
	char ssh[OPTIONS_FILE_SIZE];	/* the shell's command line that runs ssh */
	char remote[OPTIONS_TEXT_SIZE];	/* this program's name there */
	char ports[OPTIONS_PORTS_SIZE];	/* where it may listen there, like port */
	bool tunnel;			/* all legs go through ssh */
	char inner[OPTIONS_TEXT_SIZE];	/* the address there to which tunnels connect */
	uint64_t login_ms;		/* how long the login took; set by ssh_begin */
	char remote_wait[24];		/* the remote side's wait, as text */
	const char *remote_words[OPTIONS_REMOTE_MAX];	/* its words; in argv or constant */
	size_t remote_count;

	/* the side that listens */
	char port[OPTIONS_PORTS_SIZE];	/* decimal, 0 to 65535, or FIRST-LAST */
	char bind[OPTIONS_TEXT_SIZE];	/* address, no brackets; "" = all */

	/* the side that sends */
	bool checksum;
	uint64_t frame_bytes;		/* 0 unless given: program's choice */
	bool frame_given;
	char congestion[OPTIONS_TEXT_SIZE];	/* "auto", "system" or a name */

	/* both */
	char *const *command;		/* in argv or below, to its NULL; or NULL */
	char *source[2];		/* with ssh, what runs here */
	char phrase[4];			/* not terminated */
	char name[OPTIONS_TEXT_SIZE];	/* of the transfer; "" = none */
	char key[OPTIONS_FILE_SIZE];	/* the key's file; "" = none */
	uint64_t window_bytes;		/* the default unless given */
	bool window_given;		/* if not, tx may let it grow */
	uint64_t wait_ms;
	uint64_t timeout_ms;
	uint64_t linger_ms;		/* at most timeout_ms, unless that is for ever */
	uint64_t heartbeat_ms;
	unsigned verbose;		/* 0 to 20 */
	bool progress;			/* also where there is no terminal */
	bool quiet;			/* never with progress */
	uint64_t size_bytes;		/* of the stream, as the user says */
	bool size_given;
	char report[OPTIONS_FILE_SIZE];	/* "" = none, "-" = standard error */
	uint64_t interval_ms;		/* of the report */
	char chaos[OPTIONS_TEXT_SIZE];	/* for chaos.c's parser; "" = off */
};

/*
 * Fills *o from argv[1] to argv[argc - 1]. Returns 0; or -1 and a reason in why
 * that quotes what is wrong and says what is legal; *o is then unspecified. The
 * caller prints the reason with log_line, which escapes what was quoted, and exits 2.
 *
 * argv[argc] is NULL. --help and --version take effect wherever a word may stand, if
 * the words before them are right; the words after them are ignored.
 */
int	options_parse(struct options *o, int argc, char *const argv[],
	    char *why, size_t why_size);

/*
 * The same for the remote side, with the words that came through ssh: it listens,
 * runs the command in the one argument command[0], and no word names a file.
 */
int	options_parse_orders(struct options *o, int argc, char *const argv[],
	    char *why, size_t why_size);

/* Prints the usage text, at most 80 columns wide. Write errors are left in *f. */
void	options_usage(FILE *f);

/* The session carries many streams. */
static inline bool
options_streams(const struct options *o)
{
	return o->initiate[0] != '\0' || o->terminate[0] != '\0';
}

/* The congestion control of every connection from its start; "" = the system's default. */
static inline const char *
options_congestion(const struct options *o)
{
	return strcmp(o->congestion, "auto") == 0 || strcmp(o->congestion, "system") == 0 ?
	    "" : o->congestion;
}

#endif
