/*
 * outflow: the octets that a leg sends.  See outflow.h; runs in the leg's
 * thread.
 */
#include "outflow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "crc32c.h"
#include "leg.h"
#include "log.h"
#include "tx.h"
#include "worker.h"

#define BURST	16	/* frames in a row before the leg looks at what came in */

void
outflow_init(struct outflow *o)
{
	o->control_begin = o->control_end = 0;
	o->active = false;
	o->spoilt = NULL;
	o->ahead = o->size = o->at = 0;
	o->sent = 0;
	o->unsent = 0;
}

/* The frame under way is done with, whether it is out or not. */
static void
data_end(struct leg *leg)
{
	struct outflow *o = &leg->out;

	tx_release(leg->tx, o->data.chunk);
	free(o->spoilt);
	o->spoilt = NULL;
	o->active = false;
}

void
outflow_stop(struct leg *leg)
{
	if (leg->out.active)
		data_end(leg);
	leg->out.control_begin = leg->out.control_end = leg->out.ahead = 0;
}

/* Control */

static uint8_t *
control_room(struct outflow *o, size_t n)
{
	if (o->control_begin > 0) {
		memmove(o->control, o->control + o->control_begin,
		    o->control_end - o->control_begin);
		o->control_end -= o->control_begin;
		o->control_begin = 0;
	}
	return o->control_end + n <= sizeof(o->control) ? o->control + o->control_end : NULL;
}

/* Of the frame that is the next on the wire. */
static void
mac(struct leg *leg, const uint8_t header[FRAME_HEADER], const uint8_t *payload, size_t n,
    uint8_t out[FRAME_MAC])
{
	struct siphash state;

	auth_frame_begin(&leg->says, header, &state);
	if (n > 0)
		siphash_add(&state, payload, n);
	siphash_final(&state, out);
}

void
outflow_control(struct leg *leg, enum frame_type type, uint8_t flags, uint64_t seq,
    const uint8_t *payload, size_t n)
{
	struct outflow *o = &leg->out;
	struct frame frame = {
		.type = type, .flags = flags, .length = (uint32_t)n, .seq = seq
	};
	size_t size = FRAME_HEADER + n + (leg->keyed ? FRAME_MAC : 0);
	uint8_t *p = control_room(o, size);

	/*
	 * The rarer frames are said once each and the frequent ones only when
	 * little waits, so there is room; see worker.c.
	 */
	if (p == NULL)
		return;
	frame_encode_checked(&frame, payload, p);
	if (n > 0)
		memcpy(p + FRAME_HEADER, payload, n);
	if (leg->keyed)
		mac(leg, p, payload, n, p + FRAME_HEADER + n);
	o->control_end += size;
	if (log_wants(LOG_FRAME))
		log_line(LOG_FRAME, "leg %u: > %s seq %llu length %zu", leg->number,
		    frame_name(type), (unsigned long long)seq, n);
}

void
outflow_greeting(struct leg *leg, const uint8_t greeting[FRAME_GREETING])
{
	memcpy(control_room(&leg->out, FRAME_GREETING), greeting, FRAME_GREETING);
	leg->out.control_end += FRAME_GREETING;
	/* Greetings are not counted in what is sent. */
	leg->out.sent -= FRAME_GREETING;
}

/* The stream */

/* Chaos: a private copy, because what is kept must stay as it is. */
static void
spoil(struct leg *leg)
{
	struct outflow *o = &leg->out;
	size_t bit;

	if ((!leg->checked && !leg->keyed) ||
	    !chaos_corrupt(&leg->chaos, o->data.length, &bit))
		return;
	o->spoilt = malloc(o->data.length);
	if (o->spoilt == NULL)
		return;
	memcpy(o->spoilt, o->data.data, o->data.length);
	o->spoilt[bit / 8] ^= (uint8_t)(1u << bit % 8);
	o->data.data = o->spoilt;
}

static void
data_begin(struct leg *leg)
{
	struct outflow *o = &leg->out;
	struct frame frame = {
		.type = FRAME_DATA, .length = o->data.length, .seq = o->data.seq
	};

	if (leg->checked)
		frame_encode_checked(&frame, o->data.data, o->header);
	else
		frame_encode(&frame, o->header);
	if (o->data.resend || o->data.copy)
		atomic_fetch_add_explicit(&leg->resent, 1, memory_order_relaxed);
	o->size = FRAME_HEADER + (size_t)o->data.length;
	if (leg->keyed) {
		mac(leg, o->header, o->data.data, o->data.length, o->mac);
		o->size += FRAME_MAC;
	}
	o->at = 0;
	o->active = true;
	o->ahead = o->control_end - o->control_begin;
	spoil(leg);
	if (log_wants(LOG_FRAME))
		log_line(LOG_FRAME, "leg %u: > DATA seq %llu length %u%s", leg->number,
		    (unsigned long long)frame.seq, frame.length,
		    o->data.copy ? " (copy)" : o->data.resend ? " (again)" : "");
}

