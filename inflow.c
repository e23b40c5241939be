/*
 * inflow: the bytes that a leg receives.  See inflow.h; runs in the leg's
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

#include "crypto/channel.h"
#include "crypto/crc32c.h"
#include "leg.h"
#include "rx.h"
#include "sys/clock.h"
#include "sys/log.h"

#define VOID	(16u << 10)	/* bytes discarded in one call; on the stack */

void
inflow_init(struct inflow *in)
{
	in->stage = INFLOW_HEADER;
	in->have = 0;
	in->buffer = NULL;
	in->staging = NULL;
	in->narrow = in->waits = false;
	in->full_ns = 0;
	in->taken = 0;
	in->told = 0;
}

static const char wrong_tag[] = "a frame's tag is wrong";
static const char no_numbers[] = "it has used up the numbers of its frames";

static size_t
header_size(const struct leg *leg)
{
	return leg->keys != NULL ? FRAME_HEAD_SEALED : FRAME_HEADER;
}

/* Bytes of a frame count when the whole frame was verified, not as they arrive. */
static bool
judged(const struct leg *leg)
{
	return leg->keys != NULL || leg->checked;
}

static void
staging_leave(struct leg *leg)
{
	leg->in.staging = NULL;
	rx_staging_leave(leg->rx);
}

void
inflow_stop(struct leg *leg)
{
	struct inflow *in = &leg->in;

	if (leg->rx == NULL)
		return;
	rx_leave(leg->rx, leg);
	if (in->staging != NULL) {
		staging_drop(in->staging);
		staging_leave(leg);
	}
	if (in->buffer == NULL)
		return;
	/* Without a check every byte that arrived counts. */
	if (!judged(leg) && in->seq > in->begin)
		(void)rx_store(leg->rx, leg, in->begin, in->seq, in->buffer);
	else
		rx_buffer_drop(leg->rx, leg, in->buffer);
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
		liveness_moved(&leg->liveness, clock_now_ns());
	else
		liveness_heard(&leg->liveness, clock_now_ns());
	return INFLOW_MORE;
}

/* Reads and discards; a frame with a check or a tag is still verified. */
static enum inflow_result
take_discarded(struct leg *leg, uint64_t most, size_t *n)
{
	uint8_t sink[VOID];
	struct iovec iov = { sink, most < VOID ? (size_t)most : VOID };
	enum inflow_result result = take(leg, &iov, 1, n);

	if (leg->keys != NULL && leg->in.stage == INFLOW_DATA)
		aead_open(&leg->keys->receive.body, sink, sink, *n);
	if (leg->checked && leg->in.stage == INFLOW_DATA)
		leg->in.check = crc32c(leg->in.check, sink, *n);
	return result;
}

/* Frames of the stream */

/* The whole frame has arrived and was verified. */
static void
frame_done(struct leg *leg)
{
	leg->in.stage = INFLOW_HEADER;
	atomic_fetch_add_explicit(&leg->frames, 1, memory_order_relaxed);
	chaos_passed(&leg->chaos);
}

/* From in->seq on. */
static enum inflow_result
go(struct leg *leg, enum reassembly_way way)
{
	struct inflow *in = &leg->in;

	if (way == REASSEMBLY_BUFFER) {
		in->buffer = rx_buffer(leg->rx, leg, in->seq, (size_t)(in->end - in->seq));
		if (in->buffer == NULL) {
			rx_fail_memory(leg->rx);
			way = REASSEMBLY_DISCARD;
		}
		in->begin = in->seq;
	}
	in->way = way;
	in->full_ns = 0;
	return INFLOW_MORE;
}

/*
 * How the leg can move bytes to the consumer other than through a buffer.  With a key
 * not at all: it has to be decrypted.
 */
static enum rx_direct
direct_way(const struct leg *leg)
{
	const struct inflow *in = &leg->in;

	if (leg->keys != NULL)
		return RX_BUFFERED;
	if (!leg->checked)
		return RX_DIRECT;
	return in->narrow || in->frame.length > STAGING_MAX ? RX_BUFFERED : RX_STAGED;
}

