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
	assert_int_equal(call(0, 5, 0, 0), LZR_UNKNOWN);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(anybody_may_ask_for_version_and_time),
		TEST(unknown_calls_are_refused),
		TEST(only_the_attestor_reads),
		TEST(a_service_gets_one_seed_an_instance),
		TEST(control_needs_the_right_over_that_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
