/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each physical CPU has of its own.  GS base points at the CPU's struct in root mode: a backend restores it right
 * after a VM exit, before any C code.  FS base is not used by code that stays after the seal.
 */
#ifndef HV_PERCPU_H
#define HV_PERCPU_H

#include <lazaret/policy.h>

#include "layout.h"
#include "types.h"

/* AMD64 Architecture Programmer's Manual, volume 2, "64-Bit Task State Segment". */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map;
} __attribute__((packed));
_Static_assert(sizeof(struct tss) == 104, "TSS layout");
_Static_assert(offsetof(struct tss, ist) == 36, "TSS layout");

#define IST_NMI 1
#define IST_MC 2
#define IST_DF 3
#define IST_SIZE 4096

struct cpu {
	struct cpu *self;               /* first: this_cpu() reads it through GS */
	uint32_t number;
	uint32_t apic_id;
	uint64_t stack_top;
	volatile uint32_t online;
	uint32_t reserved;
	uint64_t gdt[6];
	struct tss tss;
	uint8_t ist[3][IST_SIZE] __attribute__((aligned(16)));
};

extern struct cpu cpus[LZR_CPU_MAX];

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* GDT, TSS, IDT, GS base, control registers of the CPU that calls it. */
void cpu_load(struct cpu *cpu);

/* Takes pending host interrupts: enabled for one instruction.  After a VM exit, with the global interrupt flag set. */
void host_interrupt_window(void);
/* Says what debug exceptions root mode took since the last call, if any. */
void trap_tell_strays(void);
/*
 * Sleeps until an interrupt, at most until time_ns() reaches `deadline` (UINT64_MAX: none).  The caller checked, with
 * interrupts off, that there is nothing to do: an interrupt since then ends the sleep at once.
 */
void cpu_idle(uint64_t deadline);
/* The CR3 of root mode on every CPU. */
uint64_t host_cr3(void);

#endif
