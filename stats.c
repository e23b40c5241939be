/*
 * stats: one look at everything that is counted.  See stats.h; runs in the
 * monitor's thread.
 */
#include "stats.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lock.h"
#include "rx.h"
#include "tx.h"

#define SECOND	1000000000ULL
#define MOSTLY	0.9		/* this share of the time makes a state */

static void
take_session(struct session *s, struct stats *out)
{
	unsigned i;

	lock_take(&s->lock);
	out->state = s->state;
	out->verdict = s->verdict;
	out->total = s->total;
	out->status = s->status;
	out->signal = s->signal;
	out->checked = s->checked;
	out->contact_ns = s->contact_ns;
	out->elapsed_ns = s->verdict_ns;
	out->down_ns = s->down_ns;
	out->window = s->window;
	out->up = s->up;
	out->losses = s->losses;
	out->outages = s->outages;
	out->longest_ns = s->longest_ns;
	out->digest = s->digest;
	for (i = 0; i < s->legs; i++) {
		out->leg[i].redials = s->leg[i]->newest > 1 ? s->leg[i]->newest - 1 : 0;
		memcpy(out->leg[i].peer, s->leg[i]->pending_name, sizeof(out->leg[i].peer));
	}
	lock_drop(&s->lock);
}

static void
take_legs(struct session *s, struct stats *out)
{
	struct stats_leg *l;
	struct leg *leg;
	unsigned i;

	for (i = 0; i < s->legs; i++) {
		leg = s->leg[i];
		l = &out->leg[i];
		l->state = (enum leg_state)atomic_load(&leg->state);
		l->path = atomic_load(&leg->path_shown);
		l->frames = atomic_load(&leg->frames);
		l->octets = atomic_load(&leg->octets);
		l->resent = atomic_load(&leg->resent);
		l->rtt_us = atomic_load(&leg->rtt_us);
		l->retransmissions = atomic_load(&leg->retransmissions);
		l->known = l->frames > 0 || l->redials > 0 ||
		    (l->state != LEG_PARKED && l->state != LEG_OVER);
		out->frames += l->frames;
		out->resent += l->resent;
		out->carriers += l->frames > 0;
	}
}

static void
take_halves(struct session *s, struct stats *out, uint64_t until_ns)
{
	struct tx_state tx;
	struct rx_state rx;
	struct fin fin;

	if (s->tx != NULL) {
		tx_state(s->tx, &tx);
		if (out->contact_ns != 0)
			tx_waited(s->tx, until_ns, out->waited_ns);
		out->bytes = tx.delivered;
		out->used = tx.kept;
		out->resent_octets = tx.resent + tx.copied;
		if (tx.finished) {
			tx_fin(s->tx, &fin);
			out->digest = fin.digest;
		}
	}
	if (s->rx != NULL) {
		rx_state(s->rx, &rx);
		if (out->contact_ns != 0)
			rx_waited(s->rx, until_ns, out->waited_ns);
		out->bytes = rx.delivered;
		out->used = rx.stored;
		out->resent_octets = rx.repeated;
		out->spoilt = rx.spoilt;
	}
}

void
stats_take(struct session *s, struct stats *out)
{
	uint64_t until;

	memset(out, 0, sizeof(*out));
	out->sender = s->sender;
	out->caller = s->caller;
	take_session(s, out);
	take_legs(s, out);
	out->at_ns = clock_now_ns();
	until = out->elapsed_ns != 0 ? out->elapsed_ns : out->at_ns;
	take_halves(s, out, until);
	/* The sender hears of the last octets with the verdict. */
	if (out->verdict == VERDICT_DONE)
		out->bytes = out->total;
	out->elapsed_ns = out->contact_ns != 0 && until > out->contact_ns ?
	    until - out->contact_ns : 0;
	/* Where an outage was the end, its length is known by then. */
	if (out->contact_ns != 0 && out->up == 0 && out->verdict != VERDICT_DONE &&
	    until > out->down_ns && until - out->down_ns > out->longest_ns)
		out->longest_ns = until - out->down_ns;
}

