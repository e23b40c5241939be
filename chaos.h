/*
 * chaos: faults injected on purpose, for tests.
 *
 * The specification is made once, from the option's text, and is immutable then.
 * Each leg has a state of its own, which belongs to its thread, so the faults of a
 * leg depend only on the seed, the leg's number and its own frames.  With chaos off
 * every call costs one comparison.
 *
 *	function	called			kinds
 *	chaos_passed	after each frame of the stream on a leg
 *						close, reset, stall, delay
 *	chaos_corrupt	before a payload is sent, or after it was received
 *						corrupt
 *	chaos_length	before bytes are moved
 *						short
 */
#ifndef CHAOS_H
#define CHAOS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAOS_CLOSE	0x01u
#define CHAOS_RESET	0x02u
#define CHAOS_STALL	0x04u
#define CHAOS_CORRUPT	0x08u
#define CHAOS_SHORT	0x10u
#define CHAOS_DELAY	0x20u
#define CHAOS_KINDS	6

struct chaos_spec {
	uint64_t every;		/* frames between two faults; 0 = off */
	unsigned kinds;		/* CHAOS_ bits */
	uint64_t seed;
};

struct chaos_leg {
	const struct chaos_spec *spec;	/* NULL = off */
	uint64_t random;
	uint64_t frames;
	uint64_t spoilt;	/* number of the last frame that was corrupted */
	unsigned next;		/* the next kind, one bit */
	unsigned pending;	/* the kind that must happen now, one bit; 0 = none */
	atomic_uint done[CHAOS_KINDS];	/* how often each kind happened; any thread reads */
};

/* "N" or "N:KIND[,KIND...][:SEED]".  0, or -1 and the reason in why. */
int chaos_parse(const char *text, struct chaos_spec *spec, char *why, size_t n);

void chaos_leg_init(struct chaos_leg *c, const struct chaos_spec *spec, unsigned leg);

/* One more frame: `pending' is the kind that must happen now, if one must. */
void chaos_passed(struct chaos_leg *c);
/* Must the frame that begins now be corrupted?  Then *bit is the bit to flip. */
bool chaos_corrupt(struct chaos_leg *c, size_t bytes, size_t *bit);
/* How many of n bytes one call may move. */
size_t chaos_length(struct chaos_leg *c, size_t n);
/* How long a delay takes, in milliseconds. */
unsigned chaos_delay_ms(struct chaos_leg *c);

/* "N close, N reset" and so on, the sums over n legs. */
void chaos_summary(const struct chaos_leg *const legs[], unsigned n, char *text, size_t size);

#endif
