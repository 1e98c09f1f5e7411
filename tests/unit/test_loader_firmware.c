/* SPDX-License-Identifier: Apache-2.0 */
/* The loader against firmware that misbehaves: memory map, exit, ACPI, clock, screen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "loader_fake.h"

/* --- memory map --------------------------------------------------------------------------------------------------- */

#define DESCRIPTOR 48u          /* as real firmware has it: larger than the structure */
#define RANGES 16u

static uint8_t map[RANGES * DESCRIPTOR];
static unsigned ranges;
static struct lzr_boot_memory memory[RANGES];
static const char *error;

static void range(uint32_t type, uint64_t base, uint64_t pages, uint64_t attribute)
{
	struct efi_memory_descriptor d = { .type = type, .physical_start = base, .pages = pages,
					   .attribute = attribute };

	memcpy(map + ranges++ * DESCRIPTOR, &d, sizeof(d));
}

static uint32_t convert(void)
{
	return memmap_convert(map, ranges * DESCRIPTOR, DESCRIPTOR, memory, RANGES, &error);
}

static void expect_range(unsigned i, uint64_t base, uint64_t length, uint32_t kind)
{
	assert_int_equal(memory[i].base, base);
	assert_int_equal(memory[i].length, length);
	assert_int_equal(memory[i].kind, kind);
	assert_int_equal(memory[i].reserved, 0);
}

static void memory_map_is_sorted_and_merged(void **state)
{
	(void)state;
	ranges = 0;
	range(EFI_CONVENTIONAL_MEMORY, 0x100000, 16, EFI_MEMORY_WB);
	range(EFI_LOADER_DATA, 0x110000, 1, EFI_MEMORY_WB);
	range(EFI_BOOT_SERVICES_DATA, 0, 0x9f, EFI_MEMORY_WB);
	range(EFI_MMIO, 0xfee00000, 1, 1);
	range(EFI_BOOT_SERVICES_CODE, 0x111000, 1, EFI_MEMORY_WB);
	range(EFI_LOADER_CODE, 0x112000, 1, EFI_MEMORY_WB);
	range(EFI_CONVENTIONAL_MEMORY, 0x200000, 1, 1);         /* cannot be cached */
	range(EFI_ACPI_NVS_MEMORY, 0x201000, 1, EFI_MEMORY_WB);
	range(EFI_ACPI_RECLAIM_MEMORY, 0x202000, 1, EFI_MEMORY_WB);
	range(EFI_RUNTIME_SERVICES_DATA, 0x203000, 1, EFI_MEMORY_WB);
	range(0x80000001, 0x204000, 1, EFI_MEMORY_WB);          /* somebody's own */
	range(EFI_CONVENTIONAL_MEMORY, 0x300000, 0, EFI_MEMORY_WB);     /* empty */
	assert_int_equal(convert(), 8);
	assert_null(error);
	expect_range(0, 0, 0x9f000, LZR_MEMORY_USABLE);
	expect_range(1, 0x100000, 0x10000, LZR_MEMORY_USABLE);
	expect_range(2, 0x110000, 0x1000, LZR_MEMORY_LOADER);
	expect_range(3, 0x111000, 0x2000, LZR_MEMORY_USABLE);
	expect_range(4, 0x200000, 0x1000, LZR_MEMORY_RESERVED);
	expect_range(5, 0x201000, 0x2000, LZR_MEMORY_ACPI);
	expect_range(6, 0x203000, 0x2000, LZR_MEMORY_RESERVED);
	expect_range(7, 0xfee00000, 0x1000, LZR_MEMORY_MMIO);
}

