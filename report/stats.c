/*
 * stats: a snapshot of all counters.  See stats.h; runs in the monitor's thread.
 */
#include "report/stats.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/rate.h"
#include "leg.h"
#include "rx.h"
#include "session.h"
#include "sys/clock.h"
#include "sys/lock.h"
#include "tx.h"

#define MOSTLY	0.9		/* a wait with this share of the time is the state */

static void
take_session(struct session *s, struct stats *out)
{
	struct stats_leg *l;
	struct leg *leg;
	unsigned i;

	lock_acquire(&s->lock);
	out->state = s->state;
	out->outcome = s->direction.outcome;
	out->total = s->direction.total;
	out->status = s->status;
	out->signal = s->signal;
	out->checked = s->direction.checked;
	out->contact_ns = s->contact_ns;
	out->elapsed_ns = s->outcome_ns;
	out->down_ns = s->down_ns;
	out->window = s->direction.window;
	out->up = s->up;
	out->losses = s->losses;
	out->outages = s->outages;
	out->longest_ns = s->longest_ns;
	out->digest = s->direction.digest;
	for (i = 0; i < s->legs; i++) {
		leg = s->leg[i];
		l = &out->leg[leg->number];
		l->redials = leg->newest > 1 ? leg->newest - 1 : 0;
		memcpy(l->peer, leg->handed.name, sizeof(l->peer));
	}
	lock_release(&s->lock);
}

static void
take_legs(struct session *s, struct stats *out)
{
	struct stats_leg *l;
	struct leg *leg;
	unsigned i;

	for (i = 0; i < s->legs; i++) {
		leg = s->leg[i];
		l = &out->leg[leg->number];
		l->state = (enum leg_state)atomic_load(&leg->state);
		l->path = atomic_load(&leg->path_shown);
		l->frames = atomic_load(&leg->frames);
		l->bytes = atomic_load(&leg->bytes);
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
		out->paths = tx_paths(s->tx, out->path);
		out->resent_bytes = tx.resent + tx.copied;
		if (tx.finished) {
			tx_fin(s->tx, &fin);
			out->digest = fin.digest;
		}
	}
	if (s->rx != NULL) {
		rx_state(s->rx, &rx);
		/* Where both ends send, what the sending half waits for is shown. */
		if (out->contact_ns != 0 && s->tx == NULL)
			rx_waited(s->rx, until_ns, out->waited_ns);
		out->received = rx.delivered;
		out->bytes += rx.delivered;
		out->used += rx.stored;
		out->resent_bytes += rx.repeated;
		out->spoilt = rx.spoilt;
	}
}

void
stats_take(struct session *s, struct stats *out)
{
	uint64_t until;

	memset(out, 0, sizeof(*out));
	out->sends = s->sends;
	out->receives = s->receives;
	out->caller = s->caller;
	take_session(s, out);
	take_legs(s, out);
	out->many = s->mux != NULL;
	if (out->many)
		mux_state(s->mux, &out->streams);
	out->at_ns = clock_now_ns();
	until = out->elapsed_ns != 0 ? out->elapsed_ns : out->at_ns;
	take_halves(s, out, until);
	/* The sender learns of the last delivered bytes only with DONE. */
	if (out->outcome == OUTCOME_DONE)
		out->bytes = out->total + (out->sends ? out->received : 0);
	out->elapsed_ns = out->contact_ns != 0 && until > out->contact_ns ?
	    until - out->contact_ns : 0;
	/* The longest outage may be the one that still lasts, or ended the session. */
	if (out->contact_ns != 0 && out->up == 0 && out->outcome != OUTCOME_DONE &&
	    until > out->down_ns && until - out->down_ns > out->longest_ns)
		out->longest_ns = until - out->down_ns;
}

const char *
stats_role(const struct stats *now)
{
	return !now->receives ? "tx" : !now->sends ? "rx" : "duplex";
}