static void
say_fin(struct leg *leg)
{
	uint8_t payload[FRAME_FIN_SIZE];
	struct fin fin;
	uint64_t total = tx_fin(leg->tx, &fin);

	outflow_control(leg, FRAME_FIN, 0, total, payload, fin_encode(&fin, payload));
}

/* The next frame of the stream, or FIN, or nothing. */
static void
data_next(struct leg *leg)
{
	struct outflow *o = &leg->out;

	switch (tx_take(leg->tx, leg, &o->data)) {
	case WINDOW_DATA:
		data_begin(leg);
		break;
	case WINDOW_FIN:
		say_fin(leg);
		break;
	case WINDOW_NONE:
		break;
	}
}

/* The whole frame went to the socket. */
static void
data_sent(struct leg *leg)
{
	atomic_fetch_add_explicit(&leg->frames, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&leg->octets, leg->out.data.length, memory_order_relaxed);
	data_end(leg);
	worker_chaos(leg);
}

static size_t
less(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* n octets went out: control that goes ahead, the frame, control behind it. */
static void
count_out(struct leg *leg, size_t n)
{
	struct outflow *o = &leg->out;
	size_t part;

	o->sent += n;
	if (o->active) {
		part = less(n, o->ahead);
		o->control_begin += part;
		o->ahead -= part;
		n -= part;
		part = less(n, o->size - o->at);
		o->at += part;
		n -= part;
	}
	o->control_begin += n;
	if (o->control_begin == o->control_end)
		o->control_begin = o->control_end = 0;
	if (o->active && o->at == o->size)
		data_sent(leg);
}

/* One more piece, of which the first *skip octets are out already. */
static unsigned
piece(struct iovec *iov, unsigned n, const uint8_t *p, size_t size, size_t *skip)
{
	size_t from = less(*skip, size);

	*skip -= from;
	if (from == size)
		return n;
	/* sendmsg does not write through it. */
	iov[n].iov_base = (uint8_t *)(uintptr_t)p + from;
	iov[n].iov_len = size - from;
	return n + 1;
}

#define PIECES	5

static unsigned
gather(const struct outflow *o, struct iovec iov[PIECES])
{
	const uint8_t *control = o->control + o->control_begin;
	size_t size = o->control_end - o->control_begin, none = 0, at = o->at;
	size_t ahead = o->active ? o->ahead : 0;
	unsigned n = 0;

	if (o->active) {
		n = piece(iov, n, control, ahead, &none);
		n = piece(iov, n, o->header, FRAME_HEADER, &at);
		n = piece(iov, n, o->data.data, o->data.length, &at);
		n = piece(iov, n, o->mac, o->size - FRAME_HEADER - o->data.length, &at);
	}
	return piece(iov, n, control + ahead, size - ahead, &none);
}

/* Chaos: only so much in one call. */
static void
shorten(struct leg *leg, struct iovec *iov, unsigned *n)
{
	size_t sum = 0, most;
	unsigned i;

	for (i = 0; i < *n; i++)
		sum += iov[i].iov_len;
	most = chaos_length(&leg->chaos, sum);
	for (i = 0; i < *n && most > 0; i++) {
		if (iov[i].iov_len > most)
			iov[i].iov_len = most;
		most -= iov[i].iov_len;
	}
	*n = i;
}

static enum outflow_result
push(struct leg *leg)
{
	struct iovec iov[PIECES];
	struct msghdr msg = { 0 };
	ssize_t n;
	unsigned count;

	while (outflow_pending(&leg->out)) {
		count = gather(&leg->out, iov);
		if (leg->chaos.spec != NULL)
			shorten(leg, iov, &count);
		net_pieces(&msg, iov, count);
		n = sendmsg(leg->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS))
			return OUTFLOW_FULL;
		if (n == -1)
			return OUTFLOW_FAILED;
		count_out(leg, (size_t)n);
	}
	return OUTFLOW_EMPTY;
}

enum outflow_result
outflow_send(struct leg *leg)
{
	struct outflow *o = &leg->out;
	enum outflow_result result;
	unsigned frames;

	for (frames = 0; frames < BURST; frames++) {
		if (!o->active && leg->tx != NULL && leg->state == LEG_UP)
			data_next(leg);
		if (!outflow_pending(o))
			return OUTFLOW_EMPTY;
		if ((result = push(leg)) != OUTFLOW_EMPTY)
			return result;
		if (leg->chaos_now != 0)
			return OUTFLOW_MORE;
	}
	return OUTFLOW_MORE;
}
