/*
 * lookup: the addresses of a name.
 *
 * The system's resolver may take half a minute when the network is down, and
 * cannot be interrupted.  So a thread of its own looks the name up, and the caller
 * may use the previous answer meanwhile.  A struct lookup belongs to the thread that
 * dials.  Times are milliseconds.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <stdbool.h>
#include <sys/socket.h>

#define LOOKUP_ADDRESSES	16	/* most addresses of one name */
#define LOOKUP_WHY		160	/* bytes of a reason and its NUL */
#define LOOKUP_TIMEOUT_MS	500	/* when there is an older answer */

struct lookup_address {
	struct sockaddr_storage sa;
	socklen_t len;
	int family;
};

struct lookup_answer {
	struct lookup_address list[LOOKUP_ADDRESSES];
	unsigned count;			/* in the list; 0 = no answer yet */
};

struct lookup_job;

/* All zeros before the first call. */
struct lookup {
	struct lookup_job *job;		/* the query under way; shared with its thread */
	const char *host;		/* of the answer; the caller's, and must not change */
	const char *port;
	struct lookup_answer answer;
};

/*
 * Puts the addresses of the name into l->answer.  If an earlier answer is there, it
 * stays when the new one is an error or takes longer than LOOKUP_TIMEOUT_MS; that
 * query continues, and the next call gets its answer.  Numeric addresses need no
 * query.  Blocks for timeout_ms at most.  Returns 0; or -1 with a reason in why and
 * errno: ECANCELED when `cancel' (a descriptor) became readable, ETIMEDOUT after
 * timeout_ms, EHOSTUNREACH when the query failed.
 */
int lookup(struct lookup *l, const char *host, const char *port, unsigned timeout_ms,
    int cancel, char why[LOOKUP_WHY]);

/* Asks the resolver in this thread and waits for it; host NULL = all addresses to listen on. */
int lookup_now(const char *host, const char *port, bool passive, struct lookup_answer *answer,
    char why[LOOKUP_WHY]);

/* For a numeric address, which needs no query; -1 if host is a name. */
int lookup_numeric(const char *host, const char *port, struct lookup_answer *answer);

#endif