static void
network_add(char text[STATS_NETWORK], enum limit_kind kind, unsigned path)
{
	size_t have = strlen(text);
	const char *comma = have > 0 ? ", " : "";

	switch (kind) {
	case LIMIT_NONE:
	case LIMIT_APPLICATION:
		break;
	case LIMIT_RECEIVER:
	case LIMIT_BUFFER:
	case LIMIT_LOSS:
		snprintf(text + have, STATS_NETWORK - have, "%s%s on path %u", comma,
		    limit_name(kind), path);
		break;
	case LIMIT_PATH:
		snprintf(text + have, STATS_NETWORK - have, "%spath %u is full", comma, path);
		break;
	}
}

const char *
stats_network(const struct stats *now, bool whole, char text[STATS_NETWORK])
{
	unsigned i;

	text[0] = '\0';
	for (i = 0; i < now->paths && i < FRAME_PATHS; i++)
		network_add(text, whole ? now->path[i].mostly : now->path[i].limit, i);
	return text;
}

/* Counts shrink only when a receiver adopts another session. */
static uint64_t
grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

uint64_t
stats_rate(const struct stats *now, const struct stats *before)
{
	return rate_of(grown(now->bytes, before->bytes), grown(now->at_ns, before->at_ns));
}

uint64_t
stats_rate_sent(const struct stats *now, const struct stats *before)
{
	return rate_of(grown(now->bytes - now->received, before->bytes - before->received),
	    grown(now->at_ns, before->at_ns));
}

uint64_t
stats_rate_received(const struct stats *now, const struct stats *before)
{
	return rate_of(grown(now->received, before->received), grown(now->at_ns, before->at_ns));
}

uint64_t
stats_leg_rate(const struct stats *now, const struct stats *before, unsigned leg)
{
	return rate_of(grown(now->leg[leg].bytes, before->leg[leg].bytes),
	    grown(now->at_ns, before->at_ns));
}

uint64_t
stats_mean(const struct stats *now)
{
	return rate_of(now->bytes, now->elapsed_ns);
}

void
stats_waited(const struct stats *now, const struct stats *before,
    uint64_t waited_ns[BOTTLENECK_KINDS])
{
	unsigned i;

	for (i = 0; i < BOTTLENECK_KINDS; i++)
		waited_ns[i] = grown(now->waited_ns[i], before->waited_ns[i]);
}

const char *
stats_state(const struct stats *now, const struct stats *before)
{
	uint64_t waited[BOTTLENECK_KINDS];

	switch (now->state) {
	case SESSION_CONTACT:
		return "no contact yet";
	case SESSION_SUSPENDED:
		return "suspended";
	case SESSION_CLOSING:
	case SESSION_OVER:
		return now->outcome == OUTCOME_DONE ? "done" : "failed";
	case SESSION_RUNNING:
		break;
	}
	stats_waited(now, before, waited);
	if (bottleneck_share(waited, BOTTLENECK_SOURCE) >= MOSTLY)
		return "waiting for source";
	if (bottleneck_share(waited, BOTTLENECK_CONSUMER) >= MOSTLY)
		return "waiting for consumer";
	return "running";
}

const char *
stats_size_text(uint64_t bytes, char text[STATS_TEXT])
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes;
	unsigned i = 0;

	/* 999.5 would be shown as 1000, one digit too wide. */
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
	uint64_t ns = grown(clock_day_ns(), grown(clock_now_ns(), at_ns));
	time_t seconds = (time_t)(ns / SECOND);
	struct tm utc;
	size_t n = 0;

	if (gmtime_r(&seconds, &utc) != NULL)
		n = strftime(text, STATS_TEXT, "%Y-%m-%dT%H:%M:%S", &utc);
	if (n == 0)
		n = (size_t)snprintf(text, STATS_TEXT, "1970-01-01T00:00:00");
	snprintf(text + n, STATS_TEXT - n, ".%03uZ", (unsigned)(ns / MS % 1000));
	return text;
}
