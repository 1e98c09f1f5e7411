/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clock over a simulated machine: TSC, local APIC timer and a reference (PM timer or 8254) that run at known rates,
 * and time that passes with each look at any of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arch_x86.h>

#include "plat.h"

#define PS_PER_S 1000000000000ull
#define MS 1000000ull
#define SECOND 1000000000ull
#define DAY (86400ull * SECOND)
#define PM_PORT 0x608u

static struct {
	uint64_t ps;                            /* true time, picoseconds */
	uint64_t tsc_khz, apic_khz, tsc_offset;
	uint64_t look_ps;                       /* how long each access takes */
	uint64_t pm_offset;
	bool has_pm, pm_stands_still, pit_runs;
	uint64_t pit_loaded, apic_started;      /* true time */
	uint32_t apic_count;
	uint16_t pit_latch;
	unsigned pit_read;
	uint8_t gate;
} sim;
static uint8_t firmware_table[244];
static uint32_t table_length;
static bool panic_expected;
static jmp_buf panicked;

static uint64_t ticks(uint64_t ps, uint64_t hz)
{
	return (uint64_t)((unsigned __int128)ps * hz / PS_PER_S);
}

static void pass(void)
{
	sim.ps += sim.look_ps + (uint64_t)random() % (sim.look_ps / 8 + 1);
}

/* --- the machine -------------------------------------------------------------------------------------------------- */

uint64_t arch_rdtsc(void)
{
	pass();
	return sim.tsc_offset + ticks(sim.ps, sim.tsc_khz * 1000);
}

uint32_t arch_in32(uint16_t port)
{
	assert_int_equal(port, PM_PORT);
	assert_true(sim.has_pm);
	pass();
	return 0x5a000000u | ((sim.pm_offset + (sim.pm_stands_still ? 0 : ticks(sim.ps, 3579545))) & 0xffffff);
}

void arch_out8(uint16_t port, uint8_t value)
{
	static uint8_t low;

	assert_false(sim.has_pm);
	pass();
	switch (port) {
	case 0x61:
		sim.gate = value;
		return;
	case 0x43:
		if (value == 0x80) {
			assert_true(sim.pit_runs);      /* a rate generator: 65535 down to 1 */
			sim.pit_latch = (uint16_t)(0xffff - ticks(sim.ps - sim.pit_loaded, 1193182) % 0xffff);
			sim.pit_read = 0;
			return;
		}
		assert_int_equal(value, 0xb4);
		sim.pit_read = 0;
		return;
	case 0x42:
		if (sim.pit_read++ == 0) {
			low = value;
			return;
		}
		assert_int_equal(value << 8 | low, 0xffff);
		sim.pit_loaded = sim.ps;
		sim.pit_runs = true;
		return;
	}
	fail_msg("port %x", port);
}

uint8_t arch_in8(uint16_t port)
{
	assert_false(sim.has_pm);
	pass();
	if (port == 0x61)
		return 0xfe;
	assert_int_equal(port, 0x42);
	assert_int_equal(sim.gate, 0xfd);       /* counting, speaker off, the rest as it was */
	return (uint8_t)(sim.pit_read++ == 0 ? sim.pit_latch : sim.pit_latch >> 8);
}

void apic_timer_start(uint32_t count)
{
	sim.apic_count = count;
	sim.apic_started = sim.ps;
}

uint32_t apic_timer_count(void)
{
	uint64_t gone = ticks(sim.ps - sim.apic_started, sim.apic_khz * 1000);

	pass();
	return gone < sim.apic_count ? sim.apic_count - (uint32_t)gone : 0;
}

const void *acpi_table(const char signature[4], uint32_t *length)
{
	assert_memory_equal(signature, "FACP", 4);
	*length = table_length;
	return table_length ? firmware_table : NULL;
}

void say(const char *format, ...) { (void)format; }

void panic(const char *format, ...)
{
	if (panic_expected)
		longjmp(panicked, 1);
	fprintf(stderr, "panic: %s\n", format);
	abort();
}

void refuse(const char *format, ...)
{
	panic("%s", format);
}

static bool is_invariant = true, is_emulated;
static uint32_t extended_most = 0x8000001e;

