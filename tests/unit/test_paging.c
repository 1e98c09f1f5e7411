/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root mode's tables: everything that should be mapped is, with its permissions, and nothing else; nothing is both
 * writable and executable, under whatever address; the seal takes what it should and leaves the rest.
 */
#include <stdlib.h>

#include "paging_rig.h"
#include "records.h"
#include "vm.h"

struct machine_config machine;
struct vm vms[LZR_VM_MAX];

static jmp_buf scheduled;
static unsigned started, audited;
static uint8_t snapshot[LARGE_PAGE_SIZE];

/* --- what the seal's last step calls ------------------------------------------------------------------------------ */

uint64_t time_ns(void) { return 5000000; }
bool console_fed;
void say(const char *format, ...) { (void)format; }
void sched_run(void) { longjmp(scheduled, 1); }

void records_sealed(uint64_t ns)
{
	assert_int_equal(ns, 5000000);
	assert_int_equal(started, 0);
}

void audit(uint32_t vm, enum lzr_audit_event event, uint64_t arg0, uint64_t arg1)
{
	assert_true(vm == AUDIT_HV && event == LZR_AUDIT_SEALED && !arg0 && !arg1);
	audited++;
}

enum hv_err vm_start(struct vm *vm)
{
	assert_ptr_equal(vm, &vms[started]);
	started++;
	return started == 1 ? HV_DENIED : HV_OK;        /* the others start all the same */
}

static void take_snapshot(void)
{
	memcpy(snapshot, hpa_ptr(hpa(POOL)), sizeof(snapshot));
}

/* --- the tables --------------------------------------------------------------------------------------------------- */

static int built(void **state)
{
	rig_setup(state);
	paging_init(&rig_handoff);
	model_after_init();
	return 0;
}

static void exactly_what_should_be(void **state)
{
	(void)state;
	model_check(0);
	for (unsigned i = 0; i < LZR_CPU_MAX; i++)
		assert_int_equal(cpus[i].stack_top, 0xffffff0000000000 + (i + 1) * 0x10000);
}

/* No-execute is on before CR3 names tables with that bit, read-only pages bind root mode before they are used. */
static void switched_to_in_order(void **state)
{
	rig_setup(state);
	*cpu_fake_msr(0xc0000080) = 0x500;
	cpu_fake.cr0 = 0x80000033;
	paging_init(&rig_handoff);
	cpu_fake_traced("wrmsr c0000080=d00 cr0=80010033 cr3=800000");
}

static void large_pages_where_they_fit(void **state)
{
	static struct walk walk;

	(void)state;
	walk_tree(&walk, hpa_ptr(hpa(POOL)), BIT_PRESENT | BIT_WRITE);
	assert_int_equal(walk_find(&walk, DIRECT_BASE + 2 * MIB)->length, 2 * MIB);
	assert_int_equal(walk_find(&walk, DIRECT_BASE + 4 * GIB)->length, 2 * MIB);
	assert_int_equal(walk_find(&walk, DIRECT_BASE + 5 * MIB)->length, PAGE_SIZE);
	assert_true(walk.tables < 20);
}

static uint64_t some_pages(unsigned most)
{
	return (uint64_t)(random() % most + 1) * PAGE_SIZE;
}

/* Runs of random kinds, an image somewhere in one of the loader's. */
static void random_memory_maps(void **state)
{
	srandom(20261121);
	for (unsigned round = 0; round < 100; round++) {
		struct lzr_boot_memory map[24];
		uint64_t at = RAM;                      /* behind the tables and stacks */
		unsigned count = 0;

		rig_setup(state);
		while (count < 24) {
			struct lzr_boot_memory *m = &map[count];

			at += random() % 3 ? 0 : some_pages(700);
			*m = (struct lzr_boot_memory){ at, some_pages(1500), 1 + (uint32_t)random() % 5, 0 };
			if (count == round % 24) {
				uint64_t base = (at + 2 * MIB - 1) & ~(2 * MIB - 1);

				*m = (struct lzr_boot_memory){
					at, base - at + IMAGE_LENGTH + some_pages(400) - PAGE_SIZE,
							       LZR_MEMORY_LOADER, 0 };
				rig_handoff.info.image_base = base;
			}
			at += m->length;
			count++;
		}
		rig_memory(map, count);
		image_base_set(rig_handoff.info.image_base);
		paging_init(&rig_handoff);
		model_after_init();
		model_check(0);
	}
}

