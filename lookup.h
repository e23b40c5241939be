/*
 * lookup: the addresses of a name.
 *
 * The system's resolver may take half a minute when the network is away, and
 * nothing can call it back.  So a name is looked up by a thread of its own, and
 * who waits for it may do with what the name meant before.  A name belongs to
 * the thread that dials it.  Times are milliseconds.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <stdbool.h>
#include <sys/socket.h>

#define LOOKUP_ADDRESSES	16	/* of one name that are tried */
#define LOOKUP_WHY		160	/* octets of a reason and its NUL */
#define LOOKUP_PATIENCE_MS	500	/* when an older answer would do */

struct lookup_address {
	struct sockaddr_storage sa;
	socklen_t len;
	int family;
};

struct lookup_job;

/* Zeros at first. */
struct lookup {
	struct lookup_job *job;		/* under way; owned together with its thread */
	const char *host;		/* what the list is of; the caller's, for good */
	const char *port;
	struct lookup_address list[LOOKUP_ADDRESSES];
	unsigned count;			/* of the last answer; 0 = there was none */
};

/*
 * What the name means now, in l->list; or what it meant when it was asked last,
 * if that is known and there is no answer within LOOKUP_PATIENCE_MS (the question
 * goes on then, and its answer is for the next call) or it is an error.  Numeric
 * addresses need no question.  0; or -1, with errno ECANCELED when `cancel' (a
 * descriptor) became readable, ETIMEDOUT after patience_ms, or EHOSTUNREACH and
 * a reason in why.
 */
int lookup(struct lookup *l, const char *host, const char *port, unsigned patience_ms,
    int cancel, char why[LOOKUP_WHY]);

/* At once, for as long as it takes; host NULL = every address to listen on. */
int lookup_now(const char *host, const char *port, bool passive,
    struct lookup_address list[LOOKUP_ADDRESSES], unsigned *count, char why[LOOKUP_WHY]);

#endif
