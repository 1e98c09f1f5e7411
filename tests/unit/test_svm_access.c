/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CR4 and the debug registers over a guest that executes one move at a time: which value the guest gets, which the CPU
 * has while the guest runs, and what root mode has at every entry.  Numbers are the manual's (AMD64 Architecture
 * Programmer's Manual, volume 2, "Debug Registers", "CR4 Register").
 */
#include "svm_rig.h"

#define TF 0x100u
#define RF 0x10000u
#define BD 0x2000u
#define BS 0x4000u
#define GD 0x2000u
#define MCE 0x40u
#define AT 0x1000000u
#define HYPERVISOR 0xffffffff800c0080ull
#define STACK 0xffffff000001fff8ull

/* The instruction at RIP: between `reg` and CR4 (20 + write) or a debug register. */
static struct move { bool write, cr; unsigned number, reg, length; } move;
static uint32_t first;                  /* what comes before it; 0: nothing */
static struct vm_private private;
static const struct move write_cr4 = { true, true, 4, RSI, 4 }, read_cr4 = { false, true, 4, RDI, 3 };

static uint64_t *general(unsigned number)
{
	return number == RAX ? &vmcb.rax : number == RSP ? &vmcb.rsp : &vcpu.regs.gpr[number];
}

static void access_register(void)
{
	uint64_t *reg = general(move.reg), *at = move.cr ? &vmcb.cr4 : move.number > 3 ? &vmcb.dr7 :
						  &cpu_fake.dr[move.number];
	bool wide = vmcb.cs.attributes & 0x200;

	if (move.write)
		*at = wide ? *reg : (uint32_t)*reg;
	else
		*reg = *at;
	vmcb.rip += move.length;
}

/* No breakpoint of anybody's is armed where this is entered, and machine checks are on but for the very read of CR4. */
static void one_move(void)
{
	uint32_t intercepts = move.cr ? vmcb.intercept.cr : vmcb.intercept.dr;
	bool exits = intercepts >> (move.number + 16 * move.write) & 1;

	assert_true(vmcb.cr4 & MCE || (move.cr && !move.write && !exits));
	if (first) {
		vmcb.exit_code = first;
	} else if (exits) {
		vmcb.exit_code = (move.cr ? 0x00 : 0x20) + 0x10 * move.write + move.number;
	} else if (!move.cr && move.number == 5 && vmcb.cr4 & 8) {
		vmcb.exit_code = 0x46;
	} else {
		access_register();
		vmcb.exit_code = 0x72;
		if (vmcb.rflags & TF) {
			vmcb.dr6 |= BS;
			vmcb.exit_code = 0x41;
		}
	}
}

static int set_up(void **state)
{
	svm_rig_reset(state);
	memset(&private, 0, sizeof(private));
	private.cr4_bits = 0x3107ff;            /* all of them but MCE's neighbours */
	vcpu.private = &private;
	vcpu.xstate = (struct xstate){ .dr = { 0 } };
	guest = one_move;
	first = 0;
	move = (struct move){ .length = 3 };
	vmcb.intercept.dr = 0x00af0000;         /* test_svm_boot.c: control_block */
	svm_on_emulator = true;
	armed = 0;
	return 0;
}

/* The exit and what register_access makes of it; *general(reg) is what the guest had there. */
static enum exit_kind perform(struct move what)
{
	struct vcpu_regs regs = vcpu.regs;
	uint64_t rsp = vmcb.rsp, rflags = vmcb.rflags;

	cpu_fake.trace[0] = 0;
	move = what;
	move.length = what.length ? what.length : 3;
	vcpu.regs.rip = AT;
	run();
	if (out.kind != EXIT_REGISTER)
		return out.kind;
	svm_backend.register_access(&vcpu, &out);
	for (unsigned i = 0; i < 16; i++)
		if (i != RSP && (what.write || i != what.reg))
			assert_int_equal(vcpu.regs.gpr[i], regs.gpr[i]);
	if (what.write || what.reg != RSP)
		assert_int_equal(vmcb.rsp, rsp);
	assert_int_equal(vmcb.rflags, rflags);
	assert_int_equal(vcpu.regs.rip, AT);
	return out.kind;
}

static void put(unsigned reg, uint64_t value)
{
	vcpu.regs.gpr[reg] = value;
	if (reg == RSP)
		vmcb.rsp = value;
}

static uint64_t got(unsigned reg)
{
	return reg == RSP ? vmcb.rsp : vcpu.regs.gpr[reg];
}

static void set_dr(unsigned number, uint64_t value)
{
	put(RDX, value);
	assert_int_equal(perform((struct move){ .write = true, .number = number, .reg = RDX }), EXIT_IGNORE);
}

/* --- debug registers ---------------------------------------------------------------------------------------------- */