struct cpuid_regs arch_cpuid(uint32_t leaf, uint32_t subleaf)
{
	(void)subleaf;
	switch (leaf) {
	case 1:
		return (struct cpuid_regs){ .ecx = is_emulated ? 1u << 31 : 0x7fffffff };
	case 0x80000000:
		return (struct cpuid_regs){ .eax = extended_most };
	case 0x80000007:
		return (struct cpuid_regs){ .edx = is_invariant ? 1u << 8 : ~(1u << 8) };
	}
	fail_msg("CPUID %x", leaf);
	return (struct cpuid_regs){ 0 };
}

/* Included, not linked: a port that one test found must be forgotten before the next. */
#include "../../hv/timer.c"

static void machine_with(uint64_t tsc, uint64_t apic, bool pm)
{
	memset(&sim, 0, sizeof(sim));
	memset(firmware_table, 0, sizeof(firmware_table));
	sim.ps = 7 * PS_PER_S;
	sim.tsc_khz = tsc;
	sim.apic_khz = apic;
	sim.has_pm = pm;
	sim.look_ps = 700000;
	sim.tsc_offset = 1ull << 40;
	table_length = pm ? sizeof(firmware_table) : 0;
	firmware_table[76] = PM_PORT & 0xff;
	firmware_table[77] = PM_PORT >> 8;
	pm_port = 0;
}

static void assert_near(uint64_t value, uint64_t expected, uint64_t tolerance)
{
	if (value + tolerance < expected || value > expected + tolerance)
		fail_msg("%lu, expected %lu within %lu", value, expected, tolerance);
}

static uint64_t apic_khz_found(void)
{
	return ((unsigned __int128)apic_per_ns * 1000000) >> 32;
}

/* --- how fast clocks run ------------------------------------------------------------------------------------------ */

static void rates_are_measured(void **state)
{
	static const uint64_t tsc[] = { 101000, 1000000, 2894560, 4999999, 19900000 };
	static const uint64_t apic[] = { 24000, 100000, 1000000 };

	(void)state;
	srandom(20261121);
	for (unsigned i = 0; i < ARRAY_LENGTH(tsc); i++)
		for (unsigned k = 0; k < ARRAY_LENGTH(apic); k++)
			for (unsigned pm = 0; pm < 2; pm++) {
				machine_with(tsc[i], apic[k], pm);
				timer_init();
				assert_near(time_tsc_khz(), tsc[i], tsc[i] / (pm ? 20000 : 10000));
				assert_near(apic_khz_found(), apic[k], apic[k] / 5000 + 1);
				assert_int_equal(sim.apic_count, 0);
			}
}

/* The PM timer passes its 24 bits, the TSC its 64, somewhere while they are measured. */
static void counters_wrap(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		machine_with(3000000, 200000, true);
		sim.pm_offset = 0x1000000 - ticks(sim.ps, 3579545) - i * 3579;
		timer_init();
		assert_near(time_tsc_khz(), 3000000, 600);
		machine_with(3000000, 200000, true);
		sim.tsc_offset = -ticks(sim.ps, 3000000000) - i * 3000000;
		timer_init();
		assert_near(time_tsc_khz(), 3000000, 600);
		assert_near(time_ns(), 50 * MS, 50 * MS);
	}
}

/* Looks that take long, as where an emulator's host is busy, now and then. */
static void slow_looks(void **state)
{
	(void)state;
	machine_with(2000000, 1000000, true);
	sim.look_ps = 20000000;
	timer_init();
	assert_near(time_tsc_khz(), 2000000, 4000);
	machine_with(2000000, 1000000, false);
	sim.look_ps = 20000000;
	timer_init();
	assert_near(time_tsc_khz(), 2000000, 4000);
}

static void not_believable(void **state)
{
	static const struct { uint64_t tsc, apic; bool still; } bad[] = {
		{ 99000, 100000, false }, { 20100000, 100000, false }, { 3000000, 0, false }, { 3000000, 100000, true },
	};

	(void)state;
	for (volatile unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
		machine_with(bad[i].tsc, bad[i].apic, true);
		sim.pm_stands_still = bad[i].still;
		sim.look_ps = 20000000;
		panic_expected = true;
		if (!setjmp(panicked)) {
			timer_init();
			fail_msg("no panic");
		}
		panic_expected = false;
	}
}

