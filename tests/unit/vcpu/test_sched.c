/* SPDX-License-Identifier: Apache-2.0 */
/* Scheduling: each entry of the guest takes some of the faked time and ends in an exit that the test chooses. */
#include "rig.h"

static uint64_t ran[LZR_VM_MAX], end_ns;
static unsigned entries;

static void spin(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	(void)exit;
	ran[vcpu->vm->number] += 1000000;
	rig_now += 1000000;
	if (rig_now >= end_ns)
		rig_leave();
}

static void reset(uint64_t length_ns)
{
	memset(ran, 0, sizeof(ran));
	entries = 0;
	end_ns = rig_now + length_ns;
}

static void spinning_vms_share_evenly(void **state)
{
	(void)state;
	rig_create(3, 1, NULL);
	reset(300000000);
	rig_run = spin;
	rig_schedule();
	for (unsigned i = 0; i < 3; i++)
		assert_true(ran[i] >= 90000000 && ran[i] <= 110000000);
}

/* VM 0 sleeps and wakes by its timer every 10 ms, VM 1 spins. */
static void doze(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	if (vcpu->vm->number) {
		spin(vcpu, exit);
		return;
	}
	entries++;
	if (rig_event)
		assert_true(rig_now - vcpu->apic.timer_start_ns < 11000000 + 2000000);
	vcpu->regs.rflags |= RFLAGS_IF;
	vcpu->apic.timer_start_ns = rig_now;
	vcpu->apic.timer_ns = rig_now + 10000000;
	memset(vcpu->apic.isr, 0, sizeof(vcpu->apic.isr));
	rig_now += 100000;
	*exit = (struct vcpu_exit){ .kind = EXIT_HLT, .length = 1 };
}

static void a_waking_vm_goes_before_a_spinning_one(void **state)
{
	(void)state;
	rig_create(2, 1, NULL);
	assert_true(vlapic_msr_write(vms[0].vcpus[0], 0x80f, 0x1ff));
	assert_true(vlapic_msr_write(vms[0].vcpus[0], 0x832, 0x61));
	reset(1000000000);
	rig_run = doze;
	rig_schedule();
	assert_true(entries >= 80);
}

static void halt(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	entries++;
	vcpu->regs.rflags |= RFLAGS_IF;
	*exit = (struct vcpu_exit){ .kind = EXIT_HLT, .length = 1 };
}

static void nothing_to_do_is_sleep(void **state)
{
	(void)state;
	rig_create(2, 1, NULL);
	reset(1);
	rig_run = halt;
	rig_schedule();                                 /* cpu_idle leaves */
	assert_int_equal(entries, 2);
	assert_int_equal(rig_idles, 1);
	assert_int_equal(vms[0].vcpus[0]->state, VCPU_HALTED);
}

static void console_waits(uint64_t deadline)
{
	if (rig_idles == 2) {
		assert_true(deadline == UINT64_MAX);
		rig_leave();
	}
	assert_true(deadline <= rig_now + 1000000);
	rig_now = deadline;
	rig_feeding = false;
}

/* While console lines wait for the port, a CPU with nothing to do comes back for them soon. */
static void sleep_is_short_while_the_console_is_fed(void **state)
{
	(void)state;
	rig_create(2, 1, NULL);
	reset(1);
	rig_feeding = true;
	rig_run = halt;
	rig_idle = console_waits;
	rig_schedule();
	assert_int_equal(entries, 2);
	assert_int_equal(rig_idles, 2);
}

static void wake_by_interrupt(uint64_t deadline)
{
	assert_true(deadline == UINT64_MAX);
	if (rig_idles > 3)
		rig_leave();
	vcpu_post_irq(vms[1].vcpus[0], 0x55);
}

static void an_interrupt_wakes_its_vcpu(void **state)
{
	(void)state;
	rig_create(2, 1, NULL);
	assert_true(vlapic_msr_write(vms[1].vcpus[0], 0x80f, 0x1ff));
	reset(1);
	rig_run = halt;
	rig_idle = wake_by_interrupt;
	rig_schedule();
	assert_int_equal(rig_injected_irq, 0x55);
	assert_int_equal(entries, 3);                   /* the second one is still in service */
}

/* Entry 1: the vector is below the task priority, which MOV to CR8 then lowers without an exit. */
static void lower_the_priority(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	vcpu->regs.rflags |= RFLAGS_IF;
	switch (entries++) {
	case 0:
		rig_tpr = 0xf0;
		vcpu_post_irq(vcpu, 0x55);
		*exit = (struct vcpu_exit){ .kind = EXIT_CPUID, .length = 2 };
		return;
	case 1:
		assert_int_equal(rig_injected_irq, -1);
		assert_int_equal(rig_window, 5);        /* the CPU tells when that class gets through */
		rig_tpr = 0x40;
		*exit = (struct vcpu_exit){ .kind = EXIT_WINDOW };
		return;
	case 2:
		assert_int_equal(rig_injected_irq, 0x55);
		assert_int_equal(rig_window, 0);
		vcpu_post_irq(vcpu, 0x54);              /* of the class in service: only its end lets it in */
		*exit = (struct vcpu_exit){ .kind = EXIT_CPUID, .length = 2 };
		return;
	case 3:
		assert_int_equal(rig_window, 0);
		rig_leave();
	}
}

