/*
 * Which of the processor's extensions may be used: those that it has and whose
 * registers the operating system saves.  Found when first asked for, by any
 * thread; nothing blocks or fails.
 */
#ifndef CPU_H
#define CPU_H

enum cpu_feature {
	CPU_AVX2	= 1 << 0,
	CPU_AVX512	= 1 << 1,	/* F, VL, BW, DQ and AVX2 */
	CPU_AES		= 1 << 2,	/* AES and PCLMULQDQ, or AES and PMULL */
	CPU_VAES	= 1 << 3	/* VAES, VPCLMULQDQ, CPU_AES and CPU_AVX2 */
};

/* Whether all of these are there. */
int	cpu_has(unsigned int features);

#endif
