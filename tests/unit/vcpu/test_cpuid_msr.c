/* SPDX-License-Identifier: Apache-2.0 */
#include "rig.h"

static const struct lzr_manifest_cpuid rows[] = {
	{ 0, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_NONE, { 0x40 }, { 0x0f, 0xffffffff, 0xff } },
	{ 1, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_FEATURES, { 0, 0, 1u << 27 }, { 0, 0xffffffff, 0, 0 } },
	{ 7, 0, LZR_CPUID_NONE, { 7 }, { 0 } },
	{ 7, 2, LZR_CPUID_NONE, { 72 }, { 0 } },
	{ 0xb, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_TOPOLOGY, { 0 }, { 0 } },
	{ 0x40000010, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_TSC, { 0 }, { 0 } },
	{ 0x80000008, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_ADDRESS, { 0x3000 }, { 0 } },
};

static const struct lzr_manifest_msr msrs[] = {
	{ 0x10, LZR_MSR_PASS, 0, 0, 0, 0 },
	{ 0x1b, LZR_MSR_EMULATED, 0, 0, 0, 0 },
	{ 0x8b, LZR_MSR_FIXED, 1, 2, 0, 0 },
	{ 0x277, LZR_MSR_PASS, 0, 0, 0, 0 },
	{ 0x300, LZR_MSR_SHADOW, 0, 0x10, 0, 0x0f },
	{ 0x301, LZR_MSR_SHADOW, 0, 0x20, 0, 0xff },
	{ 0xc0000080, LZR_MSR_EMULATED, 0, 0, 0, 0 },
	{ 0xc0000103, LZR_MSR_PASS, 0, 0, 0, 0 },
};

static struct vcpu *start(unsigned vcpus)
{
	rig_image.cpuid = rows;
	rig_image.cpuid_count = ARRAY_LENGTH(rows);
	rig_image.msr = msrs;
	rig_image.msr_count = ARRAY_LENGTH(msrs);
	rig_create(1, vcpus, NULL);
	return vms[0].vcpus[vcpus - 1];
}

static const uint64_t *ask(struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf)
{
	vcpu->regs.gpr[RAX] = 0xffffffff00000000 | leaf;
	vcpu->regs.gpr[RCX] = 0xffffffff00000000 | subleaf;
	cpuid_answer(vcpu);
	return vcpu->regs.gpr;
}

static void a_row_is_fixed_or_masked(void **state)
{
	const uint64_t *r = ask(start(1), 0, 5);

	(void)state;
	assert_int_equal(r[RAX], 0x41);
	assert_int_equal(r[RBX], 0);
	assert_int_equal(r[RCX], 0xcc);
	assert_int_equal(r[RDX], 0);
}

static void subleaves_are_exact(void **state)
{
	struct vcpu *vcpu = start(1);

	(void)state;
	assert_int_equal(ask(vcpu, 7, 0)[RAX], 7);
	assert_int_equal(ask(vcpu, 7, 2)[RAX], 72);
	assert_int_equal(ask(vcpu, 7, 1)[RAX], 0);
	assert_int_equal(ask(vcpu, 7, 0xffffffff)[RAX], 0);
}

static void unlisted_leaves_are_zero(void **state)
{
	static const uint32_t leaves[] = { 2, 6, 0x40, 0x3fffffff, 0x40000000, 0x4000ffff, 0x80000007, 0xbfffffff,
					   0xc0000000, 0xffffffff };
	struct vcpu *vcpu = start(1);

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(leaves); i++) {
		const uint64_t *r = ask(vcpu, leaves[i], 0);

		assert_int_equal(r[RAX] | r[RBX] | r[RCX] | r[RDX], 0);
	}
}