static void a_lowered_task_priority_lets_interrupts_in(void **state)
{
	(void)state;
	rig_create(1, 1, NULL);
	assert_true(vlapic_msr_write(vms[0].vcpus[0], 0x80f, 0x1ff));
	reset(1);
	rig_run = lower_the_priority;
	rig_schedule();
	assert_int_equal(entries, 4);
}

/* The priority falls and HLT follows with nothing in between that would have told: it is taken, not passed over. */
static void halt_below_the_priority(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	vcpu->regs.rflags |= RFLAGS_IF;
	if (entries == 0) {
		rig_tpr = 0xf0;
		vcpu_post_irq(vcpu, 0x55);
		__atomic_store_n(&vcpu->attention, 0, __ATOMIC_RELEASE);
		rig_tpr = 0;
	}
	if (rig_injected_irq >= 0 || entries++ > 2)
		rig_leave();
	*exit = (struct vcpu_exit){ .kind = EXIT_HLT, .length = 1 };
}

static void halt_takes_what_the_priority_lets_in(void **state)
{
	(void)state;
	rig_create(1, 1, NULL);
	assert_true(vlapic_msr_write(vms[0].vcpus[0], 0x80f, 0x1ff));
	reset(1);
	rig_run = halt_below_the_priority;
	rig_schedule();
	assert_int_equal(rig_injected_irq, 0x55);
	assert_int_equal(entries, 1);
}

static void fall(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	if (vcpu->vm->number == 1) {
		entries++;
		exit->kind = EXIT_SHUTDOWN;
		return;
	}
	spin(vcpu, exit);
}

static void a_dead_vm_is_out_and_starts_again_as_often_as_told(void **state)
{
	(void)state;
	machine.vms[1].max_restarts = 2;
	rig_create(2, 1, NULL);
	reset(100000000);
	rig_run = fall;
	rig_schedule();
	assert_int_equal(entries, 3);
	assert_int_equal(vms[1].state, LZR_VM_DEAD);
	assert_int_equal(vms[1].reason, LZR_STOP_TRIPLE_FAULT);
	assert_int_equal(vms[1].instance, 3);
	assert_int_equal(vms[0].instance, 1);   /* each counts its own */
	assert_int_equal(vms[1].epoch, 12);     /* started, running, why it stops, stopped: each three times */
	assert_int_equal(rig_audits[LZR_AUDIT_VM_STOP], 3);
	assert_int_equal(rig_abouts[1], 3);
	assert_int_equal(rig_says, 0);          /* the hypervisor's share of the console is for what is its own */
	assert_true(ran[0] >= 99000000);
}

static void assert_clean(struct vm *vm)
{
	const uint8_t *ram = guest_ptr(vm, gpa(0), RIG_MEMORY);

	for (uint64_t i = 0; i < RIG_MEMORY; i++)
		assert_int_equal(ram[i], 0);
}

/* Neither what lay there before the VM nor what its last instance wrote is there when it starts. */
static void a_start_clears_memory(void **state)
{
	(void)state;
	machine.vms[1].max_restarts = 1;
	rig_create(2, 1, NULL);
	assert_clean(&vms[1]);
	memset(guest_ptr(&vms[1], gpa(0), RIG_MEMORY), RIG_LEFT_BEHIND, RIG_MEMORY);
	reset(100000000);
	rig_run = fall;
	rig_schedule();
	assert_int_equal(vms[1].instance, 2);
	assert_clean(&vms[1]);
}

static void unmapped(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	if (vcpu->vm->number == 0)
		*exit = (struct vcpu_exit){ .kind = EXIT_MEMORY, .detail = 0xdead000 };
	else
		spin(vcpu, exit);
}

static void an_access_outside_the_map_stops_one_vm(void **state)
{
	(void)state;
	rig_create(2, 1, NULL);
	reset(10000000);
	rig_run = unmapped;
	rig_schedule();
	assert_int_equal(vms[0].reason, LZR_STOP_BAD_ACCESS);
	assert_int_equal(vms[1].state, LZR_VM_RUNNING);
}

static void unknown(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	(void)vcpu;
	*exit = (struct vcpu_exit){ .kind = EXIT_UNKNOWN, .detail = 0x77 };
}

static void an_unknown_exit_stops_the_vm(void **state)
{
	(void)state;
	rig_create(1, 1, NULL);
	rig_run = unknown;
	rig_schedule();
	assert_int_equal(vms[0].reason, LZR_STOP_UNKNOWN_EXIT);
	assert_int_equal(rig_idles, 1);
}

static void halt_for_ever(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	(void)vcpu;
	*exit = (struct vcpu_exit){ .kind = EXIT_HLT, .length = 1 };
}

static void all_asleep_for_ever_stops_the_vm(void **state)
{
	(void)state;
	rig_create(1, 2, NULL);
	rig_run = halt_for_ever;
	rig_schedule();
	assert_int_equal(vms[0].reason, LZR_STOP_HALTED);
}

