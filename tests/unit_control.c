/*
 * Which congestion control a path is given, from its rate with the one and
 * with the other.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../core/control.h"
#include "check.h"

static struct control c;
static unsigned changes;

/* So many periods on a path that carries this with the system's, and that with the other. */
static void
runs(unsigned periods, enum limit_kind kind, uint64_t usual, uint64_t other)
{
	bool before;

	while (periods-- > 0) {
		before = c.other;
		control_step(&c, c.other && kind == LIMIT_LOSS ? LIMIT_NONE : kind,
		    c.other ? other : usual, 0);
		changes += c.other != before;
	}
}

static void
starts(bool may)
{
	control_init(&c, may);
	changes = 0;
}

int
main(void)
{
	/* Not allowed, or no reason. */
	starts(false);
	runs(1000, LIMIT_LOSS, 100, 1000);
	CHECK(!c.other && changes == 0);
	starts(true);
	runs(1000, LIMIT_PATH, 100, 1000);
	CHECK(!c.other && changes == 0);
	/* It helps: at once, and it stays, also when the source is slow for a while. */
	starts(true);
	runs(1, LIMIT_LOSS, 100, 111);
	CHECK(c.other);
	runs(10, LIMIT_LOSS, 100, 111);
	CHECK(c.other && c.state == CONTROL_KEPT && changes == 1);
	runs(10, LIMIT_APPLICATION, 1, 1);
	CHECK(c.other);
	/* It does not: back, and rarer from then on. */
	starts(true);
	runs(4000, LIMIT_LOSS, 100, 105);
	CHECK(changes >= 8 && changes <= 24 && c.rest > CONTROL_REST);
	/* The rate before was that of a fast start. */
	starts(true);
	runs(1, LIMIT_LOSS, 200, 0);
	CHECK(c.other);
	runs(20, LIMIT_LOSS, 100, 180);
	CHECK(c.other && c.state == CONTROL_KEPT);
	/* Or the windows tell that it was. */
	starts(true);
	control_step(&c, LIMIT_LOSS, 200, 100);
	CHECK(c.other && c.before == 100);
	/* The source became slow in the middle. */
	starts(true);
	runs(2, LIMIT_LOSS, 100, 200);
	CHECK(control_busy(&c));
	runs(1, LIMIT_APPLICATION, 1, 1);
	CHECK(!c.other && c.state == CONTROL_SYSTEM);
	/* Refused after all. */
	runs(1, LIMIT_LOSS, 100, 200);
	CHECK(c.other);
	control_refused(&c);
	runs(1000, LIMIT_LOSS, 100, 200);
	CHECK(!c.other);
	return check_done();
}
