/*
 * The processor's extensions, asked once.  Sources: Intel's Software
 * Developer's Manual, volume 1, 14.3 and 15.2 (how AVX and AVX-512 are
 * detected) and volume 2, CPUID; for arm64, Linux's
 * Documentation/arm64/elf_hwcaps.rst.
 */
#include <pthread.h>

#include "cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && (defined(__linux__) || defined(__FreeBSD__))
#include <sys/auxv.h>
#endif

static pthread_once_t asked = PTHREAD_ONCE_INIT;
static unsigned int found;

#if defined(__x86_64__)
#define LEAF1_ECX	(bit_SSSE3 | bit_SSE4_1)
#define LEAF1_AES	(bit_AES | bit_PCLMUL)
#define LEAF1_YMM	(bit_OSXSAVE | bit_AVX)
#define LEAF7_AVX512	(bit_AVX512F | bit_AVX512VL | bit_AVX512BW | bit_AVX512DQ)
#define LEAF7_ECX_VAES	(1U << 9 | 1U << 10)	/* VAES, VPCLMULQDQ */
#define SAVES_YMM	0x06U			/* of XCR0: XMM and YMM */
#define SAVES_ZMM	0xe6U			/* opmask, both parts of ZMM */

static unsigned int
saved_registers(void)
{
	unsigned int low, high;

	__asm__ __volatile__("xgetbv" : "=a" (low), "=d" (high) : "c" (0));
	return low;
}

static void
ask(void)
{
	unsigned int a, b, c, d, leaf1, saved;

	if (!__get_cpuid(1, &a, &b, &leaf1, &d) ||
	    (leaf1 & LEAF1_ECX) != LEAF1_ECX)
		return;
	if ((leaf1 & LEAF1_AES) == LEAF1_AES)
		found |= CPU_AES;
	if ((leaf1 & LEAF1_YMM) != LEAF1_YMM)
		return;
	saved = saved_registers();
	if ((saved & SAVES_YMM) != SAVES_YMM ||
	    !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2))
		return;
	found |= CPU_AVX2;
	if ((c & LEAF7_ECX_VAES) == LEAF7_ECX_VAES && (found & CPU_AES))
		found |= CPU_VAES;
	if ((saved & SAVES_ZMM) == SAVES_ZMM &&
	    (b & LEAF7_AVX512) == LEAF7_AVX512)
		found |= CPU_AVX512;
}
#elif defined(__aarch64__)
static void
ask(void)
{
#if defined(__ARM_FEATURE_AES) || defined(__ARM_FEATURE_CRYPTO)
	found |= CPU_AES;
#elif defined(__linux__)
	unsigned long needed = HWCAP_AES | HWCAP_PMULL;

	if ((getauxval(AT_HWCAP) & needed) == needed)
		found |= CPU_AES;
#elif defined(__FreeBSD__)
	unsigned long has = 0, needed = HWCAP_AES | HWCAP_PMULL;

	if (elf_aux_info(AT_HWCAP, &has, (int)sizeof(has)) == 0 &&
	    (has & needed) == needed)
		found |= CPU_AES;
#endif
}
#else
static void
ask(void)
{
}
#endif

/* pthread_once fails only on an invalid control, which this one is not. */
int
cpu_has(unsigned int features)
{
	(void)pthread_once(&asked, ask);
	return (found & features) == features;
}
