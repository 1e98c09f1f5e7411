/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state that neither entry nor exit switches: all of it is saved and loaded, with every component enabled, in an
 * order that leaves nothing behind; and which values of XCR0 a guest may have (root mode executes XSETBV with them, and
 * a fault there stops the machine).
 */
#include "cpu_fake.h"
#include "plat_fake.h"
#include "vcpu.h"

#define X87 0x1ull
#define SSE 0x2ull
#define AVX 0x4ull
#define MPX 0x18ull
#define AVX512 0xe0ull
#define PKRU 0x200ull
#define AMX 0x60000ull

static struct vcpu vcpu;
static uint64_t allocated;

void *mem_alloc_hv(uint64_t length, uint64_t align)
{
	assert_int_equal(align, 4096);
	allocated = length;
	return length <= FAKE_RAM ? fake_ram : NULL;
}

/* A CPU with these components, and an XSAVE area of `length` bytes. */
static void probe(uint64_t components, uint32_t length)
{
	cpu_fake_leaf(1, 0, (struct cpuid_regs){ .ecx = 1u << 26 });
	cpu_fake_leaf(0xd, 0, (struct cpuid_regs){ .eax = (uint32_t)components, .edx = (uint32_t)(components >> 32),
						   .ebx = 0x240, .ecx = length });
	assert_int_equal(xstate_probe(), HV_OK);
}

static void features(bool rdtscp, bool ibpb, bool pointers)
{
	cpu_fake_leaf(0x80000001, 0, (struct cpuid_regs){ .edx = (uint32_t)rdtscp << 27 });
	cpu_fake_leaf(0x80000000, 0, (struct cpuid_regs){ .eax = 0x8000001f });
	cpu_fake_leaf(0x80000008, 0, (struct cpuid_regs){ .ebx = (uint32_t)ibpb << 12 | (uint32_t)pointers << 2 });
}

static int set_up(void **state)
{
	fake_reset(state);
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.xstate.area = fake_ram;
	return cpu_fake_reset(state);
}

static void refused_without_xsave(void **state)
{
	(void)state;
	cpu_fake_leaf(1, 0, (struct cpuid_regs){ .ecx = ~(1u << 26) });
	assert_int_equal(xstate_probe(), HV_UNSUPPORTED);
	assert_said("no XSAVE");
}

static void whole_pages_for_the_area(void **state)
{
	(void)state;
	probe(7, 0x340);
	assert_int_equal(xstate_create(&vcpu), HV_OK);
	assert_int_equal(allocated, 4096);
	assert_ptr_equal(vcpu.xstate.area, fake_ram);
	probe(7, 4097);
	assert_int_equal(xstate_create(&vcpu), HV_OK);
	assert_int_equal(allocated, 8192);
	probe(7, FAKE_RAM + 1);
	assert_int_equal(xstate_create(&vcpu), HV_NO_MEMORY);
}

static void each_cpu_enables_everything(void **state)
{
	(void)state;
	probe(X87 | SSE | AVX | MPX | 1ull << 62, 0x340);
	cpu_fake.cr0 = 0x8001003f;
	cpu_fake.cr4 = 0x20;
	xstate_cpu_init();
	cpu_fake_traced("cr4=40620 cr0=80010033 xsetbv 400000000000001f");
}