static void not_enough(void **state)
{
	rig_setup(state);
	rig_handoff.info.image_length = IMAGE_END - 1;
	assert_panics("do not fit", paging_init(&rig_handoff));
	rig_setup(state);
	rig_pool_at = 0;
	assert_panics("2 MiB below 4 GiB", paging_init(&rig_handoff));
	rig_pool_at = 4 * GIB;                  /* application processors load CR3 with 32 bits */
	assert_panics("2 MiB below 4 GiB", paging_init(&rig_handoff));
	rig_setup(state);
	rig_stacks = LZR_CPU_MAX - 1;
	assert_panics("CPU stacks", paging_init(&rig_handoff));
}

static void never_mapped_twice(void **state)
{
	(void)state;
	assert_panics("mapped twice", paging_map(DIRECT_BASE + 5 * MIB, 0, PAGE_SIZE, RX));
	assert_panics("mapped twice", paging_map(DIRECT_BASE + 2 * MIB, 0, LARGE_PAGE_SIZE, RX));
	assert_panics("mapped twice", paging_map(DIRECT_BASE + 4 * MIB, 0, LARGE_PAGE_SIZE, RX));
	assert_panics("mapped twice", paging_map(DIRECT_BASE + 2 * MIB + PAGE_SIZE, 0, PAGE_SIZE, RX));
	model_check(0);
}

/* As far as a large page would shift an address, none is taken. */
static void halves_askew(void **state)
{
	const uint64_t virtual = 0x100000000000;

	(void)state;
	paging_map(virtual, GIB + PAGE_SIZE, 2 * MIB, RX);
	model_map(virtual, GIB + PAGE_SIZE, 2 * MIB, RX);
	paging_map(virtual + GIB + PAGE_SIZE, 2 * GIB, 2 * MIB, RO);
	model_map(virtual + GIB + PAGE_SIZE, 2 * GIB, 2 * MIB, RO);
	model_check(0);
}

static void map_apart(uint64_t first, unsigned count)
{
	for (uint64_t i = first; i < first + count; i++)
		paging_map(0x100000000000 + i * GIB, 0, PAGE_SIZE, RO);
}

static void tables_run_out(void **state)
{
	(void)state;
	map_apart(0, 200);
	assert_panics("more than", map_apart(200, 100));
}

static void addresses(void **state)
{
	static const uint64_t some[] = { 0, 1, PAGE_SIZE, IMAGE, 4 * GIB, 0x3fffffffffff };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(some); i++) {
		assert_ptr_equal(hpa_ptr(hpa(some[i])), (void *)(DIRECT_BASE + some[i]));
		assert_int_equal(ptr_hpa(hpa_ptr(hpa(some[i]))).a, some[i]);
	}
	for (uint64_t offset = 0; offset < IMAGE_END; offset += 0x7ff)
		assert_int_equal(ptr_hpa((void *)(0xffffffff80000000 + offset)).a, IMAGE + offset);
}

/* --- device registers --------------------------------------------------------------------------------------------- */

static void *at_physical(uint64_t physical)
{
	return (void *)(DIRECT_BASE + physical);
}

static void device_registers(void **state)
{
	(void)state;
	assert_ptr_equal(mmio_map(hpa(0xfee00000), PAGE_SIZE), at_physical(0xfee00000));
	model_map(DIRECT_BASE + 0xfee00000, 0xfee00000, PAGE_SIZE, DEVICE);
	model_check(0);
	assert_ptr_equal(mmio_map(hpa(0xfed40024), 0x1000), at_physical(0xfed40024));
	model_map(DIRECT_BASE + 0xfed40000, 0xfed40000, 2 * PAGE_SIZE, DEVICE);
	model_check(0);
	assert_ptr_equal(mmio_map(hpa(0xc0000000), 5 * MIB), at_physical(0xc0000000));
	model_map(DIRECT_BASE + 0xc0000000, 0xc0000000, 5 * MIB, DEVICE);
	model_check(0);
}

/* A second user of the same registers, and one whose registers surround those that are mapped. */
static void device_registers_again(void **state)
{
	(void)state;
	assert_ptr_equal(mmio_map(hpa(0xd0201000), PAGE_SIZE), at_physical(0xd0201000));
	assert_ptr_equal(mmio_map(hpa(0xd0201010), 4), at_physical(0xd0201010));
	assert_ptr_equal(mmio_map(hpa(0xd0200000), 2 * PAGE_SIZE), at_physical(0xd0200000));
	model_map(DIRECT_BASE + 0xd0200000, 0xd0200000, 2 * PAGE_SIZE, DEVICE);
	model_check(0);
	assert_ptr_equal(mmio_map(hpa(0xe0201000), PAGE_SIZE), at_physical(0xe0201000));
	assert_ptr_equal(mmio_map(hpa(0xe0000000), 6 * MIB), at_physical(0xe0000000));
	model_map(DIRECT_BASE + 0xe0000000, 0xe0000000, 6 * MIB, DEVICE);
	assert_ptr_equal(mmio_map(hpa(0xe0000000), 6 * MIB), at_physical(0xe0000000));
	model_check(0);
}

