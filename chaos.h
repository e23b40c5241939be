/*
 * chaos: named places where faults are injected on purpose.
 *
 * A specification is made once, from the option's text, and is immutable then.
 * Each leg has its own account, which belongs to its thread, so what happens
 * on a leg depends on the seed, the leg's number and its own frames alone.
 * With chaos off every call costs one comparison.
 *
 *	place		asked by	kinds
 *	chaos_frame	after each frame of the stream on a leg
 *					close, reset, stall, delay
 *	chaos_corrupt	before a payload leaves, or after it came
 *					corrupt
 *	chaos_length	before octets are moved
 *					short
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
	uint64_t spoilt;	/* number of the frame that was corrupted last */
	unsigned next;		/* the kind that comes next, one bit */
	atomic_uint done[CHAOS_KINDS];	/* how often each kind happened; any thread reads */
};

/* "N" or "N:KIND[,KIND...][:SEED]".  0, or -1 and the reason in why. */
int chaos_parse(const char *text, struct chaos_spec *spec, char *why, size_t n);

void chaos_leg_init(struct chaos_leg *c, const struct chaos_spec *spec, unsigned leg);

/* One more frame: 0, or the kind that is to happen now (one bit). */
unsigned chaos_frame(struct chaos_leg *c);
/* Is the frame that begins now to be spoilt?  Then *bit says which of its bits. */
bool chaos_corrupt(struct chaos_leg *c, size_t octets, size_t *bit);
/* How many of n octets one call may move. */
size_t chaos_length(struct chaos_leg *c, size_t n);
/* Octets of time: how long a delay takes, milliseconds. */
unsigned chaos_delay_ms(struct chaos_leg *c);

const char *chaos_name(unsigned kind);

/* "N close, N reset" and so on, of n accounts together; a constant number of octets. */
void chaos_tally(const struct chaos_leg *const legs[], unsigned n, char *text, size_t size);

#endif
