/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time.  The TSC, measured against the ACPI power-management timer (else the 8254) while the machine boots, gives the
 * clock; the local APIC's one-shot timer, measured in the same window, gives deadlines in the same terms.
 */
#include <arch_x86.h>

#include "plat.h"

#define PM_TIMER_HZ 3579545ull
#define PIT_HZ 1193182ull
#define PIT_COMMAND 0x43
#define PIT_COUNTER2 0x42
#define PIT_GATE 0x61
#define FADT_PM_TIMER 76                /* PM_TMR_BLK: I/O port */
#define WINDOW_MS 50u
#define CPUID_EXTENDED 0x80000000u
#define CPUID_POWER 0x80000007u         /* AMD64 Architecture Programmer's Manual, volume 3 */
#define CPUID_INVARIANT_TSC (1u << 8)
#define CPUID1_ECX_EMULATED (1u << 31)

#define NS_PER_S 1000000000ull

static HV_SEALED uint64_t tsc_start;
static HV_SEALED uint64_t tsc_khz;
static HV_SEALED uint64_t ns_per_tsc;   /* 32.32 */
static HV_SEALED uint64_t tsc_per_ns;   /* 32.32 */
static HV_SEALED uint64_t apic_per_ns;  /* 32.32 */
static HV_BOOT_DATA uint16_t pm_port = 0;

static uint64_t scale(uint64_t value, uint64_t factor)
{
	return (uint64_t)((unsigned __int128)value * factor >> 32);
}

/* A counter that only falls, modulo 2^16 (8254) or rises, modulo 2^24 (PM timer); as a rising one. */
static HV_BOOT uint32_t reference(void)
{
	if (pm_port)
		return arch_in32(pm_port) & 0xffffff;
	arch_out8(PIT_COMMAND, 0x80);                           /* latch counter 2 */
	uint8_t low = arch_in8(PIT_COUNTER2);

	return 0xffffu - (low | (uint32_t)arch_in8(PIT_COUNTER2) << 8);
}

struct sample { uint64_t tsc; uint32_t reference, apic; };

/* The tightest of several: being interrupted between the reads (by an emulator's host, say) is what spoils one. */
static HV_BOOT struct sample sample_best(void)
{
	struct sample best = { 0 };
	uint64_t narrowest = UINT64_MAX;

	for (unsigned i = 0; i < 16; i++) {
		uint64_t before = arch_rdtsc();
		struct sample s = { .reference = reference(), .apic = apic_timer_count() };
		uint64_t after = arch_rdtsc();

		s.tsc = before + (after - before) / 2;
		if (after - before < narrowest) {
			narrowest = after - before;
			best = s;
		}
	}
	return best;
}

/*
 * Budgets, leases and the audit log rest on a TSC that runs at one rate, whatever the CPU saves power with.  An
 * emulated CPU cannot promise it and need not: its clock is that of who emulates it, and so is everything else.
 */
static HV_BOOT void check_invariant(void)
{
	if (arch_cpuid(CPUID_EXTENDED, 0).eax >= CPUID_POWER && arch_cpuid(CPUID_POWER, 0).edx & CPUID_INVARIANT_TSC)
		return;
	if (!(arch_cpuid(1, 0).ecx & CPUID1_ECX_EMULATED))
		refuse("clock: expected an invariant TSC (CPUID 80000007h, EDX bit 8), found none");
	say("clock: no invariant TSC, but CPUID tells of an emulator: a lab, whose clock is as good as the emulator's");
}

HV_BOOT void timer_init(void)
{
	uint32_t length;

	check_invariant();
	const uint8_t *fadt = acpi_table("FACP", &length);

	if (fadt && length >= FADT_PM_TIMER + 4)
		pm_port = (uint16_t)(fadt[FADT_PM_TIMER] | fadt[FADT_PM_TIMER + 1] << 8);
	uint32_t modulo = pm_port ? 0xffffff : 0xffff;
	uint64_t hz = pm_port ? PM_TIMER_HZ : PIT_HZ;

	if (!pm_port) {
		arch_out8(PIT_GATE, (arch_in8(PIT_GATE) & ~2u) | 1);
		arch_out8(PIT_COMMAND, 0xb4);                   /* counter 2, low and high byte, rate generator */
		arch_out8(PIT_COUNTER2, 0xff);
		arch_out8(PIT_COUNTER2, 0xff);
	}
	apic_timer_start(UINT32_MAX);
	struct sample first = sample_best();
	uint32_t start = reference();

	while (((reference() - start) & modulo) < hz * WINDOW_MS / 1000)
		if (arch_rdtsc() - first.tsc > 1ull << 36)
			refuse("timer: the reference clock stands still");
	struct sample last = sample_best();

	apic_timer_start(0);
	uint64_t ticks = (last.reference - first.reference) & modulo;

	CHECK(ticks);
	tsc_khz = (last.tsc - first.tsc) * hz / ticks / 1000;
	uint64_t apic_khz = (uint64_t)(first.apic - last.apic) * hz / ticks / 1000;

	if (tsc_khz < 100000 || tsc_khz > 20000000 || !apic_khz)
		refuse("timer: %lu kHz TSC, %lu kHz APIC timer: not believable", tsc_khz, apic_khz);
	ns_per_tsc = (1000000ull << 32) / tsc_khz;
	tsc_per_ns = (tsc_khz << 32) / 1000000;
	apic_per_ns = (apic_khz << 32) / 1000000;
	tsc_start = first.tsc;
	say("clock: TSC %lu kHz, APIC timer %lu kHz, by the %s", tsc_khz, apic_khz, pm_port ? "PM timer" : "8254");
}

uint64_t time_ns(void)
{
	return scale(arch_rdtsc() - tsc_start, ns_per_tsc);
}

uint64_t time_to_tsc(uint64_t ns)
{
	return tsc_start + scale(ns, tsc_per_ns);
}

uint32_t time_tsc_khz(void)
{
	return (uint32_t)tsc_khz;
}

/* A second at most, which the counter holds at its usual rates: who waits for longer is woken and arms again. */
void time_arm(uint64_t deadline_ns)
{
	uint64_t now = time_ns();
	uint64_t ns = deadline_ns > now ? deadline_ns - now : 0;
	uint64_t count = scale(ns < NS_PER_S ? ns : NS_PER_S, apic_per_ns);

	if (count > UINT32_MAX)
		count = UINT32_MAX;
	apic_timer_start(count ? (uint32_t)count : 1);
}

void time_disarm(void)
{
	apic_timer_start(0);
}
