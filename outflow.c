/*
 * outflow: the bytes that a leg sends.  See outflow.h; runs in the leg's
 * thread.
 */
#include "outflow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "crypto/channel.h"
#include "leg.h"
#include "sys/log.h"
#include "tx.h"

#define BURST	16	/* frames in a row before the leg reads again */

void
outflow_init(struct outflow *o)
{
	o->control_begin = o->control_end = 0;
	o->active = false;
	o->spoilt = o->sealed = NULL;
	o->ahead = o->size = o->ready = o->at = 0;
	o->worn = false;
	o->sent = 0;
	o->unsent = 0;
}

/* Releases the current frame, whether it was written or not. */
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
	free(leg->out.sealed);
	leg->out.sealed = NULL;
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

/* A control frame as it crosses the wire; its size.  false: it cannot be sealed. */
static bool
seal_control(struct channel *c, const struct frame *frame, const uint8_t *payload, uint8_t *out)
{
	uint8_t head[FRAME_HEAD];

	frame_head_encode(frame, head);
	if (!channel_seal_head(c, out, head, sizeof(head)))
		return false;
	return frame->length == 0 ||
	    channel_seal_body(c, out + FRAME_HEAD_SEALED, payload, frame->length);
}

void
outflow_control(struct leg *leg, enum frame_type type, uint8_t flags, uint64_t seq,
    const uint8_t *payload, size_t n)
{
	struct outflow *o = &leg->out;
	struct frame frame = {
		.type = type, .flags = flags, .length = (uint32_t)n, .seq = seq
	};
	size_t size = leg->keys == NULL ? FRAME_HEADER + n :
	    FRAME_HEAD_SEALED + n + (n > 0 ? FRAME_TAG : 0);
	uint8_t *p = control_room(o, size);

	/*
	 * There is always room: the rarer frames are sent once each, and the frequent
	 * ones only when little waits (message_room).
	 */
	if (p == NULL)
		return;
	if (leg->keys != NULL && !seal_control(&leg->keys->send, &frame, payload, p)) {
		o->worn = true;
		return;
	}
	if (leg->keys == NULL) {
		frame_encode_checked(&frame, payload, p);
		if (n > 0)
			memcpy(p + FRAME_HEADER, payload, n);
	}
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
	/* Greetings do not count as sent. */
	leg->out.sent -= FRAME_GREETING;
}

/* The stream */