/* A table that ends before the port, or says that there is none: the 8254. */
static void without_a_pm_timer(void **state)
{
	(void)state;
	machine_with(3000000, 100000, false);
	table_length = 79;
	timer_init();
	assert_near(time_tsc_khz(), 3000000, 600);
	machine_with(3000000, 100000, false);
	table_length = sizeof(firmware_table);
	firmware_table[76] = firmware_table[77] = 0;
	timer_init();
	assert_near(time_tsc_khz(), 3000000, 600);
}

/* --- what is made of it ------------------------------------------------------------------------------------------- */

/* The TSC as it is when `ns` have passed by the measured rate. */
static void set_clock(uint64_t ns)
{
	uint64_t delta = (uint64_t)((unsigned __int128)ns * tsc_khz / 1000000);

	sim.look_ps = 0;
	sim.ps = 0;
	sim.tsc_offset = tsc_start + delta;
}

/* Exact but for the scale's last place: a nanosecond, and one in 2^29 of the time. */
static void time_both_ways(void **state)
{
	static const uint64_t rates[] = { 150000, 1000000, 2894560, 4999999 };
	uint64_t before = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(rates); i++) {
		machine_with(rates[i], 100000, true);
		timer_init();
		for (uint64_t ns = 0; ns < 40 * 365 * DAY; ns = ns * 5 / 4 + 1 + (uint64_t)random() % 1000) {
			set_clock(ns);
			assert_near(time_ns(), ns, 20 + (ns >> 27));
			assert_true(ns == 0 || time_ns() >= before);
			before = time_ns();
			sim.tsc_offset = time_to_tsc(ns);
			assert_near(time_ns(), ns, 20 + (ns >> 27));
		}
		before = 0;
	}
}

/* What the timer is given three days after the start for a deadline `ns` from then. */
static uint32_t armed_for(int64_t ns)
{
	set_clock(3 * DAY);
	time_arm(time_ns() + (uint64_t)ns);
	return sim.apic_count;
}

static void deadlines(void **state)
{
	(void)state;
	machine_with(3000000, 100000, true);
	timer_init();
	set_clock(3 * DAY);
	time_arm(0);
	assert_int_equal(sim.apic_count, 1);
	assert_int_equal(armed_for(-5), 1);
	assert_int_equal(armed_for(0), 1);
	assert_int_equal(armed_for(3), 1);
	assert_near(armed_for(1000), 100, 1);
	assert_near(armed_for(7 * MS), 700000, 700000 / 5000);
	assert_near(armed_for(SECOND - 1), 100000000, 100000000 / 5000);
	time_disarm();
	assert_int_equal(sim.apic_count, 0);
}

/* No later than asked for, though it may be sooner: who is woken early asks again. */
static void far_deadlines_are_not_missed(void **state)
{
	static const uint64_t rates[] = { 24000, 100000, 1000000, 5200000 };
	static const uint64_t far[] = { SECOND, SECOND + 1, 3 * SECOND / 2, 100 * SECOND, 40 * 365 * DAY };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(rates); i++) {
		machine_with(3000000, rates[i], true);
		timer_init();
		for (unsigned k = 0; k < ARRAY_LENGTH(far); k++) {
			uint64_t count = armed_for((int64_t)far[k]);

			assert_true(count * 1000000 / rates[i] <= far[k] + far[k] / 5000);
			assert_true(count * 1000000 / rates[i] >= SECOND / 2);
		}
	}
}

/* A CPU whose TSC may change its rate is refused, unless it is emulated and cannot promise anything. */
static void needs_an_invariant_tsc(void **state)
{
	(void)state;
	for (volatile unsigned i = 0; i < 2; i++) {
		machine_with(2400000, 100000, true);
		is_invariant = i == 0;
		extended_most = i == 0 ? 0x80000006 : 0x8000001e;
		panic_expected = true;
		if (!setjmp(panicked)) {
			timer_init();
			fail_msg("not refused");
		}
		panic_expected = false;
		is_emulated = true;
		machine_with(2400000, 100000, true);
		timer_init();
		is_emulated = false;
	}
	is_invariant = true;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rates_are_measured), cmocka_unit_test(counters_wrap), cmocka_unit_test(slow_looks),
		cmocka_unit_test(not_believable), cmocka_unit_test(without_a_pm_timer),
		cmocka_unit_test(needs_an_invariant_tsc), cmocka_unit_test(time_both_ways), cmocka_unit_test(deadlines),
		cmocka_unit_test(far_deadlines_are_not_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
