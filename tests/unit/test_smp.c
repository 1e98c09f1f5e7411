/* SPDX-License-Identifier: Apache-2.0 */
/* Starting CPUs: who is counted, who is left out and why, and TSCs that are not one clock. */
#include <stdlib.h>
#include <string.h>

#include "cpu_fake.h"
#include "plat_fake.h"

/* Included, not linked: the CPU that is started lives in the test. */
#include "../../hv/smp.c"

__asm__(".data\n.globl ap_start, ap_far, ap_gdt_pointer, ap_cr3, ap_stack, ap_entry, ap_argument, ap_end\n"
	"ap_start: .skip 16\nap_far: .skip 8\nap_gdt_pointer: .skip 8\nap_cr3: .skip 8\nap_stack: .skip 8\n"
	"ap_entry: .skip 8\nap_argument: .skip 8\nap_end: .skip 8\n.text\n");

#define PAGE 0x8000u

struct cpu cpus[LZR_CPU_MAX];
static struct { uint32_t ids[40]; unsigned count; } madt;
static uint64_t tsc;
static unsigned counted;
static struct { uint32_t id; unsigned starts, stops; } apics[40];
static uint32_t running;                /* APIC id that was started last */

/* How the one with this APIC id behaves; the others are good. */
static struct { uint32_t id; bool dead, deaf; int64_t tsc_ahead; unsigned slow; } odd;

bool acpi_for_each_cpu(void (*found)(uint32_t apic_id, void *context), void *context)
{
	for (unsigned i = 0; i < madt.count; i++)
		found(madt.ids[i], context);
	return madt.count != 0;
}

void paging_map_start_page(uint64_t page) { assert_int_equal(page, PAGE); }
uint64_t host_cr3(void) { return 0x1000; }
void cpu_count_set(unsigned value) { counted = value; }
void cpu_load(struct cpu *cpu) { (void)cpu; }
void apic_enable(void) { }
void cpu_wait_for_seal(struct cpu *cpu) { (void)cpu; abort(); }
uint64_t time_to_tsc(uint64_t ns) { return 1000 + ns * 3; }
uint64_t arch_rdtsc(void) { return tsc += 10; }
void arch_fence_wrmsr(void) { }

void apic_init_startup(uint32_t id, uint64_t page, void (*wait)(uint64_t))
{
	(void)wait;
	assert_int_equal(page, PAGE);
	apics[id % 40].id = id;
	apics[id % 40].starts++;
	running = id;
}

void apic_init_stop(uint32_t id)
{
	assert_int_equal(id, running);
	apics[id % 40].stops++;
	running = UINT32_MAX;
}

/* Other CPUs do something only while the boot CPU waits for them. */
void arch_pause(void)
{
	bool is_odd = running == odd.id;

	fake_now += 100000;
	tsc += is_odd ? odd.slow : 0;
	if (running == UINT32_MAX || (is_odd && odd.dead))
		return;
	for (unsigned i = 1; i < LZR_CPU_MAX; i++)
		if (cpus[i].apic_id == running)
			cpus[i].online = 1;
	if (exchange.question == exchange.answered || (is_odd && odd.deaf))
		return;
	exchange.tsc = tsc + (uint64_t)(is_odd ? odd.tsc_ahead : 0);
	exchange.answered = exchange.question;
}

static int set_up(void **state)
{
	memset(cpus, 0, sizeof(cpus));
	memset(apics, 0, sizeof(apics));
	memset(&madt, 0, sizeof(madt));
	memset(&odd, 0, sizeof(odd));
	odd.id = UINT32_MAX;
	cpus[0].online = 1;
	tsc = 5000;
	return fake_reset(state);
}

static void machine_of(unsigned count, const uint32_t ids[])
{
	memcpy(madt.ids, ids, count * sizeof(ids[0]));
	madt.count = count;
	running = UINT32_MAX;
	smp_start(PAGE);
}

static void counts_each_once(void **state)
{
	(void)state;
	machine_of(7, (const uint32_t[]){ 0, 2, 4, 0, 2, 4, 6 });       /* types 0 and 9 name the same */
	assert_int_equal(counted, 4);
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(cpus[i].apic_id, 2 * i);
		assert_int_equal(cpus[i].number, i);
		assert_int_equal(cpus[i].online, 1);
		assert_int_equal(apics[2 * i].starts, 1);
		assert_int_equal(apics[2 * i].stops, 0);
	}
	assert_int_equal(apics[0].starts, 0);
	assert_said("4 CPUs");
}

static void left_out(const char *why)
{
	machine_of(3, (const uint32_t[]){ 0, 2, 4 });
	assert_said(why);
	assert_said("2 CPUs");
	assert_int_equal(counted, 3);
	assert_int_equal(cpus[1].online, 0);
	assert_int_equal(cpus[2].online, 1);                    /* it keeps its number, and the boot goes on */
	assert_int_equal(cpus[2].apic_id, 4);
	assert_int_equal(apics[2].stops, 1);
}

static void one_that_does_not_start(void **state)
{
	(void)state;
	odd.id = 2;
	odd.dead = true;
	left_out("CPU 1 (APIC id 2) is left out: it did not start");
	set_up(state);
	odd.id = 2;
	odd.deaf = true;
	left_out("CPU 1 (APIC id 2) is left out: it stopped while its TSC was compared");
}

static void one_whose_tsc_differs(void **state)
{
	(void)state;
	odd.id = 2;
	odd.tsc_ahead = 100000;
	left_out("CPU 1 (APIC id 2) is left out: its TSC is not CPU 0's");
	assert_said("ticks ahead of CPU 0's, or more");
	set_up(state);
	odd.id = 2;
	odd.tsc_ahead = -100000;
	left_out("its TSC is not CPU 0's");
	assert_said("ticks behind CPU 0's, or more");
	set_up(state);
	odd.id = 2;
	odd.slow = 100000;                      /* an exchange takes 33 us at 3 GHz: nothing is known */
	left_out("its TSC cannot be compared closely enough");
}

static void ids_beyond_the_entries(void **state)
{
	(void)state;
	machine_of(4, (const uint32_t[]){ 0, 255, 1000, 254 });
	assert_int_equal(counted, 4);
	assert_said("CPU 1 (APIC id 255) is left out: APIC ids above 254 are not supported");
	assert_said("CPU 2 (APIC id 1000) is left out");
	assert_int_equal(cpus[1].online, 0);
	assert_int_equal(cpus[2].online, 0);
	assert_int_equal(cpus[3].online, 1);
	assert_int_equal(apics[255 % 40].starts + apics[1000 % 40].starts, 0);
	set_up(state);
	cpus[0].apic_id = 256;
	assert_panics(smp_start(PAGE));
	assert_said("refused: the boot CPU has APIC id 256");
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts_each_once), TEST(one_that_does_not_start), TEST(one_whose_tsc_differs),
		TEST(ids_beyond_the_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
