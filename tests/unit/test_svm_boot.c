/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest runs under: which instructions and events exit, no port and only the closed list's MSRs without an exit,
 * its own tables, an ASID of its own or one that is flushed; which machines are refused.  Numbers are the manual's
 * (AMD64 Architecture Programmer's Manual, volume 2, "VMCB Layout", "MSR Intercepts"), said apart from the product's.
 */
#include <stdlib.h>

#include "cpu_fake.h"
#include "plat_fake.h"
#include "svm.h"
#include "walk.h"

#define IOPM_LENGTH 0x3000u
#define MSRPM_LENGTH 0x2000u

const struct cpu_backend *cpu_backend;
struct vm_private vm_privates[LZR_VM_MAX];

static struct image_config image;
static struct vm vm;
static struct vcpu vcpus[LZR_VCPU_MAX + 4];
static unsigned pages_left;
static uint64_t next;

/* --- what is linked and not called -------------------------------------------------------------------------------- */

void svm_enter(struct vcpu_regs *regs, uint64_t vmcb, uint64_t host) { (void)regs; (void)vmcb; (void)host; fail(); }
void svm_enter_armed(struct vcpu_regs *r, uint64_t v, uint64_t h, uint64_t d) { (void)d; svm_enter(r, v, h); }
void vcpu_attention(struct vcpu *vcpu, uint32_t bits) { (void)vcpu; (void)bits; fail(); }
void cpu_kick(unsigned cpu) { (void)cpu; fail(); }
unsigned cpu_current(void) { return 0; }
bool once_first(struct once *once, uint32_t key) { (void)once; (void)key; return false; }
void xstate_set_tsc_aux(struct vcpu *vcpu, uint32_t value) { (void)vcpu; (void)value; }
bool vlapic_msr_read(struct vcpu *v, uint32_t msr, uint64_t *value) { (void)v; (void)msr; (void)value; return false; }
bool vlapic_msr_write(struct vcpu *v, uint32_t msr, uint64_t value) { (void)v; (void)msr; (void)value; return false; }
bool kvmclock_read(const struct vcpu *v, uint32_t msr, uint64_t *to) { (void)v; (void)msr; (void)to; return false; }
bool kvmclock_write(struct vcpu *v, uint32_t msr, uint64_t value) { (void)v; (void)msr; (void)value; return false; }

void audit(uint32_t number, enum lzr_audit_event event, uint64_t arg0, uint64_t arg1)
{
	(void)number;
	(void)event;
	(void)arg0;
	(void)arg1;
}

/* --- the machine -------------------------------------------------------------------------------------------------- */

void *mem_alloc_hv(uint64_t length, uint64_t align)
{
	void *p = fake_ram + next;

	assert_int_equal(align, 4096);
	length = (length + 4095) & ~4095ull;
	if (!pages_left || next + length > FAKE_RAM)
		return NULL;
	pages_left--;
	next += length;
	return memset(p, 0, length);
}

static void offer(uint32_t asids)
{
	cpu_fake_leaf(1, 0, (struct cpuid_regs){ .ecx = 1u << 31 });
	cpu_fake_leaf(0x80000000, 0, (struct cpuid_regs){ .eax = 0x8000000a });
	cpu_fake_leaf(0x80000001, 0, (struct cpuid_regs){ .ecx = 1u << 2 });
	cpu_fake_leaf(0x8000000a, 0, (struct cpuid_regs){ .ebx = asids, .edx = 1 });
}

static int set_up(void **state)
{
	fake_reset(state);
	cpu_fake_reset(state);
	fake_cpus = 3;
	next = 4096;
	pages_left = FAKE_RAM / 4096;
	memset(&image, 0, sizeof(image));
	memset(vcpus, 0, sizeof(vcpus));
	vm = (struct vm){ .image = &image };
	offer(8);
	return 0;
}

static struct vmcb *create(unsigned number, unsigned cpu)
{
	vcpus[number] = (struct vcpu){ .vm = &vm, .number = number, .cpu = cpu };
	if (number < LZR_VCPU_MAX)
		vm.vcpus[number] = &vcpus[number];
	assert_int_equal(svm_backend_boot.vcpu_create(&vcpus[number]), HV_OK);
	return ((struct svm_vcpu *)vcpus[number].arch)->vmcb;
}

static struct vmcb *create_first(void)
{
	assert_int_equal(svm_backend_boot.probe(), HV_OK);
	assert_int_equal(svm_backend_boot.vm_create(&vm), HV_OK);
	return create(0, 0);
}

/* --- which machines ----------------------------------------------------------------------------------------------- */

static void refused_machines(void **state)
{
	cpu_fake_leaf(0x80000000, 0, (struct cpuid_regs){ .eax = 0x80000009 });
	assert_int_equal(svm_backend_boot.probe(), HV_UNSUPPORTED);
	set_up(state);
	cpu_fake_leaf(0x80000001, 0, (struct cpuid_regs){ .ecx = ~(1u << 2) });
	assert_int_equal(svm_backend_boot.probe(), HV_UNSUPPORTED);
	set_up(state);
	*cpu_fake_msr(0xc0010114) = 1u << 4;
	assert_int_equal(svm_backend_boot.probe(), HV_UNSUPPORTED);
	assert_said("switched off in the firmware");
	set_up(state);
	cpu_fake_leaf(0x8000000a, 0, (struct cpuid_regs){ .ebx = 8, .edx = ~1u });
	assert_int_equal(svm_backend_boot.probe(), HV_UNSUPPORTED);
	assert_said("without nested paging");
	for (unsigned asids = 0; asids < 2; asids++) {
		set_up(state);
		offer(asids);
		assert_int_equal(svm_backend_boot.probe(), HV_UNSUPPORTED);
		assert_said("address space");
	}
	set_up(state);
	*cpu_fake_msr(0xc0010114) = ~(1ull << 4);
	assert_int_equal(svm_backend_boot.probe(), HV_OK);
}

static void known_emulator(void **state)
{
	const struct cpuid_regs name = { 0x40000001, 0x54474354, 0x43544743, 0x47435447 };
	struct cpuid_regs other = name;

	(void)state;
	cpu_fake_leaf(0x40000000, 0, name);
	assert_int_equal(svm_backend_boot.probe(), HV_OK);
	assert_true(svm_on_emulator);
	cpu_fake_leaf(1, 0, (struct cpuid_regs){ 0 });          /* no hypervisor: the leaf means nothing */
	assert_int_equal(svm_backend_boot.probe(), HV_OK);
	assert_false(svm_on_emulator);
	cpu_fake_leaf(1, 0, (struct cpuid_regs){ .ecx = 1u << 31 });
	other.edx++;
	cpu_fake_leaf(0x40000000, 0, other);
	assert_int_equal(svm_backend_boot.probe(), HV_OK);
	assert_false(svm_on_emulator);
}

/* Two pages for each CPU, none of them twice, none for CPUs that are not there. */
static void every_cpu_has_its_pages(void **state)
{
	uint64_t all[6];

	(void)state;
	memset(svm_cpus, 0, sizeof(svm_cpus));
	assert_int_equal(svm_backend_boot.probe(), HV_OK);
	for (unsigned i = 0; i < 3; i++) {
		all[2 * i] = svm_cpus[i].hsave;
		all[2 * i + 1] = svm_cpus[i].host;
	}
	for (unsigned i = 0; i < 6; i++) {
		assert_true(all[i] && all[i] % 4096 == 0);
		for (unsigned k = 0; k < i; k++)
			assert_int_not_equal(all[i], all[k]);
	}
	assert_int_equal(svm_cpus[3].hsave | svm_cpus[3].host, 0);
}

static void memory_exhausted(void **state)
{
	for (unsigned left = 0; left < 7; left++) {
		set_up(state);
		pages_left = left;
		assert_int_equal(svm_backend_boot.probe(), HV_NO_MEMORY);
	}
	set_up(state);
	create_first();
	pages_left = 0;
	assert_int_equal(svm_backend_boot.vm_create(&vm), HV_NO_MEMORY);
	for (unsigned left = 0; left < 3; left++) {
		set_up(state);
		create_first();
		pages_left = left;
		assert_int_equal(svm_backend_boot.vcpu_create(&vcpus[0]), HV_NO_MEMORY);
	}
}

/* --- what a guest runs under -------------------------------------------------------------------------------------- */

static uint32_t bits(const uint8_t *list, unsigned count)
{
	uint32_t all = 0;

	for (unsigned i = 0; i < count; i++)
		all |= 1u << list[i];
	return all;
}

/* The whole block: what is not named here is zero. */
static void control_block(void **state)
{
	static const uint8_t exceptions[] = { 1, 17, 18 };
	static const uint8_t at_c[] = { 0, 1, 3, 4, 15, 18, 19, 22, 24, 26, 27, 28, 30, 31 };
	static const uint8_t at_10[] = { 0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14 };
	static const uint8_t at_14[] = { 0, 1, 3, 4 };
	struct vmcb *vmcb = create_first(), expected = {
		.intercept = { .dr = 0x00af0000, .exceptions = bits(exceptions, sizeof(exceptions)) },
		.intercept_1 = bits(at_c, sizeof(at_c)),
		.intercept_2 = bits(at_10, sizeof(at_10)),
		.intercept_3 = bits(at_14, sizeof(at_14)),
		.iopm_base = vmcb->iopm_base, .msrpm_base = vmcb->msrpm_base, .asid = 1,
		.nested_control = 1, .nested_cr3 = ptr_hpa(vm.nested).a,
	};
	const struct svm_vcpu *svm = vcpus[0].arch;

	(void)state;
	assert_memory_equal(vmcb, &expected, sizeof(expected));
	assert_int_equal(svm->vmcb_address, ptr_hpa(vmcb).a);
	assert_int_equal(svm->vmcb_address % 4096, 0);
	assert_int_not_equal(vmcb->nested_cr3, 0);
}

static void no_port_passes(void **state)
{
	const struct vmcb *vmcb = create_first();
	const uint8_t *map = fake_ram + vmcb->iopm_base;

	(void)state;
	assert_int_equal(vmcb->iopm_base % 4096, 0);
	for (unsigned i = 0; i < IOPM_LENGTH; i++)
		assert_int_equal(map[i], 0xff);
}

/* Two bits an MSR, read first; ranges of 8 Ki MSRs. */
static bool exits(const uint8_t *map, uint32_t msr, bool write)
{
	uint32_t base = msr >> 16 == 0xc001 ? 0x1000 : msr >> 16 == 0xc000 ? 0x800 : 0;

	return map[base + (msr & 0x1fff) / 4] >> ((msr & 3) * 2 + write) & 1;
}

/* SYSENTER, STAR to SFMASK, FS to kernel GS base; the TSC to read. */
static bool may_pass(uint32_t msr, bool write)
{
	return (msr >= 0x174 && msr <= 0x176) || (msr >= 0xc0000081 && msr <= 0xc0000084) ||
	       (msr >= 0xc0000100 && msr <= 0xc0000102) || (msr == 0x10 && !write);
}

static void assert_msrs(const uint8_t *map, bool (*passes)(uint32_t msr, bool write))
{
	static const uint32_t first[] = { 0, 0xc0000000, 0xc0010000 };

	for (unsigned range = 0; range < 3; range++)
		for (uint32_t i = 0; i < 0x2000; i++)
			for (unsigned write = 0; write < 2; write++)
				if (exits(map, first[range] + i, write) == passes(first[range] + i, write))
					fail_msg("MSR %x, write %u", first[range] + i, write);
	for (unsigned i = 0x1800; i < MSRPM_LENGTH; i++)
		assert_int_equal(map[i], 0xff);
}

static bool none(uint32_t msr, bool write) { (void)msr; (void)write; return false; }
static bool only_two(uint32_t msr, bool write) { return (msr == 0x10 && !write) || msr == 0xc0000102; }

static const uint8_t *msr_map(const struct lzr_manifest_msr *rows, unsigned count)
{
	image.msr = rows;
	image.msr_count = count;
	return fake_ram + create_first()->msrpm_base;
}

static void msrs_of_the_closed_list_only(void **state)
{
	static const uint32_t first[] = { 0, 0xc0000000, 0xc0010000 };
	static struct lzr_manifest_msr all[3 * 0x2000];

	assert_msrs(msr_map(NULL, 0), none);
	for (unsigned rule = LZR_MSR_FIXED; rule <= LZR_MSR_EMULATED; rule++) {
		set_up(state);
		for (uint32_t i = 0; i < ARRAY_LENGTH(all); i++)
			all[i] = (struct lzr_manifest_msr){ .msr = first[i / 0x2000] + i % 0x2000, .rule = rule };
		assert_msrs(msr_map(all, ARRAY_LENGTH(all)), rule == LZR_MSR_PASS ? may_pass : none);
	}
}

/* Numbers outside the three ranges have no bit; a manifest that names them opens nothing. */
static void msrs_that_the_manifest_names(void **state)
{
	static const struct lzr_manifest_msr rows[] = {
		{ .msr = 0x10, .rule = LZR_MSR_PASS }, { .msr = 0x174, .rule = LZR_MSR_SHADOW },
		{ .msr = 0x2010, .rule = LZR_MSR_PASS }, { .msr = 0x40000174, .rule = LZR_MSR_PASS },
		{ .msr = 0xc0000080, .rule = LZR_MSR_PASS }, { .msr = 0xc0000102, .rule = LZR_MSR_PASS },
		{ .msr = 0xc0002102, .rule = LZR_MSR_PASS }, { .msr = 0xffffffff, .rule = LZR_MSR_PASS },
	};

	(void)state;
	assert_msrs(msr_map(rows, ARRAY_LENGTH(rows)), only_two);
}

/* vCPUs of one VM share its permissions and tables; another VM has its own. */
static void shared_in_a_vm_only(void **state)
{
	const struct vmcb *first = create_first(), *second = create(1, 1);
	uint64_t msrpm = first->msrpm_base, nested = first->nested_cr3;

	(void)state;
	assert_int_equal(second->msrpm_base, msrpm);
	assert_int_equal(second->nested_cr3, nested);
	assert_int_equal(second->intercept_1, first->intercept_1);
	assert_ptr_not_equal(second, first);
	vm = (struct vm){ .image = &image };
	assert_int_equal(svm_backend_boot.vm_create(&vm), HV_OK);
	first = create(0, 0);
	assert_int_not_equal(first->msrpm_base, msrpm);
	assert_int_not_equal(first->nested_cr3, nested);
}

/* From 1 on each CPU; the last one is shared, and who has it knows.  0 is the host's. */
static void address_space_identifiers(void **state)
{
	static const uint32_t expected[] = { 1, 2, 3, 3, 3 };

	(void)state;
	offer(4);
	assert_int_equal(create_first()->asid, 1);
	for (unsigned i = 1; i < 5; i++) {
		assert_int_equal(create(i, 0)->asid, expected[i]);
		assert_int_equal(((struct svm_vcpu *)vcpus[i].arch)->shares_asid, i > 1);
	}
	assert_int_equal(create(5, 1)->asid, 1);
	assert_false(((struct svm_vcpu *)vcpus[5].arch)->shares_asid);
}

static void guest_memory(void **state)
{
	static struct walk walk;

	(void)state;
	create_first();
	assert_int_equal(svm_backend_boot.map(&vm, gpa(0x2000), hpa(0x5000), 0x1000, MAP_READ | MAP_WRITE), HV_OK);
	assert_int_equal(svm_backend_boot.map(&vm, gpa(0x2000), hpa(0x6000), 0x1000, MAP_READ), HV_CONFLICT);
	walk_tree(&walk, vm.nested, BIT_PRESENT | BIT_WRITE | BIT_USER);
	assert_int_equal(walk.count, 1);
	assert_int_equal(walk.leaves[0].virtual, 0x2000);
	assert_int_equal(walk.leaves[0].physical, 0x5000);
	assert_int_equal(walk.leaves[0].bits, BIT_PRESENT | BIT_WRITE | BIT_USER | BIT_NX);
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refused_machines), TEST(known_emulator), TEST(every_cpu_has_its_pages), TEST(memory_exhausted),
		TEST(control_block), TEST(no_port_passes), TEST(msrs_of_the_closed_list_only),
		TEST(msrs_that_the_manifest_names), TEST(shared_in_a_vm_only), TEST(address_space_identifiers),
		TEST(guest_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
