/*
 * session: what the two ends agree on, whether the network is there, and how
 * it ends.
 *
 * The main thread makes it and waits in session_run until it is over; legs,
 * halves and the listener tell it what happened.  No call but session_run
 * blocks longer than a lock is held.  Lock order: the session's lock, then tx's
 * or rx's, which are leaves: neither is held when the session is called.
 *
 *	from		to		when
 *	CONTACT		RUNNING		the first leg is up
 *	CONTACT		CLOSING		refused, no contact within `wait', failure
 *	RUNNING		SUSPENDED	the last leg went down
 *	SUSPENDED	RUNNING		a leg is up again
 *	RUNNING, SUSPENDED	CLOSING	there is a verdict
 *	CLOSING		OVER		the peer has it, or time is up
 *
 * The verdict is said once and never changes: done, or failed with a reason.
 * The sender learns "done" from the receiver only.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "auth.h"
#include "chaos.h"
#include "events.h"
#include "frame.h"
#include "leg.h"
#include "lock.h"
#include "log.h"
#include "options.h"
#include "path.h"

struct command;
struct rx;
struct ssh;
struct tx;

enum session_state {
	SESSION_CONTACT,
	SESSION_RUNNING,
	SESSION_SUSPENDED,
	SESSION_CLOSING,
	SESSION_OVER
};

enum session_verdict { VERDICT_NONE, VERDICT_DONE, VERDICT_FAILED };

/* [I] immutable after start, [s] under lock, [a] atomic. */
struct session {
	const struct options *options;	/* [I] */
	bool sender;			/* [I] */
	bool caller;			/* [I] this end dials, the other listens */
	struct chaos_spec chaos;	/* [I] */
	struct auth auth;		/* what it says of itself */
	struct tx *tx;			/* [I] the sender's half */
	struct rx *rx;			/* [I] the receiver's half */
	struct ssh *ssh;		/* [I] between the two sides, or NULL */
	struct command *command;	/* [I] at this end of the stream, or NULL */
	unsigned legs;			/* [I] numbers below this are in use */
	struct leg *leg[FRAME_LEGS];	/* [I] */
	struct lock lock;
	/*
	 * Whatever below changed.  Signalled by every change; the main thread
	 * waits for all of it, a leg that is to greet waits for `greeter'.
	 */
	struct lock_cond changed;
	enum session_state state;	/* [s] */
	uint8_t id[FRAME_ID];		/* [s] caller: [I] */
	uint8_t instance[FRAME_ID];	/* [s] listener: [I] */
	bool bound;			/* [s] the peer is known */
	int greeter;			/* [s] the leg that greets first; -1 = none */
	uint64_t greeter_ns;		/* [s] since when */
	uint64_t greeter_most_ns;	/* [s] another leg may take over after this long */
	uint64_t wish;			/* [I] our window, before anything is agreed */
	uint64_t window;		/* [s] agreed, with the next four */
	uint32_t frame;
	bool checked;
	uint64_t timeout_ns;		/* 0 = never */
	uint64_t heartbeat_ns;		/* [I] ours */
	struct paths paths;		/* [s] caller */
	unsigned up;			/* [s] legs that are up */
	unsigned busy;			/* [s] legs that have a connection */
	uint64_t start_ns;		/* [I] */
	uint64_t down_ns;		/* [s] since when no leg is up */
	uint64_t longest_ns;		/* [s] longest outage */
	uint64_t losses;		/* [s] legs that went down, in all */
	unsigned outages;		/* [s] times that none was up, and is over */
	uint64_t contact_ns;		/* [s] when the first leg was up; 0 = never yet */
	uint64_t verdict_ns;		/* [s] when there was one; 0 = there is none */
	struct events events;		/* of legs, for the report */
	atomic_ullong progress_ns;	/* [a] last progress, or nothing was owed */
	unsigned due;			/* [s] what every leg has to say, DUE_ bits */
	enum session_verdict verdict;	/* [s] */
	int status;			/* [s] the exit status */
	int signal;			/* [s] that ends us, or 0 */
	struct fail fail;		/* [s] set before due has DUE_FAIL, then [I] */
	uint64_t total;			/* [s] with VERDICT_DONE */
	uint64_t digest;		/* [s] likewise */
	uint64_t closing_ns;		/* [s] CLOSING ends then at the latest */
	bool released;			/* [s] the peer has the verdict */
	struct refuse refusal;		/* [s] the last that was received */
};

