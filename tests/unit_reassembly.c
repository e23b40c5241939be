/*
 * The receiver's order, call by call: which way a frame takes, who has the
 * turn and when it is lost, what is stored of frames that overlap in every
 * relation, and what a peer is refused.  simulation.c drives it through whole
 * transfers.
 *
 * Bytes of the stream follow from their offsets, and each buffer is filled
 * with 0xdb when it is released, so that what is written is seen to be right
 * and still in place.
 */
#include <sys/resource.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../core/reassembly.h"
#include "../frame.h"
#include "check.h"

#define WINDOW	((uint64_t)1 << 20)
#define MOST	64		/* pieces that the writer asks for */

static struct reassembly o;
static long buffers;
static struct reassembly_piece piece[MOST];

#define SOUND()	CHECK(reassembly_audit(&o) == NULL)

static uint8_t
byte(uint64_t at)
{
	return (uint8_t)((at * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static void
release(struct reassembly_buffer *b, void *cookie)
{
	CHECK(cookie == &buffers);
	CHECK(b->users == 0);
	memset(b->data, 0xdb, b->size);
	free(b);
	buffers--;
}

/* The bytes [seq, end) in `size'. */
static struct reassembly_buffer *
buffer(uint64_t seq, uint64_t end, size_t size)
{
	struct reassembly_buffer *b = malloc(sizeof(*b) + size);
	uint64_t i;

	CHECK(b != NULL && end - seq <= size);
	b->users = 1;
	b->size = size;
	b->data = (uint8_t *)(b + 1);
	b->release = release;
	b->cookie = &buffers;
	memset(b->data, 0xee, size);
	for (i = 0; i < end - seq; i++)
		b->data[i] = byte(seq + i);
	buffers++;
	return b;
}

static void
store(uint64_t seq, uint64_t end)
{
	CHECK(reassembly_store(&o, seq, end, buffer(seq, end, (size_t)(end - seq))) == 0);
	SOUND();
}

static void
begin(uint64_t window)
{
	reassembly_init(&o, window);
	SOUND();
}

static void
finish(void)
{
	reassembly_free(&o);
	CHECK(buffers == 0);
}

/* Takes the turn, checks what is to be written, writes n bytes of it. */
static uint64_t
writes(size_t most, uint64_t n)
{
	uint64_t at = o.cursor, k;
	size_t count = reassembly_write(&o, piece, most), i;

	CHECK(count <= most);
	CHECK((count > 0) == (o.turn == REASSEMBLY_WRITER));
	for (i = 0; i < count; i++) {
		CHECK(piece[i].seq == at && piece[i].end > at);
		for (k = 0; k < piece[i].end - at; k++)
			CHECK(piece[i].data[k] == byte(at + k));
		at = piece[i].end;
	}
	if (count == 0)
		return 0;
	if (n > at - o.cursor)
		n = at - o.cursor;
	reassembly_written(&o, n);
	SOUND();
	CHECK(o.turn == REASSEMBLY_NONE);
	return n;
}

/* Whether just [lo, hi) is in one piece, the i-th. */
static bool
piece_is(size_t i, uint64_t lo, uint64_t hi)
{
	const struct reassembly_piece *p = &o.piece[o.head + i];

	return i < o.count && p->seq == lo && p->end == hi && p->data[0] == byte(lo) &&
	    p->data[hi - lo - 1] == byte(hi - 1);
}

/* What a peer is refused */

static void
test_admit(void)
{
	begin(WINDOW);
	CHECK(reassembly_admit(&o, 0, 1) == NULL);
	CHECK(reassembly_admit(&o, 0, (uint32_t)WINDOW) == NULL);
	CHECK(reassembly_admit(&o, 0, (uint32_t)WINDOW + 1) != NULL);
	CHECK(reassembly_admit(&o, WINDOW - 1, 1) == NULL);
	CHECK(reassembly_admit(&o, WINDOW - 1, 2) != NULL);
	CHECK(reassembly_admit(&o, WINDOW, 1) != NULL);
	CHECK(reassembly_admit(&o, (uint64_t)1 << 62, FRAME_DATA_MAX) != NULL);
	store(0, 100);
	CHECK(reassembly_admit(&o, WINDOW, 1) != NULL);	/* stored is not delivered */
	CHECK(writes(MOST, 100) == 100);
	CHECK(reassembly_admit(&o, WINDOW, 100) == NULL);
	CHECK(reassembly_admit(&o, WINDOW, 101) != NULL);
	/* What is delivered already is a duplicate, not a crime. */
	CHECK(reassembly_admit(&o, 0, 100) == NULL);
	/* To ask changes nothing: what was only announced forbids no end. */
	CHECK(reassembly_fin(&o, 100) == NULL);
	finish();
	begin(WINDOW);
	CHECK(reassembly_fin(&o, 5000) == NULL);
	CHECK(reassembly_admit(&o, 4999, 1) == NULL);
	CHECK(reassembly_admit(&o, 4999, 2) != NULL);
	CHECK(reassembly_admit(&o, 5000, 1) != NULL);
	finish();
}

static void
test_fin(void)
{
	begin(WINDOW);
	store(100, 200);
	CHECK(reassembly_fin(&o, 199) != NULL && !o.total_known);
	CHECK(reassembly_fin(&o, 0) != NULL && !o.total_known);
	CHECK(reassembly_fin(&o, 200) == NULL);
	CHECK(reassembly_fin(&o, 200) == NULL);
	CHECK(reassembly_fin(&o, 201) != NULL && reassembly_fin(&o, 199) != NULL);
	CHECK(o.total_known && o.total == 200 && !reassembly_complete(&o));
	store(0, 100);
	CHECK(!reassembly_complete(&o));
	CHECK(reassembly_write(&o, piece, MOST) == 2 && !reassembly_complete(&o));
	reassembly_written(&o, 199);
	CHECK(!reassembly_complete(&o));
	CHECK(writes(MOST, 1) == 1 && reassembly_complete(&o));
	finish();

	begin(WINDOW);
	CHECK(!reassembly_complete(&o));
	CHECK(reassembly_fin(&o, 0) == NULL && reassembly_complete(&o));
	CHECK(reassembly_admit(&o, 0, 1) != NULL);
	finish();

	begin(WINDOW);
	store(0, 10);
	CHECK(writes(MOST, 5) == 5);
	CHECK(reassembly_fin(&o, 4) != NULL && reassembly_fin(&o, 9) != NULL);
	CHECK(writes(MOST, 5) == 5);
	CHECK(reassembly_fin(&o, 9) != NULL && reassembly_fin(&o, 10) == NULL &&
	    reassembly_complete(&o));
	finish();
}

/* A frame beyond the end: it loses its turn when it waits, and is believed while it comes. */
static void
test_beyond(void)
{
	begin(WINDOW);
	CHECK(reassembly_begin(&o, 4, 0, 20, true) == REASSEMBLY_DIRECT);
	CHECK(reassembly_fin(&o, 10) != NULL && !o.total_known && o.turn == 4);
	CHECK(reassembly_wait(&o, 4));
	CHECK(reassembly_fin(&o, 10) == NULL && o.turn == REASSEMBLY_NONE);
	CHECK(!reassembly_resume(&o, 4));
	CHECK(reassembly_beyond(&o, 11) && !reassembly_beyond(&o, 10));
	/* What began before the end was known never has the turn again. */
	CHECK(reassembly_begin(&o, 4, 0, 20, true) == REASSEMBLY_BUFFER);
	CHECK(reassembly_begin(&o, 4, 0, 10, true) == REASSEMBLY_DIRECT);
	reassembly_leave(&o, 4);
	finish();
}

/* Complete only when the last leg has let go as well. */
static void
test_complete_turn(void)
{
	begin(WINDOW);
	CHECK(reassembly_begin(&o, 4, 0, 10, true) == REASSEMBLY_DIRECT);
	CHECK(reassembly_fin(&o, 10) == NULL);
	reassembly_moved(&o, 10);
	CHECK(!reassembly_complete(&o));
	reassembly_leave(&o, 4);
	CHECK(reassembly_complete(&o));
	finish();
}

/* Frames of an byte with gaps between them, as many as a peer likes. */
static void
test_small_pieces(void)
{
	const uint64_t window = 64 << 10, most = REASSEMBLY_PIECES(window);
	uint64_t at = 1, n = 0;

	begin(window);
	while (at < window && reassembly_admit(&o, at, 1) == NULL) {
		CHECK(reassembly_store(&o, at, at + 1, buffer(at, at + 1, 1)) == 0);
		at += 2;
		n++;
	}
	SOUND();
	CHECK(at < window && n >= most && n <= most + 1 && o.count == n);
	CHECK(reassembly_admit(&o, at, 1) != NULL);
	/* What delivery waits for is always welcome, and makes the rest so. */
	CHECK(reassembly_admit(&o, 0, 1) == NULL);
	store(0, 1);
	while (writes(MOST, UINT64_MAX) > 0)
		if (o.cursor % 2 == 0)
			store(o.cursor, o.cursor + 1);
	finish();
}

/* Ways */

static void
test_ways(void)
{
	begin(WINDOW);
	CHECK(reassembly_begin(&o, 0, 0, 100, false) == REASSEMBLY_BUFFER);
	CHECK(o.turn == REASSEMBLY_NONE);
	CHECK(reassembly_begin(&o, 0, 50, 100, true) == REASSEMBLY_BUFFER);	/* not its turn */
	CHECK(reassembly_begin(&o, 1, 0, 100, true) == REASSEMBLY_DIRECT);
	CHECK(o.turn == 1 && o.turn_end == 100);
	CHECK(reassembly_begin(&o, 2, 100, 200, true) == REASSEMBLY_WAIT);
	CHECK(reassembly_begin(&o, 2, 100, 200, false) == REASSEMBLY_BUFFER);
	CHECK(reassembly_begin(&o, 2, 101, 200, true) == REASSEMBLY_BUFFER);
	CHECK(reassembly_begin(&o, 3, 0, 100, true) == REASSEMBLY_BUFFER);	/* a copy is kept */
	reassembly_moved(&o, 60);
	CHECK(o.cursor == 60 && reassembly_begin(&o, 3, 0, 60, true) == REASSEMBLY_DISCARD);
	CHECK(reassembly_begin(&o, 3, 0, 61, true) == REASSEMBLY_BUFFER);
	reassembly_moved(&o, 40);
	reassembly_leave(&o, 1);
	reassembly_leave(&o, 1);
	CHECK(o.turn == REASSEMBLY_NONE && o.cursor == 100);
	/* It begins below the cursor: some is to be thrown away first. */
	CHECK(reassembly_begin(&o, 2, 50, 200, true) == REASSEMBLY_DIRECT && o.turn == 2);
	reassembly_leave(&o, 1);
	CHECK(o.turn == 2);		/* only its holder leaves it */
	reassembly_leave(&o, 2);
	SOUND();
	finish();
}

/* What was delivered or is stored is read and thrown away, and counted. */
static void
test_void(void)
{
	begin(WINDOW);
	store(100, 200);
	store(200, 300);
	CHECK(reassembly_begin(&o, 0, 100, 300, true) == REASSEMBLY_DISCARD && o.repeated == 0);
	reassembly_voided(&o, 150);
	CHECK(reassembly_begin(&o, 0, 150, 250, false) == REASSEMBLY_DISCARD && o.repeated == 150);
	store(50, 250);
	CHECK(o.repeated == 300);
	finish();
	begin(WINDOW);
	store(100, 300);
	CHECK(reassembly_begin(&o, 0, 99, 300, true) == REASSEMBLY_BUFFER);
	CHECK(reassembly_begin(&o, 0, 100, 301, true) == REASSEMBLY_BUFFER);
	store(0, 50);
	CHECK(reassembly_begin(&o, 0, 0, 50, true) == REASSEMBLY_DISCARD);
	/* The writer goes first where something is stored. */
	CHECK(reassembly_begin(&o, 0, 0, 60, true) == REASSEMBLY_BUFFER &&
	    o.turn == REASSEMBLY_NONE);
	CHECK(writes(MOST, 20) == 20);
	CHECK(reassembly_begin(&o, 0, 0, 20, true) == REASSEMBLY_DISCARD);
	CHECK(reassembly_begin(&o, 0, 0, 60, true) == REASSEMBLY_BUFFER);
	CHECK(writes(MOST, 30) == 30);
	CHECK(reassembly_begin(&o, 0, 0, 100, true) == REASSEMBLY_DIRECT);
	reassembly_moved(&o, 50);
	reassembly_leave(&o, 0);
	CHECK(reassembly_writable(&o) && writes(MOST, 500) == 200);
	finish();
}

/* The turn of a leg that waits goes to whatever has the byte it waits for. */
static void
test_takeover(void)
{
	begin(WINDOW);
	CHECK(reassembly_begin(&o, 1, 0, 100, true) == REASSEMBLY_DIRECT);
	reassembly_moved(&o, 10);
	CHECK(reassembly_wait(&o, 1) && !reassembly_wait(&o, 2));
	/* Not the one that it waits for. */
	store(11, 50);
	CHECK(o.turn == 1 && o.takeovers == 0);
	CHECK(reassembly_resume(&o, 1) && !reassembly_resume(&o, 2));
	/* Not while it moves bytes. */
	store(0, 11);
	CHECK(o.turn == 1 && !reassembly_writable(&o) && reassembly_write(&o, piece, MOST) == 0);
	reassembly_moved(&o, 5);
	/* It is about to wait, and is told not to. */
	CHECK(!reassembly_wait(&o, 1) && o.turn == REASSEMBLY_NONE && o.takeovers == 1);
	CHECK(reassembly_writable(&o) && o.cursor == 15);
	CHECK(writes(MOST, 500) == 35 && o.cursor == 50);
	/* The loser goes on where it was, and has the turn again. */
	CHECK(reassembly_begin(&o, 1, 15, 100, true) == REASSEMBLY_DIRECT);
	CHECK(reassembly_wait(&o, 1));
	store(40, 60);
	CHECK(o.turn == REASSEMBLY_NONE && !o.waiting && o.takeovers == 2);
	CHECK(!reassembly_resume(&o, 1));
	CHECK(reassembly_begin(&o, 1, 15, 100, true) == REASSEMBLY_BUFFER);
	reassembly_leave(&o, 1);
	CHECK(writes(MOST, 4) == 4);
	/* Another leg than the one that lost it. */
	CHECK(writes(MOST, 500) == 6);
	CHECK(reassembly_begin(&o, 2, 60, 70, true) == REASSEMBLY_DIRECT);
	CHECK(!reassembly_resume(&o, 1) && !reassembly_wait(&o, 1));
	reassembly_leave(&o, 2);
	finish();
}

/* A wait that is over is not a wait: a leg with the turn does not keep the mark. */
static void
test_wait_ends(void)
{
	begin(WINDOW);
	CHECK(reassembly_begin(&o, 1, 0, 100, true) == REASSEMBLY_DIRECT);
	CHECK(reassembly_wait(&o, 1));
	reassembly_leave(&o, 1);
	CHECK(reassembly_begin(&o, 2, 0, 100, true) == REASSEMBLY_DIRECT && !o.waiting);
	store(0, 10);
	CHECK(o.turn == 2);
	reassembly_moved(&o, 20);
	reassembly_leave(&o, 2);
	CHECK(o.count == 0 && buffers == 0);
	finish();
}

/* The writer cannot lose the turn, and its pieces stay in place. */
static void
test_writer(void)
{
	size_t n, i;
	uint64_t k;

	begin(WINDOW);
	CHECK(!reassembly_writable(&o) && reassembly_write(&o, piece, MOST) == 0);
	store(10, 20);
	CHECK(!reassembly_writable(&o) && reassembly_write(&o, piece, MOST) == 0);
	store(0, 10);
	store(20, 30);
	store(40, 50);
	CHECK(reassembly_writable(&o));
	CHECK(reassembly_write(&o, piece, 2) == 2 && !reassembly_writable(&o));
	reassembly_written(&o, 0);
	n = reassembly_write(&o, piece, MOST);
	CHECK(n == 3);
	CHECK(reassembly_begin(&o, 1, 30, 40, true) == REASSEMBLY_BUFFER);
	CHECK(reassembly_write(&o, piece + 10, MOST - 10) == 0);
	/* Enough to move the array, below, among and above its pieces. */
	store(30, 40);
	store(5, 35);
	for (i = 0; i < 200; i++)
		store(100 + 2 * i, 101 + 2 * i);
	reassembly_leave(&o, 1);
	CHECK(!reassembly_wait(&o, 1) && !reassembly_resume(&o, 1) && o.turn == REASSEMBLY_WRITER);
	for (i = 0; i < n; i++)
		for (k = piece[i].seq; k < piece[i].end; k++)
			CHECK(piece[i].data[k - piece[i].seq] == byte(k));
	reassembly_written(&o, 15);
	SOUND();
	CHECK(o.cursor == 15 && piece_is(0, 15, 20));
	CHECK(writes(MOST, 1) == 1 && piece_is(0, 16, 20));
	CHECK(writes(MOST, 1000) == 34 && o.cursor == 50);
	finish();
}

/* Overlaps: every relation of a new frame to two that are there */

static void
test_overlaps(void)
{
	bool here[40];
	uint64_t a, b, cursor, k;
	size_t i;

	for (cursor = 0; cursor <= 30; cursor += 5) {
		for (a = 0; a < 32; a++) {
			for (b = a + 1; b <= 32; b++) {
				begin(WINDOW);
				store(0, 12);
				store(16, 24);
				o.cursor = 0;
				CHECK(writes(MOST, cursor < 12 ? cursor : 12) ==
				    (cursor < 12 ? cursor : 12));
				CHECK(reassembly_store(&o, a, b,
				    buffer(a, b, (size_t)(b - a) + 3)) == 0);
				SOUND();
				for (k = 0; k < 40; k++)
					here[k] = k >= o.cursor &&
					    (k < 12 || (k >= 16 && k < 24) || (k >= a && k < b));
				for (i = 0; i < o.count; i++) {
					const struct reassembly_piece *p = &o.piece[o.head + i];

					for (k = p->seq; k < p->end; k++) {
						CHECK(here[k]);
						CHECK(p->data[k - p->seq] == byte(k));
						here[k] = false;
					}
				}
				for (k = 0; k < 40; k++)
					CHECK(!here[k]);
				finish();
			}
		}
	}
}

/* A frame over many small pieces fills all of the gaps, with one buffer. */
static void
test_gaps(void)
{
	uint64_t at;

	begin(WINDOW);
	for (at = 3; at < 3000; at += 3)
		store(at, at + 1);
	CHECK(o.count == 999 && o.stored == 999);
	store(0, 3000);
	CHECK(o.stored == 3000 && o.count == 999 + 1000);
	while (o.cursor < 3000)
		CHECK(writes(MOST, 100) > 0);
	CHECK(o.count == 0 && buffers == 0);
	finish();
}

/* Little of a large buffer is kept by itself, so that the rest is free. */
static void
test_shrink(void)
{
	begin(WINDOW);
	store(100, 20000);
	CHECK(buffers == 1);
	store(0, 20000);		/* only its first 100 are news */
	CHECK(buffers == 1 && o.count == 2);
	store(0, 30000);		/* its last third */
	CHECK(buffers == 1 && piece_is(2, 20000, 30000));
	store(0, 70000);		/* more than half */
	CHECK(buffers == 2 && piece_is(3, 30000, 70000));
	store(0, 70000);
	CHECK(buffers == 2 && o.count == 4);
	CHECK(writes(MOST, 60000) == 60000);
	CHECK(buffers == 1);
	CHECK(writes(MOST, 60000) == 10000 && buffers == 0);
	finish();
}

static void
test_contiguous(void)
{
	begin(WINDOW);
	CHECK(reassembly_contiguous(&o) == 0);
	store(10, 20);
	CHECK(reassembly_contiguous(&o) == 0);
	store(0, 9);
	CHECK(reassembly_contiguous(&o) == 9);
	store(9, 10);
	CHECK(reassembly_contiguous(&o) == 20);
	store(30, 40);
	store(20, 30);
	CHECK(reassembly_contiguous(&o) == 40);
	CHECK(writes(MOST, 13) == 13 && reassembly_contiguous(&o) == 40);
	CHECK(writes(MOST, 100) == 27 && reassembly_contiguous(&o) == 40);
	CHECK(reassembly_begin(&o, 1, 40, 60, true) == REASSEMBLY_DIRECT);
	reassembly_moved(&o, 5);
	CHECK(reassembly_contiguous(&o) == 45);
	reassembly_leave(&o, 1);
	finish();
}

/*
 * Any frames within the credit in any order, some moved, most kept, with
 * writes in between: the books are sound at every step, and all of the stream
 * is written at the end.
 */
static void
test_walk(uint64_t *random)
{
	const uint64_t window = 4096, total = 300000;
	uint64_t seq, end;
	unsigned leg, i = 0;

	begin(window);
	while (o.cursor < total) {
		seq = o.cursor > 100 ? o.cursor - 100 : 0;
		seq += check_below(random, 600) * check_below(random, 8);
		end = seq + 1 + check_below(random, check_below(random, 700) + 1);
		if (end > o.cursor + window || end > total)
			continue;
		CHECK(reassembly_admit(&o, seq, (uint32_t)(end - seq)) == NULL);
		leg = (unsigned)check_below(random, 128);
		switch (reassembly_begin(&o, (int)leg, seq, end, check_below(random, 2) == 0)) {
		case REASSEMBLY_DIRECT:
			reassembly_moved(&o, check_below(random,
			    (size_t)(end - o.cursor) + 1));
			SOUND();
			if (check_below(random, 2) == 0)
				store(seq, end);
			reassembly_leave(&o, (int)leg);
			break;
		case REASSEMBLY_WAIT:
		case REASSEMBLY_BUFFER:
			store(seq, end);
			break;
		case REASSEMBLY_DISCARD:
			break;
		}
		SOUND();
		if (++i % 3 == 0)
			writes(1 + check_below(random, MOST), check_below(random, 900));
		CHECK(o.stored <= window && o.count <= REASSEMBLY_PIECES(window));
	}
	finish();
}

/* The end of memory */

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define OWN_ALLOCATOR	1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR	1
#endif

#if defined(RLIMIT_AS) && !defined(OWN_ALLOCATOR)
static void *volatile hoard;	/* so that no compiler leaves malloc out */

/* Takes what is left of memory in pieces of this size. */
static void
exhaust(size_t size)
{
	void **p;

	while ((p = malloc(size)) != NULL) {
		*p = hoard;
		hoard = p;
	}
}

/* The books stay sound, and the buffer is taken over all the same. */
static void
test_no_memory(void)
{
	struct reassembly_buffer *b[3];
	struct rlimit limit = { 0, 0 };
	size_t size;
	unsigned i;

	begin(WINDOW);
	for (i = 0; i < 64; i++)	/* the array is full */
		store(10 + 10 * i, 15 + 10 * i);
	b[0] = buffer(0, 2000, 2000);
	b[1] = buffer(0, 20000, 20000);
	b[2] = buffer(12, 14, 2);
	CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = 0;
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
	/* The allocator keeps what was freed by size. */
	for (size = 1 << 20; size > 8192; size /= 2)
		exhaust(size);
	for (; size > 0; size -= 16)
		exhaust(size);
	if ((hoard = malloc(64 << 20)) != NULL) {
		free(hoard);
		printf("memory limits do not hold here: part skipped\n");
		return;
	}
	errno = 0;
	CHECK(reassembly_store(&o, 0, 20000, b[1]) == -1 && errno == ENOMEM);
	SOUND();
	CHECK(reassembly_store(&o, 12, 14, b[2]) == 0);	/* nothing new in it */
	CHECK(buffers == 65);
	/* The large one has made room, but not for each of the gaps. */
	exhaust(16384);
	for (size = 8192; size > 0; size -= 16)
		exhaust(size);
	errno = 0;
	CHECK(reassembly_store(&o, 0, 2000, b[0]) == -1 && errno == ENOMEM);
	SOUND();
	CHECK(buffers <= 65);
	reassembly_free(&o);
	CHECK(buffers == 0);
}
#else
static void
test_no_memory(void)
{
	printf("memory limits not usable in this build: part skipped\n");
}
#endif

int
main(int argc, char **argv)
{
	uint64_t random = check_seed(argc, argv, 22);

	test_admit();
	test_fin();
	test_beyond();
	test_complete_turn();
	test_small_pieces();
	test_ways();
	test_void();
	test_takeover();
	test_wait_ends();
	test_writer();
	test_overlaps();
	test_gaps();
	test_shrink();
	test_contiguous();
	test_walk(&random);
	test_no_memory();
	return check_done();
}
