/*
 * Whether a leg is alive: the account of one end call by call, and then two
 * ends with a link between them that is slow, silent in one direction or both,
 * or goes away with the machine, by a clock that is only counted.
 *
 * The two ends are driven as worker.c drives them: heartbeats when they are
 * due, each answered, all of it in one queue with the stream's bytes.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "../core/delivery_rate.h"
#include "../core/liveness.h"
#include "core/time.h"

#define BEAT	(20 * SECOND)	/* the heartbeat option */

static struct liveness p;
static struct heartbeat h;
static uint64_t again;

static void
begin(uint64_t now)
{
	liveness_init(&p, BEAT, 0, now);
	memset(&h, 0, sizeof(h));
}

static void
beat(uint64_t now)
{
	struct heartbeat out = { 0 };

	liveness_beat(&p, &out, false, now);
	CHECK(out.counter == p.counter && out.echo == p.heard);
}

static const char *
hears(uint32_t echo, uint64_t seen, bool reply, uint64_t sent, uint64_t now)
{
	h.counter++;
	h.echo = echo;
	h.seen = seen;
	liveness_heard(&p, now);
	return liveness_take(&p, &h, reply, sent, now);
}

static void
test_due(void)
{
	/* The first at once. */
	begin(500 * SECOND);
	CHECK(liveness_due(&p, 0, false) <= 500 * SECOND &&
	    liveness_due(&p, 1, false) <= 500 * SECOND);
	begin(SECOND);
	beat(2 * SECOND);
	CHECK(liveness_due(&p, 0, false) == 3 * SECOND &&
	    liveness_due(&p, 1000000000, false) == 3 * SECOND);
	/* Less where it would be more than a twentieth of the rate. */
	CHECK(liveness_due(&p, 1000, false) > 5 * SECOND &&
	    liveness_due(&p, 1000, false) < 7 * SECOND);
	CHECK(liveness_due(&p, 1, false) == 2 * SECOND + BEAT / 2);
	CHECK(liveness_due(&p, UINT64_MAX, false) == 3 * SECOND);
	/* Less after a long round trip, where nobody needs another one. */
	p.rtt_ns = 500 * MS;
	CHECK(liveness_due(&p, 0, false) == 3 * SECOND && liveness_due(&p, 0, true) == 6 * SECOND);
	p.rtt_ns = 100 * SECOND;
	CHECK(liveness_due(&p, 0, true) == 2 * SECOND + BEAT / 2);
	p.rtt_ns = 0;
	liveness_init(&p, SECOND, 0, SECOND);
	beat(SECOND);
	CHECK(liveness_due(&p, 0, false) == SECOND + SECOND / 2);
	/* A reply does not put it off, nor is it counted. */
	begin(SECOND);
	beat(SECOND);
	liveness_beat(&p, &h, true, SECOND + 500 * MS);
	CHECK(h.counter == 1 && p.counter == 1 && liveness_due(&p, 0, false) == 2 * SECOND);
}

static void
test_timeout(void)
{
	begin(SECOND);
	CHECK(liveness_timeout(&p, 0, 0) == BEAT);
	CHECK(liveness_timeout(&p, 1 << 30, 0) == BEAT);	/* no rate is known */
	CHECK(liveness_timeout(&p, 19999, 1000) == BEAT);
	CHECK(liveness_timeout(&p, 45000, 1000) == 45 * SECOND);
	CHECK(liveness_timeout(&p, UINT64_MAX / 2, 1) == 300 * SECOND);
	liveness_init(&p, BEAT, 6 * SECOND, SECOND);
	CHECK(liveness_timeout(&p, 0, 0) == 24 * SECOND);
	liveness_init(&p, BEAT, 100 * SECOND, SECOND);
	CHECK(liveness_timeout(&p, 0, 0) == 300 * SECOND);
}

/* What a peer is refused; each is left without effect. */
static void
test_refused(void)
{
	unsigned i;

	begin(SECOND);
	CHECK(hears(0, 0, false, 0, SECOND) == NULL);
	CHECK(hears(1, 0, false, 0, SECOND) != NULL);
	CHECK(hears(0, 1, false, 0, SECOND) != NULL);
	beat(SECOND);
	CHECK(hears(1, 100, true, 100, SECOND) == NULL);
	CHECK(hears(1, 101, true, 100, SECOND) != NULL);
	CHECK(hears(2, 100, true, 100, SECOND) != NULL);
	CHECK(hears(UINT32_MAX, UINT64_MAX, true, 100, SECOND) != NULL);
	CHECK(p.echoed == 1 && p.seen == 100);
	/* A flood, and when the second is over it is forgotten. */
	begin(SECOND);
	for (i = 0; i < LIVENESS_FLOOD; i++)
		CHECK(hears(0, 0, i % 2 == 0, 0, SECOND + i) == NULL);
	CHECK(hears(0, 0, false, 0, SECOND + i) != NULL);
	CHECK(hears(0, 0, false, 0, 2 * SECOND + i) == NULL);
}