/* The row behind the last has a leaf, too, and a guest may ask for it with any ECX. */
static void the_row_behind_the_last_ends_every_search(void **state)
{
	static const uint32_t subleaves[] = { 0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };
	struct vcpu *vcpu = start(1);
	struct cpuid_row *behind = vm_private(&vms[0])->cpuid + ARRAY_LENGTH(rows);

	(void)state;
	for (unsigned i = 1; i < 100; i++)      /* what lies there is nobody's: here it would answer */
		behind[i] = (struct cpuid_row){ .leaf = behind->leaf, .subleaf = LZR_CPUID_ANY_SUBLEAF,
						.value = { 1, 1, 1, 1 } };
	for (unsigned i = 0; i < ARRAY_LENGTH(subleaves); i++) {
		const uint64_t *r = ask(vcpu, behind->leaf, subleaves[i]);

		assert_int_equal(r[RAX] | r[RBX] | r[RCX] | r[RDX], 0);
	}
}

/* CR4 and XCR0 have what CPUID shows; OSXSAVE needs XSAVE. */
static void control_bits_follow_cpuid(void **state)
{
	static const struct lzr_manifest_cpuid all[] = {
		{ 1, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_FEATURES, { 0, 0, 1u << 26 | 1u << 17, 0xffffffff }, { 0 } },
		{ 7, 0, LZR_CPUID_NONE, { 0, 0xffffffff, 0xffffffff, 0xffffffff }, { 0 } },
		{ 7, 1, LZR_CPUID_NONE, { 0 }, { 0 } },
		{ 0xd, 0, LZR_CPUID_XSAVE, { 7, 0, 0, 1 }, { 0 } },
	}, few[] = { { 1, LZR_CPUID_ANY_SUBLEAF, LZR_CPUID_FEATURES, { 0, 0, ~(1u << 26), 1u << 6 }, { 0 } } };

	(void)state;
	rig_image.cpuid = all;
	rig_image.cpuid_count = ARRAY_LENGTH(all);
	rig_create(1, 1, NULL);
	/* Not SMXE, VMXE, LA57, CET, nor what has no name. */
	assert_int_equal(vm_private(&vms[0])->cr4_bits, 0x770fff);
	assert_int_equal(vm_private(&vms[0])->xcr0_bits, 0x100000007);
	rig_setup(NULL);
	rig_image.cpuid = few;
	rig_image.cpuid_count = ARRAY_LENGTH(few);
	rig_create(1, 1, NULL);
	assert_int_equal(vm_private(&vms[0])->cr4_bits, 0x20120);
	assert_int_equal(vm_private(&vms[0])->xcr0_bits, 0);
	rig_setup(NULL);
	rig_create(1, 1, NULL);
	assert_int_equal(vm_private(&vms[0])->cr4_bits, 0x100); /* PCE has no flag, and RDPMC exits */
}

static bool xsetbv_passes(struct vcpu *vcpu, uint64_t value)
{
	const struct vcpu_exit exit = { .kind = EXIT_XSETBV, .length = 3 };

	rig_injected_exception = -1;
	vcpu->regs.gpr[RAX] = (uint32_t)value;
	vcpu->regs.gpr[RDX] = value >> 32;
	vcpu->regs.gpr[RCX] = 0;
	assert_true(exit_handle(vcpu, &exit));
	return rig_injected_exception == -1;
}

static void components_that_cpuid_hides_stay_off(void **state)
{
	static const struct lzr_manifest_cpuid shown[] = { { 0xd, 0, LZR_CPUID_XSAVE, { 3 }, { 0 } } };

	(void)state;
	rig_image.cpuid = shown;
	rig_image.cpuid_count = 1;
	rig_create(1, 1, NULL);
	assert_true(xsetbv_passes(vms[0].vcpus[0], 3));
	assert_false(xsetbv_passes(vms[0].vcpus[0], 7));
	assert_false(xsetbv_passes(vms[0].vcpus[0], 1ull << 32 | 1));
}

