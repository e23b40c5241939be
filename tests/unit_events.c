/*
 * The queue of events: first in, first out, over its end and back; what finds
 * no room is counted; nothing before it is opened.
 */
#include "report/events.h"

#include <string.h>

#include "check.h"

int
main(void)
{
	static struct events q;
	struct event e = { .kind = EVENT_DOWN }, got;
	unsigned i, round;

	events_init(&q);
	events_add(&q, &e);
	CHECK(!events_take(&q, &got) && events_missed(&q) == 0);
	CHECK(events_open(&q, 5) == 0);
	for (round = 0; round < 7; round++) {
		for (i = 0; i < 3; i++) {
			e.leg = round * 3 + i;
			snprintf(e.why, sizeof(e.why), "%u", e.leg);
			events_add(&q, &e);
		}
		for (i = 0; i < 3; i++) {
			CHECK(events_take(&q, &got) && got.leg == round * 3 + i);
			CHECK(got.kind == EVENT_DOWN && (unsigned)atoi(got.why) == got.leg);
		}
		CHECK(!events_take(&q, &got));
	}
	for (i = 0; i < 9; i++) {
		e.leg = i;
		events_add(&q, &e);
	}
	CHECK(events_missed(&q) == 4);
	for (i = 0; i < 5; i++)
		CHECK(events_take(&q, &got) && got.leg == i);
	CHECK(!events_take(&q, &got));
	return check_done();
}
