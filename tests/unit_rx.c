/*
 * What rx tells the sender through which leg, with legs that are no connections: what
 * was delivered is told again when the leg that told it goes, by another that is woken.
 */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "../leg.h"
#include "../rx.h"
#include "../sys/clock.h"
#include "check.h"

#define PACE	((uint64_t)10 * SECOND)

static struct leg legs[2];
static struct rx *rx;
static int out[2];
static bool failed;

static void
owned(void *cookie)
{
	(void)cookie;
}

static void
owned_done(void *cookie, uint64_t total, uint64_t digest)
{
	(void)cookie;
	(void)total;
	(void)digest;
}

static void
owned_failed(void *cookie, enum failure reason, const char *text)
{
	(void)cookie;
	(void)reason;
	(void)text;
	failed = true;
}

static void
setup(void)
{
	struct half_owner owner = { NULL, owned, owned, owned_done, owned_failed };
	unsigned i;

	CHECK(pipe(out) == 0);
	rx = rx_new(&owner, NULL, out[1]);
	CHECK(rx != NULL);
	rx_agree(rx, 1u << 20, 1u << 16, false);
	for (i = 0; i < 2; i++) {
		memset(&legs[i], 0, sizeof(legs[i]));
		legs[i].number = i;
		legs[i].incarnation = 1;
		CHECK(wake_init(&legs[i].wake) == 0);
		rx_join(rx, &legs[i]);
		/* STATUS follow each other slowly, but for what is urgent. */
		rx_pace(rx, &legs[i], PACE, PACE);
	}
	CHECK(rx_start(rx) == 0);
}

static bool
woken(struct leg *leg)
{
	struct pollfd p = { .fd = wake_fd(&leg->wake), .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* [seq, end) comes over this leg, and is read back. */
static void
come(struct leg *leg, uint64_t seq, uint64_t end)
{
	static char back[1u << 16];
	struct rx_grant grant = { .seq = seq, .end = end, .direct = RX_BUFFERED };
	struct reassembly_buffer *buffer;
	size_t n = (size_t)(end - seq);
	struct rx_state state;

	CHECK(rx_admit(rx, leg, &grant) == NULL);
	buffer = rx_buffer(rx, leg, seq, n);
	CHECK(buffer != NULL);
	memset(buffer->data, 'x', n);
	CHECK(rx_store(rx, leg, seq, end, buffer) == NULL);
	while (n > 0)
		n -= (size_t)read(out[0], back, n);
	do
		rx_state(rx, &state);
	while (state.delivered < end);
}

/* Sends what is due on a leg; the bytes that it says were delivered. */
static uint64_t
tell(struct leg *leg)
{
	struct status status;

	CHECK(rx_status_due(rx, leg, clock_now_ns() + 2 * PACE) == 0);
	rx_status(rx, leg, &status);
	return status.delivered;
}

static bool
owes(struct leg *leg)
{
	return rx_status_due(rx, leg, clock_now_ns()) != UINT64_MAX;
}

int
main(void)
{
	setup();
	come(&legs[0], 0, 1000);
	come(&legs[1], 1000, 3000);
	CHECK(tell(&legs[0]) == 3000);
	CHECK(tell(&legs[1]) == 3000);
	CHECK(!owes(&legs[0]) && !owes(&legs[1]));
	wake_clear(&legs[0].wake);

	/* What the last one told may have been lost with it. */
	CHECK(rx_part(rx, &legs[1]));
	CHECK(woken(&legs[0]));
	CHECK(tell(&legs[0]) == 3000);
	CHECK(!owes(&legs[0]));

	/* A leg that told less has nothing that the other has not told since. */
	legs[1].incarnation = 2;
	rx_join(rx, &legs[1]);
	come(&legs[0], 3000, 4000);
	CHECK(tell(&legs[0]) == 4000);
	come(&legs[1], 4000, 5000);
	CHECK(tell(&legs[1]) == 5000);
	wake_clear(&legs[1].wake);
	CHECK(rx_part(rx, &legs[0]));
	CHECK(!woken(&legs[1]));

	/* The last one leaves nobody to wake; the next one that joins tells. */
	CHECK(rx_part(rx, &legs[1]));
	legs[0].incarnation = 2;
	rx_join(rx, &legs[0]);
	CHECK(tell(&legs[0]) == 5000);
	CHECK(!owes(&legs[0]));
	CHECK(!failed);
	return check_done();
}
