/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SVM backend with the entry itself faked: what the control block holds when a guest is entered and what an exit is
 * taken for.  Numbers are the manual's (AMD64 Architecture Programmer's Manual, volume 2, "VMCB Layout", "SVM Intercept
 * Exit Codes"), said apart from the product's.
 */
#include "svm_rig.h"

static void cpu_is_prepared(void **state)
{
	(void)state;
	current = 3;
	*cpu_fake_msr(0xc0000080) = 0xd01;
	assert_int_equal(svm_backend.cpu_init(), HV_OK);
	cpu_fake_traced("wrmsr c0000080=1d01 wrmsr c0010117=203000 vmsave 103000");
}

/* --- start -------------------------------------------------------------------------------------------------------- */

static struct vmcb_segment segment(uint16_t selector, uint16_t attributes, uint32_t limit, uint64_t base)
{
	return (struct vmcb_segment){ selector, attributes, limit, base };
}

/* What each start has: AMD64 Architecture Programmer's Manual, volume 2, "Processor Initialization State". */
static struct vmcb start_state(void)
{
	struct vmcb v = { .efer = 0x1000, .dr6 = 0xffff0ff0, .dr7 = 0x400, .pat = 0x0007040600070406, .rflags = 2 };

	v.cr4 = 0x40;                   /* machine checks */
	v.gdtr = v.idtr = segment(0, 0, 0xffff, 0);
	v.ldtr = segment(0, 0x82, 0xffff, 0);
	v.tr = segment(0, 0x8b, 0xffff, 0);
	return v;
}

/* From a vCPU that ran, with everything in its registers and saved state. */
static void assert_reset(const struct vcpu_start *start, struct vmcb expected, uint64_t rip)
{
	memset(&vmcb, 0xa5, sizeof(vmcb));
	memset(&vcpu.regs, 0xa5, sizeof(vcpu.regs));
	vcpu.shadow = true;
	svm.held = true;
	svm.held_tries = 60;
	svm.armed = 0x402;
	svm.flush = svm.prepare = false;
	svm_backend.vcpu_reset(&vcpu, start);
	assert_memory_equal(&vmcb.es, &expected.es, sizeof(vmcb) - offsetof(struct vmcb, es));
	assert_int_equal(vmcb.vintr, 1 << 24);
	assert_int_equal(vmcb.interrupt_shadow, 0);
	assert_int_equal(vmcb.event_inject, 0);
	assert_int_equal(vmcb.intercept_1, 0xa5a5a5a5);         /* not the vCPU's */
	assert_int_equal(vmcb.asid, 0xa5a5a5a5);
	assert_int_equal(vmcb.intercept.cr, 1u << 20 | 1u << 4);        /* CR4, written and read */
	assert_int_equal(svm.armed, 0);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(vcpu.regs.gpr[i], i == RSI ? start->rsi : i == RBX ? start->rbx : 0);
	assert_int_equal(vcpu.regs.rip, rip);
	assert_int_equal(vcpu.regs.rflags, 2);
	assert_false(vcpu.shadow);
	assert_false(svm.held);
	assert_int_equal(svm.held_tries, 0);
	assert_true(svm.flush && svm.prepare);
}

static void start_real(void **state)
{
	const struct vcpu_start start = { .mode = START_REAL, .rip = 0x9f000, .rsi = 1, .rbx = 2 };
	struct vmcb expected = start_state();

	(void)state;
	expected.cs = segment(0x9f00, 0x9b, 0xffff, 0x9f000);
	expected.es = expected.ss = expected.ds = expected.fs = expected.gs = segment(0, 0x93, 0xffff, 0);
	expected.cr0 = 0x10;
	assert_reset(&start, expected, 0);
}

