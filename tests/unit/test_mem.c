/* SPDX-License-Identifier: Apache-2.0 */
/* Page owners: what the memory map says, allocation, claims of device registers, and the check before each mapping. */
#include <string.h>

#include "handoff.h"
#include "plat.h"
#include "plat_fake.h"

#define MIB (1ull << 20)

static struct handoff handoff;

static int set_up(void **state)
{
	static const struct lzr_boot_memory map[] = {
		{ 0x0, 0xa0000, LZR_MEMORY_USABLE, 0 },
		{ 1 * MIB, 3 * MIB, LZR_MEMORY_USABLE, 0 },
		{ 4 * MIB, 2 * MIB, LZR_MEMORY_LOADER, 0 },
		{ 6 * MIB, 1 * MIB, LZR_MEMORY_ACPI, 0 },
		{ 7 * MIB, 1 * MIB, LZR_MEMORY_RESERVED, 0 },
		{ 8 * MIB, 1 * MIB, LZR_MEMORY_MMIO, 0 },
		{ 10 * MIB, 6 * MIB, LZR_MEMORY_USABLE, 0 },
		{ 64 * MIB, 1 * MIB, LZR_MEMORY_RESERVED, 0 },
		{ 66 * MIB, 1 * MIB, LZR_MEMORY_MMIO, 0 },
	};
	static bool done;

	if (done) {
		fake_said[0] = 0;
		return 0;
	}
	done = true;
	fake_reset(state);
	memcpy(handoff.memory, map, sizeof(map));
	handoff.info.memory_count = ARRAY_LENGTH(map);
	mem_init(&handoff);
	return 0;
}

static void test_map(void **state)
{
	(void)state;
	assert_int_equal(mem_check_owner(hpa(4 * MIB), 2 * MIB, OWNER_HV), HV_OK);
	assert_int_equal(mem_check_owner(hpa(6 * MIB), PAGE_SIZE, OWNER_FIRMWARE), HV_OK);
	assert_int_equal(mem_check_owner(hpa(7 * MIB), PAGE_SIZE, OWNER_FIRMWARE), HV_OK);
	assert_int_equal(mem_check_owner(hpa(64 * MIB), MIB, OWNER_FIRMWARE), HV_OK);
	assert_int_equal(mem_check_owner(hpa(5 * MIB), 2 * MIB, OWNER_HV), HV_NOT_OWNED);
	assert_int_equal(mem_check_owner(hpa(8 * MIB), PAGE_SIZE, OWNER_HV), HV_NOT_OWNED);
	assert_int_equal(mem_check_owner(hpa(12 * MIB), PAGE_SIZE, OWNER_FREE), HV_NOT_OWNED);
	assert_int_equal(mem_check_owner(hpa(9 * MIB), PAGE_SIZE, OWNER_NONE), HV_NOT_OWNED);
}

static void test_alloc(void **state)
{
	hpa_t a, b, c;

	(void)state;
	assert_int_equal(mem_alloc(2 * MIB, LARGE_PAGE_SIZE, OWNER_VM0 + 3, &a), HV_OK);
	assert_int_equal(a.a % LARGE_PAGE_SIZE, 0);
	assert_int_equal(fake_ram[a.a], 0);
	assert_int_equal(fake_ram[a.a + 2 * MIB - 1], 0);
	assert_int_equal(mem_check_owner(a, 2 * MIB, OWNER_VM0 + 3), HV_OK);
	assert_int_equal(mem_check_owner(a, 2 * MIB, OWNER_VM0 + 2), HV_NOT_OWNED);
	assert_int_equal(mem_check_owner(hpa(a.a + PAGE_SIZE), 2 * MIB, OWNER_VM0 + 3), HV_NOT_OWNED);
	assert_int_equal(mem_alloc(1, PAGE_SIZE, OWNER_HV, &b), HV_OK);
	assert_int_equal(mem_alloc(PAGE_SIZE + 1, PAGE_SIZE, OWNER_VM0, &c), HV_OK);
	assert_true(b.a >= MIB && c.a >= MIB && b.a != c.a);
	assert_int_equal(mem_check_owner(c, 2 * PAGE_SIZE, OWNER_VM0), HV_OK);
	uint64_t before = mem_free_bytes();

	assert_int_equal(mem_alloc(7 * MIB, PAGE_SIZE, OWNER_VM0, &a), HV_NO_MEMORY);
	assert_int_equal(mem_alloc(0, PAGE_SIZE, OWNER_VM0, &a), HV_NO_MEMORY);
	assert_int_equal(mem_alloc(UINT64_MAX, PAGE_SIZE, OWNER_VM0, &a), HV_NO_MEMORY);
	assert_int_equal(mem_alloc(1ull << 63, 1ull << 40, OWNER_VM0, &a), HV_NO_MEMORY);
	assert_null(mem_alloc_hv(64 * MIB, PAGE_SIZE));
	assert_int_equal(mem_free_bytes(), before);
	assert_panics((void)!mem_alloc(PAGE_SIZE, 24, OWNER_VM0, &a));
	while (mem_alloc(PAGE_SIZE, PAGE_SIZE, OWNER_VM0 + 1, &a) == HV_OK)
		assert_int_equal(mem_check_owner(a, PAGE_SIZE, OWNER_VM0 + 1), HV_OK);
	assert_int_equal(mem_free_bytes(), 0);
}

