/*
 * state: the names of states.  See state.h.
 */
#include "state.h"

const char *
state_session(enum session_state state)
{
	static const char *const name[] = {
		"contact", "running", "suspended", "closing", "over"
	};

	return name[state];
}

const char *
state_leg(enum leg_state state)
{
	static const char *const name[] = {
		"parked", "dialling", "greeting", "up", "draining", "over"
	};

	return name[state];
}
