/*
 * AES-256-GCM on eight vectors of one or more blocks at a time, the rounds of
 * AES and the products of GHASH side by side, because the processor does both
 * at once: when sealing, the hash is one batch behind.
 *
 * GHASH (NIST SP 800-38D, 6.4) is carry-less multiplication modulo
 * x^128 + x^7 + x^2 + x + 1, where a block's first bit stands for x^0.  With
 * the bytes reversed, bit i of a 128-bit integer stands for x^(127 - i), and
 * the integer product of two of those is that of the polynomials times x.  So
 * the powers of H are kept divided by x, and nothing need be shifted (Gueron
 * and Kounavis, "Intel carry-less multiplication instruction and its usage for
 * computing the GCM mode", 2010).  Eight vectors' products are summed, each
 * times its own power of H, and reduced once (the same, "aggregated
 * reduction"): 64 bits of low degree of the integer, a, stand for
 * a x^192 = a x^64 (x^7 + x^2 + x + 1), which is the integer product of a and
 * 0xc2 << 56, plus a itself 64 bits further; twice.
 *
 * A text that is included for each vector width, with
 *
 *	NAME(x)		names of the functions
 *	TARGET		their attribute
 *	V, WIDTH	a vector of so many blocks
 *	LOAD STORE XOR XOR3 REVERSE ALL (one block's address, in each)
 *	LOW HIGH LOWHIGH HIGHLOW	carry-less products of halves
 *	SWAP		halves of each block
 *	FIRST ROUND LAST	of AES, with key[i]; ROUND(x, 0) to (x, 12)
 *	COUNTERS(p, c) NEXT(v)	reversed counter blocks c, c + 1 and so on
 *			after the nonce p; and WIDTH further
 *	FOLD(v)		the sum of the blocks of v, in the first of a vector
 *			that is zero otherwise
 *	LOAD1 STORE1	the first block alone
 *
 * which are taken back at its end.
 */

#define END_OF_POWERS(k)	((const uint8_t *)(k)->of.aes.power + sizeof((k)->of.aes.power))
#define VECTOR	(16 * WIDTH)
#define BATCH	(8 * VECTOR)
#define EACH8(M)	M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)

#define START(j)	x##j = FIRST(REVERSE(counter)); counter = NEXT(counter);
#define MIDDLE(j)	x##j = ROUND(x##j, MIDDLE_ROUND);
#define END(j)		x##j = LAST(x##j);
#define XOR_IN(j)	x##j = XOR(x##j, LOAD(in + VECTOR * j));
#define PUT(j)		STORE(out + VECTOR * j, x##j);

/* Adds v times the jth of the last `of` vectors of powers. */
#define PRODUCT(v, j, of) do {						\
	V v_ = (v), h_ = LOAD(power + VECTOR * (j) - VECTOR * (of));	\
	low = XOR(low, LOW(v_, h_));					\
	high = XOR(high, HIGH(v_, h_));					\
	middle = XOR3(middle, LOWHIGH(v_, h_), HIGHLOW(v_, h_));	\
} while (0)
#define BEGIN_HASH()	low = middle = high = ALL(zero)
#define HASH(j)		PRODUCT(REVERSE(LOAD(hash + VECTOR * j)), j, 8)
#define HASH_FIRST(of)	PRODUCT(XOR(REVERSE(LOAD(hash)), sum), 0, of)
#define REDUCE_LOW()	middle = XOR3(middle, LOW(low, fold), SWAP(low))
#define REDUCE_MIDDLE()	sum = FOLD(XOR3(high, LOW(middle, fold), SWAP(middle)))

