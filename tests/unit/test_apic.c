/* SPDX-License-Identifier: Apache-2.0 */
/* The local APIC in both of its modes: the same writes, as MSRs or to registers in memory, in the same order. */
#include "cpu_fake.h"
#include "plat_fake.h"

/* Included, not linked: each test starts in the mode that it chooses. */
#include "../../hv/apic.c"

#define BASE 0xfee00000u

static uint32_t page[1024];
static enum hv_err claimed;
static bool mapped;

enum hv_err mem_claim_mmio(hpa_t base, uint64_t length, unsigned owner)
{
	assert_int_equal(base.a, BASE);
	assert_int_equal(length, 4096);
	assert_int_equal(owner, OWNER_HV);
	return claimed;
}

volatile void *mmio_map(hpa_t base, uint64_t length)
{
	assert_int_equal(base.a, BASE);
	assert_int_equal(length, 4096);
	mapped = true;
	return page;
}

uint32_t cpu_apic_id(unsigned cpu) { return cpu * 2 + 1; }

#define PIC "out 20=11 out a0=11 out 21=20 out a1=28 out 21=4 out a1=2 out 21=1 out a1=1 out 21=ff out a1=ff"

static uint8_t dmar[48];

const void *acpi_table(const char signature[4], uint32_t *length)
{
	assert_memory_equal(signature, "DMAR", 4);
	*length = dmar[0] ? sizeof(dmar) : 0;
	return dmar[0] ? dmar : NULL;
}

/* The CPU has x2APIC; whether it is on is the firmware's choice. */
static void start(bool is_x2apic)
{
	cpu_fake_leaf(1, 0, (struct cpuid_regs){ .ecx = 1u << 21 });
	*cpu_fake_msr(0x1b) = BASE | 0x100 | (is_x2apic ? 0xc00 : 0);
	apic_init();
	assert_true(mapped);
	cpu_fake_traced(PIC);
}

static int set_up(void **state)
{
	fake_reset(state);
	memset(page, 0, sizeof(page));
	claimed = HV_OK;
	memset(dmar, 0, sizeof(dmar));
	mapped = false;
	registers = NULL;
	return cpu_fake_reset(state);
}

static void registers_taken(void **state)
{
	(void)state;
	*cpu_fake_msr(0x1b) = BASE;
	claimed = HV_CONFLICT;
	assert_panics(apic_init());
	assert_said("is taken");
	assert_false(mapped);
}

/* Everything masked but the timer; the timer counts undivided. */
static void enabled_by_msr(void **state)
{
	(void)state;
	start(true);
	apic_enable();
	cpu_fake_traced("wrmsr 1b=fee00d00 wrmsr 833=10000 wrmsr 834=10000 wrmsr 835=10000 wrmsr 836=10000 "
			"wrmsr 837=10000 wrmsr 83e=b wrmsr 832=f2 wrmsr 80f=1ff");
	*cpu_fake_msr(0x802) = 0x12345;
	assert_int_equal(apic_id(), 0x12345);
	*cpu_fake_msr(0x839) = 77;
	assert_int_equal(apic_timer_count(), 77);
	apic_eoi();
	apic_timer_start(0xfffffff0);
	cpu_fake_traced("wrmsr 80b=0 wrmsr 838=fffffff0");
}

static void enabled_in_memory(void **state)
{
	(void)state;
	start(false);
	page[0xb0 / 4] = 0x55;
	apic_enable();
	cpu_fake_traced("wrmsr 1b=fee00900");
	for (unsigned at = 0x330; at <= 0x370; at += 0x10)
		assert_int_equal(page[at / 4], 0x10000);
	assert_int_equal(page[0x320 / 4], 0xf2);
	assert_int_equal(page[0x3e0 / 4], 0xb);
	assert_int_equal(page[0xf0 / 4], 0x1ff);
	page[0x20 / 4] = 0x5000000;
	assert_int_equal(apic_id(), 5);
	page[0x390 / 4] = 78;
	assert_int_equal(apic_timer_count(), 78);
	apic_eoi();
	assert_int_equal(page[0xb0 / 4], 0);
	apic_timer_start(99);
	assert_int_equal(page[0x380 / 4], 99);
	cpu_fake_traced("");
}

/* Writes before are seen before the interrupt: WRMSR to x2APIC registers does not order them. */
static void sent_by_msr(void **state)
{
	(void)state;
	start(true);
	cpu_kick(3);
	cpu_fake_traced("mfence lfence wrmsr 830=7000000f1");
	apic_nmi_others();
	cpu_fake_traced("mfence lfence wrmsr 830=c0400");
}

/* The firmware left x2APIC on, but its DMAR table asks to be spared it: back, through "disabled". */
static void opted_out(void **state)
{
	(void)state;
	dmar[0] = 'D';
	dmar[37] = 2;                           /* without interrupt remapping it says nothing */
	start(true);
	assert_true(apic_is_x2apic());
	dmar[37] = 3;
	start(true);
	assert_false(apic_is_x2apic());
	apic_enable();
	cpu_fake_traced("wrmsr 1b=fee00100 wrmsr 1b=fee00900");
	assert_int_equal(page[0xf0 / 4], 0x1ff);
	dmar[37] = 1;
	start(true);
	assert_true(apic_is_x2apic());
	start(false);                           /* left off: not turned on */
	assert_false(apic_is_x2apic());
	apic_enable();
	cpu_fake_traced("wrmsr 1b=fee00900");
}

static unsigned pauses;

static void command_is_sent(void)
{
	if (++pauses == 3)
		page[0x300 / 4] = 0;
	assert_int_equal(page[0x310 / 4], 0);   /* nothing is overwritten while one is under way */
}

static void sent_in_memory(void **state)
{
	(void)state;
	start(false);
	page[0x300 / 4] = 0x1000;
	cpu_fake.on_pause = command_is_sent;
	pauses = 0;
	cpu_kick(3);
	assert_int_equal(pauses, 3);
	assert_int_equal(page[0x310 / 4], 7u << 24);
	assert_int_equal(page[0x300 / 4], 0xf1);
	cpu_fake_traced("");
}

/* A panic before the APIC is known tells nobody. */
static void no_apic_yet(void **state)
{
	(void)state;
	apic_nmi_others();
	cpu_fake_traced("");
}

static uint64_t waited;

static void wait(uint64_t us)
{
	waited = waited * 100000 + us;
}

/* INIT, 10 ms, then twice the start-up page's number with a pause. */
static void starts_a_cpu(void **state)
{
	(void)state;
	start(true);
	waited = 0;
	apic_init_startup(6, 0x9e000, wait);
	cpu_fake_traced("mfence lfence wrmsr 830=600004500 mfence lfence wrmsr 830=60000469e "
			"mfence lfence wrmsr 830=60000469e");
	assert_int_equal(waited, 100000020000200);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registers_taken), TEST(enabled_by_msr), TEST(enabled_in_memory), TEST(sent_by_msr),
		TEST(opted_out),
		TEST(sent_in_memory), TEST(no_apic_yet), TEST(starts_a_cpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