static void start_protected(void **state)
{
	const struct vcpu_start start = { START_PROTECTED32, 0x100000, 0x7000, 0x1111, 0x2222, 0x3000 };
	struct vmcb expected = start_state();

	(void)state;
	expected.cs = segment(0x10, 0xc9b, 0xffffffff, 0);
	expected.es = expected.ss = expected.ds = expected.fs = expected.gs = segment(0x18, 0xc93, 0xffffffff, 0);
	expected.cr0 = 0x11;
	expected.rsp = 0x7000;
	assert_reset(&start, expected, 0x100000);
}

static void start_long(void **state)
{
	const struct vcpu_start start = { START_LONG64, 0x1000200, 0x7000, 0x1111, 0x2222, 0x9000 };
	struct vmcb expected = start_state();

	(void)state;
	expected.cs = segment(0x10, 0xa9b, 0xffffffff, 0);
	expected.es = expected.ss = expected.ds = expected.fs = expected.gs = segment(0x18, 0xc93, 0xffffffff, 0);
	expected.cr0 = 0x80000011;
	expected.cr3 = 0x9000;
	expected.cr4 = 0x60;
	expected.efer = 0x1500;
	expected.rsp = 0x7000;
	assert_reset(&start, expected, 0x1000200);
}

/* --- entry and exit ----------------------------------------------------------------------------------------------- */

static void guest_moves(void)
{
	vmcb.rax = 0x2222;
	vmcb.rip = 0x3333;
	vmcb.rflags = 0x246;
	vmcb.exit_code = 0x72;
	vcpu.regs.gpr[RCX] = 0x4444;
}

static void registers_go_in_and_out(void **state)
{
	(void)state;
	vcpu.regs.gpr[RAX] = 0x1111;
	vcpu.regs.gpr[R15] = 0xf;
	guest = guest_moves;
	run();
	assert_int_equal(seen.rax, 0x1111);
	assert_int_equal(seen.rip, 0x1000000);
	assert_int_equal(seen_regs.gpr[R15], 0xf);
	assert_int_equal(vcpu.regs.gpr[RAX], 0x2222);
	assert_int_equal(vcpu.regs.gpr[RCX], 0x4444);
	assert_int_equal(vcpu.regs.rip, 0x3333);
	assert_int_equal(vcpu.regs.rflags, 0x246);
	assert_int_equal(seen.clean, 0);
	assert_int_equal(entries, 1);
}

/* The start flushes once; a vCPU that shares its ASID flushes whenever it takes its CPU over. */
static void flushes(void **state)
{
	(void)state;
	run();
	assert_int_equal(seen.tlb_control, 1);
	run();
	assert_int_equal(seen.tlb_control, 0);
	svm_backend.load(&vcpu);
	run();
	assert_int_equal(seen.tlb_control, 0);
	svm.shares_asid = true;
	svm_backend.load(&vcpu);
	run();
	assert_int_equal(seen.tlb_control, 1);
	run();
	assert_int_equal(seen.tlb_control, 0);
	vcpu.cpu = 1;                   /* svm_enter looks whose host state it is given */
	svm_backend.load(&vcpu);
	run();
}

