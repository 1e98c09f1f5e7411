/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the CPUs in the MADT and starts them, one after the other.  They wait in seal.c until the machine is sealed.
 *
 * A CPU's number is its place in the MADT, counted once however often the table names it.  One that cannot be used is
 * left out with a line and keeps its number: the others' are as the policy's author counted them, and a policy that
 * places a VM on it is refused.
 */
#include <arch_x86.h>
#include <string.h>

#include "acpi.h"
#include "paging.h"
#include "plat.h"

#define START_TIMEOUT_NS 5000000000ull
#define APIC_ID_MAX 254u                /* what interrupt entries and messages without extended mode can name */
#define ROUNDS_LEAST 64u
#define ROUNDS_MOST 20000u
#define WINDOW_NS 10000u                /* TSCs count as equal when no exchange says otherwise and one was this quick */

/* Questions to the CPU that is being started: answered with its TSC, until the last one. */
#define LAST_QUESTION UINT64_MAX
static struct { volatile uint64_t question, answered, tsc; } exchange;

extern char ap_start[], ap_far[], ap_gdt_pointer[], ap_cr3[], ap_stack[], ap_entry[], ap_argument[], ap_end[];

static void wait_us(uint64_t us)
{
	for (uint64_t end = time_ns() + us * 1000; time_ns() < end;)
		arch_pause();
}

static void add_cpu(uint32_t apic, void *context)
{
	unsigned *count = context;

	for (unsigned i = 0; i < *count; i++)
		if (apic == cpus[i].apic_id)
			return; /* the boot CPU, or one that has an entry of both types */
	if (*count == LZR_CPU_MAX) {
		say("CPU with APIC id %u is one more than %u: not used", apic, LZR_CPU_MAX);
		return;
	}
	cpus[*count].number = *count;
	cpus[(*count)++].apic_id = apic;
}

/* Not before what stands before it, not after what stands behind it. */
static uint64_t tsc_now(void)
{
	uint64_t tsc;

	arch_fence_wrmsr();
	tsc = arch_rdtsc();
	arch_fence_wrmsr();
	return tsc;
}

/* First C code of an application processor, on its own stack. */
static void ap_main(struct cpu *cpu)
{
	cpu_load(cpu);
	apic_enable();
	cpu->online = 1;
	for (uint64_t asked; (asked = exchange.question) != LAST_QUESTION; arch_pause()) {
		if (asked == exchange.answered)
			continue;
		exchange.tsc = tsc_now();
		__atomic_store_n(&exchange.answered, asked, __ATOMIC_RELEASE);
	}
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

static bool start(struct cpu *cpu, uint64_t page)
{
	uint8_t *at = hpa_ptr(hpa(page));

	memcpy(at, ap_start, (size_t)(ap_end - ap_start));
	put32_add(at, ap_gdt_pointer + 2, (uint32_t)page);
	put32_add(at, ap_far, (uint32_t)page);
	put64(at, ap_cr3, host_cr3());
	put64(at, ap_stack, cpu->stack_top);
	put64(at, ap_entry, (uint64_t)ap_main);
	put64(at, ap_argument, (uint64_t)cpu);
	exchange.question = exchange.answered = 0;
	apic_init_startup(cpu->apic_id, page, wait_us);
	for (uint64_t end = time_ns() + START_TIMEOUT_NS; !cpu->online && time_ns() <= end;)
		arch_pause();
	return cpu->online;
}

/* One question: the answer lies between `before` and `after` by our own TSC.  False: none came. */
static bool ask(uint64_t number, uint64_t *before, uint64_t *after)
{
	uint64_t end = time_ns() + START_TIMEOUT_NS;

	*before = tsc_now();
	exchange.question = number;
	while (__atomic_load_n(&exchange.answered, __ATOMIC_ACQUIRE) != number) {
		arch_pause();
		if (time_ns() > end)
			return false;
	}
	*after = tsc_now();
	return true;
}

/*
 * Each exchange bounds how far the CPU's TSC is ahead of ours, from both sides; together they must leave zero, and not
 * much else.  However slow an exchange was, its bounds are true.  NULL, or what is wrong.
 */
static const char *compare_tsc(const struct cpu *cpu)
{
	int64_t least = INT64_MIN, most = INT64_MAX;
	uint64_t window = time_to_tsc(WINDOW_NS) - time_to_tsc(0), before, after;

	for (uint64_t i = 1; i <= ROUNDS_MOST; i++) {
		if (!ask(i, &before, &after))
			return "it stopped while its TSC was compared";
		if ((int64_t)(exchange.tsc - after) > least)
			least = (int64_t)(exchange.tsc - after);
		if ((int64_t)(exchange.tsc - before) < most)
			most = (int64_t)(exchange.tsc - before);
		if (least > 0 || most < 0) {
			say("CPU %u: its TSC is %lu ticks %s CPU 0's, or more", cpu->number,
			    (uint64_t)(least > 0 ? least : -most), least > 0 ? "ahead of" : "behind");
			return "its TSC is not CPU 0's";
		}
		if (i >= ROUNDS_LEAST && (uint64_t)(most - least) <= window)
			return NULL;
	}
	say("CPU %u: its TSC is CPU 0's within %lu ticks, expected %lu", cpu->number, (uint64_t)(most - least), window);
	return "its TSC cannot be compared closely enough";
}

static const char *bring_up(struct cpu *cpu, uint64_t page)
{
	const char *wrong;

	if (cpu->apic_id > APIC_ID_MAX)
		return "APIC ids above 254 are not supported";
	if (!start(cpu, page))
		wrong = "it did not start";
	else
		wrong = compare_tsc(cpu);
	if (!wrong)
		exchange.question = LAST_QUESTION;
	else
		apic_init_stop(cpu->apic_id);   /* if it comes late, it finds nothing of ours to run on */
	return wrong;
}

void smp_start(uint64_t page)
{
	unsigned count = 1, used = 1;

	if (cpus[0].apic_id > APIC_ID_MAX)
		refuse("the boot CPU has APIC id %u: more than %u is not supported", cpus[0].apic_id, APIC_ID_MAX);
	if (!acpi_for_each_cpu(add_cpu, &count))
		say("no MADT: only the boot CPU is used");
	paging_map_start_page(page);
	for (unsigned i = 1; i < count; i++) {
		const char *wrong = bring_up(&cpus[i], page);

		cpus[i].online = !wrong;
		used += !wrong;
		if (wrong)
			say("CPU %u (APIC id %u) is left out: %s", i, cpus[i].apic_id, wrong);
	}
	cpu_count_set(count);
	say("%u CPUs", used);
}
