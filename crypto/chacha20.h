/*
 * The ChaCha20 key stream (RFC 8439, 2.3 and 2.4).  state is that of the next
 * block: constants, key, counter, nonce.  Each function moves the counter on
 * by the blocks that it used; n is a multiple of 64.  out may be in.
 */
#ifndef CHACHA20_H
#define CHACHA20_H

#include <stddef.h>
#include <stdint.h>

#define CHACHA20_BLOCK	64

void	chacha20_init(uint32_t state[16], const uint32_t key[8],
	    const uint8_t nonce[12]);
void	chacha20_block(uint32_t state[16], uint8_t out[CHACHA20_BLOCK]);

/* One block at a time. */
void	chacha20_xor(uint32_t state[16], uint8_t *out, const uint8_t *in, size_t n);

/* Four blocks at a time, in the compiler's vectors of 128 bits. */
void	chacha20_xor4(uint32_t state[16], uint8_t *out, const uint8_t *in, size_t n);

/* On processors that have them (cpu.h): eight and sixteen blocks at a time. */
void	chacha20_xor_avx2(uint32_t state[16], uint8_t *out, const uint8_t *in, size_t n);
void	chacha20_xor_avx512(uint32_t state[16], uint8_t *out, const uint8_t *in, size_t n);

/*
 * The twenty rounds on x0 to x15, which are integers or vectors with one block
 * in each lane, by the includer's ADD, XOR and ROTATE16, 12, 8 and 7; in an
 * order that keeps four independent quarter rounds under way.
 */
#define CHACHA20_STEP(a, b, c, d, e, f, g, h, i, j, k, l, rotate)	\
	a = ADD(a, e); b = ADD(b, f); c = ADD(c, g); d = ADD(d, h);	\
	i = rotate(XOR(i, a)); j = rotate(XOR(j, b));			\
	k = rotate(XOR(k, c)); l = rotate(XOR(l, d))

#define CHACHA20_QUARTERS(a0, a1, a2, a3, b0, b1, b2, b3,		\
	    c0, c1, c2, c3, d0, d1, d2, d3)				\
	CHACHA20_STEP(a0, a1, a2, a3, b0, b1, b2, b3,			\
	    d0, d1, d2, d3, ROTATE16);					\
	CHACHA20_STEP(c0, c1, c2, c3, d0, d1, d2, d3,			\
	    b0, b1, b2, b3, ROTATE12);					\
	CHACHA20_STEP(a0, a1, a2, a3, b0, b1, b2, b3,			\
	    d0, d1, d2, d3, ROTATE8);					\
	CHACHA20_STEP(c0, c1, c2, c3, d0, d1, d2, d3,			\
	    b0, b1, b2, b3, ROTATE7)

#define CHACHA20_ROUNDS(round) do {					\
	for (round = 0; round < 10; round++) {				\
		CHACHA20_QUARTERS(x0, x1, x2, x3, x4, x5, x6, x7,	\
		    x8, x9, x10, x11, x12, x13, x14, x15);		\
		CHACHA20_QUARTERS(x0, x1, x2, x3, x5, x6, x7, x4,	\
		    x10, x11, x8, x9, x15, x12, x13, x14);		\
	}								\
} while (0)

#endif
