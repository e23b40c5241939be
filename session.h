/*
 * session: the state that the files of a session share: what the two ends have
 * agreed on, whether any leg is up, and how the session ends.
 *
 *	session.c	the states; the agreement
 *	leg.c		legs that come up and go down
 *	dial.c		the caller's side
 *	admit.c		the listener's side
 *	outcome.c	how it ends
 *	supervise.c	the main thread: an absent peer, the number of legs
 *
 * The functions of session.c block only for the session's lock.  state.h has the
 * table of the states.
 *
 * The outcome is decided once and never changes: done, or failed with a reason.
 * The sender learns "done" only from the receiver.  Where both ends send (duplex) each
 * is both: an end is done when its consumer has all that came, which it tells the peer
 * with DONE, and when the peer's DONE has come.  Its BYE says that, so no end goes
 * before the other has what it waits for, and a BYE follows a DONE on the same leg.
 *
 * How long a session waits for an absent peer depends on the cause.  Silence (a leg
 * that died of it, a dial without an answer) means that the network is down: the
 * session waits for `timeout'.  But if the other end closed every connection, and
 * the peer no longer calls (listener) or every dial is refused or closed at once
 * (caller), the peer's process seems to be gone: the session waits for `linger', as
 * something on the path may have closed them and the peer may come back.  `linger' is
 * agreed on, and is also how long either end keeps its outcome for an absent peer:
 * until the peer has it, or for that time since the outcome and since the last leg was
 * up.  A receiver that has the whole stream needs only its consumer: no absence of the
 * peer is a failure then.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "chaos.h"
#include "core/path.h"
#include "direction.h"
#include "frame.h"
#include "key.h"
#include "options.h"
#include "report/events.h"
#include "sys/lock.h"
#include "sys/log.h"

struct command;
struct leg;
struct mux;
struct rx;
struct ssh;
struct tx;

/* [I] immutable after start, [s] under lock, [a] atomic. */
struct session {
	const struct options *options;	/* [I] */
	bool sends;			/* [I] this end sends a stream */
	bool receives;			/* [I] this end receives one */
	bool caller;			/* [I] this end dials, the other listens */
	struct chaos_spec chaos;	/* [I] */
	struct key key;			/* see key.h */
	struct tx *tx;			/* [I] the half that sends, or NULL */
	struct rx *rx;			/* [I] the half that receives, or NULL */
	struct ssh *ssh;		/* [I] that connects the two sides, or NULL */
	struct command *command;	/* [I] at this end of the stream, or NULL */
	struct mux *mux;		/* [I] what the streams are made of, or NULL */
	unsigned legs;			/* [I] numbers below this are in use */
	unsigned most;			/* [I] listener: most connections of legs; 0 = no limit */
	struct leg *leg[FRAME_LEGS];	/* [I] */
	struct lock lock;
	/*
	 * The state below has changed.  Signalled by every change; the main thread
	 * waits for any change, a leg before its HELLO waits for `greeter'.
	 */
	struct lock_cond changed;
	enum session_state state;	/* [s] session_move_locked changes it */
	enum session_state logged;	/* [s] the last that was logged */
	uint8_t id[FRAME_ID];		/* [s] caller: [I] */
	uint8_t instance[FRAME_ID];	/* [s] listener: [I] */
	bool bound;			/* [s] the peer is known */
	bool unconfirmed;		/* [s] listener: by an early HELLO alone, see admit.h */
	int greeter;			/* [s] the leg that does the first handshake; -1 = none */
	uint64_t greeter_ns;		/* [s] since when */
	uint64_t greeter_max_ns;	/* [s] another leg may take over after this long */
	struct direction direction;	/* [s] of the stream */
	uint64_t timeout_ns;		/* [s] agreed; 0 = never */
	uint64_t linger_ns;		/* [s] agreed; 0 = not at all */
	uint64_t heartbeat_ns;		/* [I] ours */
	struct paths paths;		/* [s] caller */
	bool piped;			/* [s] the leg with ssh's own connection is up */
	uint64_t line_ns;		/* [s] caller: when that may be begun again */
	char barred[320];		/* [s] why a login was refused; "" = none was */
	bool shared;			/* [s] dial_shares was used */
	bool spare;			/* [s] the use of the reserve was logged */
	unsigned up;			/* [s] legs that are up */
	unsigned busy;			/* [s] legs that have a connection */
	uint64_t rest_ns;		/* [s] when a leg last lost its connection */
	uint64_t start_ns;		/* [I] */
	uint64_t down_ns;		/* [s] since when no leg is up */
	uint64_t longest_ns;		/* [s] longest outage */
	uint64_t seen_ns;		/* [s] when a leg last came up or went down */
	bool closed;			/* [s] since then the peer closed or refused a leg */
	uint64_t refused_ns;		/* [s] caller: since when every dial is refused; 0 = not */
	/* [s] when a leg or dial last ended in silence; 0 = a leg was alive after that */
	uint64_t silent_ns;
	uint64_t losses;		/* [s] total legs that went down */
	unsigned outages;		/* [s] times without any leg that are over */
	uint64_t contact_ns;		/* [s] when the first leg came up; 0 = none has yet */
	uint64_t outcome_ns;		/* [s] when the outcome was decided; 0 = it is not */
	bool confirmed;			/* [s] the peer has all that this end sends */
	uint64_t taken_ns;		/* [s] when the consumer had all that came; 0 = not yet */
	uint64_t came;			/* [s] set before PENDING_DONE in `pending', then [I] */
	int command_status;		/* [s] with run: likewise, or what the peer's DONE said */
	struct events events;		/* of legs, for the report */
	atomic_ullong progress_ns;	/* [a] last progress, or when none was due */
	unsigned pending;		/* [s] what every leg has to send, PENDING_ bits */
	int status;			/* [s] the exit status */
	int signal;			/* [s] the signal that ends us, or 0 */
	struct fail fail;		/* [s] set before PENDING_FAIL in `pending', then [I] */
	uint64_t closing_ns;		/* [s] when CLOSING ends at the latest */
	uint64_t keep_ns;		/* [s] or this long after the last leg was up; 0 = not */
	bool released;			/* [s] the peer has the outcome */
	bool given;			/* [s] ssh has our last frames, and takes them there */
	struct refuse refusal;		/* [s] the last one received */
};