static void a_shadow_holds_the_interrupt_back(void **state)
{
	struct vcpu *vcpu;

	(void)state;
	rig_create(1, 1, NULL);
	vcpu = vms[0].vcpus[0];
	assert_true(vlapic_msr_write(vcpu, 0x80f, 0x1ff));
	vcpu->regs.rflags |= RFLAGS_IF;
	vcpu->shadow = true;
	vcpu_post_irq(vcpu, 0x66);
	reset(1);
	rig_run = spin;
	rig_schedule();
	assert_int_equal(rig_injected_irq, -1);
	vcpu->shadow = false;
	rig_schedule();
	assert_int_equal(rig_injected_irq, 0x66);
}

static void interrupts_off_asks_for_a_window(void **state)
{
	struct vcpu *vcpu;

	(void)state;
	rig_create(1, 1, NULL);
	vcpu = vms[0].vcpus[0];
	assert_true(vlapic_msr_write(vcpu, 0x80f, 0x1ff));
	vcpu_post_irq(vcpu, 0x66);
	reset(1);
	rig_run = spin;
	rig_schedule();
	assert_int_equal(rig_injected_irq, -1);
	assert_int_equal(rig_window, 6);
}

static void sipi_starts_a_waiting_vcpu(void **state)
{
	struct vcpu *vcpu;

	(void)state;
	rig_create(1, 2, NULL);
	vcpu = vms[0].vcpus[1];
	assert_int_equal(vcpu->state, VCPU_WAIT_SIPI);
	assert_true(vlapic_msr_write(vms[0].vcpus[0], 0x830, 1ull << 32 | 0xc500));
	assert_true(vlapic_msr_write(vms[0].vcpus[0], 0x830, 1ull << 32 | 0x69a));
	reset(5000000);
	rig_run = spin;
	rig_schedule();
	assert_int_equal(vcpu->state, VCPU_READY);
	assert_int_equal(vcpu->regs.rip, 0x9a000);
	assert_int_equal(vms[0].reason, LZR_STOP_NONE);
	assert_true(vlapic_msr_write(vms[0].vcpus[0], 0x830, 1ull << 32 | 0x69b)); /* a second one changes nothing */
	reset(5000000);
	rig_schedule();
	assert_int_equal(vcpu->regs.rip, 0x9a000);
}

/* The delivery of a reflected exception raises it again, with no instruction and so no host interrupt in between. */
static void reflect(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	if (vcpu->vm->number) {
		spin(vcpu, exit);
		return;
	}
	assert_true(++entries < 1000);
	rig_now += 10000;
	*exit = (struct vcpu_exit){ .kind = EXIT_REFLECT, .detail = VECTOR_AC };
}

static void an_exception_without_end_keeps_nobody_waiting(void **state)
{
	(void)state;
	rig_create(2, 1, NULL);
	reset(10000000);
	rig_run = reflect;
	rig_schedule();
	assert_int_equal(rig_injected_exception, VECTOR_AC);
	assert_true(rig_windows >= entries);
	assert_true(ran[1] >= 4000000);
}

static void who_follows_a_stopped_vm_inherits_no_predictions(void **state)
{
	(void)state;
	rig_create(2, 1, NULL);
	reset(10000000);
	rig_run = unmapped;
	rig_schedule();
	assert_int_equal(vms[0].reason, LZR_STOP_BAD_ACCESS);
	assert_int_equal(rig_flushes, 1);
}

static void off(struct vcpu *vcpu, struct vcpu_exit *exit)
{
	vm_stop(vcpu->vm, LZR_STOP_POWER_OFF, 0);
	*exit = (struct vcpu_exit){ .kind = EXIT_IGNORE };
}

/* A control call that came too late for one instance says nothing about the next. */
static void a_late_restart_is_forgotten(void **state)
{
	(void)state;
	machine.vms[0].max_restarts = 5;
	vm_privates[0].restart_wanted = 1;
	rig_create(1, 1, NULL);
	rig_run = off;
	rig_schedule();
	assert_int_equal(vms[0].state, LZR_VM_STOPPED);
	assert_int_equal(vms[0].instance, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(spinning_vms_share_evenly),
		TEST(a_waking_vm_goes_before_a_spinning_one),
		TEST(nothing_to_do_is_sleep),
		TEST(sleep_is_short_while_the_console_is_fed),
		TEST(an_interrupt_wakes_its_vcpu),
		TEST(a_lowered_task_priority_lets_interrupts_in), TEST(halt_takes_what_the_priority_lets_in),
		TEST(a_dead_vm_is_out_and_starts_again_as_often_as_told),
		TEST(a_start_clears_memory),
		TEST(an_access_outside_the_map_stops_one_vm),
		TEST(an_unknown_exit_stops_the_vm),
		TEST(all_asleep_for_ever_stops_the_vm),
		TEST(a_shadow_holds_the_interrupt_back),
		TEST(interrupts_off_asks_for_a_window),
		TEST(sipi_starts_a_waiting_vcpu),
		TEST(an_exception_without_end_keeps_nobody_waiting),
		TEST(who_follows_a_stopped_vm_inherits_no_predictions),
		TEST(a_late_restart_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
