/*
 * net: sockets, and in what systems differ about them.
 *
 * Nothing here knows of frames or legs.  Descriptors that are returned are the
 * caller's, non-blocking and close-on-exec.  Times are milliseconds.  Any
 * thread may call anything; only net_dial and net_listen block, the one for as
 * long as it is told, the other for as long as the system's resolver takes.
 * Errors: -1 with errno, or with a text in `why' where there is one.
 */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "lookup.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL	0	/* SIGPIPE is ignored all the same */
#endif

#define NET_NAME	96	/* octets of "[address%scope]:port" and its NUL */
#define NET_WHY		LOOKUP_WHY	/* octets of a reason and its NUL */
#define NET_LISTENERS	8

/* Where to and how; the texts are the caller's. */
struct net_target {
	struct lookup *lookup;	/* that of the thread that dials */
	const char *host;
	const char *port;
	const char *from;	/* source address or interface name, or "" */
	const char *congestion;	/* TCP congestion control, or "" */
	unsigned patience_ms;	/* give up after this */
	unsigned again_ms;	/* one more attempt this often meanwhile */
	unsigned first;		/* begin with this address of the name, modulo */
	unsigned addresses;	/* result: how many the name has */
	unsigned used;		/* result: which of them was connected to */
	uint32_t denied;	/* result: those where nobody listens, one bit each */
};

/*
 * Connect to the first address that answers.  Attempts are added, not
 * replaced: to the next address after 250 ms (RFC 8305, section 8), or at once
 * when one fails, and again every again_ms, so that a lost SYN costs no more.
 * Ends early with errno ECANCELED when `cancel' (a descriptor) is readable.
 * On success name tells the peer.
 */
int net_dial(struct net_target *target, int cancel, char name[NET_NAME],
    char why[NET_WHY]);

struct net_listener {
	int fd[NET_LISTENERS];
	char name[NET_LISTENERS][NET_NAME];
	unsigned count;
};

/* Listen on every address of bind ("" = all).  Port "0" picks one port for all. */
int net_listen(struct net_listener *l, const char *bind_to, const char *port, int backlog,
    char why[NET_WHY]);
void net_unlisten(struct net_listener *l);

/* -1 with errno EAGAIN when nobody waits. */
int net_accept(int listener, char name[NET_NAME]);

/* Close-on-exec and non-blocking. */
int net_own(int fd);

int net_close_on_exec(int fd);

/* What every leg's connection gets: no delay for small frames. */
void net_prepare(int fd);
/* Where the system has it: fail when sent data is not acknowledged for so long. */
void net_patience(int fd, unsigned ms);
/* Where the system has it: writable only while less than this is unsent. */
void net_unsent(int fd, unsigned octets);
/* The next close sends a reset. */
void net_abort(int fd);

/* Where the system has a choice of congestion control. */
int net_congestion(int fd, const char *name);
/* The congestion control is known here; otherwise those that are, in why. */
bool net_congestion_known(const char *name, char why[NET_WHY]);

struct net_info {
	uint32_t rtt_us;
	uint32_t retransmissions;
	uint64_t unacked;	/* octets sent, not acknowledged, by this kernel */
};

/* What the system tells of a connection; zeros where it does not. */
void net_info(int fd, struct net_info *info);

/* A message of n pieces; how wide the number is differs between systems. */
static inline void
net_pieces(struct msghdr *msg, struct iovec *iov, unsigned n)
{
	msg->msg_iov = iov;
	msg->msg_iovlen = 0;
	while (n-- > 0)
		msg->msg_iovlen++;
}

/* Some octets wait to be read. */
bool net_readable(int fd);

#endif
