/*
 * leg: one of the connections that carry a session (MPTCP calls it a subflow), with
 * all that belongs to it.  worker.c runs it, greeting.c does its handshake, outflow.c
 * and inflow.c move its bytes, message.c handles its control frames; tx.c and rx.c
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

#include "chaos.h"
#include "core/liveness.h"
#include "frame.h"
#include "inflow.h"
#include "outflow.h"
#include "state.h"
#include "ssh/tunnel.h"
#include "sys/net.h"
#include "sys/wake.h"

struct channel_pair;
struct handshake;
struct session;
struct tx;
struct rx;

/* What a leg has to send or do next; set by any thread, taken by the leg's own. */
#define PENDING_STATUS	0x01u
#define PENDING_REPLY	0x04u	/* answer a heartbeat */
#define PENDING_DONE	0x08u
#define PENDING_FAIL	0x10u
#define PENDING_BYE	0x20u
#define PENDING_DRAIN	0x40u	/* then shut down, read to the end, close */
#define PENDING_CLOSE	0x80u	/* replaced by its next incarnation: close now */
#define PENDING_FAILBACK	0x100u	/* not needed on its path: finish, then leave it */
#define PENDING_ROOM	0x200u	/* its incomplete frame must free a buffer: close now */
#define PENDING_BEAT	0x400u	/* send a heartbeat now: its contents changed */

#define LEG_PIPED	(FRAME_LEGS - 1)	/* the number of the caller's that is piped */

/* What the end of a connection says about the peer. */
enum leg_end {
	LEG_END_OURS,		/* nothing: this end closed it, or the peer broke the protocol */
	LEG_END_CLOSED,		/* the peer, or something on the path, closed it */
	LEG_END_SILENT		/* nothing: the network is down */
};

/* A connection on its way from the listener to a leg. */
struct leg_handed {
	int fd;				/* -1 = none */
	struct hello hello;
	struct channel_pair *keys;	/* NULL: without a key */
	char name[NET_NAME];		/* the peer's address */
	bool piped;			/* it came through ssh's own pipe */
	bool early;			/* the caller's CONFIRM is still to come */
};

struct leg {
	struct session *session;	/* [I] */
	struct tx *tx;			/* [I] or NULL: this end sends no stream */
	struct rx *rx;			/* [I] or NULL: this end receives no stream */
	unsigned number;		/* [I] */
	unsigned preferred;		/* [s] caller: its preferred path */
	/* It has the connection of ssh itself.  [I] caller; listener: [t] of this connection */
	bool piped;
	struct wake wake;
	atomic_uint pending;		/* [a] PENDING_ bits */
	atomic_int state;		/* [a] enum leg_state; [t] changes it */
	bool running;			/* [s] its thread was started */

	/* The listener's next connection for this leg; fd and keys are owned by the leg. */
	struct leg_handed handed;	/* [s] */
	uint32_t newest;		/* [s] highest incarnation seen or used */
	uint64_t joined_ns;		/* [s] listener: when the second began in which */
	unsigned joins;			/* [s] it joined this often */

	int fd;				/* [t] owned; -1 while there is none */
	struct handshake *said;		/* [t] caller: of a HELLO sent already; or NULL */
	struct tunnel tunnel;		/* [t] caller: the tunnel it uses, if any */
	struct lookup lookup;		/* [t] caller: the addresses of its path's name */
	char name[NET_NAME];		/* [t] the peer's address */
	/*
	 * The path in use, by the caller's count.  Only the leg's own thread changes it,
	 * and may read it at any time; a caller's leg changes it under the session's
	 * lock, under which the main thread reads it.
	 */
	unsigned path;
	bool dialling;			/* [s] caller: counted in that path's `dialling' */
	unsigned address;		/* [t] caller: which address of the name to try first */
	unsigned addresses;		/* [t] caller: how many there were at the last dial */
	uint32_t denied;		/* [t] caller: those where nothing listened then */
	unsigned segment;		/* [t] caller: largest TCP segment; 0 = the usual */
	bool unanswered;		/* [t] caller: some address did not answer then */
	uint32_t incarnation;		/* [t] */
	char control[NET_CONGESTION];	/* [t] the connection's own congestion control */
	bool other;			/* [t] it uses CONTROL_OTHER instead */
	bool checked;			/* [t] payloads of the stream have checks */
	/* [t] every frame is sealed with these; NULL: none is; freed with the connection */
	struct channel_pair *keys;
	uint64_t up_ns;			/* [t] when it came up */
	bool prompt;			/* [t] its socket is writable only if all was sent */
	unsigned owed;			/* [t] PENDING_ bits of frames that repeat, unsent yet */
	uint64_t thin_rate;		/* [t] caller: a thin path's, bytes a second, or 0 */
	bool shown;			/* [t] caller: it is known to have carried something */
	bool barren;			/* [t] caller: it carried nothing of what was due */
	bool carried;			/* [t] it brought the receiver some of the stream */
	bool brought;			/* [t] or its previous incarnation did */
	bool early;			/* [t] it came up before the caller's CONFIRM */
	bool leaving;			/* [t] LEAVE was sent or received: it closes on purpose */
	bool left;			/* [t] LEAVE was received */
	bool parting;			/* [t] LEAVE was sent with nothing in flight */
	enum leg_end end;		/* [t] how its connection ended */
	uint64_t drain_ns;		/* [t] when draining ends */
	uint64_t control_ns;		/* [t] when the second began in which came */
	unsigned controls;		/* [t] this many control frames */
	uint64_t random;		/* [t] state of its random numbers */
	struct liveness liveness;	/* [t] */
	struct outflow out;		/* [t] */
	struct inflow in;		/* [t] */
	struct chaos_leg chaos;		/* [t] */
	uint64_t tuned_ns;		/* [t] when the socket was last tuned */