/* Maxima are taken: what comes late changes nothing. */
static void
test_late(void)
{
	begin(SECOND);
	beat(SECOND);
	beat(2 * SECOND);
	h.counter = 9;
	CHECK(hears(2, 500, false, 600, 3 * SECOND) == NULL && p.heard == 10);
	h.counter = 3;
	CHECK(hears(1, 400, false, 600, 4 * SECOND) == NULL);
	CHECK(p.heard == 10 && p.echoed == 2 && p.seen == 500);
	liveness_beat(&p, &h, true, 5 * SECOND);
	CHECK(h.echo == 10 && h.counter == 2);
}

static void
test_rtt(void)
{
	uint64_t now = SECOND;
	unsigned i;

	begin(now);
	beat(now);
	/* Only a reply is prompt; an echo in a heartbeat may be a second old. */
	CHECK(hears(1, 0, false, 0, now + 700 * MS) == NULL && p.rtt_ns == 0 &&
	    p.sample_ns == 0);
	beat(now);
	CHECK(hears(2, 0, true, 0, now + 80 * MS) == NULL);
	CHECK(p.rtt_ns == 80 * MS && p.sample_ns == 80 * MS && p.sample_asked_ns == now);
	beat(now);
	CHECK(hears(3, 0, true, 0, now + 160 * MS) == NULL);
	CHECK(p.rtt_ns == 90 * MS && p.sample_ns == 160 * MS);
	for (i = 4; i < 100; i++, now += SECOND) {
		beat(now);
		CHECK(hears(i, 0, true, 0, now + 10 * MS) == NULL);
	}
	CHECK(p.rtt_ns < 11 * MS && p.sample_ns == 10 * MS);
	/* So many on their way that the time of that one is forgotten. */
	for (i = 0; i < 20; i++)
		beat(now);
	CHECK(hears(100, 0, true, 0, now + 9 * SECOND) == NULL && p.sample_ns == 0);
	CHECK(hears(118, 0, true, 0, now + 2 * MS) == NULL && p.sample_ns == 2 * MS);
}

/* Outcomes */

static enum liveness_state
judge(uint64_t now)
{
	return liveness_judge(&p, BEAT, now, &again);
}

/* Looks as often as is asked for, until it is dead or the time is over. */
static uint64_t
dies(uint64_t now, uint64_t end, enum liveness_state state)
{
	while (judge(now) == LIVENESS_ALIVE && now < end)
		now = again < now + SECOND ? again : now + SECOND;
	if (now < end)
		CHECK(judge(now) == state);
	return now;
}

static void
test_silent(void)
{
	begin(SECOND);
	/* It looks once a second, and when the time is up. */
	CHECK(judge(SECOND) == LIVENESS_ALIVE && again == 2 * SECOND);
	CHECK(liveness_judge(&p, SECOND / 2, SECOND, &again) == LIVENESS_ALIVE);
	CHECK(again == SECOND + SECOND / 2);
	CHECK(dies(SECOND, 99 * SECOND, LIVENESS_SILENT) == SECOND + BEAT);
	begin(SECOND);
	CHECK(judge(SECOND) == LIVENESS_ALIVE);
	liveness_heard(&p, SECOND + 1);
	CHECK(dies(again, 99 * SECOND, LIVENESS_SILENT) == SECOND + 1 + BEAT);
	begin(SECOND);
	beat(SECOND);
	CHECK(dies(SECOND, 99 * SECOND, LIVENESS_SILENT) == SECOND + BEAT);
}

/* It speaks, but nothing of what is sent arrives. */
static void
test_unanswered(void)
{
	uint64_t now = SECOND, dead = 0;

	begin(now);
	for (; now < 60 * SECOND && dead == 0; now += SECOND) {
		beat(now);
		liveness_heard(&p, now);
		CHECK(hears(0, 0, false, 0, now) == NULL);
		if (judge(now) == LIVENESS_UNANSWERED)
			dead = now;
	}
	CHECK(dead == SECOND + BEAT);
	/* Bytes that are newly seen are an answer, an echo of any beat is one. */
	begin(now = SECOND);
	for (; now < 90 * SECOND; now += SECOND) {
		beat(now);
		CHECK(hears(0, now / SECOND, false, UINT64_MAX, now) == NULL);
		CHECK(judge(now) == LIVENESS_ALIVE);
	}
	for (; now < 300 * SECOND; now += SECOND) {
		beat(now);
		CHECK(hears(p.counter - 5, p.seen, false, UINT64_MAX, now) == NULL);
		CHECK(judge(now) == LIVENESS_ALIVE);
	}
}