static void every_register_is_told_apart(void **state)
{
	(void)state;
	for (unsigned number = 0; number < 8; number++) {
		if (number == 4 || number == 6)
			continue;
		for (unsigned reg = 0; reg < 16; reg++) {
			uint64_t value = (number < 4 ? 0xabcd000000000000 : 0) | 0x400u | reg << 20 | 1u << number % 4;

			for (unsigned i = 0; i < 16; i++)
				put(i, 0x7777000000000000 + i);
			put(reg, value);
			assert_int_equal(perform((struct move){ true, false, number, reg, 3 + reg / 8 }), EXIT_IGNORE);
			assert_int_equal(out.length, 3 + reg / 8);
			assert_int_equal(number < 4 ? vcpu.xstate.dr[number] : vmcb.dr7, value);
			assert_memory_equal(cpu_fake.dr, vcpu.xstate.dr, sizeof(cpu_fake.dr));
			assert_int_equal(vmcb.dr6, 0xffff0ff0);
			vmcb.dr7 = 0x400;
		}
	}
}

static void only_32_bits_outside_64_bit_code(void **state)
{
	(void)state;
	vmcb.cs.attributes = 0xc9b;
	put(RBX, 0x1234567800000455);
	assert_int_equal(perform((struct move){ .write = true, .number = 7, .reg = RBX }), EXIT_IGNORE);
	assert_int_equal(vmcb.dr7, 0x455);
	assert_int_equal(perform((struct move){ .write = true, .number = 2, .reg = RBX }), EXIT_IGNORE);
	assert_int_equal(vcpu.xstate.dr[2], 0x455);
}

static void what_a_cpu_refuses(void **state)
{
	const struct move write7 = { .write = true, .number = 7, .reg = RCX }, write5 = { true, false, 5, RCX, 3 };

	(void)state;
	put(RCX, 1ull << 32 | 0x400);
	assert_int_equal(perform(write7), EXIT_PROTECTION);
	assert_int_equal(vmcb.dr7, 0x400);
	put(RCX, 0xffffffff);
	assert_int_equal(perform(write7), EXIT_IGNORE);
	assert_int_equal(vmcb.dr7, 0xffff27ff);         /* bits 11, 12, 14, 15 read zero, bit 10 one */
	for (unsigned number = 0; number < 8; number++) {
		if (number == 4 || number == 6)
			continue;
		vmcb.dr6 = 0xffff0ff0;
		assert_int_equal(perform((struct move){ true, false, number, RCX, 3 }), EXIT_REFLECT);
		assert_int_equal(out.detail, 1);
		assert_int_equal(vmcb.dr6, 0xffff0ff0 | BD);
	}
	svm_backend.inject_exception(&vcpu, 1, false, 0);
	assert_int_equal(vmcb.dr7, 0xffff07ff);         /* delivery ends general detect */
	vmcb.cr4 |= 8;
	assert_int_equal(perform(write5), EXIT_UNDEFINED);
	assert_int_equal(vmcb.dr7, 0xffff07ff);
}

/* Nothing reads as written that was not: what comes first is the host's, and the guest tries again. */
static void something_comes_first(void **state)
{
	static const struct { uint32_t code; enum exit_kind kind; } ends[] = {
		{ 0x60, EXIT_INTERRUPT }, { 0x61, EXIT_INTERRUPT }, { 0x64, EXIT_INTERRUPT }, { 0x4e, EXIT_INTERRUPT },
		{ 0x4d, EXIT_INTERRUPT }, { 0x400, EXIT_INTERRUPT }, { 0x7c, EXIT_INTERRUPT },
		{ 0x46, EXIT_UNDEFINED }, { 0x52, EXIT_MACHINE_CHECK }, { 0x7f, EXIT_MACHINE_CHECK },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(ends); i++) {
		struct vmcb before;

		put(RCX, 0x455);
		vmcb.rax = vcpu.regs.gpr[RAX];
		before = vmcb;
		for (unsigned what = 0; what < 3; what++) {
			out = (struct vcpu_exit){ .kind = EXIT_REGISTER };
			out.detail = what == 0 ? 0x04 : what == 1 ? 0x14 : 0x37;
			move = what == 0 ? read_cr4 : what == 1 ? write_cr4 : (struct move){ true, false, 7, RCX, 3 };
			first = ends[i].code;
			svm_backend.register_access(&vcpu, &out);
			first = 0;
			vmcb.rax = vcpu.regs.gpr[RAX];  /* as at every entry */
			assert_int_equal(out.kind, ends[i].kind);
			assert_memory_equal(&vmcb.intercept, &before.intercept, 24);
			assert_memory_equal(&vmcb.es, &before.es, sizeof(vmcb) - offsetof(struct vmcb, es));
			assert_int_equal(vcpu.regs.gpr[RCX], 0x455);
		}
	}
}

