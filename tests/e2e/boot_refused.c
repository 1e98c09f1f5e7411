/* SPDX-License-Identifier: Apache-2.0 */
/* Boots that must not happen: each says why, records it in the TPM, starts nothing and resets. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/sha256.h>

#include <lazaret/boot.h>

#include "boot.h"
#include "esp.h"
#include "machine.h"

#define WAIT BOOT_SECONDS
#define SMALL_MIB 512u

static void expect_refusal(const struct rig_config *changes, const char *reason)
{
	struct rig *rig = boot_start(changes);
	char line[512];

	if (!rig_wait_line(rig, "REFUSED: ", WAIT, line, sizeof(line)))
		machine_fail(rig, "no refusal");
	if (!strstr(line, reason))
		fail_msg("refused for another reason than \"%s\": %s", reason, line);
	if (!rig_wait_end(rig, BOOT_SECONDS))
		fail_msg("the machine did not reset");
	assert_false(rig_seen(rig, "probe:"));
	assert_false(rig_seen(rig, "leaving the firmware"));
	rig_stop(rig);
}

static void without_a_tpm(void **state)
{
	const struct rig_config changes = { .no_tpm = true };

	(void)state;
	boot_make_volume("lazaret-probe");
	expect_refusal(&changes, "no TPM 2.0");
}

static void without_acpi(void **state)
{
	static const char *const extra[] = { "-machine", "acpi=off", NULL };
	const struct rig_config changes = { .extra = extra };

	(void)state;
	boot_make_volume("lazaret-probe");
	expect_refusal(&changes, "no ACPI 2.0 tables");
}

static void a_lab_build_starts_without_acpi(void **state)
{
	static const char *const extra[] = { "-machine", "acpi=off", NULL };
	const struct rig_config changes = { .extra = extra, .no_tpm = true };
	struct rig *rig;

	(void)state;
	boot_make_volume("lazaret-probe-lab");
	rig = boot_start(&changes);
	assert_true(rig_wait_line(rig, "probe: end", WAIT, NULL, 0));
	assert_false(rig_seen(rig, "probe: BAD"));
	assert_int_equal(boot_field(rig, "rsdp"), 0);
	assert_int_equal(boot_field(rig, "flags"), LZR_BOOT_LAB);
	rig_stop(rig);
}

static void a_missing_file(void **state)
{
	(void)state;
	boot_make_volume("lazaret-probe");
	assert_true(esp_remove(BOOT_ESP, "lazaret/blue"));
	expect_refusal(NULL, "\\lazaret\\blue: cannot be opened");
}

static void a_missing_list(void **state)
{
	(void)state;
	boot_make_volume("lazaret-probe");
	assert_true(esp_remove(BOOT_ESP, "lazaret/boot.list"));
	expect_refusal(NULL, "\\lazaret\\boot.list: cannot be opened");
}

static void a_missing_segment_list(void **state)
{
	(void)state;
	boot_make_volume("lazaret-probe");
	assert_true(esp_remove(BOOT_ESP, "lazaret/segment.list"));
	expect_refusal(NULL, "\\lazaret\\segment.list: cannot be opened");
}

/* Longer than its kind may be: the list has no lengths, the kind has a limit. */
static void an_oversized_file(void **state)
{
	static uint8_t signature[LZR_KEY_FILE_MAX + 1];

	(void)state;
	boot_make_volume("lazaret-probe");
	boot_replace("policy.sig", signature, 97);
	expect_refusal(NULL, "\\lazaret\\policy.sig: has 97 bytes, expected 1 to 96");
	boot_make_volume("lazaret-probe");
	boot_replace("signer.lzrkey", signature, sizeof(signature));
	expect_refusal(NULL, "\\lazaret\\signer.lzrkey: has 4097 bytes, expected 1 to 4096");
}

static void a_damaged_list(void **state)
{
	uint8_t list[16 + 5 * 56];

	(void)state;
	boot_make_volume("lazaret-probe");
	assert_int_equal(boot_read_list("boot.list", list, sizeof(list)), sizeof(list));
	boot_replace("boot.list", list, sizeof(list) - 1);
	expect_refusal(NULL, "boot.list: 295 bytes, 5 entries need 296");
}

static void a_damaged_segment_list(void **state)
{
	uint8_t list[16 + 56];
	struct lzr_boot_list_entry entry;

	(void)state;
	boot_make_volume("lazaret-probe");
	assert_int_equal(boot_read_list("segment.list", list, sizeof(list)), sizeof(list));
	memcpy(&entry, list + 16, sizeof(entry));
	memset(entry.name, 0, sizeof(entry.name));
	strcpy(entry.name, "RED");
	memcpy(list + 16, &entry, sizeof(entry));
	boot_replace("segment.list", list, sizeof(list));
	expect_refusal(NULL, "segment.list: entry 0: RED is in boot.list, too");
}

