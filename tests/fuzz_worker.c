/*
 * worker.c, a piece of a leg's life at a time.
 */
#include "../worker.c"

#include "fuzz_inside.h"

static struct round rounds[FRAME_LEGS];

void *
inside_leg_thread(void *argument)
{
	struct leg *leg = argument;

	return leg->session->caller ? dialler(leg) : called(leg);
}

static void
hang_up(struct leg *leg)
{
	wipe_keys(leg);
	close(leg->fd);
	leg->fd = -1;
	session_leg_busy(leg->session, false);
	state_move(leg, LEG_PARKED);
}

static bool
go(struct leg *leg)
{
	rounds[leg->number] = (struct round){ .in = INFLOW_MORE };
	if (go_up(leg, 0))
		return true;
	hang_up(leg);
	return false;
}

bool
inside_leg_serve(struct leg *leg)
{
	struct auth_talk talk;
	struct hello hello;

	if (!take_pending(leg, &hello, &talk))
		return false;
	state_move(leg, LEG_GREETING);
	leg->incarnation = hello.incarnation;
	leg->path = hello.path;
	leg->checked = session_checked(leg->session);
	if (welcome(leg, &hello, &talk))
		return go(leg);
	hang_up(leg);
	return false;
}

bool
inside_leg_greet(struct leg *leg, int fd, struct hello *hello)
{
	unsigned patience_ms, again_ms;
	uint64_t again_ns;

	if (!session_place(leg->session, leg, &patience_ms, &again_ms, &again_ns))
		return false;
	stir(leg);
	leg->fd = fd;
	leg->addresses = 1;
	leg->address = 0;
	leg->denied = 0;
	session_leg_busy(leg->session, true);
	state_move(leg, LEG_GREETING);
	if (session_hello(leg->session, leg, hello))
		return true;
	session_unwelcome(leg->session, leg);
	hang_up(leg);
	return false;
}

bool
inside_leg_answered(struct leg *leg, const uint8_t answer[FRAME_GREETING])
{
	struct dialogue d = { .proven = true };

	auth_talk_init(&d.talk);
	memcpy(d.answer, answer, FRAME_GREETING);
	if (answered(leg, &d) != NULL) {
		hang_up(leg);
		return false;
	}
	outflow_init(&leg->out);
	leg->checked = session_checked(leg->session);
	if (take_keys(leg, &d.talk, AUTH_CALLER))
		return go(leg);
	hang_up(leg);
	return false;
}

const char *
inside_leg_round(struct leg *leg)
{
	const char *why = carry_round(leg, &rounds[leg->number]);

	if (why != NULL) {
		go_down(leg, why);
		hang_up(leg);
	}
	return why;
}
