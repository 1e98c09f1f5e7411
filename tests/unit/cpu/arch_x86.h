/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for hv/arch_x86.h in tests of the files that drive the CPU itself: its bits and numbers are the product's,
 * its instructions are the test's (cpu_fake.c, or the test's own file).
 */
#ifndef TEST_CPU_ARCH_X86_H
#define TEST_CPU_ARCH_X86_H

#define arch_cpuid real_cpuid
#define arch_rdmsr real_rdmsr
#define arch_wrmsr real_wrmsr
#define arch_rdtsc real_rdtsc
#define arch_in8 real_in8
#define arch_in32 real_in32
#define arch_out8 real_out8
#define arch_read_cr0 real_read_cr0
#define arch_read_cr4 real_read_cr4
#define arch_read_cr2 real_read_cr2
#define arch_read_cr3 real_read_cr3
#define arch_write_cr0 real_write_cr0
#define arch_write_cr3 real_write_cr3
#define arch_write_cr4 real_write_cr4
#define arch_read_debug real_read_debug
#define arch_write_debug real_write_debug
#define arch_read_dr6 real_read_dr6
#define arch_read_dr7 real_read_dr7
#define arch_write_dr6 real_write_dr6
#define arch_write_dr7 real_write_dr7
#define arch_xgetbv real_xgetbv
#define arch_xsetbv real_xsetbv
#define arch_xsave real_xsave
#define arch_xrstor real_xrstor
#define arch_x87_forget real_x87_forget
#define arch_vmsave real_vmsave
#define arch_invlpg real_invlpg
#define arch_fence real_fence
#define arch_fence_wrmsr real_fence_wrmsr
#define arch_load_idt real_load_idt
#define arch_pause real_pause
#include "../../../hv/arch_x86.h"
#undef arch_cpuid
#undef arch_rdmsr
#undef arch_wrmsr
#undef arch_rdtsc
#undef arch_in8
#undef arch_in32
#undef arch_out8
#undef arch_read_cr0
#undef arch_read_cr4
#undef arch_read_cr2
#undef arch_read_cr3
#undef arch_write_cr0
#undef arch_write_cr3
#undef arch_write_cr4
#undef arch_read_debug
#undef arch_write_debug
#undef arch_read_dr6
#undef arch_read_dr7
#undef arch_write_dr6
#undef arch_write_dr7
#undef arch_xgetbv
#undef arch_xsetbv
#undef arch_xsave
#undef arch_xrstor
#undef arch_x87_forget
#undef arch_vmsave
#undef arch_invlpg
#undef arch_fence
#undef arch_fence_wrmsr
#undef arch_load_idt
#undef arch_pause

struct cpuid_regs arch_cpuid(uint32_t leaf, uint32_t subleaf);
uint64_t arch_rdmsr(uint32_t msr);
void arch_wrmsr(uint32_t msr, uint64_t value);
uint64_t arch_rdtsc(void);
uint8_t arch_in8(uint16_t port);
uint32_t arch_in32(uint16_t port);
void arch_out8(uint16_t port, uint8_t value);
uint64_t arch_read_cr0(void);
uint64_t arch_read_cr2(void);
uint64_t arch_read_cr3(void);
uint64_t arch_read_cr4(void);
void arch_write_cr0(uint64_t value);
void arch_write_cr3(uint64_t value);
void arch_write_cr4(uint64_t value);
void arch_read_debug(uint64_t dr[4]);
void arch_write_debug(const uint64_t dr[4]);
uint64_t arch_read_dr6(void);
uint64_t arch_read_dr7(void);
void arch_write_dr6(uint64_t value);
void arch_write_dr7(uint64_t value);
uint64_t arch_xgetbv(void);
void arch_xsetbv(uint64_t value);
void arch_xsave(void *area);
void arch_xrstor(const void *area);
void arch_x87_forget(void);
void arch_vmsave(uint64_t physical);
void arch_invlpg(uint64_t address);
void arch_fence(void);
void arch_fence_wrmsr(void);
void arch_load_idt(const void *pointer);
void arch_pause(void);

#endif
