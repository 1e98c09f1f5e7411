/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest's CPU looks like: the CPUID and MSR rules of every image.
 *
 * Register names follow AMD64 Architecture Programmer's Manual, volume 3, appendix E ("Obtaining Processor Information
 * Via the CPUID Instruction").  Hidden on purpose: XSAVE and all that needs it (PKU; AVX unless asked for), SVM, MTRR,
 * machine check, performance counters, speculation-control MSRs, topology extensions.
 */
#include <string.h>

#include "vmimage.h"

#define BIT(n) (1u << (n))

/* Leaf 1 ECX: SSE3 PCLMUL SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES RDRAND */
#define L1_ECX_HOST (BIT(0) | BIT(1) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(25) | BIT(30))
/* x2APIC, TSC deadline, hypervisor present */
#define L1_ECX_FIXED (BIT(21) | BIT(24) | BIT(31))
/* FPU VME DE PSE TSC MSR PAE CX8 APIC SEP PGE CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 */
#define L1_EDX_HOST (BIT(0) | BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(8) | BIT(9) | BIT(11) | \
		     BIT(13) | BIT(15) | BIT(16) | BIT(17) | BIT(19) | BIT(23) | BIT(24) | BIT(25) | BIT(26))
#define L1_EDX_HTT BIT(28)
/* Leaf 7 EBX: FSGSBASE BMI1 SMEP BMI2 ERMS RDSEED ADX SMAP CLFLUSHOPT CLWB SHA; ECX: UMIP; EDX: FSRM */
#define L7_EBX_HOST                                                                                                    \
	(BIT(0) | BIT(3) | BIT(7) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(20) | BIT(23) | BIT(24) | BIT(29))
#define L7_ECX_HOST BIT(2)
#define L7_EDX_HOST BIT(4)
/* Leaf 0x80000001 ECX: LAHF CR8 ABM SSE4A MISALIGNSSE PREFETCHW */
#define E1_ECX_HOST (BIT(0) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8))
#define E1_ECX_CMP_LEGACY BIT(1)
/* as leaf 1, with SYSCALL NX MMXEXT PDPE1GB RDTSCP LM */
#define E1_EDX_HOST                                                                                                    \
	((L1_EDX_HOST & ~(BIT(11) | BIT(19) | BIT(25) | BIT(26))) | BIT(11) | BIT(20) | BIT(22) | BIT(26) | BIT(27) |  \
	 BIT(29))
#define L6_EAX_ARAT BIT(2)
#define E7_EDX_INVARIANT_TSC BIT(8)
#define KVM_CLOCKSOURCE2 BIT(3)
#define KVM_CLOCKSOURCE_STABLE BIT(24)
#define ALL 0xffffffffu

static const struct lzr_manifest_cpuid cpuid_template[] = {
	{ 0x00, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE, { 0x0b }, { 0, ALL, ALL, ALL } },
	{ 0x01, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_FEATURES, { 0, 0, L1_ECX_FIXED, 0 },
	  { ALL, 0xff00, L1_ECX_HOST, L1_EDX_HOST } },
	{ 0x06, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE, { L6_EAX_ARAT }, { 0 } },
	{ 0x07, 0, LZR_CPUID_NONE, { 0 }, { 0, L7_EBX_HOST, L7_ECX_HOST, L7_EDX_HOST } },
	{ 0x0b, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_TOPOLOGY, { 0 }, { 0 } },
	{ 0x40000000, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE,            /* "KVMKVMKVM" */
	  { 0x40000010, 0x4b4d564b, 0x564b4d56, 0x0000004d }, { 0 } },
	{ 0x40000001, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE, { KVM_CLOCKSOURCE2 | KVM_CLOCKSOURCE_STABLE }, { 0 } },
	{ 0x40000010, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_TSC, { 0 }, { 0 } },
	{ 0x80000000, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE, { 0x80000008 }, { 0, ALL, ALL, ALL } },
	{ 0x80000001, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE, { 0 }, { ALL, 0, E1_ECX_HOST, E1_EDX_HOST } },
	{ 0x80000002, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE, { 0 }, { ALL, ALL, ALL, ALL } },
	{ 0x80000003, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE, { 0 }, { ALL, ALL, ALL, ALL } },
	{ 0x80000004, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE, { 0 }, { ALL, ALL, ALL, ALL } },
	{ 0x80000005, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE, { 0 }, { ALL, ALL, ALL, ALL } },
	{ 0x80000006, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE, { 0 }, { ALL, ALL, ALL, ALL } },
	{ 0x80000007, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE, { 0, 0, 0, E7_EDX_INVARIANT_TSC }, { 0 } },
	{ 0x80000008, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_ADDRESS, { 48u << 8 }, { 0 } },
};
#define CPUID_ROWS (sizeof(cpuid_template) / sizeof(cpuid_template[0]))

/* With --avx: the components x87, SSE and AVX, and where the last one lies in the area. */
#define AVX_LEAF 0x0du
static const struct lzr_manifest_cpuid avx_rows[] = {
	{ AVX_LEAF, 0, LZR_CPUID_XSAVE, { 0, 0, 0x340, 0 }, { 7, 0, 0, 0 } },
	{ AVX_LEAF, 2, LZR_CPUID_NONE, { 0 }, { ALL, ALL, 0, 0 } },
};
#define AVX_ROWS (sizeof(avx_rows) / sizeof(avx_rows[0]))
/* Leaf 1 ECX: FMA XSAVE AVX F16C; leaf 7 EBX: AVX2 */
#define L1_ECX_AVX (BIT(12) | BIT(26) | BIT(28) | BIT(29))
#define L7_EBX_AVX BIT(5)
_Static_assert(CPUID_ROWS + AVX_ROWS <= CPUID_ROWS_MAX, "cpuid rows fit");

