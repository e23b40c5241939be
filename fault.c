/*
 * fault: what chaos asks for, done to a leg.  See fault.h; runs in the leg's
 * thread.
 */
#ifdef __linux__
#define _GNU_SOURCE	/* POLLRDHUP */
#endif
#include "fault.h"

#include <poll.h>
#include <time.h>

#include "leg.h"
#include "rx.h"
#include "session.h"
#include "sys/clock.h"

/* Neither read nor write until the peer has given up, or all is over. */
static void
stall(struct leg *leg)
{
#ifdef POLLRDHUP
	short events = POLLRDHUP;
#else
	short events = 0;
#endif
	struct pollfd p[2] = {
		{ .fd = leg->fd, .events = events },
		{ .fd = wake_fd(&leg->wake), .events = POLLIN }
	};
	uint64_t end = clock_now_ns() + 20 * leg->session->heartbeat_ns, now;

	if (leg->rx != NULL)
		rx_leave(leg->rx, leg);
	while ((now = clock_now_ns()) < end && (atomic_load(&leg->pending) & PENDING_CLOSE) == 0 &&
	    !session_over(leg->session)) {
		poll(p, 2, clock_poll_ms(end, now));
		if (p[0].revents != 0)
			break;
		if (p[1].revents != 0)
			wake_clear(&leg->wake);
	}
}

const char *
fault_act(struct leg *leg)
{
	unsigned kind = leg->chaos.pending;
	struct timespec ts = { 0 };

	leg->chaos.pending = 0;
	switch (kind) {
	case CHAOS_RESET:
		net_abort(leg->fd);
		return "chaos: reset";
	case CHAOS_CLOSE:
		return "chaos: closed";
	case CHAOS_STALL:
		stall(leg);
		return "chaos: stalled";
	case CHAOS_DELAY:
		ts.tv_nsec = (long)chaos_delay_ms(&leg->chaos) * 1000000;
		nanosleep(&ts, NULL);
		return NULL;
	default:
		return NULL;
	}
}