static void bad_memory_maps_are_refused(void **state)
{
	(void)state;
	ranges = 0;
	range(EFI_CONVENTIONAL_MEMORY, 0x1000, 2, EFI_MEMORY_WB);
	range(EFI_RUNTIME_SERVICES_DATA, 0x2000, 1, EFI_MEMORY_WB);
	convert();
	assert_string_equal(error, "ranges that overlap");
	ranges = 0;
	range(EFI_CONVENTIONAL_MEMORY, 0x1800, 2, EFI_MEMORY_WB);
	convert();
	assert_non_null(error);
	ranges = 0;
	range(EFI_CONVENTIONAL_MEMORY, 0x1000, ~0ull / PAGE, EFI_MEMORY_WB);    /* wraps */
	convert();
	assert_non_null(error);
	ranges = 0;
	range(EFI_CONVENTIONAL_MEMORY, ~0ull - 0xfff, 1, EFI_MEMORY_WB);
	convert();
	assert_non_null(error);
	ranges = 0;
	for (unsigned i = 0; i < RANGES; i++)
		range(EFI_CONVENTIONAL_MEMORY, i * 0x2000, 1, EFI_MEMORY_WB);
	assert_int_equal(convert(), RANGES);
	memmap_convert(map, ranges * DESCRIPTOR, DESCRIPTOR, memory, RANGES - 1, &error);
	assert_string_equal(error, "more ranges than there is room for");
	memmap_convert(map, ranges * DESCRIPTOR, 32, memory, RANGES, &error);
	assert_string_equal(error, "descriptors of a wrong size");
	memmap_convert(map, ranges * DESCRIPTOR - 8, DESCRIPTOR, memory, RANGES, &error);
	assert_string_equal(error, "descriptors of a wrong size");
}

/* --- tables that the hypervisor is entered with ------------------------------------------------------------------- */

static uint64_t walk(uint64_t root, uint64_t address)
{
	uint64_t *table = (uint64_t *)root, reach = 1ull << 39;

	for (unsigned level = 4; level > 1; level--, reach >>= 9) {
		uint64_t entry = table[address / reach & 511];

		if ((entry & 3) != 3)
			return ~0ull;
		if (level < 4 && (entry & 0x80))
			return (entry & ~0xfffull) + address % reach;
		table = (uint64_t *)(entry & ~0xfffull);
	}
	return ~0ull;
}

static void tables_map_what_is_promised(void **state)
{
	const uint64_t image = 0x40000000, length = 6 << 20;

	(void)state;
	for (unsigned huge = 0; huge < 2; huge++) {
		uint64_t top = (512ull << 30) + (huge ? 1 : 0), size = paging_bytes(top, huge), root;
		uint64_t *pool = aligned_alloc(PAGE, size);

		memset(pool, 0, size);
		root = paging_build(pool, top, huge, image, length);
		assert_int_equal(walk(root, 0), 0);
		assert_int_equal(walk(root, 0xfed40123), 0xfed40123);
		assert_int_equal(walk(root, (512ull << 30) - 1), (512ull << 30) - 1);
		assert_int_equal(walk(root, 512ull << 30), huge ? 512ull << 30 : ~0ull);
		assert_int_equal(walk(root, LZR_HV_BASE + 0x123), image + 0x123);
		assert_int_equal(walk(root, LZR_HV_BASE + length - 1), image + length - 1);
		assert_int_equal(walk(root, LZR_HV_BASE + length), ~0ull);
		free(pool);
	}
}

/* --- leaving boot services ---------------------------------------------------------------------------------------- */

static unsigned exits, exits_failing, maps_read;
static uint64_t map_key;

static efi_status EFIAPI get_memory_map(uint64_t *size, void *out, uint64_t *key, uint64_t *descriptor_size,
					uint32_t *version)
{
	uint64_t have = ranges * DESCRIPTOR;

	*descriptor_size = DESCRIPTOR;
	*version = 1;
	if (*size < have) {
		*size = have;
		return EFI_BUFFER_TOO_SMALL;
	}
	memcpy(out, map, have);
	*size = have;
	*key = ++map_key;
	maps_read++;
	return EFI_SUCCESS;
}

static efi_status EFIAPI exit_services(efi_handle image, uint64_t key)
{
	(void)image;
	exits++;
	return exits > exits_failing && key == map_key ? EFI_SUCCESS : EFI_INVALID_PARAMETER;
}

static void exit_is_tried_again(void **state)
{
	struct exit_map exit_map;

	(void)state;
	fake_boot.get_memory_map = get_memory_map;
	fake_boot.exit_boot_services = exit_services;
	ranges = 0;
	range(EFI_CONVENTIONAL_MEMORY, 0x1000, 2, EFI_MEMORY_WB);
	exit_map_alloc(&exit_map);
	assert_true(exit_map.capacity >= (1 + 32) * DESCRIPTOR);
	exits = maps_read = 0;
	exits_failing = 100;
	assert_refused(exit_boot_services(&exit_map), "did not end boot services");
	assert_false(exit_done());
	exits = maps_read = 0;
	exits_failing = 2;
	exit_boot_services(&exit_map);
	assert_true(exit_done());
	assert_int_equal(exits, 3);
	assert_int_equal(maps_read, 3);
	assert_int_equal(exit_map.size, DESCRIPTOR);
}

