/* SPDX-License-Identifier: Apache-2.0 */
/* A CPU whose privileged instructions leave a trace, in the order in which they were executed. */
#ifndef CPU_FAKE_H
#define CPU_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arch_x86.h>

#define CPU_LEAVES 16u
#define CPU_MSRS 16u

struct cpu_fake {
	struct { uint32_t leaf, subleaf; struct cpuid_regs regs; } leaves[CPU_LEAVES];  /* others: zero */
	struct { uint32_t number; uint64_t value; } msrs[CPU_MSRS];                     /* others: 0 when read first */
	uint64_t cr0, cr3, cr4, xcr0, dr[4], dr6, dr7;
	void (*on_cr3)(void);                   /* called when CR3 is written */
	void (*on_pause)(void);
	uint64_t saved_xcr0, restored_xcr0;     /* XCR0 at the last XSAVE and XRSTOR */
	char trace[4096];                       /* "wrmsr c0000080=1000 xsetbv 7 ...", INVLPG apart */
	unsigned flushed;                       /* INVLPGs */
};

extern struct cpu_fake cpu_fake;

/* A cmocka setup function: nothing known, nothing traced. */
int cpu_fake_reset(void **state);
void cpu_fake_leaf(uint32_t leaf, uint32_t subleaf, struct cpuid_regs regs);
uint64_t *cpu_fake_msr(uint32_t number);
/* What was traced since the last call is exactly this. */
void cpu_fake_traced(const char *expected);

#endif