/* What both need; 0, or -1 with errno.  Halves and legs are set by the caller. */
int session_init(struct session *s, const struct options *options);

/* Run until it is over; the exit status is in s->status then, s->signal set if one ended it. */
void session_run(struct session *s);

/* Verdicts; only the first counts. */
void session_done(struct session *s, uint64_t total, uint64_t digest);
void session_fail(struct session *s, enum failure reason, const char *format, ...)
    LOG_FORMAT(3, 4);
void session_fail_errno(struct session *s, enum failure reason, const char *what, int error);
/* The text is command_text's. */
void session_fail_command(struct session *s, const char *text);
void session_signal(struct session *s, int signal);
void session_peer_done(struct session *s, const struct done *done);
void session_peer_fail(struct session *s, const struct fail *fail);
void session_peer_bye(struct session *s);

/* The stream moved on, or nothing is owed. */
void session_progress(struct session *s);
/* The source has ended. */
void session_finished(struct session *s);

/*
 * Legs.  session_leg_up returns what the leg has to say first; rtt_ns is what
 * its greeting took, as far as it is known.
 */
unsigned session_leg_up(struct session *s, struct leg *leg, uint64_t rtt_ns);
void session_leg_down(struct session *s, struct leg *leg, const char *why);
/* A connection begins or ends, whether it gets up or not. */
void session_leg_busy(struct session *s, bool busy);
/* The peer read our last words to the end. */
void session_leg_parted(struct session *s);
bool session_over(struct session *s);
/* There is a verdict. */
bool session_decided(struct session *s);
/* A connection that does not stand yet is of no use any more. */
bool session_needless(struct session *s);
/* Payloads of the stream have checks; known when the peer is. */
bool session_checked(struct session *s);

/* How a dial failed. */
enum dial_end {
	DIAL_FAILED,
	DIAL_SLOW,		/* nobody answered in time */
	DIAL_DENIED		/* nobody listens at the leg's `denied' addresses */
};

/*
 * The caller's side of a dial.  session_place: as paths_choose; false with
 * *again_ns = 0 when the session is over.
 */
bool session_place(struct session *s, struct leg *leg, unsigned *patience_ms, unsigned *again_ms,
    uint64_t *again_ns);
void session_dial_failed(struct session *s, struct leg *leg, const char *why, enum dial_end end);
/* Fill a HELLO; waits until this leg may greet.  false: do not. */
bool session_hello(struct session *s, struct leg *leg, struct hello *hello);
/* The answer.  NULL: go on; otherwise why not.  *stale: dial again at once. */
const char *session_welcome(struct session *s, struct leg *leg, const struct hello *welcome);
/* proven: it is known that the peer said it, or nobody can know. */
const char *session_refused(struct session *s, struct leg *leg, const struct refuse *refuse,
    bool proven);
/* The dial or the greeting came to nothing, through nobody's fault. */
void session_unwelcome(struct session *s, struct leg *leg);

/*
 * The listener's side.  A valid HELLO came, and with a key its proof, after the
 * talk: true, and the connection is the leg's; or false and *refuse is the
 * answer.
 */
bool session_admit(struct session *s, const struct hello *hello, const struct auth_talk *talk,
    int fd, const char *name, struct refuse *refuse);
/* Whether this is the id of the session that is bound. */
bool session_knows(struct session *s, const uint8_t id[FRAME_ID]);
/* The WELCOME for a leg whose connection was handed over. */
void session_make_welcome(struct session *s, const struct hello *hello, struct hello *welcome);

#endif
