/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

static struct vcpu *cpu0, *cpu1, *cpu2;

static int setup(void **state)
{
	rig_setup(state);
	rig_create(1, 3, (const uint8_t[]){ 0, 1, 2 });
	cpu0 = vms[0].vcpus[0];
	cpu1 = vms[0].vcpus[1];
	cpu2 = vms[0].vcpus[2];
	for (unsigned i = 0; i < 3; i++)
		assert_true(vlapic_msr_write(vms[0].vcpus[i], 0x80f, 0x1ff));
	memset(rig_kicks, 0, sizeof(rig_kicks));
	for (unsigned i = 0; i < 3; i++)
		vms[0].vcpus[i]->attention = 0;
	return 0;
}

static void higher_classes_go_first(void **state)
{
	(void)state;
	vcpu_post_irq(cpu0, 0x31);
	vcpu_post_irq(cpu0, 0x52);
	vcpu_post_irq(cpu0, 0x51);
	assert_int_equal(vlapic_deliverable(cpu0), 0x52);
	vlapic_accept(cpu0, 0x52);
	assert_int_equal(vlapic_deliverable(cpu0), -1);         /* 0x51 is of the class in service */
	vcpu_post_irq(cpu0, 0x60);
	assert_int_equal(vlapic_deliverable(cpu0), 0x60);
	vlapic_accept(cpu0, 0x60);
	assert_true(vlapic_msr_write(cpu0, 0x80b, 0));
	assert_int_equal(vlapic_deliverable(cpu0), -1);
	assert_true(vlapic_msr_write(cpu0, 0x80b, 0));
	assert_int_equal(vlapic_deliverable(cpu0), 0x51);
	assert_false(vlapic_msr_write(cpu0, 0x80b, 1));
}

static void the_task_priority_holds_back(void **state)
{
	(void)state;
	vcpu_post_irq(cpu0, 0x45);
	assert_true(vlapic_msr_write(cpu0, 0x808, 0x40));
	assert_int_equal(vlapic_deliverable(cpu0), -1);
	assert_int_equal(vlapic_waiting(cpu0), 0x45);
	assert_true(vlapic_msr_write(cpu0, 0x808, 0x30));
	assert_int_equal(vlapic_deliverable(cpu0), 0x45);
	assert_true(vlapic_msr_write(cpu0, 0x80f, 0xff));
	assert_int_equal(vlapic_deliverable(cpu0), -1);
}

static void icr(uint64_t value)
{
	assert_true(vlapic_msr_write(cpu0, 0x830, value));
}

static void icr_reaches_whom_it_names(void **state)
{
	(void)state;
	icr(1ull << 32 | 0x41);                                 /* physical */
	assert_int_equal(vlapic_waiting(cpu1), 0x41);
	assert_int_equal(vlapic_waiting(cpu0), -1);
	assert_int_equal(rig_kicks[1], 1);
	icr(0xffffffffull << 32 | 0x42);                        /* physical broadcast */
	assert_int_equal(vlapic_waiting(cpu0), 0x42);
	assert_int_equal(vlapic_waiting(cpu2), 0x42);
	icr(0x6ull << 32 | 0x843);                              /* cluster 0, members 1 and 2 */
	assert_int_equal(vlapic_waiting(cpu0), 0x42);
	assert_int_equal(vlapic_waiting(cpu1), 0x43);
	assert_int_equal(vlapic_waiting(cpu2), 0x43);
	icr(0x10006ull << 32 | 0x844);                          /* cluster 1: nobody */
	assert_int_equal(vlapic_waiting(cpu1), 0x43);
	icr(0x40045);                                           /* self */
	assert_int_equal(vlapic_waiting(cpu0), 0x45);
	assert_int_equal(vlapic_waiting(cpu1), 0x43);
	icr(0xc0046);                                           /* all but self */
	assert_int_equal(vlapic_waiting(cpu0), 0x45);
	assert_int_equal(vlapic_waiting(cpu2), 0x46);
	icr(9ull << 32 | 0x47);                                 /* nobody */
	assert_true(vlapic_msr_write(cpu0, 0x83f, 0x48));
	assert_int_equal(vlapic_waiting(cpu0), 0x48);
}