static void test_check_bounds(void **state)
{
	(void)state;
	assert_int_equal(mem_check_owner(hpa(4 * MIB), 0, OWNER_HV), HV_NOT_OWNED);
	assert_int_equal(mem_check_owner(hpa(4 * MIB + 1), PAGE_SIZE, OWNER_HV), HV_NOT_OWNED);
	assert_int_equal(mem_check_owner(hpa(4 * MIB), PAGE_SIZE + 8, OWNER_HV), HV_NOT_OWNED);
	assert_int_equal(mem_check_owner(hpa(4 * MIB), UINT64_MAX - PAGE_SIZE + 1, OWNER_HV), HV_NOT_OWNED);
	assert_int_equal(mem_check_owner(hpa(UINT64_MAX - PAGE_SIZE + 1), PAGE_SIZE, OWNER_HV), HV_NOT_OWNED);
}

static void test_claims(void **state)
{
	(void)state;
	assert_int_equal(mem_claim_mmio(hpa(0xfed40000), PAGE_SIZE, OWNER_VM0 + 1), HV_OK);
	assert_int_equal(mem_check_owner(hpa(0xfed40000), PAGE_SIZE, OWNER_VM0 + 1), HV_OK);
	assert_int_equal(mem_check_owner(hpa(0xfed40000), 2 * PAGE_SIZE, OWNER_VM0 + 1), HV_NOT_OWNED);
	assert_int_equal(mem_claim_mmio(hpa(0xfed40000), PAGE_SIZE, OWNER_VM0 + 2), HV_CONFLICT);
	assert_int_equal(mem_claim_mmio(hpa(0xfed3f000), 2 * PAGE_SIZE, OWNER_VM0 + 2), HV_CONFLICT);
	assert_int_equal(mem_claim_mmio(hpa(8 * MIB), PAGE_SIZE, OWNER_VM0 + 2), HV_OK);
	assert_int_equal(mem_claim_mmio(hpa(4 * MIB), PAGE_SIZE, OWNER_VM0 + 2), HV_CONFLICT);
	assert_int_equal(mem_claim_mmio(hpa(6 * MIB), PAGE_SIZE, OWNER_VM0 + 2), HV_CONFLICT);
	assert_int_equal(mem_claim_mmio(hpa(7 * MIB), PAGE_SIZE, OWNER_VM0 + 2), HV_CONFLICT);
	assert_int_equal(mem_claim_mmio(hpa(64 * MIB), PAGE_SIZE, OWNER_VM0 + 2), HV_CONFLICT);
	assert_int_equal(mem_claim_mmio(hpa(7 * MIB), PAGE_SIZE, OWNER_HV), HV_OK);
	assert_int_equal(mem_claim_mmio(hpa(64 * MIB), PAGE_SIZE, OWNER_HV), HV_OK);
	assert_int_equal(mem_claim_mmio(hpa(4 * MIB), PAGE_SIZE, OWNER_HV), HV_CONFLICT);
	assert_int_equal(mem_claim_mmio(hpa(9 * MIB), 2 * MIB, OWNER_VM0 + 2), HV_CONFLICT);
	assert_int_equal(mem_claim_mmio(hpa(0xf0000800), PAGE_SIZE, OWNER_VM0), HV_BAD_INPUT);
	assert_int_equal(mem_claim_mmio(hpa(0xf0000000), UINT64_MAX - PAGE_SIZE + 1, OWNER_VM0), HV_BAD_INPUT);
	uint64_t at = 0x100000000ull;

	while (mem_claim_mmio(hpa(at), PAGE_SIZE, OWNER_HV) == HV_OK)
		at += PAGE_SIZE;
	assert_int_equal(mem_claim_mmio(hpa(at), PAGE_SIZE, OWNER_HV), HV_NO_MEMORY);
	assert_true(mem_is_ram(5 * MIB, PAGE_SIZE));
	assert_true(mem_is_ram(0, 1ull << 40));
	assert_false(mem_is_ram(7 * MIB, 2 * MIB));
	assert_false(mem_is_ram(0xfed40000, PAGE_SIZE));
}

