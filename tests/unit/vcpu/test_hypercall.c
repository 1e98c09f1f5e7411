/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

static uint64_t call(unsigned vm, uint64_t number, uint64_t rdi, uint64_t rsi)
{
	struct vcpu *vcpu = vms[vm].vcpus[0];
	const struct vcpu_exit exit = { .kind = EXIT_HYPERCALL, .length = 3 };
	uint64_t rip = vcpu->regs.rip;

	vcpu->regs.gpr[RAX] = number;
	vcpu->regs.gpr[RDI] = rdi;
	vcpu->regs.gpr[RSI] = rsi;
	assert_true(exit_handle(vcpu, &exit));
	assert_int_equal(vcpu->regs.rip, rip + 3);
	assert_int_equal(vcpu->regs.gpr[RDI], rdi);
	return vcpu->regs.gpr[RAX];
}

static int setup(void **state)
{
	rig_setup(state);
	machine.vms[0].rights[RIGHT_ATTESTS] = 3;
	machine.vms[1].flags = VM_SERVICE;
	machine.vms[1].rights[RIGHT_READS_AUDIT] = 1;
	machine.vms[1].rights[RIGHT_CONTROLS] = 1u << 2;
	machine.vms[1].rights[RIGHT_INTROSPECTS] = 1u << 2;
	machine.vms[2].max_restarts = 1;
	rig_create(3, 1, NULL);
	return 0;
}

static void anybody_may_ask_for_version_and_time(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(call(i, LZR_CALL_VERSION, 0, 0), LZR_OK);
		assert_int_equal(vms[i].vcpus[0]->regs.gpr[RBX], LZR_ABI_VERSION);
		assert_int_equal(vms[i].vcpus[0]->regs.gpr[RCX], i);
		assert_int_equal(vms[i].vcpus[0]->regs.gpr[RDX], vms[i].instance);
		assert_int_equal(call(i, LZR_CALL_CLOCK, 0, 0), LZR_OK);
		assert_int_equal(vms[i].vcpus[0]->regs.gpr[RBX], rig_now);
	}
}

static void unknown_calls_are_refused(void **state)
{
	(void)state;
	assert_int_equal(call(0, LZR_CALL_DEVICE + 1, 0, 0), LZR_UNKNOWN);
	assert_int_equal(call(0, UINT64_MAX, 0, 0), LZR_UNKNOWN);
	assert_int_equal(call(0, 1ull << 32, 0, 0), LZR_UNKNOWN);
}

static void only_the_attestor_reads(void **state)
{
	(void)state;
	assert_int_equal(call(0, LZR_CALL_READ, LZR_STREAM_VMS, 64), LZR_OK);
	assert_int_equal(vms[0].vcpus[0]->regs.gpr[RBX], 64);
	assert_int_equal(vms[0].vcpus[0]->regs.gpr[RSI], 67);
	assert_int_equal(rig_readable, 3);
	assert_int_equal(call(0, LZR_CALL_READ, LZR_STREAM_VMS, 65), LZR_INVALID);
	assert_int_equal(call(0, LZR_CALL_READ, 99, 0), LZR_UNKNOWN);
	assert_int_equal(call(0, LZR_CALL_READ, 1ull << 32 | LZR_STREAM_VMS, 0), LZR_UNKNOWN);
	assert_int_equal(call(1, LZR_CALL_READ, LZR_STREAM_AUDIT, 0), LZR_OK);
	assert_int_equal(rig_readable, 1);
	assert_int_equal(call(1, LZR_CALL_READ, LZR_STREAM_VMS, 0), LZR_DENIED);
	assert_int_equal(call(2, LZR_CALL_READ, LZR_STREAM_AUDIT, 0), LZR_DENIED);
	assert_int_equal(call(2, LZR_CALL_READ, LZR_STREAM_AUDIT, 0), LZR_DENIED);
	assert_int_equal(rig_audits[LZR_AUDIT_HYPERCALL_DENIED], 2);
}

