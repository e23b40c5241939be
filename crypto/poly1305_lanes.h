/*
 * Poly1305 on as many blocks at once as V has lanes of 64 bits: each lane
 * runs Horner's rule over every LANES-th block with r^LANES, and at the end is
 * multiplied by the power that is due to it.  Five limbs of 26 bits (Bernstein
 * and Schwabe, "NEON crypto", 2012, 4; Goll and Gueron, "Vectorization of
 * Poly1305 message authentication code", 2015).  A text that is included for
 * each vector width, with
 *
 *	BLOCKS		the function's name
 *	TARGET		its attribute
 *	LANES		64-bit lanes of
 *	V		the vector, and
 *	ADD MUL AND OR SHL SHR ALL LOAD UNPACK_LOW UNPACK_HIGH
 *			on it; MUL is of the lanes' low 32 bits
 *	POWERS(p)	LANES 32-bit integers, widened
 *	SUM(v)		of the lanes
 *	FIRST(x)	x in lane 0, zero in the others
 *
 * Bounds: limbs of h before a multiplication are below 2^28, of r below 2^26
 * and 5r below 2^29, so that a sum of five products stays below 2^60.
 */

#define PRODUCTS(a, b, c, d, e)						\
	ADD(ADD(ADD(MUL(h0, a), MUL(h1, b)),				\
	    ADD(MUL(h2, c), MUL(h3, d))), MUL(h4, e))

#define MULTIPLY()							\
	V d0 = PRODUCTS(r0, s4, s3, s2, s1);				\
	V d1 = PRODUCTS(r1, r0, s4, s3, s2);				\
	V d2 = PRODUCTS(r2, r1, r0, s4, s3);				\
	V d3 = PRODUCTS(r3, r2, r1, r0, s4);				\
	V d4 = PRODUCTS(r4, r3, r2, r1, r0);				\
	d1 = ADD(d1, SHR(d0, 26));					\
	h0 = AND(d0, mask);						\
	d4 = ADD(d4, SHR(d3, 26));					\
	h3 = AND(d3, mask);						\
	d2 = ADD(d2, SHR(d1, 26));					\
	h1 = AND(d1, mask);						\
	d0 = SHR(d4, 26);						\
	h4 = AND(d4, mask);						\
	h0 = ADD(h0, ADD(d0, SHL(d0, 2)));				\
	h3 = ADD(h3, SHR(d2, 26));					\
	h2 = AND(d2, mask);						\
	h1 = ADD(h1, SHR(h0, 26));					\
	h0 = AND(h0, mask);						\
	h4 = ADD(h4, SHR(h3, 26));					\
	h3 = AND(h3, mask)

#define ADD_BLOCKS() do {						\
	V a_ = LOAD(m), b_ = LOAD(m + 8 * LANES);			\
	V low = UNPACK_LOW(a_, b_), high = UNPACK_HIGH(a_, b_);		\
	h0 = ADD(h0, AND(low, mask));					\
	h1 = ADD(h1, AND(SHR(low, 26), mask));				\
	h2 = ADD(h2, AND(OR(SHR(low, 52), SHL(high, 12)), mask));	\
	h3 = ADD(h3, AND(SHR(high, 14), mask));				\
	h4 = ADD(h4, OR(SHR(high, 40), end));				\
} while (0)

#define FIVE(v)	ADD(v, SHL(v, 2))

TARGET static void
BLOCKS(struct poly1305 *p, const uint8_t *m, size_t n)
{
	const V mask = ALL((1 << 26) - 1), end = ALL(1 << 24);
	uint64_t limb[5];
	V h0, h1, h2, h3, h4;

	if (!p->has_powers)
		poly1305_powers(p, LANES);
	poly1305_take(p, limb);
	h0 = FIRST(limb[0]);
	h1 = FIRST(limb[1]);
	h2 = FIRST(limb[2]);
	h3 = FIRST(limb[3]);
	h4 = FIRST(limb[4]);
	{
		const V r0 = ALL(p->power[0][0]), r1 = ALL(p->power[1][0]);
		const V r2 = ALL(p->power[2][0]), r3 = ALL(p->power[3][0]);
		const V r4 = ALL(p->power[4][0]);
		const V s1 = FIVE(r1), s2 = FIVE(r2), s3 = FIVE(r3);
		const V s4 = FIVE(r4);

		for (; n > 16 * LANES; m += 16 * LANES, n -= 16 * LANES) {
			ADD_BLOCKS();
			MULTIPLY();
		}
	}
	{
		const V r0 = POWERS(p->power[0]), r1 = POWERS(p->power[1]);
		const V r2 = POWERS(p->power[2]), r3 = POWERS(p->power[3]);
		const V r4 = POWERS(p->power[4]);
		const V s1 = FIVE(r1), s2 = FIVE(r2), s3 = FIVE(r3);
		const V s4 = FIVE(r4);

		ADD_BLOCKS();
		MULTIPLY();
	}
	limb[0] = SUM(h0);
	limb[1] = SUM(h1);
	limb[2] = SUM(h2);
	limb[3] = SUM(h3);
	limb[4] = SUM(h4);
	poly1305_give(p, limb);
	sha256_wipe(limb, sizeof(limb));
}

#undef PRODUCTS
#undef MULTIPLY
#undef ADD_BLOCKS
#undef FIVE