static const struct { uint64_t code; enum exit_kind kind; uint8_t length; } meanings[] = {
	{ 0x04, EXIT_REGISTER, 0 }, { 0x14, EXIT_REGISTER, 0 }, { 0x18, EXIT_REGISTER, 0 },
	{ 0x30, EXIT_REGISTER, 0 }, { 0x31, EXIT_REGISTER, 0 }, { 0x32, EXIT_REGISTER, 0 },
	{ 0x33, EXIT_REGISTER, 0 }, { 0x34, EXIT_REGISTER, 0 }, { 0x35, EXIT_REGISTER, 0 },
	{ 0x36, EXIT_REGISTER, 0 }, { 0x37, EXIT_REGISTER, 0 },
	{ 0x41, EXIT_REFLECT, 0 }, { 0x51, EXIT_REFLECT, 0 }, { 0x52, EXIT_MACHINE_CHECK, 0 },
	{ 0x60, EXIT_INTERRUPT, 0 }, { 0x61, EXIT_INTERRUPT, 0 }, { 0x64, EXIT_WINDOW, 0 },
	{ 0x6f, EXIT_PROTECTION, 0 }, { 0x72, EXIT_CPUID, 2 }, { 0x73, EXIT_UNDEFINED, 0 },
	{ 0x76, EXIT_IGNORE, 2 }, { 0x78, EXIT_HLT, 1 }, { 0x7a, EXIT_UNDEFINED, 0 }, { 0x7b, EXIT_IO, 2 },
	{ 0x7c, EXIT_MSR, 2 }, { 0x7f, EXIT_SHUTDOWN, 0 }, { 0x80, EXIT_UNDEFINED, 0 }, { 0x81, EXIT_HYPERCALL, 3 },
	{ 0x82, EXIT_UNDEFINED, 0 }, { 0x83, EXIT_UNDEFINED, 0 }, { 0x84, EXIT_UNDEFINED, 0 },
	{ 0x85, EXIT_UNDEFINED, 0 }, { 0x86, EXIT_UNDEFINED, 0 }, { 0x89, EXIT_IGNORE, 2 },
	{ 0x8a, EXIT_UNDEFINED, 0 }, { 0x8b, EXIT_UNDEFINED, 0 }, { 0x8c, EXIT_UNDEFINED, 0 },
	{ 0x8d, EXIT_XSETBV, 3 }, { 0x8e, EXIT_UNDEFINED, 0 }, { 0xa0, EXIT_UNDEFINED, 0 },
	{ 0xa1, EXIT_UNDEFINED, 0 }, { 0xa3, EXIT_UNDEFINED, 0 }, { 0xa4, EXIT_UNDEFINED, 0 },
	{ 0x400, EXIT_MEMORY, 0 }, { 0xffffffff, EXIT_BAD_STATE, 0 }, { 0xffffffffffffffff, EXIT_BAD_STATE, 0 },
};

static uint64_t detail_of(uint64_t code, enum exit_kind kind)
{
	return kind == EXIT_REFLECT ? code - 0x40 : kind == EXIT_MEMORY ? 0xfeedface000 : (uint32_t)code;
}

static void assert_decodes(uint64_t code)
{
	enum exit_kind kind = EXIT_UNKNOWN;
	unsigned length = 0;

	for (unsigned i = 0; i < ARRAY_LENGTH(meanings); i++)
		if (meanings[i].code == code) {
			kind = meanings[i].kind;
			length = meanings[i].length;
		}
	vmcb.exit_code = code;
	vmcb.exit_info_2 = kind == EXIT_IO ? vcpu.regs.rip + 2 : 0xfeedface000;
	run();
	assert_int_equal(out.kind, kind);
	assert_int_equal(out.detail, detail_of(code, kind));
	if (code < 0xa5)
		assert_int_equal(out.length, length);
}

/* All that are not in the table above stop the VM. */
static void every_exit_code(void **state)
{
	static const uint64_t far[] = { 0x401, 0x402, 0x403, 0xfffe, 0xf0000000, 0xfffffffe };

	(void)state;
	for (uint64_t code = 0; code <= 0x4ff; code++)
		assert_decodes(code);
	for (unsigned i = 0; i < ARRAY_LENGTH(far); i++)
		assert_decodes(far[i]);
	for (unsigned i = 0; i < ARRAY_LENGTH(meanings); i++)
		assert_decodes(meanings[i].code);
}

static void read_or_write_of_an_msr(void **state)
{
	(void)state;
	vmcb.exit_code = 0x7c;
	vmcb.exit_info_1 = 0;
	run();
	assert_false(out.write);
	vmcb.exit_info_1 = 1;
	run();
	assert_true(out.write);
}