static void a_service_gets_one_seed_an_instance(void **state)
{
	(void)state;
	assert_int_equal(call(0, LZR_CALL_SEED, 0, 0), LZR_DENIED);
	assert_int_equal(call(1, LZR_CALL_SEED, 0, 0), LZR_OK);
	assert_int_equal(vms[1].vcpus[0]->regs.gpr[RBX], 0x5eed);
	assert_int_equal(call(1, LZR_CALL_SEED, 0, 0), LZR_DENIED);
}

static void control_needs_the_right_over_that_vm(void **state)
{
	(void)state;
	assert_int_equal(call(0, LZR_CALL_CONTROL, 2, LZR_CONTROL_STOP), LZR_DENIED);
	assert_int_equal(call(1, LZR_CALL_CONTROL, 0, LZR_CONTROL_STOP), LZR_DENIED);
	assert_int_equal(call(1, LZR_CALL_CONTROL, 1, LZR_CONTROL_STOP), LZR_DENIED);
	assert_int_equal(call(1, LZR_CALL_CONTROL, 3, LZR_CONTROL_STOP), LZR_UNKNOWN);
	assert_int_equal(call(1, LZR_CALL_CONTROL, 1ull << 33, LZR_CONTROL_STOP), LZR_UNKNOWN);
	assert_int_equal(call(1, LZR_CALL_CONTROL, 2, 77), LZR_UNKNOWN);
	assert_int_equal(vms[2].reason, LZR_STOP_NONE);
	assert_int_equal(call(1, LZR_CALL_CONTROL, 2, LZR_CONTROL_STOP), LZR_OK);
	assert_int_equal(vms[2].reason, LZR_STOP_CONTROL);
	assert_int_equal(call(1, LZR_CALL_CONTROL, 2, LZR_CONTROL_STOP), LZR_BUSY);
}

static uint64_t peek(unsigned holder, uint64_t vm, uint64_t at)
{
	return call(holder, LZR_CALL_PEEK, vm, at);
}

static void memory_is_read_with_the_right_over_that_vm(void **state)
{
	uint64_t *ram = (uint64_t *)hpa_ptr(vms[2].ram) + 0x280020 / 8, *last = hpa_ptr(vms[2].ram);
	const uint64_t *result = vms[1].vcpus[0]->regs.gpr;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		ram[i] = 0x1111111111111111 * (i + 1);
	last[(RIG_MEMORY - 8) / 8] = 99;
	assert_int_equal(peek(1, 2, 0x280020), LZR_OK);
	assert_int_equal(result[RBX], 0x1111111111111111);
	assert_int_equal(result[RCX], 0x2222222222222222);
	assert_int_equal(result[RDX], 0x3333333333333333);
	assert_int_equal(result[RSI], 0x4444444444444444);
	ram[1] = 5;                                             /* that VM runs on */
	assert_int_equal(peek(1, 2, 0x280020), LZR_OK);
	assert_int_equal(result[RCX], 5);
	assert_int_equal(peek(1, 2, RIG_MEMORY - 32), LZR_OK);
	assert_int_equal(result[RSI], 99);
	assert_int_equal(rig_audits[LZR_AUDIT_HYPERCALL_DENIED], 0);
}

static void memory_of_others_is_not(void **state)
{
	static const uint64_t none[] = { 0, 1, 3, 63, 64, 66, 1ull << 32 | 2, 1ull << 63 | 2, UINT64_MAX };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(none); i++)
		assert_int_equal(peek(1, none[i], 0), LZR_DENIED);
	for (unsigned vm = 0; vm < 4; vm++) {
		assert_int_equal(peek(0, vm, 0), LZR_DENIED);   /* attests, but has no such right */
		assert_int_equal(peek(2, vm, 0), LZR_DENIED);   /* not even its own */
		assert_int_equal(vms[2].vcpus[0]->regs.gpr[RSI], 0);
	}
	assert_int_equal(rig_audits[LZR_AUDIT_HYPERCALL_DENIED], 3);
	assert_int_equal(rig_audit_arg0, LZR_CALL_PEEK);
}

