/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Privileged instructions, one function each, nothing else.  Included as <arch_x86.h>, so that a unit test can put a
 * file of this name with fakes first in its include path.
 */
#ifndef HV_ARCH_X86_H
#define HV_ARCH_X86_H

#include <stdint.h>

#define MSR_APIC_BASE 0x1bu
#define MSR_EFER 0xc0000080u
#define EFER_SCE (1u << 0)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define EFER_NXE (1u << 11)
#define EFER_SVME (1u << 12)
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u

#define CR0_MP (1ul << 1)
#define CR0_EM (1ul << 2)
#define CR0_TS (1ul << 3)
#define CR0_WP (1ul << 16)
#define CR4_PAE (1ul << 5)
#define CR4_MCE (1ul << 6)
#define CR4_OSFXSR (1ul << 9)
#define CR4_OSXMMEXCPT (1ul << 10)
#define CR4_OSXSAVE (1ul << 18)

#define DR6_NONE 0xffff0ff0ul
#define DR6_BD (1ul << 13)
#define DR6_BS (1ul << 14)
#define DR7_ENABLED 0xfful              /* any breakpoint, locally or globally */
#define DR7_GD (1ul << 13)
#define DR7_ZERO 0xd800ul               /* reads zero whatever is written */

struct cpuid_regs { uint32_t eax, ebx, ecx, edx; };

static inline struct cpuid_regs arch_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t arch_rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
	return (uint64_t)high << 32 | low;
}

static inline void arch_wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t arch_rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline uint8_t arch_in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint16_t arch_in16(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t arch_in32(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void arch_out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void arch_out16(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void arch_out32(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

#define ARCH_REGISTER(name) \
	static inline uint64_t arch_read_##name(void) \
	{ \
		uint64_t value; \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory"); \
		return value; \
	} \
	static inline void arch_write_##name(uint64_t value) \
	{ \
		__asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory"); \
	}
ARCH_REGISTER(cr0)
ARCH_REGISTER(cr2)
ARCH_REGISTER(cr3)
ARCH_REGISTER(cr4)
ARCH_REGISTER(dr6)
ARCH_REGISTER(dr7)
#undef ARCH_REGISTER

/* DR0 to DR3. */
static inline void arch_read_debug(uint64_t dr[4])
{
	__asm__ volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3"
			 : "=r"(dr[0]), "=r"(dr[1]), "=r"(dr[2]), "=r"(dr[3]));
}

static inline void arch_write_debug(const uint64_t dr[4])
{
	__asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3"
			 : : "r"(dr[0]), "r"(dr[1]), "r"(dr[2]), "r"(dr[3]));
}

static inline uint64_t arch_xgetbv(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static inline void arch_xsetbv(uint64_t value)
{
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* Every component that XCR0 holds. */
static inline void arch_xsave(void *area)
{
	__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(UINT32_MAX), "d"(UINT32_MAX) : "memory");
}

static inline void arch_xrstor(const void *area)
{
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(UINT32_MAX), "d"(UINT32_MAX) : "memory");
}

/* No exception pending, and the last x87 instruction's addresses are those of this one. */
static inline void arch_x87_forget(void)
{
	static const uint32_t zero;

	__asm__ volatile("fnclex; emms; fildl %0" : : "m"(zero));
}

/* FS, GS, TR, LDTR, STAR, SYSENTER state to the block at `physical`. */
static inline void arch_vmsave(uint64_t physical)
{
	__asm__ volatile("vmsave %%rax" : : "a"(physical) : "memory");
}

static inline void arch_load_idt(const void *pointer)
{
	__asm__ volatile("lidt (%0)" : : "r"(pointer) : "memory");
}

static inline void arch_invlpg(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void arch_clflush(const volatile void *address)
{
	__asm__ volatile("clflush %0" : : "m"(*(const volatile char *)address) : "memory");
}

static inline void arch_pause(void) { __asm__ volatile("pause"); }
static inline void arch_fence(void) { __asm__ volatile("mfence" : : : "memory"); }
/* Before a WRMSR that is seen elsewhere and does not serialize: x2APIC's ICR. */
static inline void arch_fence_wrmsr(void) { __asm__ volatile("mfence; lfence" : : : "memory"); }
static inline void arch_halt_forever(void) { for (;;) __asm__ volatile("cli; hlt"); }

#endif