/* What the emulator's list is given, and that it is emptied: svm_enter_armed's business, so all others go without. */
static void armed_in_the_guest_only(void **state)
{
	(void)state;
	set_dr(0, 0x401000);
	assert_int_equal(armed, 0);
	set_dr(7, 0x402);
	assert_int_equal(perform((struct move){ .number = 7, .reg = RBX }), EXIT_CPUID);
	assert_int_equal(armed, 0x402);
	assert_int_equal(seen.dr7, 0x402);
	assert_int_equal(got(RBX), 0x402);
	armed = 0;
	set_dr(0, 0x402000);                    /* armed at the exit, not while it is moved */
	assert_int_equal(entries, 7);
	armed = 0;
	run();
	assert_int_equal(armed, 0x402);
	set_dr(7, 0x400);
	armed = 0;
	run();
	assert_int_equal(armed, 0);
	set_dr(7, 0x402);
	svm_backend.vcpu_reset(&vcpu, &(struct vcpu_start){ .mode = START_REAL });
	armed = 0;
	run();
	assert_int_equal(armed, 0);
	assert_int_equal(seen.dr7, 0x400);
}

/* Root mode's own code and stacks never are in the list; the guest sees what it wrote all the same. */
static void never_where_root_mode_is(void **state)
{
	static const uint64_t own[] = { HYPERVISOR, STACK, 0xffffff0000000000, 0xffffffff80fffff8 };
	static const uint64_t others[] = { 0x1000, 0xfffffeffffffffff, 0xffffffff81000000, 0xffffffffffffffff,
					   0xffff888000001000 };

	(void)state;
	set_dr(7, 0xdd000702);
	for (unsigned i = 0; i < ARRAY_LENGTH(own); i++)
		for (unsigned k = 0; k < ARRAY_LENGTH(others); k++) {
			set_dr(0, own[i]);
			armed = 0;
			run();
			assert_int_equal(armed, 0);
			assert_int_equal(vmcb.dr7, 0xdd000702);
			set_dr(0, others[k]);
			run();
			assert_int_equal(armed, 0xdd000702);
		}
	set_dr(1, HYPERVISOR);
	set_dr(2, 0x5000);
	set_dr(7, 0x4fff);
	run();
	assert_int_equal(armed, 0x7f3);
	svm_on_emulator = false;                /* a CPU needs none of it */
	set_dr(7, 0x4ff);
	armed = 0;
	run();
	assert_int_equal(armed, 0);
	assert_int_equal(seen.dr7, 0x4ff);
}

/* General detect stays out of root mode, whose own moves it would refuse. */
static void detect_is_not_armed(void **state)
{
	(void)state;
	set_dr(7, 0x402 | GD);
	run();
	assert_int_equal(armed, 0x402);
	assert_int_equal(vmcb.dr7, 0x402 | GD);
}

/* --- CR4 ---------------------------------------------------------------------------------------------------------- */

static uint64_t cr4_of_the_guest(void)
{
	put(RDI, 0x5555);
	if (perform(read_cr4) == EXIT_IGNORE)
		assert_int_equal(out.length, 3);
	assert_int_equal(svm_backend.get_cr4(&vcpu), got(RDI));
	return got(RDI);
}

static void machine_checks_stay_on(void **state)
{
	private.cr4_bits |= MCE;
	assert_int_equal(cr4_of_the_guest(), 0x20);
	put(RSI, 0x20 | MCE);
	assert_int_equal(perform(write_cr4), EXIT_IGNORE);
	assert_int_equal(cr4_of_the_guest(), 0x20 | MCE);
	assert_int_equal(out.kind, EXIT_CPUID);         /* nothing to hide: the read does not exit */
	put(RSI, 0x620);
	assert_int_equal(perform(write_cr4), EXIT_IGNORE);
	assert_int_equal(out.length, 4);
	assert_int_equal(vmcb.cr4, 0x620 | MCE);
	assert_int_equal(cr4_of_the_guest(), 0x620);
	for (unsigned mode = START_REAL; mode <= START_LONG64; mode++) {
		svm_rig_reset(state);
		svm_backend.vcpu_reset(&vcpu, &(struct vcpu_start){ .mode = mode });
		assert_int_equal(vmcb.cr4, MCE | (mode == START_LONG64 ? 0x20 : 0));
		assert_int_equal(vmcb.intercept.cr, 1u << 4 | 1u << 20);
	}
}

