/*
 * worker.c and greeting.c, a piece of a leg's life at a time.
 */
#include "../greeting.c"
#include "../worker.c"

#include <stdlib.h>

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
	greeting_forget(leg);
	close(leg->fd);
	leg->fd = -1;
	leg_busy(leg->session, false);
	leg_move(leg, LEG_PARKED);
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
	struct hello hello;

	if (!leg_handed(leg->session, leg, &hello))
		return false;
	leg_move(leg, LEG_GREETING);
	leg->incarnation = hello.incarnation;
	leg->path = hello.path;
	if (greeting_answer(leg, &hello))
		return go(leg);
	hang_up(leg);
	return false;
}

bool
inside_leg_greet(struct leg *leg, int fd, struct hello *hello)
{
	unsigned timeout_ms, again_ms;
	uint64_t again_ns;

	if (!dial_choose(leg->session, leg, &timeout_ms, &again_ms, &again_ns))
		return false;
	leg_stir(leg);
	leg->fd = fd;
	leg->addresses = 1;
	leg->address = 0;
	leg->denied = 0;
	leg_busy(leg->session, true);
	leg_move(leg, LEG_GREETING);
	if (dial_hello(leg->session, leg, hello))
		return true;
	dial_over(leg->session, leg);
	hang_up(leg);
	return false;
}

bool
inside_leg_answered(struct leg *leg, const uint8_t answer[FRAME_GREETING],
    struct channel_pair *keys)
{
	struct dialogue d = { .proven = true };

	leg->keys = keys;
	memcpy(d.answer, answer, FRAME_GREETING);
	if (answered(leg, &d) != NULL) {
		hang_up(leg);
		return false;
	}
	begin(leg);
	return go(leg);
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

/* A handshake takes so long that one does for all connections: their keys are the same. */
static void
shake_hands(struct session *s, struct channel_pair *caller, struct channel_pair *listener)
{
	struct handshake *a = handshake_new(), *b = handshake_new();
	uint8_t said[FRAME_HELLO_SEALED], answer[FRAME_ANSWER], greeting[FRAME_GREETING];
	struct hello hello = { .role = ROLE_SENDER, .incarnation = 1, .window = 1u << 20,
		.frame = 4096, .heartbeat_ms = 1000, .known = handshake_known() };

	if (a == NULL || b == NULL ||
	    greeting_prepare(s, a) != 0 || greeting_prepare(s, b) != 0 ||
	    !handshake_call(a, &hello, said) || !handshake_hear(b, said, greeting) ||
	    !handshake_answer(b, greeting, answer) || !handshake_heard(a, answer, greeting))
		abort();
	handshake_channels(a, caller);
	handshake_channels(b, listener);
	handshake_free(a);
	handshake_free(b);
}

void
inside_keys(struct session *s, struct channel_pair **caller, struct channel_pair **listener)
{
	static struct channel_pair kept[2];
	static bool shaken;

	*caller = channel_pair_new();
	*listener = channel_pair_new();
	if (*caller == NULL || *listener == NULL)
		abort();
	if (!shaken)
		shake_hands(s, &kept[0], &kept[1]);
	shaken = true;
	**caller = kept[0];
	**listener = kept[1];
}

size_t
inside_seal(struct channel *c, const struct frame *frame, const uint8_t *payload, uint8_t *out)
{
	uint8_t head[FRAME_HEAD];

	frame_head_encode(frame, head);
	if (!channel_seal_head(c, out, head, sizeof(head)))
		abort();
	if (frame->length == 0)
		return FRAME_HEAD_SEALED;
	if (!channel_body(c, frame->length))
		abort();
	aead_seal(&c->body, out + FRAME_HEAD_SEALED, payload, frame->length);
	aead_tag(&c->body, out + FRAME_HEAD_SEALED + frame->length);
	return FRAME_HEAD_SEALED + frame->length + FRAME_TAG;
}
