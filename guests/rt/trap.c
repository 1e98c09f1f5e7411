/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupt descriptors and the local APIC (AMD64 APM Vol. 2, "Long-Mode Interrupt Control Transfers",
 * "x2APIC_MSRs").
 */
#include <lazaret/manifest.h>

#include "io.h"
#include "rt.h"

#define MSR_X2APIC_ID 0x802u
#define MSR_X2APIC_TPR 0x808u
#define MSR_X2APIC_SPURIOUS 0x80fu
#define MSR_X2APIC_LVT_TIMER 0x832u
#define MSR_TSC_DEADLINE 0x6e0u
#define APIC_ENABLE 0x100u
#define TIMER_TSC_DEADLINE (2u << 17)
#define LEAF_TIMING 0x40000010u
#define VECTOR_SPURIOUS 0xffu
#define CODE_SELECTOR 0x08u
#define GATE_INTERRUPT 0x8eu

struct gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t stack;
	uint8_t type;
	uint16_t offset_middle;
	uint32_t offset_high;
	uint32_t reserved;
};
_Static_assert(sizeof(struct gate) == 16, "interrupt gate layout");

struct trap_frame {
	uint64_t words[6];              /* error code or RIP first */
};

extern const char trap_exceptions[], trap_interrupt[], trap_spurious[];
void trap_fatal(uint64_t vector, const struct trap_frame *frame, uint64_t cr2) __attribute__((noreturn));

static struct gate gates[256];

static void set_gate(unsigned vector, uintptr_t target)
{
	gates[vector] = (struct gate){
		.offset_low = (uint16_t)target,
		.selector = CODE_SELECTOR,
		.type = GATE_INTERRUPT,
		.offset_middle = (uint16_t)(target >> 16),
		.offset_high = (uint32_t)(target >> 32),
	};
}

void trap_init(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} pointer = { sizeof(gates) - 1, io_address(gates) };
	unsigned vector;

	for (vector = 0; vector < 256; vector++) {
		if (vector < 32)
			set_gate(vector, (uintptr_t)trap_exceptions + vector * 16);
		else
			set_gate(vector, (uintptr_t)(vector == VECTOR_SPURIOUS ? trap_spurious : trap_interrupt));
	}
	__asm__ volatile("lidt %0" : : "m"(pointer), "m"(gates));
	msr_write(MSR_X2APIC_TPR, 0);
	msr_write(MSR_X2APIC_SPURIOUS, APIC_ENABLE | VECTOR_SPURIOUS);
}

uint64_t trap_msi_address(void)
{
	return 0xfee00000u | (msr_read(MSR_X2APIC_ID) & 0xff) << 12;
}

uint32_t trap_msi_data(void)
{
	return RT_VECTOR;
}

void rt_sleep(uint64_t ns)
{
	static uint64_t khz;
	uint32_t a = LEAF_TIMING, b, c = 0, d;

	if (khz == 0) {
		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		khz = a;
		msr_write(MSR_X2APIC_LVT_TIMER, TIMER_TSC_DEADLINE | RT_VECTOR);
	}
	__asm__ volatile("rdtsc" : "=a"(a), "=d"(d));
	msr_write(MSR_TSC_DEADLINE, ((uint64_t)d << 32 | a) + ns / 1000 * khz / 1000);
	cpu_idle();
}

void trap_fatal(uint64_t vector, const struct trap_frame *frame, uint64_t cr2)
{
	/* Vectors that push an error code: 8, 10-14, 17, 21, 29, 30. */
	unsigned first = (0x60227d00u >> vector) & 1;

	rt_panic("exception %lu at %lx, error %lx, cr2 %lx", vector, frame->words[first], first ? frame->words[0] : 0,
		 cr2);
}