TARGET static inline __attribute__((always_inline)) void
NAME(transform)(struct aead *a, uint8_t *out, const uint8_t *in, size_t n,
    const bool seal)
{
	static const uint8_t zero[16];
	static const uint8_t fold_bytes[16] = { 0, 0, 0, 0, 0, 0, 0, 0xc2,
	    0, 0, 0, 0, 0, 0, 0, 0xc2 };
	const uint8_t *power = END_OF_POWERS(a->key);
	const uint8_t *hash = NULL;
	const V fold = ALL(fold_bytes);
	V key[AESGCM_ROUNDS + 1];
	V x0, x1, x2, x3, x4, x5, x6, x7, low, middle, high;
	V sum = LOAD1(a->of.aes.hash);
	V counter = COUNTERS(a->of.aes.nonce, a->of.aes.counter);
	int i;

	for (i = 0; i <= AESGCM_ROUNDS; i++)
		key[i] = ALL(a->key->of.aes.round[i]);
	a->of.aes.counter += (uint32_t)(n / 16);
	for (; n >= BATCH; in += BATCH, out += BATCH, n -= BATCH) {
		EACH8(START)
		if (!seal)
			hash = in;
		if (hash == NULL)
			for (i = 0; i < AESGCM_ROUNDS - 1; i++) {
#define MIDDLE_ROUND	i
				EACH8(MIDDLE)
#undef MIDDLE_ROUND
			}
		else {
			BEGIN_HASH();
#define MIDDLE_ROUND	0
			EACH8(MIDDLE)
			HASH(7);
#undef MIDDLE_ROUND
#define MIDDLE_ROUND	1
			EACH8(MIDDLE)
			HASH(6);
#undef MIDDLE_ROUND
#define MIDDLE_ROUND	2
			EACH8(MIDDLE)
			HASH(5);
#undef MIDDLE_ROUND
#define MIDDLE_ROUND	3
			EACH8(MIDDLE)
			HASH(4);
#undef MIDDLE_ROUND
#define MIDDLE_ROUND	4
			EACH8(MIDDLE)
			HASH(3);
#undef MIDDLE_ROUND
#define MIDDLE_ROUND	5
			EACH8(MIDDLE)
			HASH(2);
#undef MIDDLE_ROUND
#define MIDDLE_ROUND	6
			EACH8(MIDDLE)
			HASH(1);
#undef MIDDLE_ROUND
#define MIDDLE_ROUND	7
			EACH8(MIDDLE)
			HASH_FIRST(8);
#undef MIDDLE_ROUND
#define MIDDLE_ROUND	8
			EACH8(MIDDLE)
#undef MIDDLE_ROUND
#define MIDDLE_ROUND	9
			EACH8(MIDDLE)
			REDUCE_LOW();
#undef MIDDLE_ROUND
#define MIDDLE_ROUND	10
			EACH8(MIDDLE)
#undef MIDDLE_ROUND
#define MIDDLE_ROUND	11
			EACH8(MIDDLE)
			REDUCE_MIDDLE();
#undef MIDDLE_ROUND
#define MIDDLE_ROUND	12
			EACH8(MIDDLE)
#undef MIDDLE_ROUND
		}
		EACH8(END)
		EACH8(XOR_IN)
		EACH8(PUT)
		if (seal)
			hash = out;
	}
	if (seal && hash != NULL) {
		BEGIN_HASH();
		HASH(7);
		HASH(6);
		HASH(5);
		HASH(4);
		HASH(3);
		HASH(2);
		HASH(1);
		HASH_FIRST(8);
		REDUCE_LOW();
		REDUCE_MIDDLE();
	}
	for (; n > 0; in += VECTOR, out += VECTOR, n -= VECTOR) {
		START(0)
		for (i = 0; i < AESGCM_ROUNDS - 1; i++)
			x0 = ROUND(x0, i);
		END(0)
		x1 = LOAD(in);
		x0 = XOR(x0, x1);
		BEGIN_HASH();
		PRODUCT(XOR(REVERSE(seal ? x0 : x1), sum), 0, 1);
		STORE(out, x0);
		REDUCE_LOW();
		REDUCE_MIDDLE();
	}
	STORE1(a->of.aes.hash, sum);
}

TARGET static void
NAME(seal)(struct aead *a, uint8_t *out, const uint8_t *in, size_t n)
{
	NAME(transform)(a, out, in, n, true);
}

TARGET static void
NAME(open)(struct aead *a, uint8_t *out, const uint8_t *in, size_t n)
{
	NAME(transform)(a, out, in, n, false);
}

#if WIDTH == 1

/* What is done with single blocks, by every width. */

static const uint8_t zero_block[16];
static const uint8_t fold_block[16] = { 0, 0, 0, 0, 0, 0, 0, 0xc2 };

TARGET static void
encrypt_block(const struct aead_key *k, uint8_t out[16], V x)
{
	V key[AESGCM_ROUNDS + 1];
	int i;

	for (i = 0; i <= AESGCM_ROUNDS; i++)
		key[i] = ALL(k->of.aes.round[i]);
	x = FIRST(x);
	for (i = 0; i < AESGCM_ROUNDS - 1; i++)
		x = ROUND(x, i);
	x = LAST(x);
	STORE(out, x);
}