/* What only a device's own register says: nothing of what the firmware's map names is there, for whomever. */
static void test_bars(void **state)
{
	static const unsigned owners[] = { OWNER_HV, OWNER_VM0 + 2 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LENGTH(owners); i++) {
		assert_int_equal(mem_claim_bar(hpa(4 * MIB), PAGE_SIZE, owners[i]), HV_CONFLICT);
		assert_int_equal(mem_claim_bar(hpa(7 * MIB), PAGE_SIZE, owners[i]), HV_CONFLICT);
		assert_int_equal(mem_claim_bar(hpa(8 * MIB + PAGE_SIZE), PAGE_SIZE, owners[i]), HV_CONFLICT);
		assert_int_equal(mem_claim_bar(hpa(64 * MIB), PAGE_SIZE, owners[i]), HV_CONFLICT);
		assert_int_equal(mem_claim_bar(hpa(66 * MIB), PAGE_SIZE, owners[i]), HV_CONFLICT);
		assert_int_equal(mem_claim_bar(hpa(66 * MIB - PAGE_SIZE), 2 * PAGE_SIZE, owners[i]), HV_CONFLICT);
		assert_int_equal(mem_claim_bar(hpa(0x200000000 + i * PAGE_SIZE), PAGE_SIZE, owners[i]), HV_OK);
		assert_int_equal(mem_claim_bar(hpa(0x200000000), PAGE_SIZE, owners[i]), HV_CONFLICT);
		assert_int_equal(mem_claim_mmio(hpa(0x200000000), PAGE_SIZE, owners[i]), HV_CONFLICT);
	}
	/* The TPM's page, say, which the firmware may list as registers of the platform. */
	assert_int_equal(mem_claim_mmio(hpa(66 * MIB), PAGE_SIZE, OWNER_VM0 + 2), HV_OK);
	assert_int_equal(mem_check_owner(hpa(66 * MIB), PAGE_SIZE, OWNER_VM0 + 2), HV_OK);
	assert_int_equal(mem_check_owner(hpa(66 * MIB + PAGE_SIZE), PAGE_SIZE, OWNER_VM0 + 2), HV_NOT_OWNED);
}

/* Comes last, the table is full: what is not remembered as the firmware's might be given to a VM, so the boot ends. */
static void test_too_many_reserved(void **state)
{
	static struct handoff many;

	(void)state;
	many.memory[0] = (struct lzr_boot_memory){ 1 * MIB, 3 * MIB, LZR_MEMORY_USABLE, 0 };
	many.memory[1] = (struct lzr_boot_memory){ 5 * MIB, MIB, LZR_MEMORY_RESERVED, 0 };
	many.info.memory_count = 2;
	assert_panics(mem_init(&many));
	assert_said("refused: more than 128 ranges behind RAM are the firmware's");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_map, set_up), cmocka_unit_test_setup(test_alloc, set_up),
		cmocka_unit_test_setup(test_check_bounds, set_up), cmocka_unit_test_setup(test_bars, set_up),
		cmocka_unit_test_setup(test_claims, set_up),
		cmocka_unit_test_setup(test_too_many_reserved, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
