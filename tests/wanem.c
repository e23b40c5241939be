/*
 * wanem: an emulated wide-area network for kernels without netem.
 *
 * Joins two network namespaces by one pair of TUN devices a path (wan0,
 * wan1, ... in both) and carries every packet between them itself, so that
 * real TCP meets a real rate, queue, delay and loss.  Each direction of each
 * path is a link of its own; commands change or cut it while it runs.
 * One thread does everything.  Needs root and /dev/net/tun, nothing else.
 *
 * usage: wanem [-o] [-n paths] [-s seed] [-t tick_us] [-u mtu]
 *              [-c command-fifo -r reply-fifo] netns-a netns-b
 *
 * It runs at a real-time priority, or else a busy machine adds milliseconds
 * to its delays; -o: as an ordinary process.
 *
 * Prints "ready paths N mtu M tick_us T seed S" when the devices are up
 * (addresses are the caller's), then answers each command line with "ok" or
 * "error: REASON" as its last line.  Ends at end of file on standard input,
 * so that it never outlives whoever started it.
 *
 *	path N|all ab|ba|both WORD...
 *		rate R|unlimited	bits of IP packet a second: 8k, 200M, 1.5G
 *		delay T			one way: 40ms, 1.5s, 200us; plain = ms
 *		jitter T		0 to T more, order kept
 *		reorder F [T]		this fraction is held back T more (5ms) and
 *					overtaken by what follows it
 *		loss F			fraction: 0.001 or 0.1%
 *		corrupt F		one payload byte flipped, checksum repaired
 *		duplicate F
 *		queue B|T|auto		tail-drop limit: bytes (256k), time at the
 *					rate (50ms), or one bandwidth-delay product
 *		police B|off		a token bucket of so many bytes in place of
 *					the queue: what it has no token for is
 *					dropped, the rest passes at once
 *		dropnext N [LEN]	drop the next N packets of LEN bytes or more
 *		corruptnext N [LEN]	corrupt the next N TCP payloads, likewise
 *		cut | heal		blackhole; what is under way is lost too
 *	show | stats | seed | quit
 *
 * A packet waits in the queue, is serialised at the rate, may then be lost
 * (so it has used up capacity, as on a real link), and arrives delay later.
 */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PATHS_MAX	64
#define WORDS_MAX	64
#define LINE_LEN	4096
#define READ_BATCH	256		/* packets from one device in one pass */
#define POOL_MAX	(1ULL << 30)	/* bytes of packets held at any time */
#define BACKDATE_NS	(20 * MS)
#define HOLD_NS		(5 * MS)
#define MS		UINT64_C(1000000)
#define SECOND		UINT64_C(1000000000)
#define NEVER		UINT64_MAX

struct packet {
	struct packet	*next;		/* while it is free */
	uint32_t	 len;
	uint8_t		 data[];
};

/* A growing circular array, ordered by when. */
struct slot {
	uint64_t	 when;		/* ns; queue: arrived, air: is due */
	struct packet	*packet;
};

struct ring {
	struct slot	*slots;
	size_t		 size;		/* zero or a power of two */
	size_t		 head, count;
};

/* What a command can set.  Fractions are in units of 2^-64. */
struct settings {
	uint64_t	 rate_bps;	/* 0: unlimited */
	uint64_t	 delay_ns, jitter_ns, hold_ns;
	uint64_t	 loss, corrupt, duplicate, reorder;
	uint64_t	 queue_bytes;	/* 0: by queue_ns */
	uint64_t	 queue_ns;	/* 0: automatic */
	uint64_t	 police_bytes;	/* 0: a queue */
	uint64_t	 drop_next, drop_len;
	uint64_t	 corrupt_next, corrupt_len;
	bool		 cut;
};

struct counters {
	uint64_t	 in_packets, in_bytes, out_packets, out_bytes;
	uint64_t	 drop_queue, drop_loss, drop_cut, drop_memory;
	uint64_t	 corrupted, duplicated, reordered, write_errors;
};

enum { DICE_LOSS, DICE_CORRUPT, DICE_DUPLICATE, DICE_REORDER, DICE_JITTER,
    DICE_COUNT };

/*
 * One direction of one path.
 * - queue holds what is not serialised yet, air what is; both in order.
 * - last_end never goes back: no two packets share the wire, however late
 *   this program looks.
 * - Each kind of chance has a generator of its own, so that switching one on
 *   does not move the others.
 */