/* Goes the way that was granted. */
static enum inflow_result
granted(struct leg *leg, struct rx_grant *grant)
{
	struct inflow *in = &leg->in;

	if (grant->way == REASSEMBLY_DIRECT && grant->direct == RX_STAGED) {
		in->staging = rx_staging(leg->rx);
		in->right = false;
		if (!staging_open(in->staging)) {
			rx_leave(leg->rx, leg);
			staging_leave(leg);
			grant->direct = RX_BUFFERED;
			rx_begin(leg->rx, leg, grant);
		}
	}
	in->skip = grant->skip;
	in->waits = false;
	return go(leg, grant->way);
}

/* The way from in->seq on, when it changes within a frame. */
static enum inflow_result
choose(struct leg *leg, bool direct)
{
	struct rx_grant grant = {
		.seq = leg->in.seq, .end = leg->in.end,
		.direct = direct ? direct_way(leg) : RX_BUFFERED
	};

	rx_begin(leg->rx, leg, &grant);
	return granted(leg, &grant);
}

/*
 * Before the leg waits for its socket with the turn, which it may lose meanwhile to a
 * leg that has a copy.  false: it has lost it.
 */
static bool
keeps_turn(struct leg *leg)
{
	leg->in.waits = rx_wait(leg->rx, leg);
	return leg->in.waits;
}

/* Before anything moves to the consumer.  false: the turn was lost, or rx is stopped. */
static bool
has_turn(struct leg *leg)
{
	if (leg->in.waits) {
		leg->in.waits = false;
		return rx_resume(leg->rx, leg);
	}
	if (!rx_stopped(leg->rx))
		return true;
	rx_leave(leg->rx, leg);
	return false;
}

/* A tag or a check is wrong: the leg ends, and its bytes are sent again. */
static enum inflow_result
spoilt(struct leg *leg, const char *text, const char **why)
{
	if (leg->rx != NULL)
		rx_spoilt(leg->rx);
	*why = text;
	return INFLOW_BROKEN;
}

/* Chaos: flips a bit of the payload. */
static void
corrupt(struct leg *leg)
{
	struct inflow *in = &leg->in;
	size_t bit;

	if (judged(leg) && chaos_corrupt(&leg->chaos, in->frame.length, &bit)) {
		in->check ^= 1;
		in->tag[0] ^= 1;
	}
}

/* Verifies a frame that has arrived.  NULL, or what is wrong with it. */
static const char *
judge(struct leg *leg)
{
	struct inflow *in = &leg->in;

	corrupt(leg);
	if (leg->keys != NULL && !aead_verify(&leg->keys->receive.body, in->tag))
		return wrong_tag;
	if (leg->checked && in->check != in->frame.check)
		return "a payload's check is wrong";
	return NULL;
}

static enum inflow_result
buffer_done(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	struct reassembly_buffer *buffer = in->buffer;
	const char *wrong = judge(leg);

	in->buffer = NULL;
	if (wrong != NULL) {
		rx_buffer_drop(leg->rx, leg, buffer);
		return spoilt(leg, wrong, why);
	}
	*why = rx_store(leg->rx, leg, in->begin, in->end, buffer);
	if (*why != NULL)
		return INFLOW_BROKEN;
	frame_done(leg);
	return INFLOW_MORE;
}

static enum inflow_result
discard_done(struct leg *leg, const char **why)
{
	const char *wrong = judge(leg);

	if (wrong != NULL)
		return spoilt(leg, wrong, why);
	rx_discarded(leg->rx, leg, leg->in.frame.length, true);
	frame_done(leg);
	return INFLOW_MORE;
}

/* A payload that is buffered or discarded has arrived; with a key its tag follows. */
static enum inflow_result
payload_done(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;

	if (leg->keys != NULL && in->tag_have < FRAME_TAG) {
		in->stage = INFLOW_TAG;
		return INFLOW_MORE;
	}
	return in->way == REASSEMBLY_BUFFER ? buffer_done(leg, why) : discard_done(leg, why);
}