static void only_what_cpuid_shows(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		bool shown = private.cr4_bits >> bit & 1;

		put(RSI, 0x20 | 1ull << bit);
		assert_int_equal(perform(write_cr4), shown ? EXIT_IGNORE : EXIT_PROTECTION);
		assert_int_equal(svm_backend.get_cr4(&vcpu), shown ? 0x20 | 1ull << bit : 0x20);
		put(RSI, 0x20);
		assert_int_equal(perform(write_cr4), EXIT_IGNORE);
	}
	put(RSI, 0);                            /* long mode without PAE */
	assert_int_equal(perform(write_cr4), EXIT_PROTECTION);
	vmcb.efer = 0x1000;
	vmcb.cs.attributes = 0xc9b;
	assert_int_equal(perform(write_cr4), EXIT_IGNORE);
	assert_int_equal(vmcb.cr4, MCE);
}

static void translations_are_flushed(void **state)
{
	(void)state;
	run();
	run();
	assert_int_equal(seen.tlb_control, 0);
	put(RSI, 0xa0);
	assert_int_equal(perform(write_cr4), EXIT_IGNORE);
	run();
	assert_int_equal(seen.tlb_control, 1);
}

static void cr4_by_every_register(void **state)
{
	(void)state;
	for (unsigned reg = 0; reg < 16; reg++) {
		uint64_t value = 0x20 | (reg & 1) << 2 | (reg & 2) << 8 | (reg & 4) << 5;

		for (unsigned i = 0; i < 16; i++)
			put(i, 0x7777000000000000 + i);
		put(reg, value);
		assert_int_equal(perform((struct move){ true, true, 4, reg, 3 }), EXIT_IGNORE);
		assert_int_equal(svm_backend.get_cr4(&vcpu), value);
		put(reg, 0);
		assert_int_equal(perform((struct move){ false, true, 4, reg, 3 }), EXIT_IGNORE);
		assert_int_equal(got(reg), value);
	}
}

/* --- CR8 ---------------------------------------------------------------------------------------------------------- */

static void guest_moves_to_cr8(void)
{
	if (vmcb.intercept.cr >> 24 & 1) {
		vmcb.exit_code = 0x18;
		return;
	}
	assert_int_equal(vmcb.vintr >> 8 & 1, 0);       /* no window: the emulator would fall over it */
	vmcb.vintr = (vmcb.vintr & ~15ull) | (vcpu.regs.gpr[R9] & 15);
	vmcb.rip += 4;
	vmcb.exit_code = 0x41;
}

/* The move is the guest's own, and whether an interrupt goes in now is looked at before the next instruction. */
static void cr8_while_a_window_is_wanted(void **state)
{
	(void)state;
	guest = guest_moves_to_cr8;
	vcpu.regs.gpr[R9] = 3;
	svm_backend.set_tpr(&vcpu, 0x20);
	svm_backend.request_window(&vcpu, 5);
	run();
	assert_int_equal(out.kind, EXIT_REGISTER);
	attention = 0;
	svm_backend.register_access(&vcpu, &out);
	assert_int_equal(out.kind, EXIT_IGNORE);
	assert_int_equal(out.length, 4);
	assert_int_equal(svm_backend.get_tpr(&vcpu), 0x30);
	assert_int_equal(vcpu.regs.gpr[R9], 3);
	assert_int_equal(attention, ATTENTION_IRQ);
	put(RSI, 0x20);
	guest = one_move;
	assert_int_equal(perform(write_cr4), EXIT_IGNORE);
	assert_int_equal(vmcb.intercept.cr, 1u << 24 | 1u << 20 | 1u << 4);
}

/* --- behind an emulated instruction ------------------------------------------------------------------------------- */

static void single_steps_are_raised(void **state)
{
	(void)state;
	vmcb.rflags = 2 | RF;
	svm_backend.stepped(&vcpu);
	assert_int_equal(vmcb.rflags, 2);
	assert_int_equal(vmcb.event_inject, 0);
	assert_int_equal(vmcb.dr6, 0xffff0ff0);
	vmcb.rflags = 2 | RF | TF;
	vmcb.dr7 = 0x400 | GD;
	svm_backend.stepped(&vcpu);
	assert_int_equal(vmcb.rflags, 2 | TF);
	assert_int_equal(vmcb.event_inject, 0x80000301);
	assert_int_equal(vmcb.dr6, 0xffff0ff0 | BS);
	assert_int_equal(vmcb.dr7, 0x400);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_register_is_told_apart), TEST(only_32_bits_outside_64_bit_code), TEST(what_a_cpu_refuses),
		TEST(something_comes_first), TEST(armed_in_the_guest_only), TEST(never_where_root_mode_is),
		TEST(detect_is_not_armed), TEST(machine_checks_stay_on), TEST(only_what_cpuid_shows),
		TEST(translations_are_flushed), TEST(cr4_by_every_register), TEST(cr8_while_a_window_is_wanted),
		TEST(single_steps_are_raised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