static uint64_t
per_second(uint64_t octets, uint64_t ns)
{
	double rate = ns == 0 ? 0 : (double)octets * (double)SECOND / (double)ns;

	return rate < 1e19 ? (uint64_t)rate : (uint64_t)1e19;
}

/* Counts never shrink but when a receiver adopts another session. */
static uint64_t
grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

uint64_t
stats_rate(const struct stats *now, const struct stats *before)
{
	return per_second(grown(now->bytes, before->bytes), grown(now->at_ns, before->at_ns));
}

uint64_t
stats_leg_rate(const struct stats *now, const struct stats *before, unsigned leg)
{
	return per_second(grown(now->leg[leg].octets, before->leg[leg].octets),
	    grown(now->at_ns, before->at_ns));
}

uint64_t
stats_mean(const struct stats *now)
{
	return per_second(now->bytes, now->elapsed_ns);
}

void
stats_waited(const struct stats *now, const struct stats *before, uint64_t waited_ns[BLAME_KINDS])
{
	unsigned i;

	for (i = 0; i < BLAME_KINDS; i++)
		waited_ns[i] = grown(now->waited_ns[i], before->waited_ns[i]);
}

const char *
stats_state(const struct stats *now, const struct stats *before)
{
	uint64_t waited[BLAME_KINDS];

	switch (now->state) {
	case SESSION_CONTACT:
		return "no contact yet";
	case SESSION_SUSPENDED:
		return "suspended";
	case SESSION_CLOSING:
	case SESSION_OVER:
		return now->verdict == VERDICT_DONE ? "done" : "failed";
	case SESSION_RUNNING:
		break;
	}
	stats_waited(now, before, waited);
	if (blame_share(waited, BLAME_SOURCE) >= MOSTLY)
		return "waiting for source";
	if (blame_share(waited, BLAME_CONSUMER) >= MOSTLY)
		return "waiting for consumer";
	return "running";
}

const char *
stats_size_text(uint64_t octets, char text[STATS_TEXT])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)octets;
	unsigned i = 0;

	/* 999.5 would be shown as 1000, which is as wide as 1.00 of the next. */
	while (value >= 999.5 && i + 1 < sizeof(unit) / sizeof(unit[0])) {
		value /= 1024;
		i++;
	}
	snprintf(text, STATS_TEXT, "%.*f %s", i == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2,
	    value, unit[i]);
	return text;
}

const char *
stats_time_text(uint64_t ns, char text[STATS_TEXT])
{
	unsigned long long s = (ns + SECOND / 2) / SECOND;

	if (s >= 86400)
		snprintf(text, STATS_TEXT, "%llud %02llu:%02llu:%02llu", s / 86400,
		    s / 3600 % 24, s / 60 % 60, s % 60);
	else
		snprintf(text, STATS_TEXT, "%llu:%02llu:%02llu", s / 3600, s / 60 % 60, s % 60);
	return text;
}

const char *
stats_moment_text(uint64_t at_ns, char text[STATS_TEXT])
{
	uint64_t ago = grown(clock_now_ns(), at_ns), ns;
	struct timespec t;
	struct tm utc;
	time_t seconds;
	size_t n = 0;

	if (clock_gettime(CLOCK_REALTIME, &t) != 0)
		t.tv_sec = t.tv_nsec = 0;
	ns = (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
	ns = grown(ns, ago);
	seconds = (time_t)(ns / SECOND);
	if (gmtime_r(&seconds, &utc) != NULL)
		n = strftime(text, STATS_TEXT, "%Y-%m-%dT%H:%M:%S", &utc);
	if (n == 0)
		n = (size_t)snprintf(text, STATS_TEXT, "1970-01-01T00:00:00");
	snprintf(text + n, STATS_TEXT - n, ".%03uZ", (unsigned)(ns / 1000000 % 1000));
	return text;
}
