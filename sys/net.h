/*
 * net: sockets, and what differs about them between systems.
 *
 * Nothing here knows of frames or legs.  Descriptors that are returned are the
 * caller's, non-blocking and close-on-exec.  Times are milliseconds.  Any
 * thread may call anything; only net_dial and net_listen block: net_dial up to its
 * timeout, net_listen for as long as the system's resolver takes.
 * Errors: -1 with errno, and with a text in `why' where there is that parameter.
 */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "sys/lookup.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL	0	/* SIGPIPE is ignored in any case */
#endif

#define NET_NAME	96	/* bytes of "[address%scope]:port" and its NUL */
#define NET_WHY		LOOKUP_WHY	/* bytes of a reason and its NUL */
#define NET_LISTENERS	8
#define NET_CONGESTION	32	/* bytes of a congestion control's name and its NUL */

/* Where to connect, and how; the texts are the caller's. */
struct net_target {
	struct lookup *lookup;	/* that of the thread that dials */
	const char *host;
	const char *port;
	const char *from;	/* source address or interface name, or "" */
	const char *congestion;	/* TCP congestion control, or "" */
	unsigned timeout_ms;	/* give up after this */
	unsigned again_ms;	/* start one more attempt this often */
	unsigned segment;	/* largest TCP segment, both ways; 0 = the system's choice */
	unsigned first;		/* begin with this address, modulo their number */
	unsigned addresses;	/* result: how many addresses the name has */
	unsigned used;		/* result: which of them was connected */
	uint32_t denied;	/* result: those where nothing listens, one bit each */
	bool silent;		/* result: the name or an address did not answer */
};

/*
 * Connects to the first address that answers.  A new attempt does not replace those
 * under way: one follows to the next address after 250 ms (RFC 8305, section 8), and
 * one more every again_ms, so that a lost SYN costs no longer than that.
 * Ends early with errno ECANCELED when `cancel' (a descriptor) is readable.
 * On success `name' is the peer's address.
 */
int net_dial(struct net_target *target, int cancel, char name[NET_NAME],
    char why[NET_WHY]);

struct net_listener {
	int fd[NET_LISTENERS];
	char name[NET_LISTENERS][NET_NAME];
	unsigned count;
};

/* Listens on every address of bind_to ("" = all).  Port "0": the system picks one for all. */
int net_listen(struct net_listener *l, const char *bind_to, const char *port, int backlog,
    char why[NET_WHY]);
void net_unlisten(struct net_listener *l);

/* -1 with errno EAGAIN when no connection waits. */
int net_accept(int listener, char name[NET_NAME]);

/*
 * A connection to one address that is under way, perhaps already up; when it is writable
 * net_connected says how it went: 0, or an errno.
 */
int net_connect(const struct lookup_address *a);
int net_connected(int fd);

/*
 * UNIX sockets.  net_unix_address cuts a path that is too long, so its length is checked
 * before: NET_UNIX_MAX bytes at most.  net_unix_listen replaces a socket on which nobody
 * listens any more; only our user may connect.
 */
#define NET_UNIX_MAX	100
void net_unix_address(const char *path, struct lookup_address *a);
int net_unix_listen(struct net_listener *l, const char *path, int backlog, char why[NET_WHY]);

/* How many more descriptors this process may open, roughly. */
unsigned net_descriptors(void);

/* Makes fd close-on-exec and non-blocking. */
int net_own(int fd);

int net_close_on_exec(int fd);

/* If the system can: the connection fails when data stays unacknowledged this long. */
void net_timeout(int fd, unsigned ms);
/*
 * If the system can: the socket is writable only while fewer bytes than this are unsent.
 * Returns whether it can.
 */
bool net_unsent(int fd, unsigned bytes);
/* Whether the system has sent all that was written; true where it cannot tell. */
bool net_sent(int fd);
/* A close, also that of a process that is killed, sends a reset; or, as usual, it does not. */
void net_abort(int fd);
void net_part(int fd);
/* So that a peer that is gone is noticed some day. */
void net_keepalive(int fd);

/* The connection's congestion control; false: the system offers no choice. */
bool net_congestion_of(int fd, char name[NET_CONGESTION]);
/* `name' is the default; returns whether `other' differs from it and may be chosen. */
bool net_congestion_usual(const char *other, char name[NET_CONGESTION]);
int net_congestion(int fd, const char *name);
/* Whether the system has this congestion control; if not, why lists those it has. */
bool net_congestion_known(const char *name, char why[NET_WHY]);

/* Counted since the connection began, in microseconds and packets, unless it says bytes. */
struct net_info {
	uint32_t rtt_us;		/* smoothed */
	uint32_t least_rtt_us;
	uint32_t mss;
	uint32_t window;		/* congestion window */
	bool slow_start;
	uint32_t sent;			/* packets with payload, retransmissions too */
	uint32_t retransmissions;	/* the retransmissions among them */
	uint64_t busy_us;		/* time with data in flight */
	uint64_t receiver_us;		/* part of that: the receiver's window was full */
	uint64_t buffer_us;		/* part of that: the send buffer was full */
	uint64_t unacked;		/* bytes that the peer's kernel has not acknowledged */
};

/* What the system tells of a connection; zeros for what it does not tell. */
void net_info(int fd, struct net_info *info);

/* Sets the pieces of a message; the type of their number differs between systems. */
static inline void
net_pieces(struct msghdr *msg, struct iovec *iov, unsigned n)
{
	msg->msg_iov = iov;
	msg->msg_iovlen = 0;
	while (n-- > 0)
		msg->msg_iovlen++;
}

/* This errno says that the connection is lost; any other, that the call was wrong. */
bool net_lost(int error);

/*
 * The origin of a caller with this name, the same for all addresses that one host
 * can easily have: its IPv4 address, or the /64 network of its IPv6 address.
 */
uint64_t net_origin(const char *name);

/* fd has bytes to read, its end of file or an error. */
bool net_readable(int fd);

#endif
