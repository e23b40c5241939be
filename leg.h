/*
 * leg: one of the connections that carry a session, with all that belongs to
 * it.  worker.c runs it; outflow.c and inflow.c move its octets; tx.c and rx.c
 * know it by its number and wake it.
 *
 * Key: [I] immutable once the thread runs, [t] the leg's own thread only,
 * [s] under the session's lock, [a] atomic.
 */
#ifndef LEG_H
#define LEG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth.h"
#include "chaos.h"
#include "frame.h"
#include "inflow.h"
#include "net.h"
#include "outflow.h"
#include "pulse.h"
#include "tunnel.h"
#include "wake.h"

struct session;
struct tx;
struct rx;

/*
 * The life of a leg.  The caller's side dials; the listener's is handed
 * connections that have said a valid HELLO.
 *
 *	from		to		when
 *	PARKED		DIALLING	a path wants it (caller)
 *	PARKED		GREETING	a connection was handed over (listener)
 *	DIALLING	GREETING	connected
 *	DIALLING	PARKED		no address answered
 *	GREETING	UP		WELCOME was received, or is sent
 *	GREETING	PARKED		refused, or no answer in time
 *	UP		PARTING		the session ends, or the leg goes home: last
 *					words are sent
 *	UP		PARKED		reset, silent, broken rules, replaced
 *	PARTING		PARKED		end of file, or a second is over
 *	PARKED		OVER		the session is over
 */
enum leg_state {
	LEG_PARKED,
	LEG_DIALLING,
	LEG_GREETING,
	LEG_UP,
	LEG_PARTING,
	LEG_OVER
};

/* What a leg has to say or do next; set by any thread, taken by its own. */
#define DUE_STATUS	0x01u	/* of this leg */
#define DUE_STATUS_ALL	0x02u	/* of all legs */
#define DUE_REPLY	0x04u	/* a heartbeat is to be answered */
#define DUE_DONE	0x08u
#define DUE_FAIL	0x10u
#define DUE_BYE		0x20u
#define DUE_PART	0x40u	/* then shut down, read to the end, close */
#define DUE_CLOSE	0x80u	/* replaced by its newer self: close now */
#define DUE_HOME	0x100u	/* its own path is back: finish here and dial it */

struct leg {
	struct session *session;	/* [I] */
	struct tx *tx;			/* [I] or NULL: no stream goes out here */
	struct rx *rx;			/* [I] or NULL: no stream comes in here */
	unsigned number;		/* [I] */
	unsigned home;			/* [s] caller: the path it belongs to */
	struct wake wake;
	atomic_uint due;		/* [a] DUE_ bits */
	atomic_int state;		/* [a] enum leg_state; [t] changes it */
	bool running;			/* [s] its thread was started */

	/* The listener's next connection for this leg; -1 = none. */
	int pending_fd;			/* [s] owned by the leg */
	struct hello pending;		/* [s] */
	struct auth_talk pending_talk;	/* [s] */
	char pending_name[NET_NAME];	/* [s] */
	uint32_t newest;		/* [s] highest incarnation seen or used */
	uint64_t joined_ns;		/* [s] listener: begin of the second in which it */
	unsigned joins;			/* [s] joined so often */

	int fd;				/* [t] owned; -1 while there is none */
	struct tunnel tunnel;		/* [t] caller: that it goes through, if it does */
	struct lookup lookup;		/* [t] caller: what its path's name means */
	char name[NET_NAME];		/* [t] the peer's address */
	unsigned path;			/* [t] the path in use, by the caller's count */
	bool dialling;			/* [s] caller: counted as such on that path */
	unsigned address;		/* [t] caller: address of the name to begin with */
	unsigned addresses;		/* [t] caller: how many it had at the last dial */
	uint32_t denied;		/* [t] caller: those where nobody listened then */
	uint32_t incarnation;		/* [t] */
	bool checked;			/* [t] payloads of the stream have checks */
	bool keyed;			/* [t] every frame has a MAC, by these: */
	struct auth_way says, hears;	/* [t] wiped when the connection ends */
	uint64_t up_ns;			/* [t] since when */
	bool carried;			/* [t] the receiver has some of the stream by it */
	bool leaving;			/* [t] closes on purpose, by our word or the peer's */
	uint64_t part_ns;		/* [t] parting ends then */
	uint64_t control_ns;		/* [t] begin of the second in which these came: */
	unsigned controls;		/* [t] control frames */
	uint64_t random;		/* [t] state of its own jitter */
	struct pulse pulse;		/* [t] */
	struct outflow out;		/* [t] */
	struct inflow in;		/* [t] */
	struct chaos_leg chaos;		/* [t] */
	unsigned chaos_now;		/* [t] a fault that is to happen now, CHAOS_ bit */
	uint64_t tuned_ns;		/* [t] when the socket was tuned last */

	/* For reports; written by the leg's thread. */
	atomic_ullong frames;		/* [a] of the stream */
	atomic_ullong octets;		/* [a] of the stream */
	atomic_uint redials;		/* [a] */
	atomic_uint resent;		/* [a] frames that went again, or had come before */
	atomic_uint path_shown;		/* [a] */
	atomic_uint rtt_us;		/* [a] */
	atomic_uint retransmissions;	/* [a] the kernel's */
};

/* Add DUE_ bits and wake the leg's thread. */
static inline void
leg_due(struct leg *leg, unsigned due)
{
	atomic_fetch_or(&leg->due, due);
	wake_signal(&leg->wake);
}

#endif
