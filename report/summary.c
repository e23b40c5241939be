/*
 * summary: the table and the summary.  See summary.h; runs in the monitor's thread.
 */
#include "report/summary.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sys/clock.h"
#include "sys/log.h"

struct text {
	char *to;
	size_t size;
	size_t length;
};

static void add(struct text *t, const char *format, ...) LOG_FORMAT(2, 3);

/* Adds the whole text, or nothing if it does not fit. */
static void
add(struct text *t, const char *format, ...)
{
	size_t room = t->size - t->length;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(t->to + t->length, room, format, arguments);
	va_end(arguments);
	if (n > 0 && (size_t)n < room)
		t->length += (size_t)n;
	else
		t->to[t->length] = '\0';
}

static const char *
percent(const uint64_t waited_ns[BOTTLENECK_KINDS], char to[64])
{
	snprintf(to, 64, "source %.0f %%, network %.0f %%, consumer %.0f %%",
	    100 * bottleneck_share(waited_ns, BOTTLENECK_SOURCE),
	    100 * bottleneck_share(waited_ns, BOTTLENECK_NETWORK),
	    100 * bottleneck_share(waited_ns, BOTTLENECK_CONSUMER));
	return to;
}

/* "running", or "suspended since 2024-02-29T12:00:00.000Z (17 s)". */
static void
add_state(struct text *t, const struct stats *now, const struct stats *before)
{
	char moment[STATS_TEXT];

	add(t, "%s", stats_state(now, before));
	if (now->state == SESSION_SUSPENDED)
		add(t, " since %s (%llu s)", stats_moment_text(now->down_ns, moment),
		    (unsigned long long)((now->at_ns - now->down_ns) / SECOND));
}

/* What the bytes are that did not count. */
static const char *
again(const struct stats *now)
{
	return !now->receives ? "sent again" : !now->sends ? "came twice" :
	    "sent again or came twice";
}

static void
add_head(struct text *t, const struct stats *now, const struct stats *before,
    const struct options *options)
{
	uint64_t waited[BOTTLENECK_KINDS];
	char a[STATS_TEXT], b[STATS_TEXT], c[STATS_TEXT], d[STATS_TEXT], e[STATS_TEXT];
	char shares[64], network[STATS_NETWORK];

	add(t, "viamillipede %s: ", stats_role(now));
	add_state(t, now, before);
	add(t, "; elapsed %s, %s (%llu bytes)", stats_time_text(now->elapsed_ns, a),
	    stats_size_text(now->bytes, b), (unsigned long long)now->bytes);
	if (options->size_given)
		add(t, " of %s", stats_size_text(options->size_bytes, b));
	add(t, ", now %s/s, mean %s/s\n", stats_size_text(stats_rate(now, before), a),
	    stats_size_text(stats_mean(now), b));
	if (now->sends && now->receives)
		add(t, "  sent %s, now %s/s; received %s, now %s/s\n",
		    stats_size_text(now->bytes - now->received, a),
		    stats_size_text(stats_rate_sent(now, before), b),
		    stats_size_text(now->received, c),
		    stats_size_text(stats_rate_received(now, before), d));
	if (now->many)
		add(t, "  streams: %u open, %llu opened, %llu failed\n", now->streams.open,
		    now->streams.opened, now->streams.failed);
	stats_waited(now, before, waited);
	add(t, "  window %s of %s in use; %u leg%s up, %llu lost so far, %s %s; "
	    "longest outage %.1f s\n", stats_size_text(now->used, c),
	    stats_size_text(now->window, d), now->up, now->up == 1 ? "" : "s",
	    (unsigned long long)now->losses, stats_size_text(now->resent_bytes, e),
	    again(now),
	    (double)now->longest_ns / (double)SECOND);
	add(t, "  waited for %s; ", percent(now->waited_ns, shares));
	add(t, "bottleneck: %s (now %s)\n", bottleneck_name(bottleneck_largest(now->waited_ns)),
	    bottleneck_name(bottleneck_largest(waited)));
	if (stats_network(now, false, network)[0] != '\0')
		add(t, "  network: %s\n", network);
}