static void not_device_registers(void **state)
{
	(void)state;
	assert_null(mmio_map(hpa(0xfee00000), 0));
	assert_null(mmio_map(hpa(2 * MIB), PAGE_SIZE));
	assert_null(mmio_map(hpa(0xa0000), MIB));                       /* ends in RAM */
	assert_null(mmio_map(hpa(15 * MIB), PAGE_SIZE));                /* the firmware's tables, mapped read-only */
	assert_null(mmio_map(hpa(0x400000000000), PAGE_SIZE));
	assert_null(mmio_map(hpa(0x400000000000 - PAGE_SIZE), 2 * PAGE_SIZE));
	assert_null(mmio_map(hpa(PAGE_SIZE), -PAGE_SIZE));
	model_check(0);
}

/* --- protection and seal ------------------------------------------------------------------------------------------ */

static void part_of_a_large_page(void **state)
{
	(void)state;
	paging_protect(hpa(2 * MIB + 3 * PAGE_SIZE), PAGE_SIZE + 1);
	model_change(DIRECT_BASE + 2 * MIB + 3 * PAGE_SIZE, 2 * PAGE_SIZE, RO);
	model_check(0);
	assert_int_equal(cpu_fake.flushed, 2);
	paging_protect(hpa(4 * GIB), 4 * MIB);
	model_change(DIRECT_BASE + 4 * GIB, 4 * MIB, RO);
	model_check(0);
	assert_panics("%s:%u: %s", paging_protect(hpa(0xfee00000), PAGE_SIZE));
}

/* What a guest sees as registers is uncached on our side, too; the pages beside it are not. */
static void uncached_pages(void **state)
{
	(void)state;
	paging_uncache(hpa(2 * MIB + 3 * PAGE_SIZE), 2 * PAGE_SIZE);
	model_change(DIRECT_BASE + 2 * MIB + 3 * PAGE_SIZE, 2 * PAGE_SIZE, DEVICE);
	model_check(0);
	assert_int_equal(cpu_fake.flushed, 2);
	assert_panics("%s:%u: %s", paging_uncache(hpa(0xfee00000), PAGE_SIZE));
}

static void seal(void)
{
	struct seal_plan plan = paging_prepare_seal();

	cpu_fake.trace[0] = 0;
	cpu_fake.on_cr3 = take_snapshot;
	started = audited = 0;
	if (!setjmp(scheduled))
		seal_finish(&plan);
}

static void seals(void **state)
{
	(void)state;
	paging_map_start_page(0x8000);
	model_map(0x8000, 0x8000, PAGE_SIZE, RX);
	model_check(0x8000);
	machine.vm_count = 3;
	seal();
	model_change(0x8000, PAGE_SIZE, 0);
	model_change(0xffffffff80000000, BOOT_END, 0);
	model_change(0xffffffff80000000 + SEALED_START, SEALED_END - SEALED_START, RO);
	model_change(DIRECT_BASE + OWNERS, OWNERS_LENGTH, RO);
	model_change(DIRECT_BASE + POOL, LARGE_PAGE_SIZE, RO);
	model_check(0);
	cpu_fake_traced("cr3=800000");
	assert_memory_equal(snapshot, hpa_ptr(hpa(POOL)), sizeof(snapshot));
	assert_int_equal(started, 3);
	assert_int_equal(audited, 1);
}

/* A CPU that waited forgets what it has seen of the address space before it does anything else. */
static void other_cpus_follow(void **state)
{
	(void)state;
	machine.vm_count = 0;
	seal();
	cpu_fake_traced("cr3=800000");
	cpus[1].online = 0;
	if (!setjmp(scheduled))
		cpu_wait_for_seal(&cpus[1]);
	cpu_fake_traced("cr3=800000");
	assert_int_equal(cpus[1].online, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(exactly_what_should_be, built), cmocka_unit_test(switched_to_in_order),
		cmocka_unit_test_setup(large_pages_where_they_fit, built), cmocka_unit_test(random_memory_maps),
		cmocka_unit_test(not_enough), cmocka_unit_test_setup(never_mapped_twice, built),
		cmocka_unit_test_setup(halves_askew, built), cmocka_unit_test_setup(tables_run_out, built),
		cmocka_unit_test_setup(addresses, built), cmocka_unit_test_setup(device_registers, built),
		cmocka_unit_test_setup(device_registers_again, built),
		cmocka_unit_test_setup(not_device_registers, built),
		cmocka_unit_test_setup(part_of_a_large_page, built), cmocka_unit_test_setup(uncached_pages, built),
		cmocka_unit_test_setup(seals, built),
		cmocka_unit_test_setup(other_cpus_follow, built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
