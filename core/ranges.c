/*
 * ranges: a set of stream offsets in one growing array, with a head index because
 * most ranges are removed at the front.
 *
 * Between calls:
 *  1. lo < hi in every range, and each hi is less than the next range's lo
 *     (ranges that touch are merged);
 *  2. total is the sum of their lengths;
 *  3. head + n <= cap, and head is 0 when n is.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/ranges.h"

#define SMALLEST	16	/* slots in the first array */

/* The index, counted from the head, of the first range with hi >= at. */
static size_t
reaching(const struct ranges *r, uint64_t at)
{
	const struct range *v;
	size_t low = 0, high = r->n, mid;

	if (r->n == 0)
		return 0;
	v = r->v + r->head;
	/* Most calls ask about the end. */
	if (v[high - 1].hi < at)
		return high;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (v[mid].hi < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The same for the first range with hi > at: the one with at in it or above. */
static size_t
beyond(const struct ranges *r, uint64_t at)
{
	return at == UINT64_MAX ? r->n : reaching(r, at + 1);
}

/*
 * Makes room for one more range.  The front is reclaimed only when it is at
 * least half of the array, so each move is paid for by as many removals.
 */
static int
make_room(struct ranges *r)
{
	struct range *v;
	size_t cap;

	if (r->head + r->n < r->cap)
		return 0;
	if (r->head > 0 && r->head >= r->cap / 2) {
		memmove(r->v, r->v + r->head, r->n * sizeof(*r->v));
		r->head = 0;
		return 0;
	}
	cap = r->cap == 0 ? SMALLEST : r->cap * 2;
	v = cap > SIZE_MAX / 2 / sizeof(*v) ? NULL :
	    realloc(r->v, cap * sizeof(*v));
	if (v == NULL) {
		errno = ENOMEM;
		return -1;
	}
	r->v = v;
	r->cap = cap;
	return 0;
}

/* Opens an unset slot at index i by moving the shorter side away. */
static int
open_slot(struct ranges *r, size_t i)
{
	struct range *v;

	if (r->head == 0 || i >= r->n / 2) {
		if (make_room(r) == -1)
			return -1;
		v = r->v + r->head;
		memmove(v + i + 1, v + i, (r->n - i) * sizeof(*v));
	} else {
		r->head--;
		v = r->v + r->head;
		memmove(v, v + 1, i * sizeof(*v));
	}
	r->n++;
	return 0;
}

/* Removes the ranges [i, j), again by moving the shorter side. */
static void
close_slots(struct ranges *r, size_t i, size_t j)
{
	struct range *v;

	if (i == j)
		return;
	v = r->v + r->head;
	if (i <= r->n - j) {
		memmove(v + (j - i), v, i * sizeof(*v));
		r->head += j - i;
	} else
		memmove(v + i, v + j, (r->n - j) * sizeof(*v));
	r->n -= j - i;
	if (r->n == 0)
		r->head = 0;
}

void
ranges_init(struct ranges *r)
{
	memset(r, 0, sizeof(*r));
	r->v = NULL;
}

void
ranges_free(struct ranges *r)
{
	free(r->v);
	ranges_init(r);
}

int
ranges_add(struct ranges *r, uint64_t lo, uint64_t hi)
{
	struct range *v;
	size_t i, j;

	if (lo >= hi)
		return 0;
	/* The ranges [i, j) overlap or touch the new one and are merged into it. */
	i = reaching(r, lo);
	for (j = i; j < r->n && r->v[r->head + j].lo <= hi; j++)
		r->total -= r->v[r->head + j].hi - r->v[r->head + j].lo;
	if (i == j) {
		if (open_slot(r, i) == -1)
			return -1;
		v = r->v + r->head;
	} else {
		v = r->v + r->head;
		if (v[i].lo < lo)
			lo = v[i].lo;
		if (v[j - 1].hi > hi)
			hi = v[j - 1].hi;
		close_slots(r, i + 1, j);
		v = r->v + r->head;
	}
	v[i].lo = lo;
	v[i].hi = hi;
	r->total += hi - lo;
	return 0;
}

int
ranges_remove(struct ranges *r, uint64_t lo, uint64_t hi)
{
	struct range *v;
	size_t i, j;

	if (lo >= hi || r->n == 0)
		return 0;
	i = beyond(r, lo);
	v = r->v + r->head;
	if (i < r->n && v[i].lo < lo && v[i].hi > hi) {
		if (open_slot(r, i) == -1)
			return -1;
		v = r->v + r->head;
		v[i].lo = v[i + 1].lo;
		v[i].hi = lo;
		v[i + 1].lo = hi;
		r->total -= hi - lo;
		return 0;
	}
	if (i < r->n && v[i].lo < lo) {
		r->total -= v[i].hi - lo;
		v[i].hi = lo;
		i++;
	}
	for (j = i; j < r->n && v[j].hi <= hi; j++)
		r->total -= v[j].hi - v[j].lo;
	if (j < r->n && v[j].lo < hi) {
		r->total -= hi - v[j].lo;
		v[j].lo = hi;
	}
	close_slots(r, i, j);
	return 0;
}

void
ranges_trim(struct ranges *r, uint64_t below)
{
	/* From 0 on no range has a part left on both sides, so none is split. */
	(void)ranges_remove(r, 0, below);
}

bool
ranges_first(const struct ranges *r, uint64_t *lo, uint64_t *hi)
{
	if (r->n == 0)
		return false;
	*lo = r->v[r->head].lo;
	*hi = r->v[r->head].hi;
	return true;
}

bool
ranges_covers(const struct ranges *r, uint64_t lo, uint64_t hi)
{
	uint64_t glo, ghi;

	return !ranges_gap(r, lo, hi, &glo, &ghi);
}

bool
ranges_gap(const struct ranges *r, uint64_t lo, uint64_t hi, uint64_t *glo,
    uint64_t *ghi)
{
	size_t i = r->head + beyond(r, lo);
	size_t end = r->head + r->n;

	/* Ranges do not touch: a gap follows the one that contains lo. */
	if (i < end && r->v[i].lo <= lo)
		lo = r->v[i++].hi;
	if (lo >= hi)
		return false;
	*glo = lo;
	*ghi = i < end && r->v[i].lo < hi ? r->v[i].lo : hi;
	return true;
}

size_t
ranges_count(const struct ranges *r)
{
	return r->n;
}

uint64_t
ranges_total(const struct ranges *r)
{
	return r->total;
}