/* Who asks for nothing is owed no answer. */
static void
test_even(void)
{
	uint64_t now = SECOND, asked;

	begin(now);
	beat(now);
	CHECK(hears(1, 0, true, 0, now + MS) == NULL);
	for (; now < 600 * SECOND; now += 10 * SECOND) {
		CHECK(judge(now) == LIVENESS_ALIVE);
		CHECK(hears(1, 0, false, 0, now) == NULL);
	}
	/* The account begins when it asks, not when it last had an answer. */
	beat(asked = now);
	for (; judge(now) == LIVENESS_ALIVE && now < 2000 * SECOND; now += SECOND)
		liveness_heard(&p, now);
	CHECK(now == asked + BEAT && judge(now) == LIVENESS_UNANSWERED);
}

/* Silence for so long, in which it looks in time, and then a look so much too late. */
static enum liveness_state
after(uint64_t silent_ns, uint64_t late_ns)
{
	uint64_t now = SECOND, until = SECOND + silent_ns;

	begin(now);
	for (; now < until; now = again < until ? again : until)
		CHECK(judge(now) == LIVENESS_ALIVE);
	CHECK(judge(now) == LIVENESS_ALIVE);
	return judge(again + late_ns);
}

/* What counts is when it wanted to look, not when the time would be up. */
static void
test_suspended(void)
{
	uint64_t n;

	/* However long the pause is, and whenever it begins, once is no death. */
	for (n = 100 * MS; n < 3 * BEAT; n += 100 * MS) {
		CHECK(after(0, n) == LIVENESS_ALIVE);
		CHECK(after(BEAT - SECOND - 1, n) == LIVENESS_ALIVE);
	}
	/* If it is still silent then, it is dead: the time before a short one counts. */
	begin(SECOND);
	CHECK(judge(SECOND) == LIVENESS_ALIVE);
	CHECK(judge(again + SECOND / 2) == LIVENESS_ALIVE);
	CHECK(dies(again, 99 * SECOND, LIVENESS_SILENT) == SECOND + BEAT + SECOND / 2);
	begin(SECOND);
	beat(SECOND);
	CHECK(judge(SECOND) == LIVENESS_ALIVE);
	CHECK(judge(n = again + SECOND + 1) == LIVENESS_ALIVE);
	CHECK(dies(again, 99 * SECOND, LIVENESS_SILENT) == n + BEAT);
	/* What was heard in the meantime is not forgotten, nor dated ahead. */
	begin(SECOND);
	CHECK(judge(SECOND) == LIVENESS_ALIVE);
	liveness_heard(&p, n = again + SECOND / 2);
	CHECK(judge(n) == LIVENESS_ALIVE && p.heard_ns == n);
	/* A night. */
	begin(SECOND);
	beat(SECOND);
	CHECK(judge(SECOND) == LIVENESS_ALIVE);
	CHECK(judge(8 * 3600 * SECOND) == LIVENESS_ALIVE);
	CHECK(dies(8 * 3600 * SECOND, 9 * 3600 * SECOND, LIVENESS_SILENT) ==
	    8 * 3600 * SECOND + BEAT);
}

/* Two ends */

#define QUEUE	(1 << 16)

enum item_kind { STREAM, BEATS, REPLY, STATUS };

struct item {
	enum item_kind kind;
	unsigned bytes;
	struct heartbeat beat;
	uint64_t received;
	uint64_t at_ns;		/* when the last of it arrives */
};

struct link {
	uint64_t rate, delay_ns, free_ns;
	bool silent;
	unsigned head, tail;
	struct item item[QUEUE];
};

/* End 0 sends the stream, end 1 receives it; link n leads away from end n. */
static struct end {
	struct liveness liveness;
	uint64_t sent, taken;
	bool reply;
	enum liveness_state state;
	uint64_t dead_ns;
} end[2];

static struct link line[2];
static struct delivery_rate delivery_rate;
static uint64_t cut, arrived, acknowledged, told, told_ns;
static bool flows;

