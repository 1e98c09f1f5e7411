/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI tables from hostile firmware: lengths, places, checksums; and the CPUs of the MADT. */
#include <string.h>

#include "acpi.h"
#include "plat.h"
#include "plat_fake.h"

#define ACPI_BASE 0x100000u
#define ACPI_SIZE 0x20000u
#define RSDP (ACPI_BASE + 0x10)
#define XSDT (ACPI_BASE + 0x100)
#define MADT (ACPI_BASE + 0x1000)
#define FADT (ACPI_BASE + 0x2000)

static struct handoff handoff;
static uint32_t apic_ids[64];
static unsigned apic_count;

static void fix(uint32_t at, uint32_t length, uint32_t where)
{
	uint8_t sum = 0;

	fake_ram[at + where] = 0;
	for (uint32_t i = 0; i < length; i++)
		sum = (uint8_t)(sum + fake_ram[at + i]);
	fake_ram[at + where] = (uint8_t)-sum;
}

static void table(uint32_t at, const char *signature, uint32_t length)
{
	memcpy(fake_ram + at, signature, 4);
	memcpy(fake_ram + at + 4, &length, 4);
	fix(at, length, 9);
}

static void root(void)
{
	uint64_t xsdt = XSDT;
	uint32_t length = 36;

	memcpy(fake_ram + RSDP, "RSD PTR ", 8);
	fake_ram[RSDP + 15] = 2;
	memcpy(fake_ram + RSDP + 20, &length, 4);
	memcpy(fake_ram + RSDP + 24, &xsdt, 8);
	fix(RSDP, 20, 8);
	fix(RSDP, 36, 32);
}

static void xsdt_entry(unsigned index, uint64_t at)
{
	memcpy(fake_ram + XSDT + 36 + 8 * index, &at, 8);
}

static void madt(void)
{
	static const uint8_t entries[] = {
		0, 8, 0, 0, 1, 0, 0, 0,                 /* enabled, id 0 */
		1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,      /* I/O APIC */
		0, 8, 1, 7, 0, 0, 0, 0,                 /* disabled */
		0, 8, 2, 3, 1, 0, 0, 0,                 /* enabled, id 3 */
		9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,        /* x2APIC 256 */
	};

	memset(fake_ram + MADT, 0, 256);
	memcpy(fake_ram + MADT + 44, entries, sizeof(entries));
	table(MADT, "APIC", 44 + sizeof(entries));
}

static int set_up(void **state)
{
	fake_reset(state);
	handoff.info.rsdp = RSDP;
	handoff.info.memory_count = 2;
	handoff.memory[0] = (struct lzr_boot_memory){ ACPI_BASE, ACPI_SIZE, LZR_MEMORY_ACPI, 0 };
	handoff.memory[1] = (struct lzr_boot_memory){ ACPI_BASE + ACPI_SIZE, 0x100000, LZR_MEMORY_USABLE, 0 };
	memset(fake_ram + ACPI_BASE, 0, ACPI_SIZE);
	apic_count = 0;
	root();
	madt();
	table(FADT, "FACP", 0x114);
	xsdt_entry(0, FADT);
	xsdt_entry(1, 0x40);            /* not in ACPI memory: as if it were not there */
	xsdt_entry(2, MADT);
	xsdt_entry(3, MADT);            /* twice */
	table(XSDT, "XSDT", 36 + 4 * 8);
	return 0;
}

static void found(uint32_t id, void *context)
{
	assert_ptr_equal(context, apic_ids);
	assert_true(apic_count < 64);
	apic_ids[apic_count++] = id;
}

static void test_good(void **state)
{
	uint32_t length;

	(void)state;
	assert_true(acpi_init(&handoff));
	const uint8_t *fadt = acpi_table("FACP", &length);

	assert_non_null(fadt);
	assert_int_equal(length, 0x114);
	assert_true(fadt < fake_ram || fadt >= fake_ram + FAKE_RAM);
	fake_ram[FADT + 100]++;
	assert_int_equal(fadt[100], 0);
	assert_null(acpi_table("DMAR", &length));
	assert_true(acpi_for_each_cpu(found, apic_ids));
	assert_int_equal(apic_count, 3);
	assert_int_equal(apic_ids[0], 0);
	assert_int_equal(apic_ids[1], 3);
	assert_int_equal(apic_ids[2], 256);
}

static void test_none(void **state)
{
	(void)state;
	handoff.info.rsdp = 0;
	assert_true(acpi_init(&handoff));
	assert_null(acpi_table("APIC", NULL));
	assert_false(acpi_for_each_cpu(found, apic_ids));
}

static void refuse_tables(void)
{
	assert_false(acpi_init(&handoff));
	assert_said("ACPI:");
}

static void test_bad_root(void **state)
{
	handoff.info.rsdp = ACPI_BASE + ACPI_SIZE - 8;
	refuse_tables();
	set_up(state);
	handoff.info.rsdp = 0x8000;
	refuse_tables();
	set_up(state);
	handoff.info.rsdp = UINT64_MAX - 4;
	refuse_tables();
	set_up(state);
	fake_ram[RSDP + 33]++;
	refuse_tables();
	set_up(state);
	fake_ram[RSDP + 15] = 0;
	fix(RSDP, 20, 8);
	refuse_tables();
	set_up(state);
	fake_ram[XSDT + 40]++;
	refuse_tables();
	set_up(state);
	table(XSDT, "RSDT", 36 + 8);
	refuse_tables();
}

static void test_bad_length(void **state)
{
	static const uint32_t lengths[] = { 0, 35, 0x10000 + 36, 0x80000000, UINT32_MAX };

	for (unsigned i = 0; i < ARRAY_LENGTH(lengths); i++) {
		set_up(state);
		memcpy(fake_ram + XSDT + 4, &lengths[i], 4);
		refuse_tables();
		set_up(state);
		memcpy(fake_ram + FADT + 4, &lengths[i], 4);
		refuse_tables();
	}
	set_up(state);
	fake_ram[FADT + 50]++;
	refuse_tables();
	assert_said("FACP");
}

/* Entries of length 0, 1, or running over the table's end stop the walk. */
static void test_bad_madt(void **state)
{
	static const struct { uint8_t offset, value; unsigned cpus;
	} cases[] = {
		{ 44 + 1, 0, 0 },   { 44 + 1, 1, 0 },	{ 44 + 1, 2, 0 },  { 44 + 9, 0, 1 },
		{ 44 + 9, 255, 1 }, { 44 + 37, 17, 2 }, { 44 + 37, 8, 2 },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		uint32_t length;

		set_up(state);
		fake_ram[MADT + cases[i].offset] = cases[i].value;
		memcpy(&length, fake_ram + MADT + 4, 4);
		fix(MADT, length, 9);
		assert_true(acpi_init(&handoff));
		assert_true(acpi_for_each_cpu(found, apic_ids));
		assert_int_equal(apic_count, cases[i].cpus);
	}
	set_up(state);
	table(MADT, "APIC", 40);
	assert_true(acpi_init(&handoff));
	assert_true(acpi_for_each_cpu(found, apic_ids));
	assert_int_equal(apic_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_good, set_up), cmocka_unit_test_setup(test_none, set_up),
		cmocka_unit_test_setup(test_bad_root, set_up), cmocka_unit_test_setup(test_bad_length, set_up),
		cmocka_unit_test_setup(test_bad_madt, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