static size_t
less(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Chaos: flips a bit of what is sent, after its check was made.  What tx.c keeps must not
 * change: so in a private copy, or of what was sealed.
 */
static void
spoil(struct leg *leg)
{
	struct outflow *o = &leg->out;
	size_t bit;

	o->flip = SIZE_MAX;
	if ((!leg->checked && leg->keys == NULL) ||
	    !chaos_corrupt(&leg->chaos, o->data.length, &bit))
		return;
	if (leg->keys != NULL) {
		o->flip = bit;
		return;
	}
	o->spoilt = malloc(o->data.length);
	if (o->spoilt == NULL)
		return;
	memcpy(o->spoilt, o->data.data, o->data.length);
	o->spoilt[bit / 8] ^= (uint8_t)(1u << bit % 8);
	o->data.data = o->spoilt;
}

/*
 * Seals the next piece of the payload, when all that was sealed before it is written; its
 * tag follows the last one.
 */
static void
seal_piece(struct leg *leg)
{
	struct outflow *o = &leg->out;
	struct channel *c = &leg->keys->send;
	size_t from = o->ready - o->header_size;
	size_t n = less(o->data.length - from, OUTFLOW_PIECE);

	aead_seal(&c->body, o->sealed, o->data.data + from, n);
	if (o->flip / 8 >= from && o->flip / 8 - from < n)
		o->sealed[o->flip / 8 - from] ^= (uint8_t)(1u << o->flip % 8);
	o->sealed_from = o->ready;
	o->ready += n;
	if (from + n == o->data.length) {
		aead_tag(&c->body, o->sealed + n);
		o->ready += FRAME_TAG;
	}
}

/* With a key.  false, with errno: it cannot be sealed. */
static bool
seal_begin(struct leg *leg, const struct frame *frame)
{
	struct outflow *o = &leg->out;
	struct channel *c = &leg->keys->send;
	uint8_t head[FRAME_HEAD];

	if (o->sealed == NULL)
		o->sealed = malloc(OUTFLOW_PIECE + FRAME_TAG);
	if (o->sealed == NULL)
		return false;
	frame_head_encode(frame, head);
	errno = EOVERFLOW;
	o->header_size = o->ready = FRAME_HEAD_SEALED;
	o->size = o->header_size + o->data.length + FRAME_TAG;
	return channel_seal_head(c, o->header, head, sizeof(head)) &&
	    channel_body(c, frame->length);
}

/* false, with errno: the leg cannot send it. */
static bool
data_begin(struct leg *leg)
{
	struct outflow *o = &leg->out;
	struct frame frame = {
		.type = FRAME_DATA, .length = o->data.length, .seq = o->data.seq
	};

	o->active = true;
	o->at = 0;
	o->ahead = o->control_end - o->control_begin;
	if (leg->keys != NULL) {
		if (!seal_begin(leg, &frame))
			return false;
	} else {
		if (leg->checked)
			frame_encode_checked(&frame, o->data.data, o->header);
		else
			frame_encode(&frame, o->header);
		o->header_size = FRAME_HEADER;
		o->ready = o->size = FRAME_HEADER + (size_t)o->data.length;
	}
	if (o->data.resend || o->data.copy)
		atomic_fetch_add_explicit(&leg->resent, 1, memory_order_relaxed);
	spoil(leg);
	if (leg->keys != NULL)
		seal_piece(leg);
	if (log_wants(LOG_FRAME))
		log_line(LOG_FRAME, "leg %u: > DATA seq %llu length %u%s", leg->number,
		    (unsigned long long)frame.seq, frame.length,
		    o->data.copy ? " (copy)" : o->data.resend ? " (again)" : "");
	return true;
}

static void
say_fin(struct leg *leg)
{
	uint8_t payload[FRAME_FIN_SIZE];
	struct fin fin;
	uint64_t total = tx_fin(leg->tx, &fin);

	outflow_control(leg, FRAME_FIN, 0, total, payload, fin_encode(&fin, payload));
}

/* The next frame of the stream, or FIN, or nothing.  false, with errno: the leg is over. */
static bool
data_next(struct leg *leg)
{
	struct outflow *o = &leg->out;

	switch (tx_take(leg->tx, leg, &o->data)) {
	case WINDOW_DATA:
		return data_begin(leg);
	case WINDOW_FIN:
		say_fin(leg);
		break;
	case WINDOW_NONE:
		break;
	}
	return true;
}

/* The whole frame went to the socket. */
static void
data_sent(struct leg *leg)
{
	atomic_fetch_add_explicit(&leg->frames, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&leg->bytes, leg->out.data.length, memory_order_relaxed);
	data_end(leg);
	chaos_passed(&leg->chaos);
}

/* n bytes were written: control frames ahead, the frame, control frames behind it. */
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

/* Adds a piece, of which the first *skip bytes were written already. */
static unsigned
piece(struct iovec *iov, unsigned n, const uint8_t *p, size_t size, size_t *skip)
{
	size_t from = less(*skip, size);

	*skip -= from;
	if (from == size)
		return n;
	/* The cast drops const; sendmsg does not write through it. */
	iov[n].iov_base = (uint8_t *)(uintptr_t)p + from;
	iov[n].iov_len = size - from;
	return n + 1;
}

#define PIECES	4

static unsigned
gather(const struct outflow *o, struct iovec iov[PIECES])
{
	const uint8_t *control = o->control + o->control_begin;
	size_t size = o->control_end - o->control_begin, none = 0, at = o->at;
	size_t ahead = o->active ? o->ahead : 0;
	unsigned n = 0;

	if (o->active) {
		n = piece(iov, n, control, ahead, &none);
		n = piece(iov, n, o->header, o->header_size, &at);
		if (o->sealed == NULL)
			n = piece(iov, n, o->data.data, o->data.length, &at);
		else {
			at = o->at > o->sealed_from ? o->at - o->sealed_from : 0;
			n = piece(iov, n, o->sealed, o->ready - o->sealed_from, &at);
		}
		/* The rest of the frame comes first. */
		if (o->ready < o->size)
			return n;
	}
	return piece(iov, n, control + ahead, size - ahead, &none);
}

/* Chaos: lets one call write only a part. */
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
		if (leg->out.active && leg->out.at == leg->out.ready)
			seal_piece(leg);
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
		if (!o->active && leg->tx != NULL && leg->state == LEG_UP && !data_next(leg))
			return OUTFLOW_FAILED;
		if (o->worn) {
			errno = EOVERFLOW;
			return OUTFLOW_FAILED;
		}
		if (!outflow_pending(o))
			return OUTFLOW_EMPTY;
		if ((result = push(leg)) != OUTFLOW_EMPTY)
			return result;
		if (leg->chaos.pending != 0)
			return OUTFLOW_MORE;
	}
	return OUTFLOW_MORE;
}