/* "IOIO Intercept Information": type, string, repeat, size, address size, segment, port. */
static void every_kind_of_port_access(void **state)
{
	static const uint16_t ports[] = { 0, 0x3f8, 0xcf8, 0xffff };

	(void)state;
	vmcb.exit_code = 0x7b;
	for (unsigned flags = 0; flags < 0x2000; flags++) {
		unsigned size = flags >> 4 & 7;

		if ((size != 1 && size != 2 && size != 4) || flags & 2)
			continue;
		vmcb.rip = vcpu.regs.rip = 0xffffffff80001000 + flags;
		vmcb.exit_info_1 = (uint64_t)ports[flags % 4] << 16 | flags;
		vmcb.exit_info_2 = vcpu.regs.rip + 1 + flags % 5;
		run();
		assert_int_equal(out.kind, EXIT_IO);
		assert_int_equal(out.port, ports[flags % 4]);
		assert_int_equal(out.size, size);
		assert_int_equal(out.write, !(flags & 1));
		assert_int_equal(out.string, !!(flags & 0xc));
		assert_int_equal(out.length, 1 + flags % 5);
	}
}

/* --- registers that the core asks for ----------------------------------------------------------------------------- */

static void efer_paging_off(void **state)
{
	(void)state;
	vmcb.cr0 = 0x11;
	vmcb.efer = 0x1000;
	for (unsigned bit = 0; bit < 64; bit++) {
		bool legal = bit == 0 || bit == 8 || bit == 10 || bit == 11;

		assert_int_equal(svm_backend.set_efer(&vcpu, 1ull << bit), legal);
		assert_int_equal(vmcb.efer, 0x1000 | (legal && bit != 10 ? 1ull << bit : 0));
		assert_int_equal(svm_backend.get_efer(&vcpu), vmcb.efer & ~0x1000ull);
		vmcb.efer = 0x1000;
	}
	assert_true(svm_backend.set_efer(&vcpu, 0x901));
	assert_int_equal(vmcb.efer, 0x1901);
	assert_true(svm_backend.set_efer(&vcpu, 0));
	assert_int_equal(vmcb.efer, 0x1000);
}

/* Long mode is neither entered nor left while paging is on, and LMA is the CPU's own. */
static void efer_paging_on(void **state)
{
	(void)state;
	vmcb.cr0 = 0x80000011;
	vmcb.efer = 0x1500;
	assert_false(svm_backend.set_efer(&vcpu, 0x000));
	assert_false(svm_backend.set_efer(&vcpu, 0xc01));
	assert_int_equal(vmcb.efer, 0x1500);
	assert_true(svm_backend.set_efer(&vcpu, 0xd01));
	assert_int_equal(vmcb.efer, 0x1d01);
	assert_true(svm_backend.set_efer(&vcpu, 0x100));
	assert_int_equal(vmcb.efer, 0x1500);
	assert_int_equal(svm_backend.get_efer(&vcpu), 0x500);
	assert_false(svm_backend.set_efer(&vcpu, 0x1500));      /* SVM is not the guest's */
	vmcb.efer = 0x1000;
	assert_false(svm_backend.set_efer(&vcpu, 0x100));
	assert_true(svm_backend.set_efer(&vcpu, 0x400));
	assert_int_equal(vmcb.efer, 0x1000);
}

static void other_registers(void **state)
{
	(void)state;
	vmcb.cr4 = 0x406e0;
	assert_int_equal(svm_backend.get_cr4(&vcpu), 0x406a0);  /* the guest has not set MCE */
	vmcb.cr4 = 0x406a0;
	vmcb.cpl = 3;
	svm.cr4_hidden = 0;
	assert_int_equal(svm_backend.get_cr4(&vcpu), 0x406a0);
	assert_int_equal(svm_backend.get_cpl(&vcpu), 3);
	svm_backend.set_pat(&vcpu, 0x0606060606060606);
	assert_int_equal(vmcb.pat, 0x0606060606060606);
	assert_int_equal(svm_backend.get_pat(&vcpu), 0x0606060606060606);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cpu_is_prepared), TEST(start_real), TEST(start_protected), TEST(start_long),
		TEST(registers_go_in_and_out), TEST(flushes), TEST(every_exit_code),
		TEST(read_or_write_of_an_msr), TEST(every_kind_of_port_access), TEST(efer_paging_off),
		TEST(efer_paging_on), TEST(other_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
