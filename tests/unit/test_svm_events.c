/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events and interrupt shadows in the SVM backend, with the entry itself faked: what goes in, what goes in again after
 * an exit cut it short, how long a shadow is kept (AMD64 Architecture Programmer's Manual, volume 2, "Event
 * Injection").
 */
#include "svm_rig.h"

#define VALID 0x80000000ull
#define STI 1ull

/* --- events ------------------------------------------------------------------------------------------------------- */

static void interrupts_go_in_once(void **state)
{
	(void)state;
	assert_false(svm_backend.event_pending(&vcpu));
	svm_backend.inject_irq(&vcpu, 0xef);
	assert_int_equal(vmcb.event_inject, VALID | 0xef);
	assert_true(svm_backend.event_pending(&vcpu));
	assert_int_equal(kicks, 0);
	run();
	assert_int_equal(seen.event_inject, VALID | 0xef);
	assert_false(svm_backend.event_pending(&vcpu));
	run();
	assert_int_equal(seen.event_inject, 0);
	svm_on_emulator = true;
	svm_backend.inject_irq(&vcpu, 0x30);
	assert_int_equal(vmcb.event_inject, VALID | 0x30);
	assert_int_equal(kicks, 1);
}

static void exceptions_with_and_without_error(void **state)
{
	(void)state;
	svm_backend.inject_exception(&vcpu, 6, false, 0x1234);
	assert_int_equal(vmcb.event_inject, VALID | 0x300 | 6);
	svm_backend.inject_exception(&vcpu, 13, true, 0xfedc);
	assert_int_equal(vmcb.event_inject, 0xfedcull << 32 | VALID | 0xb00 | 13);
	svm_backend.inject_exception(&vcpu, 17, true, 0);
	assert_int_equal(vmcb.event_inject, VALID | 0xb00 | 17);
	assert_int_equal(kicks, 0);
}

static uint64_t cut_short;

static void guest_cut_short(void)
{
	vmcb.exit_int_info = cut_short;
	vmcb.exit_code = 0x400;
}

/* Hardware's events go in again; INT n, INT3 and INTO are executed again. */
static void delivery_cut_short(void **state)
{
	(void)state;
	for (uint64_t type = 0; type < 8; type++)
		for (uint64_t vector = 0; vector < 256; vector++) {
			bool again = type == 0 || type == 2 || (type == 3 && vector != 3 && vector != 4);

			cut_short = 0xe0ull << 32 | VALID | 0x800 | type << 8 | vector;
			guest = guest_cut_short;
			run();
			guest = NULL;
			assert_int_equal(vmcb.event_inject, again ? cut_short : 0);
			run();
			assert_int_equal(seen.event_inject, again ? cut_short : 0);
			assert_int_equal(vmcb.event_inject, 0);
		}
	cut_short = 0x20;               /* not valid */
	guest = guest_cut_short;
	run();
	assert_int_equal(vmcb.event_inject, 0);
}

static void window(void **state)
{
	(void)state;
	svm_backend.set_tpr(&vcpu, 0xa7);
	for (unsigned priority = 1; priority < 16; priority++) {
		svm_backend.request_window(&vcpu, (uint8_t)priority);
		assert_int_equal(vmcb.vintr, 1ull << 24 | (uint64_t)priority << 16 | 1 << 8 | 0xa);
	}
	svm_backend.request_window(&vcpu, 0);
	assert_int_equal(vmcb.vintr, 1ull << 24 | 0xa);
	assert_int_equal(vmcb.intercept.cr >> 24 & 1, 0);
	/* On the emulator MOV to CR8 exits while one is wanted, and none is open already for the same class. */
	svm_on_emulator = true;
	for (unsigned priority = 1; priority < 16; priority++) {
		uint64_t wanted = priority > 0xa ? (uint64_t)priority << 16 | 1 << 8 : 0;

		svm_backend.request_window(&vcpu, (uint8_t)priority);
		assert_int_equal(vmcb.vintr, 1ull << 24 | wanted | 0xa);
		assert_int_equal(vmcb.intercept.cr, 1u << 24 | 1u << 20 | 1u << 4);
		svm_backend.request_window(&vcpu, 0);
		assert_int_equal(vmcb.intercept.cr, 1u << 20 | 1u << 4);
	}
}

static void task_priority(void **state)
{
	(void)state;
	svm_backend.request_window(&vcpu, 5);
	for (unsigned tpr = 0; tpr < 256; tpr++) {
		svm_backend.set_tpr(&vcpu, (uint8_t)tpr);
		assert_int_equal(vmcb.vintr, 1ull << 24 | 5 << 16 | 1 << 8 | tpr >> 4);
		assert_int_equal(svm_backend.get_tpr(&vcpu), tpr & 0xf0);
	}
}

/* --- interrupt shadow --------------------------------------------------------------------------------------------- */

static bool stuck;

/* Called out of the guest by the host, behind the shadowed instruction or still before it. */
static void guest_interrupted(void)
{
	vmcb.exit_code = 0x60;
	if (!stuck)
		vmcb.rip++;
}

static void guest_in_shadow(void)
{
	vmcb.exit_code = 0x72;
	vmcb.interrupt_shadow = STI;
}

static void shadow_lasts_for_one_entry(void **state)
{
	(void)state;
	guest = guest_in_shadow;
	run();
	assert_true(vcpu.shadow);
	guest = guest_interrupted;
	stuck = false;
	run();
	assert_int_equal(seen.interrupt_shadow, 1);
	assert_false(vcpu.shadow);
	run();
	assert_int_equal(seen.interrupt_shadow, 0);
	assert_false(vcpu.shadow);
}

/* What emulates the shadowed instruction takes the shadow away before the next entry. */
static void shadow_taken_back(void **state)
{
	(void)state;
	guest = guest_in_shadow;
	run();
	vcpu.shadow = false;
	guest = NULL;
	run();
	assert_int_equal(seen.interrupt_shadow, 0);
	assert_false(vcpu.shadow);
}

static void shadow_kept_while_stuck(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		guest = guest_in_shadow;
		run();
		guest = guest_interrupted;
		stuck = true;
		for (unsigned i = 0; i < 64; i++) {
			run();
			assert_int_equal(seen.interrupt_shadow, 1);
			assert_true(vcpu.shadow);
		}
		run();                          /* a bound: no guest stays without interrupts for good */
		assert_int_equal(seen.interrupt_shadow, 1);
		assert_false(vcpu.shadow);
		run();
		assert_int_equal(seen.interrupt_shadow, 0);
		stuck = false;
		guest = guest_in_shadow;        /* a new shadow counts from the start */
		run();
		guest = guest_interrupted;
		run();
		assert_false(vcpu.shadow);
	}
}

static void other_exits_end_the_shadow(void **state)
{
	(void)state;
	guest = guest_in_shadow;
	run();
	guest = NULL;
	vmcb.exit_code = 0x72;
	run();
	assert_int_equal(seen.interrupt_shadow, 1);
	assert_false(vcpu.shadow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(interrupts_go_in_once), TEST(exceptions_with_and_without_error), TEST(delivery_cut_short),
		TEST(window), TEST(task_priority), TEST(shadow_lasts_for_one_entry), TEST(shadow_taken_back),
		TEST(shadow_kept_while_stuck), TEST(other_exits_end_the_shadow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