static void nothing_but_ram_is_read(void **state)
{
	static const uint64_t outside[] = { 1, 8, 31, 0x280028, RIG_MEMORY - 1, RIG_MEMORY - 16, RIG_MEMORY,
		RIG_MEMORY + 32, 0xfec00000, 0xfed40000, 0xfee00000, 1ull << 32, 1ull << 47, 1ull << 63,
		UINT64_MAX - 63, UINT64_MAX - 31, UINT64_MAX - 15, UINT64_MAX };
	uint64_t *result = vms[1].vcpus[0]->regs.gpr;

	(void)state;
	result[RBX] = 77;
	for (unsigned i = 0; i < ARRAY_LENGTH(outside); i++) {
		assert_int_equal(peek(1, 2, outside[i]), LZR_INVALID);
		assert_int_equal(result[RSI], outside[i]);
	}
	assert_int_equal(result[RBX], 77);
}

/* A stopped VM's memory is what it left there; each start clears it. */
static void a_stopped_vm_is_read_as_it_was_left(void **state)
{
	const uint64_t *result = vms[1].vcpus[0]->regs.gpr;

	(void)state;
	((uint64_t *)hpa_ptr(vms[2].ram))[0] = 123;
	vm_stop(&vms[2], LZR_STOP_POWER_OFF, 0);
	assert_int_equal(peek(1, 2, 0), LZR_OK);
	assert_int_equal(result[RBX], 123);
	vm_vcpu_left(&vms[2]);
	assert_int_equal(vms[2].state, LZR_VM_STOPPED);
	assert_int_equal(peek(1, 2, 0), LZR_OK);
	assert_int_equal(result[RBX], 123);
	vm_private(&vms[2])->load_next = 0;
	while (!vm_start_step(&vms[2])) {
		assert_int_equal(peek(1, 2, 0), LZR_OK);
		assert_int_equal(result[RBX], 0);
	}
	assert_int_equal(vms[2].state, LZR_VM_RUNNING);
	assert_int_equal(peek(1, 2, 0), LZR_OK);
	assert_int_equal(result[RBX], 0);
}

/* What a card may carry is the policy's word, to whose it is. */
static void a_vm_learns_the_labels_of_its_devices(void **state)
{
	const uint64_t *result = vms[1].vcpus[0]->regs.gpr;

	(void)state;
	rig_image.assigns[1].slot = rig_image.assigns[2].slot = 5;
	machine.devices[0] = (struct device_config){ .vm = 2, .place = 1, .label = { 2, { 0 }, 9 } };
	machine.devices[1] = (struct device_config){ .vm = 1, .place = 2, .label = { 3, { 0 }, 1ull << 63 | 1 } };
	machine.devices[2] = (struct device_config){ .vm = 1, .mmio = true };
	machine.device_count = 3;
	assert_int_equal(call(1, LZR_CALL_DEVICE, 5, 0), LZR_OK);
	assert_int_equal(result[RBX], 3);
	assert_int_equal(result[RCX], 1ull << 63 | 1);
	assert_int_equal(call(0, LZR_CALL_DEVICE, 5, 0), LZR_UNKNOWN);
	assert_int_equal(call(1, LZR_CALL_DEVICE, 0, 0), LZR_UNKNOWN);  /* no slot: a platform device */
	assert_int_equal(call(1, LZR_CALL_DEVICE, 5 + 256, 0), LZR_UNKNOWN);
	assert_int_equal(call(1, LZR_CALL_DEVICE, UINT64_MAX, 0), LZR_UNKNOWN);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(anybody_may_ask_for_version_and_time),
		TEST(unknown_calls_are_refused),
		TEST(only_the_attestor_reads),
		TEST(a_service_gets_one_seed_an_instance),
		TEST(control_needs_the_right_over_that_vm),
		TEST(memory_is_read_with_the_right_over_that_vm),
		TEST(memory_of_others_is_not),
		TEST(nothing_but_ram_is_read),
		TEST(a_stopped_vm_is_read_as_it_was_left),
		TEST(a_vm_learns_the_labels_of_its_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
