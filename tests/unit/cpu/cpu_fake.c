/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cpu_fake.h"

struct cpu_fake cpu_fake;

int cpu_fake_reset(void **state)
{
	(void)state;
	memset(&cpu_fake, 0, sizeof(cpu_fake));
	return 0;
}

static void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void trace(const char *format, ...)
{
	size_t used = strlen(cpu_fake.trace);
	va_list args;

	if (used)
		cpu_fake.trace[used++] = ' ';
	va_start(args, format);
	vsnprintf(cpu_fake.trace + used, sizeof(cpu_fake.trace) - used, format, args);
	va_end(args);
	assert_true(strlen(cpu_fake.trace) < sizeof(cpu_fake.trace) - 1);
}

void cpu_fake_traced(const char *expected)
{
	assert_string_equal(cpu_fake.trace, expected);
	cpu_fake.trace[0] = 0;
}

void cpu_fake_leaf(uint32_t leaf, uint32_t subleaf, struct cpuid_regs regs)
{
	unsigned i = 0;

	while (i < CPU_LEAVES && cpu_fake.leaves[i].leaf | cpu_fake.leaves[i].subleaf &&
	       (cpu_fake.leaves[i].leaf != leaf || cpu_fake.leaves[i].subleaf != subleaf))
		i++;
	assert_true(i < CPU_LEAVES && leaf);
	cpu_fake.leaves[i].leaf = leaf;
	cpu_fake.leaves[i].subleaf = subleaf;
	cpu_fake.leaves[i].regs = regs;
}

struct cpuid_regs arch_cpuid(uint32_t leaf, uint32_t subleaf)
{
	for (unsigned i = 0; i < CPU_LEAVES; i++)
		if (cpu_fake.leaves[i].leaf == leaf && cpu_fake.leaves[i].subleaf == subleaf)
			return cpu_fake.leaves[i].regs;
	return (struct cpuid_regs){ 0 };
}

uint64_t *cpu_fake_msr(uint32_t number)
{
	unsigned i = 0;

	while (i < CPU_MSRS && cpu_fake.msrs[i].number && cpu_fake.msrs[i].number != number)
		i++;
	assert_true(i < CPU_MSRS && number);
	cpu_fake.msrs[i].number = number;
	return &cpu_fake.msrs[i].value;
}

uint64_t arch_rdmsr(uint32_t msr) { return *cpu_fake_msr(msr); }

void arch_wrmsr(uint32_t msr, uint64_t value)
{
	*cpu_fake_msr(msr) = value;
	trace("wrmsr %x=%lx", msr, value);
}

#define REGISTER(name, at) \
	uint64_t arch_read_##name(void) { return cpu_fake.at; } \
	void arch_write_##name(uint64_t value) { cpu_fake.at = value; trace(#name "=%lx", value); }
REGISTER(cr0, cr0)
REGISTER(cr4, cr4)
REGISTER(dr6, dr6)
REGISTER(dr7, dr7)
#undef REGISTER

uint64_t arch_read_cr3(void) { return cpu_fake.cr3; }

void arch_write_cr3(uint64_t value)
{
	cpu_fake.cr3 = value;
	trace("cr3=%lx", value);
	if (cpu_fake.on_cr3)
		cpu_fake.on_cr3();
}

void arch_read_debug(uint64_t dr[4]) { memcpy(dr, cpu_fake.dr, sizeof(cpu_fake.dr)); }

void arch_write_debug(const uint64_t dr[4])
{
	for (unsigned i = 0; i < 4; i++) {
		cpu_fake.dr[i] = dr[i];
		trace("dr%u=%lx", i, dr[i]);
	}
}

uint64_t arch_xgetbv(void) { return cpu_fake.xcr0; }

void arch_xsetbv(uint64_t value)
{
	cpu_fake.xcr0 = value;
	trace("xsetbv %lx", value);
}

void arch_xsave(void *area)
{
	(void)area;
	cpu_fake.saved_xcr0 = cpu_fake.xcr0;
	trace("xsave");
}

void arch_xrstor(const void *area)
{
	(void)area;
	cpu_fake.restored_xcr0 = cpu_fake.xcr0;
	trace("xrstor");
}

void arch_x87_forget(void) { trace("x87_forget"); }
void arch_vmsave(uint64_t physical) { trace("vmsave %lx", physical); }
void arch_invlpg(uint64_t address) { (void)address; cpu_fake.flushed++; }
void arch_fence(void) { trace("fence"); }
void arch_fence_wrmsr(void) { trace("mfence lfence"); }
void arch_out8(uint16_t port, uint8_t value) { trace("out %x=%x", port, value); }
uint64_t arch_read_cr2(void) { return 0; }

void arch_pause(void)
{
	if (cpu_fake.on_pause)
		cpu_fake.on_pause();
}