/* A trap flag over an instruction that is emulated, whichever it is; a resume flag ends behind it. */
static void single_steps_and_resume_flag(void **state)
{
	static const struct vcpu_exit exits[] = {
		{ .kind = EXIT_CPUID, .length = 2 }, { .kind = EXIT_MSR, .length = 2 },
		{ .kind = EXIT_HLT, .length = 1 },
		{ .kind = EXIT_IO, .length = 2, .size = 1, .port = 0x80, .write = true },
		{ .kind = EXIT_HYPERCALL, .length = 3 }, { .kind = EXIT_IGNORE, .length = 2 },
		{ .kind = EXIT_REGISTER },
	};
	struct vcpu *vcpu = start(1);

	(void)state;
	rig_access = (struct vcpu_exit){ .kind = EXIT_IGNORE, .length = 4 };
	for (unsigned i = 0; i < ARRAY_LENGTH(exits); i++) {
		unsigned length = exits[i].kind == EXIT_REGISTER ? 4 : exits[i].length;

		vcpu->regs.gpr[RAX] = 0;
		vcpu->regs.gpr[RCX] = 0x8b;
		vcpu->regs.rip = 0x1000;
		vcpu->regs.rflags = 2 | RFLAGS_TF | RFLAGS_RF;
		vcpu->shadow = true;
		rig_injected_exception = -1;
		assert_true(exit_handle(vcpu, &exits[i]));
		assert_int_equal(rig_injected_exception, VECTOR_DB);
		assert_int_equal(vcpu->regs.rip, 0x1000 + length);
		assert_int_equal(vcpu->regs.rflags, 2 | RFLAGS_TF);
		assert_false(vcpu->shadow);
		assert_int_equal(vcpu->state, VCPU_READY);
	}
	vcpu->regs.rflags = 2 | RFLAGS_TF;
	vcpu->regs.gpr[RCX] = 0x999;            /* a fault is not the end of an instruction */
	assert_true(exit_handle(vcpu, &exits[1]));
	assert_int_equal(rig_injected_exception, VECTOR_GP);
}

/* What the backend says of an access is what happens; a host interrupt that came first leaves it for the next time. */
static void accesses_end_as_the_backend_says(void **state)
{
	static const struct { struct vcpu_exit end; int exception; } cases[] = {
		{ { .kind = EXIT_INTERRUPT }, -1 }, { { .kind = EXIT_PROTECTION }, VECTOR_GP },
		{ { .kind = EXIT_UNDEFINED }, VECTOR_UD }, { { .kind = EXIT_REFLECT, .detail = VECTOR_DB }, VECTOR_DB },
	};
	const struct vcpu_exit exit = { .kind = EXIT_REGISTER };
	struct vcpu *vcpu = start(1);

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		rig_access = cases[i].end;
		rig_injected_exception = -1;
		vcpu->regs.rip = 0x1000;
		assert_true(exit_handle(vcpu, &exit));
		assert_int_equal(rig_injected_exception, cases[i].exception);
		assert_int_equal(vcpu->regs.rip, 0x1000);
	}
}

static void computed_leaves_follow_the_vcpu(void **state)
{
	struct vcpu *vcpu = start(3);
	const uint64_t *r = ask(vcpu, 1, 0);

	(void)state;
	assert_int_equal(r[RBX] >> 24, 2);
	assert_int_equal(r[RBX] >> 16 & 0xff, 3);
	assert_int_equal(r[RCX] & 1u << 27, 0);
	rig_cr4 = 1u << 18;
	assert_int_equal(ask(vcpu, 1, 0)[RCX] & 1u << 27, 1u << 27);
	rig_cr4 = 0;
	r = ask(vcpu, 0xb, 1);
	assert_int_equal(r[RAX], 2);
	assert_int_equal(r[RBX], 3);
	assert_int_equal(r[RDX], 2);
	assert_int_equal(ask(vcpu, 0x40000010, 0)[RAX], 2000000);
	assert_int_equal(ask(vcpu, 0x80000008, 0)[RAX], 0x3028);
}

static void a_leaf_that_cannot_be_indexed_is_refused(void **state)
{
	static const struct lzr_manifest_cpuid odd[] = { { 0x20000000, 0, 0, { 1 }, { 0 } } };

	(void)state;
	rig_image = (struct image_config){ .memory = RIG_MEMORY, .vcpus = 1, .cpuid = odd, .cpuid_count = 1 };
	machine.vm_count = 1;
	machine.vms[0] = (struct vm_config){ .name = "vm", .image = &rig_image };
	assert_int_equal(vms_create(), HV_UNSUPPORTED);
	assert_true(rig_says);
}