	/* For reports; written by the leg's thread. */
	atomic_ullong frames;		/* [a] of the stream */
	atomic_ullong bytes;		/* [a] of the stream */
	atomic_uint redials;		/* [a] */
	atomic_uint resent;		/* [a] frames sent, or received, again */
	atomic_uint path_shown;		/* [a] */
	atomic_uint rtt_us;		/* [a] */
	atomic_uint retransmissions;	/* [a] the kernel's */
};

/* A new parked leg; owned by the session, for the life of the process.  NULL with errno. */
struct leg *leg_new(struct session *session, unsigned number);
/* The one place where its state changes; its own thread only. */
void leg_move(struct leg *leg, enum leg_state to);
/* Sets the listener's next connection, replacing one that waits; under the session's lock. */
void leg_hand_over_locked(struct leg *leg, const struct leg_handed *handed);
/* Makes leg->random the next random number; its own thread only. */
void leg_stir(struct leg *leg);
/* What an error of the connection says about the peer. */
enum leg_end leg_end_by(int error);

/*
 * The legs of a session.  Their own threads call, and the main thread legs_failback.
 * leg_up returns the PENDING_ bits of what the leg has to send first; rtt_ns is the
 * round trip of its handshake, 0 if unknown.
 */
unsigned leg_up(struct session *s, struct leg *leg, uint64_t rtt_ns);
void leg_down(struct session *s, struct leg *leg, const char *why);
/*
 * Takes the connection that the listener handed over to this leg, with its HELLO, and
 * does what leg_busy does.  false: there is none.
 */
bool leg_handed(struct session *s, struct leg *leg, struct hello *hello);
/* The caller's CONFIRM came after the leg was up. */
void leg_confirmed(struct session *s);
/* A leg's connection begins or ends, whether or not the leg came up. */
void leg_busy(struct session *s, bool busy);
/*
 * The peer, a sender that was called, wants `legs' legs on this leg's path; 0 = it did
 * not say.
 */
void leg_wanted(struct session *s, const struct leg *leg, unsigned legs);
/* Something of the stream was carried: the leg's path works.  Its caller tells, once. */
void leg_carried(struct session *s, const struct leg *leg);
/* The peer has read our last frames. */
void leg_drained(struct session *s);
/* Our last frames are ssh's, which brings them to the peer when we are gone, too. */
void leg_given(struct session *s);

/*
 * Makes legs that are not needed on their path leave it, one at a time: those whose
 * preferred path is back, and the last leg of a path that has too many.
 */
void legs_failback(struct session *s, uint64_t now);

/* Under the session's lock. */

/* Every leg, and each that joins later, has to send this. */
void legs_say_locked(struct session *s, unsigned pending);
/* Every leg that is up has to send this. */
void legs_up_say_locked(struct session *s, unsigned pending);
/* The number of legs wanted may have changed: wakes the parked legs. */
void legs_nudge_locked(struct session *s);
/* A leg's dial ended, if it was dialling. */
void leg_dial_over_locked(struct session *s, struct leg *leg);
/*
 * This leg's path is the reserve, and no other path has a leg: whether that is news,
 * which legs_tell_spare logs, with no lock held.
 */
bool legs_spare_locked(struct session *s, const struct leg *leg);
void legs_tell_spare(const struct session *s, const struct leg *leg);
/* No leg has a connection, or is about to have one. */
bool legs_at_rest_locked(const struct session *s);

/* Adds PENDING_ bits and wakes the leg's thread. */
static inline void
leg_pending(struct leg *leg, unsigned pending)
{
	atomic_fetch_or(&leg->pending, pending);
	wake_signal(&leg->wake);
}

#endif