static void bad_icr_values_are_refused(void **state)
{
	uint64_t esr;

	(void)state;
	assert_false(vlapic_msr_write(cpu0, 0x830, 1ull << 20));
	assert_true(vlapic_msr_write(cpu0, 0x830, 1ull << 32 | 0x05));
	assert_int_equal(vlapic_waiting(cpu1), -1);
	assert_true(vlapic_msr_write(cpu0, 0x828, 0));
	assert_true(vlapic_msr_read(cpu0, 0x828, &esr));
	assert_int_equal(esr, 0x20);
	assert_false(vlapic_msr_write(cpu0, 0x828, 1));
}

static void init_and_sipi_are_told(void **state)
{
	(void)state;
	icr(1ull << 32 | 0xc500);
	assert_int_equal(cpu1->attention & (ATTENTION_INIT | ATTENTION_SIPI), ATTENTION_INIT);
	icr(1ull << 32 | 0x8500);                               /* de-assert: nothing */
	icr(2ull << 32 | 0x8500);
	assert_int_equal(cpu2->attention & ATTENTION_INIT, 0);
	icr(1ull << 32 | 0x69a);
	assert_int_equal(cpu1->attention & (ATTENTION_INIT | ATTENTION_SIPI), ATTENTION_INIT | ATTENTION_SIPI);
	assert_int_equal(cpu1->sipi_vector, 0x9a);
}

static void messages_are_checked(void **state)
{
	(void)state;
	vm_msi(&vms[0], 0xfee01000, 0x51);
	assert_int_equal(vlapic_waiting(cpu1), 0x51);
	vm_msi(&vms[0], 0xfeeff000, 0x52);
	assert_int_equal(vlapic_waiting(cpu0), 0x52);
	assert_int_equal(vlapic_waiting(cpu2), 0x52);
	vm_msi(&vms[0], 0xfed01000, 0x53);                      /* not an interrupt message */
	vm_msi(&vms[0], 0x1fee01000, 0x53);
	vm_msi(&vms[0], 0xfee01000, 0x553);                     /* INIT */
	vm_msi(&vms[0], 0xfee01000, 0x05);                      /* a vector that does not exist */
	assert_int_equal(vlapic_waiting(cpu1), 0x52);
	vm_msi(&vms[0], 0xfee06004, 0x154);                     /* logical, lowest priority: one of them */
	assert_int_equal(vlapic_waiting(cpu1), 0x54);
	assert_int_equal(vlapic_waiting(cpu2), 0x52);
}

static void the_deadline_timer_fires_once(void **state)
{
	uint64_t value;

	(void)state;
	assert_true(vlapic_msr_write(cpu0, 0x832, 0x40061));
	assert_true(vlapic_msr_write(cpu0, 0x6e0, time_to_tsc(rig_now + 5000)));
	vlapic_tick(cpu0, rig_now + 4999);
	assert_int_equal(vlapic_waiting(cpu0), -1);
	vlapic_tick(cpu0, rig_now + 5001);
	assert_int_equal(vlapic_waiting(cpu0), 0x61);
	assert_true(vlapic_msr_read(cpu0, 0x6e0, &value));
	assert_int_equal(value, 0);
	assert_int_equal(cpu0->apic.timer_ns, 0);
	vlapic_accept(cpu0, 0x61);
	assert_true(vlapic_msr_write(cpu0, 0x80b, 0));
	assert_true(vlapic_msr_write(cpu0, 0x6e0, 1));          /* long over: pending before the next entry */
	assert_int_equal(vlapic_waiting(cpu0), 0x61);
	assert_int_equal(cpu0->apic.timer_ns, 0);
	assert_true(vlapic_msr_read(cpu0, 0x6e0, &value));
	assert_int_equal(value, 0);
	assert_true(vlapic_msr_write(cpu0, 0x6e0, UINT64_MAX));
	assert_true(cpu0->apic.timer_ns > rig_now);
	assert_true(vlapic_msr_write(cpu0, 0x6e0, 0));
	assert_int_equal(cpu0->apic.timer_ns, 0);
}