/* Rows lie by leaf: the new ones go before the first of a higher leaf. */
static unsigned add_avx(struct lzr_manifest_cpuid rows[CPUID_ROWS_MAX])
{
	unsigned at = 0;

	while (rows[at].leaf < AVX_LEAF) {
		if (rows[at].leaf == 0)
			rows[at].fixed[0] = AVX_LEAF;
		if (rows[at].leaf == 1)
			rows[at].mask[2] |= L1_ECX_AVX;
		if (rows[at].leaf == 7)
			rows[at].mask[1] |= L7_EBX_AVX;
		at++;
	}
	memmove(&rows[at + AVX_ROWS], &rows[at], (CPUID_ROWS - at) * sizeof(rows[0]));
	memcpy(&rows[at], avx_rows, sizeof(avx_rows));
	return CPUID_ROWS + AVX_ROWS;
}

/* With several vCPUs all of them are cores of one package, said the legacy way too. */
unsigned cpu_cpuid_rows(const struct image *image, struct lzr_manifest_cpuid rows[CPUID_ROWS_MAX])
{
	memcpy(rows, cpuid_template, sizeof(cpuid_template));
	unsigned count = image->avx ? add_avx(rows) : CPUID_ROWS;
	if (image->vcpus == 1)
		return count;
	unsigned width = 0;
	while ((1u << width) < image->vcpus)
		width++;
	for (unsigned i = 0; i < count; i++) {
		if (rows[i].leaf == 1)
			rows[i].fixed[3] |= L1_EDX_HTT;
		if (rows[i].leaf == 0x80000001)
			rows[i].fixed[2] |= E1_ECX_CMP_LEGACY;
		if (rows[i].leaf == 0x80000008)
			rows[i].fixed[2] |= width << 12 | (image->vcpus - 1);
	}
	return count;
}

struct msr_range {
	uint32_t first, last;
	uint32_t rule;
	uint64_t value;
};

static const struct msr_range msr_ranges[] = {
	{ 0x00000010, 0x00000010, LZR_MSR_PASS, 0 },            /* TSC */
	{ 0x0000001b, 0x0000001b, LZR_MSR_EMULATED, 0 },        /* APIC base */
	{ 0x0000008b, 0x0000008b, LZR_MSR_FIXED, 0 },           /* microcode revision */
	{ 0x00000174, 0x00000176, LZR_MSR_PASS, 0 },            /* SYSENTER */
	{ 0x00000277, 0x00000277, LZR_MSR_PASS, 0 },            /* PAT */
	{ 0x000006e0, 0x000006e0, LZR_MSR_EMULATED, 0 },        /* TSC deadline */
	{ 0x00000802, 0x00000803, LZR_MSR_EMULATED, 0 },        /* x2APIC: id, version */
	{ 0x00000808, 0x00000808, LZR_MSR_EMULATED, 0 },        /* task priority */
	{ 0x0000080a, 0x0000080b, LZR_MSR_EMULATED, 0 },        /* processor priority, end of interrupt */
	{ 0x0000080d, 0x0000080d, LZR_MSR_EMULATED, 0 },        /* logical destination */
	{ 0x0000080f, 0x0000080f, LZR_MSR_EMULATED, 0 },        /* spurious vector */
	{ 0x00000810, 0x00000828, LZR_MSR_EMULATED, 0 },        /* in-service, trigger mode, request, error status */
	{ 0x00000830, 0x00000830, LZR_MSR_EMULATED, 0 },        /* interrupt command */
	{ 0x00000832, 0x00000839, LZR_MSR_EMULATED, 0 },        /* local vector table, initial and current count */
	{ 0x0000083e, 0x0000083f, LZR_MSR_EMULATED, 0 },        /* divide configuration, self-IPI */
	{ 0x4b564d00, 0x4b564d01, LZR_MSR_EMULATED, 0 },        /* kvm-clock: wall clock, system time */
	{ 0xc0000080, 0xc0000080, LZR_MSR_EMULATED, 0 },        /* EFER */
	{ 0xc0000081, 0xc0000084, LZR_MSR_PASS, 0 },            /* STAR, LSTAR, CSTAR, SFMASK */
	{ 0xc0000100, 0xc0000103, LZR_MSR_PASS, 0 },            /* FS base, GS base, kernel GS base, TSC_AUX */
	{ 0xc0010015, 0xc0010015, LZR_MSR_FIXED, 1u << 24 },    /* HWCR: the TSC counts at P0 frequency */
	{ 0xc001001f, 0xc001001f, LZR_MSR_FIXED, 0 },           /* northbridge configuration */
	{ 0xc0010058, 0xc0010058, LZR_MSR_FIXED, 0 },           /* memory-mapped configuration space: off */
	{ 0xc0011029, 0xc0011029, LZR_MSR_FIXED, 1u << 1 },     /* decode configuration: LFENCE serialises */
};

unsigned cpu_msr_rows(struct lzr_manifest_msr rows[MSR_ROWS_MAX])
{
	unsigned count = 0;

	for (unsigned i = 0; i < sizeof(msr_ranges) / sizeof(msr_ranges[0]); i++)
		for (uint32_t msr = msr_ranges[i].first; msr <= msr_ranges[i].last && count < MSR_ROWS_MAX; msr++)
			rows[count++] = (struct lzr_manifest_msr){
				.msr = msr,
				.rule = msr_ranges[i].rule,
				.value_hi = (uint32_t)(msr_ranges[i].value >> 32),
				.value_lo = (uint32_t)msr_ranges[i].value,
			};
	return count;
}
