/*
 * inflow: the octets that a leg receives.  See inflow.h; runs in the leg's
 * thread, with no lock held.
 */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "inflow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "crc32c.h"
#include "leg.h"
#include "lock.h"
#include "log.h"
#include "rx.h"
#include "worker.h"

#define BURST	64		/* calls in a row before the leg looks at the rest */
#define VOID	(64u << 10)	/* octets thrown away in one call */

void
inflow_init(struct inflow *in)
{
	in->stage = INFLOW_HEADER;
	in->have = 0;
	in->buffer = NULL;
	in->sluice = NULL;
	in->narrow = false;
	in->full_ns = 0;
	in->taken = 0;
	in->told = 0;
}

static void
sluice_leave(struct leg *leg)
{
	leg->in.sluice = NULL;
	rx_sluice_leave(leg->rx);
}

void
inflow_stop(struct leg *leg)
{
	struct inflow *in = &leg->in;

	if (leg->rx == NULL)
		return;
	rx_leave(leg->rx, leg);
	if (in->sluice != NULL) {
		sluice_drop(in->sluice);
		sluice_leave(leg);
	}
	if (in->buffer == NULL)
		return;
	/* What came without a check is good as far as it goes. */
	if (!leg->checked && !leg->keyed && in->seq > in->begin)
		rx_store(leg->rx, leg, in->begin, in->seq, in->buffer);
	else
		rx_buffer_drop(leg->rx, in->buffer);
	in->buffer = NULL;
}

void
inflow_drain(struct leg *leg)
{
	inflow_stop(leg);
	leg->in.stage = INFLOW_DRAIN;
}

/* Reading */

/*
 * One read into up to three places.  INFLOW_MORE with *n > 0, or why there is
 * nothing.
 */