/* Initialises what both sides need; 0, or -1 with errno.  The caller sets halves and legs. */
int session_init(struct session *s, const struct options *options);
/*
 * The paths are known, and time begins to count: session_init does that, too, but where
 * ssh has to say first where the remote side listens.
 */
void session_begin(struct session *s);

/* A caller's legs below this number could be started. */
void session_has_legs(struct session *s, unsigned legs);

/* The stream made progress, or none is due. */
void session_progress(struct session *s);
/* The source has ended. */
void session_finished(struct session *s);

bool session_over(struct session *s);
/* There is an outcome. */
bool session_decided(struct session *s);
/* This end has all that came. */
bool session_taken(struct session *s);
/* A leg that is not up yet is no longer needed. */
bool session_needless(struct session *s);
/* Whether payloads of the stream have checks; valid when the peer is known. */
bool session_checked(struct session *s);

/* Whether this is the id of the session that is bound. */
bool session_knows(struct session *s, const uint8_t id[FRAME_ID]);

/*
 * Its lock.  session_unlock also logs a change of the state, after it has released the
 * lock.
 */
void session_lock(struct session *s);
void session_unlock(struct session *s);

/* The agreement */

/* What this end does, and what its peer must do. */
enum role session_role(const struct session *s);
enum role session_peer_role(const struct session *s);
/* For messages, in one word: "sender"; where both ends send, "caller". */
const char *session_text(const struct session *s);
const char *session_peer_text(const struct session *s);

/* What a greeting says of the name of the transfer. */
void session_name(const struct session *s, uint8_t name[FRAME_NAME]);
/* The features that a stream requires. */
uint32_t session_features(const struct direction *d);
/* The peer is known: agrees on window, frame, timeout and linger with its HELLO or WELCOME. */
void session_agree_locked(struct session *s, const struct hello *theirs);
/*
 * Makes the WELCOME to a HELLO; d is what holds for the stream if it is accepted.
 * For a leg whose connection was handed over, or, with a key, before that.
 */
void session_welcome_locked(const struct session *s, const struct direction *d,
    const struct hello *hello, struct hello *welcome);

/* For outcome.c, dial.c, admit.c and supervise.c, under the session's lock. */

/* The one place where the state changes; ignores a change that is not in the table. */
void session_move_locked(struct session *s, enum session_state to);
/* Moves to CLOSING, which lasts `ns' at most. */
void session_close_locked(struct session *s, uint64_t ns);
/* Everything was sent; no more legs are needed. */
bool session_needless_locked(const struct session *s);

#endif