static void msr_rules(void **state)
{
	struct vcpu *vcpu = start(1);
	uint64_t value;

	(void)state;
	assert_true(msr_read(vcpu, 0x8b, &value));
	assert_int_equal(value, 0x100000002);
	assert_true(msr_write(vcpu, 0x8b, 77));
	assert_true(msr_read(vcpu, 0x8b, &value));
	assert_int_equal(value, 0x100000002);
	assert_true(msr_write(vcpu, 0x300, 0x1f));
	assert_false(msr_write(vcpu, 0x300, 0x2f));
	assert_true(msr_write(vcpu, 0x301, 0x77));
	assert_true(msr_read(vcpu, 0x300, &value));
	assert_int_equal(value, 0x1f);
	assert_true(msr_read(vcpu, 0x301, &value));
	assert_int_equal(value, 0x77);
	assert_false(msr_write(vcpu, 0x10, 1));
	assert_false(msr_write(vcpu, 0x277, 2));
	assert_true(msr_write(vcpu, 0x277, 0x0606060606060606));
	assert_false(msr_write(vcpu, 0xc0000103, 1ull << 32));
	assert_true(msr_write(vcpu, 0xc0000103, 5));
	assert_int_equal(vcpu->xstate.tsc_aux, 5);
}

static void denied_msrs_are_audited_once(void **state)
{
	struct vcpu *vcpu = start(1);
	uint64_t value;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_false(msr_read(vcpu, 0xc0010117, &value));
	assert_int_equal(rig_audits[LZR_AUDIT_MSR_DENIED], 1);
	assert_int_equal(rig_audit_arg0, 0xc0010117);
	for (uint32_t i = 0; i < 1000; i++)
		assert_false(msr_write(vcpu, 0xc0011000 + i, 0));
	assert_int_equal(rig_audits[LZR_AUDIT_MSR_DENIED], ONCE_MAX);
}

static void a_denied_msr_gives_gp(void **state)
{
	struct vcpu *vcpu = start(1);
	struct vcpu_exit exit = { .kind = EXIT_MSR, .length = 2, .write = true };

	(void)state;
	vcpu->regs.gpr[RCX] = 0x999;
	vcpu->regs.rip = 100;
	assert_true(exit_handle(vcpu, &exit));
	assert_int_equal(rig_injected_exception, VECTOR_GP);
	assert_int_equal(vcpu->regs.rip, 100);
}

static void rules_outside_the_closed_lists_are_refused(void **state)
{
	static const struct lzr_manifest_msr bad[][1] = {
		{ { 0xc0010117, LZR_MSR_PASS, 0, 0, 0, 0 } }, { { 0x1a0, LZR_MSR_EMULATED, 0, 0, 0, 0 } },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
		rig_image.msr = bad[i];
		rig_image.msr_count = 1;
		assert_int_equal(msr_check(&rig_image), HV_UNSUPPORTED);
	}
	rig_image.msr = msrs;
	rig_image.msr_count = ARRAY_LENGTH(msrs);
	assert_true(msr_passes(&rig_image, 0x10, false));
	assert_false(msr_passes(&rig_image, 0x10, true));
	assert_false(msr_passes(&rig_image, 0x277, false));
	assert_false(msr_passes(&rig_image, 0xc0000101, false));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_row_is_fixed_or_masked), TEST(subleaves_are_exact), TEST(unlisted_leaves_are_zero),
		TEST(the_row_behind_the_last_ends_every_search),
		TEST(control_bits_follow_cpuid), TEST(components_that_cpuid_hides_stay_off),
		TEST(single_steps_and_resume_flag), TEST(accesses_end_as_the_backend_says),
		TEST(computed_leaves_follow_the_vcpu), TEST(a_leaf_that_cannot_be_indexed_is_refused), TEST(msr_rules),
		TEST(denied_msrs_are_audited_once), TEST(a_denied_msr_gives_gp),
		TEST(rules_outside_the_closed_lists_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