static void
ends_begin(uint64_t rate, uint64_t delay_ns, uint64_t heartbeat_ns, uint64_t now)
{
	unsigned i;

	memset(end, 0, sizeof(end));
	for (i = 0; i < 2; i++) {
		line[i].rate = rate;
		line[i].delay_ns = delay_ns;
		line[i].free_ns = now;
		line[i].silent = false;
		line[i].head = line[i].tail = 0;
		liveness_init(&end[i].liveness, heartbeat_ns, i == 0 ? 2 * delay_ns + MS : 0, now);
	}
	delivery_rate_init(&delivery_rate);
	delivery_rate_restart(&delivery_rate, 2 * delay_ns + MS, now);
	cut = arrived = acknowledged = told = told_ns = 0;
	flows = false;
}

static struct item *
put(unsigned from, enum item_kind kind, unsigned bytes, uint64_t now)
{
	struct link *l = &line[from];
	struct item *i = &l->item[l->tail++ % QUEUE];

	CHECK(l->tail - l->head < QUEUE);
	memset(i, 0, sizeof(*i));
	i->kind = kind;
	i->bytes = bytes;
	l->free_ns = (l->free_ns > now ? l->free_ns : now) + bytes * SECOND / l->rate;
	i->at_ns = l->free_ns + l->delay_ns;
	end[from].sent += bytes;
	return i;
}

static void
put_beat(unsigned from, bool reply, uint64_t now)
{
	struct item *i = put(from, reply ? REPLY : BEATS,
	    FRAME_HEADER + FRAME_HEARTBEAT_SIZE, now);

	i->beat.seen = end[from].taken;
	liveness_beat(&end[from].liveness, &i->beat, reply, now);
}

static void
put_status(uint64_t now)
{
	put(1, STATUS, 64, now)->received = arrived;
	told = arrived;
	told_ns = now;
}

/* As much of the stream as the leg's pace allows. */
static void
put_stream(uint64_t now)
{
	uint64_t n;

	while (flows && cut - acknowledged < delivery_rate.limit) {
		if (cut == acknowledged)
			delivery_rate_begin(&delivery_rate, acknowledged, now);
		for (n = 0; n < delivery_rate.frame; n += 512)
			put(0, STREAM, 512, now);
		cut += delivery_rate.frame;
	}
}

static void
arrive(unsigned to, const struct item *i, uint64_t now)
{
	struct end *e = &end[to];

	e->taken += i->bytes;
	liveness_heard(&e->liveness, now);
	switch (i->kind) {
	case STREAM:
		liveness_moved(&e->liveness, now);
		arrived += i->bytes;
		break;
	case STATUS:
		acknowledged = i->received;
		delivery_rate_received(&delivery_rate, acknowledged, cut - acknowledged, now);
		break;
	case BEATS:
		e->reply = true;
		/* FALLTHROUGH */
	case REPLY:
		CHECK(liveness_take(&e->liveness, &i->beat, i->kind == REPLY, e->sent,
		    now) == NULL);
		break;
	}
}

/* One end at one moment, as worker.c's keep_time. */
static void
keep(unsigned n, uint64_t now)
{
	uint64_t in_flight = n == 0 ? cut - acknowledged : 0,
	    rate = n == 0 ? delivery_rate.rate : 0;
	struct link *from = &line[1 - n];
	struct end *e = &end[n];
	uint64_t next;

	for (; from->head != from->tail && from->item[from->head % QUEUE].at_ns <= now;
	    from->head++)
		if (!from->silent)
			arrive(n, &from->item[from->head % QUEUE], now);
	if (e->state != LIVENESS_ALIVE)
		return;
	if (e->reply)
		put_beat(n, true, now);
	e->reply = false;
	if (now >= liveness_due(&e->liveness, rate, n == 1 || in_flight == 0)) {
		if (n == 1)
			put_status(now);
		put_beat(n, false, now);
	}
	e->state = liveness_judge(&e->liveness, liveness_timeout(&e->liveness, in_flight, rate),
	    now,
	    &next);
	if (e->state != LIVENESS_ALIVE)
		e->dead_ns = now;
	if (n == 1 && arrived > told && now >= told_ns + 5 * MS)
		put_status(now);
	if (n == 0)
		put_stream(now);
}

static uint64_t
run(uint64_t now, uint64_t lasts_ns)
{
	uint64_t until = now + lasts_ns;

	for (; now < until; now += 10 * MS) {
		keep(0, now);
		keep(1, now);
	}
	return now;
}

static bool
both_live(void)
{
	return end[0].state == LIVENESS_ALIVE && end[1].state == LIVENESS_ALIVE;
}