struct link {
	int		 in_fd, out_fd;
	struct settings	 set;
	struct counters	 count;
	struct ring	 queue, air;
	uint64_t	 queued_bytes, air_bytes;
	uint64_t	 last_end;	/* when the wire is free */
	uint64_t	 last_due;	/* newest arrival that keeps order */
	uint64_t	 full_ns;	/* police: when its bucket is full again */
	uint64_t	 dice[DICE_COUNT];
};

struct source {				/* where command lines come from */
	int		 in_fd, out_fd;
	bool		 vital;		/* its end of file ends the program */
	size_t		 len;
	char		 line[LINE_LEN];
};

static struct link	 links[2 * PATHS_MAX];	/* 2n: ab, 2n + 1: ba */
static unsigned int	 paths = 1;
static unsigned int	 mtu = 1500;
static uint64_t		 tick_ns = 100000;
static uint64_t		 seed;
static struct source	 sources[2];
static struct packet	*free_packets;
static uint64_t		 pool_bytes;
static uint64_t		 late_max_ns, late_1ms;	/* how late arrivals were */
static int		 epoll_fd;

static uint64_t
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

/* splitmix64 */
static uint64_t
dice_next(uint64_t *state)
{
	uint64_t z;

	z = *state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static bool
dice_hit(struct link *l, int which, uint64_t fraction)
{
	if (fraction == 0)
		return false;
	return dice_next(&l->dice[which]) <= fraction;
}

static struct packet *
packet_get(void)
{
	struct packet *p = free_packets;
	size_t size = sizeof(*p) + mtu;

	if (p != NULL) {
		free_packets = p->next;
		return p;
	}
	if (pool_bytes + size > POOL_MAX || (p = malloc(size)) == NULL)
		return NULL;
	pool_bytes += size;
	return p;
}

static void
packet_put(struct packet *p)
{
	p->next = free_packets;
	free_packets = p;
}

static struct slot *
ring_at(struct ring *r, size_t i)
{
	return &r->slots[(r->head + i) & (r->size - 1)];
}

/* Inserts in order of when; behind those of the same time. */
static void
ring_insert(struct ring *r, uint64_t when, struct packet *p)
{
	size_t i;

	if (r->count == r->size) {
		size_t size = r->size == 0 ? 256 : 2 * r->size;
		struct slot *grown = calloc(size, sizeof(*grown));

		if (grown == NULL)
			err(1, "packet ring");
		for (i = 0; i < r->count; i++)
			grown[i] = *ring_at(r, i);
		free(r->slots);
		r->slots = grown;
		r->size = size;
		r->head = 0;
	}
	for (i = r->count++; i > 0 && ring_at(r, i - 1)->when > when; i--)
		*ring_at(r, i) = *ring_at(r, i - 1);
	*ring_at(r, i) = (struct slot){ when, p };
}

static struct packet *
ring_pop(struct ring *r)
{
	struct packet *p = ring_at(r, 0)->packet;

	r->head = (r->head + 1) & (r->size - 1);
	r->count--;
	return p;
}

/* Start of the TCP header, or NULL; the payload is *len bytes at *payload. */
static uint8_t *
packet_tcp(struct packet *p, uint8_t **payload, size_t *len)
{
	uint8_t *d = p->data;
	size_t ip, tcp;

	if (p->len >= 40 && d[0] >> 4 == 4) {
		ip = (size_t)(d[0] & 15) * 4;
		if (d[9] != IPPROTO_TCP || (d[6] & 0x3f) != 0 || d[7] != 0)
			return NULL;
	} else if (p->len >= 60 && d[0] >> 4 == 6) {
		ip = 40;
		if (d[6] != IPPROTO_TCP)
			return NULL;
	} else
		return NULL;
	if (ip + 20 > p->len)
		return NULL;
	tcp = (size_t)(d[ip + 12] >> 4) * 4;
	if (ip + tcp >= p->len)
		return NULL;
	*payload = d + ip + tcp;
	*len = p->len - ip - tcp;
	return d + ip;
}

/* Flips bits of one payload byte so that TCP does not notice (RFC 1624). */
static bool
packet_corrupt(struct link *l, struct packet *p)
{
	uint8_t *tcp, *payload;
	uint64_t r;
	size_t len, at;
	uint32_t old, new, sum;

	if ((tcp = packet_tcp(p, &payload, &len)) == NULL)
		return false;
	r = dice_next(&l->dice[DICE_CORRUPT]);
	at = (size_t)(r >> 8) % len;
	old = payload[at];
	new = old ^ (1 + (uint32_t)(r & 0xff) % 255);
	payload[at] = (uint8_t)new;
	if (at % 2 == 0) {
		old <<= 8;
		new <<= 8;
	}
	sum = ~((uint32_t)tcp[16] << 8 | tcp[17]) & 0xffff;
	sum += (~old & 0xffff) + new;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum & 0xffff;
	tcp[16] = (uint8_t)(sum >> 8);
	tcp[17] = (uint8_t)sum;
	l->count.corrupted++;
	return true;
}

static bool
link_loses(struct link *l, const struct packet *p)
{
	bool lost = dice_hit(l, DICE_LOSS, l->set.loss);

	if (l->set.drop_next > 0 && p->len >= l->set.drop_len) {
		l->set.drop_next--;
		lost = true;
	}
	return lost;
}

static void
link_spoil(struct link *l, struct packet *p)
{
	if (l->set.corrupt_next > 0 && p->len >= l->set.corrupt_len) {
		if (packet_corrupt(l, p))
			l->set.corrupt_next--;
	} else if (dice_hit(l, DICE_CORRUPT, l->set.corrupt))
		packet_corrupt(l, p);
}

static void
link_launch(struct link *l, struct packet *p, uint64_t due)
{
	ring_insert(&l->air, due, p);
	l->air_bytes += p->len;
}

/* The packet has left the wire's near end at time end. */
static void
link_fly(struct link *l, struct packet *p, uint64_t end)
{
	struct packet *twin;
	uint64_t due = end + l->set.delay_ns;

	if (link_loses(l, p)) {
		l->count.drop_loss++;
		packet_put(p);
		return;
	}
	link_spoil(l, p);
	if (l->set.jitter_ns > 0)
		due += dice_next(&l->dice[DICE_JITTER]) % l->set.jitter_ns;
	if (dice_hit(l, DICE_REORDER, l->set.reorder)) {
		due += l->set.hold_ns;
		l->count.reordered++;
	} else {
		if (due < l->last_due)
			due = l->last_due;
		l->last_due = due;
	}
	link_launch(l, p, due);
	if (dice_hit(l, DICE_DUPLICATE, l->set.duplicate) &&
	    (twin = packet_get()) != NULL) {
		twin->len = p->len;
		memcpy(twin->data, p->data, p->len);
		link_launch(l, twin, due);
		l->count.duplicated++;
	}
}

/* When the first packet in the queue will have been serialised. */
static uint64_t
link_end(struct link *l)
{
	struct slot *s = ring_at(&l->queue, 0);
	uint64_t start = s->when > l->last_end ? s->when : l->last_end;

	if (l->set.rate_bps == 0)
		return start;
	return start + s->packet->len * 8 * SECOND / l->set.rate_bps;
}

/* Serialises what the wire has had time for, exactly, however late it is. */
static void
link_serve(struct link *l, uint64_t now)
{
	struct packet *p;
	uint64_t end;

	while (l->queue.count > 0 && (end = link_end(l)) <= now) {
		p = ring_pop(&l->queue);
		l->queued_bytes -= p->len;
		l->last_end = end;
		link_fly(l, p, end);
	}
}

static void
link_deliver(struct link *l, uint64_t now)
{
	struct packet *p;
	uint64_t late;

	while (l->air.count > 0 && ring_at(&l->air, 0)->when <= now) {
		late = now - ring_at(&l->air, 0)->when;
		if (late > late_max_ns)
			late_max_ns = late;
		if (late > MS)
			late_1ms++;
		p = ring_pop(&l->air);
		l->air_bytes -= p->len;
		if (write(l->out_fd, p->data, p->len) == (ssize_t)p->len) {
			l->count.out_packets++;
			l->count.out_bytes += p->len;
		} else
			l->count.write_errors++;
		packet_put(p);
	}
}

/* Returns when the link wants to run again. */
static uint64_t
link_run(struct link *l, uint64_t now)
{
	uint64_t next = NEVER, end;

	link_serve(l, now);
	link_deliver(l, now);
	if (l->air.count > 0)
		next = ring_at(&l->air, 0)->when;
	if (l->queue.count > 0 && (end = link_end(l)) < next)
		next = end;
	return next;
}

static uint64_t
link_queue_limit(const struct link *l)
{
	uint64_t ns = l->set.queue_ns, limit;

	if (l->set.queue_bytes > 0)
		return l->set.queue_bytes;
	if (ns == 0) {
		ns = 2 * l->set.delay_ns;
		if (ns < 50 * MS)
			ns = 50 * MS;
	}
	limit = l->set.rate_bps / 8 * (ns / 1000) / 1000000;
	return limit < 12 * mtu ? 12 * mtu : limit;
}

/* Has the policer tokens for a packet that comes now?  They are used up then. */
static bool
link_permits(struct link *l, const struct packet *p, uint64_t now)
{
	uint64_t burst = l->set.police_bytes * 8 * SECOND / l->set.rate_bps;
	uint64_t cost = p->len * 8 * SECOND / l->set.rate_bps;

	if (l->full_ns < now)
		l->full_ns = now;
	if (l->full_ns + cost > now + burst)
		return false;
	l->full_ns += cost;
	return true;
}

/* A policed link has no queue: the packet flies at once or never. */
static void
link_police(struct link *l, struct packet *p, uint64_t now)
{
	if (l->set.cut || !link_permits(l, p, now)) {
		if (l->set.cut)
			l->count.drop_cut++;
		else
			l->count.drop_queue++;
		packet_put(p);
		return;
	}
	link_fly(l, p, now);
}

/*
 * Reads what the device has.  It was seen empty at time since, so that is
 * the earliest that these can have come: the wire is counted from then on
 * and never idles merely because this program slept.
 */
static void
link_read(struct link *l, uint64_t since, uint64_t now)
{
	uint64_t limit = link_queue_limit(l);
	struct packet *p;
	ssize_t n;
	int i;

	for (i = 0; i < READ_BATCH; i++) {
		if ((p = packet_get()) == NULL) {
			uint8_t lost[1];

			if (read(l->in_fd, lost, sizeof(lost)) < 0)
				break;
			l->count.drop_memory++;
			continue;
		}
		if ((n = read(l->in_fd, p->data, mtu)) <= 0) {
			packet_put(p);
			break;
		}
		p->len = (uint32_t)n;
		l->count.in_packets++;
		l->count.in_bytes += p->len;
		if (l->set.police_bytes > 0 && l->set.rate_bps > 0) {
			link_police(l, p, now);
			continue;
		}
		if (l->queued_bytes + p->len > limit)
			link_serve(l, now);
		if (l->set.cut || (l->set.rate_bps > 0 &&
		    l->queued_bytes + p->len > limit)) {
			if (l->set.cut)
				l->count.drop_cut++;
			else
				l->count.drop_queue++;
			packet_put(p);
			continue;
		}
		ring_insert(&l->queue, since, p);
		l->queued_bytes += p->len;
	}
}

static void
link_flush(struct link *l)
{
	l->count.drop_cut += l->queue.count + l->air.count;
	while (l->queue.count > 0)
		packet_put(ring_pop(&l->queue));
	while (l->air.count > 0)
		packet_put(ring_pop(&l->air));
	l->queued_bytes = l->air_bytes = 0;
	l->last_end = l->last_due = 0;
}

static void reply(const struct source *, const char *, ...)
    __attribute__((format(printf, 2, 3)));

static void
reply(const struct source *s, const char *fmt, ...)
{
	char buf[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	/* A reader who is gone or asleep must not stop the network. */
	if (n > 0 && write(s->out_fd, buf, (size_t)n) < 0)
		return;
}

/* A number with a suffix: *end is left behind the digits. */
static bool
word_number(const char *word, double *value, const char **end)
{
	char *stop;

	if (word == NULL || *word < '0' || *word > '9')
		return false;
	*value = strtod(word, &stop);
	*end = stop;
	return *value >= 0 && *value < 1e15;
}

static bool
word_scaled(const char *word, double k, uint64_t *value)
{
	const char *end;
	double v;

	if (!word_number(word, &v, &end))
		return false;
	switch (*end) {
	case 'G':
		v *= k;
		/* FALLTHROUGH */
	case 'M':
		v *= k;
		/* FALLTHROUGH */
	case 'k':
		v *= k;
		end++;
		break;
	default:
		break;
	}
	*value = (uint64_t)v;
	return *end == '\0';
}

static bool
word_time(const char *word, uint64_t *ns)
{
	const char *end;
	double v;

	if (!word_number(word, &v, &end))
		return false;
	if (strcmp(end, "us") == 0)
		v *= 1e3;
	else if (strcmp(end, "s") == 0)
		v *= 1e9;
	else if (strcmp(end, "ms") == 0 || *end == '\0')
		v *= 1e6;
	else
		return false;
	*ns = (uint64_t)v;
	return v < 1e14;
}

static bool
word_fraction(const char *word, uint64_t *fraction)
{
	const char *end;
	double v;

	if (!word_number(word, &v, &end))
		return false;
	if (strcmp(end, "%") == 0)
		v /= 100;
	else if (*end != '\0')
		return false;
	if (v > 1)
		return false;
	*fraction = v == 1.0 ? UINT64_MAX : (uint64_t)(v * 0x1p64);
	return true;
}

static bool
word_rate(const char *word, uint64_t *bps)
{
	if (word != NULL && strcmp(word, "unlimited") == 0) {
		*bps = 0;
		return true;
	}
	return word_scaled(word, 1000, bps) && *bps > 0;
}

static bool
word_queue(const char *word, struct settings *set)
{
	set->queue_bytes = set->queue_ns = 0;
	if (word != NULL && strcmp(word, "auto") == 0)
		return true;
	if (word_scaled(word, 1024, &set->queue_bytes))
		return set->queue_bytes > 0;
	set->queue_bytes = 0;
	return word_time(word, &set->queue_ns) && set->queue_ns > 0;
}

static bool
word_police(const char *word, struct settings *set)
{
	set->police_bytes = 0;
	if (word != NULL && strcmp(word, "off") == 0)
		return true;
	return word_scaled(word, 1024, &set->police_bytes) && set->police_bytes >= mtu;
}

/*
 * Takes one setting off the words; returns how many words it had, 0 when it
 * is none.
 */
static int
words_setting(char **w, struct settings *set)
{
	if (strcmp(w[0], "cut") == 0 || strcmp(w[0], "heal") == 0) {
		set->cut = w[0][0] == 'c';
		return 1;
	}
	if (strcmp(w[0], "rate") == 0)
		return word_rate(w[1], &set->rate_bps) ? 2 : 0;
	if (strcmp(w[0], "delay") == 0)
		return word_time(w[1], &set->delay_ns) ? 2 : 0;
	if (strcmp(w[0], "jitter") == 0)
		return word_time(w[1], &set->jitter_ns) ? 2 : 0;
	if (strcmp(w[0], "loss") == 0)
		return word_fraction(w[1], &set->loss) ? 2 : 0;
	if (strcmp(w[0], "corrupt") == 0)
		return word_fraction(w[1], &set->corrupt) ? 2 : 0;
	if (strcmp(w[0], "duplicate") == 0)
		return word_fraction(w[1], &set->duplicate) ? 2 : 0;
	if (strcmp(w[0], "queue") == 0)
		return word_queue(w[1], set) ? 2 : 0;
	if (strcmp(w[0], "police") == 0)
		return word_police(w[1], set) ? 2 : 0;
	if (strcmp(w[0], "reorder") == 0) {
		set->hold_ns = HOLD_NS;
		if (!word_fraction(w[1], &set->reorder))
			return 0;
		return word_time(w[2], &set->hold_ns) ? 3 : 2;
	}
	if (strcmp(w[0], "dropnext") == 0) {
		set->drop_len = 0;
		if (!word_scaled(w[1], 1000, &set->drop_next))
			return 0;
		return word_scaled(w[2], 1000, &set->drop_len) ? 3 : 2;
	}
	if (strcmp(w[0], "corruptnext") == 0) {
		set->corrupt_len = 0;
		if (!word_scaled(w[1], 1000, &set->corrupt_next))
			return 0;
		return word_scaled(w[2], 1000, &set->corrupt_len) ? 3 : 2;
	}
	return 0;
}

/* path N|all ab|ba|both WORD...: all of it, or on an error none of it. */
static void
command_path(const struct source *src, char **w)
{
	static struct settings changed[2 * PATHS_MAX];
	unsigned int i, first = 0, last = paths - 1;
	uint64_t n, now = clock_ns();
	bool ab, ba;
	int used;
	char **word;

	if (w[0] == NULL || w[1] == NULL || w[2] == NULL) {
		reply(src, "error: path N|all ab|ba|both WORD...\n");
		return;
	}
	if (strcmp(w[0], "all") != 0) {
		if (!word_scaled(w[0], 1000, &n) || n >= paths) {
			reply(src, "error: no path %.40s of 0-%u\n", w[0], last);
			return;
		}
		first = last = (unsigned int)n;
	}
	ab = strcmp(w[1], "ab") == 0 || strcmp(w[1], "both") == 0;
	ba = strcmp(w[1], "ba") == 0 || strcmp(w[1], "both") == 0;
	if (!ab && !ba) {
		reply(src, "error: no direction %.40s: ab, ba, both\n", w[1]);
		return;
	}
	for (i = 2 * first; i <= 2 * last + 1; i++) {
		/* What has passed by now passed under the old settings. */
		link_serve(&links[i], now);
		changed[i] = links[i].set;
		if (!(i % 2 == 0 ? ab : ba))
			continue;
		for (word = w + 2; *word != NULL; word += used) {
			if ((used = words_setting(word, &changed[i])) > 0)
				continue;
			reply(src, "error: bad setting %.40s %.40s\n", word[0],
			    word[1] == NULL ? "" : word[1]);
			return;
		}
	}
	for (i = 2 * first; i <= 2 * last + 1; i++) {
		links[i].set = changed[i];
		if (links[i].set.cut)
			link_flush(&links[i]);
	}
	reply(src, "ok\n");
}

static void
command_show(const struct source *src)
{
	const struct settings *s;
	unsigned int i;

	for (i = 0; i < 2 * paths; i++) {
		s = &links[i].set;
		reply(src, "path %u %s rate %" PRIu64 " delay_us %" PRIu64
		    " jitter_us %" PRIu64 " loss %.9g corrupt %.9g"
		    " duplicate %.9g reorder %.9g hold_us %" PRIu64
		    " queue %" PRIu64 " police %" PRIu64 " dropnext %" PRIu64
		    " corruptnext %" PRIu64 " cut %d\n",
		    i / 2, i % 2 == 0 ? "ab" : "ba", s->rate_bps,
		    s->delay_ns / 1000, s->jitter_ns / 1000,
		    (double)s->loss * 0x1p-64, (double)s->corrupt * 0x1p-64,
		    (double)s->duplicate * 0x1p-64,
		    (double)s->reorder * 0x1p-64, s->hold_ns / 1000,
		    link_queue_limit(&links[i]), s->police_bytes, s->drop_next,
		    s->corrupt_next, s->cut);
	}
	reply(src, "ok\n");
}

static void
command_stats(const struct source *src)
{
	const struct counters *c;
	struct rusage ru;
	unsigned int i;

	for (i = 0; i < 2 * paths; i++) {
		c = &links[i].count;
		reply(src, "path %u %s in_packets %" PRIu64 " in_bytes %" PRIu64
		    " out_packets %" PRIu64 " out_bytes %" PRIu64
		    " drop_queue %" PRIu64 " drop_loss %" PRIu64
		    " drop_cut %" PRIu64 " drop_memory %" PRIu64
		    " corrupted %" PRIu64 " duplicated %" PRIu64
		    " reordered %" PRIu64 " write_errors %" PRIu64
		    " queued_bytes %" PRIu64 " air_bytes %" PRIu64 "\n",
		    i / 2, i % 2 == 0 ? "ab" : "ba", c->in_packets, c->in_bytes,
		    c->out_packets, c->out_bytes, c->drop_queue, c->drop_loss,
		    c->drop_cut, c->drop_memory, c->corrupted, c->duplicated,
		    c->reordered, c->write_errors, links[i].queued_bytes,
		    links[i].air_bytes);
	}
	getrusage(RUSAGE_SELF, &ru);
	reply(src, "loop time_us %" PRIu64 " cpu_us %" PRIu64
	    " late_max_us %" PRIu64 " late_1ms %" PRIu64 "\n",
	    clock_ns() / 1000,
	    (uint64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 +
	    (uint64_t)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec),
	    late_max_ns / 1000, late_1ms);
	late_max_ns = 0;
	reply(src, "ok\n");
}

static void
command_run(const struct source *src, char *line)
{
	char *words[WORDS_MAX + 2] = { NULL }, *save = NULL, *w;
	int n = 0;

	for (w = strtok_r(line, " \t\r", &save); w != NULL && n < WORDS_MAX;
	    w = strtok_r(NULL, " \t\r", &save))
		words[n++] = w;
	if (n == 0)
		return;
	if (strcmp(words[0], "path") == 0)
		command_path(src, words + 1);
	else if (strcmp(words[0], "show") == 0)
		command_show(src);
	else if (strcmp(words[0], "stats") == 0)
		command_stats(src);
	else if (strcmp(words[0], "seed") == 0)
		reply(src, "seed %" PRIu64 "\nok\n", seed);
	else if (strcmp(words[0], "quit") == 0) {
		reply(src, "ok\n");
		exit(0);
	} else
		reply(src, "error: no command %.40s\n", words[0]);
}

static void
source_read(struct source *s)
{
	char *nl;
	ssize_t n;

	n = read(s->in_fd, s->line + s->len, sizeof(s->line) - s->len);
	if (n < 0)
		return;
	if (n == 0) {
		if (s->vital)
			exit(0);
		return;
	}
	s->len += (size_t)n;
	while ((nl = memchr(s->line, '\n', s->len)) != NULL) {
		size_t used = (size_t)(nl - s->line) + 1;

		*nl = '\0';
		command_run(s, s->line);
		s->len -= used;
		memmove(s->line, s->line + used, s->len);
	}
	if (s->len == sizeof(s->line)) {
		reply(s, "error: line too long\n");
		s->len = 0;
	}
}

/* tag: below 2 * PATHS_MAX a link, from there on a source of commands */
static void
loop_watch(int fd, uint32_t tag)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = tag };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) == -1 &&
	    errno != EPERM)
		err(1, "epoll_ctl");
}