TARGET static void
multiply(uint8_t *out, const uint8_t *one, const uint8_t *other)
{
	const V fold = ALL(fold_block);
	const uint8_t *power = other + 16;
	V low, middle, high, sum;

	low = middle = high = ALL(zero_block);
	PRODUCT(LOAD(one), 0, 1);
	REDUCE_LOW();
	REDUCE_MIDDLE();
	STORE(out, sum);
}

TARGET static void
expand(struct aead_key *k, const uint8_t key[AEAD_KEY])
{
	uint8_t *last = k->of.aes.power[AESGCM_POWERS - 1];
	V h;

	aesgcm_schedule(k, key, subword);
	encrypt_block(k, last, ALL(zero_block));
	h = LOAD(last);
	STORE(last, REVERSE(h));
	aesgcm_powers(k, multiply);
}

TARGET static void
start(struct aead *a, const uint8_t nonce[AEAD_NONCE])
{
	memcpy(a->of.aes.nonce, nonce, AEAD_NONCE);
	a->of.aes.counter = 2;
	memset(a->of.aes.hash, 0, sizeof(a->of.aes.hash));
	encrypt_block(a->key, a->of.aes.mask, REVERSE(COUNTERS(nonce, 1)));
}

TARGET static void
stream(struct aead *a, uint8_t out[AEAD_BLOCK])
{
	V key[AESGCM_ROUNDS + 1], x0, x1, x2, x3;
	V counter = COUNTERS(a->of.aes.nonce, a->of.aes.counter);
	int i;

	for (i = 0; i <= AESGCM_ROUNDS; i++)
		key[i] = ALL(a->key->of.aes.round[i]);
	a->of.aes.counter += AEAD_BLOCK / 16;
	START(0)
	START(1)
	START(2)
	START(3)
	for (i = 0; i < AESGCM_ROUNDS - 1; i++) {
		x0 = ROUND(x0, i);
		x1 = ROUND(x1, i);
		x2 = ROUND(x2, i);
		x3 = ROUND(x3, i);
	}
	END(0)
	END(1)
	END(2)
	END(3)
	PUT(0)
	PUT(1)
	PUT(2)
	PUT(3)
}

TARGET static void
authenticate(struct aead *a, const uint8_t *hash, size_t n)
{
	const uint8_t *power = END_OF_POWERS(a->key);
	const V fold = ALL(fold_block);
	V low, middle, high, sum = LOAD1(a->of.aes.hash);
	size_t i, blocks;

	for (; n > 0; hash += 16 * blocks, n -= 16 * blocks) {
		blocks = n / 16 < 8 ? n / 16 : 8;
		low = middle = high = ALL(zero_block);
		HASH_FIRST(blocks);
		for (i = 1; i < blocks; i++)
			PRODUCT(REVERSE(LOAD(hash + 16 * i)), i, blocks);
		REDUCE_LOW();
		REDUCE_MIDDLE();
	}
	STORE1(a->of.aes.hash, sum);
}

TARGET static void
tag(struct aead *a, uint8_t out[AEAD_TAG])
{
	uint8_t lengths[16];

	aesgcm_lengths(a, lengths);
	authenticate(a, lengths, sizeof(lengths));
	STORE(out, XOR(REVERSE(LOAD1(a->of.aes.hash)),
	    LOAD1(a->of.aes.mask)));
}
#endif

#undef END_OF_POWERS
#undef VECTOR
#undef BATCH
#undef EACH8
#undef START
#undef MIDDLE
#undef END
#undef XOR_IN
#undef PUT
#undef PRODUCT
#undef BEGIN_HASH
#undef HASH
#undef HASH_FIRST
#undef REDUCE_LOW
#undef REDUCE_MIDDLE

#undef NAME
#undef TARGET
#undef V
#undef WIDTH
#undef LOAD
#undef STORE
#undef LOAD1
#undef STORE1
#undef ALL
#undef XOR
#undef XOR3
#undef REVERSE
#undef SWAP
#undef LOW
#undef HIGH
#undef LOWHIGH
#undef HIGHLOW
#undef ROUND
#undef LAST
#undef COUNTERS
#undef NEXT
#undef FOLD
