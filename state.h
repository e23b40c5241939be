/*
 * state: the states of a session and of its legs, and their names.
 */
#ifndef STATE_H
#define STATE_H

/*
 * The life of a session.
 *
 *	from		to		when
 *	CONTACT		RUNNING		the first leg is up
 *	CONTACT		CLOSING		refused, no contact within `wait', failure
 *	RUNNING		SUSPENDED	the last leg went down
 *	SUSPENDED	RUNNING		a leg is up again
 *	RUNNING, SUSPENDED	CLOSING	there is an outcome
 *	CLOSING		OVER		the peer has it, or time is up
 */
enum session_state {
	SESSION_CONTACT,
	SESSION_RUNNING,
	SESSION_SUSPENDED,
	SESSION_CLOSING,
	SESSION_OVER
};

/* Decided once, and never changed. */
enum session_outcome { OUTCOME_NONE, OUTCOME_DONE, OUTCOME_FAILED };

/*
 * The life of a leg.  The caller's side dials; the listener's thread hands over
 * connections that have sent a valid HELLO.
 *
 *	from		to		when
 *	PARKED		DIALLING	a path wants it (caller)
 *	PARKED		GREETING	a connection was handed over (listener)
 *	DIALLING	GREETING	connected
 *	DIALLING	PARKED		no address answered
 *	GREETING	UP		WELCOME was received, or is sent
 *	GREETING	PARKED		refused, or no answer in time
 *	UP		DRAINING	the session ends, or the leg leaves its path:
 *					its last frames are sent
 *	UP		PARKED		reset, silent, protocol broken, replaced
 *	DRAINING	PARKED		end of file, or a second is over
 *	PARKED		OVER		the session is over
 */
enum leg_state {
	LEG_PARKED,
	LEG_DIALLING,
	LEG_GREETING,
	LEG_UP,
	LEG_DRAINING,
	LEG_OVER
};

/* In one word, for logs and reports. */
const char *state_session(enum session_state state);
const char *state_leg(enum leg_state state);

#endif