/*
 * Sleeps.  While packets flow, it looks at the devices once a tick instead
 * of once a packet (returns false); with nothing to do soon it wakes on the
 * first packet (returns true).
 */
static bool
loop_sleep(uint64_t now, uint64_t next, bool flowing)
{
	struct pollfd pfd = { .fd = epoll_fd, .events = POLLIN };
	struct timespec ts;
	uint64_t ns;

	if (tick_ns > 0 && (flowing || next < now + tick_ns)) {
		ns = now + tick_ns;
		ts.tv_sec = (time_t)(ns / SECOND);
		ts.tv_nsec = (long)(ns % SECOND);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		return false;
	}
	ns = next > now ? next - now : 0;
	ts.tv_sec = (time_t)(ns / SECOND);
	ts.tv_nsec = (long)(ns % SECOND);
	ppoll(&pfd, 1, next == NEVER ? NULL : &ts, NULL);
	return true;
}

static void
loop(void)
{
	struct epoll_event ev[2 * PATHS_MAX + 2];
	uint64_t now, next, end, since = 0;
	bool flowing = false, woken;
	unsigned int i;
	int n, k;

	for (;;) {
		now = clock_ns();
		for (i = 0, next = NEVER; i < 2 * paths; i++)
			if ((end = link_run(&links[i], now)) < next)
				next = end;
		woken = loop_sleep(clock_ns(), next, flowing);
		now = clock_ns();
		n = epoll_wait(epoll_fd, ev, 2 * PATHS_MAX + 2, 0);
		if (woken || since + BACKDATE_NS < now)
			since = now;
		for (k = 0, flowing = false; k < n; k++) {
			if (ev[k].data.u32 >= 2 * PATHS_MAX) {
				source_read(&sources[ev[k].data.u32 -
				    2 * PATHS_MAX]);
				continue;
			}
			link_read(&links[ev[k].data.u32], since, now);
			flowing = true;
		}
		since = now;
	}
}

