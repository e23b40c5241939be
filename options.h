/*
 * The command line: one table of words from which it is parsed, from which the
 * usage text is printed, and with which README.md and viamillipede.1 are
 * compared (tests/check-docs.py).
 *
 * Called by the main thread before any other thread exists. A struct options
 * is filled once by options_parse and is immutable from then on, so every
 * thread may read it. It owns all of its text, but for the command, which points
 * into argv and lives as long as the process.
 * Nothing is resolved, opened or printed here but by options_usage.
 *
 * Units are in the names: _ms milliseconds, _bytes bytes. Zero means "for
 * ever" for wait_ms and timeout_ms.
 */

#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTIONS_PATHS_MAX	64
#define OPTIONS_THREADS_MAX	64
#define OPTIONS_PORTS_SIZE	12	/* of a port or two, with its NUL */
#define OPTIONS_FAR_MAX	64	/* words for the far side */
#define OPTIONS_TEXT_SIZE	256	/* of any text below, with its NUL */
#define OPTIONS_FILE_SIZE	4096	/* of a file's name, with its NUL */
#define OPTIONS_WHY_SIZE	512	/* enough for any reason, with its NUL */

#define OPTIONS_PHRASE		"legs"	/* the built-in checkphrase */

/* What the process ends with; told by --help, README.md and viamillipede.1. */
enum exit_status {
	EXIT_DELIVERED = 0,	/* every byte written and closed at the far end */
	EXIT_FAILED = 1,	/* local I/O error, consumer gone, peer gave up */
	EXIT_USAGE = 2,
	EXIT_REFUSED = 3,	/* by the peer: checkphrase, version, busy */
	EXIT_UNREACHED = 4,	/* no contact within wait, no leg for timeout */
	EXIT_UNCONFIRMED = 5,	/* all delivered, the confirmation never came */
	EXIT_COMMAND = 6	/* the command at either end did not succeed */
};

enum options_mode {
	OPTIONS_TX,		/* sends: tx, offer */
	OPTIONS_RX,		/* receives: rx, fetch */
	OPTIONS_SERVE,		/* nothing else in the struct is meaningful */
	OPTIONS_HELP,		/* likewise */
	OPTIONS_VERSION		/* likewise */
};

/* One `HOST PORT [from ADDRESS]` of tx or fetch, in the order of the command line. */
struct options_path {
	char host[OPTIONS_TEXT_SIZE];	/* name or address, without brackets */
	char port[6];			/* decimal, 1 to 65535 */
	char from[OPTIONS_TEXT_SIZE];	/* address or interface; "" = any */
	bool tunnel;			/* through ssh, to that port there */
};

struct options {
	enum options_mode mode;

	bool calls;			/* otherwise it listens */

	/* who calls */
	struct options_path paths[OPTIONS_PATHS_MAX];
	unsigned npaths;		/* 0 when it listens */
	bool reserve;			/* one more, which the others fall back on */
	unsigned threads;		/* most legs at once */

	bool served;			/* ssh started us: what is told is told by the answer */

	/* who starts the other side through ssh */
	char ssh_host[OPTIONS_TEXT_SIZE];	/* "" = nobody */
	char ssh[OPTIONS_TEXT_SIZE];	/* line for the shell that ssh is run with */
	char remote[OPTIONS_TEXT_SIZE];	/* this program there */
	char ports[OPTIONS_PORTS_SIZE];	/* that it may listen on, as port */
	bool tunnel;			/* no path but through ssh */
	char inner[OPTIONS_TEXT_SIZE];	/* address that a tunnel leads to there */
	char patience[24];		/* how long the far side waits: a word of its own */
	const char *far[OPTIONS_FAR_MAX];	/* its words; in argv or constant */
	size_t nfar;

	/* who listens */
	char port[OPTIONS_PORTS_SIZE];	/* decimal, 0 to 65535, or FIRST-LAST */
	char bind[OPTIONS_TEXT_SIZE];	/* address, no brackets; "" = all */

	/* who sends */
	bool checksum;
	uint64_t frame_bytes;		/* 0 unless given: program's choice */
	bool frame_given;
	char congestion[OPTIONS_TEXT_SIZE];	/* "" = the system's */

	/* both */
	char *const *command;		/* in argv, to its NULL; or NULL */
	char phrase[4];			/* not terminated */
	char key[OPTIONS_FILE_SIZE];	/* its file; "" = none */
	uint64_t window_bytes;		/* the default unless given */
	bool window_given;		/* if not, tx may let it grow */
	uint64_t wait_ms;
	uint64_t timeout_ms;
	uint64_t heartbeat_ms;
	int verbose;			/* 0 to 20 */
	bool progress;			/* also where there is no terminal */
	bool quiet;			/* never with progress */
	uint64_t size_bytes;		/* of the stream, as the user says */
	bool size_given;
	char report[OPTIONS_FILE_SIZE];	/* "" = none, "-" = standard error */
	uint64_t interval_ms;		/* of the report */
	char chaos[OPTIONS_TEXT_SIZE];	/* for chaos.c's parser; "" = off */
};

/*
 * Fill *o from argv[1] to argv[argc - 1]. Returns 0; or -1 and a reason in why
 * that quotes what is wrong and says what would be legal. *o is then
 * unspecified. The caller prints it with log_line, which makes harmless what
 * was quoted as it came, and exits 2.
 *
 * argv[argc] is NULL. --help and --version are honoured wherever a word may
 * stand, if nothing before them was wrong; nothing after them is looked at.
 */
int	options_parse(struct options *o, int argc, char *const argv[],
	    char *why, size_t why_size);

/* The usage text, at most 80 columns wide. Write errors are left in *f. */
void	options_usage(FILE *f);

#endif