/* Nothing of the instance before, nor of whoever had the memory. */
static void reset_is_the_start_state(void **state)
{
	(void)state;
	probe(7, 0x340);
	vcpu.xstate = (struct xstate){ .area = fake_ram, .xcr0 = 7, .dr = { 1, 2, 3, 4 }, .tsc_aux = 5 };
	xstate_reset(&vcpu);
	for (unsigned i = 0; i < 0x340; i++)
		assert_int_equal(fake_ram[i], i == 24 ? 0x80 : i == 25 ? 0x1f : 0);
	assert_int_equal(fake_ram[0x340], 0xcc);
	assert_int_equal(vcpu.xstate.xcr0, 1);
	assert_int_equal(vcpu.xstate.tsc_aux, 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(vcpu.xstate.dr[i], 0);
	cpu_fake_traced("");
}

static void saved_with_every_component(void **state)
{
	(void)state;
	probe(0x2e7, 0x340);
	cpu_fake.xcr0 = 3;
	memcpy(cpu_fake.dr, (uint64_t[]){ 0xd0, 0xd1, 0xd2, 0xd3 }, sizeof(cpu_fake.dr));
	xstate_save(&vcpu);
	cpu_fake_traced("xsetbv 2e7 xsave");
	assert_int_equal(cpu_fake.saved_xcr0, 0x2e7);
	assert_int_equal(vcpu.xstate.xcr0, 3);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(vcpu.xstate.dr[i], 0xd0 + i);
}

static void loaded_before_xcr0_narrows(void **state)
{
	(void)state;
	features(true, false, true);
	probe(0x2e7, 0x340);
	vcpu.xstate = (struct xstate){ fake_ram, .xcr0 = 3, .dr = { 0xa0, 0xa1, 0xa2, 0xa3 }, .tsc_aux = 9 };
	cpu_fake.xcr0 = 0x2e7;
	xstate_load(&vcpu);
	cpu_fake_traced("xrstor dr0=a0 dr1=a1 dr2=a2 dr3=a3 wrmsr c0000103=9 xsetbv 3");
	assert_int_equal(cpu_fake.restored_xcr0, 0x2e7);

	features(false, false, false);
	probe(0x2e7, 0x340);
	xstate_load(&vcpu);
	cpu_fake_traced("x87_forget xrstor dr0=a0 dr1=a1 dr2=a2 dr3=a3 xsetbv 3");
}

/* The leaf that says so does not exist on this CPU: what it would answer means nothing. */
static void leaf_behind_the_last(void **state)
{
	(void)state;
	features(true, true, true);
	cpu_fake_leaf(0x80000000, 0, (struct cpuid_regs){ .eax = 0x80000007 });
	probe(7, 0x340);
	xstate_flush_predictors();
	cpu_fake_traced("");
}

static void predictors_and_tsc_aux(void **state)
{
	(void)state;
	features(true, true, true);
	probe(7, 0x340);
	xstate_flush_predictors();
	cpu_fake_traced("wrmsr 49=1");
	xstate_set_tsc_aux(&vcpu, 0x1001);
	cpu_fake_traced("wrmsr c0000103=1001");
	assert_int_equal(vcpu.xstate.tsc_aux, 0x1001);

	features(false, false, false);
	probe(7, 0x340);
	xstate_flush_predictors();
	xstate_set_tsc_aux(&vcpu, 3);
	cpu_fake_traced("");
	assert_int_equal(vcpu.xstate.tsc_aux, 3);
}

static bool takes(uint64_t value)
{
	bool taken;

	cpu_fake.xcr0 = 0x55;
	taken = xstate_set_xcr0(value);
	assert_int_equal(cpu_fake.xcr0, taken ? value : 0x55);
	return taken;
}

static void all_of_a_known_set_or_none(void **state)
{
	(void)state;
	probe(0x2e7, 0x340);
	assert_true(takes(1) && takes(3) && takes(7) && takes(0xe7) && takes(0x207) && takes(0x2e7));
	assert_false(takes(0) || takes(2) || takes(5) || takes(0x27) || takes(0xe3) || takes(0x407));
	probe(7, 0x340);
	assert_false(takes(0xe7) || takes(0x207));
}

static void half_of_a_set_that_the_cpu_has(void **state)
{
	(void)state;
	probe(X87 | SSE | AVX | AVX512 | PKRU | MPX | AMX | 1ull << 62, 0x340);
	assert_true(takes(0x2e7));
	for (unsigned bit = 0; bit < 64; bit++)
		if (!((0x2e7ull) >> bit & 1))
			assert_false(takes(7 | 1ull << bit));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(refused_without_xsave, set_up),
		cmocka_unit_test_setup(whole_pages_for_the_area, set_up),
		cmocka_unit_test_setup(each_cpu_enables_everything, set_up),
		cmocka_unit_test_setup(reset_is_the_start_state, set_up),
		cmocka_unit_test_setup(saved_with_every_component, set_up),
		cmocka_unit_test_setup(loaded_before_xcr0_narrows, set_up),
		cmocka_unit_test_setup(leaf_behind_the_last, set_up),
		cmocka_unit_test_setup(predictors_and_tsc_aux, set_up),
		cmocka_unit_test_setup(all_of_a_known_set_or_none, set_up),
		cmocka_unit_test_setup(half_of_a_set_that_the_cpu_has, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