static enum inflow_result
take(struct leg *leg, struct iovec *iov, unsigned count, size_t *n)
{
	struct msghdr msg = { 0 };
	ssize_t got;

	if (leg->chaos.spec != NULL) {
		iov[0].iov_len = chaos_length(&leg->chaos, iov[0].iov_len);
		count = 1;
	}
	net_pieces(&msg, iov, count);
	do
		got = recvmsg(leg->fd, &msg, MSG_DONTWAIT);
	while (got == -1 && errno == EINTR);
	*n = 0;
	if (got == 0)
		return INFLOW_END;
	if (got == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? INFLOW_EMPTY : INFLOW_FAILED;
	*n = (size_t)got;
	leg->in.taken += *n;
	if (leg->in.stage == INFLOW_DATA)
		pulse_moved(&leg->pulse, clock_now_ns());
	else
		pulse_heard(&leg->pulse, clock_now_ns());
	return INFLOW_MORE;
}

/* Thrown away; but with a key a frame counts only if all of it has its MAC. */
static enum inflow_result
take_void(struct leg *leg, uint64_t most, size_t *n)
{
	uint8_t sink[VOID];
	struct iovec iov = { sink, most < VOID ? (size_t)most : VOID };
	enum inflow_result result = take(leg, &iov, 1, n);

	if (leg->keyed && leg->in.stage == INFLOW_DATA)
		siphash_add(&leg->in.sum, sink, *n);
	return result;
}

/* Frames of the stream */

static void
frame_done(struct leg *leg)
{
	leg->in.stage = INFLOW_HEADER;
	atomic_fetch_add_explicit(&leg->frames, 1, memory_order_relaxed);
	worker_chaos(leg);
}

/* From in->seq on. */
static enum inflow_result
go(struct leg *leg, enum order_way way)
{
	struct inflow *in = &leg->in;

	if (way == ORDER_KEEP) {
		in->buffer = rx_buffer(leg->rx, (size_t)(in->end - in->seq));
		if (in->buffer == NULL) {
			rx_fail_memory(leg->rx);
			way = ORDER_VOID;
		}
		in->begin = in->seq;
	}
	in->way = way;
	in->full_ns = 0;
	return INFLOW_MORE;
}

/*
 * In which way, beside buffering, the octets can take their turn.  With a key in
 * none: what a man in the middle on this very machine has sent may be pages that
 * he can still write to when their MAC was found right.
 */
static enum rx_direct
direct_way(const struct leg *leg)
{
	const struct inflow *in = &leg->in;

	if (leg->keyed)
		return RX_BUFFERED;
	if (!leg->checked)
		return RX_DIRECT;
	return in->narrow || in->frame.length > SLUICE_MOST ? RX_BUFFERED : RX_SLUICED;
}

/* The way from in->seq on; called anew when the way changes in mid-frame. */
static enum inflow_result
choose(struct leg *leg, bool direct)
{
	struct inflow *in = &leg->in;
	enum rx_direct how = direct ? direct_way(leg) : RX_BUFFERED;
	enum order_way way = rx_begin(leg->rx, leg, in->seq, in->end, how, &in->skip);

	if (way == ORDER_TURN && how == RX_SLUICED) {
		in->sluice = rx_sluice(leg->rx);
		in->right = false;
		if (!sluice_open(in->sluice)) {
			rx_leave(leg->rx, leg);
			sluice_leave(leg);
			way = rx_begin(leg->rx, leg, in->seq, in->end, RX_BUFFERED, &in->skip);
		}
	}
	return go(leg, way);
}

/* A MAC or a check that differs: the leg ends, and what it held goes again. */
static enum inflow_result
spoilt(struct leg *leg, const char *text, const char **why)
{
	if (leg->rx != NULL)
		rx_spoilt(leg->rx);
	*why = text;
	return INFLOW_BROKEN;
}

/* Chaos: as if a bit of the payload had been another. */
static void
corrupt(struct leg *leg)
{
	struct inflow *in = &leg->in;
	size_t bit;

	if ((leg->checked || leg->keyed) && chaos_corrupt(&leg->chaos, in->frame.length, &bit)) {
		in->check ^= 1;
		in->mac[0] ^= 1;
	}
}

static enum inflow_result
keep_done(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	struct order_buffer *buffer = in->buffer;
	const char *wrong = NULL;

	corrupt(leg);
	if (leg->keyed && !auth_frame_good(&in->sum, in->mac))
		wrong = "a frame's MAC differs";
	else if (leg->checked && in->check != in->frame.check)
		wrong = "a payload's check differs";
	in->buffer = NULL;
	if (wrong != NULL) {
		rx_buffer_drop(leg->rx, buffer);
		return spoilt(leg, wrong, why);
	}
	rx_store(leg->rx, leg, in->begin, in->end, buffer);
	frame_done(leg);
	return INFLOW_MORE;
}

/* With a key nothing was said of it so far. */
static enum inflow_result
void_done(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;

	if (leg->keyed && !auth_frame_good(&in->sum, in->mac))
		return spoilt(leg, "a frame's MAC differs", why);
	if (leg->keyed)
		rx_voided(leg->rx, leg, in->frame.length);
	atomic_fetch_add_explicit(&leg->resent, 1, memory_order_relaxed);
	frame_done(leg);
	return INFLOW_MORE;
}

/* All of a payload is here that is kept or thrown away; with a key a MAC follows. */
static enum inflow_result
payload_done(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;

	if (leg->keyed && in->mac_have < FRAME_MAC) {
		in->stage = INFLOW_MAC;
		return INFLOW_MORE;
	}
	return in->way == ORDER_KEEP ? keep_done(leg, why) : void_done(leg, why);
}

static size_t
less(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* n octets that are kept have come: checked at once, while they are in the cache. */
static void
check(struct leg *leg, size_t n)
{
	struct inflow *in = &leg->in;
	const uint8_t *octets;

	if (n == 0)
		return;
	octets = in->buffer->data + (in->seq - in->begin);
	if (leg->checked)
		in->check = crc32c(in->check, octets, n);
	if (leg->keyed)
		siphash_add(&in->sum, octets, n);
}

/*
 * The rest of the payload that is kept, if there is any, and in the same call
 * what follows: its MAC and the next header.
 */
static enum inflow_result
read_on(struct leg *leg, size_t rest, const char **why)
{
	struct inflow *in = &leg->in;
	size_t mac = leg->keyed ? FRAME_MAC - in->mac_have : 0, n, part;
	struct iovec iov[3];
	unsigned count = 0;
	enum inflow_result result;

	if (rest > 0)
		iov[count++] = (struct iovec){ in->buffer->data + (in->seq - in->begin), rest };
	if (mac > 0)
		iov[count++] = (struct iovec){ in->mac + in->mac_have, mac };
	iov[count++] = (struct iovec){ in->header, FRAME_HEADER };
	result = take(leg, iov, count, &n);
	if (result != INFLOW_MORE)
		return result;
	part = less(n, rest);
	check(leg, part);
	in->seq += part;
	n -= part;
	part = less(n, mac);
	in->mac_have += part;
	in->have = n - part;
	return in->seq == in->end ? payload_done(leg, why) : INFLOW_MORE;
}

static enum inflow_result
read_void(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	size_t n;
	enum inflow_result result = take_void(leg, in->end - in->seq, &n);

	if (result != INFLOW_MORE)
		return result;
	in->seq += n;
	if (!leg->keyed)
		rx_voided(leg->rx, leg, n);
	return in->seq == in->end ? payload_done(leg, why) : INFLOW_MORE;
}

/* The consumer takes nothing; false when it has not for so long that it is not waited for. */
static bool
consumer_full(struct leg *leg)
{
	struct inflow *in = &leg->in;
	uint64_t now = clock_now_ns();

	if (in->full_ns == 0) {
		in->full_ns = now;
		rx_full(leg->rx);
	}
	return now - in->full_ns < INFLOW_FULL_NS;
}

/* The sluice */

/*
 * What the sluice holds of the frame, which is not yet known to be right, takes
 * another way: the turn was lost, or the pipes are too small.
 */
static enum inflow_result
unsluice(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	uint64_t seq = in->seq;

	rx_leave(leg->rx, leg);
	in->seq = in->frame.seq;
	go(leg, rx_begin(leg->rx, leg, in->seq, in->end, RX_BUFFERED, &in->skip));
	in->seq = seq;
	if (in->way == ORDER_VOID) {
		rx_voided(leg->rx, leg, seq - in->frame.seq);
		sluice_drop(in->sluice);
	} else if (!sluice_take(in->sluice, in->buffer->data)) {
		errno = EIO;
		return INFLOW_FAILED;
	}
	sluice_leave(leg);
	return in->seq == in->end ? payload_done(leg, why) : INFLOW_MORE;
}

/* Nothing comes just now.  The turn may be lost meanwhile to a leg that has a copy. */
static enum inflow_result
sluice_idle(struct leg *leg, const char **why)
{
	return rx_wait(leg->rx, leg) ? INFLOW_EMPTY : unsluice(leg, why);
}

static enum inflow_result
sluice_more(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	size_t n = chaos_length(&leg->chaos, (size_t)(in->end - in->seq));
	ssize_t got;

	do
		got = sluice_fill(in->sluice, leg->fd, n);
	while (got == -1 && errno == EINTR);
	if (got == 0)
		return INFLOW_END;
	if (got == -1)
		return errno == EAGAIN || errno == EWOULDBLOCK ? sluice_idle(leg, why) : INFLOW_FAILED;
	n = (size_t)got;
	in->check = crc32c(in->check, in->sluice->octets, n);
	digest_add(&in->sluice->digest, in->sluice->octets, n);
	in->seq += n;
	in->taken += n;
	pulse_moved(&leg->pulse, clock_now_ns());
	in->narrow = in->sluice->spilt > 0;
	return in->narrow ? unsluice(leg, why) : INFLOW_MORE;
}

/* All of the frame is here. */
static enum inflow_result
sluice_judge(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;

	corrupt(leg);
	if (in->check != in->frame.check)
		return spoilt(leg, "a payload's check differs", why);
	rx_sluice_right(leg->rx, in->end);
	in->right = true;
	return INFLOW_MORE;
}

static enum inflow_result
sluice_done(struct leg *leg)
{
	rx_leave(leg->rx, leg);
	sluice_leave(leg);
	frame_done(leg);
	return INFLOW_MORE;
}

/* The consumer takes no more: what it has not taken of a right frame is buffered. */
static enum inflow_result
sluice_store(struct leg *leg)
{
	struct inflow *in = &leg->in;
	size_t rest = in->sluice->held;
	struct order_buffer *buffer = rx_buffer(leg->rx, rest);

	if (buffer == NULL) {
		rx_fail_memory(leg->rx);
		sluice_drop(in->sluice);
		return sluice_done(leg);
	}
	if (!sluice_take(in->sluice, buffer->data)) {
		rx_buffer_drop(leg->rx, buffer);
		errno = EIO;
		return INFLOW_FAILED;
	}
	rx_leave(leg->rx, leg);
	rx_store(leg->rx, leg, in->end - rest, in->end, buffer);
	return sluice_done(leg);
}

static enum inflow_result
sluice_pass_on(struct leg *leg)
{
	struct inflow *in = &leg->in;
	ssize_t put;

	do
		put = sluice_pass(in->sluice, rx_output(leg->rx));
	while (put == -1 && errno == EINTR);
	if (put > 0) {
		in->full_ns = 0;
		rx_moved(leg->rx, leg, (uint64_t)put);
		return in->sluice->held == 0 ? sluice_done(leg) : INFLOW_MORE;
	}
	if (put == -1 && (errno == EAGAIN || errno == EWOULDBLOCK) && consumer_full(leg))
		return INFLOW_OUTPUT;
	if (put == -1 && errno == EPIPE)
		rx_fail_consumer(leg->rx);
	else if (put == -1 && (errno == EINVAL || errno == ENOSYS))
		rx_indirect(leg->rx);
	return sluice_store(leg);
}

static enum inflow_result
read_sluice(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;

	/* The turn may have been lost while the leg slept, or all was stopped. */
	if (!rx_resume(leg->rx, leg))
		return in->right ? sluice_store(leg) : unsluice(leg, why);
	if (in->right)
		return sluice_pass_on(leg);
	return in->seq < in->end ? sluice_more(leg, why) : sluice_judge(leg, why);
}

/* The turn */

/*
 * Nothing moved: either the socket is empty, or the consumer is full.  The
 * turn may be lost meanwhile to a leg that has a copy.
 */
static enum inflow_result
turn_idle(struct leg *leg)
{
	if (!net_readable(leg->fd)) {
		leg->in.full_ns = 0;
		if (!rx_wait(leg->rx, leg))
			return choose(leg, true);
		return INFLOW_EMPTY;
	}
	if (consumer_full(leg))
		return INFLOW_OUTPUT;
	rx_leave(leg->rx, leg);
	return choose(leg, false);
}

static enum inflow_result
turn_moved(struct leg *leg, size_t n)
{
	struct inflow *in = &leg->in;

	in->seq += n;
	in->taken += n;
	in->full_ns = 0;
	pulse_moved(&leg->pulse, clock_now_ns());
	rx_moved(leg->rx, leg, n);
	if (in->seq == in->end) {
		rx_leave(leg->rx, leg);
		in->have = 0;
		frame_done(leg);
	}
	return INFLOW_MORE;
}

#ifdef SPLICE_F_MOVE
static ssize_t
move(struct leg *leg, size_t n)
{
	return splice(leg->fd, NULL, rx_output(leg->rx), NULL, n,
	    SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}
#else
/* rx.c grants no turns where octets cannot be moved. */
static ssize_t
move(struct leg *leg, size_t n)
{
	(void)leg;
	(void)n;
	errno = EINVAL;
	return -1;
}
#endif

static enum inflow_result
read_turn(struct leg *leg)
{
	struct inflow *in = &leg->in;
	enum inflow_result result;
	ssize_t got;
	size_t n;

	/* It may have been lost while the leg slept, or all was stopped. */
	if (!rx_resume(leg->rx, leg))
		return choose(leg, true);
	if (in->skip > 0) {
		result = take_void(leg, in->skip, &n);
		in->skip -= n;
		in->seq += n;
		rx_voided(leg->rx, leg, n);
		return result == INFLOW_EMPTY ? turn_idle(leg) : result;
	}
	n = chaos_length(&leg->chaos, (size_t)(in->end - in->seq));
	do
		got = move(leg, n);
	while (got == -1 && errno == EINTR);
	if (got > 0)
		return turn_moved(leg, (size_t)got);
	if (got == 0)
		return INFLOW_END;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return turn_idle(leg);
	rx_leave(leg->rx, leg);
	if (errno == EPIPE)
		rx_fail_consumer(leg->rx);
	else if (errno == EINVAL || errno == ENOSYS)
		rx_indirect(leg->rx);
	else
		return INFLOW_FAILED;
	return choose(leg, false);
}

static enum inflow_result
read_data(struct leg *leg, const char **why)
{
	switch (leg->in.way) {
	case ORDER_TURN:
		return leg->in.sluice != NULL ? read_sluice(leg, why) : read_turn(leg);
	case ORDER_SOON:
		if (clock_now_ns() >= leg->in.soon_ns)
			return choose(leg, false);
		choose(leg, true);
		return leg->in.way == ORDER_SOON ? INFLOW_TURN : INFLOW_MORE;
	case ORDER_KEEP:
		return read_on(leg, (size_t)(leg->in.end - leg->in.seq), why);
	case ORDER_VOID:
		return read_void(leg, why);
	}
	return INFLOW_MORE;
}

/* Headers and control frames */

static enum inflow_result
data_begin(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;

	if (leg->rx == NULL)
		*why = "DATA to a sender";
	else if (leg->checked != ((in->frame.flags & FRAME_CHECKED) != 0))
		*why = "a check that was not agreed on, or none";
	else
		*why = rx_admit(leg->rx, in->frame.seq, in->frame.length);
	if (*why != NULL)
		return INFLOW_BROKEN;
	in->stage = INFLOW_DATA;
	in->seq = in->frame.seq;
	in->end = in->frame.seq + in->frame.length;
	in->have = in->mac_have = 0;
	in->check = 0;
	in->soon_ns = clock_now_ns() + INFLOW_SOON_NS;
	atomic_fetch_add_explicit(&leg->octets, in->frame.length, memory_order_relaxed);
	return choose(leg, true);
}

static enum inflow_result
control_done(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;

	if (leg->keyed)
		siphash_add(&in->sum, in->control, in->frame.length);
	if (leg->keyed && !auth_frame_good(&in->sum, in->control + in->frame.length))
		return spoilt(leg, "a frame's MAC differs", why);
	if (!frame_payload_good(&in->frame, in->control))
		*why = "a control frame's check differs";
	else
		*why = worker_control(leg, &in->frame, in->control);
	/* It may have asked for everything else to be thrown away. */
	if (in->stage != INFLOW_DRAIN)
		in->stage = INFLOW_HEADER;
	in->have = 0;
	return *why == NULL ? INFLOW_MORE : INFLOW_BROKEN;
}

static size_t
control_size(const struct leg *leg)
{
	return leg->in.frame.length + (leg->keyed ? FRAME_MAC : 0);
}

static enum inflow_result
header_done(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;

	*why = frame_decode(&in->frame, in->header);
	if (*why != NULL)
		return INFLOW_BROKEN;
	if (leg->keyed)
		auth_frame_begin(&leg->hears, in->header, &in->sum);
	if (log_wants(LOG_FRAME))
		log_line(LOG_FRAME, "leg %u: < %s seq %llu length %u", leg->number,
		    frame_name(in->frame.type), (unsigned long long)in->frame.seq,
		    in->frame.length);
	if (in->frame.type == FRAME_DATA)
		return data_begin(leg, why);
	in->stage = INFLOW_CONTROL;
	in->have = 0;
	return control_size(leg) == 0 ? control_done(leg, why) : INFLOW_MORE;
}

static enum inflow_result
read_part(struct leg *leg, uint8_t *to, size_t size)
{
	struct inflow *in = &leg->in;
	struct iovec iov = { to + in->have, size - in->have };
	size_t n;
	enum inflow_result result = take(leg, &iov, 1, &n);

	in->have += n;
	return result;
}

static enum inflow_result
step(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	enum inflow_result result = INFLOW_MORE;
	size_t n;

	switch (in->stage) {
	case INFLOW_HEADER:
		/* It may have come with the payload before it. */
		if (in->have < FRAME_HEADER)
			result = read_part(leg, in->header, FRAME_HEADER);
		if (result == INFLOW_MORE && in->have == FRAME_HEADER)
			return header_done(leg, why);
		return result;
	case INFLOW_CONTROL:
		result = read_part(leg, in->control, control_size(leg));
		if (result == INFLOW_MORE && in->have == control_size(leg))
			return control_done(leg, why);
		return result;
	case INFLOW_DATA:
		return read_data(leg, why);
	case INFLOW_MAC:
		return read_on(leg, 0, why);
	case INFLOW_DRAIN:
		return take_void(leg, VOID, &n);
	}
	return result;
}

enum inflow_result
inflow_read(struct leg *leg, const char **why)
{
	enum inflow_result result = INFLOW_MORE;
	unsigned i;

	for (i = 0; i < BURST && result == INFLOW_MORE; i++)
		result = step(leg, why);
	return result;
}