static void the_count_timer_goes_round(void **state)
{
	uint64_t value;

	(void)state;
	assert_true(vlapic_msr_write(cpu0, 0x832, 0x20062));
	assert_true(vlapic_msr_write(cpu0, 0x83e, 0xb));        /* divide by 1 */
	assert_true(vlapic_msr_write(cpu0, 0x838, 400000));
	rig_now += 40000;
	assert_true(vlapic_msr_read(cpu0, 0x839, &value));
	assert_int_equal(value, 360000);
	vlapic_tick(cpu0, rig_now + 360000);
	assert_int_equal(vlapic_waiting(cpu0), 0x62);
	assert_int_equal(cpu0->apic.timer_ns, rig_now + 760000);
	vlapic_tick(cpu0, rig_now + 10000000);                  /* periods that were missed do not pile up */
	assert_int_equal(cpu0->apic.timer_ns, rig_now + 10400000);
	assert_true(vlapic_msr_write(cpu0, 0x838, 1));          /* a storm would leave the guest no time */
	vlapic_tick(cpu0, rig_now + 1000);
	assert_int_equal(cpu0->apic.timer_ns, rig_now + 200001);
	assert_false(vlapic_msr_write(cpu0, 0x832, 0x60062));
	assert_false(vlapic_msr_write(cpu0, 0x83e, 0x4));
	assert_false(vlapic_msr_write(cpu0, 0x838, 1ull << 32));
}

static uint64_t count(uint32_t msr)
{
	uint64_t value;

	assert_true(vlapic_msr_read(cpu0, msr, &value));
	return value;
}

/* Only to and from the deadline mode does the timer lose its count; between the others it goes on where it was. */
static void modes_that_count_share_it(void **state)
{
	(void)state;
	assert_true(vlapic_msr_write(cpu0, 0x83e, 0xb));
	assert_true(vlapic_msr_write(cpu0, 0x832, 0x00062));
	assert_true(vlapic_msr_write(cpu0, 0x838, 1000000));
	rig_now += 400000;
	assert_true(vlapic_msr_write(cpu0, 0x832, 0x20062));    /* one-shot to periodic */
	assert_int_equal(count(0x838), 1000000);
	assert_int_equal(count(0x839), 600000);
	rig_now += 600000;
	vlapic_tick(cpu0, rig_now);
	assert_int_equal(vlapic_waiting(cpu0), 0x62);
	assert_int_equal(count(0x839), 1000000);                /* and round it goes */
	rig_now += 300000;
	assert_true(vlapic_msr_write(cpu0, 0x832, 0x00062));    /* back: it ends once more */
	assert_int_equal(count(0x839), 700000);
	rig_now += 700000;
	vlapic_tick(cpu0, rig_now);
	assert_int_equal(count(0x839), 0);
	assert_int_equal(count(0x838), 1000000);
	assert_true(vlapic_msr_write(cpu0, 0x832, 0x20062));    /* over is over */
	assert_int_equal(count(0x839), 0);
	assert_true(vlapic_msr_write(cpu0, 0x838, 1000000));
	assert_true(vlapic_msr_write(cpu0, 0x832, 0x40062));
	assert_int_equal(count(0x838), 0);
	assert_int_equal(cpu0->apic.timer_ns, 0);
	assert_true(vlapic_msr_write(cpu0, 0x6e0, UINT64_MAX));
	assert_true(vlapic_msr_write(cpu0, 0x832, 0x00062));
	assert_int_equal(cpu0->apic.timer_ns, 0);
	assert_int_equal(count(0x6e0), 0);
}

static void registers_that_cannot_be_written_are_refused(void **state)
{
	uint64_t value;

	(void)state;
	assert_false(vlapic_msr_write(cpu0, 0x802, 1));
	assert_false(vlapic_msr_write(cpu0, 0x803, 1));
	assert_false(vlapic_msr_write(cpu0, 0x80d, 1));
	assert_false(vlapic_msr_write(cpu0, 0x810, 1));
	assert_false(vlapic_msr_write(cpu0, 0x1b, 0xfee00800));
	assert_true(vlapic_msr_read(cpu2, 0x802, &value));
	assert_int_equal(value, 2);
	assert_true(vlapic_msr_read(cpu2, 0x80d, &value));
	assert_int_equal(value, 4);
	assert_false(vlapic_msr_read(cpu0, 0x80b, &value));
	assert_false(vlapic_msr_read(cpu0, 0x80e, &value));
	assert_true(vlapic_msr_read(cpu0, 0x1b, &value));
	assert_int_equal(value, 0xfee00d00);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(higher_classes_go_first), TEST(the_task_priority_holds_back), TEST(icr_reaches_whom_it_names),
		TEST(bad_icr_values_are_refused), TEST(init_and_sipi_are_told), TEST(messages_are_checked),
		TEST(the_deadline_timer_fires_once), TEST(the_count_timer_goes_round),
		TEST(modes_that_count_share_it),
		TEST(registers_that_cannot_be_written_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