/* An idle source, or a consumer that takes nothing, for two hours. */
static void
test_idle(void)
{
	uint64_t now;

	ends_begin(1000000, 40 * MS, BEAT, SECOND);
	now = run(SECOND, 7200 * SECOND);
	CHECK(both_live() && end[0].liveness.rtt_ns < 120 * MS);
	/* One a second and its answer, in each direction. */
	CHECK(end[0].liveness.counter >= 7100 && end[0].liveness.counter <= 7300);
	CHECK(end[0].sent < now / SECOND * 130);
	/* On a thin link by satellite, with the least timeout. */
	ends_begin(2000, 300 * MS, 3 * SECOND, SECOND);
	run(SECOND, 3600 * SECOND);
	CHECK(both_live());
}

/* Silence is found at both ends, whichever direction it is in. */
static void
test_silence(void)
{
	const uint64_t most = BEAT + 3 * SECOND;
	unsigned which, flow;
	uint64_t now;

	for (which = 1; which <= 3; which++) {
		for (flow = 0; flow < 2; flow++) {
			ends_begin(1000000, 40 * MS, BEAT, SECOND);
			flows = flow == 1;
			now = run(SECOND, 100 * SECOND);
			CHECK(both_live());
			line[0].silent = (which & 1) != 0;
			line[1].silent = (which & 2) != 0;
			run(now, BEAT - 2 * SECOND);
			CHECK(both_live());
			run(now + BEAT - 2 * SECOND, 10 * SECOND);
			CHECK(!both_live());
			CHECK(end[0].state != LIVENESS_ALIVE && end[0].dead_ns <= now + most);
			CHECK(end[1].state != LIVENESS_ALIVE && end[1].dead_ns <= now + most);
			/* The one that still hears says what it is. */
			if (which == 1)
				CHECK(end[0].state == LIVENESS_UNANSWERED &&
				    end[1].state == LIVENESS_SILENT);
			if (which == 3)
				CHECK(end[0].state == LIVENESS_SILENT &&
				    end[1].state == LIVENESS_SILENT);
		}
	}
}

/* A silence that is shorter than the timeout is none. */
static void
test_pause(void)
{
	uint64_t now = SECOND;
	unsigned i;

	ends_begin(1000000, 40 * MS, BEAT, now);
	flows = true;
	for (i = 0; i < 20; i++) {
		now = run(now, 3 * SECOND);
		line[i % 2].silent = true;
		now = run(now, BEAT - 3 * SECOND);
		line[i % 2].silent = false;
	}
	CHECK(both_live());
}

/* A slow leg that makes progress is alive, and of use. */
static void
slow(uint64_t rate, uint64_t heartbeat_ns)
{
	ends_begin(rate, 50 * MS, heartbeat_ns, SECOND);
	line[1].rate = 10 * rate;
	flows = true;
	run(SECOND, 900 * SECOND);
	CHECK(both_live());
	CHECK(arrived > rate * 900 * 3 / 4);
}

static void
test_slow(void)
{
	static const uint64_t rate[] = { 500, 1000, 2000, 4000, 10000, 100000 };
	size_t i;

	for (i = 0; i < sizeof(rate) / sizeof(rate[0]); i++) {
		slow(rate[i], BEAT);
		slow(rate[i], 3 * SECOND);
	}
}

/* What stands before the answer is progress, and what is heard at all is life. */
static void
test_moved(void)
{
	uint64_t now = SECOND;

	begin(now);
	beat(now);
	for (; now < 100 * SECOND; now += SECOND) {
		liveness_moved(&p, now);
		CHECK(judge(now) == LIVENESS_ALIVE);
	}
	now -= SECOND;
	CHECK(dies(now, 999 * SECOND, LIVENESS_SILENT) == now + BEAT);
}

/* Both machines sleep, or one of them does, with the link as it was. */
static void
test_machines(void)
{
	uint64_t now;

	ends_begin(1000000, 40 * MS, BEAT, SECOND);
	now = run(SECOND, 50 * SECOND) + 3600 * SECOND;
	now = run(now, 50 * SECOND);
	CHECK(both_live());
	/* One sleeps longer than the other has timeout: only that one judges. */
	for (; end[0].state == LIVENESS_ALIVE && now < 5000 * SECOND; now += 10 * MS)
		keep(0, now);
	CHECK(end[0].state == LIVENESS_SILENT);
	keep(1, now);
	CHECK(end[1].state == LIVENESS_ALIVE);
}

int
main(void)
{
	test_due();
	test_timeout();
	test_refused();
	test_late();
	test_rtt();
	test_silent();
	test_unanswered();
	test_even();
	test_suspended();
	test_idle();
	test_silence();
	test_pause();
	test_slow();
	test_moved();
	test_machines();
	return check_done();
}