static int
netns_open(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s%s",
	    strchr(name, '/') != NULL ? "" : "/run/netns/", name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		err(1, "%s", path);
	return fd;
}

/* Makes wanN in the namespace that the thread is in, and brings it up. */
static int
tun_open(unsigned int n)
{
	struct ifreq ifr = { 0 };
	int fd, s;

	if ((fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)) == -1)
		err(1, "/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "wan%u", n);
	ifr.ifr_flags = IFF_TUN | IFF_NO_PI;
	if (ioctl(fd, TUNSETIFF, &ifr) == -1)
		err(1, "TUNSETIFF %s", ifr.ifr_name);
	if ((s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		err(1, "socket");
	ifr.ifr_mtu = (int)mtu;
	if (ioctl(s, SIOCSIFMTU, &ifr) == -1)
		err(1, "mtu of %s", ifr.ifr_name);
	/* The queue that counts is ours: the device's must never overflow. */
	ifr.ifr_qlen = 20000;
	if (ioctl(s, SIOCSIFTXQLEN, &ifr) == -1)
		err(1, "queue of %s", ifr.ifr_name);
	if (ioctl(s, SIOCGIFFLAGS, &ifr) == -1)
		err(1, "flags of %s", ifr.ifr_name);
	ifr.ifr_flags = (short)(ifr.ifr_flags | IFF_UP);
	if (ioctl(s, SIOCSIFFLAGS, &ifr) == -1)
		err(1, "%s up", ifr.ifr_name);
	close(s);
	return fd;
}

static void
paths_open(const char *ns_a, const char *ns_b)
{
	int home = netns_open("/proc/self/ns/net");
	int ns[2] = { netns_open(ns_a), netns_open(ns_b) };
	int fd, side, k;
	unsigned int i;

	for (side = 0; side < 2; side++) {
		if (setns(ns[side], CLONE_NEWNET) == -1)
			err(1, "setns %s", side == 0 ? ns_a : ns_b);
		for (i = 0; i < paths; i++) {
			fd = tun_open(i);
			links[2 * i + (unsigned int)side].in_fd = fd;
			links[2 * i + 1 - (unsigned int)side].out_fd = fd;
		}
		close(ns[side]);
	}
	if (setns(home, CLONE_NEWNET) == -1)
		err(1, "setns home");
	close(home);
	for (i = 0; i < 2 * paths; i++) {
		loop_watch(links[i].in_fd, i);
		for (k = 0; k < DICE_COUNT; k++) {
			uint64_t s = seed + i * DICE_COUNT + (uint64_t)k;

			links[i].dice[k] = dice_next(&s);
		}
	}
}

static uint64_t
option_number(const char *arg, uint64_t max)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(arg, &end, 10);
	if (errno != 0 || end == arg || *end != '\0' || v > max)
		errx(2, "not a number of 0-%" PRIu64 ": %s", max, arg);
	return v;
}

static void
source_open(unsigned int i, int in_fd, int out_fd)
{
	if (in_fd == -1 || out_fd == -1)
		err(1, "command fifo");
	sources[i].in_fd = in_fd;
	sources[i].out_fd = out_fd;
	loop_watch(in_fd, 2 * PATHS_MAX + i);
}

int
main(int argc, char **argv)
{
	const char *command_fifo = NULL, *reply_fifo = NULL;
	struct sched_param urgent = { .sched_priority = 1 };
	bool ordinary = false;
	int c;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		err(1, "getrandom");
	seed >>= 32;
	while ((c = getopt(argc, argv, "c:n:or:s:t:u:")) != -1)
		switch (c) {
		case 'c':
			command_fifo = optarg;
			break;
		case 'n':
			paths = (unsigned int)option_number(optarg, PATHS_MAX);
			break;
		case 'o':
			ordinary = true;
			break;
		case 'r':
			reply_fifo = optarg;
			break;
		case 's':
			seed = option_number(optarg, UINT64_MAX);
			break;
		case 't':
			tick_ns = option_number(optarg, 10000) * 1000;
			break;
		case 'u':
			mtu = (unsigned int)option_number(optarg, 65000);
			break;
		default:
			errx(2, "unknown option");
		}
	if (argc - optind != 2 || paths == 0 || mtu < 68 ||
	    (command_fifo == NULL) != (reply_fifo == NULL))
		errx(2, "usage: wanem [-o] [-n paths] [-s seed] [-t tick_us] "
		    "[-u mtu] [-c command-fifo -r reply-fifo] "
		    "netns-a netns-b");
	if (!ordinary)
		sched_setscheduler(0, SCHED_RR, &urgent);
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	if ((epoll_fd = epoll_create1(EPOLL_CLOEXEC)) == -1)
		err(1, "epoll_create1");
	paths_open(argv[optind], argv[optind + 1]);
	sources[0].vital = true;
	source_open(0, STDIN_FILENO, STDOUT_FILENO);
	if (command_fifo != NULL)
		source_open(1, open(command_fifo, O_RDWR | O_NONBLOCK),
		    open(reply_fifo, O_RDWR | O_NONBLOCK));
	reply(&sources[0], "ready paths %u mtu %u tick_us %" PRIu64
	    " seed %" PRIu64 "\n", paths, mtu, tick_ns / 1000, seed);
	loop();
}
