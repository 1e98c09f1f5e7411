/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the CPUs in the MADT and starts them, one after the other.  They wait in seal.c until the machine is sealed. */
#include <arch_x86.h>
#include <string.h>

#include "acpi.h"
#include "paging.h"
#include "plat.h"

#define START_TIMEOUT_NS 5000000000ull

extern char ap_start[], ap_far[], ap_gdt_pointer[], ap_cr3[], ap_stack[], ap_entry[], ap_argument[], ap_end[];

static void wait_us(uint64_t us)
{
	for (uint64_t end = time_ns() + us * 1000; time_ns() < end;)
		arch_pause();
}

static void add_cpu(uint32_t apic, void *context)
{
	unsigned *count = context;

	if (apic == cpus[0].apic_id)
		return;
	if (*count == LZR_CPU_MAX) {
		say("CPU with APIC id %u is one more than %u: not used", apic, LZR_CPU_MAX);
		return;
	}
	cpus[*count].number = *count;
	cpus[(*count)++].apic_id = apic;
}

/* First C code of an application processor, on its own stack. */
static void ap_main(struct cpu *cpu)
{
	cpu_load(cpu);
	apic_enable();
	cpu_wait_for_seal(cpu);
}

static void put64(uint8_t *page, const char *where, uint64_t value)
{
	memcpy(page + (where - ap_start), &value, sizeof(value));
}

static void put32_add(uint8_t *page, const char *where, uint32_t value)
{
	uint32_t old;

	memcpy(&old, page + (where - ap_start), sizeof(old));
	old += value;
	memcpy(page + (where - ap_start), &old, sizeof(old));
}

static void start(struct cpu *cpu, uint64_t page)
{
	uint8_t *at = hpa_ptr(hpa(page));

	memcpy(at, ap_start, (size_t)(ap_end - ap_start));
	put32_add(at, ap_gdt_pointer + 2, (uint32_t)page);
	put32_add(at, ap_far, (uint32_t)page);
	put64(at, ap_cr3, host_cr3());
	put64(at, ap_stack, cpu->stack_top);
	put64(at, ap_entry, (uint64_t)ap_main);
	put64(at, ap_argument, (uint64_t)cpu);
	apic_init_startup(cpu->apic_id, page, wait_us);
	for (uint64_t end = time_ns() + START_TIMEOUT_NS; !cpu->online;) {
		arch_pause();
		if (time_ns() > end)
			panic("CPU %u (APIC id %u) did not start", cpu->number, cpu->apic_id);
	}
}

void smp_start(uint64_t page)
{
	unsigned count = 1;

	if (!acpi_for_each_cpu(add_cpu, &count))
		say("no MADT: only the boot CPU is used");
	paging_map_start_page(page);
	for (unsigned i = 1; i < count; i++) {
		if (cpus[i].apic_id > 254)
			panic("CPU %u has APIC id %u: more than 254 is not supported", i, cpus[i].apic_id);
		start(&cpus[i], page);
	}
	cpu_count_set(count);
	say("%u CPUs", count);
}