/* What boot.list was before it lost its lengths is told apart from it. */
static void a_list_of_another_version(void **state)
{
	uint8_t list[16 + 5 * 56];

	(void)state;
	boot_make_volume("lazaret-probe");
	assert_int_equal(boot_read_list("boot.list", list, sizeof(list)), sizeof(list));
	list[8] = 1;
	boot_replace("boot.list", list, sizeof(list));
	expect_refusal(NULL, "boot.list: version 1, this loader reads version 2; write it with mkboot");
}

/* Firmware's record of EV_SEPARATOR 01 00 00 00 in a PCR, anywhere in memory. */
static bool has_error_cap(const uint8_t *memory, size_t size, uint32_t pcr)
{
	static const uint8_t cap[4] = { 1, 0, 0, 0 };
	uint8_t record[14 + 32] = { (uint8_t)pcr, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 0x0b, 0 };

	mbedtls_sha256_ret(cap, sizeof(cap), record + 14, 0);
	return memmem(memory, size, record, sizeof(record)) != NULL;
}

static bool screen_shows_something(struct rig *rig)
{
	const char *path = rig_path(rig, "screen.ppm");
	unsigned bright = 0;
	int c;
	FILE *f;

	assert_true(rig_screendump(rig, path));
	f = fopen(path, "rb");
	assert_non_null(f);
	while ((c = fgetc(f)) != EOF)
		bright += c > 0x60;
	fclose(f);
	return bright > 3000;
}

/* The machine is held at its reset, so that the firmware's log and the screen can still be looked at. */
static void a_failed_measurement(void **state)
{
	static const char *const extra[] = { "-no-shutdown", NULL };
	const struct rig_config changes = { .extra = extra, .memory_mib = SMALL_MIB, .screen = true };
	size_t size = (size_t)SMALL_MIB << 20;
	uint8_t *memory = malloc(size);
	char line[512];
	struct rig *rig;

	(void)state;
	assert_non_null(memory);
	boot_make_volume("lazaret-probe-tpm");
	rig = boot_start(&changes);
	assert_true(rig_wait_line(rig, "REFUSED: ", WAIT, line, sizeof(line)));
	assert_non_null(strstr(line, "boot.list: its measurement into PCR 9 failed"));
	assert_true(rig_wait_line(rig, "the machine resets", WAIT, NULL, 0));
	assert_true(screen_shows_something(rig));
	assert_true(rig_memory_read(rig, 0, memory, size));
	assert_true(has_error_cap(memory, size, 8));
	assert_true(has_error_cap(memory, size, 9));
	assert_true(has_error_cap(memory, size, 11));
	assert_false(has_error_cap(memory, size, 10));
	rig_stop(rig);
	free(memory);
}

static void a_lab_build_starts_without_a_tpm(void **state)
{
	const struct rig_config changes = { .no_tpm = true };
	struct rig *rig;

	(void)state;
	boot_make_volume("lazaret-probe-lab");
	rig = boot_start(&changes);
	assert_true(rig_wait_line(rig, "NOT measured", WAIT, NULL, 0));
	assert_true(rig_wait_line(rig, "probe: end", WAIT, NULL, 0));
	assert_false(rig_seen(rig, "probe: BAD"));
	assert_int_equal(boot_field(rig, "flags"), LZR_BOOT_LAB);
	assert_int_equal(boot_field(rig, "length"), 0);
	assert_int_equal(boot_field(rig, "entropy"), 0);
	rig_stop(rig);
}

static void a_lab_build_with_a_tpm_measures(void **state)
{
	struct rig *rig;

	(void)state;
	boot_make_volume("lazaret-probe-lab");
	rig = boot_start(NULL);
	assert_true(rig_wait_line(rig, "LAB BUILD", WAIT, NULL, 0));
	assert_true(rig_wait_line(rig, "probe: end", WAIT, NULL, 0));
	assert_int_equal(boot_field(rig, "flags"), LZR_BOOT_LAB | LZR_BOOT_MEASURED);
	rig_stop(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_tpm), cmocka_unit_test(without_acpi), cmocka_unit_test(a_missing_file),
		cmocka_unit_test(a_missing_list), cmocka_unit_test(a_missing_segment_list),
		cmocka_unit_test(an_oversized_file), cmocka_unit_test(a_damaged_list),
		cmocka_unit_test(a_damaged_segment_list), cmocka_unit_test(a_list_of_another_version),
		cmocka_unit_test(a_failed_measurement), cmocka_unit_test(a_lab_build_starts_without_a_tpm),
		cmocka_unit_test(a_lab_build_with_a_tpm_measures), cmocka_unit_test(a_lab_build_starts_without_acpi),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
