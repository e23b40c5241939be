/*
 * The sender's window, call by call: what may be read, what is cut for which
 * leg in which order, what the receiver's words change, and which of them are
 * refused.  simulation.c drives it through whole transfers; here are its
 * contract, its limits, a hostile receiver, and the end of memory.
 */
#include <sys/resource.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "../core/window.h"
#include "core/time.h"

#define KIB	((uint64_t)1 << 10)
#define MIB	((uint64_t)1 << 20)
#define FAR	(UINT64_MAX / 2)	/* more credit than anybody has */

static struct window w;
static uint64_t newly_acked;
static bool failed;

#define SOUND()	CHECK(window_audit(&w) == NULL)

/* The byte of the stream at an offset. */
static uint8_t
byte(uint64_t at)
{
	return (uint8_t)((at * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static void
open_window(uint64_t window, uint32_t frame)
{
	CHECK(window_init(&w, window, 0, frame) == 0);
	window_agree(&w, window, frame);
	CHECK(window_delivered(&w, 0, FAR, &newly_acked, &failed) == NULL);
	failed = false;
	SOUND();
}

/* Read n bytes, or as many as there is room for; how many. */
static uint64_t
source(uint64_t n)
{
	uint64_t sum = 0, i;
	uint8_t *to;
	size_t room;

	while (sum < n && (to = window_room(&w, &room)) != NULL) {
		CHECK(room > 0);
		if (room > n - sum)
			room = (size_t)(n - sum);
		for (i = 0; i < room; i++)
			to[i] = byte(w.end + i);
		window_fill(&w, room);
		sum += room;
	}
	SOUND();
	return sum;
}

static bool
is_stream(const struct window_frame *f)
{
	uint32_t i;

	for (i = 0; i < f->length; i++)
		if (f->data[i] != byte(f->seq + i))
			return false;
	return true;
}

/* Cut and let go; the frame's bytes are the stream's.  Without `copies' nothing is late. */
static enum window_kind
take(unsigned leg, uint32_t most, bool copies, uint64_t now, struct window_frame *f)
{
	uint64_t late_ns[FRAME_LEGS];
	unsigned i;

	for (i = 0; i < FRAME_LEGS; i++) {
		late_ns[i] = w.leg[i].late_ns;
		if (!copies)
			w.leg[i].late_ns = 0;
	}
	CHECK(window_take(&w, leg, most, now, f) == 0);
	for (i = 0; i < FRAME_LEGS; i++)
		w.leg[i].late_ns = late_ns[i];
	if (f->kind == WINDOW_DATA) {
		CHECK(f->length > 0 && f->length <= most && f->length <= w.frame);
		CHECK(f->seq % w.chunk_size + f->length <= w.chunk_size);
		CHECK(is_stream(f));
		window_release(&w, f->chunk);
	}
	SOUND();
	return f->kind;
}

/* The next frame is just this one. */
static bool
takes(unsigned leg, uint32_t most, uint64_t seq, uint32_t length)
{
	struct window_frame f;

	return take(leg, most, false, 0, &f) == WINDOW_DATA && f.seq == seq && f.length == length;
}

static bool
takes_nothing(unsigned leg)
{
	struct window_frame f;

	return take(leg, 1 << 20, false, 0, &f) == WINDOW_NONE;
}

static const char *
received(unsigned leg, uint32_t incarnation, uint64_t n)
{
	struct status_entry entry = {
		.leg = (uint16_t)leg, .incarnation = incarnation, .received = n
	};
	const char *why = window_received(&w, &entry, &newly_acked, &failed);

	CHECK(!failed);
	SOUND();
	return why;
}

static const char *
delivered(uint64_t n, uint64_t limit)
{
	const char *why = window_delivered(&w, n, limit, &newly_acked, &failed);

	CHECK(!failed);
	SOUND();
	return why;
}

static void
up(unsigned leg, uint32_t incarnation)
{
	CHECK(window_leg_up(&w, leg, incarnation) == 0);
	SOUND();
}

static void
down(unsigned leg)
{
	CHECK(window_leg_down(&w, leg) == 0);
	SOUND();
}

/* The source's side */

static void
test_room(void)
{
	size_t n;

	CHECK(window_init(&w, 64 * KIB, 0, 16 * KIB) == 0);
	/* Before the handshake something may be read, and nothing sent. */
	CHECK(source(MIB) == w.chunk_size);
	up(0, 1);
	CHECK(takes_nothing(0) && window_ready(&w) == 0);
	CHECK(window_room(&w, &n) == NULL && n == 0);
	window_agree(&w, 64 * KIB, 16 * KIB);
	CHECK(w.end + source(MIB) == 64 * KIB);
	CHECK(window_room(&w, &n) == NULL && n == 0);
	/* Nobody need say that the window is free at the begin. */
	CHECK(window_ready(&w) == 64 * KIB);
	CHECK(takes(0, 10, 0, 10) && takes(0, 4096, 10, 4096));
	/* What is acknowledged makes room, delivered or not. */
	CHECK(received(0, 1, 10) == NULL && newly_acked == 10);
	CHECK(source(MIB) == 10);
	window_free(&w);
}

static void
test_agree(void)
{
	CHECK(window_init(&w, 64 * MIB, 0, 1 << 20) == 0);
	window_agree(&w, 128 * MIB, 4 << 20);
	CHECK(w.window == 64 * MIB && w.frame == 1 << 20 && w.send_limit == w.window);
	window_agree(&w, 2 * MIB, 4 << 20);
	CHECK(w.window == 2 * MIB && w.frame == 512 * KIB && w.send_limit == w.window);
	window_agree(&w, 2 * MIB, 5000);
	CHECK(w.frame == 5000);
	CHECK(source(64 * MIB) == 2 * MIB);
	window_free(&w);
	CHECK(window_init(&w, 64 * MIB, 4 * MIB, 1 << 20) == 0);
	window_agree(&w, 64 * MIB, 1 << 20);
	CHECK(source(64 * MIB) == 4 * MIB);
	window_free(&w);
	CHECK(window_init(&w, 64 * MIB, 65 * MIB, 1 << 20) == 0);
	CHECK(w.send_limit == 64 * MIB);
	window_free(&w);
}

/* Twenty windows through one window, cut and acknowledged anyhow. */
static void
test_through(uint64_t *random)
{
	const uint64_t total = 20 * 64 * KIB + 77;
	struct window_frame f;
	enum window_kind kind;
	uint64_t sent = 0;

	open_window(64 * KIB, 16 * KIB);
	up(3, 1);
	while (w.delivered < total) {
		source(check_below(random, 30000) < total - w.end ?
		    check_below(random, 30000) % (total - w.end + 1) : total - w.end);
		if (w.end == total && !w.eof)
			window_eof(&w, 99);
		kind = take(3, 1 + (uint32_t)check_below(random, 9000), true, 0, &f);
		if (kind == WINDOW_DATA) {
			CHECK(f.seq == sent && !f.copy && !f.resend);
			sent += f.length;
			CHECK(sent <= w.delivered + 64 * KIB);
		}
		if (check_below(random, 3) == 0 && sent > 0) {
			CHECK(received(3, 1, w.leg[3].received +
			    check_below(random, (size_t)window_in_flight(&w, 3) + 1)) == NULL);
		}
		if (check_below(random, 3) == 0)
			CHECK(delivered(w.delivered + check_below(random,
			    (size_t)(w.next - w.delivered) + 1), FAR) == NULL);
	}
	CHECK(window_all_delivered(&w) && window_settled(&w) && w.digest == 99);
	CHECK(sent == total && w.resent == 0 && w.copied == 0);
	window_free(&w);
}

/* Cutting */

static void
test_cutting(void)
{
	open_window(64 * KIB, 10000);
	CHECK(w.chunk_size == 16 * KIB);
	up(0, 1);
	source(40000);
	CHECK(window_ready(&w) == 40000);
	CHECK(takes(0, 1, 0, 1));
	CHECK(takes(0, UINT32_MAX, 1, 10000));
	/* No frame crosses a chunk. */
	CHECK(takes(0, 9000, 10001, 16384 - 10001));
	CHECK(takes(0, 9000, 16384, 9000));
	CHECK(window_in_flight(&w, 0) == 16384 + 9000);
	CHECK(!window_settled(&w));
	window_free(&w);
}

/* Each frame is counted 4 KiB at least, so a trickle cannot grow the books. */
static void
test_costs(void)
{
	unsigned i;

	open_window(64 * KIB, 10000);
	up(0, 1);
	source(64 * KIB);
	for (i = 0; i < 16; i++)
		CHECK(takes(0, 1, i, 1));
	CHECK(takes_nothing(0) && window_ready(&w) == 0);
	/* Received is not delivered: only the latter gives the cost back. */
	CHECK(received(0, 1, 16) == NULL && takes_nothing(0));
	CHECK(delivered(3, FAR) == NULL);
	for (i = 16; i < 19; i++)
		CHECK(takes(0, 1, i, 1));
	CHECK(takes_nothing(0));
	CHECK(delivered(19, FAR) == NULL && w.cost_total == 0 && w.cost_count == 0);
	/* The last of the cost that is left bounds the frame. */
	for (i = 0; i < 6; i++)
		CHECK(takes(0, 10000, w.next, w.next + 10000 > 16384 * (w.next / 16384 + 1) ?
		    (uint32_t)(16384 - w.next % 16384) : 10000));
	CHECK(w.cost_total + WINDOW_COST_MIN > w.send_limit || window_ready(&w) > 0);
	CHECK(w.cost_total <= 64 * KIB);
	window_free(&w);
}

static void
test_credit(void)
{
	uint64_t i;

	open_window(64 * KIB, 10000);
	CHECK(w.limit == 64 * KIB);	/* not more than was agreed */
	window_free(&w);
	CHECK(window_init(&w, 64 * KIB, 0, 10000) == 0);
	window_agree(&w, 64 * KIB, 10000);
	up(0, 1);
	CHECK(source(64 * KIB) == 64 * KIB);
	for (i = 0; i < 64 * KIB / 8192; i++)
		CHECK(takes(0, 8192, i * 8192, 8192));
	CHECK(takes_nothing(0));
	CHECK(delivered(10000, 64 * KIB + 100) == NULL && newly_acked == 10000);
	CHECK(source(10000) == 10000);
	CHECK(takes(0, 4096, 64 * KIB, 100) && takes_nothing(0));
	/* A limit that falls back is an old one. */
	CHECK(delivered(10000, 50) == NULL && takes_nothing(0));
	CHECK(delivered(10000, 64 * KIB + 101) == NULL);
	CHECK(takes(0, 4096, 64 * KIB + 100, 1) && takes_nothing(0));
	CHECK(delivered(5000, FAR) == NULL && newly_acked == 0 && w.delivered == 10000);
	CHECK(w.limit == 10000 + 64 * KIB);
	window_free(&w);
}

/* The receiver's words */

static void
test_received(void)
{
	open_window(64 * KIB, 10000);
	up(0, 7);
	up(127, 9);
	source(30000);
	CHECK(takes(0, 1000, 0, 1000));
	CHECK(takes(127, 1000, 1000, 1000));
	CHECK(takes(0, 1000, 2000, 1000));
	CHECK(takes(127, 1000, 3000, 1000));
	/* A prefix of what was cut for this leg, in parts of frames too. */
	CHECK(received(127, 9, 1) == NULL && newly_acked == 1 && w.base == 0);
	CHECK(received(127, 9, 1500) == NULL && newly_acked == 1499 && w.base == 0);
	CHECK(received(127, 9, 1400) == NULL && newly_acked == 0);
	CHECK(received(0, 7, 999) == NULL && newly_acked == 999 && w.base == 999);
	CHECK(received(0, 7, 1000) == NULL && newly_acked == 1 && w.base == 2000);
	CHECK(received(0, 7, 1001) == NULL && newly_acked == 1 && w.base == 2001);
	CHECK(window_in_flight(&w, 0) == 999 && window_in_flight(&w, 127) == 500);
	/* What was never sent, also by one byte. */
	CHECK(received(0, 7, 2001) != NULL && newly_acked == 0);
	CHECK(received(0, 7, UINT64_MAX) != NULL);
	CHECK(w.base == 2001 && window_in_flight(&w, 0) == 999);
	/* Another incarnation, older or newer, and legs that are not up. */
	CHECK(received(0, 6, 2000) == NULL && newly_acked == 0);
	CHECK(received(0, 8, UINT64_MAX) == NULL && newly_acked == 0);
	CHECK(received(5, 0, 1) == NULL && newly_acked == 0 && received(5, 1, 1) == NULL);
	CHECK(w.base == 2001);
	/* Delivered counts where the legs' own words did not come. */
	CHECK(delivered(3600, FAR) == NULL && newly_acked == 999 + 100 && w.base == 3600);
	CHECK(received(0, 7, 2000) == NULL && newly_acked == 0);
	CHECK(received(127, 9, 2000) == NULL && newly_acked == 400 && window_settled(&w));
	CHECK(delivered(4001, FAR) != NULL && w.delivered == 3600);
	CHECK(delivered(UINT64_MAX, FAR) != NULL && w.delivered == 3600);
	CHECK(delivered(4000, 0) == NULL && newly_acked == 0 && w.delivered == 4000);
	window_free(&w);
}

/* Legs */

static void
test_loss(void)
{
	open_window(64 * KIB, 10000);
	up(0, 1);
	up(1, 1);
	source(30000);
	CHECK(takes(0, 1000, 0, 1000));
	CHECK(takes(1, 1000, 1000, 1000));
	CHECK(takes(0, 1000, 2000, 1000));
	CHECK(takes(1, 1000, 3000, 1000));
	CHECK(received(0, 1, 300) == NULL && received(1, 1, 1100) == NULL);
	down(0);
	CHECK(window_in_flight(&w, 0) == 0 && window_ready(&w) == 700 + 1000 + 26000);
	down(0);
	/* The lowest first, in other pieces, before anything new. */
	CHECK(takes(1, 500, 300, 500));
	CHECK(received(0, 1, 2000) == NULL && newly_acked == 0);
	up(0, 2);
	CHECK(received(0, 1, 1) == NULL && newly_acked == 0);	/* the old self's words */
	CHECK(received(0, 2, 1) != NULL);		/* the new one was sent nothing */
	CHECK(takes(0, 5000, 800, 200));
	CHECK(takes(0, 600, 2000, 600));
	CHECK(takes(1, 5000, 2600, 400));
	CHECK(takes(1, 1000, 4000, 1000));
	CHECK(w.resent == 1700);
	/* All of them at once; what was acknowledged is not sent again. */
	CHECK(received(0, 2, 250) == NULL);	/* 800-1000, 2000-2050 */
	down(1);
	down(0);
	up(5, 1);
	CHECK(takes(5, 10000, 300, 500));
	CHECK(takes(5, 10000, 2050, 950));
	CHECK(takes(5, 10000, 3100, 1900));
	CHECK(takes(5, 100, 5000, 100));
	/* What is delivered meanwhile need not be sent again. */
	down(5);
	CHECK(delivered(2500, FAR) == NULL && window_ready(&w) == 2500 + 24900);
	up(5, 2);
	CHECK(takes(5, 10000, 2500, 500));
	CHECK(takes(5, 10000, 3100, 2000));
	window_free(&w);
}

/* A leg that is up again has lost everything, and knows FIN no more. */
static void
test_fin(void)
{
	struct window_frame f;

	open_window(64 * KIB, 10000);
	up(0, 1);
	up(1, 1);
	CHECK(takes_nothing(0));
	source(100);
	CHECK(takes(0, 60, 0, 60));
	window_eof(&w, 5);
	/* Not before everything was cut. */
	CHECK(takes(1, 60, 60, 40));
	CHECK(take(1, 60, true, 0, &f) == WINDOW_FIN);
	CHECK(take(1, 60, true, 0, &f) == WINDOW_NONE);
	CHECK(take(0, 60, true, 0, &f) == WINDOW_FIN);
	CHECK(take(0, 60, true, 0, &f) == WINDOW_NONE);
	down(0);
	up(0, 2);
	CHECK(takes(0, 60, 0, 60));
	CHECK(take(0, 60, true, 0, &f) == WINDOW_FIN);
	CHECK(take(1, 60, true, 0, &f) == WINDOW_NONE);
	CHECK(!window_all_delivered(&w));
	CHECK(received(0, 2, 60) == NULL && received(1, 1, 40) == NULL);
	CHECK(window_settled(&w) && !window_all_delivered(&w));
	CHECK(delivered(99, FAR) == NULL && !window_all_delivered(&w));
	CHECK(delivered(100, FAR) == NULL && window_all_delivered(&w));
	up(7, 1);
	CHECK(take(7, 60, true, 0, &f) == WINDOW_FIN);
	window_free(&w);
}

static void
test_empty(void)
{
	struct window_frame f;

	open_window(64 * KIB, 10000);
	up(0, 1);
	CHECK(!window_all_delivered(&w) && window_settled(&w));
	window_eof(&w, 0);
	CHECK(window_all_delivered(&w));
	CHECK(take(0, 60, true, 0, &f) == WINDOW_FIN);
	CHECK(delivered(1, FAR) != NULL);
	window_free(&w);
}

/* Copies */

static void
test_copies(void)
{
	struct window_frame f;

	open_window(256 * KIB, 16 * KIB);
	up(0, 1);
	up(1, 1);
	up(2, 1);
	source(3000);
	CHECK(take(0, 1000, true, 100 * MS, &f) == WINDOW_DATA);
	CHECK(take(0, 1000, true, 200 * MS, &f) == WINDOW_DATA);
	CHECK(take(1, 1000, true, 200 * MS, &f) == WINDOW_DATA);
	/* While nobody said what is late, nothing is. */
	CHECK(take(2, 1000, true, 900 * MS, &f) == WINDOW_NONE);
	w.leg[0].late_ns = 200 * MS;
	CHECK(take(2, 1000, true, 299 * MS, &f) == WINDOW_NONE);
	CHECK(take(0, 1000, true, 900 * MS, &f) == WINDOW_NONE);	/* its own */
	CHECK(take(2, 1000, false, 900 * MS, &f) == WINDOW_NONE);	/* not asked for */
	CHECK(take(2, 1000, true, 300 * MS, &f) == WINDOW_DATA);
	CHECK(f.copy && !f.resend && f.seq == 0 && f.length == 1000);
	CHECK(w.copies == 1000 && w.copied == 1000);
	/* Once each, and a copy only when it is late itself. */
	w.leg[2].late_ns = 100000 * MS;
	CHECK(take(1, 1000, true, 399 * MS, &f) == WINDOW_NONE);
	CHECK(take(1, 1000, true, 400 * MS, &f) == WINDOW_DATA && f.seq == 1000 && f.copy);
	CHECK(take(1, 1000, true, 9000 * MS, &f) == WINDOW_NONE);
	/* Not what arrived meanwhile on another leg. */
	w.leg[1].late_ns = MS;
	CHECK(received(1, 1, 2000) == NULL && w.copies == 1000);
	CHECK(take(2, 1000, true, 9000 * MS, &f) == WINDOW_NONE);
	/* The copy counts, and then the original is worth nothing. */
	CHECK(received(2, 1, 1000) == NULL && newly_acked == 1000 && w.copies == 0);
	CHECK(received(0, 1, 1000) == NULL && newly_acked == 0);
	CHECK(window_settled(&w));
	down(0);
	CHECK(window_ready(&w) == 0);
	window_free(&w);
}

/* A copy went to a leg that turned out to be slow, too. */
static void
test_copy_of_copy(void)
{
	struct window_frame f;

	open_window(256 * KIB, 16 * KIB);
	up(0, 1);
	up(1, 1);
	up(2, 1);
	source(1000);
	w.leg[0].late_ns = w.leg[1].late_ns = 200 * MS;
	CHECK(take(0, 1000, true, 100 * MS, &f) == WINDOW_DATA);
	CHECK(take(1, 1000, true, 300 * MS, &f) == WINDOW_DATA && f.copy);
	CHECK(take(2, 1000, true, 400 * MS, &f) == WINDOW_NONE);
	CHECK(take(2, 1000, true, 500 * MS, &f) == WINDOW_DATA && f.copy && f.seq == 0);
	CHECK(received(2, 1, 1000) == NULL && newly_acked == 1000 && window_settled(&w));
	window_free(&w);
}

/* The copier dies, then the original's leg; and what is new comes first. */
static void
test_copies_lost(void)
{
	struct window_frame f;

	open_window(256 * KIB, 16 * KIB);
	up(0, 1);
	up(1, 1);
	source(3000);
	w.leg[0].late_ns = w.leg[1].late_ns = MS;
	CHECK(take(0, 1000, true, 0, &f) == WINDOW_DATA);
	CHECK(take(1, 1000, true, 99 * MS, &f) == WINDOW_DATA && !f.copy && f.seq == 1000);
	CHECK(take(1, 1000, true, 99 * MS, &f) == WINDOW_DATA && !f.copy && f.seq == 2000);
	CHECK(take(1, 700, true, 99 * MS, &f) == WINDOW_DATA && f.copy && f.seq == 0);
	CHECK(received(1, 1, 2300) == NULL && w.base == 300 && w.copies == 400);
	down(1);
	CHECK(w.copies == 0);
	down(0);
	up(2, 1);
	CHECK(takes(2, 5000, 300, 700) && takes_nothing(2));
	CHECK(received(2, 1, 700) == NULL && window_settled(&w));
	window_free(&w);
}

/* A leg that takes shorter frames copies it in parts, each byte once. */
static void
test_copies_parts(void)
{
	struct window_frame f;

	open_window(256 * KIB, 16 * KIB);
	up(0, 1);
	up(1, 1);
	up(2, 1);
	source(3000);
	w.leg[0].late_ns = MS;
	CHECK(take(0, 3000, true, 0, &f) == WINDOW_DATA && f.length == 3000);
	CHECK(take(1, 1000, true, 9 * MS, &f) == WINDOW_DATA && f.copy && f.seq == 0);
	CHECK(take(2, 500, true, 9 * MS, &f) == WINDOW_DATA && f.copy && f.seq == 1000);
	/* The original arrives in part, beyond some of what was copied. */
	CHECK(received(0, 1, 1200) == NULL && newly_acked == 1200);
	CHECK(take(1, 500, true, 9 * MS, &f) == WINDOW_DATA && f.copy && f.seq == 1500);
	CHECK(received(0, 1, 2100) == NULL && newly_acked == 900);
	CHECK(take(2, 5000, true, 9 * MS, &f) == WINDOW_DATA && f.seq == 2100 && f.length == 900);
	CHECK(take(1, 5000, true, 9 * MS, &f) == WINDOW_NONE);
	CHECK(w.copied == 1000 + 500 + 500 + 900);
	down(0);
	CHECK(received(2, 1, 1400) == NULL && window_settled(&w) && w.copies == 1500);
	CHECK(window_ready(&w) == 0);
	window_free(&w);
}

/* Where much waits behind a hole, that is filled before anything new goes out. */
static void
test_copies_hole(void)
{
	struct window_frame f;
	unsigned i;

	open_window(256 * KIB, 16 * KIB);
	up(0, 1);
	up(1, 1);
	source(256 * KIB);
	w.leg[0].late_ns = MS;
	CHECK(take(0, 4096, true, 0, &f) == WINDOW_DATA && f.seq == 0);
	for (i = 0; i < 17; i++)
		CHECK(take(1, 4096, true, 9 * MS, &f) == WINDOW_DATA && !f.copy);
	CHECK(received(1, 1, 16 * 4096) == NULL);
	CHECK(take(1, 4096, true, 9 * MS, &f) == WINDOW_DATA && !f.copy);
	CHECK(received(1, 1, 16 * 4096 + 1) == NULL);
	CHECK(take(1, 4096, false, 9 * MS, &f) == WINDOW_DATA && !f.copy);
	CHECK(take(1, 4096, true, 9 * MS, &f) == WINDOW_DATA && f.copy && f.seq == 0);
	CHECK(take(1, 4096, true, 9 * MS, &f) == WINDOW_DATA && !f.copy);
	window_free(&w);
}

/* What arrives soon anyhow is not copied, however long it has been on its way. */
static void
test_copies_overtake(void)
{
	struct window_frame f;

	open_window(256 * KIB, 16 * KIB);
	up(0, 1);
	up(1, 1);
	source(3000);
	CHECK(take(0, 1000, true, 100 * MS, &f) == WINDOW_DATA);
	CHECK(w.leg[0].moved_ns == 100 * MS);
	CHECK(take(0, 1000, true, 101 * MS, &f) == WINDOW_DATA);
	CHECK(take(1, 1000, true, 200 * MS, &f) == WINDOW_DATA);
	CHECK(received(1, 1, 1000) == NULL);
	w.leg[0].late_ns = w.leg[1].late_ns = 200 * MS;
	/* Both bring a frame in 20 ms; a round trip is 50 ms. */
	w.leg[0].rate = w.leg[1].rate = 50000;
	w.leg[0].moved_ns = 480 * MS;
	CHECK(take(1, 1000, true, 500 * MS, &f) == WINDOW_NONE);
	CHECK(take(1, 1000, true, 580 * MS, &f) == WINDOW_NONE);
	/* It has been silent for longer than twice what a copy needs. */
	CHECK(take(1, 1000, true, 581 * MS, &f) == WINDOW_DATA && f.copy && f.seq == 0);
	CHECK(received(1, 1, 2000) == NULL);
	/* It speaks again, but the second frame would take it 200 ms. */
	w.leg[0].moved_ns = 600 * MS;
	w.leg[0].rate = 10000;
	CHECK(take(1, 1000, true, 601 * MS, &f) == WINDOW_DATA && f.copy && f.seq == 1000);
	window_free(&w);
}

/* Of a leg that was never measured others do not wait for long, if they know better. */
static void
test_copies_unknown(void)
{
	struct window_frame f;

	open_window(256 * KIB, 16 * KIB);
	up(0, 1);
	up(1, 1);
	source(1000);
	CHECK(take(0, 1000, true, 100 * MS, &f) == WINDOW_DATA);
	w.leg[0].late_ns = 4000 * MS;
	w.leg[1].late_ns = 200 * MS;
	CHECK(take(1, 1000, true, 299 * MS, &f) == WINDOW_NONE);
	w.leg[0].rate = 10;
	CHECK(take(1, 1000, true, 300 * MS, &f) == WINDOW_NONE);
	w.leg[0].rate = 0;
	CHECK(take(1, 1000, true, 300 * MS, &f) == WINDOW_DATA && f.copy);
	window_free(&w);
}

/* At the end of the stream the rate is enough to know that a copy is faster. */
static void
test_copies_last(void)
{
	struct window_frame f;

	open_window(256 * KIB, 16 * KIB);
	up(0, 1);
	up(1, 1);
	source(2000);
	CHECK(take(0, 1000, true, 100 * MS, &f) == WINDOW_DATA);
	w.leg[0].late_ns = w.leg[1].late_ns = 800 * MS;
	w.leg[0].moved_ns = 100 * MS;
	w.leg[0].rate = 1000;
	w.leg[1].rate = 1000000;
	CHECK(take(1, 1000, true, 110 * MS, &f) == WINDOW_DATA && f.seq == 1000 && !f.copy);
	CHECK(take(1, 1000, true, 110 * MS, &f) == WINDOW_NONE);
	window_eof(&w, 5);
	CHECK(take(1, 1000, true, 110 * MS, &f) == WINDOW_FIN);
	/* A second remains; a copy needs a fifth. */
	CHECK(take(1, 1000, true, 110 * MS, &f) == WINDOW_DATA && f.copy && f.seq == 0);
	CHECK(take(1, 1000, true, 110 * MS, &f) == WINDOW_NONE);
	window_free(&w);

	/* What comes nearly as soon anyway is not sent twice; nor what is a guess. */
	open_window(256 * KIB, 16 * KIB);
	up(0, 1);
	up(1, 1);
	source(1000);
	window_eof(&w, 5);
	CHECK(take(0, 1000, true, 100 * MS, &f) == WINDOW_DATA);
	w.leg[0].late_ns = w.leg[1].late_ns = 800 * MS;
	w.leg[0].moved_ns = 100 * MS;
	w.leg[0].rate = 3000;
	w.leg[1].rate = 1000000;
	CHECK(take(1, 1000, true, 110 * MS, &f) == WINDOW_FIN);
	CHECK(take(1, 1000, true, 110 * MS, &f) == WINDOW_NONE);
	w.leg[0].rate = 0;
	CHECK(take(1, 1000, true, 110 * MS, &f) == WINDOW_NONE);
	window_free(&w);
}

/* At the end two legs that stand still do not copy each other's copies. */
static void
test_copies_once(void)
{
	struct window_frame f;

	open_window(256 * KIB, 16 * KIB);
	up(0, 1);
	up(1, 1);
	source(2000);
	CHECK(take(0, 1000, true, 100 * MS, &f) == WINDOW_DATA);
	CHECK(take(1, 1000, true, 100 * MS, &f) == WINDOW_DATA);
	window_eof(&w, 5);
	CHECK(take(0, 1000, true, 100 * MS, &f) == WINDOW_FIN);
	CHECK(take(1, 1000, true, 100 * MS, &f) == WINDOW_FIN);
	w.leg[0].late_ns = w.leg[1].late_ns = 200 * MS;
	w.leg[0].rate = w.leg[1].rate = 1000000;
	CHECK(take(0, 1000, true, 300 * MS, &f) == WINDOW_DATA && f.copy && f.seq == 1000);
	CHECK(take(1, 1000, true, 300 * MS, &f) == WINDOW_DATA && f.copy && f.seq == 0);
	CHECK(take(0, 1000, true, 450 * MS, &f) == WINDOW_NONE);
	CHECK(take(1, 1000, true, 450 * MS, &f) == WINDOW_NONE);
	window_free(&w);
}

/* No more than 8 MiB are on their way twice. */
static void
test_copies_bound(void)
{
	struct window_frame f;
	unsigned i;

	open_window(64 * MIB, 1 << 20);
	up(0, 1);
	up(1, 1);
	source(20 * MIB);
	w.leg[0].late_ns = 1;
	for (i = 0; i < 20; i++)
		CHECK(take(0, 1 << 20, true, 0, &f) == WINDOW_DATA && !f.copy);
	for (i = 0; i < 8; i++)
		CHECK(take(1, 1 << 20, true, MS, &f) == WINDOW_DATA && f.copy &&
		    f.seq == i * MIB);
	CHECK(take(1, 1 << 20, true, MS, &f) == WINDOW_NONE);
	CHECK(received(1, 1, MIB) == NULL);
	CHECK(take(1, 1 << 20, true, MS, &f) == WINDOW_DATA && f.copy && f.seq == 8 * MIB);
	CHECK(take(1, 1 << 20, true, MS, &f) == WINDOW_NONE);
	window_free(&w);
}

/* A leg sends from its chunk until it lets go, whatever happens to the window. */
static void
test_pins(void)
{
	struct window_frame f[3], g;
	unsigned k;

	open_window(64 * KIB, 16 * KIB);
	up(0, 1);
	up(1, 1);
	source(64 * KIB);
	CHECK(window_take(&w, 0, 1000, 0, &f[0]) == 0 && f[0].kind == WINDOW_DATA);
	CHECK(window_take(&w, 1, 1000, 0, &f[1]) == 0 && f[1].kind == WINDOW_DATA);
	CHECK(f[0].chunk == f[1].chunk);
	CHECK(window_take(&w, 1, 16384, 0, &f[2]) == 0 && f[2].kind == WINDOW_DATA);
	/* All of it is delivered by other means, and the window goes round thrice. */
	down(0);
	for (k = 0; k < 3; k++) {
		while (take(1, 16384, false, 0, &g) == WINDOW_DATA)
			;
		CHECK(delivered(w.next, FAR) == NULL);
		source(64 * KIB);
	}
	for (k = 0; k < 3; k++)
		CHECK(is_stream(&f[k]));
	window_release(&w, f[1].chunk);
	CHECK(is_stream(&f[0]) && is_stream(&f[2]));
	window_release(&w, f[0].chunk);
	window_release(&w, f[2].chunk);
	SOUND();
	window_free(&w);
}

/* More segments on a leg than its ring had at first, and all legs at once. */
static void
test_many(void)
{
	uint64_t at = 0;
	unsigned i, k;

	open_window(64 * MIB, 1 << 20);
	for (i = 0; i < FRAME_LEGS; i++)
		up(i, i + 1);
	source(MIB);
	for (k = 0; k < 40; k++)
		for (i = 0; i < FRAME_LEGS; i++, at += 10)
			CHECK(window_take(&w, i, 10, 0, &(struct window_frame){ 0 }) == 0);
	CHECK(w.next == at && w.cost_count == 40 * FRAME_LEGS);
	SOUND();
	for (i = 1; i < FRAME_LEGS; i += 2)
		CHECK(received(i, i + 1, 400) == NULL && newly_acked == 400);
	for (i = 0; i < FRAME_LEGS; i += 2)
		CHECK(window_leg_down(&w, i) == 0);
	SOUND();
	CHECK(ranges_total(&w.lost) == at / 2 && ranges_count(&w.lost) == at / 20);
	CHECK(delivered(at, FAR) == NULL && window_settled(&w) && w.cost_total == 0);
	window_free(&w);
}

/* The part of the window that is used grows for the network only. */
static void
test_stretch(void)
{
	struct window_frame f;

	CHECK(window_init(&w, 64 * MIB, 4 * MIB, 1 << 20) == 0);
	window_agree(&w, 64 * MIB, 1 << 20);
	CHECK(delivered(0, FAR) == NULL);
	up(0, 1);
	source(MIB);
	CHECK(!window_stretch(&w, 32 * MIB));		/* there is room */
	source(64 * MIB);
	CHECK(w.end == 4 * MIB && !window_stretch(&w, 32 * MIB));	/* nothing is sent */
	while (take(0, 1 << 20, false, 0, &f) == WINDOW_DATA)
		;
	CHECK(!window_stretch(&w, 4 * MIB) && w.send_limit == 4 * MIB);	/* not needed */
	CHECK(window_stretch(&w, 32 * MIB) && w.send_limit == 8 * MIB);
	SOUND();
	CHECK(!window_stretch(&w, 32 * MIB));
	source(64 * MIB);
	while (take(0, 1 << 20, false, 0, &f) == WINDOW_DATA)
		;
	/* Received in order and not delivered: the consumer is slow. */
	CHECK(received(0, 1, 3 * MIB) == NULL);
	source(64 * MIB);
	CHECK(!window_stretch(&w, 64 * MIB) && w.send_limit == 8 * MIB);
	CHECK(delivered(3 * MIB, FAR) == NULL);
	while (take(0, 1 << 20, false, 0, &f) == WINDOW_DATA)
		;
	CHECK(window_stretch(&w, FAR) && w.send_limit == 16 * MIB);
	w.send_limit = 40 * MIB;
	source(64 * MIB);
	while (take(0, 1 << 20, false, 0, &f) == WINDOW_DATA)
		;
	CHECK(window_stretch(&w, FAR) && w.send_limit == 64 * MIB);
	CHECK(!window_stretch(&w, FAR));
	window_free(&w);
}

/* A receiver that says anything: it is refused, or the books stay sound. */
static void
test_hostile(uint64_t *random)
{
	uint64_t n, before;
	struct window_frame f;
	unsigned i, leg, refused = 0;

	open_window(64 * KIB, 8 * KIB);
	for (i = 0; i < 60000; i++) {
		leg = (unsigned)check_below(random, 4);
		n = check_random(random) >> check_below(random, 64);
		before = w.delivered;
		switch (check_below(random, 8)) {
		case 0:
			source(n % 9000);
			break;
		case 1:
		case 2:
			if (w.leg[leg].up)
				take(leg, 1 + (uint32_t)(n % 5000), true, i * MS, &f);
			break;
		case 3:
			if (!w.leg[leg].up)
				up(leg, i);
			else if (n % 8 == 0)
				down(leg);
			w.leg[leg].late_ns = n % 100 * MS;
			break;
		case 4:
			n %= window_in_flight(&w, leg) + 2;
			n += w.leg[leg].received;
			/* FALLTHROUGH */
		case 5:
			refused += received(leg, w.leg[leg].incarnation - (uint32_t)(n % 5 == 0),
			    n) != NULL;
			break;
		case 6:
			n = w.delivered + n % (w.next - w.delivered + 2);
			/* FALLTHROUGH */
		case 7:
			refused += delivered(n, check_random(random)) != NULL;
			break;
		}
		CHECK(w.delivered >= before && w.delivered <= w.next);
		CHECK(w.next <= w.delivered + 64 * KIB && w.end <= w.base + 64 * KIB);
		CHECK(w.cost_count <= 16);
	}
	CHECK(refused > 1000 && w.delivered > MIB);
	window_free(&w);
}

/* The end of memory */

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_ALLOCATOR	1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR	1
#endif

#if defined(RLIMIT_AS) && !defined(OWN_ALLOCATOR)
static void *volatile hoard;	/* so that no compiler leaves malloc out */

/* Takes what is left of memory in pieces of this size. */
static void
exhaust(size_t size)
{
	void **p;

	while ((p = malloc(size)) != NULL) {
		*p = hoard;
		hoard = p;
	}
}

/* Last in the program: the limit stays. */
static void
test_no_memory(void)
{
	struct rlimit limit = { 0, 0 };
	struct window_frame f;
	unsigned i;
	size_t n, size;

	open_window(64 * MIB, 1 << 20);
	up(0, 1);
	source(2 * MIB);
	for (i = 0; i < 16; i++)
		CHECK(takes(0, 10, 10 * i, 10));
	CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = 0;
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	/* The allocator keeps what was freed by size. */
	for (size = MIB; size > 4096; size /= 2)
		exhaust(size);
	for (; size > 0; size -= 16)
		exhaust(size);
	if ((hoard = malloc(64 * MIB)) != NULL) {
		free(hoard);
		printf("memory limits do not hold here: part skipped\n");
		return;
	}
	n = 0;
	errno = 0;
	CHECK(window_room(&w, &n) == NULL && n == 1 && errno == ENOMEM);
	errno = 0;
	CHECK(window_leg_up(&w, 1, 1) == -1 && errno == ENOMEM && !w.leg[1].up);
	/* The ring of the leg is full. */
	errno = 0;
	CHECK(window_take(&w, 0, 10, 0, &f) == -1 && errno == ENOMEM);
	failed = false;
	CHECK(window_delivered(&w, 5, FAR, &newly_acked, &failed) == NULL && !failed);
	errno = 0;
	CHECK(window_leg_down(&w, 0) == -1 && errno == ENOMEM);
	/* What makes the set of acknowledged bytes begin. */
	CHECK(window_leg_up(&w, 0, 2) == 0);
	window_free(&w);
}
#else
static void
test_no_memory(void)
{
	printf("memory limits not usable in this build: part skipped\n");
}
#endif

int
main(int argc, char **argv)
{
	uint64_t random = check_seed(argc, argv, 21);

	test_room();
	test_agree();
	test_through(&random);
	test_cutting();
	test_costs();
	test_credit();
	test_received();
	test_loss();
	test_fin();
	test_empty();
	test_copies();
	test_copy_of_copy();
	test_copies_lost();
	test_copies_parts();
	test_copies_hole();
	test_copies_overtake();
	test_copies_unknown();
	test_copies_last();
	test_copies_once();
	test_copies_bound();
	test_pins();
	test_many();
	test_stretch();
	test_hostile(&random);
	test_no_memory();
	return check_done();
}