/* --- ACPI, clock, screen ------------------------------------------------------------------------------------------ */

static uint8_t rsdp[36];

static void fix_sum(unsigned at, unsigned length)
{
	uint8_t sum = 0;

	rsdp[at] = 0;
	for (unsigned i = 0; i < length; i++)
		sum = (uint8_t)(sum + rsdp[i]);
	rsdp[at] = (uint8_t)-sum;
}

static void rsdp_is_checked(void **state)
{
	const struct efi_guid guid = EFI_ACPI20_TABLE_GUID;

	(void)state;
	assert_refused(platform_rsdp(), "no ACPI 2.0 tables");
	fake_tables[0] = (struct efi_configuration_table){ guid, rsdp };
	fake_system.table_count = 1;
	memcpy(rsdp, "RSD PTR ", 8);
	rsdp[15] = 2;
	rsdp[20] = 36;
	rsdp[24] = 1;
	fix_sum(8, 20);
	fix_sum(32, 36);
	assert_int_equal(platform_rsdp(), (uint64_t)rsdp);
	rsdp[33] ^= 1;
	assert_refused(platform_rsdp(), "root pointer is damaged");
	rsdp[33] ^= 1;
	rsdp[24] = 0;
	fix_sum(32, 36);
	assert_refused(platform_rsdp(), "root pointer is damaged");
}

static struct efi_time now;

static efi_status EFIAPI get_time(struct efi_time *time, void *capabilities)
{
	(void)capabilities;
	*time = now;
	return EFI_SUCCESS;
}

static void clock_is_converted(void **state)
{
	(void)state;
	fake_runtime.get_time = get_time;
	now = (struct efi_time){ .year = 1970, .month = 1, .day = 1, .second = 1 };
	assert_int_equal(platform_wall_clock(), 1);
	now = (struct efi_time){ .year = 2024, .month = 2, .day = 29, .hour = 12,
				 .time_zone = EFI_UNSPECIFIED_TIMEZONE };
	assert_int_equal(platform_wall_clock(), 1709208000);
	now = (struct efi_time){ .year = 2026, .month = 12, .day = 31, .hour = 23, .minute = 59, .second = 59,
				 .time_zone = -60 };
	assert_int_equal(platform_wall_clock(), 1798761599 - 3600);
	now.month = 13;
	assert_int_equal(platform_wall_clock(), 0);
}

static void screens_that_lie_are_ignored(void **state)
{
	struct efi_graphics_info mode = { .width = 1280, .height = 800, .format = EFI_PIXEL_BGR,
					  .pixels_per_line = 1280 };
	struct efi_graphics_mode current = { .info = &mode, .framebuffer = 0x80000000,
					     .framebuffer_size = 1280 * 800 * 4 };
	struct efi_graphics graphics = { .mode = &current };
	struct lzr_boot_info info = { 0 };

	(void)state;
	fake_graphics = &graphics;
	platform_framebuffer(&info);
	assert_int_equal(info.framebuffer, 0x80000000);
	assert_int_equal(info.fb_stride, 1280);
	memset(&info, 0, sizeof(info));
	mode.pixels_per_line = 1281;
	platform_framebuffer(&info);
	assert_int_equal(info.framebuffer, 0);
	mode.pixels_per_line = 1000;
	platform_framebuffer(&info);
	assert_int_equal(info.framebuffer, 0);
	mode.pixels_per_line = 1280;
	mode.format = 3;
	platform_framebuffer(&info);
	assert_int_equal(info.framebuffer, 0);
	fake_graphics = NULL;
	platform_framebuffer(&info);
	assert_int_equal(info.framebuffer, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(memory_map_is_sorted_and_merged, fake_setup),
		cmocka_unit_test_setup(bad_memory_maps_are_refused, fake_setup),
		cmocka_unit_test_setup(tables_map_what_is_promised, fake_setup),
		cmocka_unit_test_setup(exit_is_tried_again, fake_setup),
		cmocka_unit_test_setup(rsdp_is_checked, fake_setup),
		cmocka_unit_test_setup(clock_is_converted, fake_setup),
		cmocka_unit_test_setup(screens_that_lie_are_ignored, fake_setup),
	};

	return cmocka_run_group_tests(tests, NULL, fake_setup);
}