/* A leg's path or peer in at most 28 characters; long names lose their end. */
static const char *
place(const struct stats *now, const struct stats_leg *l, const struct options *options,
    char to[32])
{
	const struct options_path *path = &options->paths[l->path];
	bool line = options->line != 0 && l->path == options->line;
	int most = line ? 16 : 22;
	bool cut = strlen(path->host) > (size_t)most;

	if (!now->caller)
		snprintf(to, 32, "%.28s", l->peer[0] != '\0' ? l->peer : "-");
	else
		snprintf(to, 32, "%.*s%s%s%s", cut ? most - 3 : most, path->host,
		    cut ? "..." : "", line ? ", ssh itself" : ":", line ? "" : path->port);
	return to;
}

static void
add_leg(struct text *t, const struct stats *now, const struct stats *before,
    const struct options *options, unsigned i)
{
	const struct stats_leg *l = &now->leg[i];
	char to[32], bytes[STATS_TEXT], rate[STATS_TEXT], rtt[16], again[16];

	if (l->rtt_us != 0)
		snprintf(rtt, sizeof(rtt), "%.2f", l->rtt_us / 1000.0);
	else
		snprintf(rtt, sizeof(rtt), "-");
	snprintf(again, sizeof(again), "%u", l->retransmissions);
	add(t, "  %3u %-28s %-8s %9llu %9s %9s/s %8s %7s %6u %7u\n", i,
	    place(now, l, options, to), state_leg(l->state), (unsigned long long)l->frames,
	    stats_size_text(l->bytes, bytes),
	    stats_size_text(stats_leg_rate(now, before, i), rate), rtt,
	    l->rtt_us != 0 ? again : "-", l->resent, l->redials);
}

size_t
summary_table(const struct stats *now, const struct stats *before, const struct options *options,
    char *text, size_t size)
{
	struct text t = { text, size, 0 };
	unsigned i, known = 0;

	add_head(&t, now, before, options);
	for (i = 0; i < FRAME_LEGS; i++)
		known += now->leg[i].known;
	if (known > 0)
		add(&t, "  leg %-28s %-8s %9s %9s %11s %8s %7s %6s %7s\n",
		    now->caller ? "path" : "peer", "state", "frames", "bytes", "rate",
		    "rtt ms", "retrans", now->sends ? "resent" : "twice", "redials");
	for (i = 0; i < FRAME_LEGS; i++)
		if (now->leg[i].known)
			add_leg(&t, now, before, options, i);
	return t.length;
}

void
summary_line(const struct stats *now, char *text, size_t size)
{
	struct text t = { text, size, 0 };
	char a[STATS_TEXT], b[STATS_TEXT], c[STATS_TEXT], shares[64], network[STATS_NETWORK];
	enum bottleneck_kind largest = bottleneck_largest(now->waited_ns);

	add(&t, "%s %llu bytes (%s)%s in %.3f s, %s/s; %u leg%s, ",
	    !now->receives ? "sent" : !now->sends ? "received" : "sent and received",
	    (unsigned long long)now->bytes,
	    stats_size_text(now->bytes, a), now->outcome == OUTCOME_DONE ? "" :
	    " before it failed", (double)now->elapsed_ns / (double)SECOND,
	    stats_size_text(stats_mean(now), b), now->carriers, now->carriers == 1 ? "" : "s");
	/* Bytes, because frames may be cut anew when they are sent again. */
	add(&t, "%llu loss%s survived, %s %s, ", (unsigned long long)now->losses,
	    now->losses == 1 ? "" : "es", stats_size_text(now->resent_bytes, c),
	    again(now));
	if (now->longest_ns > 0)
		add(&t, "longest outage %.1f s", (double)now->longest_ns / (double)SECOND);
	else
		add(&t, "no outage");
	if (now->checked && now->outcome == OUTCOME_DONE)
		add(&t, "; digest %016llx", (unsigned long long)now->digest);
	add(&t, "; waited for %s", percent(now->waited_ns, shares));
	add(&t, ": the %s was the bottleneck", bottleneck_name(largest));
	if (largest == BOTTLENECK_NETWORK && stats_network(now, true, network)[0] != '\0')
		add(&t, " (%s)", network);
}
