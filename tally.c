/*
 * tally: the table and the summary.  See tally.h; runs in the monitor's thread.
 */
#include "tally.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "log.h"

#define SECOND	1000000000ULL

struct text {
	char *to;
	size_t size;
	size_t length;
};

static void add(struct text *t, const char *format, ...) LOG_FORMAT(2, 3);

/* All of it, or nothing. */
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
percent(const uint64_t waited_ns[BLAME_KINDS], char to[64])
{
	snprintf(to, 64, "source %.0f %%, network %.0f %%, consumer %.0f %%",
	    100 * blame_share(waited_ns, BLAME_SOURCE),
	    100 * blame_share(waited_ns, BLAME_NETWORK),
	    100 * blame_share(waited_ns, BLAME_CONSUMER));
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

static void
add_head(struct text *t, const struct stats *now, const struct stats *before,
    const struct options *options)
{
	uint64_t waited[BLAME_KINDS];
	char a[STATS_TEXT], b[STATS_TEXT], c[STATS_TEXT], d[STATS_TEXT], shares[64];

	add(t, "viamillipede %s: ", now->sender ? "tx" : "rx");
	add_state(t, now, before);
	add(t, "; elapsed %s, %s (%llu bytes)", stats_time_text(now->elapsed_ns, a),
	    stats_size_text(now->bytes, b), (unsigned long long)now->bytes);
	if (options->size_given)
		add(t, " of %s", stats_size_text(options->size_bytes, b));
	add(t, ", now %s/s, mean %s/s\n", stats_size_text(stats_rate(now, before), a),
	    stats_size_text(stats_mean(now), b));
	stats_waited(now, before, waited);
	add(t, "  window %s of %s in use; %u leg%s up, %llu lost so far, %llu frames %s; "
	    "longest outage %.1f s\n", stats_size_text(now->used, c),
	    stats_size_text(now->window, d), now->up, now->up == 1 ? "" : "s",
	    (unsigned long long)now->losses, (unsigned long long)now->resent,
	    now->sender ? "sent again" : "came twice",
	    (double)now->longest_ns / (double)SECOND);
	add(t, "  waited for %s; ", percent(now->waited_ns, shares));
	add(t, "bottleneck: %s (now %s)\n", blame_name(blame_most(now->waited_ns)),
	    blame_name(blame_most(waited)));
}

/* At most 28 characters: the end of a long name says least. */
static const char *
place(const struct stats *now, const struct stats_leg *l, const struct options *options,
    char to[32])
{
	const struct options_path *path = &options->paths[l->path];

	if (!now->caller)
		snprintf(to, 32, "%.28s", l->peer[0] != '\0' ? l->peer : "-");
	else
		snprintf(to, 32, "%.*s%s:%s", strlen(path->host) > 22 ? 19 : 22, path->host,
		    strlen(path->host) > 22 ? "..." : "", path->port);
	return to;
}

static void
add_leg(struct text *t, const struct stats *now, const struct stats *before,
    const struct options *options, unsigned i)
{
	static const char *const state[] = {
		"parked", "dialling", "greeting", "up", "parting", "over"
	};
	const struct stats_leg *l = &now->leg[i];
	char to[32], octets[STATS_TEXT], rate[STATS_TEXT], rtt[16], again[16];

	if (l->rtt_us != 0)
		snprintf(rtt, sizeof(rtt), "%.2f", l->rtt_us / 1000.0);
	else
		snprintf(rtt, sizeof(rtt), "-");
	snprintf(again, sizeof(again), "%u", l->retransmissions);
	add(t, "  %3u %-28s %-8s %9llu %9s %9s/s %8s %7s %6u %7u\n", i,
	    place(now, l, options, to), state[l->state], (unsigned long long)l->frames,
	    stats_size_text(l->octets, octets),
	    stats_size_text(stats_leg_rate(now, before, i), rate), rtt,
	    l->rtt_us != 0 ? again : "-", l->resent, l->redials);
}

size_t
tally_table(const struct stats *now, const struct stats *before, const struct options *options,
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
		    "rtt ms", "retrans", now->sender ? "resent" : "twice", "redials");
	for (i = 0; i < FRAME_LEGS; i++)
		if (now->leg[i].known)
			add_leg(&t, now, before, options, i);
	return t.length;
}

void
tally_summary(const struct stats *now, char *text, size_t size)
{
	struct text t = { text, size, 0 };
	char a[STATS_TEXT], b[STATS_TEXT], shares[64];

	add(&t, "%s %llu bytes (%s)%s in %.3f s, %s/s; %u leg%s, ",
	    now->sender ? "sent" : "received", (unsigned long long)now->bytes,
	    stats_size_text(now->bytes, a), now->verdict == VERDICT_DONE ? "" :
	    " before it failed", (double)now->elapsed_ns / (double)SECOND,
	    stats_size_text(stats_mean(now), b), now->carriers, now->carriers == 1 ? "" : "s");
	add(&t, "%llu loss%s survived, %llu frame%s %s, ", (unsigned long long)now->losses,
	    now->losses == 1 ? "" : "es", (unsigned long long)now->resent,
	    now->resent == 1 ? "" : "s", now->sender ? "sent again" : "came twice");
	if (now->longest_ns > 0)
		add(&t, "longest outage %.1f s", (double)now->longest_ns / (double)SECOND);
	else
		add(&t, "no outage");
	if (now->checked && now->verdict == VERDICT_DONE)
		add(&t, "; digest %016llx", (unsigned long long)now->digest);
	add(&t, "; waited for %s", percent(now->waited_ns, shares));
	add(&t, ": the %s was the bottleneck", blame_name(blame_most(now->waited_ns)));
}