static size_t
less(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * n bytes were buffered: decrypts them in place, or adds them to the check, while they
 * are in the processor's cache.
 */
static void
check(struct leg *leg, size_t n)
{
	struct inflow *in = &leg->in;
	uint8_t *bytes;

	if (n == 0)
		return;
	bytes = in->buffer->data + (in->seq - in->begin);
	if (leg->checked)
		in->check = crc32c(in->check, bytes, n);
	if (leg->keys != NULL)
		aead_open(&leg->keys->receive.body, bytes, bytes, n);
}

/*
 * Reads the rest of a buffered payload, if there is any, and in the same call what
 * follows it: its tag and the next header.  With a key a long rest is read in pieces.
 */
static enum inflow_result
read_on(struct leg *leg, size_t rest, const char **why)
{
	struct inflow *in = &leg->in;
	size_t tag = leg->keys != NULL ? FRAME_TAG - in->tag_have : 0, n, part;
	bool whole = leg->keys == NULL || rest <= INFLOW_PIECE;
	struct iovec iov[3];
	unsigned count = 0;
	enum inflow_result result;

	rest = whole ? rest : INFLOW_PIECE;
	if (rest > 0)
		iov[count++] = (struct iovec){ in->buffer->data + (in->seq - in->begin), rest };
	if (tag > 0 && whole)
		iov[count++] = (struct iovec){ in->tag + in->tag_have, tag };
	if (whole)
		iov[count++] = (struct iovec){ in->header, header_size(leg) };
	result = take(leg, iov, count, &n);
	if (result != INFLOW_MORE)
		return result;
	part = less(n, rest);
	check(leg, part);
	in->seq += part;
	n -= part;
	part = less(n, tag);
	in->tag_have += part;
	in->have = n - part;
	return in->seq == in->end ? payload_done(leg, why) : INFLOW_MORE;
}

static enum inflow_result
read_discarded(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	bool last;
	size_t n;
	enum inflow_result result = take_discarded(leg, in->end - in->seq, &n);

	if (result != INFLOW_MORE)
		return result;
	in->seq += n;
	last = in->seq == in->end;
	if (judged(leg))
		return last ? payload_done(leg, why) : INFLOW_MORE;
	/* Without a check every byte counts as it arrives. */
	rx_discarded(leg->rx, leg, n, last);
	if (last)
		frame_done(leg);
	return INFLOW_MORE;
}

/*
 * The system has no splice here: an old kernel, an emulator, a filter of system
 * calls.  From now on read and write are used.
 */
static bool
call_refused(int error)
{
	return error != EAGAIN && error != EWOULDBLOCK && error != ENOMEM && error != ENOBUFS;
}

/* The consumer takes nothing; false when it has taken nothing for INFLOW_FULL_NS. */
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

/* The staging pipe */

/*
 * The part of the frame in the staging pipe, not verified yet, goes into a buffer: the
 * turn was lost, or the pipes are too small.
 */
static enum inflow_result
unstage(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	uint64_t seq = in->seq;

	rx_leave(leg->rx, leg);
	in->seq = in->frame.seq;
	choose(leg, false);
	in->seq = seq;
	if (in->way == REASSEMBLY_DISCARD)
		staging_drop(in->staging);
	else if (!staging_take(in->staging, in->buffer->data)) {
		errno = EIO;
		return INFLOW_FAILED;
	}
	staging_leave(leg);
	return in->seq == in->end ? payload_done(leg, why) : INFLOW_MORE;
}

/* The socket is empty. */
static enum inflow_result
staging_idle(struct leg *leg, const char **why)
{
	return keeps_turn(leg) ? INFLOW_EMPTY : unstage(leg, why);
}

static enum inflow_result
staging_more(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	size_t n = chaos_length(&leg->chaos, (size_t)(in->end - in->seq));
	ssize_t got;

	do
		got = staging_fill(in->staging, leg->fd, n);
	while (got == -1 && errno == EINTR);
	if (got == 0)
		return INFLOW_END;
	if (got == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return staging_idle(leg, why);
	if (got == -1 && (net_lost(errno) || !in->staging->open))
		return INFLOW_FAILED;
	if (got == -1) {
		staging_refuse(in->staging);
		return unstage(leg, why);
	}
	n = (size_t)got;
	in->check = crc32c(in->check, in->staging->bytes, n);
	digest_add(&in->staging->digest, in->staging->bytes, n);
	in->seq += n;
	in->taken += n;
	liveness_moved(&leg->liveness, clock_now_ns());
	in->narrow = in->staging->spilt > 0;
	return in->narrow ? unstage(leg, why) : INFLOW_MORE;
}

/* The whole frame has arrived. */
static enum inflow_result
staging_judge(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;

	corrupt(leg);
	if (in->check != in->frame.check)
		return spoilt(leg, "a payload's check is wrong", why);
	rx_staging_right(leg->rx, in->end);
	in->right = true;
	return INFLOW_MORE;
}

/* The consumer takes no more: buffers what it has not taken of a verified frame. */
static enum inflow_result
staging_store(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	size_t rest = in->staging->held;
	struct reassembly_buffer *buffer = rx_buffer(leg->rx, leg, in->end - rest, rest);

	if (buffer == NULL) {
		rx_fail_memory(leg->rx);
		staging_drop(in->staging);
	} else if (!staging_take(in->staging, buffer->data)) {
		rx_buffer_drop(leg->rx, leg, buffer);
		errno = EIO;
		return INFLOW_FAILED;
	}
	rx_leave(leg->rx, leg);
	*why = buffer == NULL ? NULL :
	    rx_store(leg->rx, leg, in->end - rest, in->end, buffer);
	staging_leave(leg);
	frame_done(leg);
	return *why == NULL ? INFLOW_MORE : INFLOW_BROKEN;
}

static enum inflow_result
staging_pass_on(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	ssize_t put;
	bool last;

	do
		put = staging_pass(in->staging, rx_output(leg->rx));
	while (put == -1 && errno == EINTR);
	if (put > 0) {
		in->full_ns = 0;
		last = in->staging->held == 0;
		rx_moved(leg->rx, leg, (uint64_t)put, last);
		if (last) {
			in->staging = NULL;
			frame_done(leg);
		}
		return INFLOW_MORE;
	}
	if (put == -1 && (errno == EAGAIN || errno == EWOULDBLOCK) && consumer_full(leg))
		return INFLOW_OUTPUT;
	if (put == -1 && errno == EPIPE)
		rx_fail_consumer(leg->rx);
	else if (put == -1 && call_refused(errno))
		rx_indirect(leg->rx);
	return staging_store(leg, why);
}

static enum inflow_result
read_staging(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;

	if (!has_turn(leg))
		return in->right ? staging_store(leg, why) : unstage(leg, why);
	if (in->right)
		return staging_pass_on(leg, why);
	return in->seq < in->end ? staging_more(leg, why) : staging_judge(leg, why);
}

/* The turn */

/* Nothing moved: either the socket is empty, or the consumer is full. */
static enum inflow_result
turn_idle(struct leg *leg)
{
	if (!net_readable(leg->fd)) {
		leg->in.full_ns = 0;
		return keeps_turn(leg) ? INFLOW_EMPTY : choose(leg, true);
	}
	if (consumer_full(leg))
		return INFLOW_OUTPUT;
	rx_leave(leg->rx, leg);
	return choose(leg, false);
}

static enum inflow_result
direct_moved(struct leg *leg, size_t n)
{
	struct inflow *in = &leg->in;

	in->seq += n;
	in->taken += n;
	in->full_ns = 0;
	liveness_moved(&leg->liveness, clock_now_ns());
	rx_moved(leg->rx, leg, n, in->seq == in->end);
	if (in->seq == in->end) {
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
/* Not called on this system: rx.c grants no turns without splice. */
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
read_direct(struct leg *leg)
{
	struct inflow *in = &leg->in;
	enum inflow_result result;
	ssize_t got;
	size_t n;

	if (!has_turn(leg))
		return choose(leg, true);
	if (in->skip > 0) {
		result = take_discarded(leg, in->skip, &n);
		in->skip -= n;
		in->seq += n;
		if (n > 0)
			rx_discarded(leg->rx, leg, n, false);
		return result == INFLOW_EMPTY ? turn_idle(leg) : result;
	}
	n = chaos_length(&leg->chaos, (size_t)(in->end - in->seq));
	do
		got = move(leg, n);
	while (got == -1 && errno == EINTR);
	if (got > 0)
		return direct_moved(leg, (size_t)got);
	if (got == 0)
		return INFLOW_END;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return turn_idle(leg);
	rx_leave(leg->rx, leg);
	if (errno == EPIPE)
		rx_fail_consumer(leg->rx);
	else if (net_lost(errno))
		return INFLOW_FAILED;
	else if (call_refused(errno))
		rx_indirect(leg->rx);
	return choose(leg, false);
}

static enum inflow_result
read_data(struct leg *leg, const char **why)
{
	switch (leg->in.way) {
	case REASSEMBLY_DIRECT:
		return leg->in.staging != NULL ? read_staging(leg, why) : read_direct(leg);
	case REASSEMBLY_WAIT:
		if (clock_now_ns() >= leg->in.wait_until_ns)
			return choose(leg, false);
		choose(leg, true);
		return leg->in.way == REASSEMBLY_WAIT ? INFLOW_WAIT : INFLOW_MORE;
	case REASSEMBLY_BUFFER:
		return read_on(leg, (size_t)(leg->in.end - leg->in.seq), why);
	case REASSEMBLY_DISCARD:
		return read_discarded(leg, why);
	}
	return INFLOW_MORE;
}

/* Headers and control frames */

static enum inflow_result
data_begin(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	struct rx_grant grant = {
		.seq = in->frame.seq, .end = in->frame.seq + in->frame.length,
		.direct = direct_way(leg)
	};

	if (leg->rx == NULL)
		*why = "DATA to a sender";
	else if (leg->checked != ((in->frame.flags & FRAME_CHECKED) != 0))
		*why = "a check that was not agreed on, or none";
	else if (leg->keys != NULL && !channel_body(&leg->keys->receive, in->frame.length))
		*why = no_numbers;
	else
		*why = rx_admit(leg->rx, leg, &grant);
	if (*why != NULL)
		return INFLOW_BROKEN;
	in->stage = INFLOW_DATA;
	in->seq = grant.seq;
	in->end = grant.end;
	in->have = in->tag_have = 0;
	in->check = 0;
	in->wait_until_ns = clock_now_ns() + INFLOW_WAIT_NS;
	return granted(leg, &grant);
}

/* With a key: decrypts the payload of a control frame.  NULL, or what is wrong. */
static const char *
control_open(struct leg *leg)
{
	struct inflow *in = &leg->in;
	struct channel *c = &leg->keys->receive;

	if (in->frame.length == 0)
		return NULL;
	if (!channel_body(c, in->frame.length))
		return no_numbers;
	aead_open(&c->body, in->control, in->control, in->frame.length);
	return aead_verify(&c->body, in->control + in->frame.length) ? NULL : wrong_tag;
}

static enum inflow_result
control_done(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	const char *wrong = leg->keys != NULL ? control_open(leg) : NULL;

	if (wrong != NULL)
		return spoilt(leg, wrong, why);
	if (!frame_payload_good(&in->frame, in->control)) {
		*why = "a control frame's check is wrong";
		return INFLOW_BROKEN;
	}
	in->stage = INFLOW_HEADER;
	in->have = 0;
	return INFLOW_MESSAGE;
}

static size_t
control_size(const struct leg *leg)
{
	size_t n = leg->in.frame.length;

	return leg->keys != NULL && n > 0 ? n + FRAME_TAG : n;
}

/* With a key nothing of a header is used before its tag was right. */
static enum inflow_result
header_open(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;
	uint8_t head[FRAME_HEAD];

	if (leg->keys == NULL)
		*why = frame_decode(&in->frame, in->header);
	else if (channel_open_head(&leg->keys->receive, head, in->header, FRAME_HEAD))
		*why = frame_head_decode(&in->frame, head);
	else
		return spoilt(leg, wrong_tag, why);
	return *why == NULL ? INFLOW_MORE : INFLOW_BROKEN;
}

static enum inflow_result
header_done(struct leg *leg, const char **why)
{
	struct inflow *in = &leg->in;

	if (header_open(leg, why) != INFLOW_MORE)
		return INFLOW_BROKEN;
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
		if (in->have < header_size(leg))
			result = read_part(leg, in->header, header_size(leg));
		if (result == INFLOW_MORE && in->have == header_size(leg))
			return header_done(leg, why);
		return result;
	case INFLOW_CONTROL:
		result = read_part(leg, in->control, control_size(leg));
		if (result == INFLOW_MORE && in->have == control_size(leg))
			return control_done(leg, why);
		return result;
	case INFLOW_DATA:
		return read_data(leg, why);
	case INFLOW_TAG:
		return read_on(leg, 0, why);
	case INFLOW_DRAIN:
		return take_discarded(leg, VOID, &n);
	}
	return result;
}

enum inflow_result
inflow_read(struct leg *leg, unsigned *calls, const char **why)
{
	enum inflow_result result = INFLOW_MORE;

	for (; *calls > 0 && result == INFLOW_MORE; --*calls)
		result = step(leg, why);
	return result;
}
